"""Expected recovery of placements: what accounts like these brought the other units, learned from sums over cells.

One model for all placements (R4): cash up to the age compared at = balance placed x the product of one effect per level of every factor.
For each unit it is fitted without that unit and, within folds of customers, without the customers it is then read for: an account that was
with another unit before teaches nothing about itself. Only sums over cells leave the book.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.agencies.factors import known_placement_factors
from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.account_months import UNKNOWN
from collect_analysis.measures.assignment import hash_buckets
from collect_analysis.measures.cash import payments
from collect_analysis.measures.placements import Panel, months_between, results_at, without_month

FOLDS = 4
# Cells that are fetched at most; beyond it the last factor is given up.
MOST_CELLS = 120_000
CELL_KEYS = ("unit_key", "allocation", "stratum", "fold")
SUMS = ("n", "accounts", "sum_x", "sum_y", "sum_xx", "sum_xy", "sum_yy")
_DPD_EDGES = ((90, "000-090"), (180, "091-180"), (360, "181-360"), (720, "361-720"))
_RECENCY_EDGES = ((3, "01-03"), (12, "04-12"))
_BALANCE_BANDS, _SCORE_BANDS = 4, 3


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Sums over cells: `table` (CELL_KEYS, one text column per factor used, SUMS), `factors` used, those `given_up`."""

    table: pd.DataFrame
    factors: tuple[str, ...]
    given_up: tuple[str, ...]


def expected_cells(book: Book, panel: Panel, *, age: int, factors: Sequence[str], seed: int) -> Cells:
    """The placements whose month `age` is over, summed over cells of comparable accounts.

    Columns of `table`: unit_key, allocation, stratum (placement stratum and number of the placement, no factor of the model: what it is
    tested on), fold (0-3, by a hash of the customer and `seed`), the factors, n (customers), accounts, sum_x
    (balance placed), sum_y (cash up to the age), sum_xx, sum_xy, sum_yy (over customers within the cell); minor units. Levels:
    dpd_band (days past due at the month end before), balance_band (quarters of the balance placed), score_band (thirds of the score at the
    month end before, else of the one on entry), placement (1, 2, 3+), recency (months since the last payment before), product, batch
    (quarter of placement), region; `unknown` where the book does not tell. Empty where no batch is old enough (`age` under 0).

    Raises
    ------
    ParameterError
        A factor is unknown, named twice, or none is named.
    """
    used = list(known_placement_factors(factors))
    if age < 0:
        return Cells(table=pd.DataFrame(columns=[*CELL_KEYS, *used, *SUMS]), factors=tuple(used), given_up=())
    rows = results_at(book, panel, age=age)
    with book.materialized(_described(book, rows.mutate(stratum=without_month(rows.stratum)), panel, seed)) as known:
        cuts = _cuts(book, known)
        levels = _levels(known, cuts)
        rows = known.select(*CELL_KEYS, "customer_key", "balance_minor", "cash_minor", **{name: levels[name] for name in used})
        while len(used) > 1 and int(str(book.scalar(rows.select(*CELL_KEYS, *used).distinct().count()))) > MOST_CELLS:
            used.pop()
        keys = [*CELL_KEYS, *used]
        customer = rows.group_by(*keys, "customer_key").agg(
            a=rows.count(), x=rows.balance_minor.sum().cast("int64"), y=rows.cash_minor.sum().cast("int64")
        )
        table = book.frame(
            customer.group_by(*keys).agg(
                n=customer.count(),
                accounts=customer.a.sum().cast("int64"),
                sum_x=customer.x.sum().cast("int64"),
                sum_y=customer.y.sum().cast("int64"),
                sum_xx=sum_of_products(customer.x, customer.x),
                sum_xy=sum_of_products(customer.x, customer.y),
                sum_yy=sum_of_products(customer.y, customer.y),
            )
        )
    given_up = tuple(name for name in factors if name not in used)
    return Cells(table=table.sort_values(keys, ignore_index=True), factors=tuple(used), given_up=given_up)


