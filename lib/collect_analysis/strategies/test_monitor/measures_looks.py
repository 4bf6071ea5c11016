"""What a running test showed on each day somebody looked, as it was known then; computed where the data live."""

from collections.abc import Sequence
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.arms import subjects_of
from collect_analysis.measures.cohort import AMOUNT, PAYER, Cohort, Outcome
from collect_analysis.measures.cohort_events import paid_within
from collect_analysis.methods.trials.experiments import KEYS, SUMS

COLUMNS = ["look_day", *KEYS, "arm", *SUMS, "note"]


def entries(book: Book, cohort: Cohort, arms: Sequence[str]) -> pd.DataFrame:
    """Who came in on which day? Columns: arm, day (of assignment), cases, clusters (those whose first subject came in that day).

    A cluster (customer) is counted once per arm, on the day of its first subject. Subjects without a day of assignment are not in it.
    """
    table = subjects_of(cohort, arms)
    dated = table.filter(table["assigned_on"].notnull())
    cluster = dated.group_by(["arm", "cluster_key"]).aggregate(day=dated["assigned_on"].min())
    cases = book.frame(dated.group_by("arm", day=dated["assigned_on"]).aggregate(cases=dated.count()))
    clusters = book.frame(cluster.group_by(["arm", "day"]).aggregate(clusters=cluster.count()))
    if cases.empty:
        return pd.DataFrame(columns=["arm", "day", "cases", "clusters"])
    found = cases.merge(clusters, on=["arm", "day"], how="outer").fillna({"cases": 0, "clusters": 0})
    return found.astype({"cases": "int64", "clusters": "int64"}).sort_values(["arm", "day"], ignore_index=True)


