"""Why no allocation keeps the bounds: which units, how many accounts, and the smallest change that would do."""

import numpy as np

from collect_analysis.methods.allocation.checks import listed, name_rows, regions
from collect_analysis.methods.allocation.flow import Flow
from collect_analysis.methods.allocation.market import Market, rows_of
from collect_analysis.methods.allocation.problem import spans


def explain(market: Market, pairs: np.ndarray, flow: Flow) -> list[str]:
    """One sentence per group of units that is too small for the accounts that depend on it, or too large for those it may have.

    A group of full units whose accounts have nowhere else to go proves that nothing smaller would do (Hall's condition). `pairs` and `flow`
    come from the last solved flow.
    """
    row = rows_of(market.problem, pairs)
    unplaced = np.zeros(len(market.supply), dtype=np.int64)
    unplaced[market.order] = flow.unplaced
    could = _could_move(market, row, pairs, flow.flow)
    found = [_too_small(market, unplaced, group) for group in _groups(_eligible(market, np.nonzero(unplaced)[0]), could)]
    found += [_too_few(market, flow.short, group) for group in _groups(_alone(flow.short > 0), could.T)]
    return found or ["the bounds of the units cannot be kept together; raise a capacity or lower a minimum"]


def _eligible(market: Market, rows: np.ndarray) -> list[np.ndarray]:
    problem = market.problem
    seen: dict[bytes, np.ndarray] = {}
    for at in rows:
        units = np.zeros(len(problem.units), dtype=bool)
        units[problem.unit[problem.start[at] : problem.start[at + 1]]] = True
        seen[units.tobytes()] = units
    return list(seen.values())


def _alone(short: np.ndarray) -> list[np.ndarray]:
    return [np.arange(len(short)) == at for at in np.nonzero(short)[0]]


def _could_move(market: Market, row: np.ndarray, pairs: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """could[k, j]: somebody who is placed at k may go to j."""
    problem, units = market.problem, len(market.problem.units)
    could = np.zeros((units, units), dtype=bool)
    for at in range(units):
        inside = np.unique(row[(flow > 0) & (problem.unit[pairs] == at)])
        could[at, problem.unit[spans(problem.start, inside)[0]]] = True
    return could


def _groups(starts: list[np.ndarray], step: np.ndarray) -> list[np.ndarray]:
    """The units reached from each start, those that overlap taken together."""
    groups: list[np.ndarray] = []
    for reached in starts:
        while True:
            further = reached | step[reached].any(axis=0)
            if np.array_equal(further, reached):
                break
            reached = further
        apart = [group for group in groups if not (group & reached).any()]
        groups = [*apart, np.logical_or.reduce([reached, *(group for group in groups if (group & reached).any())])]
    return groups


def _too_small(market: Market, unplaced: np.ndarray, group: np.ndarray) -> str:
    problem = market.problem
    inside = np.add.reduceat(group[problem.unit].astype(np.int64), problem.start[:-1]) == problem.arms
    rows = np.nonzero(inside)[0]
    lost = np.nonzero(inside & (unplaced > 0))[0]
    missing = unplaced[lost].sum() / market.parts
    need = float((problem.count[rows] * problem.load[rows]).sum())
    return (
        f"{missing:,.6g} {problem.capacity_unit} cannot be placed, {name_rows(problem, lost)}{regions(problem, lost)}: accounts that need "
        f"{need:,.6g} may only go to {listed(problem, group)}, which have {problem.capacity[group].sum():,.6g}, part of it kept for the minimum "
        f"propensity of others; raise their capacity by {missing:,.6g} in all, or open another unit to these accounts"
    )


def _too_few(market: Market, short: np.ndarray, group: np.ndarray) -> str:
    problem = market.problem
    missing = short[group].sum() / market.parts
    return (
        f"the minimums of {listed(problem, group)} sum to {problem.least[group].sum():,.6g} {problem.capacity_unit}, {missing:,.6g} more than the "
        f"accounts they may have; lower them by {missing:,.6g} in all, or make more accounts eligible there"
    )
