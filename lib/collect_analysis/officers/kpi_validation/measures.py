"""Every KPI of every officer in every month, in two halves: what a KPI must be judged by before it judges people."""

from collections.abc import Sequence
from datetime import date

import ibis
import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.assignment import hash_buckets
from collect_analysis.measures.cash import payments
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.contact import is_right_party
from collect_analysis.measures.kpi_table import Facts, missing_for
from collect_analysis.measures.kpis import Kpi, counted
from collect_analysis.measures.periods import KpiWindows, Period, month_end, month_start, months_of
from collect_analysis.measures.ratios import ratio_table
from collect_analysis.measures.scopes import UNASSIGNED, count_of, within

COLUMNS = ("month", "officer_key", "unit_key", "sub_function", "kpi", "half", "numerator", "denominator", "cases")
_BETWEEN = "|"


def candidates(ids: Sequence[str] = ()) -> list[Kpi]:
    """The KPIs of the dictionary that can be told of an officer: ratios of sums with a meaning at that grain (those named, if any).

    Raises
    ------
    ParameterError
        An id is not in the dictionary, or has a table of its own.
    """
    return [kpi for kpi in counted(*ids) if "officer" in kpi.grains and kpi.base != "target" and kpi.kind == "ratio"]


def officer_months(
    book: Book,
    first: date,
    last: date,
    *,
    kpis: Sequence[Kpi],
    windows: KpiWindows,
    limits: Sequence[LegalLimits] = (),
    salt: str = "halves",
) -> pd.DataFrame:
    """What did each officer score on each KPI in each month, told apart for two halves of the cases?

    The halves: debtors by a salted hash of their key (days of the officer, where a KPI counts hours), so that both halves are the work of the
    same officer in the same month on other cases. Numerators and denominators of the halves add up to those of the KPI table.

    Columns: month (first day), officer_key, unit_key and sub_function (where table `officer` has the officer at the month's end; else
    `unassigned`), kpi, half (0 or 1), numerator, denominator, cases. Sorted. Officers who are not named in the log have no row.
    Every month builds its own fact relations once, whatever the number of KPIs on them.
    """
    parts = []
    for month in months_of(first, last):
        facts = Facts(book, Period(month, month_end(month)), windows=windows, limits=limits)
        try:
            parts.append(_of_month(facts, kpis, salt).assign(month=month))
        finally:
            facts.close()
    table = pd.concat(parts, ignore_index=True)
    table = table.merge(teams(book, first, last), on=["month", "officer_key"], how="left")
    table[["unit_key", "sub_function"]] = table[["unit_key", "sub_function"]].fillna(UNASSIGNED)
    place = table["kpi"].map({kpi.id: place for place, kpi in enumerate(kpis)})
    return table.assign(place=place).sort_values(["place", "month", "officer_key", "half"], ignore_index=True)[list(COLUMNS)]


def _of_month(facts: Facts, kpis: Sequence[Kpi], salt: str) -> pd.DataFrame:
    told = [kpi for kpi in kpis if not missing_for(facts, kpi)]
    parts = []
    for base in dict.fromkeys(kpi.base for kpi in told):
        rows = facts[base]
        whose = "officer_cluster_key" if "officer_cluster_key" in rows.columns else "cluster_key"
        half = (hash_buckets(rows[whose].cast("string"), salt) % 2).cast("string")
        named = rows.filter(rows.officer_key != UNASSIGNED).mutate(officer_key=rows.officer_key + _BETWEEN + half)
        if facts.book.scalar(named.count()) == 0:
            # Machines did all of it: nothing to tell of a person.
            continue
        table = ratio_table(facts.book, named, [kpi for kpi in told if kpi.base == base], grains=("officer",))
        parts.append(table[["kpi", "scope_key", "numerator", "denominator", "cases"]])
    columns = ["kpi", "officer_key", "half", "numerator", "denominator", "cases"]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    cut = table["scope_key"].str.rsplit(_BETWEEN, n=1, expand=True)
    return table.assign(officer_key=cut[0], half=cut[1].astype(int))[columns]


def teams(book: Book, first: date, last: date) -> pd.DataFrame:
    """Where did each officer belong at the end of each month? Columns: month, officer_key, unit_key, sub_function."""
    officer, unit = book.table("officer"), book.table("unit")
    units = unit.group_by("unit_key").agg(sub_function=unit.sub_function.max())
    parts = []
    for month in months_of(first, last):
        end = ibis.literal(month_end(month))
        there = officer.filter(officer.valid_from <= end, (officer.valid_to > end) | officer.valid_to.isnull())
        found = there.group_by("officer_key").agg(unit_key=there.unit_key.max()).left_join(units, "unit_key")
        parts.append(book.frame(found.select("officer_key", "unit_key", "sub_function")).assign(month=month))
    return pd.concat(parts, ignore_index=True)


