"""Money in: which postings count, whose they are, and what cannot be told apart."""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.scopes import within

KEPT = ("payment_key", "account_key", "value_date", "amount_minor")


def cash(book: Book, kept: ir.Table | None = None) -> ir.Table:
    """Which postings are money collected? Eligible ones that are no reversal and were not reversed: both rows of a reversed pair drop out.

    Columns as table `payment`, one row per posting. `kept`: the same with the columns `KEPT`, where somebody has computed it for several.
    """
    if kept is not None:
        return kept
    payment = book.table("payment")
    taken_back = payment.filter(payment.reversal_of.notnull()).select(payment_key=payment.reversal_of).distinct()
    return payment.filter(payment.eligible, payment.reversal_of.isnull()).anti_join(taken_back, "payment_key")


def postings(book: Book, *, start: date, end: date) -> pd.DataFrame:
    """What became of every posting of the period, so that nothing is lost between the feed and the KPI?

    Columns: kind (counted, not_eligible, reversed, reversal), rows, amount_minor. Sorted by kind; the kinds add up to all postings.
    """
    payment = book.table("payment")
    taken_back = payment.filter(payment.reversal_of.notnull()).select(undone=payment.reversal_of).distinct()
    period = payment.filter(within(payment.value_date, start, end))
    marked = period.left_join(taken_back, period.payment_key == taken_back.undone)
    kind = ibis.cases(
        (marked.reversal_of.notnull(), "reversal"),
        (marked.undone.notnull(), "reversed"),
        (~marked.eligible, "not_eligible"),
        else_="counted",
    )
    marked = marked.mutate(kind=kind)
    table = marked.group_by("kind").agg(rows=marked.count(), amount_minor=marked.amount_minor.sum().cast("int64"))
    return book.frame(table).sort_values("kind", ignore_index=True)


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
