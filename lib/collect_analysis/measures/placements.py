"""Placements: what was handed to whom, what came of it, by months on placement; sums for comparable strata.

A placement is a row of table `decision` of kind `placement`. Its age counts calendar months after the month of placement: age 0 is the
month in which it was placed. Cash belongs to the placement in force on its value date. Denominators are balances when placed: they do not
shrink when accounts are recalled or returned. An account is with one unit at a time: a placement that begins while another one of the account
runs counts nowhere (`shared`), so that neither its balance nor its cash stands twice; agencies are not compared while there are such.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.reopened import lasting_exits

RANDOM, JUDGMENTAL = "random", "judgmental"
FEWEST_AGES = 3
SUM_COLUMNS = (
    "unit_key", "allocation", "stratum", "age_months", "n", "accounts", "payers", "sum_x", "sum_y", "sum_xx", "sum_yy", "sum_xy", "sum_aa",
    "sum_pp", "sum_ap",
)  # fmt: skip
INVENTORY_COLUMNS = (
    "unit_key", "batches", "first_batch", "last_batch", "cases", "placed_minor", "active_accounts", "open_accounts", "recalled_accounts",
    "returned_accounts", "other_ended_accounts", "recalled_minor", "returned_minor", "random_accounts", "random_minor",
    "random_share", "collected_minor", "oldest_age", "ripe_batches",
)  # fmt: skip
CELL_KEYS = ("unit_key", "allocation", "stratum")
_BETWEEN = " | "
_LONG_AGO, _FOREVER = date(1900, 1, 1), date(9999, 12, 31)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Which placements are compared: those made from `start` to `end` with `units` (empty: all), read at age `horizon` (months)."""

    start: date
    end: date
    horizon: int
    units: tuple[str, ...] = ()


def months_between(later: ir.DateValue, earlier: ir.DateValue) -> ir.IntegerValue:
    """Calendar months from the month of `earlier` to the month of `later`."""
    return (later.year() - earlier.year()) * 12 + later.month() - earlier.month()


def placed(book: Book, *, start: date, end: date, units: Sequence[str] = ()) -> ir.Table:
    """The placements of a period (by first day) with `units` (none named: all), one row each, as they stood on the book's `as_of`.

    Columns: decision_key, account_key, customer_key, unit_key, batch_id, batch_month (first day), stratum (placement stratum, placement
    number and batch month: what was placed together), balance_minor, propensity, allocation (random where 0 < propensity < 1, else
    judgmental), from_date, to_date and end_reason (empty while running), placement_no, ripe_age (last age whose month was over on `as_of`; -1: none).
    Left out: placements without unit or without a balance above 0, and those that begin while another one of the account runs (see
    `unusable`, `shared`).
    """
    made = _made(book, start, end)
    made = made.filter(made.unit_key.isin(list(units))) if units else made
    table = made.anti_join(_begun_during_another(book, made), "decision_key")
    ended = table.to_date.notnull() & (table.to_date <= ibis.literal(book.as_of))
    month = table.from_date.truncate("M")
    tomorrow = ibis.literal(book.as_of + timedelta(days=1))
    drawn = table.propensity.notnull() & (table.propensity > 0) & (table.propensity < 1)
    return table.select(
        "decision_key",
        "account_key",
        "customer_key",
        "unit_key",
        "balance_minor",
        "propensity",
        "placement_no",
        "from_date",
        batch_month=month,
        batch_id=table.batch_id.fill_null(month.strftime("%Y-%m")),
        stratum=ibis.literal(_BETWEEN).join(
            [table.segment.fill_null("?"), table.placement_no.fill_null(0).cast("string"), month.strftime("%Y-%m")]
        ),
        allocation=drawn.ifelse(RANDOM, JUDGMENTAL),
        to_date=ended.ifelse(table.to_date, ibis.null("date")),
        end_reason=ended.ifelse(table.end_reason, ibis.null("string")),
        ripe_age=months_between(tomorrow, month) - 1,
    )


def _made(book: Book, start: date, end: date) -> ir.Table:
    """The placements of a period with a unit and a balance."""
    table = book.table("decision").filter(ibis._.kind == "placement", ibis._.from_date.between(ibis.literal(start), ibis.literal(end)))
    return table.filter(table.unit_key.notnull(), table.balance_minor.notnull(), table.balance_minor > 0)


