"""Whose contact brought the money (C12): the last right-party contact within the window, and what no contact explains."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.contact import is_right_party
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import FACT_SCOPES, UNASSIGNED, Directory, within
from collect_analysis.methods.rates.rates import rate_table

UNATTRIBUTED = "unattributed"


def attributed_cash(book: Book, contacts: ir.Table, period: Period, windows: KpiWindows, money: ir.Table | None = None) -> ir.Table:
    """Which right-party contact does each payment of the period that stayed (`cash.payments`) belong to?

    `contacts` is the table of `contact.contacts_of`, from `attribution_days` before the period; `money` that of `cash.kept_cash` where it is kept.

    The last one on the same account from `attribution_days` before the value date to the value date itself; of several at one time the one
    with the greatest event key. One row per payment: account_key, amount_minor, unit_key, officer_key, attributed (0 or 1). A payment is
    attributed once or not at all, so that attributed and unattributed cash add up to the total.
    """
    counted = payments(book, money)
    paid = counted.filter(within(counted.value_date, period.start, period.end))
    paid = paid.select("payment_key", "account_key", "amount_minor", "value_date")
    first = period.start - windows.attribution_days * (period.start - period.opening)
    contact = contacts.filter(within(contacts.local_ts, first, period.end))
    met = contact.filter(is_right_party(contact))
    day = met.local_ts.date()
    touch = met.select(
        "event_key", "local_ts", "unit_key", "officer_key",
        on_account=met.account_key,
        day=day,
        until=(day + ibis.interval(days=windows.attribution_days)).cast("date"),
    )  # fmt: skip
    pairs = paid.left_join(touch, [paid.account_key == touch.on_account, paid.value_date >= touch.day, paid.value_date <= touch.until])
    last = ibis.row_number().over(group_by=pairs.payment_key, order_by=[pairs.local_ts.desc(), pairs.event_key.desc()])
    chosen = pairs.mutate(place=last).filter(lambda rows: rows.place == 0)
    return chosen.select("account_key", "amount_minor", "unit_key", "officer_key", attributed=chosen.event_key.notnull().cast("int64"))


def attribution_facts(
    book: Book,
    contacts: ir.Table,
    work: ir.Table,
    directory: Directory,
    period: Period,
    windows: KpiWindows,
    money: ir.Table | None = None,
) -> ir.Table:
    """What did the contacts of each unit and officer bring? `work` is the table of `contact.work_facts`; `money`: as in `attributed_cash`.

    Columns: scopes of the actor, attempts, right_party (counts of the period), attributed_minor.
    """
    relevant = work.filter((work.attempts > 0) | (work.right_party > 0))
    paid = attributed_cash(book, contacts, period, windows, money)
    paid = paid.filter(paid.attributed == 1)
    zero = ibis.literal(0, "int64")
    brought = directory.describe(paid).select(*FACT_SCOPES, attempts=zero, right_party=zero, attributed_minor="amount_minor")
    return relevant.select(*FACT_SCOPES, "attempts", "right_party", attributed_minor=zero).union(brought)


def attribution(book: Book, contacts: ir.Table, period: Period, windows: KpiWindows) -> pd.DataFrame:
    """How much of the cash follows a right-party contact, by unit of that contact, and how much follows none?

    Columns: unit_key (`unassigned`: a contact without a unit; `unattributed`: the residual), numerator (cash), denominator (all cash of the
    period), value (share), cases (payments), note. Sorted by unit, residual last; the numerators add up to the denominator.
    """
    paid = attributed_cash(book, contacts, period, windows)
    paid = paid.mutate(unit_key=ibis.ifelse(paid.attributed == 1, paid.unit_key.fill_null(UNASSIGNED), UNATTRIBUTED))
    table = book.frame(paid.group_by("unit_key").agg(numerator=paid.amount_minor.sum().cast("int64"), cases=paid.count()))
    if UNATTRIBUTED not in set(table["unit_key"]):
        table.loc[len(table)] = {"unit_key": UNATTRIBUTED, "numerator": 0, "cases": 0}
    table = table.assign(
        denominator=table["numerator"].sum(), residual=table["unit_key"] == UNATTRIBUTED, low=float("nan"), high=float("nan")
    )
    table = rate_table(table, undefined="no cash in the period").sort_values(["residual", "unit_key"], ignore_index=True)
    return table[["unit_key", "numerator", "denominator", "value", "cases", "note"]]
