"""Agencies on comparable placements: liquidation curves, observed against expected, what to believe of it, the funnel.

Everything here reads the sums of `placements.stratum_sums`; nothing touches the book. Units are compared within a stratum
(placement stratum, placement number, batch month) and an allocation: what was drawn by lot is never compared with what was chosen.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.measures.placements import JUDGMENTAL, RANDOM, placement_number
from collect_analysis.methods.profiling import funnel, profiling, shrinkage
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import ratio_interval

DRAWS = 20_000
TOO_FEW_UNITS = "fewer than two units have an index: nothing to compare with"
CURVE_COLUMNS = (
    "unit_key", "age_months", "cases", "numerator", "denominator", "value", "low", "high", "expected", "expected_low", "expected_high",
    "note",
)  # fmt: skip
INDEX_COLUMNS = (
    "unit_key", "allocation", "cases", "payers", "placed_minor", "coverage", "raw", "observed_minor", "expected_minor", "value", "low",
    "high", "se_log", "observed_count", "expected_count", "expected_size", "note",
)  # fmt: skip
BELIEF_COLUMNS = (
    "unit_key", "allocation", "cases", "value", "low", "high", "sd", "p_above", "p_best", "p_worse", "rank_low", "rank_high",
    "months_to_separate", "note",
)  # fmt: skip
NUMBER_COLUMNS = (
    "unit_key", "placement", "cases", "placed_minor", "observed_minor", "expected_minor", "liquidation", "coverage", "value", "low", "high",
    "note",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Belief:
    """How indices are shrunk: prior scale of the spread between units (log scale), seed of the draws, level of intervals."""

    prior_sd: float
    seed: int
    level: float = CONFIDENCE


def curves(sums: pd.DataFrame, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """How much of what was placed had been collected by each age, and how much would the other units have collected of it?

    KPI R2. value = cash up to the age / balance placed; expected = the other units' rates on the same strata, applied to this unit's mix;
    both over the same batches at every age; strata without another unit are left out of the expectation. low, high: interval of value
    over customers. expected_low, expected_high: where an equally good unit of this size would lie (own chance and the uncertainty of the
    expectation together).
    Columns: see CURVE_COLUMNS; shares 0-1, numerator and denominator in minor units, cases = accounts. Sorted by unit and age.
    Undefined (NaN and note): expectation where no other unit had comparable placements.
    """
    if sums.empty:
        return pd.DataFrame(columns=list(CURVE_COLUMNS))
    cells = _cells(sums)
    totals = cells.groupby(["unit_key", "age_months"], as_index=False)[["accounts", *profiling.SUMS]].sum()
    totals["low"], totals["high"] = ratio_interval(**{{"n": "count"}.get(name, name): totals[name] for name in profiling.SUMS}, level=level)
    peers = profiling.observed_expected(cells, by=["age_months"], level=level)
    peers = peers[["unit_key", "age_months", "exposure", "expected", "se_observed", "se_expected"]]
    table = totals.merge(peers, on=["unit_key", "age_months"], validate="one_to_one")
    table["value"] = table["sum_y"] / table["sum_x"]
    comparable = table["exposure"].where(table["exposure"] > 0)
    spread = stats.norm.ppf((1 + level) / 2) * np.hypot(table["se_observed"], table["se_expected"]) / comparable
    table["expected"] = table["expected"] / comparable
    table["expected_low"], table["expected_high"] = (table["expected"] - spread).clip(lower=0), table["expected"] + spread
    table["note"] = np.where(table["expected"].isna(), profiling.NO_PEER, "")
    table = table.rename(columns={"accounts": "cases", "sum_y": "numerator", "sum_x": "denominator"})
    return table[list(CURVE_COLUMNS)].sort_values(["unit_key", "age_months"], ignore_index=True)


def index(sums: pd.DataFrame, *, allocation: str, level: float = CONFIDENCE) -> pd.DataFrame:
    """On comparable placements, did a unit collect more or less than the others would have?

    KPI R5 at the last age of `sums`, for placements of one `allocation`. Columns: see INDEX_COLUMNS; value = observed / expected with its
    interval over customers, raw = cash / B0 (share), coverage = share of B0 that has peers. See `methods.profiling.observed_expected`.
    """
    final = _final(sums, allocation)
    if final.empty:
        return pd.DataFrame(columns=list(INDEX_COLUMNS))
    table = profiling.observed_expected(_cells(final), level=level).drop(columns="cases")
    totals = final.groupby("unit_key", as_index=False)[["accounts", "payers", "sum_x", "sum_y"]].sum()
    table = totals.merge(table, on="unit_key", validate="one_to_one").assign(allocation=allocation)
    table["raw"] = table["sum_y"] / table["sum_x"]
    names = {"accounts": "cases", "sum_x": "placed_minor", "observed": "observed_minor", "expected": "expected_minor"}
    return table.rename(columns=names)[list(INDEX_COLUMNS)].sort_values("unit_key", ignore_index=True)


def payer_index(sums: pd.DataFrame, *, allocation: str, level: float = CONFIDENCE) -> pd.DataFrame:
    """Did a unit get more accounts to pay, or only larger payments?

    As `index`, counting accounts that paid instead of money, so that one large payment weighs as a small one; the shrunken ratio is the
    Gamma-Poisson posterior. Columns: unit_key, allocation, cases (accounts), payers, expected (payers), ratio (O/E), value, low, high
    (shrunken), p_above, note.
    """
    columns = ["unit_key", "allocation", "cases", "payers", "expected", "ratio", "value", "low", "high", "p_above", "note"]
    final = _final(sums, allocation)
    if final.empty:
        return pd.DataFrame(columns=columns)
    names = {"payers": "sum_y", "accounts": "sum_x", "sum_aa": "sum_xx", "sum_pp": "sum_yy", "sum_ap": "sum_xy"}
    renamed = final.drop(columns=["sum_x", "sum_y", "sum_xx", "sum_yy", "sum_xy"]).rename(columns=names)
    table = profiling.observed_expected(renamed, level=level).assign(allocation=allocation)
    table = table.rename(columns={"observed": "payers", "value": "ratio"}).drop(columns=["cases", "low", "high"])
    table["cases"] = table["unit_key"].map(final.groupby("unit_key")["accounts"].sum())
    table["payers"] = table["payers"].astype("int64")
    known = table["expected"] > 0
    table = table.assign(value=np.nan, low=np.nan, high=np.nan, p_above=np.nan)
    if known.any():
        fit = shrinkage.gamma_poisson(table.loc[known, "payers"], table.loc[known, "expected"], level=level)
        table.loc[known, fit.table.columns] = fit.table.to_numpy()
    return table[columns].sort_values("unit_key", ignore_index=True)


def by_number(sums: pd.DataFrame, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """How does each unit do on accounts that nobody had worked before, and on those that another placement had been tried on?

    KPI R5 at the last age of `sums`, apart for `placement` first and later (second, third ...): strata hold the number of the placement, so
    that each is compared with its like; both kinds of allocation, each within itself. Columns: NUMBER_COLUMNS; liquidation = cash / B0,
    value = O/E with its interval over customers, coverage = share of B0 with peers. Sorted by unit and placement. Undefined: no peers.
    """
    parts = []
    for placement, part in split_by_number(sums).items():
        final = part[part["age_months"] == part["age_months"].max()]
        table = profiling.observed_expected(_cells(final), level=level).drop(columns="cases")
        totals = final.groupby("unit_key", as_index=False)[["accounts", "sum_x", "sum_y"]].sum()
        table = totals.merge(table, on="unit_key", validate="one_to_one").assign(placement=placement)
        parts.append(table.assign(liquidation=table["sum_y"] / table["sum_x"]))
    if not parts:
        return pd.DataFrame(columns=list(NUMBER_COLUMNS))
    names = {"accounts": "cases", "sum_x": "placed_minor", "observed": "observed_minor", "expected": "expected_minor"}
    return pd.concat(parts).rename(columns=names).sort_values(["unit_key", "placement"], ignore_index=True)[list(NUMBER_COLUMNS)]


def curves_by_number(sums: pd.DataFrame, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """The curves of first and of later placements apart: columns as `curves`, and placement (first, later)."""
    parts = [curves(part, level=level).assign(placement=name) for name, part in split_by_number(sums).items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*CURVE_COLUMNS, "placement"])


def split_by_number(sums: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The sums of first placements (`first`) and of second and further ones (`later`), those of them that there are."""
    if sums.empty:
        return {}
    number = placement_number(sums["stratum"])
    return {name: part for name, part in (("first", sums[number < 2]), ("later", sums[number >= 2])) if len(part)}


