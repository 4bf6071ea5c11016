"""The allocation optimiser at the size of a shop: time, peak memory, gap, minimum propensity, and what simpler ways leave on the table.

Each problem runs in a process of its own, so that its peak memory is its own. Values are balances (log-normal) times a recovery rate that
differs by account and unit; in the first problem an account may go to 25 of 200 officers, in the second to every one of 50 units.
"""

import multiprocessing
import resource
import time

import numpy as np
import pandas as pd
from collect_analysis.methods.allocation.optimum import allocate
from collect_analysis.methods.allocation.problem import Problem, of_matrix
from collect_analysis.methods.allocation.simple_ways import compare
from collect_analysis.methods.allocation.views import chances

PROBLEMS = {"100,000 x 200, 25 eligible": (100_000, 200, 25), "1,000,000 x 50": (1_000_000, 50, 50)}
MIN_PROPENSITY = 0.002


def main() -> None:
    """Print one row per problem."""
    rows = []
    for name, size in PROBLEMS.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append({"problem": name, **pool.apply(measured, size)})
    print(pd.DataFrame(rows).T.to_string(header=False))


def problem_of(accounts: int, units: int, eligible: int, *, seed: int = 1) -> Problem:
    """A shop's problem: capacities sum to 105 % of the accounts and differ by a factor of two."""
    rng = np.random.default_rng(seed)
    balance = rng.lognormal(16, 1.1, accounts).astype(np.float32)
    skill = rng.normal(1, 0.08, units).astype(np.float32)
    values = (balance[:, None] * np.float32(0.03) * skill * rng.lognormal(0, 0.25, (accounts, units)).astype(np.float32)).round()
    may = None
    if eligible < units:
        first = rng.integers(0, units, accounts)
        may = np.zeros((accounts, units), dtype=bool)
        may[np.arange(accounts)[:, None], (first[:, None] + np.arange(eligible)) % units] = True
    share = rng.uniform(1, 2, units)
    table = pd.DataFrame({"unit_key": [f"u{j:03d}" for j in range(units)], "capacity": np.ceil(1.05 * accounts * share / share.sum())})
    return of_matrix(values.astype(float), may, keys=[f"k{i}" for i in range(accounts)], units=table, min_propensity=MIN_PROPENSITY)


def measured(accounts: int, units: int, eligible: int) -> dict[str, object]:
    """Seconds of building and of solving, peak memory of the process, gap, the least propensity kept, what simpler ways miss."""
    start = time.perf_counter()
    problem = problem_of(accounts, units, eligible)
    built = time.perf_counter()
    found = allocate(problem)
    solved = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    ways = compare(found, ("greedy", "best_first")).set_index("way")["below_bound"]
    return {
        "pairs": f"{len(problem.unit):,}",
        "build seconds": f"{built - start:.1f}",
        "solve seconds": f"{solved - built:.1f}",
        "peak GiB": f"{peak:.2f}",
        "gap to the dual bound": f"{found.gap:.7%}",
        "least propensity": f"{chances(found).min():g} of {MIN_PROPENSITY:g}",
        "capacity used at most": f"{(found.used / problem.capacity).max():.6f}",
        "flows solved": found.rounds,
        "greedy below the bound": f"{ways['greedy']:.2%}",
        "best first below the bound": f"{ways['best_first']:.2%}",
    }
