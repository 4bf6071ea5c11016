"""What a strategy review needs of a cohort, computed where the data live: aggregates by arm, never subjects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.cohort import BOOK_GUARDRAILS, Cohort, Outcome
from collect_analysis.methods.trials.experiments import KEYS, SUMS

HORIZON_OPEN = "the horizon is not over for {share:.1%} of the cases"
# More open cases than this and an outcome is not read (domain rule: horizon incomplete for more than 5 % of the cases).
MOST_OPEN = 0.05


def subjects_of(cohort: Cohort, arms: Sequence[str]) -> ir.Table:
    """The rows of the cohort in these arms."""
    return cohort.table.filter(cohort.table["arm"].isin(list(arms)))


def arm_facts(book: Book, cohort: Cohort) -> pd.DataFrame:
    """Who is in each arm?

    Columns: arm, role (as planned, empty if nobody planned), share (planned; NaN if not), cases, clusters, first_assigned, last_assigned,
    propensity_low, propensity_high (NaN: not logged), without_propensity, without_date. Arms that were planned and got nobody have 0 cases.
    """
    table = cohort.table
    frame = book.frame(
        table.group_by("arm").aggregate(
            cases=table.count(),
            clusters=table["cluster_key"].nunique(),
            first_assigned=table["assigned_on"].min(),
            last_assigned=table["assigned_on"].max(),
            propensity_low=table["propensity"].min(),
            propensity_high=table["propensity"].max(),
            without_propensity=table["propensity"].isnull().sum(),
            without_date=table["assigned_on"].isnull().sum(),
        )
    )
    arms = sorted({*frame["arm"], *cohort.planned})
    facts = frame.set_index("arm").reindex(arms)
    counted = ["cases", "clusters", "without_propensity", "without_date"]
    facts[counted] = facts[counted].fillna(0).astype("int64")
    facts.insert(0, "role", [str(cohort.planned.get(arm, {}).get("role", "")) for arm in arms])
    facts.insert(1, "share", [cohort.planned.get(arm, {}).get("share", np.nan) for arm in arms])
    return facts.astype({"share": float, "propensity_low": float, "propensity_high": float}).rename_axis("arm").reset_index()


def strata_facts(book: Book, cohort: Cohort, arms: Sequence[str]) -> pd.DataFrame:
    """Who is in each arm of each stratum? Columns: stratum, arm, cases, clusters, propensity_low, propensity_high (NaN: not logged).

    Every stratum has a row per arm, with 0 cases where the arm got nobody. Empty where a subject has no stratum.
    """
    columns = ["stratum", "arm", "cases", "clusters", "propensity_low", "propensity_high"]
    table = subjects_of(cohort, arms)
    found = book.frame(
        table.group_by(["stratum", "arm"]).aggregate(
            cases=table.count(),
            clusters=table["cluster_key"].nunique(),
            propensity_low=table["propensity"].min(),
            propensity_high=table["propensity"].max(),
        )
    )
    if found.empty or found["stratum"].isna().any():
        return pd.DataFrame(columns=columns)
    every = pd.MultiIndex.from_product([sorted(set(found["stratum"].astype(str))), sorted(arms)], names=["stratum", "arm"])
    facts = found.astype({"stratum": str, "propensity_low": float, "propensity_high": float}).set_index(["stratum", "arm"]).reindex(every)
    counted = ["cases", "clusters"]
    facts[counted] = facts[counted].fillna(0).astype("int64")
    return facts.reset_index()[columns]


def shared_subjects(book: Book, cohort: Cohort, arms: Sequence[str]) -> tuple[int, int]:
    """How many subjects, and how many clusters (customers), are in more than one of the arms?"""
    table = subjects_of(cohort, arms)
    subjects = table.group_by("subject_key").aggregate(seen=table["arms_seen"].max(), rows=table["arm"].nunique())
    clusters = table.group_by("cluster_key").aggregate(arms=table["arm"].nunique())
    found = book.scalar(((subjects["seen"] > 1) | (subjects["rows"] > 1)).sum()), book.scalar((clusters["arms"] > 1).sum())
    return int(str(found[0] or 0)), int(str(found[1] or 0))


def open_horizons(book: Book, cohort: Cohort, arms: Sequence[str]) -> dict[int, float]:
    """For which share of the subjects is each horizon of the outcomes not over at `as_of`? Subjects without a date count as over."""
    table = subjects_of(cohort, arms)
    horizons = sorted({item.horizon_days for item in cohort.outcomes})
    shares = {}
    for days in horizons:
        last: date = cohort.as_of - timedelta(days=days)
        value = book.scalar((table["assigned_on"] > ibis.literal(last)).fill_null(False).cast("float64").mean())
        shares[days] = float(str(value)) if value is not None else 0.0
    return shares


def flaws(book: Book, cohort: Cohort, arms: Sequence[str], outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Which outcomes have values that cannot be? Columns: outcome, horizon_days, missing, negative (money), not_yes_no (shares), early.

    `early`: subjects whose event (`event_on`, where the source tells it) came before the day of their assignment; the same for every outcome.
    """
    table = subjects_of(cohort, arms)
    counts = {"early": (table["event_on"] < table["assigned_on"]).sum()} if "event_on" in table.columns else {}
    for position, item in enumerate(outcomes):
        column = table[item.column]
        counts[f"m{position}"] = column.isnull().sum()
        if item.unit == "minor":
            counts[f"n{position}"] = (column < 0).sum()
        if item.unit == "share":
            counts[f"o{position}"] = column.notin([0, 1]).sum()
    found = book.frame(table.aggregate(**counts)).fillna(0).iloc[0]
    rows = [
        {
            "outcome": item.name,
            "horizon_days": item.horizon_days,
            "missing": int(found[f"m{position}"]),
            "negative": int(found.get(f"n{position}", 0)),
            "not_yes_no": int(found.get(f"o{position}", 0)),
            "early": int(found.get("early", 0)),
        }
        for position, item in enumerate(outcomes)
    ]
    return pd.DataFrame(rows, columns=["outcome", "horizon_days", "missing", "negative", "not_yes_no", "early"])


