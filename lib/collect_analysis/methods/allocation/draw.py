"""Every account draws its unit from its own probabilities, by a hash that anybody can recompute; the probability is logged beside it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.errors import DataError
from collect_analysis.methods.allocation.optimum import Allocation
from collect_analysis.methods.trials.assignment import HEX_DIGITS, hash_numbers, salt_id


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """The draw. `accounts`: key, unit_key, propensity (the logged probability of that unit for that account), in the order of the input.

    `units`: unit_key, capacity, expected, drawn (in the capacity unit), over (drawn above capacity; NaN where there is none). Capacity is
    kept in expectation; what one draw takes differs by chance. `value`: expected net recovery of the units drawn, minor units.
    """

    accounts: pd.DataFrame
    units: pd.DataFrame
    value: float
    salt_id: str


def draw(allocation: Allocation, *, salt: str, members: pd.DataFrame | None = None) -> Drawn:
    """Which unit does each account get?

    Formula: u = first 8 hex digits of SHA-256("salt:key") / 2^32. Below arms x min_propensity: the unit number floor(u / min_propensity) of
    the eligible ones, in their order; above it: along the cumulated shares of the optimum. So every unit comes with exactly its propensity
    (to 2^-32), the same account with the same salt always draws the same, and the propensity can be reconstructed. Use a salt of its own
    for every allocation. Source: Kohavi, Tang & Xu, Trustworthy Online Controlled Experiments (2020) ch. 4 (hash-based assignment).

    Parameters
    ----------
    members
        key, group: the accounts of the groups, where the allocation is one of groups. Each draws from the propensities of its group.

    Raises
    ------
    DataError
        The allocation is one of groups and no members are given, a member's group is unknown, or a key comes twice.
    """
    problem = allocation.problem
    keys, row = _members(allocation, members)
    arms, least = problem.arms[row], problem.min_propensity
    chance = hash_numbers(keys, salt) / float(16**HEX_DIGITS)
    explores = chance < arms * least
    unit = np.empty(len(keys), dtype=np.int64)
    place = np.minimum(np.floor(chance[explores] / least), arms[explores] - 1).astype(np.int64) if least else np.zeros(0, np.int64)
    unit[explores] = problem.unit[problem.start[row[explores]] + place]
    rest = np.clip(1 - arms * least, 0, None)
    along = (chance[~explores] - (arms * least)[~explores]) / np.maximum(rest[~explores], 1e-300)
    unit[~explores] = _along(allocation, row[~explores], along)
    propensity = least + rest * _share(allocation, row, unit)
    return Drawn(
        accounts=pd.DataFrame({"key": keys, "unit_key": np.array(problem.units, dtype=object)[unit], "propensity": propensity}),
        units=_units(allocation, row, unit),
        value=float(problem.value[_pair(allocation, row, unit)].sum()),
        salt_id=salt_id(salt),
    )


def _members(allocation: Allocation, members: pd.DataFrame | None) -> tuple[np.ndarray, np.ndarray]:
    problem = allocation.problem
    if members is None:
        if problem.grouped:
            raise DataError("the allocation is one of groups; give the accounts of the groups as `members` (key, group)")
        return problem.keys, np.arange(len(problem.keys))
    row = pd.Index(problem.keys).get_indexer(members["group"])
    found = []
    if (row < 0).any():
        found.append(f"{int((row < 0).sum())} member(s) belong to a group that the allocation does not know; allocate their group too")
    if members["key"].duplicated().any():
        found.append(f"{int(members['key'].duplicated().sum())} member key(s) come twice; give each account once")
    if found:
        raise DataError(found)
    return members["key"].to_numpy(dtype=object), row


def _along(allocation: Allocation, row: np.ndarray, along: np.ndarray) -> np.ndarray:
    first = np.searchsorted(allocation.row, np.arange(len(allocation.problem.keys) + 1))
    # Position on one line: row number plus the cumulated share within the row; rounding must not push a draw past its row.
    summed = np.cumsum(allocation.share)
    before = np.concatenate([[0.0], summed])[first[:-1]]
    within = summed - before[allocation.row]
    last = first[1:] - 1
    within[last] = 1.0
    at = np.searchsorted(allocation.row + np.minimum(within, 1.0), row + np.minimum(along, 1 - 1e-9), side="right")
    return allocation.unit[np.minimum(at, last[row])]


def _share(allocation: Allocation, row: np.ndarray, unit: np.ndarray) -> np.ndarray:
    width = len(allocation.problem.units)
    known = allocation.row * width + allocation.unit
    asked = row * width + unit
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.where(known[at] == asked, allocation.share[at], 0.0)


def _pair(allocation: Allocation, row: np.ndarray, unit: np.ndarray) -> np.ndarray:
    problem = allocation.problem
    first = problem.start[row]
    place = np.zeros(len(row), dtype=np.int64)
    for step in range(1, int(problem.arms.max())):
        at = np.minimum(first + step, problem.start[row + 1] - 1)
        place = np.where(problem.unit[at] == unit, at - first, place)
    return first + place


def _units(allocation: Allocation, row: np.ndarray, unit: np.ndarray) -> pd.DataFrame:
    problem = allocation.problem
    drawn = np.bincount(unit, weights=problem.load[row], minlength=len(problem.units))
    capacity = np.where(np.isfinite(problem.capacity), problem.capacity, np.nan)
    return pd.DataFrame(
        {
            "unit_key": problem.units,
            "capacity": capacity,
            "expected": allocation.used,
            "drawn": drawn,
            "over": np.clip(drawn - capacity, 0, None),
        }
    )
