"""The effect of each arm at equal covariates, computed where the subjects live: two passes of sums, no frame of subjects."""

import itertools
from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.arms import subjects_of
from collect_analysis.measures.cohort import Cohort, Covariate, Outcome
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.trials.regression import Fit, Floats, adjusted_effects, fit_arms, robust_covariance

COLUMNS = ["outcome", "unit", "horizon_days", "arm", "base", "base_mean", "value", "low", "high", "se", "df", "p_value", "p_adjusted"]
COLUMNS += ["relative", "relative_low", "relative_high", "level", "method", "covariates", "variance_kept", "note"]
EXPLAINED = ["outcome", "unit", "horizon_days", "covariate", "theta", "per_sd", "rho2", "multiplier"]
Products = dict[str, dict[tuple[str, str], float]]


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


def flat_covariates(book: Book, cohort: Cohort, arms: Sequence[str], covariates: Sequence[Covariate]) -> dict[str, str]:
    """Which covariates have one value only in an arm, so that the arm has no slope in it? Covariate -> the first such arm."""
    if not covariates:
        return {}
    table = subjects_of(cohort, arms)
    ends = {f"{end}{place}": getattr(table[item.column], end)() for place, item in enumerate(covariates) for end in ("min", "max")}
    found = book.frame(table.group_by("arm").aggregate(**ends)).sort_values("arm")
    flat = {}
    for place, item in enumerate(covariates):
        alike = found[found[f"min{place}"] == found[f"max{place}"]]
        if len(alike):
            flat[item.name] = str(alike["arm"].iloc[0])
    return flat


def explained(
    book: Book, cohort: Cohort, outcomes: Sequence[Outcome], covariates: Sequence[Covariate], *, arms: Sequence[str]
) -> pd.DataFrame:
    """How much of how the outcomes vary do the covariates explain, and how many cases is that worth?

    Formula: θ = cov(y, x)/var(x) within arms, pooled over them (several covariates: least squares), ρ² = 1 - Σe²/Σ(y - mean of the arm)²;
    CUPED's variance is (1 - ρ²) of the plain one, as if there were 1/(1 - ρ²) times the cases.
    Columns: outcome, unit, horizon_days, covariate, theta (of the outcome per unit of the covariate), per_sd (per standard deviation of it),
    rho2 (of all covariates together), multiplier; a row per outcome and covariate. Undefined (NaN): an outcome that does not vary. Empty without covariates.
    Raises DataError: as `adjusted_comparison`.
    Source: Deng, Xu, Kohavi & Walker, WSDM 2013.
    """
    _refuse_late(covariates)
    if not covariates or not outcomes:
        return pd.DataFrame(columns=EXPLAINED)
    table = _columns_of(cohort, arms, outcomes, covariates)
    names = [item.name for item in covariates]
    rows = []
    for place, item in enumerate(outcomes):
        products = _cross_products(book, table, names, y=f"y{place}")
        fit = fit_arms(products, base=arms[0], covariates=names, interacted=False)
        within = _within_variance(products)
        rho2 = max(0.0, 1 - fit.residual_squares / within) if within > 0 else np.nan
        slopes = fit.coefficients[1 + len(fit.design.arms) :]
        shared = {"outcome": item.name, "unit": item.unit, "horizon_days": item.horizon_days, "rho2": rho2, "multiplier": 1 / (1 - rho2)}
        for name, slope, scale in zip(names, slopes, fit.design.scales, strict=True):
            rows.append({**shared, "covariate": name, "theta": float(slope / scale), "per_sd": float(slope)})
    return pd.DataFrame(rows)[EXPLAINED]


