"""Two second opinions on a staggered roll-out: a test that needs no standard error, and the usual regression, to show where it misleads."""

from dataclasses import dataclass, replace
from math import lgamma

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.causal.rollout import Controls, Panel, by_cluster, cell_estimate, comparisons, read_panel, untreated_at_first
from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RandomisationTest:
    """The overall effect, and how often a start order drawn by lot gives one as large.

    `smallest_p_value` is what the number of different orders allows at best: above the wanted level no result could ever be significant.
    """

    estimate: float
    p_value: float
    smallest_p_value: float
    draws: int


def randomisation_test(
    panel: pd.DataFrame, *, rng: np.random.Generator, controls: Controls = "not_yet_treated", draws: int = 999
) -> RandomisationTest:
    """Could the order of starts alone, had it been drawn by lot, have produced the overall effect? For few branches.

    Formula: starts are shuffled among clusters; statistic = ATT(g,t), t >= g, weighted by cohort size; p = (1 + #{|shuffled| >= |seen|}) /
    (1 + draws). Exact where the order was drawn by lot; otherwise it takes for granted that it might have been.
    Undefined (NaN): no treated cell with controls. Raises DataError as `read_panel`, or where one cluster has several starts;
    ParameterError: draws below 1 or unknown `controls`.
    Source: Fisher (1935); Roth & Sant'Anna, Journal of Political Economy: Microeconomics 1 (2023) 669.
    """
    if draws < 1:
        raise ParameterError(f"draws must be at least 1, not {draws}.")
    data = untreated_at_first(read_panel(panel))
    names, first = np.unique(data.clusters, return_index=True)
    starts = data.starts[first]
    if (starts[np.searchsorted(names, data.clusters)] != data.starts).any():
        raise DataError("panel: a cluster has several starts; shuffle whole branches, so let `cluster` be what starts together.")
    seen = _overall(data, controls)
    shuffled = np.array([_overall(_restarted(data, names, rng.permutation(starts)), controls) for _ in range(draws)])
    # Rounding must not make a shuffle that repeats the seen order look smaller than it.
    as_large = np.abs(shuffled) >= abs(seen) * (1 - 1e-9)
    p_value = (1 + int(as_large.sum())) / (1 + draws) if np.isfinite(seen) else float("nan")
    orders = lgamma(len(starts) + 1) - sum(lgamma(count + 1) for count in np.unique(starts, return_counts=True)[1])
    return RandomisationTest(estimate=seen, p_value=p_value, smallest_p_value=max(float(np.exp(-orders)), 1 / (1 + draws)), draws=draws)


@dataclass(frozen=True, kw_only=True)
class TwoWayFixedEffects:
    """What the usual regression says, and why not to use it: the weight it gives to each effect, some of them below 0.

    `weights` has columns cohort, period, weight (they sum to 1). `negative_share` is the sum of |negative weights|.
    """

    estimate: float
    standard_error: float
    negative_share: float
    weights: pd.DataFrame
    low: float = float("nan")
    high: float = float("nan")


def two_way_fixed_effects(panel: pd.DataFrame, *, level: float = CONFIDENCE) -> TwoWayFixedEffects:
    """What would the regression on unit, period and "treated" say? For comparison only: it is no estimate of the effect.

    Formula: β = Σ D̃·Y / Σ D̃², D̃ = treatment less its unit and period means; it equals the weighted sum of the effects of all treated
    cells with weights D̃ / Σ D̃², which are below 0 for early starters in late periods. SE clustered, without small-sample factor.
    Undefined: NaN when treatment does not vary within unit and period. Raises DataError as `read_panel`.
    Source: de Chaisemartin & D'Haultfoeuille, American Economic Review 110 (2020) 2964; Goodman-Bacon, Journal of Econometrics 225
    (2021) 254.
    """
    data = read_panel(panel)
    treated = (data.periods[None, :] >= data.starts[:, None]).astype(float)
    residual, outcome = _within(treated, data.weights), _within(data.outcome, data.weights)
    # Units count by their weight; the residual of the treatment carries it from here on.
    score = residual * data.weights[:, None]
    scale = float((score * residual).sum())
    if not scale > 1e-12:
        nothing = pd.DataFrame({"cohort": [], "period": [], "weight": []}, dtype=float)
        return TwoWayFixedEffects(estimate=float("nan"), standard_error=float("nan"), negative_share=float("nan"), weights=nothing)
    estimate = float((score * data.outcome).sum() / scale)
    scores = (score * (outcome - estimate * residual)).sum(axis=1, keepdims=True) / scale
    unit, period = np.nonzero(treated)
    cells = pd.DataFrame({"cohort": data.starts[unit], "period": data.periods[period], "weight": score[unit, period] / scale})
    weights = cells.groupby(["cohort", "period"], as_index=False).sum()
    error = float(np.sqrt((by_cluster(scores, data.clusters) ** 2).sum()))
    half = float(stats.norm.ppf((1 + level) / 2)) * error
    return TwoWayFixedEffects(
        estimate=estimate,
        standard_error=error,
        low=estimate - half,
        high=estimate + half,
        negative_share=float(-weights["weight"].clip(upper=0).sum()),
        weights=weights,
    )