def _begun_during_another(book: Book, made: ir.Table) -> ir.Table:
    """Which placements of these accounts begin while an earlier one runs? decision_key; of two from one day the one with the lesser key counts."""
    every = book.table("decision").filter(ibis._.kind == "placement", ibis._.unit_key.notnull())
    mine = every.semi_join(made, "account_key")
    until = ibis.coalesce(mine.to_date, ibis.literal(_FOREVER))
    before = ibis.window(group_by=mine.account_key, order_by=[mine.from_date, mine.decision_key], rows=(None, -1))
    reached = mine.mutate(reach=until.max().over(before))
    return reached.filter(reached.reach > reached.from_date).select("decision_key")


def shared(book: Book, *, start: date, end: date) -> dict[str, int]:
    """How many placements of a period count nowhere, as they began while another one of the account ran? placements, accounts."""
    made = _made(book, start, end)
    twice = made.semi_join(_begun_during_another(book, made), "decision_key")
    found = book.frame(twice.agg(placements=twice.count(), accounts=twice.account_key.nunique())).iloc[0]
    return {str(name): int(count) for name, count in found.items()}


def of_panel(book: Book, panel: Panel) -> ir.Table:
    """The placements of a panel; columns as `placed`."""
    return placed(book, start=panel.start, end=panel.end, units=panel.units)


def placement_number(strata: pd.Series) -> pd.Series:
    """Of strata as `placed` names them: 1 first placement, 2 second, ...; 0 where the book does not tell."""
    return strata.str.rsplit(_BETWEEN, n=2).str[-2].astype(int)


def without_month(stratum: ir.StringColumn) -> ir.StringValue:
    """Strata as `placed` names them, of all months together: placement stratum and number of the placement."""
    return stratum.left((stratum.length() - len(f"{_BETWEEN}2026-01")).cast("int32"))


def unusable(book: Book, panel: Panel) -> dict[str, int]:
    """How many placements cannot be used, by reason: without_unit, without_balance; overlapping counts payments in two placements at once."""
    made = ibis._.from_date.between(ibis.literal(panel.start), ibis.literal(panel.end))
    table = book.table("decision").filter(ibis._.kind == "placement", made)
    made = _made(book, panel.start, panel.end)
    paid = payments_on(book, _made(book, _LONG_AGO, book.as_of).semi_join(made, "account_key"))
    of_panel_too = paid.left_join(made.select(made_key="decision_key"), [("decision_key", "made_key")])
    hits = of_panel_too.group_by("payment_key").agg(times=ibis._.count(), inside=ibis._.made_key.count()).filter(ibis._.inside > 0)
    counts = table.agg(
        without_unit=table.unit_key.isnull().sum().fill_null(0),
        without_balance=(table.unit_key.notnull() & (table.balance_minor.fill_null(0) <= 0)).sum().fill_null(0),
    )
    row = book.frame(counts).iloc[0]
    twice = book.scalar((hits.times > 1).sum().fill_null(0))
    return {**{str(key): int(value) for key, value in row.items()}, "overlapping": int(str(twice))}


def payments_on(book: Book, placements: ir.Table) -> ir.Table:
    """Money collected (`cash`) while on placement: payment_key, decision_key, unit_key, value_date, amount_minor, age_months."""
    payment = cash(book).select("payment_key", "account_key", "amount_minor", "value_date")
    window = placements.select("decision_key", "account_key", "unit_key", "from_date", "to_date")
    joined = window.inner_join(payment, "account_key")
    joined = joined.filter(joined.value_date >= joined.from_date, joined.to_date.isnull() | (joined.value_date < joined.to_date))
    return joined.select(
        "payment_key",
        "decision_key",
        "unit_key",
        "value_date",
        "amount_minor",
        age_months=months_between(joined.value_date, joined.from_date),
    )


def results_at(book: Book, panel: Panel, *, age: int) -> ir.Table:
    """The placements of a panel whose month `age` is over, with what came in on each up to then: columns as `placed`, and cash_minor."""
    base = of_panel(book, panel)
    base = base.filter(base.ripe_age >= age)
    paid = payments_on(book, base)
    got = paid.filter(paid.age_months <= age).group_by(of_decision="decision_key").agg(paid_minor=paid.amount_minor.sum().cast("int64"))
    joined = base.left_join(got, [base.decision_key == got.of_decision])
    return joined.mutate(cash_minor=joined.paid_minor.fill_null(0)).drop("of_decision", "paid_minor")


