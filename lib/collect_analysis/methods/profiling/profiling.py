"""Profiling units on comparable cases: observed against expected, with the unit left out of its own expectation."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from collect_analysis.methods.rates.count_ratios import effective_count, ratio_interval
from collect_analysis.methods.rates.levels import BETTER, CONFIDENCE, POWER

Floats = NDArray[np.float64]
SUMS = ("n", "sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy")
NO_PEER = "no other unit has comparable cases"
NOTHING_OBSERVED = "nothing observed: the index has no standard error on the log scale"
COUNTS = ["observed_count", "expected_count", "expected_size"]


def observed_expected(cells: pd.DataFrame, *, by: Iterable[str] = (), leave_out: bool = True, level: float = CONFIDENCE) -> pd.DataFrame:
    """Did a unit get more out of its cases than the other units got out of comparable ones?

    Formula: r(-u,s) = sum of y over the other units in stratum s / their sum of x; E(u) = sum over s of r(-u,s)·x(u,s); index = O/E.
    Strata without another unit are left out of both O and E; `coverage` is the share of the unit's x that stays.
    Variance: O from the independent cases' residuals about the stratum's pooled rate, E from the residuals behind r(-u,s); both
    relative and added on the log scale: se_log. The interval is exact for counts: that of a ratio of as many results as the two variances
    are worth (`count_ratios.ratio_interval`); with many results it is exp(log index ± z·se_log). Strata are taken as fixed.

    Parameters
    ----------
    cells
        One row per `by`, `unit_key` and `stratum` with `n` independent cases (customers) and their sums: `sum_y` (outcome), `sum_x`
        (exposure), `sum_yy`, `sum_xx`, `sum_xy`.
    by
        Further columns; every combination is profiled apart (an age, say).
    leave_out
        False compares with the pooled rate that includes the unit itself: it pulls every index towards 1.
    level
        Of the interval.

    Returns
    -------
    by, unit_key, cases, exposure, coverage (share), strata, observed, expected (units of y), se_observed, se_expected, value (O/E),
    se_log, low, high, observed_count and expected_count (in results as large as this unit's are), expected_size (as sure as what count E is),
    note.

    Undefined (NaN and a note): no stratum with another unit, or expected not above 0; se_log: nothing observed.
    Source: indirect standardisation; leave-one-out expectation as for centre profiling.
    """
    keys = list(by)
    compared = cells[[*keys, "unit_key", "stratum", *SUMS]].copy()
    compared[list(SUMS)] = compared[list(SUMS)].astype(float)
    pooled = compared.groupby([*keys, "stratum"])[list(SUMS)].transform("sum")
    others = pooled - compared[list(SUMS)] if leave_out else pooled
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = (pooled["sum_y"] / pooled["sum_x"]).where(pooled["sum_x"] > 0)
        peer = (others["sum_y"] / others["sum_x"]).where(others["sum_x"] > 0)
    comparable = peer.notna()
    kept = compared["sum_x"].where(comparable, 0.0)
    weight = (kept / others["sum_x"].where(comparable)).fillna(0.0)
    parts = compared[[*keys, "unit_key"]].assign(
        cases=compared["n"].where(comparable, 0.0),
        exposure=kept,
        all_exposure=compared["sum_x"],
        strata=comparable.astype(int),
        observed=compared["sum_y"].where(comparable, 0.0),
        expected=(peer * kept).fillna(0.0),
        var_observed=_residual_squares(compared, rate, pooled["n"]).where(comparable, 0.0),
        var_expected=(_residual_squares(others, peer, others["n"]) * weight**2).where(comparable, 0.0),
    )
    table = parts.groupby([*keys, "unit_key"], as_index=False).sum().sort_values([*keys, "unit_key"], ignore_index=True)
    return _indexed(table, keys, level)


def _residual_squares(sums: pd.DataFrame, rate: pd.Series, cases: pd.Series) -> pd.Series:
    """Sum of squared residuals y - rate·x, with the loss of one degree of freedom by which the rate was fitted."""
    squares = (sums["sum_yy"] - 2 * rate * sums["sum_xy"] + rate**2 * sums["sum_xx"]).clip(lower=0)
    return (squares * cases / (cases - 1).where(cases > 1)).fillna(squares)


def _indexed(table: pd.DataFrame, keys: list[str], level: float) -> pd.DataFrame:
    defined, positive = table["expected"] > 0, table["observed"] > 0
    observed, expected = table["observed"].where(defined), table["expected"].where(defined)
    table["value"] = observed / expected
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = table["var_observed"] / observed**2 + table["var_expected"] / expected**2
        table["se_log"] = np.sqrt(relative).where(defined & positive)
    table = counted(table, by=keys, level=level)
    table["coverage"] = table["exposure"] / table["all_exposure"].where(table["all_exposure"] > 0)
    table["se_observed"], table["se_expected"] = np.sqrt(table["var_observed"]), np.sqrt(table["var_expected"])
    table["note"] = np.where(~defined, NO_PEER, np.where(positive, "", NOTHING_OBSERVED))
    columns = ["cases", "exposure", "coverage", "strata", "observed", "expected", "se_observed", "se_expected", "value", "se_log"]
    table["cases"] = table["cases"].astype("int64")
    return table[[*keys, "unit_key", *columns, "low", "high", *COUNTS, "note"]]


def counted(table: pd.DataFrame, *, by: Sequence[str] = (), level: float = CONFIDENCE) -> pd.DataFrame:
    """The table with COUNTS and the exact interval `low`, `high` of O/E (`count_ratios.ratio_interval`).

    Columns needed: observed, expected, var_observed, var_expected (all in units of y, or squared). A typical result is var_observed /
    observed: of a count 1, of money a payment; where nothing was observed that of all rows together, of the same `by`. Where nothing varies
    the interval is the ratio itself. Undefined (NaN): nothing expected, nothing observed in any row.
    """
    spread, seen = (table[name].astype(float) for name in ("var_observed", "observed"))
    groups = [table[name] for name in by] or [pd.Series(0, index=table.index)]
    together = spread.groupby(groups).transform("sum") / seen.groupby(groups).transform("sum")
    with np.errstate(divide="ignore", invalid="ignore"):
        typical = (spread / seen.where(seen > 0)).fillna(together)
        result = typical.where(typical > 0)
        expected = table["expected"].where(table["expected"] > 0)
        size = effective_count(expected, table["var_expected"])
        counts = seen / result, expected / result
        low, high = ratio_interval(*counts, size=size, level=level)
        sure, ratio = typical == 0, seen / expected
    return table.assign(
        observed_count=counts[0], expected_count=counts[1], expected_size=size,
        low=np.where(sure, ratio, low), high=np.where(sure, ratio, high),
    )  # fmt: skip


def months_to_separate(
    se_log: ArrayLike, months: ArrayLike, *, difference: float = BETTER, level: float = CONFIDENCE, power: float = POWER
) -> Floats:
    """How many months of placements would it take to tell a unit that is `difference` better from its peers?

    Formula: months · se² · (z(level) + z(power))² / log(1 + difference)²: the variance of a log index falls as 1 / months at equal flow.
    Shapes: `se_log` and the `months` of flow behind it (k,); returns months (k,). Undefined (NaN): se undefined.
    """
    error, flow = np.asarray(se_log, dtype=float), np.asarray(months, dtype=float)
    reach = stats.norm.ppf((1 + level) / 2) + stats.norm.ppf(power)
    return flow * (error * reach / np.log1p(difference)) ** 2


def allocation_drift(draws: pd.DataFrame) -> pd.DataFrame:
    """Did the lot give each unit the cases it was to get?

    A unit's cases weighted by 1 / propensity estimate how many cases were in the draw. Formula, summed over the draws a unit took part in:
    z = (sum of 1/p over its cases - cases in the draw) / sqrt(sum of (1-p)/p²). p-value two-sided, Bonferroni over units.
    Give draws in which a unit got nothing as rows with 0 cases: left out, the others alone would look like too many.

    Parameters
    ----------
    draws
        One row per `unit_key` and draw: `cases`, `weighted` (sum of 1/p), `spread` (sum of (1-p)/p²), `drawn` (cases of all units).

    Returns
    -------
    unit_key, cases, weighted, drawn, z, p_value; empty where there was no draw.
    Source: Horvitz and Thompson, JASA 47 (1952) 663; known in experiments as the sample-ratio check.
    """
    table = draws.groupby("unit_key", as_index=False)[["cases", "weighted", "spread", "drawn"]].sum().sort_values("unit_key")
    table["cases"] = table["cases"].astype("int64")
    table["z"] = (table["weighted"] - table["drawn"]) / np.sqrt(table["spread"].where(table["spread"] > 0))
    table["p_value"] = np.minimum(1.0, 2 * stats.norm.sf(np.abs(table["z"])) * len(table))
    return table[["unit_key", "cases", "weighted", "drawn", "z", "p_value"]].reset_index(drop=True)
