"""Recovery money by holder: what the accounts of a period owed and paid (R1, R1-day, R3, R9, R10, R11), batches at equal age (R2, R8), targets (R14)."""

from collections.abc import Sequence
from datetime import timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.batches import cash_while_placed, complete_batches
from collect_analysis.measures.cash import kept_cash, payments
from collect_analysis.measures.holding import held_on_the_day
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import COMPANY, FACT_SCOPES, Directory, within


def cash_facts(book: Book, held: ir.Table, directory: Directory, period: Period, money: ir.Table | None = None) -> ir.Table:
    """What did each account owe and pay? `held` is the table of `scopes.holders`, `money` that of `cash.kept_cash` where it is kept.

    One row per account that was assigned in the period or paid in it. Columns: the scopes of its holder (`unassigned` where nobody held
    it), assigned (1 if assigned), opening_minor, collected_minor (below 0 where more went out than came in), payer (1 if a payment of the
    period stayed), assigned_payer (0 or 1).
    """
    counted = kept_cash(book) if money is None else money
    inside = counted.filter(within(counted.value_date, period.start, period.end))
    paid = inside.group_by("account_key").agg(
        collected_minor=inside.amount_minor.sum().cast("int64"), paid=(inside.stayed_minor.max() > 0).cast("int64")
    )
    joined = held.left_join(paid, held.account_key == paid.account_key)
    assigned = joined.select(
        *[held[name] for name in FACT_SCOPES],
        held.opening_minor,
        assigned=ibis.literal(1, "int64"),
        collected_minor=paid.collected_minor.fill_null(0),
        payer=paid.paid.fill_null(0),
        assigned_payer=paid.paid.fill_null(0),
    )
    return assigned.union(_unheld(paid.anti_join(held, "account_key"), directory))


def day_cash_facts(
    book: Book, held: ir.Table, ends: ir.Table, directory: Directory, period: Period, money: ir.Table | None = None
) -> ir.Table:
    """What did each account pay while whom held it? The same money as in `cash_facts`, credited to the holder on the value date.

    `ends` is the table of `flow.month_ends`; `held`, `money`: as in `cash_facts`. One row per account and holder on a day with money, and one
    per account assigned, which may have paid nothing. Columns: the scopes (`holding.held_on_the_day`; `unassigned` where nobody held it),
    collected_minor.
    """
    counted = kept_cash(book) if money is None else money
    inside = counted.filter(within(counted.value_date, period.start, period.end))
    paid = held_on_the_day(book, inside.select("payment_key", "account_key", "value_date", "amount_minor"), ends, until=period.end)
    sums = paid.group_by("account_key", "unit_key", "officer_key").agg(collected_minor=paid.amount_minor.sum().cast("int64"))
    assigned = held.select(*FACT_SCOPES, collected_minor=ibis.literal(0, "int64"))
    return assigned.union(directory.describe(sums).select(*FACT_SCOPES, "collected_minor"))


def _unheld(paid: ir.Table, directory: Directory) -> ir.Table:
    """Cash on accounts that nobody held in the period: it is in the total, and visible."""
    nobody = paid.mutate(unit_key=ibis.null("string"), officer_key=ibis.null("string"))
    zero = ibis.literal(0, "int64")
    described = directory.describe(nobody)
    return described.select(
        *FACT_SCOPES,
        opening_minor=zero,
        assigned=zero,
        collected_minor=described.collected_minor,
        payer=described.paid,
        assigned_payer=zero,
    )


def placed_facts(book: Book, directory: Directory, period: Period, windows: KpiWindows, money: ir.Table | None = None) -> ir.Table:
    """What did the batches that complete age m in the period bring, of what was placed?

    One row per placement made m months before a month of the period. Columns: account_key, the scopes (unit placed with), placed_minor,
    placed_accounts (1), liquidated_minor (cash while placed, ages 0 to m). Recalled and returned accounts stay in. `money`: as in
    `cash_facts`.
    """
    base = complete_batches(book, period, windows)
    got = cash_while_placed(book, base, windows.liquidation_months, money)
    paid = got.group_by("decision_key").agg(liquidated_minor=got.amount_minor.sum().cast("int64"))
    facts = base.left_join(paid, "decision_key").select(
        "account_key",
        "unit_key",
        officer_key=ibis.null("string"),
        placed_minor=base.balance_minor,
        placed_accounts=ibis.literal(1, "int64"),
        liquidated_minor=paid.liquidated_minor.fill_null(0),
    )
    return directory.describe(facts)


