"""How much would an index move: with other customers, without its largest payments, on the other kind of allocation?

Works on the index of `comparison.index`: the same strata, the same peers. What one customer paid is added up where it lives.
"""

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import stats

from collect_analysis.book.engine import compensated_sum
from collect_analysis.book.store import Book
from collect_analysis.measures.assignment import hash_buckets
from collect_analysis.measures.placements import JUDGMENTAL, RANDOM, Panel, payments_on, results_at
from collect_analysis.methods.profiling import profiling
from collect_analysis.methods.rates import ratio_bootstrap
from collect_analysis.methods.rates.levels import CONFIDENCE, LARGEST
from collect_analysis.methods.rates.multiplicity import holm

BUCKETS = 200
ONE_SIDE = "placements of both kinds are needed"
LARGEST_COLUMNS = (
    "unit_key", "observed_minor", "expected_minor", "value", "payments", "largest_minor", "largest_share", "without", "turns", "note",
)  # fmt: skip
SIDE_COLUMNS = (
    "unit_key", "random", "random_low", "random_high", "judgmental", "judgmental_low", "judgmental_high", "value", "low", "high", "p_value",
    "p_adjusted", "note",
)  # fmt: skip


def stratum_weights(sums: pd.DataFrame, *, allocation: str) -> pd.DataFrame:
    """What every stratum weighs in each unit's index: in its own cash, and in what is expected of it.

    `sums` is the table of `placements.stratum_sums`. Columns: for_unit, stratum, own_rate (pooled rate about which its own cash scatters),
    peer_rate (the others' rate), peer_weight (its balance over theirs). Strata without another unit are left out, as in the index.
    """
    final = sums[(sums["age_months"] == sums["age_months"].max()) & (sums["allocation"] == allocation)] if len(sums) else sums
    table = final[["unit_key", "stratum", "sum_x", "sum_y"]].copy()
    table[["sum_x", "sum_y"]] = table[["sum_x", "sum_y"]].astype(float)
    pooled = table.groupby("stratum")[["sum_x", "sum_y"]].transform("sum")
    other_x, other_y = pooled["sum_x"] - table["sum_x"], pooled["sum_y"] - table["sum_y"]
    weights = pd.DataFrame(
        {
            "for_unit": table["unit_key"], "stratum": table["stratum"], "own_rate": pooled["sum_y"] / pooled["sum_x"],
            "peer_rate": other_y / other_x.where(other_x > 0), "peer_weight": table["sum_x"] / other_x.where(other_x > 0),
        }
    )  # fmt: skip
    return weights[other_x > 0].sort_values(["for_unit", "stratum"], ignore_index=True)


def bootstrapped(
    book: Book, panel: Panel, sums: pd.DataFrame, *, age: int, allocation: str, seed: int, level: float = CONFIDENCE
) -> pd.DataFrame:
    """Between which values does each unit's index lie, with customers drawn again?

    Columns: unit_key, value (O/E, KPI R5), low, high, se_log, buckets, note; see `methods.ratio_bootstrap`. Customers are thrown into 200
    buckets by a hash; a bucket holds their cash with the unit and their cash with its peers, weighted as the expectation weighs it.
    Empty where there is nothing to compare.
    """
    weights = stratum_weights(sums, allocation=allocation)
    if weights.empty or age < 0:
        return pd.DataFrame(columns=list(ratio_bootstrap.COLUMNS))
    final = sums[(sums["age_months"] == sums["age_months"].max()) & (sums["allocation"] == allocation)]
    totals = profiling.observed_expected(final)[["unit_key", "observed", "expected"]]
    rows = results_at(book, panel, age=age)
    rows = rows.filter(rows.allocation == allocation)
    of_strata = ibis.memtable(pa.Table.from_pandas(weights.rename(columns={"stratum": "of_stratum"}), preserve_index=False))
    joined = rows.inner_join(of_strata, [rows.stratum == of_strata.of_stratum])
    own = joined.unit_key == joined.for_unit
    cash, owed = joined.cash_minor.cast("float64"), joined.balance_minor.cast("float64")
    joined = joined.mutate(
        bucket=hash_buckets(joined.customer_key, f"index-{seed}") % BUCKETS,
        residual_o=ibis.ifelse(own, cash - joined.own_rate * owed, 0.0),
        residual_e=ibis.ifelse(own, 0.0, (cash - joined.peer_rate * owed) * joined.peer_weight),
    )
    buckets = book.frame(
        joined.group_by("for_unit", "bucket").agg(observed=compensated_sum(joined.residual_o), expected=compensated_sum(joined.residual_e))
    ).rename(columns={"for_unit": "unit_key"})
    return ratio_bootstrap.bootstrap_ratio(totals, buckets, seed=seed, level=level)


