"""Money in: what is left of each payment, which postings count, whose they are, and what cannot be told apart.

One definition for every measure. A reversal names the posting it takes back, which may be a reversal itself; followed to the end the links
lead to a payment. All of them together are one payment: its amount is their sum, its day and whether it counts are the payment's own. So a
reversal restates the day on which the money seemed to come in, from its own day on (before that it was not known); it may take back a part.
Amounts below 0 that name no posting are money paid out: sums take them on their own day (`cash`), and what is counted by payment, such as
payers, promises kept or new money, looks at what they leave of the account's payments before them, the latest first (`payments`).
"""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.book.tables.debts import MOST_LINKS
from collect_analysis.measures.scopes import within

# `stayed_minor` is what `payments` counts.
KEPT = ("payment_key", "account_key", "value_date", "amount_minor", "stayed_minor")


def cash(book: Book, kept: ir.Table | None = None) -> ir.Table:
    """What money came in? One row per eligible payment with what its reversals left of it, and per amount paid out that names no posting.

    Columns as table `payment`; `amount_minor` is net, never 0, below 0 where money went out. `kept`: the same as `kept_cash`, where somebody
    has computed it for several.
    """
    if kept is not None:
        return kept
    payment = book.table("payment")
    back = _links(payment).group_by("origin_key").agg(back_minor=ibis._.linked_minor.sum())
    counted = payment.filter(payment.eligible, payment.reversal_of.isnull())
    joined = counted.left_join(back, [("payment_key", "origin_key")])
    net = joined.mutate(amount_minor=(joined.amount_minor + joined.back_minor.fill_null(0)).cast("int64"))
    return net.filter(net.amount_minor != 0).select(*payment.columns)


def kept_cash(book: Book) -> ir.Table:
    """The money of all days with the columns `KEPT`: what most relations look up."""
    return _with_stayed(cash(book)).select(*KEPT)


def payments(book: Book, kept: ir.Table | None = None) -> ir.Table:
    """Which payments stayed? As `cash`, of each payment what is left after all that went out of its account later; none below 1.

    An amount paid out that names no posting is taken from the payments before it, the latest first; what exceeds them all is taken from none.
    """
    known = _with_stayed(cash(book)) if kept is None else kept
    stayed = known.filter(known.stayed_minor > 0)
    return stayed.mutate(amount_minor=stayed.stayed_minor)


def linked(book: Book) -> ir.Table:
    """Every posting beside the payment it belongs to: itself, or the one at the end of its links.

    Columns as table `payment`, and origin_key, origin_day, counts (that payment's value date and whether it is eligible); empty where the
    links lead to no payment in the book.
    """
    payment = book.table("payment")
    link = _links(payment).select("linked_key", "origin_key")
    joined = payment.left_join(link, [("payment_key", "linked_key")])
    belongs = ibis.ifelse(joined.reversal_of.isnull(), joined.payment_key, joined.origin_key)
    row = joined.mutate(belongs_to=belongs).drop("linked_key", "origin_key")
    origin = payment.filter(payment.reversal_of.isnull())
    origin = origin.select(origin_key="payment_key", origin_day="value_date", counts="eligible")
    return row.left_join(origin, [("belongs_to", "origin_key")]).drop("belongs_to")


def _links(payment: ir.Table) -> ir.Table:
    """Every reversal with the posting at the end of its links: linked_key, linked_minor, origin_key.

    Each step looks further from where the step before arrived, so that the reach doubles. Links that go in a circle arrive at a reversal, which
    is no payment: they count nowhere (the intake sets them aside).
    """
    reversal = payment.filter(payment.reversal_of.notnull())
    at = reversal.select(linked_key="payment_key", linked_minor="amount_minor", origin_key="reversal_of")
    for _ in range(MOST_LINKS.bit_length() - 1):
        further = at.select(from_key="linked_key", to_key="origin_key")
        joined = at.view().left_join(further, [("origin_key", "from_key")])
        at = joined.select("linked_key", "linked_minor", origin_key=ibis.coalesce(joined.to_key, joined.origin_key))
    return at


