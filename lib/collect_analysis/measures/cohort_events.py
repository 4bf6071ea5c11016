"""What happened to the subjects of a cohort before and after the day of assignment, one row per subject or per payment."""

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.presence import absent, delivered
from collect_analysis.book.store import Book
from collect_analysis.measures.cash import linked
from collect_analysis.measures.contact import is_right_party
from collect_analysis.measures.periods import months_from
from collect_analysis.measures.scopes import owed
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.rates.levels import PAID_BEFORE_DAYS


def months_read(book: Book, assigned: ir.Table, days: int) -> tuple[date, ...]:
    """First days of the months from the first assignment to `days` days after the last, as far as the book knows."""
    span = book.frame(assigned.aggregate(first=assigned["assigned_on"].min(), last=assigned["assigned_on"].max())).iloc[0]
    if pd.isna(span["first"]):
        return ()
    first, last = (pd.Timestamp(day).date() for day in span)
    return months_from(first, min(last + timedelta(days=days), book.as_of))


def cash_delivered(book: Book, assigned: ir.Table, days: int) -> Condition:
    """The condition that the payments of all months were delivered in which the outcome is read, and of the days before assignment.

    It refuses where the horizon of the first is over and the book has no payment in any month of it: nobody would have paid. Before the first
    month of which the book has payments nothing is asked for.
    """
    months, known = months_read(book, assigned, days), book.months("payment")
    over = book.scalar(assigned["assigned_on"].min() <= ibis.literal(book.as_of - timedelta(days=days))) is True
    earlier = months_from(months[0] - timedelta(days=PAID_BEFORE_DAYS), months[0]) if months else ()
    asked = [month for month in (*earlier, *months) if month in months or month >= min(known, default=month)]
    nobody = over and not known & set(months)
    return delivered(absent(book, ("payment",), asked), consequence="refuse" if nobody else "downgrade")


def _days_since(event: ir.DateValue, assigned: ir.DateValue) -> ir.IntegerValue:
    return event.delta(assigned, unit="day")


def net_payments(book: Book) -> ir.Table:
    """Postings that count (`cash.linked`): account_key, paid_on, known_on, amount_minor.

    A reversal counts on the day of the payment it takes back, and is known on its own day.
    """
    posting = linked(book)
    counted = posting.filter(posting["counts"])
    return counted.select("account_key", "amount_minor", paid_on="origin_day", known_on="value_date")


def paid_within(book: Book, assigned: ir.Table, days: int) -> ir.Table:
    """Which cash came in from the day of assignment to `days` days after it? One row per payment: subject_key, cluster_key, arm, day,
    known_on, amount_minor.
    """
    payments = net_payments(book)
    joined = assigned.join(payments, assigned["subject_key"] == payments["account_key"])
    joined = joined.mutate(day=_days_since(joined["paid_on"], joined["assigned_on"]))
    inside = joined.filter(joined["day"] >= 0, joined["day"] <= days)
    return inside.select("subject_key", "cluster_key", "arm", "day", "known_on", "amount_minor")


def paid_before(book: Book, assigned: ir.Table) -> ir.Table:
    """How much did each subject pay in the 90 days before assignment? Columns: subject_key, paid_before (minor units)."""
    payments = net_payments(book)
    joined = assigned.join(payments, assigned["subject_key"] == payments["account_key"])
    day = _days_since(joined["paid_on"], joined["assigned_on"])
    before = joined.filter(day < 0, day >= -PAID_BEFORE_DAYS)
    return before.group_by("subject_key").aggregate(paid_before=before["amount_minor"].sum().cast("int64"))


def contacts_within(book: Book, assigned: ir.Table, days: int) -> ir.Table:
    """The contacts from the day of assignment to `days` days after it, with the columns of `assigned` beside those of table `contact`."""
    contact = book.table("contact")
    joined = assigned.join(contact, assigned["subject_key"] == contact["account_key"])
    day = _days_since(joined["local_ts"].date(), joined["assigned_on"])
    return joined.filter(day >= 0, day <= days)


def contact_doses(book: Book, assigned: ir.Table, days: int) -> ir.Table:
    """How much was each subject worked? Columns: subject_key, outbound_contacts, right_party_contacts, agent_minutes (talk and wrap)."""
    inside = contacts_within(book, assigned, days)
    seconds = inside["talk_s"].fill_null(0) + inside["wrap_s"].fill_null(0)
    return inside.group_by("subject_key").aggregate(
        outbound_contacts=(inside["direction"] == "out").sum().cast("int64"),
        right_party_contacts=(is_right_party(inside) & (inside["direction"] == "out")).sum().cast("int64"),
        agent_minutes=seconds.sum(where=inside["officer_key"].notnull()).fill_null(0).cast("float64") / 60,
    )


def ticket_counts(book: Book, assigned: ir.Table, days: int) -> ir.Table:
    """How often did each subject complain or dispute? Columns: subject_key, complaints, disputes (tickets opened)."""
    ticket = book.table("ticket")
    joined = assigned.join(ticket, assigned["subject_key"] == ticket["account_key"])
    day = _days_since(joined["opened_ts"].date(), joined["assigned_on"])
    inside = joined.filter(day >= 0, day <= days)
    return inside.group_by("subject_key").aggregate(
        complaints=(inside["type"] == "complaint").sum().cast("int64"),
        disputes=(inside["type"] == "dispute").sum().cast("int64"),
    )


def standing_before(book: Book, assigned: ir.Table) -> ir.Table:
    """How did each subject stand before assignment? Last month end before it, and the figures of entry.

    Columns: subject_key, balance (minor units; the one the decision logged, else of the month end, else of entry), bucket (empty for an
    account that had no month end yet), entry_balance (minor units), entry_score.
    """
    month_end, account = book.table("month_end"), book.table("account")
    joined = assigned.join(month_end, assigned["subject_key"] == month_end["account_key"])
    earlier = joined.filter(joined["month_end"] < joined["assigned_on"])
    last = earlier.group_by("subject_key").aggregate(
        bucket=earlier["bucket"].argmax(earlier["month_end"]), closing_minor=owed(earlier["balance_minor"].argmax(earlier["month_end"]))
    )
    entry = assigned.left_join(account, assigned["subject_key"] == account["account_key"])
    known = entry.left_join(last, "subject_key")
    return known.select(
        subject_key=known["subject_key"],
        balance=ibis.coalesce(known["decided_balance_minor"], known["closing_minor"], known["original_minor"]),
        bucket=known["bucket"],
        entry_balance=known["original_minor"],
        entry_score=known["score_at_entry"],
    )
