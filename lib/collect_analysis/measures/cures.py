"""What lasts and what comes in: sustained cures (F7), entries and those that paid by themselves (F11)."""

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.contact import CONNECTED
from collect_analysis.measures.flow import month_ends
from collect_analysis.measures.periods import KpiWindows, Period, month_end
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.scopes import FACT_SCOPES, Directory, within

PAID = ("paid_off", "settled")


def cure_facts(book: Book, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """Which cures whose window of `sustained_months` ends in the period lasted?

    Cured: open in bucket 1 or worse at a month end and current at the next one, by payment. One row per cure: scopes of the holder then,
    followed (1), sustained (0 where a month end of the window shows it open in bucket 1 or worse), left (1 where it was written off,
    recalled or sold in the window before it fell back, or not seen in every month of it: it counts as sustained, nobody saw it fall).
    """
    months = windows.sustained_months
    first, last = month_end(period.start, -months), month_end(period.end, -months)
    rows = month_ends(book, month_end(first, -1), period.end)
    order = ibis.window(group_by=rows.account_key, order_by=rows.month_end)
    rows = rows.mutate(**{f"before_{name}": rows[name].lag().over(order) for name in ("month_end", "status", "bucket")})
    follows = (months_between(rows.month_end, rows.before_month_end) == 1).fill_null(False)
    cured = follows & (rows.before_status == "open") & (rows.before_bucket >= 1) & (rows.status == "open") & (rows.bucket == 0)
    cured = cured & ~rows.reaged.fill_null(False) & within(rows.month_end, first, last)
    starts = rows.filter(cured).select("account_key", "unit_key", "officer_key", cured_on="month_end")
    later = rows.select(of_account="account_key", then="month_end", then_status="status", then_bucket="bucket")
    pairs = starts.left_join(later, [starts.account_key == later.of_account, later.then > starts.cured_on])
    inside = (months_between(pairs.then, pairs.cured_on) <= months).fill_null(False)
    seen = inside & (pairs.then_status == "open")
    marked = pairs.mutate(
        seen=seen.cast("int64"), fell=(seen & (pairs.then_bucket >= 1)).cast("int64"),
        closed=(inside & pairs.then_status.isin(PAID)).cast("int64"),
    )  # fmt: skip
    whole = marked.group_by("account_key", "unit_key", "officer_key", "cured_on").agg(
        seen=marked.seen.sum(), fell=marked.fell.max(), closed=marked.closed.max()
    )
    known = (whole.fell == 1) | (whole.closed == 1) | (whole.seen == months)
    facts = whole.mutate(followed=ibis.literal(1, "int64"), sustained=1 - whole.fell, left=(~known).cast("int64"))
    return directory.describe(facts).select(*FACT_SCOPES, "followed", "sustained", "left")


def entry_facts(
    book: Book, contacts: ir.Table, directory: Directory, period: Period, windows: KpiWindows, money: ir.Table | None = None
) -> ir.Table:
    """Which accounts entered, and which of them paid in the month after without a conversation (F11)?

    An entry was open and current at one month end and open and overdue at the next; it is followed through the month after that, which lies
    in the period. `contacts` is the table of `contact.contacts_of`, `money` that of `cash.kept_cash` where it is kept. One row per entry: scopes of
    the holder at the entry, entered (1), paid, talked, self_cured (0 or 1).
    """
    ends = month_ends(book, month_end(period.opening, -1), month_end(period.end, -1))
    order = ibis.window(group_by=ends.account_key, order_by=ends.month_end)
    rows = ends.mutate(**{f"before_{name}": ends[name].lag().over(order) for name in ("month_end", "status", "bucket")})
    follows = (months_between(rows.month_end, rows.before_month_end) == 1).fill_null(False)
    entered = rows.filter(
        follows, rows.before_status == "open", rows.before_bucket == 0, rows.status == "open", rows.bucket >= 1,
        rows.month_end >= ibis.literal(period.opening),
    ).mutate(month=lambda start: start.month_end.year() * 12 + start.month_end.month())  # fmt: skip
    stayed = payments(book, money)
    money = stayed.filter(within(stayed.value_date, period.start, period.end))
    paid = money.select(payer="account_key", paid_month=money.value_date.year() * 12 + money.value_date.month() - 1).distinct()
    talk = contacts.filter(
        within(contacts.local_ts, period.start, period.end),
        contacts.channel.isin(windows.human_channels),
        contacts.result.isin(CONNECTED),
    )
    talked = talk.select(talker="account_key", talk_month=talk.local_ts.year() * 12 + talk.local_ts.month() - 1).distinct()
    joined = entered.left_join(paid, [entered.account_key == paid.payer, entered.month == paid.paid_month])
    joined = joined.left_join(talked, [joined.account_key == talked.talker, joined.month == talked.talk_month])
    has_paid, has_talked = joined.payer.notnull(), joined.talker.notnull()
    facts = joined.select(
        "account_key", "unit_key", "officer_key",
        entered=ibis.literal(1, "int64"),
        paid=has_paid.cast("int64"),
        talked=has_talked.cast("int64"),
        self_cured=(has_paid & ~has_talked).cast("int64"),
    )  # fmt: skip
    return directory.describe(facts)


def current_facts(pairs: ir.Table) -> ir.Table:
    """The pairs of `flow.month_pairs` that were current at the start: current (1), entered (1 where overdue at the next month end)."""
    current = pairs.filter(pairs.bucket == 0)
    return current.mutate(current=ibis.literal(1, "int64"), entered=(current.state == "rolled").cast("int64"))
