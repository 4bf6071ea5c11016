"""The best allocation and the proof of how good it is: prices from a sample, an exact flow over the pairs that matter, all pairs judged."""

from dataclasses import dataclass

import numpy as np

from collect_analysis.errors import DataError
from collect_analysis.methods.allocation.checks import check
from collect_analysis.methods.allocation.flow import Flow
from collect_analysis.methods.allocation.market import Market, judge, of_problem, regret_limit, rows_of, solve_over, within_regret
from collect_analysis.methods.allocation.problem import Problem, spans
from collect_analysis.methods.allocation.shortage import explain

# Up to so many pairs are solved in one go; beyond, prices of a sample say which pairs are worth solving over.
AT_ONCE = 300_000
SAMPLE_PAIRS = 200_000
PAIRS_PER_ROW = 3.0
GOAL = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Allocation:
    """The allocation: each row's units and the share of its account left after exploration (`row`, `unit`, `share`; shares of a row sum to 1).

    The propensity of a pair is min_propensity + (1 - arms x min_propensity) x share. `value`: expected net recovery in minor units, `bonus`:
    what kept holders count beside it (switch_cost x expected accounts that stay), `bound`: no allocation under the same bounds has
    value + bonus above it, `gap` = (bound - value - bonus)/|bound|. `price`: minor units one more unit of capacity of a unit would bring
    (0: it has room; below 0: what one more unit of its minimum would cost). `used`: expected capacity taken. `rounds`: flows solved.
    """

    problem: Problem
    row: np.ndarray
    unit: np.ndarray
    share: np.ndarray
    price: np.ndarray
    used: np.ndarray
    value: float
    bonus: float
    bound: float
    gap: float
    rounds: int


def allocate(problem: Problem) -> Allocation:
    """Who should get which accounts, so that expected net recovery is highest and every eligible pair keeps its minimum propensity?

    Formula: maximise sum n_i p_ij v_ij over p_ij >= e, sum_j p_ij = 1, least_j <= sum_i n_i l_i p_ij <= capacity_j. With p = e + (1 - k_i e) q
    the rest q is a transportation problem, solved exactly as a min-cost flow over a growing set of pairs until no pair is missing or the dual
    bound shows a gap under a millionth. Ties fall by the hash of seed and key; the result does not depend on the order of the input.

    Raises
    ------
    DataError
        The problem is not well posed (`checks.check`), or no allocation keeps its bounds: which units, how much, the smallest change.

    Source: Ahuja, Magnanti & Orlin, Network Flows (1993) ch. 9-10; Desaulniers, Desrosiers & Solomon, Column Generation (2005) ch. 1.
    """
    check(problem)
    market = of_problem(problem)
    pairs, flow, bound, rounds = _solved(market)
    if flow.unplaced.any() or flow.short.any():
        raise DataError(explain(market, pairs, flow))
    return _allocation(market, pairs, flow, bound, rounds)


def _solved(market: Market) -> tuple[np.ndarray, Flow, float, int]:
    """Pairs in the order of the flow, the flow, the bound its prices prove, and how many flows over all rows it took."""
    rows, pairs, rounds = np.arange(len(market.supply)), _first_pairs(market), 0
    while True:
        rounds += 1
        ordered, flow = solve_over(market, pairs, rows)
        priced = judge(market, flow.price, pairs, slack=2 * flow.step)
        placed = not flow.unplaced.any() and not flow.short.any()
        worth = float((flow.flow * market.worth[ordered]).sum()) / market.parts
        near = placed and priced.bound - worth <= GOAL * abs(priced.bound)
        # Every round adds pairs, so that it ends at the latest when all are in.
        if near or not len(priced.better):
            return ordered, flow, priced.bound, rounds
        pairs = np.sort(np.concatenate([pairs, priced.better]))


def _first_pairs(market: Market) -> np.ndarray:
    problem = market.problem
    pairs = len(problem.unit)
    if pairs <= AT_ONCE:
        return np.arange(pairs)
    price = _sample_prices(market)
    return within_regret(market, price, regret_limit(market, price, PAIRS_PER_ROW))


def _sample_prices(market: Market) -> np.ndarray:
    problem = market.problem
    # Keys are in the order of a hash, so the first are a random sample.
    size = np.cumsum(problem.arms[market.order])
    rows = np.sort(market.order[: max(1, int(np.searchsorted(size, SAMPLE_PAIRS)))])
    pairs, _ = spans(problem.start, rows)
    part = float(market.supply[rows].sum()) / max(float(market.supply.sum()), 1.0)
    return solve_over(market, pairs, rows, part=part)[1].price


def _allocation(market: Market, pairs: np.ndarray, flow: Flow, bound: float, rounds: int) -> Allocation:
    problem = market.problem
    # A row that is all exploration has nothing left to place; its first pair stands for the whole of nothing.
    taken = flow.flow > 0
    row = rows_of(problem, pairs)
    idle = (market.supply[row] == 0) & np.concatenate([[True], row[1:] != row[:-1]])
    kept = np.nonzero(taken | idle)[0]
    kept = kept[np.argsort(pairs[kept], kind="stable")]
    row, unit = row[kept], problem.unit[pairs[kept]]
    share = np.where(market.supply[row] > 0, flow.flow[kept] / np.maximum(market.supply[row], 1), 1.0)
    accounts = problem.count[row] * np.clip(1 - problem.arms[row] * problem.min_propensity, 0, None) * share
    used = market.explored + np.bincount(unit, weights=accounts * problem.load[row], minlength=len(problem.units))
    tried, stayed = explored_worth(problem)
    value = float((accounts * problem.value[pairs[kept]]).sum()) + tried
    bonus = problem.switch_cost * (float(accounts[problem.held[row] == unit].sum()) + stayed)
    # Rounding to whole numbers of flow may leave the bound a hair under the value it bounds.
    top = max(bound + tried + problem.switch_cost * stayed, value + bonus)
    return Allocation(
        problem=problem,
        row=row,
        unit=unit,
        share=share,
        price=flow.price,
        used=used,
        value=value,
        bonus=bonus,
        bound=top,
        gap=(top - (value + bonus)) / abs(top) if top else 0.0,
        rounds=rounds,
    )


def explored_worth(problem: Problem) -> tuple[float, float]:
    """What the minimum propensities alone bring: expected minor units, and expected accounts that stay with their holder."""
    per_row = problem.count * problem.min_propensity
    sums = np.add.reduceat(problem.value, problem.start[:-1])
    stays = np.add.reduceat((problem.unit == np.repeat(problem.held, problem.arms)).astype(np.int64), problem.start[:-1])
    return float((per_row * sums).sum()), float((per_row * stays).sum())
