"""Accounts that are open again after they were closed: a cheque that paid one off and bounced, a recall taken back, a debt bought back.

A final status holds until a later month end says that the account is open. From then on the account counts as received again, with what it
owed when it was last open: what brought it to an end did not stay.
"""

from datetime import date

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.scopes import owed


def reopened(book: Book, last: date, *, after: date | None = None) -> ir.Table:
    """Which accounts are open again at a month end up to `last` (and after `after`), having been closed at the row before?

    One row per account and such month end: again_key, again_on, restored_minor (owed at the last month end at which it was open before; empty
    where there is none).
    """
    ends = book.table("month_end").select("account_key", "month_end", "status", "balance_minor")
    ends = ends.filter(ends.month_end <= ibis.literal(last))
    closed = ends.filter(ends.status != "open").group_by(closed_key="account_key").agg(closed_on=ibis._.month_end.min())
    recent = ends.filter(ends.month_end > ibis.literal(after)) if after else ends
    now = recent.filter(recent.status == "open")
    again = now.inner_join(closed, [("account_key", "closed_key")]).filter(lambda row: row.month_end > row.closed_on)
    # Few accounts come back: only theirs are put in order.
    mine = ends.semi_join(again.select("account_key").distinct(), "account_key")
    order = ibis.window(group_by=mine.account_key, order_by=mine.month_end)
    rows = mine.mutate(before=mine.status.lag().over(order))
    back = rows.filter(rows.status == "open", rows.before != "open").semi_join(recent, ["account_key", "month_end"])
    back = back.select(again_key="account_key", again_on="month_end")
    earlier = mine.filter(mine.status == "open").select(of_account="account_key", stood_on="month_end", stood_minor="balance_minor")
    joined = back.left_join(earlier, [back.again_key == earlier.of_account, earlier.stood_on < back.again_on])
    return joined.group_by("again_key", "again_on").agg(restored_minor=owed(joined.stood_minor.argmax(joined.stood_on)))


def lasting_exits(month_end: ir.Table) -> ir.Table:
    """The month ends (columns as `month_end`) at which an account was closed and stayed so: no later one says that it is open again."""
    still = month_end.filter(month_end.status == "open").group_by(still_key="account_key").agg(open_until=ibis._.month_end.max())
    closed = month_end.filter(month_end.status != "open").left_join(still, [("account_key", "still_key")])
    lasting = closed.filter(closed.open_until.isnull() | (closed.open_until < closed.month_end))
    return lasting.select(*month_end.columns)
