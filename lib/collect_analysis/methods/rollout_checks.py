"""Two second opinions on a staggered roll-out: a test that needs no standard error, and the usual regression, to show where it misleads."""

from dataclasses import dataclass, replace
from math import lgamma

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.rollout import Controls, Panel, by_cluster, cell_estimate, comparisons, read_panel, untreated_at_first

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


def two_way_fixed_effects(panel: pd.DataFrame) -> TwoWayFixedEffects:
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
    return TwoWayFixedEffects(
        estimate=estimate,
        standard_error=float(np.sqrt((by_cluster(scores, data.clusters) ** 2).sum())),
        negative_share=float(-weights["weight"].clip(upper=0).sum()),
        weights=weights,
    )


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