def _described(book: Book, rows: ir.Table, panel: Panel, seed: int) -> ir.Table:
    """Placements with what was known of them on their first day."""
    account = book.table("account").select(
        of_account="account_key", product="product_code", region="region_code", entry_score="score_at_entry"
    )
    ends = book.table("month_end")
    ends = ends.filter(ends.month_end >= ibis.literal(_months_before(panel.start)), ends.month_end <= ibis.literal(panel.end))
    before = ends.select(
        end_account="account_key", end_dpd="dpd", end_score="score", following=(ends.month_end + ibis.interval(days=1)).cast("date")
    )
    money = payments(book).select(paid_account="account_key", paid_on="value_date")
    earlier = rows.select(of_placement="decision_key", on_account="account_key", begun="from_date").inner_join(
        money, [("on_account", "paid_account")]
    )
    earlier = earlier.filter(earlier.paid_on < earlier.begun)
    last = earlier.group_by("of_placement").agg(last_paid=earlier.paid_on.max())
    joined = rows.left_join(account, [rows.account_key == account.of_account])
    joined = joined.left_join(before, [joined.account_key == before.end_account, joined.batch_month.cast("date") == before.following])
    joined = joined.left_join(last, [joined.decision_key == last.of_placement])
    fold = hash_buckets(joined.customer_key, f"expected-{seed}") % FOLDS
    return joined.select(
        "unit_key", "allocation", "stratum", "customer_key", "balance_minor", "cash_minor", "batch_month", "placement_no", "product", "region",
        fold=fold.cast("int64"),
        dpd=joined.end_dpd,
        score=ibis.coalesce(joined.end_score, joined.entry_score),
        since=months_between(joined.from_date, joined.last_paid),
        paid_before=joined.last_paid.notnull(),
    )  # fmt: skip


def _months_before(day: date) -> date:
    return date(day.year - 1, 12, 1) if day.month == 1 else date(day.year, day.month - 1, 1)


def _cuts(book: Book, rows: ir.Table) -> Mapping[str, list[float]]:
    """Where the bands of balance and score begin."""
    quarters = {f"balance{i}": rows.balance_minor.quantile(i / _BALANCE_BANDS).cast("float64") for i in range(1, _BALANCE_BANDS)}
    thirds = {f"score{i}": rows.score.quantile(i / _SCORE_BANDS).cast("float64") for i in range(1, _SCORE_BANDS)}
    found = book.frame(rows.agg(**quarters, **thirds)).iloc[0]
    return {
        name: [float(found[key]) for key in found.index if str(key).startswith(name) and found[key] == found[key]]
        for name in ("balance", "score")
    }


def _levels(rows: ir.Table, cuts: Mapping[str, list[float]]) -> dict[str, ir.StringValue]:
    number = rows.placement_no.fill_null(1)
    levels = {
        "dpd_band": _stepped(rows.dpd, _DPD_EDGES, beyond="721+"),
        "balance_band": _banded(rows.balance_minor, cuts["balance"]),
        "score_band": _banded(rows.score, cuts["score"]),
        "placement": ibis.ifelse(number >= 3, "3+", number.cast("string")),
        "recency": ibis.ifelse(rows.paid_before, _stepped(rows.since, _RECENCY_EDGES, beyond="13+"), "never"),
        "product": rows["product"],
        "batch": rows.batch_month.year().cast("string") + "-Q" + rows.batch_month.quarter().cast("string"),
        "region": rows.region,
    }
    return {name: level.fill_null(UNKNOWN) for name, level in levels.items()}


def _stepped(column: ir.IntegerValue, edges: Sequence[tuple[int, str]], *, beyond: str) -> ir.StringValue:
    return ibis.cases((column.isnull(), UNKNOWN), *[(column <= edge, name) for edge, name in edges], else_=beyond)


def _banded(column: ir.NumericValue, cuts: Sequence[float]) -> ir.StringValue:
    """1 is lowest; a value on a cut belongs to the band above."""
    steps = [(column < cut, str(place)) for place, cut in enumerate(cuts, start=1)]
    return ibis.cases((column.isnull(), UNKNOWN), *steps, else_=str(len(cuts) + 1))
