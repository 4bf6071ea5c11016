"""Whether an answer about money hangs on a few large payers: the sums behind it, computed where the data live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.arms import subjects_of, total, weighted
from collect_analysis.measures.cohort import Cohort, Outcome
from collect_analysis.methods.rates.levels import LARGEST, TOP_SHARE, WINSORISED_AT

# Hexadecimal digits of the hash that names a bucket: 4,096 buckets.
_DIGITS = 3
NOTHING_ABOVE = f"fewer than {100 * (1 - WINSORISED_AT):.2g} % have an amount: nothing to cut off"


@dataclass(frozen=True, kw_only=True)
class TailSums:
    """The sums behind one outcome, over clusters.

    `sums`: what `experiments.arm_means` takes, with `method`: plain, winsorised, largest_excluded. `buckets`: what
    `resampling.bootstrap_t` takes. `concentration`: arm, clusters, cases (how many of them are among the 1 % with the largest amounts of
    all arms), value (which share of the arm's cash those brought), numerator, denominator.
    """

    sums: pd.DataFrame
    buckets: pd.DataFrame
    concentration: pd.DataFrame


def tail_sums(
    book: Book,
    cohort: Cohort,
    arms: Sequence[str],
    outcome: Outcome,
    *,
    seed: int,
    weights: Mapping[tuple[str, str], float] | None = None,
) -> TailSums:
    """What is needed to see whether a few large payers decide about an outcome.

    The amounts are those of clusters (customers). `seed` decides which cluster falls into which bucket (hash of its key), `weights` are those
    of `strata.stratum_weights` where the assignment was stratified.
    """
    with book.materialized(_clusters(cohort, arms, outcome, seed, weights)) as clusters:
        count = int(str(book.scalar(clusters.count())))
        ranked = clusters.order_by([clusters["y"].desc(), clusters["cluster_key"], clusters["arm"]])
        cut = book.scalar(clusters["y"].cast("float64").quantile(WINSORISED_AT))
        threshold = float(str(cut)) if cut is not None else float("nan")
        held = clusters.mutate(y=ibis.least(clusters["y"].cast("float64"), ibis.literal(threshold)))
        largest = ranked.limit(min(LARGEST, count)).select("cluster_key", "arm")
        without = clusters.anti_join(largest, ["cluster_key", "arm"])
        tables = {"plain": clusters, "winsorised": held, "largest_excluded": without}
        parts = [_sums(book, table).assign(method=method) for method, table in tables.items()]
        sums = pd.concat(parts, ignore_index=True).assign(
            outcome=outcome.name, unit=outcome.unit, horizon_days=outcome.horizon_days, note=""
        )
        if not threshold > 0:
            sums.loc[sums["method"] == "winsorised", "note"] = NOTHING_ABOVE
        grouped = clusters.group_by(["arm", "bucket"]).aggregate(n=clusters["n"].sum(), y=total(clusters["y"]))
        buckets = book.frame(grouped).sort_values(["arm", "bucket"], ignore_index=True)
        top = _cash(book, ranked.limit(max(ceil(TOP_SHARE * count), 1)))
        concentration = _concentration(_cash(book, clusters), top)
    return TailSums(sums=sums, buckets=buckets, concentration=concentration)


def _clusters(
    cohort: Cohort, arms: Sequence[str], outcome: Outcome, seed: int, weights: Mapping[tuple[str, str], float] | None
) -> ir.Table:
    table = subjects_of(cohort, arms)
    one, y = ibis.literal(1, type="int64"), table[outcome.column]
    factor = weighted(table, weights) if weights else None
    table = table.select("arm", "cluster_key", n=one if factor is None else one * factor, y=y if factor is None else y * factor)
    grouped = table.group_by(["arm", "cluster_key"]).aggregate(n=total(table["n"]), y=total(table["y"]))
    key = grouped["cluster_key"].cast("string").concat(f" {seed}")
    return grouped.mutate(bucket=key.hexdigest("md5").substr(0, _DIGITS))


def _sums(book: Book, clusters: ir.Table) -> pd.DataFrame:
    n, y = clusters["n"], clusters["y"]
    squares = sum_of_products(y, y)
    sums = clusters.group_by("arm").aggregate(
        clusters=clusters.count(),
        cases=total(n),
        positive=(y > 0).sum(),
        sum_y=total(y),
        sum_y2=squares,
        sum_yy=squares,
        sum_yn=sum_of_products(y, n),
        sum_nn=sum_of_products(n, n),
    )
    return book.frame(sums).sort_values("arm", ignore_index=True)


def _cash(book: Book, clusters: ir.Table) -> pd.DataFrame:
    return book.frame(clusters.group_by("arm").aggregate(cases=clusters.count(), cash=total(clusters["y"]))).set_index("arm").sort_index()


def _concentration(every: pd.DataFrame, top: pd.DataFrame) -> pd.DataFrame:
    """Per arm: how much of the cash the largest payers of all arms brought."""
    table = every.rename(columns={"cases": "clusters", "cash": "denominator"}).join(top.rename(columns={"cash": "numerator"}))
    table[["cases", "numerator"]] = table[["cases", "numerator"]].fillna(0)
    cash = table["denominator"].astype(float)
    return table.assign(value=table["numerator"].astype(float) / cash.where(cash > 0)).reset_index()
