"""Is the problem well posed? Every fault at once, before anything is solved."""

from collections.abc import Iterable

import numpy as np

from collect_analysis.errors import DataError
from collect_analysis.methods.allocation.problem import Problem

TOLERANCE = 1e-9


def check(problem: Problem) -> None:
    """Refuse a problem that has no answer for reasons that can be seen without solving it.

    Raises
    ------
    DataError
        All at once: nothing to allocate; values, counts, loads or bounds that are no finite numbers or out of range; rows without a unit and
        units without an eligible row; a minimum propensity that the arms of a row, or the capacity of a unit, cannot keep; too little capacity
        in all, or minimums of more than there is.
    """
    problems = _number_problems(problem)
    if not problems:
        problems = [*_arm_problems(problem), *_room_problems(problem)]
    if problems:
        raise DataError(problems)


def name_rows(problem: Problem, rows: np.ndarray) -> str:
    """How messages name rows: groups by their key, accounts by their place in the input (keys of accounts stay inside)."""
    first = int(rows[0])
    label = f"group {problem.keys[first]}" if problem.grouped else f"row {first + 1}"
    return label if len(rows) == 1 else f"first {label}"


def exploring(problem: Problem) -> np.ndarray:
    """How much of each unit's capacity the minimum propensities take: sum over its eligible rows of propensity x count x load."""
    taken = np.repeat(problem.count * problem.load * problem.min_propensity, problem.arms)
    return np.bincount(problem.unit, weights=taken, minlength=len(problem.units))


def _number_problems(problem: Problem) -> list[str]:
    if not len(problem.keys) or not problem.units:
        return [f"there are {len(problem.keys)} rows and {len(problem.units)} units; give at least one of each"]
    found: list[str] = []
    strange = ~np.isfinite(problem.value)
    if strange.any():
        rows = np.unique(np.searchsorted(problem.start, np.nonzero(strange)[0], side="right") - 1)
        found.append(
            f"{int(strange.sum())} value(s) are missing or infinite, in {len(rows)} row(s), {name_rows(problem, rows)}; "
            "give a finite amount, or drop the pair where the unit is not eligible"
        )
    for name, values, lowest in (("count", problem.count, 1), ("load", problem.load, 0)):
        wrong = np.nonzero(~np.isfinite(values) | (values < lowest) | (values <= 0))[0]
        if len(wrong):
            found.append(
                f"{len(wrong)} row(s) have a {name} that is missing or not above 0, {name_rows(problem, wrong)}; write a number above 0"
            )
    found += _named(
        problem, np.isnan(problem.capacity) | (problem.capacity < 0), "a capacity below 0", "write 0 or more, nothing for no limit"
    )
    found += _named(problem, ~np.isfinite(problem.least) | (problem.least < 0), "a minimum that is missing or below 0", "write 0 or more")
    found += _named(
        problem, problem.least > problem.capacity + TOLERANCE, "a minimum above the capacity", "lower the minimum or raise the capacity"
    )
    if not 0 <= problem.min_propensity <= 1:
        found.append(f"min_propensity is {problem.min_propensity}; write a probability from 0 to 1")
    if not (np.isfinite(problem.switch_cost) and problem.switch_cost >= 0):
        found.append(f"switch_cost is {problem.switch_cost}; write an amount of 0 or more in minor units")
    return found


def _named(problem: Problem, wrong: np.ndarray, what: str, fix: str) -> Iterable[str]:
    if wrong.any():
        yield f"{int(wrong.sum())} unit(s) have {what}: {listed(problem, wrong)}; {fix}"


def listed(problem: Problem, chosen: np.ndarray, most: int = 8) -> str:
    """The names of the chosen units, the first few of them."""
    names = [name for name, take in zip(problem.units, chosen, strict=True) if take]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _arm_problems(problem: Problem) -> list[str]:
    found: list[str] = []
    arms = problem.arms
    alone = np.nonzero(arms == 0)[0]
    if len(alone):
        found.append(
            f"{int(problem.count[alone].sum())} account(s) in {len(alone)} row(s) have no eligible unit, {name_rows(problem, alone)}"
            f"{regions(problem, alone)}; open a unit to them, or leave them out of the allocation"
        )
    idle = np.bincount(problem.unit, minlength=len(problem.units)) == 0
    found += _named(problem, idle, "no eligible account", "drop the unit, or open it to some accounts")
    crowded = np.nonzero(arms * problem.min_propensity > 1 + TOLERANCE)[0]
    if len(crowded):
        most = int(arms.max())
        found.append(
            f"min_propensity {problem.min_propensity:g} cannot be kept in {len(crowded)} row(s), {name_rows(problem, crowded)}: {most} units of "
            f"at least {problem.min_propensity:g} are more than 1; write at most {1 / most:.6g}, or make fewer units eligible"
        )
    return found


def _room_problems(problem: Problem) -> list[str]:
    found: list[str] = []
    need, room = float((problem.count * problem.load).sum()), float(problem.capacity.sum())
    if need > room * (1 + TOLERANCE) + TOLERANCE:
        found.append(
            f"the accounts need {need:,.6g} {problem.capacity_unit} and the units have {room:,.6g}: {need - room:,.6g} are missing; "
            "raise capacities by that much, or add a unit that stands for holding back"
        )
    asked = float(problem.least.sum())
    if asked > need * (1 + TOLERANCE) + TOLERANCE:
        found.append(
            f"the units' minimums sum to {asked:,.6g} {problem.capacity_unit}, there are {need:,.6g}; lower them by {asked - need:,.6g}"
        )
    taken = exploring(problem)
    for at in np.nonzero(taken > problem.capacity * (1 + TOLERANCE) + TOLERANCE)[0]:
        lower = problem.min_propensity * problem.capacity[at] / taken[at]
        found.append(
            f"unit {problem.units[at]}: a propensity of {problem.min_propensity:g} for every eligible account alone takes {taken[at]:,.6g} of its "
            f"{problem.capacity[at]:,.6g} {problem.capacity_unit}; raise the capacity to {taken[at]:,.6g}, or write min_propensity {lower:.6g}"
        )
    return found


def regions(problem: Problem, rows: np.ndarray, most: int = 5) -> str:
    """Where the rows lie: accounts by region, most first; empty where no region is known."""
    names, place = np.unique(problem.region[rows].astype(str), return_inverse=True)
    accounts = np.bincount(place, weights=problem.count[rows]).astype(int)
    order = np.argsort(-accounts, kind="stable")
    said = [f"{names[at]} {accounts[at]}" for at in order if names[at]][:most]
    return f" (regions: {', '.join(said)})" if said else ""
