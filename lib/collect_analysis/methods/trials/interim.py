"""A running two-arm test at all of its looks: effects from means, which looks count, boundaries, valid intervals."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.methods.rates.levels import ERROR
from collect_analysis.methods.trials.experiments import KEYS
from collect_analysis.methods.trials.sequential import confidence_sequence, first_crossing, group_sequential

Rule = Literal["obrien_fleming", "pocock", "always_valid"]
# A difference is near enough to normal from here on; looks before are shown and not tested.
FEWEST_CASES = 100
FEWEST_POSITIVE = 10
# A look that adds less than this share of the planned information is no look of its own.
LEAST_STEP = 0.002
TOO_EARLY = "too few cases or results yet: not tested at this look"
NOTHING_NEW = "no new information since the look before: not tested again"
COMPLETE = "the planned information was in before: the test had its last look"
NO_LOOK = "no look was tested yet"
NO_PLAN = "planned information unknown: no boundary"
_COLUMNS = ["information", "fraction", "z", "bound", "low", "high", "naive_low", "naive_high", "crossed", "naive_crossed", "used"]


def effects_by_look(means: pd.DataFrame, *, base: str) -> pd.DataFrame:
    """By how much did each arm differ from the base arm at each look?

    Formula: m - m0, standard error √(v + v0). Takes `arm_means` of sums with a column look_day.
    Columns: look_day, outcome, unit, horizon_days, arm, cases, base_cases, positive (both arms), mean, base_mean, value, se, note.
    Undefined (NaN and the reason in note): either mean is.
    """
    keys = ["look_day", *KEYS]
    pairs = means[means["arm"] != base].merge(means[means["arm"] == base], on=keys, suffixes=("", "_base"), validate="many_to_one")
    table = pairs[[*keys, "arm"]].assign(
        cases=pairs["cases"],
        base_cases=pairs["cases_base"],
        positive=pairs["positive"] + pairs["positive_base"],
        mean=pairs["value"].astype(float),
        base_mean=pairs["value_base"].astype(float),
        value=(pairs["value"] - pairs["value_base"]).astype(float),
        se=np.sqrt((pairs["variance"] + pairs["variance_base"]).astype(float)),
        note=pairs["note"].where(pairs["note"] != "", pairs["note_base"]),
    )
    return table.sort_values([*KEYS, "arm", "look_day"], ignore_index=True)


def information_of_cases(variance: float, cases: Mapping[str, float], *, base: str, arm: str, growth: float = 1.0) -> float:
    """How much information would these cases per arm give?

    Formula: 1 / (v·(growth/n + 1/n0)), v the variance of one case in the base arm with what clusters cost (variance of its mean times its
    cases), `growth` how much more a case of the other arm varies (1: alike). Undefined (NaN): no variance, an arm without a plan.
    """
    n, n0 = float(cases.get(arm, 0.0)), float(cases.get(base, 0.0))
    return 1 / (variance * (growth / n + 1 / n0)) if variance > 0 and n > 0 and n0 > 0 else float("nan")


def monitored(
    effects: pd.DataFrame, *, planned_information: float, rule: Rule, alpha: float = ERROR, fewest: int = FEWEST_CASES
) -> pd.DataFrame:
    """May this comparison stop, at each look, however often it was looked at?

    Looks count from the first at which both arms have `fewest` cases and together 10 results above zero, and only while information grows;
    the others are shown with a note. Boundaries and intervals: `sequential.group_sequential` for `obrien_fleming` and `pocock`,
    `sequential.confidence_sequence` for `always_valid`; the naive interval is the plain one of a single look.

    Parameters
    ----------
    effects
        Rows of one outcome and arm of `effects_by_look`, in order of the looks.
    planned_information
        1 / SE² when the test is complete; NaN: nobody planned, then no look has a boundary.

    Returns
    -------
    The rows given and information, fraction (of the planned), z, bound (of |z|), low, high (all looks together cover the truth with
    1 - alpha), naive_low, naive_high, crossed ("up", "down", or "": the bound was reached at this look or before, by the first time),
    naive_crossed (the plain bound was reached at this look or before), used (the look was tested), note.
    Undefined (NaN): where the look is not tested or its bound is infinite.
    """
    table = effects.reset_index(drop=True)
    table[_COLUMNS[:-3]] = np.nan
    table = table.assign(crossed="", naive_crossed=False, used=False)
    sized = table[["cases", "base_cases"]].min(axis=1).ge(fewest) & table["positive"].ge(FEWEST_POSITIVE)
    ready = sized & np.isfinite(table["value"]) & table["se"].gt(0)
    table["information"] = np.where(ready, table["se"] ** -2.0, np.nan)
    table["z"] = np.where(ready, table["value"] / table["se"], np.nan)
    plain = stats.norm.isf(alpha / 2) * table["se"]
    table["naive_low"], table["naive_high"] = (table["value"] - plain).where(ready), (table["value"] + plain).where(ready)
    table["note"] = table["note"].mask((table["note"] == "") & ~ready, TOO_EARLY)
    table["naive_crossed"] = np.logical_or.accumulate((np.abs(table["z"]) >= stats.norm.isf(alpha / 2)).to_numpy())
    if not np.isfinite(planned_information):
        table["note"] = table["note"].mask(ready, NO_PLAN)
        return table
    table["fraction"] = table["information"] / planned_information
    used = _growing(table["fraction"].to_numpy(dtype=float), closed=rule != "always_valid")
    table["used"] = used
    stale = ready & ~used
    table["note"] = table["note"].mask(stale, NOTHING_NEW).mask(stale & table["fraction"].gt(1) & (rule != "always_valid"), COMPLETE)
    if used.any():
        _bounded(table, used, planned_information, rule, alpha)
    return table


def _growing(fractions: np.ndarray, *, closed: bool) -> np.ndarray:
    """Looks with information that grew by the least step since the last one that counted; `closed`: none after full information."""
    used, last = np.zeros(len(fractions), dtype=bool), 0.0
    for place, fraction in enumerate(fractions):
        if np.isfinite(fraction) and fraction - last >= LEAST_STEP and not (closed and last >= 1):
            used[place], last = True, fraction
    return used


def _bounded(table: pd.DataFrame, used: np.ndarray, planned_information: float, rule: Rule, alpha: float) -> None:
    """Fill bound, low, high and crossed of the looks that count; a crossing stays for all later rows."""
    value, se = table.loc[used, "value"].to_numpy(), table.loc[used, "se"].to_numpy()
    if rule == "always_valid":
        found = confidence_sequence(value, se, planned_information=planned_information, level=1 - alpha)
        bound = ((found["high"] - found["estimate"]) / found["standard_error"]).to_numpy()
    else:
        found = group_sequential(value, se, planned_information=planned_information, spending=rule, alpha=alpha)
        bound = found["bound"].to_numpy()
    table.loc[used, "bound"] = np.where(np.isfinite(bound), bound, np.nan)
    table.loc[used, ["low", "high"]] = found[["low", "high"]].to_numpy()
    beyond = np.flatnonzero(np.abs(value / se) >= bound)
    if beyond.size:
        start = np.flatnonzero(used)[beyond[0]]
        table.loc[start:, "crossed"] = "up" if value[beyond[0]] > 0 else "down"


def naive_error(table: pd.DataFrame, *, alpha: float = ERROR) -> float:
    """How often would the plain bound at the looks that were taken call an effect where there is none?

    Formula: sum of `first_crossing` at the plain bound over the information fractions of the looks that count, of one comparison of
    `monitored`. Undefined (NaN): no look counts.
    """
    fractions = table.loc[table["used"], "fraction"].to_numpy(dtype=float)
    return float(first_crossing(stats.norm.isf(alpha / 2), fractions).sum()) if len(fractions) else float("nan")
