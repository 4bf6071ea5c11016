"""What branches or regions achieved period by period while a change was rolled out: a panel of cluster and period means."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.presence import absent, delivered, require
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.cash import cash
from collect_analysis.measures.cohort import AMOUNT, PAYER, Outcome, open_cohort
from collect_analysis.measures.periods import month_start, months_from
from collect_analysis.methods.evidence import Condition

Period = Literal["month", "quarter", "year"]
Cluster = Literal["region", "unit"]
# Periods of a year, and months of a period.
_A_YEAR = {"month": 12, "quarter": 4, "year": 1}
_CLUSTER_TABLE = {"region": "account", "unit": "month_end"}
_CLUSTER_COLUMN = {"region": "region_code", "unit": "unit_key"}


@dataclass(frozen=True, kw_only=True)
class RolloutPanel:
    """One row per cluster and period: `panel` has unit (the cluster), period (number), outcome (mean per case), cases, first_treated
    (number; NaN: never), weight (mean cases a period). Every cluster has every period.

    `left_out`: cases or clusters that could not be used, by reason. `starts_within`: starts on another than the first day of a period.
    `delivered`: the condition that no month between its periods is absent, for a panel of the book.
    """

    panel: pd.DataFrame
    period: Period
    outcome: Outcome
    left_out: dict[str, int]
    starts_within: int
    delivered: tuple[Condition, ...] = ()


def period_number(day: date, period: Period) -> int:
    """The running number of the period that holds a day: years of the calendar, or months or quarters since year 0."""
    return day.year * _A_YEAR[period] + (day.month - 1) * _A_YEAR[period] // 12


def period_name(number: float, period: Period) -> str:
    """A period as it is read: 2026, 2026-Q2, 2026-06."""
    year, place = divmod(int(number), _A_YEAR[period])
    return str(year) if period == "year" else f"{year}-Q{place + 1}" if period == "quarter" else f"{year}-{place + 1:02d}"


def panel_of_cohort(
    book: Book, experiment_id: str, *, outcome: str, horizon_days: int, period: Period, strata: tuple[str, ...] = ()
) -> RolloutPanel:
    """The panel of a supplied cohort: cluster_key, assigned_on (which period), first_treated_on (empty: the cluster never started).

    Raises
    ------
    DataError
        Cohort or outcome unknown, no days, or a cluster with several starts (`rollout.read_panel` names it).
    """
    cohort = open_cohort(book, experiment_id, arms=[], horizon_days=horizon_days)
    if not cohort.supplied:
        raise DataError(
            f"experiment '{experiment_id}' is no supplied cohort; for a roll-out in the book write ruleset_id or starts instead"
        )
    wanted = cohort.outcome(outcome, horizon_days)
    table = cohort.table.filter(cohort.table["stratum"].isin(list(strata))) if strata else cohort.table
    over = table["assigned_on"].delta(ibis.literal(book.as_of), unit="day") <= -wanted.horizon_days
    y = table[wanted.column]
    table = table.select("cluster_key", "first_treated_on", period=_period(table["assigned_on"], period), y=y, over=over.fill_null(False))
    counts = book.frame(
        table.aggregate(
            no_day=table["period"].isnull().sum(),
            no_outcome=(table["y"].isnull() & table["period"].notnull()).sum(),
            open_from=table["period"].min(where=~table["over"]),
        )
    ).iloc[0]
    usable = table.filter(table["period"].notnull(), table["y"].notnull())
    if pd.notna(counts["open_from"]):
        # From the first period with an open case on, the periods hold early cases only.
        usable = usable.filter(usable["period"] < int(counts["open_from"]))
    grouped = usable.group_by(["cluster_key", "period"]).aggregate(
        cases=usable.count(),
        total=sum_of_products(usable["y"], ibis.literal(1, type="int64")),
        started=usable["first_treated_on"].min(),
        last_started=usable["first_treated_on"].max(),
    )
    frame = book.frame(grouped.order_by(["cluster_key", "period"])).rename(columns={"cluster_key": "unit"})
    _refuse_nothing(frame, f"cohort '{experiment_id}' has no case with a day and an outcome whose horizon is over; map assigned_on")
    days = pd.to_datetime(frame["started"])
    frame["first_treated"] = [period_number(day.date(), period) if pd.notna(day) else np.nan for day in days]
    frame = frame.assign(outcome=frame["total"] / frame["cases"])
    within = int((days.notna() & (pd.to_datetime(frame["last_started"]) != days)).sum())
    if within:
        raise DataError(f"cohort '{experiment_id}': {within} cells hold cases of several first_treated_on; map one day per cluster")
    left_out = {"no_day": int(counts["no_day"] or 0), "no_outcome": int(counts["no_outcome"] or 0)}
    return _balanced(frame, period, wanted, left_out, starts=days.dropna())


def panel_of_book(
    book: Book,
    *,
    cluster: Cluster,
    starts: Mapping[str, date],
    days_past_due: int,
    outcome: str,
    strata: tuple[str, ...] = (),
) -> RolloutPanel:
    """The panel of the book by month: of accounts open and more than `days_past_due` days past due when the month opens, the share that
    pays in the month (payer_rate) or the cash per account (cash_per_account), by region of the debt or unit that holds it.

    Cash: eligible postings without reversals. Only whole months that are over; the first is the one after the first month end.

    Raises
    ------
    DataError
        No such accounts, an outcome the book does not know, or starts of clusters that are not there.
    """
    if outcome not in (PAYER, AMOUNT):
        raise DataError(f"a roll-out in the book is read by {PAYER} or {AMOUNT}, not '{outcome}'; for another outcome supply a cohort")
    require(book, ("month_end", "month_end.dpd", "payment"), asks="a roll-out in the book")
    cells, whole = _delivered(book, _month_cells(book, cluster, days_past_due, strata))
    _refuse_nothing(cells, f"book '{book.manifest.name}' has no month end with open accounts over {days_past_due} days past due")
    unknown = sorted(set(starts) - set(cells["unit"]))
    if unknown:
        known = ", ".join(sorted(set(cells["unit"]))[:40])
        raise DataError(f"starts: no {cluster} {', '.join(unknown)} in the book; it has {known}. Write each as the source does")
    begun = [day for day in starts.values() if day <= book.as_of]
    require(book, ("payment",), begun, asks="the month of a start")
    require(book, ("month_end",), [month_start(day, -1) for day in begun], asks="a roll-out, of the month end before a start,")
    cells["first_treated"] = [period_number(starts[name], "month") if name in starts else np.nan for name in cells["unit"]]
    cells["outcome"] = (cells["payers"] if outcome == PAYER else cells["amount_minor"]) / cells["cases"]
    wanted = Outcome(name=outcome, column="outcome", unit="share" if outcome == PAYER else "minor", horizon_days=30)
    panel = _balanced(cells, "month", wanted, {}, starts=pd.to_datetime(pd.Series(list(starts.values()), dtype="object")))
    return replace(panel, delivered=(whole,))


def _delivered(book: Book, cells: pd.DataFrame) -> tuple[pd.DataFrame, Condition]:
    """The cells of months whose payments were delivered, and the condition that this is every month from the first to the last."""
    ends, paid = book.months("month_end"), book.months("payment")
    # A month is told by the accounts open when it opens and the cash in it; what comes before the first payment is no gap.
    asked = [month for month in months_from(min(ends), max(paid)) if month >= min(paid)]
    known = cells[cells["period"].isin([period_number(month, "month") for month in paid])]
    return known.reset_index(drop=True), delivered(absent(book, ("month_end", "payment"), asked[:-1]), consequence="downgrade")


def starts_of_rules(book: Book, ruleset_id: str, *, cluster: Cluster, rule_id: str = "") -> dict[str, date]:
    """When did each cluster start, by table `ruleset`? First effective_from of the rules of its unit, or named by it as `rule_id` says.

    Raises
    ------
    DataError
        No rule of the set names a cluster.
    """
    require(book, ("ruleset",), asks="a roll-out by its rules")
    require(book, (f"{_CLUSTER_TABLE[cluster]}.{_CLUSTER_COLUMN[cluster]}",), asks=f"a roll-out by {cluster}")
    rule = book.table("ruleset")
    table = book.frame(rule.filter(rule["ruleset_id"] == ruleset_id).select("rule_id", "unit_key", "effective_from").order_by("rule_id"))
    names = table["unit_key"] if cluster == "unit" and not rule_id else _named(table["rule_id"], rule_id, _clusters(book, cluster))
    table = table.assign(cluster=names).dropna(subset=["cluster"])
    if table.empty:
        raise DataError(f"no rule of '{ruleset_id}' names a {cluster} as '{rule_id or 'unit_key'}' says; correct rule_id, or write starts")
    return {str(name): pd.Timestamp(day).date() for name, day in table.groupby("cluster")["effective_from"].min().items()}


def _clusters(book: Book, cluster: Cluster) -> list[str]:
    source = book.table(_CLUSTER_TABLE[cluster])
    return [str(name) for name in book.frame(source.select(name=source[_CLUSTER_COLUMN[cluster]]).distinct())["name"].dropna()]


def _named(rules: pd.Series, pattern: str, clusters: list[str]) -> pd.Series:
    """The cluster whose name, written into the pattern, is the rule's id; upper and lower case alike."""
    written = {pattern.replace("{cluster}", name).lower(): name for name in clusters}
    return rules.str.lower().map(written)


