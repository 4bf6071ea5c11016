"""A projection held against what happened: made from earlier months only, compared month by month with where the same accounts stood."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from collect_analysis.errors import DataError
from collect_analysis.methods.markov import chain_of, fan
from collect_analysis.methods.rates import wilson_interval

# An average of fewer months says little about the next one.
FEWEST_MONTHS = 3
# Errors in per cent of a handful of accounts say nothing.
LEAST_ACCOUNTS = 10
COLUMNS = ["origin", "step", "state", "value", "low", "high", "actual", "error", "covered"]


def origins_of(months: Sequence[date], *, fewest: int = FEWEST_MONTHS, most: int = 6) -> list[date]:
    """From which month ends can a projection be tried: at least `fewest` months before, one after; the last `most` of them.

    `months` are the closing month ends of the moves, in order; an origin is one of them.
    """
    return list(months)[fewest - 1 : -1][-most:]


def backtest(
    moves: pd.DataFrame,
    positions: pd.DataFrame,
    *,
    states: Sequence[str],
    ends: Sequence[str],
    fit_months: int,
    draws: int,
    seed: int,
    level: float = 0.8,
) -> pd.DataFrame:
    """How far would projections of the past have been off?

    `moves`: month, from, to, count. `positions`: origin, step, state, count (where the accounts open at the origin stood later; step 0: at
    the origin). From each origin the moves of the last `fit_months` months up to it are projected (`fan`). Columns: origin, step (from 1),
    state, value (accounts projected), low, high, actual, error (value - actual), covered (actual within low to high).
    Raises DataError: an origin has no moves up to it.
    """
    parts = []
    for origin, later in positions.groupby("origin"):
        known = moves[moves["month"] <= origin]
        used = sorted(known["month"].unique())[-fit_months:]
        if not used:
            raise DataError(f"no moves up to {origin}: nothing to project from; leave this origin out")
        known = known[known["month"].isin(used)]
        months = [chain_of(part, states=states, ends=ends) for _, part in known.groupby("month")]
        first = later[later["step"] == 0]
        start = dict(zip(first["state"].astype(str), first["count"].astype(float), strict=True))
        steps = int(later["step"].max())
        if steps < 1:
            continue
        told = fan(chain_of(known, states=states, ends=ends), months, start, steps=steps, draws=draws, seed=seed, level=level)
        actual = later.set_index(["step", "state"])["count"]
        told = told[told["step"] > 0].assign(origin=origin)
        keys = pd.MultiIndex.from_frame(told[["step", "state"]])
        told["actual"] = actual.reindex(keys, fill_value=0).to_numpy(float)
        parts.append(told)
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(parts, ignore_index=True)
    table["error"] = table["value"] - table["actual"]
    table["covered"] = (table["actual"] >= table["low"]) & (table["actual"] <= table["high"])
    return table[COLUMNS]


def errors_by(table: pd.DataFrame, *, by: Sequence[str]) -> pd.DataFrame:
    """How far off on average, and how often inside the interval?

    `table` is that of `backtest`. Columns: by, held (forecasts whose interval held), forecasts, covered (their share), low,
    high (Wilson; forecasts of neighbouring months share their accounts, so that the true interval is wider), projected, actual
    (accounts, mean per forecast), bias (Σ(value - actual)/Σactual), off (Σ|value - actual|/Σactual). Forecasts of fewer than 10 accounts
    that came to fewer than 10 are left out. Undefined (NaN): nobody was there.
    """
    told = table[table[["value", "actual"]].max(axis=1) >= LEAST_ACCOUNTS]
    told = told.assign(size=told["error"].abs(), held=told["covered"].astype(int))
    grouped = told.groupby(list(by), as_index=False).agg(
        held=("held", "sum"), forecasts=("covered", "size"), projected=("value", "mean"), actual=("actual", "mean"),
        error=("error", "mean"), size=("size", "mean"),
    )  # fmt: skip
    low, high = wilson_interval(grouped["held"], grouped["forecasts"])
    actual = grouped["actual"].where(grouped["actual"] > 0)
    grouped = grouped.assign(covered=grouped["held"] / grouped["forecasts"], low=low, high=high)
    grouped = grouped.assign(bias=grouped["error"] / actual, off=grouped["size"] / actual)
    return grouped[[*by, "held", "forecasts", "covered", "low", "high", "projected", "actual", "bias", "off"]]


def coverage(table: pd.DataFrame) -> float:
    """Share of the forecasts of `backtest` that held what happened; NaN without one."""
    told = table[table[["value", "actual"]].max(axis=1) >= LEAST_ACCOUNTS]
    return float(told["covered"].mean()) if len(told) else float(np.nan)
