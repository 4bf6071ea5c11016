"""Exact allocation of divisible supplies over given arcs: min-cost flow in whole numbers, and the prices that go with it."""

from dataclasses import dataclass

import numpy as np

from collect_analysis.methods.allocation.problem import spans

# Costs are whole numbers; a millionth of the typical spread within a row decides nothing that anybody could defend.
FINENESS = 1e-6
LARGEST_COST = 2**59


@dataclass(frozen=True, kw_only=True, eq=False)
class Arcs:
    """Supplies (rows), the arcs they may take and the bounds of the units, all whole numbers but `worth` (per unit of flow).

    `row` is sorted; `row` and `unit` are numbers from 0. `spread`: the largest difference of worth within one row, over every arc there is.
    """

    row: np.ndarray
    unit: np.ndarray
    worth: np.ndarray
    supply: np.ndarray
    capacity: np.ndarray
    least: np.ndarray
    spread: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow:
    """`flow` per arc, `unplaced` per row, `short` per unit (below its least), `price` per unit of flow of every unit, `step` of costs."""

    flow: np.ndarray
    unplaced: np.ndarray
    short: np.ndarray
    price: np.ndarray
    step: float


def cheapest(arcs: Arcs) -> Flow:
    """Which flow over these arcs is worth most?

    Placing what can be placed comes first, then the units' minimums, then worth. A unit's price is what one more unit of its capacity would
    bring (0 where it has room; below 0 where its minimum forces it): the longest chain of moves that the new place would set off, which is
    the smallest vector of optimal dual prices. Source: Ahuja, Magnanti & Orlin, Network Flows (1993) ch. 9-10.
    """
    rows, units = len(arcs.supply), len(arcs.capacity)
    first = np.searchsorted(arcs.row, np.arange(rows))
    best = np.maximum.reduceat(arcs.worth, first)
    typical = float(np.mean(best - np.minimum.reduceat(arcs.worth, first)))
    most = LARGEST_COST / (rows + units + 3)
    step = max(typical * FINENESS, arcs.spread * (units + 2) ** 2 / most) or 1.0
    cost = np.rint((best[arcs.row] - arcs.worth) / step).astype(np.int64)
    # One chain of moves passes every unit at most once: leaving something unplaced, or a minimum unmet, costs more than any chain.
    unmet = (int(np.ceil(arcs.spread / step)) + 1) * (units + 2)
    spill = unmet * (units + 2)
    # Arcs that leave a row unplaced are so dear that they slow the solver down; most problems need none.
    solved = _solve(arcs, cost, unmet, None) or _solve(arcs, cost, unmet, spill)
    if solved is None:
        raise ArithmeticError("the min-cost flow found no answer although every row may stay unplaced")
    flow, unplaced, used = solved
    price = _prices(arcs, cost, flow, unplaced, used, spill)
    return Flow(flow=flow, unplaced=unplaced, short=np.maximum(arcs.least - used, 0), price=price * step, step=step)


def _solve(arcs: Arcs, cost: np.ndarray, unmet: int, spill: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    # OR-tools costs 80 ms to import and only an allocation needs it.
    from ortools.graph.python import min_cost_flow

    rows, units = len(arcs.supply), len(arcs.capacity)
    every, end = np.arange(units), rows + units
    network = min_cost_flow.SimpleMinCostFlow()

    def add(tail: np.ndarray, head: np.ndarray, capacity: np.ndarray, price: np.ndarray) -> np.ndarray:
        return network.add_arcs_with_capacity_and_unit_cost(
            tail.astype(np.int32), head.astype(np.int32), capacity.astype(np.int64), price.astype(np.int64)
        )

    moves = add(arcs.row, rows + arcs.unit, arcs.supply[arcs.row], cost)
    forced = np.nonzero(arcs.least > 0)[0]
    within = add(rows + forced, np.full(len(forced), end), arcs.least[forced], np.full(len(forced), -unmet))
    above = add(rows + every, np.full(units, end), arcs.capacity - arcs.least, np.zeros(units))
    left = None if spill is None else add(np.arange(rows), np.full(rows, end), arcs.supply, np.full(rows, spill))
    supply = np.concatenate([arcs.supply, np.zeros(units, np.int64), [-arcs.supply.sum()]])
    network.set_nodes_supplies(np.arange(end + 1, dtype=np.int32), supply)
    status = network.solve()
    if status == network.INFEASIBLE and spill is None:
        return None
    if status != network.OPTIMAL:
        raise ArithmeticError(f"min-cost flow ended as {status.name}")
    used = network.flows(above)
    used[forced] += network.flows(within)
    return network.flows(moves), np.zeros(rows, np.int64) if left is None else network.flows(left), used


def _prices(arcs: Arcs, cost: np.ndarray, flow: np.ndarray, unplaced: np.ndarray, used: np.ndarray, spill: int) -> np.ndarray:
    rows, units = len(arcs.supply), len(arcs.capacity)
    # The spill is one more unit, which anybody may leave and which never fills.
    gain = np.full((units + 1) ** 2, -np.inf)
    reached = np.concatenate([np.searchsorted(arcs.row, np.arange(rows)), [len(arcs.row)]])

    def raise_gain(tail: np.ndarray, unit: np.ndarray, paid: np.ndarray) -> None:
        other, length = spans(reached, tail)
        move = arcs.unit[other] * (units + 1) + np.repeat(unit, length)
        np.maximum.at(gain, move, (np.repeat(paid, length) - cost[other]).astype(float))

    busy = np.nonzero(flow > 0)[0]
    raise_gain(arcs.row[busy], arcs.unit[busy], cost[busy])
    outside = np.nonzero(unplaced > 0)[0]
    raise_gain(outside, np.full(len(outside), units), np.full(len(outside), spill))
    np.maximum.at(gain, units * (units + 1) + arcs.unit[busy], (cost[busy] - spill).astype(float))
    # A chain of moves may end where somebody leaves and need not be replaced: not at a unit that is down to its minimum.
    ends = np.where((arcs.least > 0) & (used <= arcs.least), -np.inf, 0.0)
    price = longest(gain.reshape(units + 1, units + 1), np.concatenate([ends, [0.0]]))[:units]
    return np.where(used < arcs.capacity, np.minimum(price, 0.0), price)


def longest(gain: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The most a chain of moves from each unit brings: p_j = max(ends_j, max_k(gain_jk + p_k)).

    Units from which no chain ends (all of them are down to their minimums) get the highest prices under which nobody wants to come or go.
    """
    price = ends.copy()
    for _ in range(len(price) + 1):
        further = np.maximum(price, (gain + price[None, :]).max(axis=1))
        if np.array_equal(further, price):
            break
        price = further
    closed = ~np.isfinite(price)
    if closed.any():
        inside = longest(gain[np.ix_(closed, closed)], np.zeros(int(closed.sum())))
        leaving = gain[np.ix_(~closed, closed)] + inside[None, :] - price[~closed][:, None]
        price[closed] = inside - max(float(inside.max()), float(leaving.max(initial=-np.inf)))
    return price
