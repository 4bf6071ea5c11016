"""What the book holds of some days, counted straight from its tables: what a page read is held against it."""

from datetime import date

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.contact import is_attempt
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.scopes import within


def contacts(book: Book, first: date, last: date) -> float:
    """Contacts of these days, of every channel and direction."""
    contact = book.table("contact")
    return _number(book, contact.filter(within(contact.local_ts, first, last)))


def attempted(book: Book, first: date, last: date, windows: KpiWindows) -> float:
    """Accounts attempted on these days, once for each unit and officer that tried."""
    contact = book.table("contact")
    tried = contact.filter(within(contact.local_ts, first, last), is_attempt(contact, windows))
    return _number(book, tried.select("account_key", "unit_key", "officer_key").distinct())


def open_accounts(book: Book, first: date, last: date) -> float:
    """Accounts open at the month ends from `first` to the one before `last`, once for each."""
    return _number(book, _open(book, first, last))


def overdue(book: Book, first: date, last: date) -> float:
    """Of `open_accounts` those that were overdue."""
    stood = _open(book, first, last)
    return _number(book, stood.filter(stood.bucket >= 1))


def followed(book: Book, first: date, last: date) -> float:
    """Of `open_accounts` those that have a row at the next month end, too."""
    ends = book.table("month_end")
    later = ends.filter(ends.month_end > ibis.literal(first), ends.month_end <= ibis.literal(last))
    later = later.select(on_account="account_key", closing="month_end")
    stood = _open(book, first, last)
    pairs = stood.inner_join(later, [stood.account_key == later.on_account])
    return _number(book, pairs.filter(months_between(pairs.closing, pairs.month_end) == 1))


def scheduled_days(book: Book, first: date, last: date) -> float:
    """Days that officers were scheduled to work."""
    day = book.table("unit_day")
    return _number(book, day.filter(within(day.date, first, last), day.scheduled_min > 0))


def _open(book: Book, first: date, last: date) -> ir.Table:
    ends = book.table("month_end")
    return ends.filter(ends.status == "open", ends.month_end >= ibis.literal(first), ends.month_end < ibis.literal(last))


def _number(book: Book, rows: ir.Table) -> float:
    return float(str(book.scalar(rows.count())))
