"""What is left to optimise once every eligible pair has its minimum propensity: whole-number supplies, bounds and worths per unit of flow."""

from dataclasses import dataclass

import numpy as np

from collect_analysis.methods.allocation.checks import exploring
from collect_analysis.methods.allocation.flow import Arcs, Flow, cheapest
from collect_analysis.methods.allocation.problem import Problem, spans
from collect_analysis.methods.trials.assignment import hash_numbers

# A whole number of flow is a millionth of a place; flows stay far inside 64 bits.
PARTS = 1e6
LARGEST_FLOW = 1e15
CHUNK_PAIRS = 4_000_000
# Regrets are looked at in every so many rows to find which arcs are worth solving over.
LOOKED_AT = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Market:
    """The problem after exploration. `supply`, `capacity`, `least` in parts of a place; `worth` per place of every pair, with the switch bonus.

    `order`: rows in the order in which they come to the solver (by the hash of seed and key, so that ties fall by lot and not by input
    order); `turn`: the same of units; `spread`: the largest difference of worth within one row; `explored`: capacity that exploration takes.
    """

    problem: Problem
    parts: float
    supply: np.ndarray
    capacity: np.ndarray
    least: np.ndarray
    worth: np.ndarray
    order: np.ndarray
    turn: np.ndarray
    spread: float
    explored: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Priced:
    """Every pair judged at given prices: the dual `bound` (minor units, without exploration) and the pairs `better` than a row's present best."""

    bound: float
    better: np.ndarray


def of_problem(problem: Problem) -> Market:
    """The market of a checked problem: supply = count x load x (1 - arms x min_propensity), bounds less what exploration takes."""
    free = problem.count * problem.load * np.clip(1 - problem.arms * problem.min_propensity, 0, None)
    total = float(free.sum())
    parts = min(PARTS, LARGEST_FLOW / max(total, 1e-9))
    supply = np.floor(free * parts + 1e-6).astype(np.int64)
    taken = exploring(problem)
    room = np.minimum(np.clip(problem.capacity - taken, 0, None), total + 1)
    # Capacities are rounded up and supplies down, so that a problem that just fits still fits; the difference is a millionth of a place.
    capacity = np.ceil(room * parts - 1e-6).astype(np.int64)
    least = np.minimum(np.floor(np.clip(problem.least - taken, 0, None) * parts + 1e-6).astype(np.int64), capacity)
    worth = problem.value
    if (problem.load != 1).any():
        worth = worth / np.repeat(problem.load, problem.arms)
    if problem.switch_cost:
        stays = problem.unit == np.repeat(problem.held, problem.arms)
        worth = worth + np.where(stays, problem.switch_cost / np.repeat(problem.load, problem.arms), 0.0)
    lot = hash_numbers(problem.keys.astype(str), str(problem.seed))
    spread = np.maximum.reduceat(worth, problem.start[:-1]) - np.minimum.reduceat(worth, problem.start[:-1])
    return Market(
        problem=problem,
        parts=parts,
        supply=supply,
        capacity=capacity,
        least=least,
        worth=worth,
        order=np.lexsort((problem.keys.astype(str), lot)),
        turn=np.argsort(np.argsort(hash_numbers(problem.units, str(problem.seed)), kind="stable")),
        spread=float(spread.max()),
        explored=taken,
    )


def solve_over(market: Market, pairs: np.ndarray, rows: np.ndarray, *, part: float = 1.0) -> tuple[np.ndarray, Flow]:
    """The cheapest flow over some `pairs` of some `rows` (both sorted); with `part` < 1 the units have only that part of their bounds.

    Returns the pairs in the order of the flow, and the flow; its prices and shortages in the order of the units, what is unplaced in that of
    `market.order` limited to `rows`.
    """
    rank = np.full(len(market.supply), -1)
    asked = np.zeros(len(market.supply), dtype=bool)
    asked[rows] = True
    inside = market.order[asked[market.order]]
    rank[inside] = np.arange(len(inside))
    row = rows_of(market.problem, pairs)
    units = len(market.turn)
    came = np.argsort(rank[row] * units + market.turn[market.problem.unit[pairs]], kind="stable")
    pairs, row = pairs[came], row[came]
    back = np.argsort(market.turn)
    arcs = Arcs(
        row=rank[row],
        unit=market.turn[market.problem.unit[pairs]].astype(np.int64),
        worth=market.worth[pairs],
        supply=market.supply[inside],
        capacity=np.ceil(market.capacity[back] * part).astype(np.int64),
        least=np.floor(market.least[back] * part).astype(np.int64),
        spread=market.spread,
    )
    flow = cheapest(arcs)
    return pairs, Flow(flow=flow.flow, unplaced=flow.unplaced, short=flow.short[market.turn], price=flow.price[market.turn], step=flow.step)


def rows_of(problem: Problem, pairs: np.ndarray) -> np.ndarray:
    """The row of each pair."""
    return np.searchsorted(problem.start, pairs, side="right") - 1


def regret_limit(market: Market, price: np.ndarray, per_row: float) -> float:
    """Below which regret (best priced worth of the row - that of the pair) do about `per_row` pairs a row lie?"""
    problem = market.problem
    rows = market.order[:LOOKED_AT]
    pairs, length = spans(problem.start, rows)
    net = market.worth[pairs] - price[problem.unit[pairs]]
    best = np.maximum.reduceat(net, np.concatenate([[0], np.cumsum(length)[:-1]]))
    return float(np.quantile(np.repeat(best, length) - net, min(1.0, per_row / float(length.mean()))))


def within_regret(market: Market, price: np.ndarray, limit: float) -> np.ndarray:
    """The pairs whose regret is at most `limit`: of every row at least its best."""
    found = [at + np.nonzero(regret <= limit)[0] for at, regret, _ in _regrets(market, price)]
    return np.concatenate(found)


def judge(market: Market, price: np.ndarray, pairs: np.ndarray, *, slack: float) -> Priced:
    """What do these prices prove, and which pairs do they show to be missing?

    Bound: sum of supply x best priced worth + capacity x price where it is above 0, least x price where it is below (dual of the transportation
    problem; any prices give a bound). Missing: pairs better than the best of the row's `pairs` by more than `slack`.
    """
    problem = market.problem
    best = np.full(len(market.supply), -np.inf)
    row = rows_of(problem, pairs)
    np.maximum.at(best, row, market.worth[pairs] - price[problem.unit[pairs]])
    bound = float((np.clip(price, 0, None) * market.capacity).sum() - (np.clip(-price, 0, None) * market.least).sum())
    better = []
    for at, regret, (begin, end, top) in _regrets(market, price):
        bound += float((market.supply[begin:end] * top).sum())
        short = np.repeat(top - best[begin:end] - slack, problem.arms[begin:end])
        better.append(at + np.nonzero(regret < short)[0])
    return Priced(bound=bound / market.parts, better=np.concatenate(better))


def _regrets(market: Market, price: np.ndarray):
    """Chunks of rows: first pair, the regret of each pair, and (first row, row after the last, best priced worth of each row)."""
    problem = market.problem
    rows, size = len(market.supply), len(problem.unit)
    step = max(1, int(rows * min(1.0, CHUNK_PAIRS / size)))
    for begin in range(0, rows, step):
        end = min(begin + step, rows)
        at, until = int(problem.start[begin]), int(problem.start[end])
        net = market.worth[at:until] - price[problem.unit[at:until]]
        top = np.maximum.reduceat(net, problem.start[begin:end] - at)
        yield at, np.repeat(top, problem.arms[begin:end]) - net, (begin, end, top)
