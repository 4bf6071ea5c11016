"""Complaints (Q2, Q3), disputes (Q7) and answers in time (Q6, Q10)."""

from datetime import datetime, time

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import FACT_SCOPES, Directory, within


def complaint_facts(book: Book, held: ir.Table, reach: ir.Table, work: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """How many accounts were contacted, how often was the right party spoken to, and who complained?

    `held` is the table of `scopes.holders`, `reach` that of `contact.reach_facts`, `work` that of `contact.work_facts`. Two populations, each
    with its own complaints: accounts by holder (contacted, complaints), and contacts by who made them (right_party, complaints_of: by the unit
    that a complaint names, else the holder). Columns: the scopes and these four counts.
    """
    nothing = dict.fromkeys(("contacted", "complaints", "right_party", "complaints_of"), ibis.literal(0, "int64"))
    one = ibis.literal(1, "int64")
    ticket = book.table("ticket")
    opened = ticket.filter(ticket.type == "complaint", within(ticket.opened_ts, period.start, period.end))
    accounts = reach.select(*FACT_SCOPES, **{**nothing, "contacted": reach.contacted})
    about = _of_holder(opened, held, directory).select(*FACT_SCOPES, **{**nothing, "complaints": one})
    spoken = work.select(*FACT_SCOPES, **{**nothing, "right_party": work.right_party})
    of = _ticket_scopes(opened, held, directory).select(*FACT_SCOPES, **{**nothing, "complaints_of": one})
    return ibis.union(accounts, about, spoken, of)


def finding_facts(book: Book, held: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """Which complaints closed in the period were found justified (Q3)? Scopes: the unit a complaint names, else the holder; found (1), upheld (0 or 1).

    A complaint closed without a finding is left out: nobody judged it.
    """
    ticket = book.table("ticket")
    closed = ticket.filter(ticket.type == "complaint", ticket.closed_ts.notnull(), ticket.upheld.notnull())
    closed = closed.filter(within(closed.closed_ts, period.start, period.end))
    marked = closed.mutate(found=ibis.literal(1, "int64"), upheld=closed.upheld.cast("int64"))
    return _ticket_scopes(marked, held, directory).select(*FACT_SCOPES, "found", "upheld")


def dispute_facts(book: Book, held: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """How many accounts were assigned, and how many disputes were opened (Q7)? Scopes of the holder of the account, assigned, disputes (0 or 1)."""
    zero, one = ibis.literal(0, "int64"), ibis.literal(1, "int64")
    accounts = held.select(*FACT_SCOPES, assigned=one, disputes=zero)
    ticket = book.table("ticket")
    opened = ticket.filter(ticket.type == "dispute", within(ticket.opened_ts, period.start, period.end))
    return accounts.union(_of_holder(opened, held, directory).select(*FACT_SCOPES, assigned=zero, disputes=one))


def open_dispute_facts(book: Book, held: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """How old are the disputes open at the end of the period (Q7)? Scopes as above, open (1), age_days (whole days since opening)."""
    ticket = book.table("ticket")
    midnight = _after(period)
    still = ticket.filter(ticket.type == "dispute", ticket.opened_ts < midnight, ticket.closed_ts.isnull() | (ticket.closed_ts >= midnight))
    age = ibis.literal(period.end).delta(still.opened_ts.date(), unit="day").cast("int64")
    marked = still.mutate(open=ibis.literal(1, "int64"), age_days=age)
    return _ticket_scopes(marked, held, directory).select(*FACT_SCOPES, "open", "age_days")


def ticket_facts(book: Book, held: ir.Table, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """Which tickets must be answered for in the period, and which were closed in time? `held`: as above.

    One row per ticket that we or an agency must act on and that was closed in the period, or is open past its due time at the period's end;
    what was closed later counts as open then. Columns: the scopes, judged (1), in_time (0 or 1), and the same of data-subject requests alone:
    subject_judged, subject_in_time (Q10).
    """
    ticket = book.table("ticket")
    mine = ticket.filter(ticket.owner_side.isin(windows.sla_owner_sides))
    midnight = _after(period)
    closed = mine.closed_ts.notnull() & within(mine.closed_ts, period.start, period.end)
    overdue = (mine.opened_ts < midnight) & (mine.due_ts < midnight) & (mine.closed_ts.isnull() | (mine.closed_ts >= midnight))
    judged = mine.filter(closed.fill_null(False) | overdue)
    in_time = (judged.closed_ts.notnull() & (judged.closed_ts < midnight) & (judged.closed_ts <= judged.due_ts)).fill_null(False)
    subject = judged.type == "data_subject"
    marked = judged.mutate(
        in_time=in_time.cast("int64"),
        judged=ibis.literal(1, "int64"),
        subject_judged=subject.cast("int64"),
        subject_in_time=(subject & in_time).cast("int64"),
    )
    described = _ticket_scopes(marked, held, directory)
    return described.select(*FACT_SCOPES, "in_time", "judged", "subject_judged", "subject_in_time")


def _after(period: Period) -> ir.TimestampScalar:
    """The first moment after the period."""
    return ibis.literal(datetime.combine(period.end + (period.start - period.opening), time())).cast("timestamp(6)")


def _of_holder(tickets: ir.Table, held: ir.Table, directory: Directory) -> ir.Table:
    """The scopes of the holder of a ticket's account, whatever unit it names."""
    return _ticket_scopes(tickets.mutate(unit_key=ibis.null("string")), held, directory)


def _ticket_scopes(tickets: ir.Table, held: ir.Table, directory: Directory) -> ir.Table:
    """The scopes of a ticket: the unit it names, else the holder of its account."""
    holder = held.select(of_account="account_key", with_unit="unit_key", with_officer="officer_key")
    own = [name for name in tickets.columns if name != "unit_key"]
    joined = tickets.view().left_join(holder, [("account_key", "of_account")])
    named = joined.select(*own, officer_key="with_officer", unit_key=ibis.coalesce(joined.unit_key, joined.with_unit))
    described = directory.describe(named)
    return described.mutate(cluster_key=ibis.coalesce(described.cluster_key, described.ticket_key))