def believed(
    found: pd.DataFrame, *, belief: Belief, batch_months: pd.Series, shift: pd.Series | None = None, champion: str = ""
) -> pd.DataFrame:
    """What is each unit's true index, how sure is that, and could it be the best?

    Log indices shrunk towards their common centre by their own uncertainty (`methods.shrinkage.NormalUnits`). Columns: see BELIEF_COLUMNS;
    value = exp(posterior mean of the log index), low, high, sd (of the log index), p_above = probability that the index is over 1, p_best,
    p_worse = probability of a lower index than the `champion` (NaN for the champion itself and where it has none), rank_low, rank_high = ranks
    it holds with probability 90 %, months_to_separate = months of placements at the present flow until a unit 10 % better would be told from
    its peers.

    `batch_months` (by unit_key) counts the months of placements behind an index; `shift` (by unit_key) is added to the log index: log of
    a unit's net share over the pooled one turns the index into the net index. Undefined (NaN and note): fewer than two units have one.
    """
    table = found[["unit_key", "allocation", "cases", "value", "se_log", "note"]].copy()
    flow = table["unit_key"].map(batch_months).astype(float)
    table["months_to_separate"] = profiling.months_to_separate(table["se_log"], flow)
    added = (table["unit_key"].map(shift) if shift is not None else pd.Series(0.0, index=table.index)).astype(float)
    log_index = np.log(table["value"].where(table["value"] > 0)) + added
    known = (log_index.notna() & (table["se_log"] > 0)).to_numpy()
    results = ["value", "low", "high", "sd", "p_above", "p_best", "p_worse", "rank_low", "rank_high"]
    table[results] = np.nan
    if known.sum() < 2:
        table["note"] = table["note"].where(table["note"] != "", TOO_FEW_UNITS)
        return table[list(BELIEF_COLUMNS)]
    units = shrinkage.NormalUnits(log_index[known], table.loc[known, "se_log"], prior_sd=belief.prior_sd)
    posterior = units.table(level=belief.level)
    draws = units.draws(count=DRAWS, seed=belief.seed)
    ranks = shrinkage.rank_table(draws)
    table.loc[known, ["value", "low", "high"]] = np.exp(posterior[["value", "low", "high"]].to_numpy())
    table.loc[known, ["sd", "p_above"]] = posterior[["sd", "p_above"]].to_numpy()
    table.loc[known, ["p_best", "rank_low", "rank_high"]] = ranks[["p_best", "rank_low", "rank_high"]].to_numpy()
    compared = (table.loc[known, "unit_key"] == champion).to_numpy()
    if compared.any():
        worse = (draws < draws[:, compared]).mean(axis=0)
        table.loc[known, "p_worse"] = np.where(compared, np.nan, worse)
    return table[list(BELIEF_COLUMNS)]


