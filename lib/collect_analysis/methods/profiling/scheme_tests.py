"""What is wrong with a pay rule before anybody is paid by it: where it jumps, where it bends, how it spreads, how much of it is luck."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from collect_analysis.methods.profiling.shrinkage import gamma_poisson

Floats = NDArray[np.float64]
Rule = Callable[[Floats], Floats]
# Attainments closer than this are the same place.
CLOSE = 1e-9
JUMP_COLUMNS = ("at", "before", "after", "jump")
KINK_COLUMNS = ("at", "slope_before", "slope_after")


def jumps(rule: Rule, *, low: float = 0.0, high: float = 2.0, steps: int = 4_000, least: float = 1e-6) -> pd.DataFrame:
    """Where does pay jump although attainment hardly moves?

    Formula: every interval of an even grid in which pay changes is halved towards the half that changes more until it is narrower than
    `CLOSE`; what change is left there is a jump if it is larger than `least` times the range of pay (a slope that steep would be one too).
    Two jumps less than (high - low) / steps apart count as the larger of them. Works on any rule: nothing is known of it but its values.

    `rule` maps attainments (k,) to pay (k,). Columns: at (attainment), before, after, jump (pay), sorted by at; empty: none.
    """
    grid = np.linspace(low, high, steps + 1)
    pay = rule(grid)
    least = least * float(pay.max() - pay.min())
    left, right, at_left, at_right = grid[:-1], grid[1:], pay[:-1], pay[1:]
    while len(left) and (right - left).max() > CLOSE:
        moved = np.abs(at_right - at_left) > least
        left, right, at_left, at_right = left[moved], right[moved], at_left[moved], at_right[moved]
        middle = (left + right) / 2
        at_middle = rule(middle)
        lower = np.abs(at_middle - at_left) >= np.abs(at_right - at_middle)
        left, right = np.where(lower, left, middle), np.where(lower, middle, right)
        at_left, at_right = np.where(lower, at_left, at_middle), np.where(lower, at_middle, at_right)
    kept = np.abs(at_right - at_left) > least
    table = pd.DataFrame({"at": right[kept], "before": at_left[kept], "after": at_right[kept], "jump": (at_right - at_left)[kept]})
    # Halving stops within CLOSE of the place; the ninth digit is what a rule is written with.
    return table.assign(at=table["at"].round(8)).sort_values("at", ignore_index=True)[list(JUMP_COLUMNS)]


def kinks(rule: Rule, places: Sequence[float], *, reach: float = 1e-4, least: float = 1e-6) -> pd.DataFrame:
    """At which of `places` does pay per point of attainment change?

    Formula: slopes of the secants over (at - 2·reach, at - reach) and (at + reach, at + 2·reach): a jump at the place itself is no slope.
    Columns: at, slope_before, slope_after (pay per 1.00 of attainment), sorted; places without a change are left out.
    """
    at = np.array(sorted(set(places)), dtype=float)
    ends = [rule(at + step * reach) for step in (-2, -1, 1, 2)] if len(at) else [np.zeros(0)] * 4
    before, after = (ends[1] - ends[0]) / reach, (ends[3] - ends[2]) / reach
    table = pd.DataFrame({"at": at, "slope_before": before, "slope_after": after})
    scale = np.maximum(np.abs(before), np.abs(after))
    return table[np.abs(after - before) > least * np.maximum(scale, 1.0)].reset_index(drop=True)[list(KINK_COLUMNS)]


def gini(values: ArrayLike) -> float:
    """How unequally is a sum spread over persons: 0 for equal parts, (n - 1)/n if one person has all?

    Formula: Σ(2i - n - 1)·x(i) / (n·Σx), x sorted upwards. Undefined (NaN): nobody, or nothing to spread.
    Source: Gini (1912), in the form of Sen, On Economic Inequality (1973). Check: 1, 3 -> 0.25.
    """
    x = np.sort(np.asarray(values, dtype=float))
    total = float(x.sum())
    if x.size == 0 or total <= 0:
        return float("nan")
    place = np.arange(1, x.size + 1)
    return float(((2 * place - x.size - 1) * x).sum() / (x.size * total))


def luck_share(first: ArrayLike, second: ArrayLike) -> float:
    """Which share of the variance of pay is luck: what would have been paid otherwise to the same people for the same work?

    Formula: 1 - cov(first, second) / mean of their variances, where `first` and `second` are two pays of the same persons with the same true
    skill and independent chance: the covariance is the variance of expected pay (law of total variance). Shapes: (k,) or more, flattened.
    Above 1 by chance alone where skill plays no part: cut off at 1. Undefined (NaN): pay does not vary at all.
    Check: independent pays -> 1; equal pays -> 0.
    """
    a, b = (np.asarray(item, dtype=float).ravel() for item in (first, second))
    spread = (a.var() + b.var()) / 2
    if not spread > 0:
        return float("nan")
    return float(np.clip(1 - ((a - a.mean()) * (b - b.mean())).mean() / spread, 0.0, 1.0))


def true_ratios(observed: ArrayLike, expected: ArrayLike, *, draws: int, rng: np.random.Generator) -> Floats:
    """Which true ratios may stand behind counts over expected counts, given how all of them scatter?

    Draws from the posterior of `shrinkage.gamma_poisson`: Gamma(O + θ²/v, E + θ/v); where persons do not differ (v = 0) every draw is θ.
    Shapes: (k,) both -> (draws, k). Undefined (ValueError): an expected count not above 0.
    """
    o, e = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    fit = gamma_poisson(o, e)
    if fit.variance <= 0:
        return np.full((draws, o.size), fit.mean)
    return rng.gamma(o + fit.mean**2 / fit.variance, 1 / (e + fit.mean / fit.variance), size=(draws, o.size))


def seen_ratios(true: ArrayLike, expected: ArrayLike, *, rng: np.random.Generator) -> Floats:
    """Which ratios would be seen in a period in which so many events are expected at ratio 1?

    Draws with mean θ and variance θ/E, the variance of a Poisson count over E: Gamma(θ·E, 1/E). Shapes broadcast. A true ratio or an
    expectation of 0 is seen as 0.
    """
    theta, e = np.broadcast_arrays(np.asarray(true, dtype=float), np.asarray(expected, dtype=float))
    shape = theta * e
    known = shape > 0
    return np.where(known, rng.gamma(np.where(known, shape, 1.0), 1 / np.where(known, e, 1.0)), 0.0)


def redrawn_totals(amounts: Floats, *, columns: int, draws: int, rng: np.random.Generator) -> Floats:
    """Between which values may the total of the next `columns` periods lie?

    Formula: a draw takes `columns` periods of the history with replacement, and in each as many persons as there were, with replacement:
    what differs between periods and between persons' luck are both in it. `amounts` (persons, periods), NaN where a person was not there.
    Returns totals (draws,). Undefined: no period.
    """
    periods = [amounts[np.isfinite(amounts[:, place]), place] for place in range(amounts.shape[1])]
    chosen = rng.integers(len(periods), size=(draws, columns))
    totals = np.zeros(draws)
    for place, values in enumerate(periods):
        times = (chosen == place).sum(axis=1)
        # The sum of n redrawn amounts is counts of a multinomial times the amounts.
        for again in range(1, columns + 1):
            wanted = times >= again
            if values.size and wanted.any():
                counts = rng.multinomial(values.size, np.full(values.size, 1 / values.size), size=int(wanted.sum()))
                totals[wanted] += counts @ values
    return totals
