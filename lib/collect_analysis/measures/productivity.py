"""Officers' hours and what they produced (W1, W4)."""

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.contact import is_attempt, is_right_party
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import UNASSIGNED, Directory, count_of, within


def hour_facts(book: Book, contacts: ir.Table, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """What did each officer's day hold?

    One row per officer and day of table `unit_day`, in the unit of that day. Columns: cluster_key (the officer: days of one officer are
    alike), officer_cluster_key (the day, for results of one officer), sub_function, unit_key, officer_key, busy_min (talk with hold,
    after-call work), productive_min (those and waiting), attempts, right_party, promises (of the officer on that day).
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
    return joined.select(
        cluster_key=day.officer_key,
        officer_cluster_key=day.date.cast("string"),
        sub_function=ibis.coalesce(units.sub_function, UNASSIGNED),
        unit_key=day.unit_key,
        officer_key=day.officer_key,
        busy_min=busy,
        productive_min=busy + day.wait_min,
        attempts=work.attempts.fill_null(0),
        right_party=work.right_party.fill_null(0),
        promises=taken.promises.fill_null(0),
    )


def waiting_days(hours: ir.Table, windows: KpiWindows) -> ir.Table:
    """The officer-days for which occupancy has a meaning: those of sub-functions that wait for calls."""
    return hours.filter(hours.sub_function.notin(windows.occupancy_excludes))


def _contacts_by_day(contacts: ir.Table, period: Period, windows: KpiWindows) -> ir.Table:
    contact = contacts.filter(within(contacts.local_ts, period.start, period.end))
    mine = contact.filter(contact.officer_key.notnull()).mutate(on_day=contact.local_ts.date())
    return mine.group_by("officer_key", "on_day").agg(
        attempts=count_of(is_attempt(mine, windows)), right_party=count_of(is_right_party(mine))
    )


def _promises_by_day(book: Book, period: Period) -> ir.Table:
    promise = book.table("promise")
    mine = promise.filter(within(promise.made_ts, period.start, period.end), promise.officer_key.notnull())
    mine = mine.mutate(on_day=mine.made_ts.date())
    return mine.group_by("officer_key", "on_day").agg(promises=mine.count())
