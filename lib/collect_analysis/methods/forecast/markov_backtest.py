"""A projection held against what happened: made from earlier months only, compared month by month with where the same accounts stood.

Bands of a fan know how months differed, not that months to come may differ from all of them: `widened` lets them be as wide as earlier
projections missed by, `learned` tries that on the past, each projection with the errors known when it was made.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from collect_analysis.errors import DataError
from collect_analysis.methods.forecast.markov import Total, chain_of, fan
from collect_analysis.methods.rates.levels import BAND
from collect_analysis.methods.rates.rates import wilson_interval

# An average of fewer months says little about the next one.
FEWEST_MONTHS = 3
# From so many earlier errors on the band is made of them.
FEWEST_ERRORS = 4
# Errors in per cent of a handful of accounts say nothing.
LEAST_ACCOUNTS = 10
COLUMNS = ["origin", "made", "seen", "step", "state", "value", "low", "high", "actual", "error", "covered"]


def origins_of(months: Sequence[date], *, fewest: int = FEWEST_MONTHS, most: int = 18) -> list[date]:
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
    level: float = BAND,
    totals: Callable[[Hashable, Sequence[Hashable]], Mapping[str, Total]] | None = None,
) -> pd.DataFrame:
    """How far would projections of the past have been off?

    `moves`: month, from, to, count. `positions`: origin, step, state, count (where the accounts open at the origin stood later; step 0: at
    the origin). From each origin the moves of the last `fit_months` months up to it are projected (`fan`). `totals`: what accounts bring by
    where they stand, told from an origin and the months used; what came is a row of `positions` with the name of the total as its state.
    Columns: origin, made (place of the origin in the order of months), seen (made + step), step (from 1), state, value (accounts projected),
    low, high, actual, error (value - actual), covered (actual within low to high). Raises DataError: an origin has no moves up to it.
    """
    parts = []
    places = {month: place for place, month in enumerate(sorted(moves["month"].unique()))}
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
        brought = totals(origin, used) if totals else None
        told = fan(
            chain_of(known, states=states, ends=ends), months, start, steps=steps, draws=draws, seed=seed, level=level, totals=brought
        )
        actual = later.set_index(["step", "state"])["count"]
        told = told[told["step"] > 0].assign(origin=origin, made=places[origin])
        keys = pd.MultiIndex.from_frame(told[["step", "state"]])
        told["actual"] = actual.reindex(keys, fill_value=0).to_numpy(float)
        parts.append(told)
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(parts, ignore_index=True)
    table["error"], table["seen"] = table["value"] - table["actual"], table["made"] + table["step"]
    table["covered"] = (table["actual"] >= table["low"]) & (table["actual"] <= table["high"])
    return table[COLUMNS]


def widened(told: pd.DataFrame, past: pd.DataFrame, *, level: float = BAND) -> pd.DataFrame:
    """Bands that are no narrower than earlier forecasts of the same state, as many months ahead, missed by.

    Formula: of the n earlier errors log((actual + ½)/(value + ½)) in order, the ⌊(1-level)/2·(n+1)⌋-th and the ⌈(1+level)/2·(n+1)⌉-th bound
    the band on that scale (the first and the last where there are too few: that holds with probability (n-1)/(n+1)); what `told` says stays
    where it is wider. Fewer than four errors so many months ahead: those of the furthest month that has them, in proportion to the months.
    `told`: step, state, value, low, high; `past`: step, state, value, actual. Columns: those of `told`, and errors_known. If errors to come
    are like those that came, the band holds with probability `level` (Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World
    (2005) 2.2; errors of neighbouring months hang together, so it is tried: `learned`).
    """
    bounds = {key: (*_bounds(part, level), len(part)) for key, part in past.groupby(["state", "step"])}
    rows: list[tuple[float, float, int]] = []
    for state, step in zip(told["state"], told["step"], strict=True):
        near = [(later, bounds[state, later]) for later in range(int(step), 0, -1) if (state, later) in bounds]
        later, (below, above, count) = next((item for item in near if item[1][2] >= FEWEST_ERRORS), (int(step), (0.0, 0.0, 0)))
        times = step / later if later else 1.0
        rows.append((below * times, above * times, count if later == step else 0))
    column = np.array(rows, dtype=float).reshape(len(rows), 3)
    low = np.clip((told["value"] + 0.5) * np.exp(column[:, 0]) - 0.5, 0.0, None)
    high = (told["value"] + 0.5) * np.exp(column[:, 1]) - 0.5
    wide = told.assign(low=np.minimum(told["low"], low), high=np.maximum(told["high"], high))
    return wide.assign(errors_known=column[:, 2].astype(int))


def _bounds(part: pd.DataFrame, level: float) -> tuple[float, float]:
    """Between which errors, on the scale of the logarithm, the share `level` of the errors lies."""
    missed = np.sort(np.log((part["actual"].to_numpy(dtype=float) + 0.5) / (part["value"].to_numpy(dtype=float) + 0.5)))
    size, tail = len(missed), (1 - level) / 2
    first = max(math.floor(tail * (size + 1) + 1e-9), 1)
    last = min(math.ceil((1 - tail) * (size + 1) - 1e-9), size)
    return float(missed[first - 1]), float(missed[last - 1])


def learned(table: pd.DataFrame, *, level: float = BAND) -> pd.DataFrame:
    """Would bands as wide as earlier errors have held? The table of `backtest` with the bands of `widened`, each from the errors that were
    known when it was made; only forecasts that had enough of them. Columns: those of `backtest`.
    """
    parts = [table.head(0)]
    for made, now in table.groupby("made"):
        wide = widened(now, table[table["seen"] <= made], level=level)
        parts.append(wide[wide["errors_known"] >= FEWEST_ERRORS])
    found = pd.concat(parts, ignore_index=True)
    found["covered"] = ((found["actual"] >= found["low"]) & (found["actual"] <= found["high"])).astype(bool)
    return found[COLUMNS]


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
