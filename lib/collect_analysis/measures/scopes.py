"""Whose result it is: the holder of each account in a period, and the scopes results are told by."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Directory:
    """Whose an account is and where a unit belongs, on one day: what gives facts the columns results are told by.

    `accounts`: account_key, customer_key, portfolio_code, original_minor. `units`: unit_key, sub_function, tariff_id; one row per unit even
    if two intervals overlap, so that no join multiplies money.
    """

    accounts: ir.Table
    units: ir.Table

    @classmethod
    def of(cls, book: Book, day: date) -> "Directory":
        """The directory of a book on a day."""
        return cls(accounts_of(book), units_on(book, day))

    def describe(self, facts: ir.Table, **more: str) -> ir.Table:
        """Facts that name an account, a unit and an officer, with the scopes: keeps every row and every other column.

        Adds cluster_key (the debtor; the account where the book does not know it), portfolio_code and sub_function; what is empty becomes
        `unassigned`. `more` names further columns of `accounts` to add.
        """
        known = self.accounts.rename(on_account="account_key")
        units = self.units.select(of_unit="unit_key", in_sub_function="sub_function")
        others = [name for name in facts.columns if name not in FACT_SCOPES]
        joined = facts.view().left_join(known, [("account_key", "on_account")]).left_join(units, [("unit_key", "of_unit")])
        scopes = {
            "cluster_key": ibis.coalesce(joined.customer_key, joined.account_key),
            "portfolio_code": ibis.coalesce(joined.portfolio_code, UNASSIGNED),
            "sub_function": ibis.coalesce(joined.in_sub_function, UNASSIGNED),
            "unit_key": ibis.coalesce(joined.unit_key, UNASSIGNED),
            "officer_key": ibis.coalesce(joined.officer_key, UNASSIGNED),
        }
        return joined.select(*others, **scopes, **{name: joined[column] for name, column in more.items()})


def accounts_of(book: Book) -> ir.Table:
    """Whose each account is: what a `Directory` knows of accounts."""
    return book.table("account").select("account_key", "customer_key", "portfolio_code", "original_minor")


def units_on(book: Book, day: date) -> ir.Table:
    """Where each unit belongs on a day: what a `Directory` knows of units."""
    unit, on = book.table("unit"), ibis.literal(day)
    valid = unit.filter(unit.valid_from <= on, (unit.valid_to > on) | unit.valid_to.isnull())
    return valid.group_by("unit_key").agg(sub_function=valid.sub_function.max(), tariff_id=valid.tariff_id.max())


def holders(ends: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """Which accounts did the period start with or receive, and who was in charge of each?

    `ends` is the table of `flow.month_ends` around the period. One row per account: open at the month end before the period (held by
    the unit and officer of that month end, balance of that day), or entered within it (unit and officer of its first month end, balance on
    entry), or closed at that month end and open again within the period (balance when it was last open). Accounts that leave stay in: recalls
    and exits do not shrink a denominator.
    Columns: account_key, the scopes, opening_minor.
    """
    at_opening = ends.filter(ends.month_end == ibis.literal(period.opening))
    inside = ends.filter(ends.month_end > ibis.literal(period.opening), ends.month_end <= ibis.literal(period.end))
    new = inside.anti_join(at_opening, "account_key")
    again = inside.filter(inside.status == "open").semi_join(at_opening.filter(at_opening.status != "open"), "account_key")
    entered = new.union(again)
    first = ibis.row_number().over(group_by=entered.account_key, order_by=entered.month_end)
    entered = entered.mutate(place=first).filter(lambda rows: rows.place == 0)
    columns = ("account_key", "unit_key", "officer_key", "balance_minor", "restored_minor")
    stock = at_opening.filter(at_opening.status == "open").select(*columns, entered=ibis.literal(False))
    both = stock.union(entered.select(*columns, entered=ibis.literal(True)))
    held = directory.describe(both, on_entry="original_minor")
    on_entry = ibis.coalesce(held.restored_minor, held.on_entry, held.balance_minor)
    opening = ibis.ifelse(held.entered, on_entry, held.balance_minor)
    return held.select("account_key", *FACT_SCOPES, opening_minor=opening)


def owed(balance: ir.IntegerValue) -> ir.IntegerValue:
    """What is owed at a balance: nothing where it is a credit. Weights and denominators count debts; an overpaid account has none."""
    return ibis.greatest(balance, ibis.literal(0, "int64"))


def within(column: ir.Column, start: date, end: date) -> ir.BooleanColumn:
    """Whether a day, or the day of a timestamp, lies from `start` to `end`, both inclusive; written so that the engine can skip data."""
    after = ibis.literal(end + date.resolution)
    if column.type().is_timestamp():
        return (column >= ibis.literal(start).cast("timestamp(6)")) & (column < after.cast("timestamp(6)"))
    return (column >= ibis.literal(start)) & (column < after)


def count_of(condition: ir.BooleanValue) -> ir.IntegerScalar:
    """How many rows meet a condition; 0 where none does."""
    return condition.fill_null(False).sum().fill_null(0).cast("int64")


def distinct_names(names: Mapping[str, str]) -> dict[str, str]:
    """What each key is called, so that no two are called alike: a name that several keys share is followed by the key.

    What is drawn or laid out by name must never put two units, or two portfolios, into one row.
    """
    times = Counter(names.values())
    return {key: name if times[name] == 1 else f"{name} ({key})" for key, name in names.items()}
