"""An allocation as tidy tables: who goes where with which probability, and what each unit's capacity is worth."""

import numpy as np
import pandas as pd

from collect_analysis.methods.allocation.optimum import Allocation
from collect_analysis.methods.allocation.problem import spans

# Capacities are kept to a millionth of a place, so that is how close to its bound a unit that is full may stand.
AT_BOUND = 2e-6


def chances(allocation: Allocation) -> np.ndarray:
    """The propensity of every pair of the problem, in its order."""
    problem = allocation.problem
    chance = np.full(len(problem.unit), problem.min_propensity)
    position = pair_position(allocation)
    rest = np.clip(1 - problem.arms[allocation.row] * problem.min_propensity, 0, None)
    chance[position] += rest * allocation.share
    return chance


def pair_position(allocation: Allocation) -> np.ndarray:
    """Where the pairs that hold a share stand among the pairs of the problem."""
    problem = allocation.problem
    width = len(problem.units)
    rows = np.unique(allocation.row)
    pairs, length = spans(problem.start, rows)
    known = np.repeat(rows, length) * width + problem.unit[pairs]
    return pairs[np.searchsorted(known, allocation.row * width + allocation.unit)]


def propensities(allocation: Allocation) -> pd.DataFrame:
    """With which probability does an account of each row go to each unit?

    Returns
    -------
    key, unit_key, propensity (0-1; of a key they sum to 1), accounts (expected), value_minor (expected net recovery of one account), in the
    order of the problem. One row per eligible pair: for groups, not for millions of accounts.
    """
    problem = allocation.problem
    chance = chances(allocation)
    row = np.repeat(np.arange(len(problem.keys)), problem.arms)
    return pd.DataFrame(
        {
            "key": problem.keys[row],
            "unit_key": np.array(problem.units, dtype=object)[problem.unit],
            "propensity": chance,
            "accounts": chance * problem.count[row],
            "value_minor": problem.value,
        }
    )


def unit_table(allocation: Allocation) -> pd.DataFrame:
    """What does each unit get, which bound holds it, and what would one more place there bring?

    Returns
    -------
    unit_key, capacity and least (in the capacity unit; capacity NaN: no limit), used (expected), share (of all that is used), binding
    (`capacity`, `least` or empty), shadow_price_minor (one more unit of capacity brings at most this; exact for a small step),
    least_cost_minor (what one more unit of the minimum would cost), in the order of the problem.
    """
    problem, used = allocation.problem, allocation.used
    slack = AT_BOUND * (1 + used)
    full, forced = used >= problem.capacity - slack, (problem.least > 0) & (used <= problem.least + slack)
    return pd.DataFrame(
        {
            "unit_key": problem.units,
            "capacity": np.where(np.isfinite(problem.capacity), problem.capacity, np.nan),
            "least": problem.least,
            "used": used,
            "share": used / used.sum(),
            "binding": np.select([full & ~(forced & (allocation.price < 0)), forced], ["capacity", "least"], ""),
            "shadow_price_minor": np.clip(allocation.price, 0, None),
            "least_cost_minor": np.clip(-allocation.price, 0, None),
        }
    )