def funnel_of(found: pd.DataFrame, *, winsor: float = 0.10) -> pd.DataFrame:
    """Which units lie outside what chance and the usual scatter between units would give?

    `found` is the table of `index`; what it has a count of (a unit that collected nothing, too) has a place. Columns: see
    `methods.funnel.funnel_table`.
    """
    known = found[found["expected_count"] > 0]
    counts = (known["observed_count"], known["expected_count"])
    scatter = funnel.dispersion(*counts, size=known["expected_size"], winsor=winsor)
    return funnel.funnel_table(found[["unit_key", "cases", "value", "se_log", *profiling.COUNTS, "note"]], overdispersion=scatter)


def basis_of(sums: pd.DataFrame) -> str:
    """Which placements the answer rests on: random if at least two units have drawn placements with peers, else judgmental."""
    drawn = index(sums, allocation=RANDOM)
    return RANDOM if (drawn["se_log"] > 0).sum() >= 2 else JUDGMENTAL


def _cells(sums: pd.DataFrame) -> pd.DataFrame:
    return sums.assign(stratum=sums["allocation"] + " | " + sums["stratum"])


def _final(sums: pd.DataFrame, allocation: str) -> pd.DataFrame:
    if sums.empty:
        return sums
    return sums[(sums["age_months"] == sums["age_months"].max()) & (sums["allocation"] == allocation)]