def money_age_facts(
    book: Book, held: ir.Table, directory: Directory, period: Period, windows: KpiWindows, money: ir.Table | None = None
) -> ir.Table:
    """How much of the cash came from accounts that had paid nothing in the `new_money_days` days before it (R11)?

    Money is what stayed of payments (`cash.payments`), on both sides. One row per account and day with a payment: scopes of the holder
    (`unassigned` where nobody held it), collected_minor, new_minor.
    `money`: as in `cash_facts`.
    """
    counted = payments(book, money)
    since = period.start - timedelta(days=windows.new_money_days)
    recent = counted.filter(within(counted.value_date, since, period.end))
    daily = recent.group_by("account_key", "value_date").agg(collected_minor=recent.amount_minor.sum().cast("int64"))
    order = ibis.window(group_by=daily.account_key, order_by=daily.value_date)
    marked = daily.mutate(before=daily.value_date.lag().over(order))
    inside = marked.filter(within(marked.value_date, period.start, period.end))
    gap = inside.value_date.delta(inside.before, unit="day")
    is_new = inside.before.isnull() | (gap > windows.new_money_days)
    paid = inside.mutate(new_minor=ibis.ifelse(is_new, inside.collected_minor, 0))
    holder = held.select(of_account="account_key", unit_key="unit_key", officer_key="officer_key")
    mine = paid.select("account_key", "collected_minor", "new_minor")
    return directory.describe(mine.left_join(holder, [mine.account_key == holder.of_account]).drop("of_account"))


def targets(book: Book, period: Period, *, grains: Sequence[str]) -> pd.DataFrame:
    """What was signed for exactly this period? The highest approved version per scope and KPI.

    Columns: kpi, scope_type, scope_key, target (in the KPI's unit, money in minor units), target_version. Sorted.
    """
    target = book.table("target")
    approved = target.filter(
        target.status == "approved",
        target.period_start == ibis.literal(period.start),
        target.period_end == ibis.literal(period.end),
        target.scope_type.isin(list(grains)),
    )
    latest = ibis.row_number().over(
        group_by=[approved.kpi, approved.scope_type, approved.scope_key], order_by=[approved.version.desc(), approved.value]
    )
    rows = approved.mutate(place=latest).filter(lambda signed: signed.place == 0)
    frame = book.frame(rows.select("kpi", "scope_type", "scope_key", target=rows.value, target_version=rows.version))
    return frame.sort_values(["kpi", "scope_type", "scope_key"], ignore_index=True)


def attainment(collected: pd.DataFrame, signed: pd.DataFrame, *, unit: str, undefined: str) -> pd.DataFrame:
    """How much of its target did each scope collect (R14)? The target is taken as fixed: the interval is that of the collected amount.

    `collected` holds the rows of R1, `signed` the rows of `targets`. A scope without an approved target has no row; the company always has
    one, undefined without a target.
    """
    plan = signed.loc[signed["kpi"] == "R1", ["scope_type", "scope_key", "target"]].rename(columns={"target": "denominator"})
    rows = collected.drop(columns="denominator").merge(plan, on=["scope_type", "scope_key"], how="left", validate="one_to_one")
    rows = rows[rows["denominator"].notna() | (rows["scope_key"] == COMPANY)].reset_index(drop=True)
    planned = rows["denominator"].where(rows["denominator"] > 0)
    for name in ("value", "low", "high"):
        rows[name] = rows[name] / planned
    return rows.assign(kpi="R14", unit=unit, note=rows["note"].where(planned.notna(), undefined))
