"""The effect of each arm at equal covariates, computed where the subjects live: two passes of sums, no frame of subjects."""

import itertools
from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.arms import subjects_of
from collect_analysis.measures.cohort import Cohort, Covariate, Outcome
from collect_analysis.methods.regression import Fit, adjusted_effects, fit_arms, robust_covariance

COLUMNS = ["outcome", "unit", "horizon_days", "arm", "base", "base_mean", "value", "low", "high", "se", "df", "p_value", "p_adjusted"]
COLUMNS += ["relative", "relative_low", "relative_high", "method", "covariates", "variance_kept", "note"]


def covariates_of(cohort: Cohort, names: Sequence[str]) -> list[Covariate]:
    """The declared covariates, in the order of `names`.

    Raises
    ------
    DataError
        The cohort has none of that name; the sentence lists those it has.
    """
    known = {item.name: item for item in cohort.covariates}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"experiment '{cohort.experiment_id}' has no covariate(s) {', '.join(unknown)}; it has {', '.join(sorted(known)) or 'none'}"
        )
    return [known[name] for name in names]


def missing_covariates(book: Book, cohort: Cohort, arms: Sequence[str], covariates: Sequence[Covariate]) -> dict[str, int]:
    """For how many subjects is each covariate unknown? Only those that miss any."""
    if not covariates:
        return {}
    table = subjects_of(cohort, arms)
    found = book.frame(table.aggregate(**{f"c{place}": table[item.column].isnull().sum() for place, item in enumerate(covariates)}))
    counts = {item.name: int(found[f"c{place}"].fillna(0).iloc[0]) for place, item in enumerate(covariates)}
    return {name: count for name, count in counts.items() if count}


def adjusted_comparison(
    book: Book, cohort: Cohort, outcome: Outcome, covariates: Sequence[Covariate], *, base: str, arms: Sequence[str], level: float = 0.95
) -> pd.DataFrame:
    """By how much does each arm differ from the base arm once the covariates are the same?

    Formula: least squares of the outcome on arm and covariates (`methods.regression`); errors HC2, or CR1 where clusters (customers) hold
    more than one subject. Covariates must have been known before assignment: whoever calls checks `Covariate.measured` first.

    Returns
    -------
    One row per arm other than the base: outcome, unit, horizon_days, arm, base, base_mean, value, low, high, se, df, p_value, p_adjusted
    (Holm), relative, relative_low, relative_high, method, covariates, variance_kept (residual variance / variance within arms: what the
    covariates do not explain), note. Empty without covariates.

    Raises
    ------
    DataError
        A covariate was measured after assignment, is constant, or repeats another.
    """
    if not covariates:
        return pd.DataFrame(columns=COLUMNS)
    late = [item.name for item in covariates if item.measured != "before"]
    if late:
        raise DataError(f"covariate(s) {', '.join(late)} are not declared as measured before assignment; adjusting for them is no effect")
    table = subjects_of(cohort, [base, *arms])
    y, *x = (_number(table[column]) for column in (outcome.column, *(item.column for item in covariates)))
    table = table.select(
        "arm", "cluster_key", one=ibis.literal(1, type="int64"), y=y, **{f"x{place}": column for place, column in enumerate(x)}
    )
    fit = fit_arms(_cross_products(book, table, covariates), base=base, covariates=[item.name for item in covariates])
    clusters = int(str(book.scalar(table["cluster_key"].nunique())))
    grouped = clusters < fit.cases
    meat = _squares(book, table, fit, by_cluster=grouped)
    covariance = robust_covariance(fit, meat, clusters=clusters if grouped else None)
    effects = adjusted_effects(fit, covariance, method="cr1" if grouped else "hc2", clusters=clusters if grouped else None, level=level)
    within = _within_variance(book, table)
    return effects.assign(
        outcome=outcome.name,
        unit=outcome.unit,
        horizon_days=outcome.horizon_days,
        covariates=", ".join(fit.design.covariates),
        variance_kept=fit.residual_squares / within if within > 0 else np.nan,
    )[COLUMNS]


def _number(column: ir.Column) -> ir.Column:
    """Whole numbers stay whole (their products are summed exactly); flags and others become numbers."""
    kind = column.type()
    return column.cast("int64") if kind.is_integer() or kind.is_boolean() else column.cast("float64")


def _cross_products(book: Book, table: ir.Table, covariates: Sequence[Covariate]) -> dict[str, dict[tuple[str, str], float]]:
    """Per arm the sums of products of every pair of 1, y and the covariates."""
    columns = {"1": table["one"], "y": table["y"]}
    columns |= {item.name: table[f"x{place}"] for place, item in enumerate(covariates)}
    pairs = list(itertools.combinations_with_replacement(columns, 2))
    sums = {f"p{place}": sum_of_products(columns[a], columns[b]) for place, (a, b) in enumerate(pairs)}
    found = book.frame(table.group_by("arm").aggregate(**sums))
    return {str(row["arm"]): {pair: float(row[f"p{place}"]) for place, pair in enumerate(pairs)} for row in found.to_dict("records")}


def _squares(book: Book, table: ir.Table, fit: Fit, *, by_cluster: bool) -> NDArray[np.float64]:
    """The middle of the robust covariance: Σ zz'e²/(1-h) over cases, or Σ (Σze)(Σze)' over clusters."""
    design = fit.design
    z: list[ir.Value] = [table["one"].cast("float64"), *((table["arm"] == arm).cast("float64") for arm in design.arms)]
    z += [(table[f"x{place}"] - c) / s for place, (c, s) in enumerate(zip(design.centres, design.scales, strict=True))]
    error = table["y"] - _combined(z, [float(value) for value in fit.coefficients])
    scored = table.select("cluster_key", error=error, **{f"z{place}": column for place, column in enumerate(z)})
    columns = [scored[f"z{place}"] for place in range(len(z))]
    if by_cluster:
        totals = {f"s{place}": compensated_sum(column * scored["error"]) for place, column in enumerate(columns)}
        scores = scored.group_by("cluster_key").aggregate(**totals)
    else:
        leverage = _combined(columns, [_combined(columns, [float(value) for value in row]) for row in fit.inverse])
        weight = scored["error"] / (1 - leverage).sqrt()
        scores = scored.select(**{f"s{place}": column * weight for place, column in enumerate(columns)})
    pairs = list(itertools.combinations_with_replacement(range(len(z)), 2))
    sums = {f"p{place}": sum_of_products(scores[f"s{a}"], scores[f"s{b}"]) for place, (a, b) in enumerate(pairs)}
    found = book.frame(scores.aggregate(**sums)).iloc[0]
    meat = np.zeros((len(z), len(z)))
    for place, (a, b) in enumerate(pairs):
        meat[a, b] = meat[b, a] = float(found[f"p{place}"])
    return meat


def _combined(columns: Sequence[ir.Value], weights: Sequence[ir.Value | float]) -> ir.Value:
    """Σ column·weight."""
    total = columns[0] * weights[0]
    for column, weight in zip(columns[1:], weights[1:], strict=True):
        total = total + column * weight
    return total


def _within_variance(book: Book, table: ir.Table) -> float:
    """Sum of squares of the outcome about the arms' means."""
    found = book.frame(
        table.group_by("arm").aggregate(
            n=table.count(), s=compensated_sum(table["y"].cast("float64")), ss=sum_of_products(table["y"], table["y"])
        )
    )
    return float((found["ss"] - found["s"] ** 2 / found["n"]).sum())
