"""What is owed to the debt transferor in time: recalls done (Q8), cash of agencies remitted (Q9)."""

from datetime import datetime, time, timedelta

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.placements import placed
from collect_analysis.measures.scopes import Directory, within

_LONG_AGO = datetime(1900, 1, 1).date()


def recall_facts(book: Book, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """Which recalls fell due in the period, and which were done in time (Q8)?

    One row per placement whose recall was requested: due `recall_hours` after end_requested_ts. Columns: scopes of the unit placed with,
    fell_due (1), in_time (ended_ts by then). A recall not done at the end of the period is not in time.
    """
    decision = book.table("decision")
    asked = decision.filter(decision.kind == "placement", decision.end_requested_ts.notnull())
    due = asked.mutate(due_ts=(asked.end_requested_ts + ibis.interval(hours=windows.recall_hours)).cast("timestamp(6)"))
    fell = due.filter(within(due.due_ts, period.start, period.end))
    midnight = ibis.literal(datetime.combine(period.end + timedelta(days=1), time())).cast("timestamp(6)")
    done = (fell.ended_ts.notnull() & (fell.ended_ts <= fell.due_ts) & (fell.ended_ts < midnight)).fill_null(False)
    facts = fell.select(
        "account_key", "unit_key", officer_key=ibis.null("string"), fell_due=ibis.literal(1, "int64"), in_time=done.cast("int64")
    )
    return directory.describe(facts)


def remittance_facts(book: Book, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """Which cash taken by agencies had to be remitted in the period, and which was in time (Q9)?

    One row per payment that stayed (`cash.payments`) with source `agency` whose last day to remit, `remit_days` after its value date, lies in
    the period. Columns: scopes of the unit the account was placed with on the value date, due_minor, in_time_minor. Money not remitted is not in time.
    """
    counted = payments(book)
    last_day = (counted.value_date + ibis.interval(days=windows.remit_days)).cast("date")
    taken = counted.filter(counted.source == "agency").mutate(last_day=last_day)
    fell = taken.filter(within(taken.last_day, period.start, period.end))
    base = placed(book, start=_LONG_AGO, end=period.end).select(
        on_account="account_key", with_unit="unit_key", begun="from_date", ended="to_date"
    )
    held = [fell.account_key == base.on_account, fell.value_date >= base.begun, base.ended.isnull() | (fell.value_date < base.ended)]
    joined = fell.left_join(base, held)
    in_time = (joined.remitted_on <= joined.last_day).fill_null(False)
    facts = joined.select(
        "account_key",
        unit_key="with_unit",
        officer_key=ibis.null("string"),
        due_minor=joined.amount_minor,
        in_time_minor=ibis.ifelse(in_time, joined.amount_minor, 0),
    )
    return directory.describe(facts)
