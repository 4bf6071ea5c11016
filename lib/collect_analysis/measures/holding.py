"""Who held an account on the day of its money: the placement in force, else who held it when the month began."""

from datetime import date

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.placements import placed

_LONG_AGO = date(1900, 1, 1)
_STOOD = ("unit_key", "officer_key")


def held_on_the_day(book: Book, paid: ir.Table, ends: ir.Table, *, until: date) -> ir.Table:
    """Who held the account of each payment on its value date?

    `paid`: payment_key, account_key, value_date, amount_minor; `ends`: month ends, from the one before the first payment on; `until`: last day
    of the payments. Of these the first that answers: the unit of the placement in force on the day; who held the account at the month end
    before it (if it was open then); who held it at the month end after it. A unit that the account was placed with in that month held it on
    the days of its placements only. Columns: account_key, amount_minor, unit_key, officer_key (of the month end that names the unit; both
    empty where nobody held it). Every payment has one row: credit neither loses nor doubles money.
    """
    month = _number(paid.value_date)
    rows = paid.mutate(month=month)
    on = placed(book, start=_LONG_AGO, end=until).select(of_account="account_key", with_unit="unit_key", begun="from_date", ended="to_date")
    pairs = rows.select("payment_key", "account_key", "value_date", "month").inner_join(on, [("account_key", "of_account")])
    covers = (pairs.value_date >= pairs.begun) & (pairs.ended.isnull() | (pairs.value_date < pairs.ended))
    touches = (_number(pairs.begun) <= pairs.month) & (pairs.ended.isnull() | (_number(pairs.ended) >= pairs.month))
    in_force = pairs.filter(covers).group_by(placed_payment="payment_key").agg(placed_unit=pairs.with_unit.max())
    bound = pairs.filter(touches).select(bound_payment="payment_key", bound_unit="with_unit").distinct()
    before = _stood(ends.filter(ends.status == "open"), "opening", months=1)
    after = _stood(ends, "closing", months=0)
    known = rows.left_join(in_force, [("payment_key", "placed_payment")])
    known = known.left_join(before, [("account_key", "opening_account"), ("month", "opening_month")])
    known = known.left_join(after, [("account_key", "closing_account"), ("month", "closing_month")])
    for when in ("opening", "closing"):
        known = _free(known, bound, when)
    unit = ibis.coalesce(known.placed_unit, known.opening_free, known.closing_free)
    officer = ibis.cases(
        (known.opening_unit_key == unit, known.opening_officer_key), (known.closing_unit_key == unit, known.closing_officer_key)
    )
    return known.select("account_key", "amount_minor", unit_key=unit, officer_key=officer)


def _stood(ends: ir.Table, when: str, *, months: int) -> ir.Table:
    """The holder at each month end, by the number of the month that lies `months` after it."""
    names = {f"{when}_{name}": ends[name] for name in _STOOD}
    return ends.select(**{f"{when}_account": ends.account_key, f"{when}_month": _number(ends.month_end) + months}, **names)


def _free(known: ir.Table, bound: ir.Table, when: str) -> ir.Table:
    """Adds `<when>_free`: the unit of that month end, unless placements of the month say on which days it held the account."""
    unit = f"{when}_unit_key"
    mine = bound.select(**{f"{when}_payment": bound.bound_payment, f"{when}_bound": bound.bound_unit})
    joined = known.left_join(mine, [("payment_key", f"{when}_payment"), (unit, f"{when}_bound")])
    free = ibis.ifelse(joined[f"{when}_bound"].isnull(), joined[unit], ibis.null("string"))
    return joined.mutate(**{f"{when}_free": free}).drop(f"{when}_payment", f"{when}_bound")


def _number(day: ir.DateValue) -> ir.IntegerValue:
    return day.year() * 12 + day.month()