def _with_stayed(net: ir.Table) -> ir.Table:
    """The rows of `cash` with stayed_minor: what the amounts paid out of the account later left of each payment.

    Over the running sum of an account a payment fills the levels from the sum before it to the sum after it; what went out later lowers the
    sum, and the levels below the lowest sum from then on are still full.
    """
    out = net.filter(net.amount_minor < 0).select("account_key").distinct()
    touched = net.semi_join(out, "account_key")
    order = [touched.value_date, touched.amount_minor < 0, touched.payment_key]
    running = touched.mutate(level=touched.amount_minor.sum().over(ibis.cumulative_window(group_by=touched.account_key, order_by=order)))
    order = [running.value_date, running.amount_minor < 0, running.payment_key]
    lowest = running.level.min().over(ibis.window(group_by=running.account_key, order_by=order, rows=(0, None)))
    left = running.mutate(stayed_minor=ibis.greatest(lowest - (running.level - running.amount_minor), 0).cast("int64"))
    # An amount paid out fills nothing: the sum before it lies above the sum after it.
    stayed = left.select(stayed_key="payment_key", stayed_minor="stayed_minor")
    joined = net.left_join(stayed, [("payment_key", "stayed_key")])
    return joined.mutate(stayed_minor=ibis.coalesce(joined.stayed_minor, joined.amount_minor)).drop("stayed_key")


def postings(book: Book, *, start: date, end: date) -> pd.DataFrame:
    """What became of every posting of the period, so that nothing is lost between the feed and the KPI?

    A posting stands in the period in which it counts: a reversal in that of the payment it takes back. Columns: kind, rows, amount_minor.
    Kinds: counted (payments), taken_back (of them, below 0), paid_out (below 0 without a link), not_eligible (with what takes them back),
    no_original (the links lead to no payment; on their own day). Sorted by kind; counted + taken_back + paid_out is what was collected (R1).
    """
    row = linked(book)
    inside = row.filter(within(ibis.coalesce(row.origin_day, row.value_date), start, end))
    kind = ibis.cases(
        (inside.origin_key.isnull(), "no_original"),
        (~inside.counts, "not_eligible"),
        (inside.reversal_of.notnull(), "taken_back"),
        (inside.amount_minor < 0, "paid_out"),
        else_="counted",
    )
    marked = inside.mutate(kind=kind)
    table = marked.group_by("kind").agg(rows=marked.count(), amount_minor=marked.amount_minor.sum().cast("int64"))
    return book.frame(table).sort_values("kind", ignore_index=True)


def collected_by_hand(book: Book, *, start: date, end: date) -> int:
    """What did the postings of a period bring, added up without any of the relations above?

    Eligible postings that take nothing back, by their own day, and every reversal followed link by link to its payment: another way to the
    figure of R1, for the check that nothing is lost or multiplied.
    """
    payment = book.table("payment")
    own = payment.filter(payment.eligible, payment.reversal_of.isnull(), within(payment.value_date, start, end))
    total = int(str(book.scalar(own.amount_minor.sum().fill_null(0).cast("int64"))))
    back = payment.filter(payment.reversal_of.notnull()).select("payment_key", "reversal_of", "amount_minor")
    reversals = book.frame(back)
    if reversals.empty:
        return total
    named = payment.semi_join(back, [("payment_key", "reversal_of")])
    counted = named.filter(named.eligible, named.reversal_of.isnull(), within(named.value_date, start, end))
    paid = set(book.frame(counted.select("payment_key"))["payment_key"])
    links = dict(zip(reversals["payment_key"], reversals["reversal_of"], strict=True))
    for key, amount in zip(reversals["payment_key"], reversals["amount_minor"], strict=True):
        at, steps = key, 0
        while at in links and steps <= MOST_LINKS:
            at, steps = links[at], steps + 1
        total += int(amount) if at in paid else 0
    return total


def repeated_postings(book: Book, *, start: date, end: date) -> pd.DataFrame:
    """Which counted money looks posted twice? Same account, day, amount and reference (a posting without reference is never suspected).

    Columns of the one row: rows (postings beyond the first of each group), amount_minor (their money).
    """
    counted = cash(book)
    period = counted.filter(within(counted.value_date, start, end), counted.reference.notnull())
    groups = period.group_by("account_key", "value_date", "amount_minor", "reference").agg(times=period.count())
    again = groups.filter(groups.times > 1)
    total = again.agg(
        rows=(again.times - 1).sum().fill_null(0).cast("int64"),
        amount_minor=((again.times - 1) * again.amount_minor).sum().fill_null(0).cast("int64"),
    )
    return book.frame(total)
