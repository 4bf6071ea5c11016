"""Batches after cost: net-back (R6), present value (R16), and how much of a batch's cash its largest payers brought (R8)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.costs import commission_on, price_list, valid_on
from collect_analysis.measures.periods import KpiWindows, Period, month_end, month_start
from collect_analysis.measures.placements import months_between, placed
from collect_analysis.measures.scopes import Directory
from collect_analysis.methods.rates.rates import rate_table

DAYS_PER_YEAR = 365
TOP_SHARE = 100


def complete_batches(book: Book, period: Period, windows: KpiWindows) -> ir.Table:
    """The placements that complete age `liquidation_months` in the period; columns as `placements.placed`."""
    age = windows.liquidation_months
    return placed(book, start=month_start(period.start, -age), end=month_end(period.end, -age))


def cash_while_placed(book: Book, base: ir.Table, age: int, money: ir.Table | None = None) -> ir.Table:
    """What came in on each placement up to age `age`: decision_key, account_key, value_date, amount_minor, day (since placement).

    `money` is the table of `cash.kept_cash` where it is kept.
    """
    money = cash(book, money).select("account_key", "value_date", "amount_minor")
    joined = base.select("decision_key", "account_key", "from_date", "to_date").inner_join(money, "account_key")
    joined = joined.filter(
        joined.value_date >= joined.from_date,
        joined.to_date.isnull() | (joined.value_date < joined.to_date),
        months_between(joined.value_date, joined.from_date) <= age,
    )
    day = joined.value_date.delta(joined.from_date, unit="day")
    return joined.select("decision_key", "account_key", "value_date", "amount_minor", day=day)


@contextmanager
def net_placed_facts(
    book: Book, directory: Directory, period: Period, windows: KpiWindows, money: ir.Table | None = None
) -> Iterator[ir.Table]:
    """What did the batches that complete age m bring after cost, and what is it worth on the day of placement?

    One row per placement: the scopes (unit placed with), placed_minor, net_minor (cash while placed, less commission with its tax and less
    the unit's outbound contacts at their price), npv_minor (the same with each payment discounted by (1 + `discount_rate`) ^ (days / 365),
    rounded to the minor unit; costs are not discounted). What no tariff prices costs nothing here. `money` is
    the table of `cash.kept_cash` where it is kept. Use as `with net_placed_facts(...) as facts:`.
    """
    age = windows.liquidation_months
    with (
        book.materialized(complete_batches(book, period, windows)) as base,
        book.materialized(cash_while_placed(book, base, age, money)) as got,
        book.materialized(_net_placed(book, base, got, directory, period, windows)) as facts,
    ):
        yield facts


def _net_placed(book: Book, base: ir.Table, money: ir.Table, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    age = windows.liquidation_months
    present = (money.amount_minor / (ibis.literal(1 + windows.discount_rate) ** (money.day / DAYS_PER_YEAR))).round().cast("int64")
    valued = money.mutate(present_minor=present)
    got = valued.group_by(got_key="decision_key").agg(
        liquidated_minor=valued.amount_minor.sum().cast("int64"), present_minor=valued.present_minor.sum().cast("int64")
    )
    charged = commission_on(book, money.drop("day"), directory.units, until=period.end)
    fee = charged.filter(charged.priced).group_by(fee_key="decision_key").agg(fee_minor=lambda rows: rows.cost_minor.sum().cast("int64"))
    spent = _contacts_priced(book, base, age, month_start(period.start, -age), period.end)
    joined = (
        base.left_join(got, [base.decision_key == got.got_key])
        .left_join(fee, [base.decision_key == fee.fee_key])
        .left_join(spent, [base.decision_key == spent.spent_key])
    )
    cost = joined.fee_minor.fill_null(0) + joined.spent_minor.fill_null(0)
    facts = joined.select(
        "account_key", "unit_key",
        officer_key=ibis.null("string"),
        placed_minor=joined.balance_minor,
        net_minor=joined.liquidated_minor.fill_null(0) - cost,
        npv_minor=joined.present_minor.fill_null(0) - cost,
    )  # fmt: skip
    return directory.describe(facts)


def _contacts_priced(book: Book, base: ir.Table, age: int, first: date, last: date) -> ir.Table:
    """What the outbound contacts of the unit cost on its placements: spent_key, spent_minor."""
    contact = book.table("contact")
    day = contact.local_ts.date()
    out = contact.filter(contact.direction == "out", day >= ibis.literal(first), day <= ibis.literal(last))
    # Few of the accounts of a log were placed in one month: the others are left out before anything is counted.
    out = out.semi_join(base, "account_key").mutate(day=lambda rows: rows.local_ts.date())
    daily = out.group_by("account_key", "unit_key", "channel", "day").agg(times=out.count())
    price = price_list(book, "channel_event")
    priced = daily.inner_join(price, (daily.channel == price.priced) & valid_on(daily.day, price))
    window = base.select(spent_key="decision_key", on_account="account_key", with_unit="unit_key", begun="from_date", ended="to_date")
    joined = priced.inner_join(window, [priced.account_key == window.on_account, priced.unit_key == window.with_unit])
    inside = joined.filter(
        joined.day >= joined.begun, joined.ended.isnull() | (joined.day < joined.ended), months_between(joined.day, joined.begun) <= age
    )
    return inside.group_by("spent_key").agg(spent_minor=(inside.times * inside.price.fill_null(0)).sum().cast("int64"))


def top_share(book: Book, batches: ir.Table) -> pd.DataFrame:
    """Which share of the cash of each unit's batches came from the 1 % of accounts that paid most (R8)?

    `batches` is the table of `recovery.placed_facts`. Columns: unit_key, numerator (cash of the largest payers: one account in a hundred, at
    least one), denominator (cash; of an account that got back more than it paid: 0), value, low, high (NaN), cases (accounts placed),
    trimmed_minor (cash per account without them), note. Sorted by unit. Undefined: nothing was collected.
    """
    batches = batches.mutate(liquidated_minor=ibis.greatest(batches.liquidated_minor, 0))
    order = ibis.window(group_by=batches.unit_key, order_by=[batches.liquidated_minor.desc(), batches.account_key])
    whole = ibis.window(group_by=batches.unit_key)
    rows = batches.mutate(place=ibis.row_number().over(order), members=batches.count().over(whole))
    top = (rows.place == 0) | ((rows.place + 1) * TOP_SHARE <= rows.members)
    rows = rows.mutate(top_minor=ibis.ifelse(top, rows.liquidated_minor, 0), in_top=top.cast("int64"))
    found = book.frame(
        rows.group_by("unit_key").agg(
            numerator=rows.top_minor.sum().cast("int64"),
            denominator=rows.liquidated_minor.sum().cast("int64"),
            cases=rows.count(),
            top=rows.in_top.sum().cast("int64"),
        )
    )
    rest = found["cases"] - found["top"]
    found["trimmed_minor"] = (found["denominator"] - found["numerator"]) / rest.where(rest > 0)
    table = rate_table(found.assign(low=float("nan"), high=float("nan")), undefined="nothing was collected")
    alone = (table["note"] == "") & table["trimmed_minor"].isna()
    table.loc[alone, "note"] = "no account is left without the largest"
    columns = ["unit_key", "numerator", "denominator", "value", "low", "high", "cases", "trimmed_minor", "note"]
    return table.sort_values("unit_key", ignore_index=True)[columns]
