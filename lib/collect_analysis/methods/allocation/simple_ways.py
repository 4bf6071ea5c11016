"""What simpler ways of allocating would bring, under the same bounds and the same minimum propensity: what the prices are worth."""

import numpy as np
import pandas as pd

from collect_analysis.methods.allocation.market import Market, of_problem
from collect_analysis.methods.allocation.optimum import Allocation, explored_worth
from collect_analysis.methods.allocation.problem import Problem, spans

WAYS = ("greedy", "best_first", "today")


def compare(allocation: Allocation, ways: tuple[str, ...] = WAYS) -> pd.DataFrame:
    """How much more does the optimum bring than greedy, than the best unit first, than today's holders?

    `greedy`: again and again the pair worth most among what is still open; `best_first`: accounts one after another (in the order of the
    seeded hash of their keys), each to its best unit that has room; both keep capacities and the minimum propensity, not the units'
    minimums, and may leave accounts over that later find only full units. `today`: every account with its present holder, where it may stay
    there; no exploration, whatever the capacity.

    Returns
    -------
    way, value_minor (expected net recovery), below_bound (share of the bound that it misses, the bonus for kept holders counted; what is not
    placed brings nothing), unplaced (in the capacity unit; today: without an eligible holder); the optimum first.
    """
    found = [("optimum", allocation.value, allocation.bonus, 0.0)]
    market = of_problem(allocation.problem)
    found += [(way, *(_today(allocation.problem) if way == "today" else _by_turns(market, way))) for way in ways]
    table = pd.DataFrame(found, columns=["way", "value_minor", "bonus", "unplaced"])
    bound = allocation.bound
    table["below_bound"] = (bound - table["value_minor"] - table["bonus"]) / abs(bound) if bound else np.nan
    return table[["way", "value_minor", "below_bound", "unplaced"]]


def _today(problem: Problem) -> tuple[float, float, float]:
    pair = problem.unit == np.repeat(problem.held, problem.arms)
    per_pair = np.repeat(problem.count, problem.arms)[pair]
    kept = np.add.reduceat(pair.astype(np.int64), problem.start[:-1]) > 0
    lost = float((problem.count * problem.load)[~kept].sum())
    return float((per_pair * problem.value[pair]).sum()), problem.switch_cost * float(per_pair.sum()), lost


def _by_turns(market: Market, way: str) -> tuple[float, float, float]:
    """Place by turns: everybody stands at the best open unit; whoever comes before the first unit to fill is placed, that unit closes."""
    problem = market.problem
    turn = np.empty(len(market.order))
    turn[market.order] = np.arange(len(market.order))
    supply, room = market.supply.copy(), market.capacity.copy()
    net = market.worth.copy()
    value = bonus = 0.0
    alive = np.nonzero(supply)[0]
    pair = _best(problem, net, alive)
    while len(alive):
        first = np.lexsort((turn[alive], -net[pair])) if way == "greedy" else np.argsort(turn[alive], kind="stable")
        alive, pair = alive[first], pair[first]
        unit = problem.unit[pair]
        stop, closed = _until_full(unit, supply[alive], room)
        flow = supply[alive[: stop + 1]].copy()
        if closed >= 0:
            flow[stop] = room[closed] - flow[:stop][unit[:stop] == closed].sum()
        done, at = alive[: stop + 1], pair[: stop + 1]
        accounts = flow / market.parts / problem.load[done]
        value += float((accounts * problem.value[at]).sum())
        bonus += problem.switch_cost * float(accounts[problem.held[done] == problem.unit[at]].sum())
        supply[done] -= flow
        room -= np.bincount(unit[: stop + 1], weights=flow, minlength=len(room)).astype(np.int64)
        if closed < 0:
            break
        alive, pair = alive[stop:], pair[stop:]
        moved = problem.unit[pair] == closed
        net[problem.unit == closed] = -np.inf
        pair[moved] = _best(problem, net, alive[moved])
        stays = np.isfinite(net[pair]) & (supply[alive] > 0)
        alive, pair = alive[stays], pair[stays]
    tried, stayed = explored_worth(problem)
    return value + tried, bonus + problem.switch_cost * stayed, float(supply.sum()) / market.parts


def _best(problem: Problem, net: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The pair worth most of each row, the first of equals."""
    if not len(rows):
        return rows
    pairs, length = spans(problem.start, rows)
    begin = np.concatenate([[0], np.cumsum(length)[:-1]])
    top = np.repeat(np.maximum.reduceat(net[pairs], begin), length)
    return np.minimum.reduceat(np.where(net[pairs] == top, pairs, len(net)), begin)


def _until_full(unit: np.ndarray, supply: np.ndarray, room: np.ndarray) -> tuple[int, int]:
    """Who, in this order, is the first to fill a unit, and which; the last and -1 where nobody does."""
    by_unit = np.argsort(unit, kind="stable")
    taken = np.cumsum(supply[by_unit])
    begin = np.searchsorted(unit[by_unit], np.arange(len(room)))
    before = np.concatenate([[0], taken])[begin]
    full = taken - before[unit[by_unit]] >= room[unit[by_unit]]
    if not full.any():
        return len(unit) - 1, -1
    place = int(by_unit[full].min())
    return place, int(unit[place])