def inventory(book: Book, panel: Panel) -> pd.DataFrame:
    """What does each unit hold, how was it allocated and what became of it?

    Columns (one row per unit): unit_key, batches, first_batch, last_batch (months), cases (accounts placed), placed_minor (B0),
    active_accounts (placements that run), open_accounts (those of them whose debt is open: `open_debts`), recalled_accounts,
    returned_accounts, other_ended_accounts, recalled_minor, returned_minor (their B0),
    random_accounts, random_minor, random_share (of B0), collected_minor (to date), oldest_age (last complete age of the oldest batch),
    ripe_batches (batches whose month `panel.horizon` is over). Empty where the book has no placements in the period.
    """
    base = of_panel(book, panel)
    paid = payments_on(book, base).group_by("unit_key").agg(collected_minor=ibis._.amount_minor.sum().cast("int64"))
    drawn, ripe = base.allocation == RANDOM, base.ripe_age >= panel.horizon
    recalled, returned = base.end_reason == "recall", base.end_reason == "return"
    table = base.group_by("unit_key").agg(
        batches=base.batch_id.nunique(),
        first_batch=base.batch_month.min(),
        last_batch=base.batch_month.max(),
        cases=base.count(),
        placed_minor=base.balance_minor.sum().cast("int64"),
        active_accounts=base.to_date.isnull().sum(),
        recalled_accounts=recalled.sum().fill_null(0),
        returned_accounts=returned.sum().fill_null(0),
        recalled_minor=base.balance_minor.sum(where=recalled).fill_null(0).cast("int64"),
        returned_minor=base.balance_minor.sum(where=returned).fill_null(0).cast("int64"),
        random_accounts=drawn.sum(),
        random_minor=base.balance_minor.sum(where=drawn).fill_null(0).cast("int64"),
        oldest_age=base.ripe_age.max(),
        ripe_batches=base.batch_id.nunique(where=ripe),
    )
    running = open_debts(book, base.filter(base.to_date.isnull()))
    still = running.group_by(of_unit="unit_key").agg(open_accounts=running.count())
    whole = table.left_join(paid, "unit_key").drop("unit_key_right")
    whole = whole.left_join(still, [whole.unit_key == still.of_unit]).drop("of_unit")
    frame = book.frame(whole).sort_values("unit_key", ignore_index=True)
    frame["open_accounts"] = frame["open_accounts"].fillna(0).astype("int64")
    frame["collected_minor"] = frame["collected_minor"].fillna(0).astype("int64")
    frame["other_ended_accounts"] = frame["cases"] - frame[["active_accounts", "recalled_accounts", "returned_accounts"]].sum(axis=1)
    frame["random_share"] = frame["random_minor"] / frame["placed_minor"]
    return frame[list(INVENTORY_COLUMNS)]


def open_debts(book: Book, rows: ir.Table) -> ir.Table:
    """The rows (with account_key) whose debt is open on the book's day: not closed at a month end up to it for good.

    A placement may run on although its debt was recalled by the transferor, written off or paid: nobody works it, and it takes no room.
    """
    ends = book.table("month_end").filter(ibis._.month_end <= ibis.literal(book.as_of))
    closed = lasting_exits(ends).select(closed_account="account_key").distinct()
    return rows.anti_join(closed, [rows.account_key == closed.closed_account])


def shares_now(book: Book, panel: Panel, *, months: int) -> pd.Series:
    """Which share of the latest flow did each unit get? Share of B0 placed in the panel's last `months` months, by unit_key; sums to 1.

    A unit of the panel with nothing placed in them has share 0. Empty where nothing was placed.
    """
    base = of_panel(book, panel)
    recent = months_between(ibis.literal(panel.end), base.batch_month) < months
    table = base.group_by("unit_key").agg(placed_minor=base.balance_minor.sum(where=recent).fill_null(0).cast("int64"))
    flow = book.frame(table).set_index("unit_key")["placed_minor"].sort_index()
    return flow / flow.sum() if flow.sum() > 0 else flow.astype(float)


def common_age(held: pd.DataFrame, panel: Panel) -> int:
    """At which age can at least two units be compared? Largest age up to the horizon that two units' oldest batches completed.

    -1 where that leaves fewer than three ages (0, 1, 2): too young for a comparison. `held` is the table of `inventory`.
    """
    oldest = held["oldest_age"].sort_values(ascending=False)
    age = -1 if len(oldest) < 2 else min(panel.horizon, int(oldest.iloc[1]))
    return age if age + 1 >= FEWEST_AGES else -1