def adjusted_comparison(
    book: Book,
    cohort: Cohort,
    outcome: Outcome,
    covariates: Sequence[Covariate],
    *,
    base: str,
    arms: Sequence[str],
    strata: Sequence[str] = (),
    interacted: bool = True,
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """By how much does each arm differ from the base arm once the covariates are the same?

    Formula: least squares of the outcome on arm, centred covariates and their products with every arm (`methods.regression`, Lin 2013);
    errors HC2, or CR1 where clusters (customers) hold more than one subject. Covariates must have been known before assignment.

    Parameters
    ----------
    strata
        Strata within which the subjects were assigned with different probabilities: compared within them, weighted by their sizes (each
        stratum but the first is a covariate).
    interacted
        False: one slope for all arms (analysis of covariance, CUPED), for comparison with published figures.

    Returns
    -------
    One row per arm other than the base: outcome, unit, horizon_days, arm, base, base_mean, value, low, high, se, df, p_value, p_adjusted
    (Holm), relative, relative_low, relative_high, level (of one interval; together they hold at `level`), method, covariates, variance_kept
    (residual variance / variance within arms: what the covariates do not explain), note. Empty without covariates.

    Raises
    ------
    DataError
        A covariate was measured after assignment, is constant, or repeats another; a cluster is in two arms.
    """
    if not covariates:
        return pd.DataFrame(columns=COLUMNS)
    _refuse_late(covariates)
    table = _columns_of(cohort, [base, *arms], [outcome], covariates, strata=strata)
    names = [*(item.name for item in covariates), *(f"stratum {name}" for name in strata[1:])]
    products = _cross_products(book, table, names, y="y0")
    fit = fit_arms(products, base=base, covariates=names, interacted=interacted)
    clusters = _clusters(book, table, cohort)
    grouped = sum(clusters.values()) < fit.cases
    covariance = robust_covariance(fit, _squares(book, table, fit, by_cluster=grouped), clusters=clusters if grouped else None)
    effects = adjusted_effects(fit, covariance, method="cr1" if grouped else "hc2", clusters=clusters if grouped else None, level=level)
    within = _within_variance(products)
    return effects.assign(
        outcome=outcome.name,
        unit=outcome.unit,
        horizon_days=outcome.horizon_days,
        covariates=", ".join(item.name for item in covariates),
        variance_kept=fit.residual_squares / within if within > 0 else np.nan,
    )[COLUMNS]


def _refuse_late(covariates: Sequence[Covariate]) -> None:
    late = [item.name for item in covariates if item.measured != "before"]
    if late:
        raise DataError(f"covariate(s) {', '.join(late)} are not declared as measured before assignment; adjusting for them is no effect")


def _columns_of(
    cohort: Cohort, arms: Sequence[str], outcomes: Sequence[Outcome], covariates: Sequence[Covariate], *, strata: Sequence[str] = ()
) -> ir.Table:
    """The subjects with arm, cluster_key, one, y<place> per outcome, x<place> per covariate and per stratum but the first."""
    table = subjects_of(cohort, arms)
    x = [_number(table[item.column]) for item in covariates]
    x += [(table["stratum"] == name).fill_null(False).cast("int64") for name in strata[1:]]
    y = {f"y{place}": _number(table[item.column]) for place, item in enumerate(outcomes)}
    one = ibis.literal(1, type="int64")
    return table.select("arm", "cluster_key", one=one, **y, **{f"x{place}": column for place, column in enumerate(x)})


def _number(column: ir.Column) -> ir.Column:
    """Whole numbers stay whole (their products are summed exactly); flags and others become numbers."""
    kind = column.type()
    return column.cast("int64") if kind.is_integer() or kind.is_boolean() else column.cast("float64")


def _cross_products(book: Book, table: ir.Table, names: Sequence[str], *, y: str) -> Products:
    """Per arm the sums of products of every pair of 1, y and the covariates."""
    columns = {"1": table["one"], "y": table[y]} | {name: table[f"x{place}"] for place, name in enumerate(names)}
    pairs = list(itertools.combinations_with_replacement(columns, 2))
    sums = {f"p{place}": sum_of_products(columns[a], columns[b]) for place, (a, b) in enumerate(pairs)}
    found = book.frame(table.group_by("arm").aggregate(**sums))
    return {str(row["arm"]): {pair: float(row[f"p{place}"]) for place, pair in enumerate(pairs)} for row in found.to_dict("records")}


def _clusters(book: Book, table: ir.Table, cohort: Cohort) -> dict[str, int]:
    """How many clusters each arm has."""
    found = book.frame(table.group_by("arm").aggregate(clusters=table["cluster_key"].nunique()).order_by("arm"))
    counts = {str(arm): int(count) for arm, count in zip(found["arm"], found["clusters"], strict=True)}
    crossing = sum(counts.values()) - int(str(book.scalar(table["cluster_key"].nunique())))
    if crossing:
        raise DataError(
            f"experiment '{cohort.experiment_id}': {crossing} clusters (customers) are in more than one arm; assign by cluster, or leave them "
            "out at the source"
        )
    return counts


def _squares(book: Book, table: ir.Table, fit: Fit, *, by_cluster: bool) -> dict[str, Floats]:
    """The middle of the robust covariance per arm: Σ xx'e²/(1-h) over cases, or Σ (Σxe)(Σxe)' over clusters, x = (1, covariates)."""
    design = fit.design
    own: list[ir.Value] = [table["one"].cast("float64")]
    own += [(table[f"x{place}"] - c) / s for place, (c, s) in enumerate(zip(design.centres, design.scales, strict=True))]
    scored = table.select("arm", "cluster_key", y=table["y0"].cast("float64"), **{f"z{place}": column for place, column in enumerate(own)})
    z = [scored[f"z{place}"] for place in range(len(own))]
    pairs = list(itertools.combinations_with_replacement(range(len(z)), 2))
    lines = {arm: fit.line_of(arm) for arm in fit.arm_cases}
    error = scored["y"] - _combined(z, [_by_arm(scored, {arm: line[place] for arm, line in lines.items()}) for place in range(len(z))])
    if by_cluster:
        rows = scored.select("arm", "cluster_key", **{f"t{place}": column * error for place, column in enumerate(z)})
        totals = {f"s{place}": compensated_sum(rows[f"t{place}"]) for place in range(len(z))}
        scores = rows.group_by(["arm", "cluster_key"]).aggregate(**totals)
    else:
        forms = {arm: fit.leverage_of(arm) for arm in fit.arm_cases}
        twice = {(a, b): 1.0 if a == b else 2.0 for a, b in pairs}
        cells = [_by_arm(scored, {arm: twice[(a, b)] * form[a, b] for arm, form in forms.items()}) for a, b in pairs]
        leverage = _combined([z[a] * z[b] for a, b in pairs], cells)
        weight = error / (1 - leverage).sqrt()
        scores = scored.select("arm", **{f"s{place}": column * weight for place, column in enumerate(z)})
    sums = {f"p{place}": sum_of_products(scores[f"s{a}"], scores[f"s{b}"]) for place, (a, b) in enumerate(pairs)}
    found = book.frame(scores.group_by("arm").aggregate(**sums))
    squares = {}
    for row in found.to_dict("records"):
        square = np.zeros((len(z), len(z)))
        for place, (a, b) in enumerate(pairs):
            square[a, b] = square[b, a] = float(row[f"p{place}"])
        squares[str(row["arm"])] = square
    return squares


def _by_arm(table: ir.Table, numbers: Mapping[str, float]) -> ir.Value:
    """A number that differs by arm, as a column."""
    return ibis.cases(*((table["arm"] == arm, ibis.literal(float(number))) for arm, number in numbers.items()))


def _combined(columns: Sequence[ir.Value], weights: Sequence[ir.Value]) -> ir.Value:
    """Σ column·weight."""
    total = columns[0] * weights[0]
    for column, weight in zip(columns[1:], weights[1:], strict=True):
        total = total + column * weight
    return total


def _within_variance(products: Products) -> float:
    """Sum of squares of the outcome about the arms' means."""
    return sum(cells[("y", "y")] - cells[("1", "y")] ** 2 / cells[("1", "1")] for cells in products.values() if cells[("1", "1")] > 0)
