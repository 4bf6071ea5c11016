"""The day sheets of officers (table `unit_day`) held against the log of contacts: what one of them says and the other does not."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import Period
from collect_analysis.measures.scopes import UNASSIGNED, count_of, within


def officer_days(book: Book, period: Period, log: ir.Table) -> ir.Table:
    """Every day of an officer that the sheet or the log knows.

    `log` holds account contacts with officer_key, unit_key, local_ts, channel, talk_s, wrap_s, mine. Columns: officer_key, unit_key, day, sheet (flag: there
    is one with minutes logged), logged_min, declared_min (talk and after-call work of the sheet), contacts, handled_s (talk and after-call
    work of the log), visits, declared_visits, any_sheet (flag: somebody of the unit has one that day).
    """
    unit_day, own = book.table("unit_day"), log.filter(log.mine)
    sheet = unit_day.filter(within(unit_day.date, period.start, period.end)).select(
        sheet_officer="officer_key", sheet_unit="unit_key", sheet_day="date", logged_min="logged_min",
        declared_min=unit_day.talk_min + unit_day.wrap_min, declared_visits=unit_day.visits,
    )  # fmt: skip
    handled = ibis.ifelse(own.channel == "call", own.talk_s.fill_null(0) + own.wrap_s, 0)
    done = own.mutate(day=own.local_ts.date(), handled=handled)
    done = done.group_by(done_officer="officer_key", done_unit="unit_key", done_day="day").agg(
        contacts=done.count(), handled_s=done.handled.sum().cast("int64"), visits=count_of(done.channel == "visit")
    )
    both = sheet.outer_join(done, [sheet.sheet_officer == done.done_officer, sheet.sheet_day == done.done_day])
    days = both.select(
        officer_key=ibis.coalesce(both.sheet_officer, both.done_officer),
        unit_key=ibis.coalesce(both.sheet_unit, both.done_unit, UNASSIGNED),
        day=ibis.coalesce(both.sheet_day, both.done_day),
        sheet=both.logged_min.fill_null(0) > 0,
        logged_min=both.logged_min.fill_null(0),
        declared_min=both.declared_min.fill_null(0),
        contacts=both.contacts.fill_null(0),
        handled_s=both.handled_s.fill_null(0),
        visits=both.visits.fill_null(0),
        declared_visits=both.declared_visits.fill_null(0),
    )
    of_unit = ibis.window(group_by=[days.unit_key, days.day])
    return days.mutate(any_sheet=days.sheet.cast("int64").max().over(of_unit) == 1)


def findings(book: Book, period: Period, log: ir.Table, rules) -> pd.DataFrame:
    """Where do sheet and log contradict each other, by unit and officer?

    day_without_sheets: contacts on days on which nobody of the unit has a sheet with minutes, of all contacts: a gap of the record, nobody's
    doing. event_while_absent: contacts of an officer without such a sheet on a day on which others have one. present_without_event: days
    with minutes logged and no call or visit; money: the minutes at their price. minutes_unbacked: days whose declared minutes exceed the
    calls by more than `rules.tolerance_min`; minutes_unlogged: days whose calls exceed the declared minutes; money: those minutes.
    Columns: type, unit_key, officer_key, observed, trials, expected (0), money_minor. An officer whose role has no price gets 0.
    """
    columns = ["type", "unit_key", "officer_key", "observed", "trials", "expected", "money_minor"]
    days = officer_days(book, period, log)
    # Sheets round up every part of the day: whole minutes are compared with a tolerance.
    over = days.declared_min * 60 - days.handled_s
    tolerance = rules.tolerance_min * 60
    unbacked, unlogged = days.sheet & (over > tolerance), days.sheet & (-over > tolerance)
    idle = days.sheet & (days.contacts == 0)
    sums = days.group_by("unit_key", "officer_key").agg(
        gap=ibis.ifelse(days.any_sheet, 0, days.contacts).sum().cast("int64"),
        absent=ibis.ifelse(days.any_sheet & ~days.sheet, days.contacts, 0).sum().cast("int64"),
        contacts=days.contacts.sum().cast("int64"),
        present=count_of(days.sheet),
        idle=count_of(idle),
        idle_min=ibis.ifelse(idle, days.logged_min, 0).sum().cast("int64"),
        unbacked=count_of(unbacked),
        unbacked_s=ibis.ifelse(unbacked, over, 0).sum().cast("int64"),
        unlogged=count_of(unlogged),
        unlogged_s=ibis.ifelse(unlogged, -over, 0).sum().cast("int64"),
    )
    wide = book.frame(sums)
    price = wide["unit_key"].map(_prices(book, period)).fillna(0.0).astype(float)
    seen = {
        "day_without_sheets": (wide["gap"], wide["contacts"], 0.0 * price),
        "event_while_absent": (wide["absent"], wide["contacts"], 0.0 * price),
        "present_without_event": (wide["idle"], wide["present"], wide["idle_min"] * price),
        "minutes_unbacked": (wide["unbacked"], wide["present"], wide["unbacked_s"] / 60 * price),
        "minutes_unlogged": (wide["unlogged"], wide["present"], wide["unlogged_s"] / 60 * price),
    }
    parts = [
        wide[["unit_key", "officer_key"]].assign(type=name, observed=found, trials=trials, expected=0.0, money_minor=money.round())
        for name, (found, trials, money) in seen.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[table["trials"] > 0][columns].reset_index(drop=True)


def completeness(book: Book, period: Period, log: ir.Table) -> pd.DataFrame:
    """How much of what one record says does the other one know, by unit?

    Columns: unit_key, officer_days (with minutes logged), declared_min, handled_min, numerator (minutes that both tell, day by day the
    smaller of the two), denominator (day by day the larger), value (their share), visits, declared_visits. Sorted by unit.
    Undefined (NaN): neither tells a minute (field officers who only visit).
    """
    days = officer_days(book, period, log)
    declared_s = days.declared_min * 60
    sums = days.group_by("unit_key").agg(
        officer_days=count_of(days.sheet),
        declared_min=days.declared_min.sum().cast("int64"),
        handled_s=days.handled_s.sum().cast("int64"),
        both_s=ibis.least(declared_s, days.handled_s).sum().cast("int64"),
        any_s=ibis.greatest(declared_s, days.handled_s).sum().cast("int64"),
        visits=days.visits.sum().cast("int64"),
        declared_visits=days.declared_visits.sum().cast("int64"),
    )
    table = book.frame(sums).sort_values("unit_key", ignore_index=True)
    table["handled_min"] = table["handled_s"] / 60
    table["numerator"], table["denominator"] = table["both_s"] / 60, table["any_s"] / 60
    table["value"] = table["numerator"] / table["denominator"].where(table["denominator"] > 0)
    names = ["unit_key", "officer_days", "declared_min", "handled_min", "numerator", "denominator", "value", "visits", "declared_visits"]
    return table[names]


def _prices(book: Book, period: Period) -> dict[str, float]:
    """Price of an officer's minute by unit: the tariff of the unit's sub-function valid at the end of the period."""
    if not book.has("tariff"):
        return {}
    tariff, unit, last = book.table("tariff"), book.table("unit"), ibis.literal(period.end)
    valid = tariff.filter(tariff.kind == "officer_minute", tariff.valid_from <= last, (tariff.valid_to > last) | tariff.valid_to.isnull())
    prices = book.frame(valid.group_by("item").agg(price=valid.amount_minor.max()))
    current = unit.filter(unit.valid_from <= last, (unit.valid_to > last) | unit.valid_to.isnull())
    units = book.frame(current.group_by("unit_key").agg(sub_function=current.sub_function.max()))
    by_item = dict(zip(prices["item"], prices["price"].astype(float), strict=True))
    return {key: by_item[item] for key, item in zip(units["unit_key"], units["sub_function"], strict=True) if item in by_item}
