"""Promises entered for what had happened already: for money that was there, for a day before they were made."""

from collections.abc import Sequence

import ibis
import pandas as pd

from collect_analysis.agencies.integrity_rows import as_share, not_asked
from collect_analysis.book.presence import absent
from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import count_of, within

# Money is compared in whole minor units: shares of a promise in ten-thousandths.
_TEN_THOUSAND = 10_000


def parts(book: Book, period: Period, units: Sequence[str], windows: KpiWindows, *, days: int) -> list[pd.DataFrame]:
    """Rows of the tests backdated (a rule) and promise_after_payment, of the promises the units made in the period.

    Backdated: due before the day it was made, or made on a day before that of the contact it names. After payment: one posting of at least
    the share that keeps a promise had come in the `days` before the day it was made. money_minor: promised.
    """
    if why := absent(book, ("promise",)):
        return not_asked(("backdated", "promise_after_payment"), why)
    promise = book.table("promise")
    made = promise.filter(within(promise.made_ts, period.start, period.end), promise.unit_key.isin(list(units)))
    made = made.select("promise_key", "account_key", "unit_key", "amount_minor", "due_date", event="event_key", day=made.made_ts.date())
    contact = book.table("contact").select(of_event="event_key", spoken=lambda rows: rows.local_ts.date())
    rows = made.left_join(contact, [made.event == contact.of_event])
    turned = (rows.due_date < rows.day) | (rows.spoken > rows.day).fill_null(False)
    backdated = rows.group_by("unit_key").agg(
        observed=count_of(turned), trials=rows.count(), money=ibis.ifelse(turned, rows.amount_minor, 0).sum().cast("int64")
    )
    counted = payments(book).select(on_account="account_key", paid="amount_minor", value_date="value_date")
    pairs = made.inner_join(counted, [made.account_key == counted.on_account])
    enough = pairs.paid * _TEN_THOUSAND >= pairs.amount_minor * round(windows.kept_threshold * _TEN_THOUSAND)
    earliest = (pairs.day - ibis.interval(days=days)).cast("date")
    there = pairs.filter(enough, pairs.value_date < pairs.day, pairs.value_date >= earliest).select(there_key="promise_key").distinct()
    joined = made.left_join(there, [made.promise_key == there.there_key])
    known = joined.there_key.notnull()
    after = joined.group_by("unit_key").agg(
        observed=count_of(known), trials=joined.count(), money=ibis.ifelse(known, joined.amount_minor, 0).sum().cast("int64")
    )
    found = []
    unpaid = absent(book, ("payment",), period.month_starts)
    for test, sums in (("backdated", backdated), ("promise_after_payment", after)):
        if unpaid and test == "promise_after_payment":
            found += not_asked([test], unpaid)
            continue
        frame = book.frame(sums).sort_values("unit_key", ignore_index=True)
        found.append(as_share(frame, test).assign(money_minor=frame["money"].to_numpy(float)))
    return found
