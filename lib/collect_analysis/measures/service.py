"""Complaints (Q2) and answers in time (Q6)."""

from datetime import datetime, time

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import FACT_SCOPES, Directory, within


def complaint_facts(book: Book, held: ir.Table, reach: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """How many accounts were contacted, and who complained?

    `held` is the table of `scopes.holders`, `reach` that of `contact.reach_facts`. Columns: the scopes (of an account: its holder; of a
    complaint: the unit it names, else the holder), contacted (0 or 1), complaints.
    """
    accounts = reach.select(*FACT_SCOPES, "contacted", complaints=ibis.literal(0, "int64"))
    ticket = book.table("ticket")
    opened = ticket.filter(ticket.type == "complaint", within(ticket.opened_ts, period.start, period.end))
    complaints = _ticket_scopes(opened, held, directory).select(
        *FACT_SCOPES, contacted=ibis.literal(0, "int64"), complaints=ibis.literal(1, "int64")
    )
    return accounts.union(complaints)


def ticket_facts(book: Book, held: ir.Table, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """Which tickets must be answered for in the period, and which were closed in time? `held`: as above.

    One row per ticket that we or an agency must act on and that was closed in the period, or is open past its due time at the period's end;
    what was closed later counts as open then. Columns: the scopes, judged (1), in_time (0 or 1).
    """
    ticket = book.table("ticket")
    mine = ticket.filter(ticket.owner_side.isin(windows.sla_owner_sides))
    midnight = ibis.literal(datetime.combine(period.end + (period.start - period.opening), time())).cast("timestamp(6)")
    closed = mine.closed_ts.notnull() & within(mine.closed_ts, period.start, period.end)
    overdue = (mine.opened_ts < midnight) & (mine.due_ts < midnight) & (mine.closed_ts.isnull() | (mine.closed_ts >= midnight))
    judged = mine.filter(closed.fill_null(False) | overdue)
    in_time = (judged.closed_ts.notnull() & (judged.closed_ts < midnight) & (judged.closed_ts <= judged.due_ts)).fill_null(False)
    described = _ticket_scopes(judged.mutate(in_time=in_time.cast("int64")), held, directory)
    return described.select(*FACT_SCOPES, "in_time", judged=ibis.literal(1, "int64"))


def _ticket_scopes(tickets: ir.Table, held: ir.Table, directory: Directory) -> ir.Table:
    """The scopes of a ticket: the unit it names, else the holder of its account."""
    holder = held.select(of_account="account_key", with_unit="unit_key", with_officer="officer_key")
    own = [name for name in tickets.columns if name != "unit_key"]
    joined = tickets.view().left_join(holder, [("account_key", "of_account")])
    named = joined.select(*own, officer_key="with_officer", unit_key=ibis.coalesce(joined.unit_key, joined.with_unit))
    described = directory.describe(named)
    return described.mutate(cluster_key=ibis.coalesce(described.cluster_key, described.ticket_key))
