"""Complaints (Q2) and answers in time (Q6)."""

from datetime import datetime, time

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import FACT_SCOPES, UNASSIGNED, unit_on, within


def complaint_facts(book: Book, held: ir.Table, reach: ir.Table, period: Period) -> ir.Table:
    """How many accounts were contacted, and who complained?

    `held` is the table of `scopes.holders`, `reach` that of `contact.reach_facts`. Columns: the scopes (of an account: its holder; of a
    complaint: the unit it names, else the holder), contacted (0 or 1), complaints.
    """
    accounts = reach.select(*FACT_SCOPES, "contacted", complaints=ibis.literal(0, "int64"))
    ticket = book.table("ticket")
    opened = ticket.filter(ticket.type == "complaint", within(ticket.opened_ts, period.start, period.end))
    complaints = _ticket_scopes(book, held, opened, period).select(
        *FACT_SCOPES, contacted=ibis.literal(0, "int64"), complaints=ibis.literal(1, "int64")
    )
    return accounts.union(complaints)


def ticket_facts(book: Book, held: ir.Table, period: Period, windows: KpiWindows) -> ir.Table:
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
    described = _ticket_scopes(book, held, judged.mutate(in_time=in_time.cast("int64")), period)
    return described.select(*FACT_SCOPES, "in_time", judged=ibis.literal(1, "int64"))


def _ticket_scopes(book: Book, held: ir.Table, tickets: ir.Table, period: Period) -> ir.Table:
    account, units = book.table("account"), unit_on(book, period.end)
    own = [name for name in tickets.columns if name not in ("unit_key", "account_key")]
    with_holder = tickets.left_join(held, tickets.account_key == held.account_key).select(
        *[tickets[name] for name in own],
        tickets.account_key,
        officer_key=held.officer_key,
        unit_key=ibis.coalesce(tickets.unit_key, held.unit_key, UNASSIGNED),
    )
    # A view stands as a table of its own: joins on what a join made would be resolved through it.
    with_holder = with_holder.view()
    joined = with_holder.left_join(account, "account_key").left_join(units, "unit_key")
    return joined.select(
        *[with_holder[name] for name in own],
        cluster_key=ibis.coalesce(account.customer_key, with_holder.account_key, with_holder.ticket_key),
        portfolio_code=ibis.coalesce(account.portfolio_code, UNASSIGNED),
        sub_function=ibis.coalesce(units.sub_function, UNASSIGNED),
        unit_key=with_holder.unit_key,
        officer_key=ibis.coalesce(with_holder.officer_key, UNASSIGNED),
    )
