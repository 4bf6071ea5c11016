"""Digital messages and what followed them (C15)."""

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import Directory, count_of, within


def message_facts(
    book: Book, contacts: ir.Table, directory: Directory, period: Period, windows: KpiWindows, money: ir.Table | None = None
) -> ir.Table:
    """What became of the messages of the period? `contacts` is the table of `contact.contacts_of`, `money` that of `cash.kept_cash` where kept.

    One row per account, unit and officer with an outbound message in one of `message_channels`. Columns: scopes, sent, delivered, opened and
    open_known (messages whose opening the source records), clicked and click_known, paid (messages with cash of the account from their day to
    `self_pay_days` later).
    """
    message = contacts.filter(
        within(contacts.local_ts, period.start, period.end), contacts.direction == "out", contacts.channel.isin(windows.message_channels)
    )
    message = message.mutate(day=message.local_ts.date())
    last = period.end + timedelta(days=windows.self_pay_days)
    stayed = payments(book, money)
    paid_days = stayed.filter(within(stayed.value_date, period.start, last)).select(payer="account_key", paid_on="value_date").distinct()
    pairs = message.select("event_key", "account_key", "day").inner_join(paid_days, [("account_key", "payer")])
    until = (pairs.day + ibis.interval(days=windows.self_pay_days)).cast("date")
    followed = pairs.filter(pairs.paid_on >= pairs.day, pairs.paid_on <= until).select(followed_key="event_key").distinct()
    joined = message.left_join(followed, [message.event_key == followed.followed_key])
    counted = joined.group_by("account_key", "unit_key", "officer_key").agg(
        sent=joined.count(),
        delivered=count_of(joined.result == "delivered"),
        opened=count_of(joined.opened),
        open_known=count_of(joined.opened.notnull()),
        clicked=count_of(joined.clicked),
        click_known=count_of(joined.clicked.notnull()),
        paid=count_of(joined.followed_key.notnull()),
    )
    return directory.describe(counted)
