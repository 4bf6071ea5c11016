"""Settlements, waivers and plans: broken ones (F8), settlement percentage (R12), waiver ratio (R13), plan yield (R17)."""

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.scopes import FACT_SCOPES, Directory, within

BREAKABLE = ("settlement", "restructure", "plan")


def arrangement_facts(book: Book, held: ir.Table, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """Which arrangements whose window of `arrangement_days` ends in the period were broken within it (F8)?

    `held` is the table of `scopes.holders`. One row per arrangement that can be broken and was not cancelled: scopes of the holder, made (1),
    broken (0 or 1). The day it broke is status_date, else to_date; without either a broken one counts as broken in time.
    """
    window = timedelta(days=windows.arrangement_days)
    table = book.table("arrangement")
    made = table.filter(
        within(table.from_date, period.start - window, period.end - window), table.type.isin(BREAKABLE), table.status != "cancelled"
    )
    day = ibis.coalesce(made.status_date, made.to_date)
    in_time = day.isnull() | (day <= (made.from_date + ibis.interval(days=windows.arrangement_days)).cast("date"))
    marked = made.mutate(made=ibis.literal(1, "int64"), broken=((made.status == "broken") & in_time).cast("int64"))
    return _by_holder(marked, held, directory, ("made", "broken"))


def settlement_facts(book: Book, held: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """What did the settlements kept in the period bring of what they covered (R12)? Scopes of the holder, settled_minor, covered_minor.

    A settlement counts on status_date, else to_date, else from_date; one without an amount agreed is left out.
    """
    table = book.table("arrangement")
    kept = table.filter(table.type == "settlement", table.status == "kept", table.settled_minor.notnull())
    kept = kept.mutate(day=ibis.coalesce(kept.status_date, kept.to_date, kept.from_date))
    inside = kept.filter(within(kept.day, period.start, period.end))
    return _by_holder(inside, held, directory, ("settled_minor", "covered_minor"))


def waiver_facts(book: Book, cash_facts: ir.Table, held: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """What was waived, and what was collected (R13)? `cash_facts` is the table of `recovery.cash_facts`.

    Columns: the scopes of the holder, collected_minor, waived_minor (principal, interest and fees of arrangements that begin in the period
    and were not cancelled).
    """
    table = book.table("arrangement")
    begun = table.filter(within(table.from_date, period.start, period.end), table.status != "cancelled")
    parts = [begun[f"waived_{name}_minor"].fill_null(0) for name in ("principal", "interest", "fees")]
    waived = _by_holder(begun.mutate(waived_minor=parts[0] + parts[1] + parts[2]), held, directory, ("waived_minor",))
    zero = ibis.literal(0, "int64")
    # More paid out than in on an account is no part of what was paid and waived.
    money = cash_facts.select(*FACT_SCOPES, collected_minor=ibis.greatest(cash_facts.collected_minor, zero), waived_minor=zero)
    return money.union(waived.select(*FACT_SCOPES, collected_minor=zero, waived_minor="waived_minor"))


def plan_facts(book: Book, held: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """What was paid under the plans of the period, of the instalments fallen due to its end (R17)?

    Plans with a number of instalments and an amount that began by the end of the period and did not end before it. Instalments are equal and
    monthly: the k-th is due k - 1 months after the first day, in a shorter month on its last day. Columns: scopes of the holder, due_minor
    (rounded down to the minor unit), paid_minor (what stayed of the account's payments from the first day to the end of the period or of the
    plan; of several plans running on the day of a payment the one that began last gets it).
    """
    table = book.table("arrangement")
    running = table.filter(
        table.type == "plan", table.status != "cancelled", table.n_instalments.notnull(), table.settled_minor.notnull(),
        table.from_date <= ibis.literal(period.end), table.to_date.isnull() | (table.to_date >= ibis.literal(period.start)),
    )  # fmt: skip
    until = ibis.least(running.to_date.fill_null(ibis.literal(period.end)), ibis.literal(period.end))
    plans = running.mutate(until=until)
    # A plan of the 31st is due on the last day of a shorter month; every due day is counted from the first one.
    is_last_day = (plans.until + ibis.interval(days=1)).cast("date").day() == 1
    not_yet = (plans.until.day() < plans.from_date.day()) & ~is_last_day
    gone = months_between(plans.until, plans.from_date) - not_yet.cast("int64")
    fallen = ibis.least(ibis.greatest(gone + 1, ibis.literal(0)), plans.n_instalments).cast("int64")
    plans = plans.mutate(due_minor=(plans.settled_minor * fallen // plans.n_instalments).cast("int64"))
    money = payments(book).select("payment_key", payer="account_key", paid_on="value_date", amount_minor="amount_minor")
    pairs = plans.select("arrangement_key", "account_key", "from_date", "until").inner_join(money, [("account_key", "payer")])
    pairs = pairs.filter(pairs.paid_on >= pairs.from_date, pairs.paid_on <= pairs.until)
    last = ibis.row_number().over(group_by=pairs.payment_key, order_by=[pairs.from_date.desc(), pairs.arrangement_key])
    pairs = pairs.mutate(place=last).filter(lambda rows: rows.place == 0)
    paid = pairs.group_by(paid_key="arrangement_key").agg(paid_minor=pairs.amount_minor.sum().cast("int64"))
    joined = plans.left_join(paid, [plans.arrangement_key == paid.paid_key])
    whole = joined.select("account_key", "due_minor", paid_minor=joined.paid_minor.fill_null(0))
    return _by_holder(whole, held, directory, ("due_minor", "paid_minor"))


def _by_holder(rows: ir.Table, held: ir.Table, directory: Directory, columns: tuple[str, ...]) -> ir.Table:
    """Rows that name an account, with the scopes of who held it in the period."""
    holder = held.select(of_account="account_key", unit_key="unit_key", officer_key="officer_key")
    mine = rows.select("account_key", *columns)
    joined = mine.left_join(holder, [mine.account_key == holder.of_account]).drop("of_account")
    return directory.describe(joined)