def largest_payments(book: Book, panel: Panel, sums: pd.DataFrame, *, age: int, allocation: str) -> pd.DataFrame:
    """The ten largest payments that count in every unit's index: unit_key, stratum, amount_minor, place (1-10). Empty without an index."""
    weights = stratum_weights(sums, allocation=allocation)
    if weights.empty or age < 0:
        return pd.DataFrame(columns=["unit_key", "stratum", "amount_minor", "place"])
    rows = results_at(book, panel, age=age)
    rows = rows.filter(rows.allocation == allocation)
    compared = ibis.memtable(pa.Table.from_pandas(weights[["for_unit", "stratum"]], preserve_index=False))
    paid = payments_on(book, rows)
    paid = paid.filter(paid.age_months <= age).inner_join(rows.select("decision_key", of_stratum="stratum"), "decision_key")
    paid = paid.inner_join(compared, [paid.unit_key == compared.for_unit, paid.of_stratum == compared.stratum])
    order = ibis.window(group_by=paid.unit_key, order_by=[paid.amount_minor.desc(), paid.payment_key])
    ranked = paid.mutate(place=ibis.row_number().over(order) + 1)
    table = book.frame(ranked.filter(ranked.place <= LARGEST).select("unit_key", "stratum", "amount_minor", "place"))
    return table.sort_values(["unit_key", "place"], ignore_index=True)


def without_largest(sums: pd.DataFrame, largest: pd.DataFrame, *, allocation: str) -> pd.DataFrame:
    """What would each unit's index be if the ten largest payments of every unit had not come?

    Formula: (O - own ten) / (E - Σ of the others' ten x peer weight of their stratum): what peers lose lowers what is expected.
    `sums`: of `placements.stratum_sums`; `largest`: of `largest_payments`. Columns: unit_key, observed_minor, expected_minor, value (O/E),
    payments (taken out), largest_minor, largest_share (of the cash observed), without (O/E then), turns (flag: the index changes sides of 1),
    note. Undefined (NaN and note): no index.
    """
    weights = stratum_weights(sums, allocation=allocation)
    if weights.empty:
        return pd.DataFrame(columns=list(LARGEST_COLUMNS))
    final = sums[(sums["age_months"] == sums["age_months"].max()) & (sums["allocation"] == allocation)]
    table = profiling.observed_expected(final)[["unit_key", "observed", "expected", "value", "note"]]
    paid = weights.merge(largest, on="stratum", how="inner")
    own = paid["unit_key"] == paid["for_unit"]
    taken = paid[own].groupby("for_unit")["amount_minor"].agg(["sum", "count"])
    peers = (paid["amount_minor"] * paid["peer_weight"])[~own].groupby(paid["for_unit"]).sum()
    table["largest_minor"] = table["unit_key"].map(taken["sum"]).fillna(0).astype("int64")
    table["payments"] = table["unit_key"].map(taken["count"]).fillna(0).astype("int64")
    expected = table["expected"] - table["unit_key"].map(peers).fillna(0.0)
    table["without"] = (table["observed"] - table["largest_minor"]) / expected.where(expected > 0)
    table["largest_share"] = table["largest_minor"] / table["observed"].where(table["observed"] > 0)
    table["turns"] = (table["value"] > 1) != (table["without"] > 1)
    return table.rename(columns={"observed": "observed_minor", "expected": "expected_minor"})[list(LARGEST_COLUMNS)]


def side_by_side(drawn: pd.DataFrame, chosen: pd.DataFrame, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """Do the placements that were drawn and those that somebody chose tell the same of a unit?

    `drawn`, `chosen`: tables of `comparison.index` for the two allocations. value = index on chosen over index on drawn placements, with its
    interval; p_value two-sided of log value = 0 (the parts share no placement), p_adjusted after Holm over units. Columns: SIDE_COLUMNS;
    random, judgmental are the indices with their intervals. Undefined (NaN and note): an index is missing on one side.
    """
    names = {"value": "{}", "low": "{}_low", "high": "{}_high", "se_log": "{}_se"}
    sides = [
        table[["unit_key", *names]].rename(columns={column: name.format(side) for column, name in names.items()})
        for side, table in ((RANDOM, drawn), (JUDGMENTAL, chosen))
    ]
    table = sides[0].merge(sides[1], on="unit_key", how="outer", validate="one_to_one").sort_values("unit_key", ignore_index=True)
    numbers = table.drop(columns="unit_key").astype(float)
    table[numbers.columns] = numbers
    difference = np.log(table["judgmental"].where(table["judgmental"] > 0)) - np.log(table["random"].where(table["random"] > 0))
    error, z = np.hypot(table["random_se"], table["judgmental_se"]), stats.norm.ppf((1 + level) / 2)
    table["value"], table["low"], table["high"] = np.exp(difference), np.exp(difference - z * error), np.exp(difference + z * error)
    table["p_value"] = 2 * stats.norm.sf(np.abs(difference / error))
    table["p_adjusted"] = holm(table["p_value"])
    table["note"] = np.where(table["p_value"].isna(), ONE_SIDE, "")
    return table[list(SIDE_COLUMNS)]