def look_schedule(entered: pd.DataFrame, *, as_of: date, horizon_days: int, every: int, declared: Sequence[date] = ()) -> list[date]:
    """On which days up to `as_of` could the test be looked at? Those on which the horizon of at least one subject was over.

    Parameters
    ----------
    entered
        `entries` of the compared arms.
    horizon_days
        Days after assignment at which a subject is read.
    every, declared
        Days between looks, counted from the first assignment; or the looks themselves, in order.

    Raises
    ------
    DataError
        A declared look lies before the first assignment: nobody was in the test.
    """
    if entered.empty:
        return []
    first = entered["day"].min()
    early = [day for day in declared if day < first]
    if early:
        raise DataError(
            f"look_days: {len(early)} of {len(declared)} lie before the first assignment on {first} (first: {early[0]}); "
            f"nobody is in the test then, start with {first + timedelta(days=horizon_days)}, when the first horizon is over"
        )
    count = max((as_of - first).days // every, 0)
    days = list(declared) or [first + timedelta(days=every * step) for step in range(1, count + 1)]
    return [day for day in days if first + timedelta(days=horizon_days) <= day <= as_of]


def look_sums(
    book: Book, cohort: Cohort, arms: Sequence[str], outcomes: Sequence[Outcome], *, days: Sequence[date], horizon_days: int
) -> pd.DataFrame:
    """The sums behind every mean at every look: what `experiments.arm_means` takes, a row per look, outcome and arm.

    A subject counts from the first look at which `horizon_days` since its assignment are over. Cash and payers of the book are as known on
    the day of the look: a payment of the horizon that was taken back later still counts in the looks before, and no longer after. Every
    other outcome is taken as known when the horizon is over. All looks come from two queries: the sums over subjects and the sums over
    clusters grow only where a subject comes in or a posting changes it, and S² - S'² = v·(2S' + v) for a change v on top of S'.

    Columns: look_day, outcome, unit, horizon_days, arm, clusters, cases, positive, sum_y, sum_y2, sum_yy, sum_yn, sum_nn, note (empty).
    Arms without a case have zeros. Empty without looks, outcomes or dates of assignment.
    """
    if not days or not outcomes:
        return pd.DataFrame(columns=COLUMNS)
    changes = _changes(book, cohort, arms, outcomes, days, horizon_days)
    with book.materialized(changes) as rows:
        single, clustered = _growth_of_cases(book, rows, len(outcomes)), _growth_of_clusters(book, rows, len(outcomes))
    grid = pd.MultiIndex.from_product([sorted(arms), range(len(days))], names=["arm", "look"])
    growth = single.join(clustered, how="outer").reindex(grid).fillna(0.0).astype(float)
    total = growth.groupby(level="arm").cumsum().reset_index()
    parts = []
    for place, item in enumerate(outcomes):
        own = {name: total[f"{name}{place}"] for name in ("positive", "sum_y", "sum_y2", "sum_yy", "sum_yn")}
        shared = {name: total[name] for name in ("arm", "clusters", "cases", "sum_nn")}
        keys = {"outcome": item.name, "unit": item.unit, "horizon_days": item.horizon_days}
        parts.append(pd.DataFrame({"look_day": [days[look] for look in total["look"]], **keys, **shared, **own, "note": ""}))
    return pd.concat(parts, ignore_index=True).sort_values([*KEYS, "look_day", "arm"], ignore_index=True)[COLUMNS]


def _calendar(first: date, days: Sequence[date]) -> ir.Table:
    """Every day from `first` to the last look, and the number of the look at which it was known."""
    every = [first + timedelta(days=step) for step in range((days[-1] - first).days + 1)]
    looks, place = [], 0
    for day in every:
        while days[place] < day:
            place += 1
        looks.append(place)
    return ibis.memtable(pa.table({"known_day": pa.array(every, pa.date32()), "look": pa.array(looks, pa.int64())}))


def _changes(
    book: Book, cohort: Cohort, arms: Sequence[str], outcomes: Sequence[Outcome], days: Sequence[date], horizon_days: int
) -> ir.Table:
    """One row per subject and look at which anything of it changed: arm, cluster_key, look, n (1 when it comes in, else 0) and per outcome
    v (by how much it changed), q (its value before and after, added: v·q is by how much the square changed), p (by how much "above zero"
    did).
    """
    table = subjects_of(cohort, arms)
    first = book.scalar(table["assigned_on"].min())
    calendar = _calendar(first if isinstance(first, date) else days[0], days)
    dated = table.mutate(over_on=table["assigned_on"] + ibis.interval(days=horizon_days))
    seen = dated.inner_join(calendar, dated["over_on"].cast("date") == calendar["known_day"])
    cash = None if cohort.supplied else _cash_changes(book, seen, calendar, horizon_days)
    steps = seen.select("arm", "cluster_key", "subject_key", "look", *_own_columns(seen, outcomes), n=ibis.literal(1, type="int64"))
    if cash is not None:
        steps = steps.mutate(amount=ibis.literal(0, type="int64")).union(
            cash.select(
                "arm", "cluster_key", "subject_key", "look", **_nothing(steps, outcomes), n=ibis.literal(0, type="int64"), amount="amount"
            ).select(*steps.columns, "amount")
        )
    keys = ["arm", "cluster_key", "subject_key", "look"]
    values = [name for name in steps.columns if name not in keys]
    joined = steps.group_by(keys).aggregate(**{name: _total(steps[name]) for name in values})
    before = ibis.window(group_by=["arm", "subject_key"], order_by="look", preceding=(None, 1), following=None)
    if cash is not None:
        joined = joined.mutate(so_far=joined["amount"].sum().over(before).fill_null(0).cast("int64"))
    grown: dict[str, ir.Value] = {}
    for place, item in enumerate(outcomes):
        grown |= _grown(joined, item, place, from_cash=cash is not None)
    return joined.select("arm", "cluster_key", "look", "n", **grown)


def _from_cash(item: Outcome) -> bool:
    return item.name in (AMOUNT, PAYER)


def _own_columns(seen: ir.Table, outcomes: Sequence[Outcome]) -> list[ir.Value]:
    """The outcomes as the cohort holds them, whole numbers whole; a missing one counts as 0 here (`arms.flaws` counts them)."""
    columns = []
    for place, item in enumerate(outcomes):
        column = seen[item.column]
        whole = column.type().is_integer() or column.type().is_boolean()
        columns.append(column.cast("int64" if whole else "float64").fill_null(0).name(f"c{place}"))
    return columns


def _nothing(steps: ir.Table, outcomes: Sequence[Outcome]) -> dict[str, ir.Value]:
    return {f"c{place}": ibis.literal(0).cast(steps[f"c{place}"].type()) for place in range(len(outcomes))}


def _cash_changes(book: Book, seen: ir.Table, calendar: ir.Table, horizon_days: int) -> ir.Table:
    """Cash of the horizon by subject and the look at which it was known: at the subject's first look, or later if posted later."""
    subjects = seen.select("subject_key", "cluster_key", "arm", "assigned_on", first_look=seen["look"])
    paid = paid_within(book, subjects, horizon_days)
    known = paid.inner_join(calendar, paid["known_on"] == calendar["known_day"]).select("subject_key", "amount_minor", known_look="look")
    joined = known.join(subjects, "subject_key")
    joined = joined.mutate(look=ibis.greatest(joined["known_look"], joined["first_look"]))
    keys = ["arm", "cluster_key", "subject_key", "look"]
    return joined.group_by(keys).aggregate(amount=joined["amount_minor"].sum().cast("int64"))


def _grown(table: ir.Table, item: Outcome, place: int, *, from_cash: bool) -> dict[str, ir.Value]:
    """v, q and p of one outcome at this look."""
    value = table[f"c{place}"]
    if from_cash and _from_cash(item):
        before, after = table["so_far"], table["so_far"] + table["amount"]
        paid, pays = (before > 0).cast("int64"), (after > 0).cast("int64")
        if item.name == PAYER:
            return {f"v{place}": pays - paid, f"q{place}": pays + paid, f"p{place}": pays - paid}
        return {f"v{place}": table["amount"], f"q{place}": before + after, f"p{place}": pays - paid}
    return {f"v{place}": value, f"q{place}": value, f"p{place}": (value > 0).cast("int64")}


def _growth_of_cases(book: Book, rows: ir.Table, outcomes: int) -> pd.DataFrame:
    sums: dict[str, ir.Value] = {}
    for place in range(outcomes):
        sums[f"positive{place}"] = rows[f"p{place}"].sum()
        sums[f"sum_y2{place}"] = sum_of_products(rows[f"v{place}"], rows[f"q{place}"])
    return book.frame(rows.group_by(["arm", "look"]).aggregate(**sums)).set_index(["arm", "look"])


def _growth_of_clusters(book: Book, rows: ir.Table, outcomes: int) -> pd.DataFrame:
    changed = {f"v{place}": _total(rows[f"v{place}"]) for place in range(outcomes)}
    step = rows.group_by(["arm", "cluster_key", "look"]).aggregate(n=rows["n"].sum().cast("int64"), **changed)
    before = ibis.window(group_by=["arm", "cluster_key"], order_by="look", preceding=(None, 1), following=None)
    earlier = {f"{name}_before": step[name].sum().over(before).fill_null(0).cast(step[name].type()) for name in ("n", *changed)}
    step = step.mutate(**earlier)
    n, n0 = step["n"], step["n_before"]
    sums: dict[str, ir.Value] = {
        "clusters": ((n0 == 0) & (n > 0)).sum(),
        "cases": n.sum(),
        "sum_nn": sum_of_products(n, 2 * n0 + n),
    }
    for place in range(outcomes):
        v, v0 = step[f"v{place}"], step[f"v{place}_before"]
        sums[f"sum_y{place}"] = _total(v)
        sums[f"sum_yy{place}"] = sum_of_products(v, 2 * v0 + v)
        sums[f"sum_yn{place}"] = sum_of_products(v, n0 + n) + sum_of_products(v0, n)
    return book.frame(step.group_by(["arm", "look"]).aggregate(**sums)).set_index(["arm", "look"])


def _total(column: ir.Column) -> ir.Scalar:
    """Sum of a column: whole numbers exactly, others compensated."""
    if column.type().is_integer():
        return column.sum().cast("int64").fill_null(0)
    return compensated_sum(column.cast("float64")).fill_null(0.0)