def _month_cells(book: Book, cluster: Cluster, days_past_due: int, strata: tuple[str, ...]) -> pd.DataFrame:
    month_end, account = book.table("month_end"), book.table("account")
    held = month_end.filter(month_end["status"] == "open", month_end["dpd"] > days_past_due)
    opening = held.select("account_key", "unit_key", period=_period(held["month_end"], "month") + 1)
    debts = account.filter(account["product_code"].isin(list(strata))) if strata else account
    regions = debts.select(of_account=debts["account_key"], region_code=debts["region_code"])
    joined = opening.join(regions, opening["account_key"] == regions["of_account"])
    paid = cash(book)
    paid = paid.mutate(paid_in=_period(paid["value_date"], "month"))
    paid = paid.group_by(paying=paid["account_key"], paid_in=paid["paid_in"]).aggregate(amount=paid["amount_minor"].sum().cast("int64"))
    rows = joined.left_join(paid, [joined["account_key"] == paid["paying"], joined["period"] == paid["paid_in"]])
    rows = rows.filter(rows["period"] <= _last_whole_month(book.as_of), rows[_CLUSTER_COLUMN[cluster]].notnull())
    amount = rows["amount"].fill_null(0)
    cells = rows.group_by(unit=rows[_CLUSTER_COLUMN[cluster]], period=rows["period"]).aggregate(
        cases=rows.count(), payers=(amount > 0).sum(), amount_minor=amount.sum().cast("int64")
    )
    return book.frame(cells.order_by(["unit", "period"]))