def arm_sums(book: Book, cohort: Cohort, arms: Sequence[str], outcomes: Sequence[Outcome], *, by_stratum: bool = False) -> pd.DataFrame:
    """The sums behind every mean: what `experiments.arm_means` takes, or `strata.post_stratified_means` if `by_stratum`.

    One row per outcome, horizon and arm (and stratum): outcome, unit, horizon_days, arm, (stratum,) clusters, cases, positive, sum_y,
    sum_y2, sum_yy, sum_yn, sum_nn, note (the reason where the horizon is not over for more than 5 % of the cases). Arms without a case have
    zeros. A missing value counts as 0 here; `flaws` counts them.
    """
    keys = ["arm", "stratum"] if by_stratum else ["arm"]
    if not outcomes:
        return pd.DataFrame(columns=[*KEYS, *keys, *SUMS, "note"])
    table = subjects_of(cohort, arms)
    still_open = open_horizons(book, cohort, arms)
    found = _sums_of_clusters(book, table, outcomes, keys).join(_sums_of_cases(book, table, outcomes, keys))
    levels = [sorted(arms), *([sorted(set(found.index.get_level_values("stratum")))] if by_stratum else [])]
    found = found.reindex(pd.MultiIndex.from_product(levels, names=keys)).fillna(0.0)
    parts = []
    for position, item in enumerate(outcomes):
        late = still_open.get(item.horizon_days, 0.0)
        columns = {"clusters": "clusters", "cases": "cases", "sum_nn": "sum_nn"}
        columns |= {f"{name}{position}": name for name in ("positive", "sum_y", "sum_y2", "sum_yy", "sum_yn")}
        own = found[list(columns)].rename(columns=columns).astype(float).reset_index()
        note = HORIZON_OPEN.format(share=late) if late > MOST_OPEN else ""
        parts.append(own.assign(outcome=item.name, unit=item.unit, horizon_days=item.horizon_days, note=note))
    return pd.concat(parts, ignore_index=True)[[*KEYS, *keys, *SUMS, "note"]]


def _sums_of_cases(book: Book, table: ir.Table, outcomes: Sequence[Outcome], keys: Sequence[str]) -> pd.DataFrame:
    sums: dict[str, ir.Value] = {}
    for position, item in enumerate(outcomes):
        column = table[item.column]
        sums[f"positive{position}"] = (column > 0).fill_null(False).cast("int64").sum()
        sums[f"sum_y2{position}"] = sum_of_products(column, column)
    return _indexed(book.frame(table.group_by(list(keys)).aggregate(**sums)), keys)


def _sums_of_clusters(book: Book, table: ir.Table, outcomes: Sequence[Outcome], keys: Sequence[str]) -> pd.DataFrame:
    inner = {f"y{position}": total(table[item.column]) for position, item in enumerate(outcomes)}
    cluster = table.group_by([*keys, "cluster_key"]).aggregate(n=table.count(), **inner)
    n = cluster["n"]
    sums: dict[str, ir.Value] = {"clusters": cluster.count(), "cases": n.sum(), "sum_nn": sum_of_products(n, n)}
    for position in range(len(outcomes)):
        y = cluster[f"y{position}"]
        sums[f"sum_y{position}"] = total(y)
        sums[f"sum_yy{position}"] = sum_of_products(y, y)
        sums[f"sum_yn{position}"] = sum_of_products(y, n)
    return _indexed(book.frame(cluster.group_by(list(keys)).aggregate(**sums)), keys)