def before_and_after(panel: pd.DataFrame, *, level: float = CONFIDENCE) -> dict[str, float]:
    """What does "after less before" say of those that started? It takes whatever else moved for an effect.

    Formula: per unit the mean from its start on less the mean before it; weighted mean over starters, interval from the spread between units
    (Student's t). Keys: value, low, high. Undefined (NaN): no starter seen before and after; interval with one. DataError as `read_panel`.
    """
    data = untreated_at_first(read_panel(panel))
    after = data.periods[None, :] >= data.starts[:, None]
    starters = after.any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        changes = (data.outcome * after).sum(axis=1) / after.sum(axis=1) - (data.outcome * ~after).sum(axis=1) / (~after).sum(axis=1)
    return _mean_with_interval(changes[starters], data.weights[starters], level)


def starters_and_others(panel: pd.DataFrame, *, level: float = CONFIDENCE) -> dict[str, float]:
    """What does "those that have it against those that do not" say in the last period? It takes lasting differences for an effect.

    Formula: weighted difference of means, variances added (Student's t, fewer units less one). Keys: value, low, high. Undefined (NaN): a
    side empty; the interval with one unit a side. Raises DataError as `read_panel`.
    """
    data = read_panel(panel)
    started, now = data.starts <= data.periods[-1], data.outcome[:, -1]
    sides = [_mean_with_interval(now[side], data.weights[side], level) for side in (started, ~started)]
    value = sides[0]["value"] - sides[1]["value"]
    half = float(np.sqrt(sum(((side["high"] - side["low"]) / 2) ** 2 for side in sides)))
    return {"value": value, "low": value - half, "high": value + half}


def _mean_with_interval(values: Floats, weights: Floats, level: float) -> dict[str, float]:
    if not len(values):
        return dict.fromkeys(("value", "low", "high"), float("nan"))
    share = weights / weights.sum()
    mean = float(share @ values)
    if len(values) < 2:
        return {"value": mean, "low": float("nan"), "high": float("nan")}
    error = float(np.sqrt((share**2 * (values - mean) ** 2).sum() * len(values) / (len(values) - 1)))
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return {"value": mean, "low": mean - half, "high": mean + half}


def _overall(panel: Panel, controls: Controls) -> float:
    """All treated cells that have controls, weighted by the size of the cohort."""
    cells = [cell for cell in comparisons(panel, controls) if panel.periods[cell.now] >= cell.cohort and cell.control.any()]
    if not cells:
        return float("nan")
    return float(np.average([cell_estimate(panel, cell) for cell in cells], weights=[panel.weights[cell.treated].sum() for cell in cells]))


def _restarted(panel: Panel, names: NDArray[np.intp], starts: Floats) -> Panel:
    return replace(panel, starts=starts[np.searchsorted(names, panel.clusters)])


def _within(values: Floats, weights: Floats) -> Floats:
    """Values less their unit and period means; units weighted, which in a balanced panel is all that weighted least squares does."""
    by_period = np.average(values, axis=0, weights=weights)
    return values - values.mean(axis=1, keepdims=True) - by_period + by_period.mean()