def panel(months: pd.DataFrame, kpis: Sequence[Kpi], *, least_cases: int) -> pd.DataFrame:
    """The KPI of each officer and month, whole and in halves.

    `value`: scale x numerator / denominator over both halves; `first`, `second`: of each half. Columns: kpi, month, officer_key, unit_key,
    sub_function, cases, value, first, second. Officer-months with fewer than `least_cases` cases are left out.
    """
    keys = ["kpi", "month", "officer_key", "unit_key", "sub_function"]
    sums = months.groupby([*keys, "half"], as_index=False)[["numerator", "denominator", "cases"]].sum()
    whole = sums.groupby(keys)[["numerator", "denominator", "cases"]].sum()
    scale = {kpi.id: kpi.scale for kpi in kpis}
    table = whole[["cases"]].assign(value=_ratio(whole))
    for half, name in ((0, "first"), (1, "second")):
        table[name] = _ratio(sums[sums["half"] == half].set_index(keys)).reindex(table.index)
    table = table[table["cases"] >= least_cases].reset_index()
    factor = table["kpi"].map(scale).astype(float)
    table[["value", "first", "second"]] = table[["value", "first", "second"]].mul(factor, axis=0)
    return table[table["value"].notna()].sort_values(["kpi", "month", "officer_key"], ignore_index=True)


def _ratio(sums: pd.DataFrame) -> pd.Series:
    over = sums["denominator"].astype(float)
    return sums["numerator"].astype(float) / over.where(over > 0)


def month_edges(book: Book, first: date, last: date, *, days: int = 3) -> pd.DataFrame:
    """Do waivers and re-ageing crowd at the end of the month, and does money come just after it?

    Columns: what (type of an arrangement: of all in the period, how many in the last `days` of a month; `payment`: of payments within `days`
    of the turn of a month inside the period, how many just after it), observed, trials, chance (share of such days).
    Sorted. A book without the table has no row.
    """
    months = months_of(first, last)
    start, end = months[0], month_end(months[-1])
    found = []
    for name, column in (("arrangement", "from_date"), ("payment", "value_date")):
        if not book.has(name):
            continue
        rows = payments(book) if name == "payment" else book.table(name)
        rows = rows.filter(within(rows[column], start, end))
        what = ibis.literal("payment") if name == "payment" else rows.type
        daily = book.frame(rows.group_by(what=what, day=rows[column]).agg(n=rows.count()))
        found += [_edge(part, str(kind), months, days) for kind, part in daily.groupby("what", sort=True)]
    return pd.DataFrame(found, columns=["what", "observed", "trials", "chance"])


def _edge(daily: pd.DataFrame, what: str, months: Sequence[date], days: int) -> dict[str, object]:
    day = pd.to_datetime(daily["day"])
    to_end = (day + pd.offsets.MonthEnd(0) - day).dt.days
    inside = to_end < days
    chance = days * len(months) / sum(month_end(month).day for month in months)
    if what != "payment":
        return {"what": what, "observed": int(daily.loc[inside, "n"].sum()), "trials": int(daily["n"].sum()), "chance": chance}
    # The first month has no turn before it inside the period, the last none after it.
    after = (day.dt.day <= days) & (day >= pd.Timestamp(month_start(months[0], 1)))
    before = inside & (day < pd.Timestamp(months[-1]))
    seen = int(daily.loc[after, "n"].sum())
    return {"what": what, "observed": seen, "trials": seen + int(daily.loc[before, "n"].sum()), "chance": 0.5}


def short_conversations(book: Book, first: date, last: date, *, seconds: int) -> pd.DataFrame:
    """Right-party calls that were shorter than `seconds`, by unit. Columns: unit_key, observed, trials. Sorted; empty without contacts."""
    if not book.has("contact"):
        return pd.DataFrame(columns=["unit_key", "observed", "trials"])
    contact = book.table("contact")
    rows = contact.filter(within(contact.local_ts, first, month_end(last)), contact.channel == "call", contact.officer_key.notnull())
    rows = rows.filter(is_right_party(rows))
    table = rows.group_by(unit_key=ibis.coalesce(rows.unit_key, UNASSIGNED)).agg(
        observed=count_of(rows.talk_s.fill_null(0) < seconds), trials=rows.count()
    )
    return book.frame(table).sort_values("unit_key", ignore_index=True)


def changes(table: pd.DataFrame) -> pd.DataFrame:
    """The panel with `change`: value less the same officer's value the month before (NaN without one)."""
    months = {month: place for place, month in enumerate(sorted(table["month"].unique()))}
    now = table.assign(place=table["month"].map(months))
    before = now[["kpi", "officer_key", "place", "value"]].rename(columns={"value": "before"})
    before["place"] += 1
    joined = now.merge(before, on=["kpi", "officer_key", "place"], how="left")
    joined["change"] = np.where(joined["before"].notna(), joined["value"] - joined["before"], np.nan)
    return joined.drop(columns=["place", "before"])
