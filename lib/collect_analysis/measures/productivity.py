"""Officers' hours and what they produced (W1-W5, W7, W9), what they have to work (W6), and whether their time can do it (W10)."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.contact import CONNECTED, is_attempt, is_right_party
from collect_analysis.measures.pace import working_days
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import COMPANY, UNASSIGNED, Directory, count_of, within


def hour_facts(book: Book, contacts: ir.Table, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """What did each officer's day hold?

    One row per officer and day of table `unit_day`, in the unit of that day. Columns: cluster_key (the officer: days of one officer are
    alike), officer_cluster_key (the day, for results of one officer), sub_function, unit_key, officer_key, busy_min (talk with hold,
    after-call work), productive_min (those and waiting), paid_min (logged in), scheduled_min, shrunk_min (scheduled less productive),
    scheduled_day, present (of the scheduled days), attempts, right_party, handled (calls answered, in and out), promises (of the officer on
    that day). Absence is a scheduled day without paid minutes: a day without contacts may be training.
    """
    unit_day = book.table("unit_day")
    day = unit_day.filter(within(unit_day.date, period.start, period.end))
    work, taken = _contacts_by_day(contacts, period, windows), _promises_by_day(book, period)
    units = directory.units
    joined = (
        day.left_join(units, day.unit_key == units.unit_key)
        .left_join(work, (day.officer_key == work.officer_key) & (day.date == work.on_day))
        .left_join(taken, (day.officer_key == taken.officer_key) & (day.date == taken.on_day))
    )
    busy = day.talk_min + day.wrap_min
    scheduled = day.scheduled_min > 0
    return joined.select(
        cluster_key=day.officer_key,
        officer_cluster_key=day.date.cast("string"),
        sub_function=ibis.coalesce(units.sub_function, UNASSIGNED),
        unit_key=day.unit_key,
        officer_key=day.officer_key,
        busy_min=busy,
        productive_min=busy + day.wait_min,
        paid_min=day.logged_min,
        scheduled_min=day.scheduled_min,
        shrunk_min=day.scheduled_min - busy - day.wait_min,
        scheduled_day=scheduled.cast("int64"),
        present=(scheduled & (day.logged_min > 0)).cast("int64"),
        attempts=work.attempts.fill_null(0),
        right_party=work.right_party.fill_null(0),
        handled=work.handled.fill_null(0),
        promises=taken.promises.fill_null(0),
    )


def waiting_days(hours: ir.Table, windows: KpiWindows) -> ir.Table:
    """The officer-days for which occupancy has a meaning: those of sub-functions that wait for calls."""
    return hours.filter(hours.sub_function.notin(windows.occupancy_excludes))


def caseload_facts(book: Book, held: ir.Table, hours: ir.Table, period: Period, windows: KpiWindows) -> ir.Table:
    """How many accounts does each full-time officer look after (W6)?

    `held` is the table of `scopes.holders`, `hours` that of `hour_facts`. Accounts of units with hours, and the days of officers: cluster_key,
    sub_function, unit_key, officer_key, account_min (per account: working days of the period x `full_time_minutes`, the minutes a full-time
    officer is scheduled), scheduled_min.
    """
    minutes = len(working_days(book, period)) * windows.full_time_minutes
    columns, zero = ("cluster_key", "sub_function", "unit_key", "officer_key"), ibis.literal(0, "int64")
    mine = held.semi_join(hours.select("unit_key").distinct(), "unit_key")
    accounts = mine.select(*columns, account_min=ibis.literal(minutes, "int64"), scheduled_min=zero)
    return accounts.union(hours.select(*columns, account_min=zero, scheduled_min=hours.scheduled_min.cast("int64")))


def paid_hour_facts(attributed: ir.Table, hours: ir.Table) -> ir.Table:
    """What does an hour paid bring (W7)? Cash attributed to officers with hours, and their paid minutes.

    `attributed` is the table of `attribution.attribution_facts`. Columns: cluster_key, sub_function, unit_key, officer_key, attributed_minor,
    paid_min.
    """
    columns, zero = ("cluster_key", "sub_function", "unit_key", "officer_key"), ibis.literal(0, "int64")
    mine = attributed.semi_join(hours.select("officer_key").distinct(), "officer_key")
    money = mine.select(*columns, "attributed_minor", paid_min=zero)
    return money.union(hours.select(*columns, attributed_minor=zero, paid_min=hours.paid_min.cast("int64")))


def capacity(book: Book, held: ir.Table, hours: ir.Table, windows: KpiWindows) -> pd.DataFrame:
    """Can the target intensity be reached in the hours there are (W10)?

    Formula: accounts x `target_intensity` / (attempts / productive hours x paid hours). `held`, `hours` as above. Columns: scope_type (company,
    sub_function, unit), scope_key, accounts, attempts_per_hour, paid_hours, numerator (attempts needed), denominator (attempts possible),
    value, note. Only units with hours; sorted. Undefined: no attempt in the recorded hours.
    """
    minutes = book.frame(
        hours.group_by("sub_function", "unit_key").agg(
            attempts=hours.attempts.sum().cast("int64"), productive=hours.productive_min.sum(), paid=hours.paid_min.sum()
        )
    )
    mine = held.semi_join(hours.select("unit_key").distinct(), "unit_key")
    accounts = book.frame(mine.group_by("unit_key").agg(accounts=mine.count()))
    units = minutes.merge(accounts, on="unit_key", how="left").fillna({"accounts": 0})
    sums = ["accounts", "attempts", "productive", "paid"]
    parts = [
        units.assign(scope_type=grain, scope_key=COMPANY if grain == "company" else units[column])
        for grain, column in (("company", ""), ("sub_function", "sub_function"), ("unit", "unit_key"))
    ]
    table = pd.concat(parts).groupby(["scope_type", "scope_key"], as_index=False)[sums].sum().astype(dict.fromkeys(sums, float))
    worked = table["attempts"] > 0
    table["attempts_per_hour"] = table["attempts"] / (table["productive"] / 60).where(table["productive"] > 0)
    table["paid_hours"] = table["paid"] / 60
    table["numerator"] = table["accounts"] * windows.target_intensity
    table["denominator"] = table["attempts_per_hour"] * table["paid_hours"]
    table["value"] = (table["numerator"] / table["denominator"].where(table["denominator"] > 0)).where(worked)
    table["note"] = table["value"].isna().map({True: "no attempt in recorded hours", False: ""})
    columns = ["scope_type", "scope_key", "accounts", "attempts_per_hour", "paid_hours", "numerator", "denominator", "value", "note"]
    return table[columns]


def _contacts_by_day(contacts: ir.Table, period: Period, windows: KpiWindows) -> ir.Table:
    contact = contacts.filter(within(contacts.local_ts, period.start, period.end))
    mine = contact.filter(contact.officer_key.notnull()).mutate(on_day=contact.local_ts.date())
    return mine.group_by("officer_key", "on_day").agg(
        attempts=count_of(is_attempt(mine, windows)),
        right_party=count_of(is_right_party(mine)),
        handled=count_of((mine.channel == "call") & mine.result.isin(CONNECTED)),
    )


def _promises_by_day(book: Book, period: Period) -> ir.Table:
    promise = book.table("promise")
    mine = promise.filter(within(promise.made_ts, period.start, period.end), promise.officer_key.notnull())
    mine = mine.mutate(on_day=mine.made_ts.date())
    return mine.group_by("officer_key", "on_day").agg(promises=mine.count())