def _last_whole_month(as_of: date) -> int:
    following = pd.Timestamp(as_of) + pd.Timedelta(days=1)
    return period_number(following.date(), "month") - 1


def _period(day: ir.DateValue, period: Period) -> ir.IntegerValue:
    """`period_number` as an expression."""
    day = day.cast("date")
    if period == "year":
        return day.year().cast("int64")
    part = day.month() - 1 if period == "month" else day.quarter() - 1
    return (day.year() * _A_YEAR[period] + part).cast("int64")


def _balanced(frame: pd.DataFrame, period: Period, outcome: Outcome, left_out: dict[str, int], *, starts: pd.Series) -> RolloutPanel:
    """The clusters that have every period, and what they weigh; how many have gaps is told."""
    periods = frame["period"].nunique()
    whole = frame.groupby("unit")["period"].transform("nunique") == periods
    gaps = int(frame.loc[~whole, "unit"].nunique())
    panel = frame.loc[whole, ["unit", "period", "outcome", "cases", "first_treated"]].reset_index(drop=True)
    _refuse_nothing(panel, "no cluster has a case in every period; take longer periods or larger clusters")
    panel["weight"] = panel.groupby("unit")["cases"].transform("mean")
    within = int(sum(not _is_first_day(day.date(), period) for day in starts.drop_duplicates()))
    return RolloutPanel(panel=panel, period=period, outcome=outcome, left_out={**left_out, "gaps": gaps}, starts_within=within)


def _is_first_day(day: date, period: Period) -> bool:
    months = 12 // _A_YEAR[period]
    return day.day == 1 and (day.month - 1) % months == 0


def _refuse_nothing(frame: pd.DataFrame, sentence: str) -> None:
    if frame.empty:
        raise DataError(sentence)