def _indexed(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    frame.index = pd.MultiIndex.from_frame(frame[list(keys)].astype(str))
    return frame.drop(columns=list(keys))


def total(column: ir.Column) -> ir.Scalar:
    """Sum of a column: whole numbers exactly, others compensated; nothing there is 0."""
    if column.type().is_integer():
        return column.sum().cast("int64").fill_null(0)
    return compensated_sum(column.cast("float64")).fill_null(0.0)


def dose_outcomes(cohort: Cohort) -> list[Outcome]:
    """How the subjects of a cohort were worked, as far as it knows; empty for a supplied cohort without `dose_` columns."""
    return [item for item in cohort.doses if item.name not in BOOK_GUARDRAILS]


def reached_shares(book: Book, cohort: Cohort, arms: Sequence[str], dose: str) -> dict[str, float]:
    """Which share of the subjects of each arm got any of the dose? Arm -> share 0-1; empty where the cohort does not tell the dose."""
    columns = [item.column for item in cohort.doses if item.name == dose]
    if not columns:
        return {}
    table = subjects_of(cohort, arms)
    got = (table[columns[0]] > 0).fill_null(False).cast("int64").sum()
    found = book.frame(table.group_by("arm").aggregate(got=got, cases=table.count()))
    return {str(row["arm"]): float(row["got"] / row["cases"]) for row in found.to_dict("records")}


def guardrail_outcomes(cohort: Cohort, names: Sequence[str]) -> list[Outcome]:
    """The outcomes that must not get worse, by name: doses, complaints, disputes or any outcome of the cohort, but what it leaves `untold`.

    Raises
    ------
    DataError
        The cohort has no such column; the sentence lists those it has.
    """
    known = {item.name: item for item in (*cohort.outcomes, *cohort.doses)}
    unknown = [name for name in names if name not in known and name not in cohort.untold]
    if unknown:
        raise DataError(
            f"experiment '{cohort.experiment_id}' has nothing called {', '.join(unknown)} to guard; it has {', '.join(sorted(known))}"
        )
    return [known[name] for name in names if name in known]


def weighted(table: ir.Table, weights: Mapping[tuple[str, str], float]) -> ir.Value:
    """The weight of each subject by its stratum and arm (`strata.stratum_weights`), as a column."""
    return ibis.cases(
        *(((table["stratum"] == stratum) & (table["arm"] == arm), ibis.literal(weight)) for (stratum, arm), weight in weights.items()),
        else_=0.0,
    )


def ratio_sums(
    book: Book,
    cohort: Cohort,
    arms: Sequence[str],
    *,
    over: str,
    horizon_days: int,
    weights: Mapping[tuple[str, str], float] | None = None,
) -> pd.DataFrame:
    """The sums behind a ratio of cash to a dose or to what was owed (per agent minute, of the balance): for `experiments.compare_ratios`.

    `over` names a dose, or a covariate measured before assignment that is known of every subject; `weights` are those of
    `strata.stratum_weights` where the assignment was stratified.
    Columns: arm, clusters, sum_y (cash at the horizon, minor units), sum_x (`over`), sum_yy, sum_xx, sum_xy over clusters. Empty where the
    cohort lacks the cash or `over`.
    """
    columns = ["arm", "clusters", "sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"]
    cash = [item.column for item in cohort.outcomes if item.unit == "minor" and item.horizon_days == horizon_days]
    base = [item.column for item in cohort.doses if item.name == over]
    base += [item.column for item in cohort.covariates if item.name == over and item.measured == "before"]
    table = subjects_of(cohort, arms)
    if not cash or not base or book.scalar(table[base[0]].isnull().any()):
        return pd.DataFrame(columns=columns)
    y, x = table[cash[0]], table[base[0]]
    if weights:
        factor = weighted(table, weights)
        y, x = y * factor, x * factor
    table = table.select("arm", "cluster_key", y=y, x=x)
    cluster = table.group_by(["arm", "cluster_key"]).aggregate(y=total(table["y"]), x=total(table["x"]))
    y, x = cluster["y"], cluster["x"]
    sums = cluster.group_by("arm").aggregate(
        clusters=cluster.count(),
        sum_y=total(y),
        sum_x=total(x),
        sum_yy=sum_of_products(y, y),
        sum_xx=sum_of_products(x, x),
        sum_xy=sum_of_products(y, x),
    )
    return book.frame(sums).sort_values("arm", ignore_index=True)[columns]


def after_early(cohort: Cohort) -> tuple[Cohort, tuple[Outcome, ...]]:
    """What came after each earlier horizon: the cohort with those columns, and them as outcomes.

    For an outcome read at several horizons, `<name>_after_<d>` read at each later horizon is what that horizon has on top of the one at d
    days: cash that came later, or a first payment that came later. Empty where no outcome has two horizons.
    """
    later, columns = [], {}
    for item in cohort.outcomes:
        for early in cohort.outcomes:
            if early.name != item.name or early.horizon_days >= item.horizon_days or item.unit == "count":
                continue
            column = f"after_{early.horizon_days}_{item.column}"
            columns[column] = cohort.table[item.column] - cohort.table[early.column]
            later.append(replace(item, name=after(item.name, early.horizon_days), column=column))
    return replace(cohort, table=cohort.table.mutate(**columns) if columns else cohort.table), tuple(later)


def after(outcome: str, days: int) -> str:
    """The name of what an outcome has on top of the same at an earlier horizon."""
    return f"{outcome}_after_{days}"
