"""What collecting cost (R7), as far as a tariff prices it: channel events, officers' paid minutes, commission and the tax on it."""

from datetime import date

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.economics import commission_tiers
from collect_analysis.measures.periods import Period
from collect_analysis.measures.placements import months_between, placed
from collect_analysis.measures.scopes import FACT_SCOPES, UNASSIGNED, Directory, within

PRICED = {"channel_event": "contact", "officer_minute": "unit_day"}
_LONG_AGO = date(1900, 1, 1)


def cost_facts(
    book: Book, day_cash: ir.Table, contacts: ir.Table, directory: Directory, period: Period, money: ir.Table | None = None
) -> ir.Table:
    """What did each scope spend, and collect on the same days?

    `day_cash` is the table of `recovery.day_cash_facts`, `contacts` that of `contact.contacts_of`. Columns: the scopes, collected_minor (by the
    holder on the value date, who also earns the commission), cost_minor: outbound contacts by the unit that made them at the price of their
    channel, paid minutes by the unit of the officer's day at the price of the officer's role, commission and its tax by the agency that held
    the placement on the value date. What no tariff prices costs nothing here. `money` is the table of `cash.kept_cash` where it is kept.
    """
    zero = ibis.literal(0, "int64")
    collected = day_cash.select(*FACT_SCOPES, "collected_minor", cost_minor=zero)
    by_event = directory.describe(_events(book, contacts, period).union(_commission(book, directory, period, money)))
    spent = by_event.select(*FACT_SCOPES, collected_minor=zero, cost_minor="cost_minor")
    minutes = _minutes(book, directory, period).select(*FACT_SCOPES, collected_minor=zero, cost_minor="cost_minor")
    return ibis.union(collected, spent, minutes)


def price_list(book: Book, kind: str) -> ir.Table:
    """The tariff of a kind: priced (what), since, before (empty: still valid), price (minor units), rate."""
    tariff = book.table("tariff")
    return tariff.filter(tariff.kind == kind).select(
        priced="item", since="valid_from", before="valid_to", price="amount_minor", rate="rate"
    )


def priced_logs(book: Book) -> set[str]:
    """The logs of work that a tariff of the book prices: without one of them a cost that counts it would be too low."""
    kinds = book.frame(book.table("tariff").select("kind").distinct())["kind"]
    return {log for kind, log in PRICED.items() if kind in set(kinds)}


def valid_on(day: ir.DateValue, price: ir.Table) -> ir.BooleanValue:
    """Whether a price of `price_list` is valid on a day."""
    return (price.since <= day) & (price.before.isnull() | (day < price.before))


def _events(book: Book, contacts: ir.Table, period: Period) -> ir.Table:
    contact = contacts.filter(within(contacts.local_ts, period.start, period.end))
    out = contact.filter(contact.direction == "out").mutate(day=contact.local_ts.date())
    price = price_list(book, "channel_event")
    joined = out.inner_join(price, (out.channel == price.priced) & valid_on(out.day, price))
    return joined.group_by("account_key", "unit_key", "officer_key").agg(cost_minor=joined.price.fill_null(0).sum().cast("int64"))


def _minutes(book: Book, directory: Directory, period: Period) -> ir.Table:
    unit_day = book.table("unit_day")
    day = unit_day.filter(within(unit_day.date, period.start, period.end), unit_day.logged_min > 0)
    officer = book.table("officer").select(who="officer_key", role_from="valid_from", role_to="valid_to", role="role")
    known = day.inner_join(
        officer,
        (day.officer_key == officer.who) & (officer.role_from <= day.date) & (officer.role_to.isnull() | (day.date < officer.role_to)),
    ).select("officer_key", "unit_key", "date", "logged_min", "role")
    price, units = price_list(book, "officer_minute"), directory.units
    priced = known.inner_join(price, (known.role == price.priced) & valid_on(known.date, price))
    joined = priced.left_join(units, priced.unit_key == units.unit_key)
    return joined.select(
        cluster_key=priced.officer_key,
        portfolio_code=ibis.literal(UNASSIGNED),
        sub_function=ibis.coalesce(units.sub_function, UNASSIGNED),
        unit_key=priced.unit_key,
        officer_key=priced.officer_key,
        cost_minor=(priced.logged_min * priced.price.fill_null(0)).cast("int64"),
    )


def commission_on(book: Book, paid: ir.Table, units: ir.Table, *, until: date) -> ir.Table:
    """What does each payment cost in commission and the tax on it, by who held the account on placement on the day of the money?

    `paid`: account_key, value_date, amount_minor (further columns stay). `units`: unit_key, sub_function, tariff_id. `until`: last day on
    which a placement counts as made. Commission and tax are rounded to the minor unit per payment.
    Columns: those of `paid`, unit_key, chargeable (the holder has a tariff or is an agency), priced (a tariff was valid), cost_minor (0 where
    none was); payments outside any placement are left out.
    """
    base = placed(book, start=_LONG_AGO, end=until).select(
        placed_account="account_key", unit_key="unit_key", placed_on="from_date", ended_on="to_date"
    )
    held = paid.inner_join(base, paid.account_key == base.placed_account)
    held = held.filter(held.value_date >= held.placed_on, held.ended_on.isnull() | (held.value_date < held.ended_on))
    names = [*paid.columns, "unit_key"]
    held = held.select(*names, age=months_between(held.value_date, held.placed_on))
    own = units.select(of_unit="unit_key", in_sub_function="sub_function", charged_by="tariff_id")
    held = held.left_join(own, held.unit_key == own.of_unit)
    tiers, tax = commission_tiers(book), price_list(book, "tax").select("since", "before", tax_rate="rate")
    in_tier = (tiers.tier_from <= held.age) & (tiers.tier_to.isnull() | (held.age < tiers.tier_to))
    valid = (tiers.valid_from <= held.value_date) & (tiers.valid_to.isnull() | (held.value_date < tiers.valid_to))
    charged = held.left_join(tiers, (held.charged_by == tiers.tariff_id) & in_tier & valid)
    chargeable = charged.charged_by.notnull() | (charged.in_sub_function == "agency").fill_null(False)
    fee = (charged.amount_minor * charged.rate.fill_null(0.0)).round().cast("int64")
    charged = charged.select(*names, chargeable=chargeable, priced=charged.rate.notnull(), fee=fee)
    taxed = charged.left_join(tax, valid_on(charged.value_date, tax))
    cost = charged.fee + (charged.fee * taxed.tax_rate.fill_null(0.0)).round().cast("int64")
    return taxed.select(*names, "chargeable", "priced", cost_minor=cost)


def _commission(book: Book, directory: Directory, period: Period, money: ir.Table | None) -> ir.Table:
    """Commission of each payment of the period, with the tax on it."""
    counted = cash(book, money)
    paid = counted.filter(within(counted.value_date, period.start, period.end)).select("account_key", "value_date", "amount_minor")
    charged = commission_on(book, paid, directory.units, until=period.end)
    return charged.filter(charged.priced).select("account_key", "unit_key", officer_key=ibis.null("string"), cost_minor=charged.cost_minor)
