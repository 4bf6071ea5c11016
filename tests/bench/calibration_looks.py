"""How often is a manager who looks again and again misled? Two arms alike, looked at every day or every week, under each stopping rule.

First exact: Gaussian increments of information, one look on each of 90 days. Then as in a report: accounts that pay or do not, so that
means, standard errors and the information itself are estimated and start with few cases, one look a week.
"""

import sys

import numpy as np
import pandas as pd
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.methods.trials import interim
from collect_analysis.methods.trials.sequential import boundaries, confidence_sequence
from scipy import stats

DAYS, PER_DAY, PAYERS, WEEK = 90, 40, 0.25, 7
RULES: tuple[interim.Rule, ...] = ("obrien_fleming", "pocock", "always_valid")
KEPT, PLAIN = "at most 5 %", "far above 5 %: what not to do"


def bounds_of(rule: interim.Rule, fractions: np.ndarray) -> np.ndarray:
    """The |z| to be reached at each look, information 1 being planned."""
    if rule != "always_valid":
        return boundaries(fractions, spending=rule)["z"].to_numpy()
    error = fractions**-0.5
    return confidence_sequence(np.zeros(len(fractions)), error, planned_information=1.0)["high"].to_numpy() / error


def exact(replications: int, seed: int) -> pd.DataFrame:
    """Shares of tests without an effect that call one at some of 90 daily looks: case, rate, wanted."""
    fractions = np.arange(1, DAYS + 1) / DAYS
    steps = np.random.default_rng(seed).normal(0, DAYS**-0.5, (replications, DAYS))
    z = np.abs(np.cumsum(steps, axis=1)) / np.sqrt(fractions)
    rows = [(f"{rule}, daily looks", (z >= bounds_of(rule, fractions)).any(axis=1).mean(), KEPT) for rule in RULES]
    rows.append(("plain interval, daily looks", (z >= stats.norm.isf(0.025)).any(axis=1).mean(), PLAIN))
    return pd.DataFrame(rows, columns=["case", "rate", "wanted"])


def payers(replications: int, seed: int) -> list[pd.DataFrame]:
    """Tests of two arms with the same share of payers, as `interim.monitored` takes them at weekly looks."""
    rng = np.random.default_rng(seed)
    looks = range(WEEK - 1, DAYS, WEEK)
    tests = []
    for _ in range(replications):
        steps = rng.poisson(PER_DAY, (2, DAYS))
        cases, paid = np.cumsum(steps, axis=1)[:, looks], np.cumsum(rng.binomial(steps, PAYERS), axis=1)[:, looks]
        rate = paid / cases
        error = np.sqrt((rate * (1 - rate) / (cases - 1)).sum(axis=0))
        known = {"arm": "b", "cases": cases[1], "base_cases": cases[0], "positive": paid.sum(axis=0), "note": ""}
        tests.append(pd.DataFrame({**known, "value": rate[1] - rate[0], "se": error}))
    return tests


def estimated(replications: int, seed: int) -> pd.DataFrame:
    """As `exact`, from accounts and through the function that reports use: case, rate, wanted."""
    planned = 1 / (PAYERS * (1 - PAYERS) * 2 / (DAYS * PER_DAY))
    tests = payers(replications, seed)
    rows = []
    for rule in RULES:
        last = [interim.monitored(test, planned_information=planned, rule=rule).iloc[-1] for test in tests]
        rows.append((f"{rule}, accounts, weekly looks", np.mean([row["crossed"] != "" for row in last]), KEPT))
    rows.append(("plain interval, accounts, weekly looks", np.mean([row["naive_crossed"] for row in last]), PLAIN))
    return pd.DataFrame(rows, columns=["case", "rate", "wanted"])


def run(replications: int, seed: int) -> pd.DataFrame:
    """Shares of simulated tests without an effect that call one: case, replications, rate, low, high (Wilson), wanted."""
    table = pd.concat([exact(replications, seed), estimated(replications, seed)], ignore_index=True)
    low, high = wilson_interval(table["rate"] * replications, np.full(len(table), replications))
    return table.assign(replications=replications, low=low, high=high)[["case", "replications", "rate", "low", "high", "wanted"]]


def main() -> None:
    """Print the table of 1,000 replications, or of as many as the last argument says."""
    print(run(int(sys.argv[-1]) if sys.argv[-1].isdigit() else 1_000, seed=1).to_string(index=False))


if __name__ == "__main__":
    main()
