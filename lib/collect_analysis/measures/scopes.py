"""Whose result it is: the holder of each account in a period, and the scopes results are told by."""

from datetime import date

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import Period

# What belongs to no unit, officer or portfolio stays visible under this name, so that scopes add up to the company.
UNASSIGNED = "unassigned"
COMPANY = "all"
GRAINS = ("company", "portfolio", "sub_function", "unit", "officer")
# Not a scope anybody is in charge of, but one flow rates are read by.
BUCKET = "bucket"
# Column of a fact relation that holds the scope; the company needs none.
SCOPE_COLUMNS = {
    "portfolio": "portfolio_code",
    "sub_function": "sub_function",
    "unit": "unit_key",
    "officer": "officer_key",
    BUCKET: BUCKET,
}
FACT_SCOPES = ("cluster_key", "portfolio_code", "sub_function", "unit_key", "officer_key")


def holders(book: Book, period: Period) -> ir.Table:
    """Which accounts did the period start with or receive, and who was in charge of each?

    One row per account: open at the month end before the period (held by the unit and officer of that month end, balance of that day), or
    entered within it (unit and officer of its first month end, balance on entry). Accounts that leave stay in: recalls and exits do not
    shrink a denominator.
    Columns: account_key, cluster_key (the debtor), portfolio_code, sub_function, unit_key, officer_key, opening_minor.
    """
    ends = book.table("month_end")
    at_opening = ends.filter(ends.month_end == ibis.literal(period.opening))
    within = ends.filter(ends.month_end > ibis.literal(period.opening), ends.month_end <= ibis.literal(period.end))
    entered = within.anti_join(at_opening, "account_key")
    first = ibis.row_number().over(group_by=entered.account_key, order_by=entered.month_end)
    entered = entered.mutate(place=first).filter(lambda rows: rows.place == 0)
    columns = ("account_key", "unit_key", "officer_key", "balance_minor")
    stock = at_opening.filter(at_opening.status == "open").select(*columns, entered=ibis.literal(False))
    return _described(book, stock.union(entered.select(*columns, entered=ibis.literal(True))), period)


def _described(book: Book, held: ir.Table, period: Period) -> ir.Table:
    account, units = book.table("account"), unit_on(book, period.end)
    joined = held.left_join(account, held.account_key == account.account_key).left_join(units, held.unit_key == units.unit_key)
    on_entry = ibis.coalesce(account.original_minor, held.balance_minor)
    return joined.select(
        account_key=held.account_key,
        cluster_key=ibis.coalesce(account.customer_key, held.account_key),
        portfolio_code=ibis.coalesce(account.portfolio_code, UNASSIGNED),
        sub_function=ibis.coalesce(units.sub_function, UNASSIGNED),
        unit_key=ibis.coalesce(held.unit_key, UNASSIGNED),
        officer_key=ibis.coalesce(held.officer_key, UNASSIGNED),
        opening_minor=ibis.ifelse(held.entered, on_entry, held.balance_minor),
    )


def unit_on(book: Book, day: date) -> ir.Table:
    """How was each unit set up on a day? One row per unit: unit_key, sub_function, unit_type, tariff_id."""
    unit, on = book.table("unit"), ibis.literal(day)
    valid = unit.filter(unit.valid_from <= on, (unit.valid_to > on) | unit.valid_to.isnull())
    # One row per unit even if two intervals overlap: a join must not multiply money.
    return valid.group_by("unit_key").agg(
        sub_function=valid.sub_function.max(), unit_type=valid.unit_type.max(), tariff_id=valid.tariff_id.max()
    )


def by_actor(book: Book, facts: ir.Table, day: date) -> ir.Table:
    """Give facts that name an account and the unit and officer who acted the columns results are told by.

    Adds cluster_key, portfolio_code, sub_function; keeps every row and every other column; an empty unit or officer becomes `unassigned`.
    """
    account, units = book.table("account"), unit_on(book, day)
    others = [name for name in facts.columns if name not in ("unit_key", "officer_key")]
    joined = facts.left_join(account, facts.account_key == account.account_key).left_join(units, facts.unit_key == units.unit_key)
    return joined.select(
        *[facts[name] for name in others],
        cluster_key=ibis.coalesce(account.customer_key, facts.account_key),
        portfolio_code=ibis.coalesce(account.portfolio_code, UNASSIGNED),
        sub_function=ibis.coalesce(units.sub_function, UNASSIGNED),
        unit_key=ibis.coalesce(facts.unit_key, UNASSIGNED),
        officer_key=ibis.coalesce(facts.officer_key, UNASSIGNED),
    )


def within(column: ir.Column, start: date, end: date) -> ir.BooleanColumn:
    """Whether a day, or the day of a timestamp, lies from `start` to `end`, both inclusive; written so that the engine can skip data."""
    after = ibis.literal(end + date.resolution)
    if column.type().is_timestamp():
        return (column >= ibis.literal(start).cast("timestamp(6)")) & (column < after.cast("timestamp(6)"))
    return (column >= ibis.literal(start)) & (column < after)


def count_of(condition: ir.BooleanValue) -> ir.IntegerScalar:
    """How many rows meet a condition; 0 where none does."""
    return condition.fill_null(False).sum().fill_null(0).cast("int64")