def draws(book: Book, panel: Panel) -> pd.DataFrame:
    """The random draws, for the check that the lot was kept: unit_key, stratum, cases, weighted, spread, drawn.

    See `methods.profiling.allocation_drift`. A draw is a stratum of one month: what was placed together. A unit takes part in the draws of
    every placement stratum in which it ever got something; a draw that gave it nothing is a row with 0 cases. Empty without draws.
    """
    # A draw is among all units, whichever of them are in the panel.
    base = placed(book, start=panel.start, end=panel.end).filter(ibis._.allocation == RANDOM)
    inverse = 1 / base.propensity
    table = base.group_by("unit_key", "stratum").agg(
        cases=base.count(), weighted=compensated_sum(inverse), spread=compensated_sum((1 - base.propensity) * inverse * inverse)
    )
    frame = book.frame(table)
    frame["segment"] = frame["stratum"].str.rsplit(" | ", n=1).str[0]
    drawn = frame.groupby(["segment", "stratum"], as_index=False).agg(drawn=("cases", "sum"))
    whole = frame[["unit_key", "segment"]].drop_duplicates().merge(drawn, on="segment")
    filled = whole.merge(frame.drop(columns="segment"), on=["unit_key", "stratum"], how="left", validate="one_to_one")
    filled[["cases", "weighted", "spread"]] = filled[["cases", "weighted", "spread"]].fillna(0)
    filled = filled[filled["unit_key"].isin(panel.units)] if panel.units else filled
    columns = ["unit_key", "stratum", "cases", "weighted", "spread", "drawn"]
    return filled[columns].sort_values(["unit_key", "stratum"], ignore_index=True)


def stratum_sums(book: Book, panel: Panel, *, age: int) -> pd.DataFrame:
    """The sums behind every comparison: per unit, allocation, stratum and age, over customers.

    Only batches whose month `age` is over, so that every age rests on the same accounts. Columns: unit_key, allocation, stratum, age_months
    (0..age), n (customers), accounts, payers (accounts that had paid something by then), sum_x (B0), sum_y (cash to that age), sum_xx,
    sum_yy, sum_xy (squares and products of customers' sums), sum_aa, sum_pp, sum_ap (the same for accounts and payers). Money in minor
    units. Sorted; empty where no batch is old enough.
    """
    if age < 0:
        return pd.DataFrame(columns=list(SUM_COLUMNS))
    base = of_panel(book, panel).filter(ibis._.ripe_age >= age)
    paid = payments_on(book, base)
    ages = range(age + 1)
    by_account = paid.group_by("decision_key").agg(**{f"y{m}": paid.amount_minor.sum(where=paid.age_months <= m) for m in ages})
    joined = base.left_join(by_account, "decision_key").drop("decision_key_right")
    cash = {f"y{m}": joined[f"y{m}"].fill_null(0).cast("int64") for m in ages}
    flags = {f"p{m}": (joined[f"y{m}"].fill_null(0) > 0).cast("int64") for m in ages}
    account = joined.select(*CELL_KEYS, "customer_key", "balance_minor", **cash, **flags)
    sums = {name: account[name].sum().cast("int64") for name in (*cash, *flags)}
    customer = account.group_by(*CELL_KEYS, "customer_key").agg(a=account.count(), x=account.balance_minor.sum().cast("int64"), **sums)
    wide = customer.group_by(*CELL_KEYS).agg(
        n=customer.count(),
        accounts=customer.a.sum().cast("int64"),
        sum_x=customer.x.sum().cast("int64"),
        sum_xx=sum_of_products(customer.x, customer.x),
        sum_aa=sum_of_products(customer.a, customer.a),
        **{name: value for m in ages for name, value in _age_sums(customer, m).items()},
    )
    return _long(book.frame(wide), ages)


def _age_sums(customer: ir.Table, age: int) -> dict[str, ir.Scalar]:
    y, p = customer[f"y{age}"], customer[f"p{age}"]
    return {
        f"sum_y.{age}": y.sum().cast("int64"),
        f"sum_yy.{age}": sum_of_products(y, y),
        f"sum_xy.{age}": sum_of_products(customer.x, y),
        f"payers.{age}": p.sum().cast("int64"),
        f"sum_pp.{age}": sum_of_products(p, p),
        f"sum_ap.{age}": sum_of_products(customer.a, p),
    }


def _long(wide: pd.DataFrame, ages: Sequence[int]) -> pd.DataFrame:
    fixed = [*CELL_KEYS, "n", "accounts", "sum_x", "sum_xx", "sum_aa"]
    names = ("sum_y", "sum_yy", "sum_xy", "payers", "sum_pp", "sum_ap")
    parts = [wide[fixed].assign(age_months=age, **{name: wide[f"{name}.{age}"] for name in names}) for age in ages]
    return pd.concat(parts)[list(SUM_COLUMNS)].sort_values([*CELL_KEYS, "age_months"], ignore_index=True)
