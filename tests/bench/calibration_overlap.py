"""Does the overlap comparison find a planted effect, and do its 95 % intervals hold it 95 times in 100?"""

import numpy as np
import pandas as pd
from collect_analysis.methods.causal.nuisance import Comparison, Floats, Model, Nuisance, cross_fitted
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.methods.trials.adjustment import Target, doubly_robust

CASES = 800
# (case, share of yes/no outcomes?, model, target, which of the two models is spoilt)
CASES_RUN: tuple[tuple[str, bool, Model, Target, str], ...] = (
    ("amount, treated", False, "linear", "treated", ""),
    ("amount, everybody", False, "linear", "everybody", ""),
    ("yes/no, everybody", True, "linear", "everybody", ""),
    ("amount, only the outcome model right", False, "linear", "everybody", "propensity"),
    ("amount, only the propensity model right", False, "linear", "everybody", "outcome"),
)


def planted(cases: int, rng: np.random.Generator, *, yes_no: bool = False) -> tuple[Comparison, dict[str, Floats]]:
    """Cases whose treatment and outcome hang on the same two covariates, and the truth: expected outcomes and propensity of each."""
    x = rng.normal(size=(cases, 2))
    chance = 1 / (1 + np.exp(-(0.6 * x[:, 0] - 0.5 * x[:, 1] - 0.3)))
    treated = rng.random(cases) < chance
    if yes_no:
        below = 1 / (1 + np.exp(-(-1.0 + 0.7 * x[:, 0] - 0.4 * x[:, 1])))
        above = 1 / (1 + np.exp(-(-0.5 + 0.7 * x[:, 0] - 0.4 * x[:, 1])))
        outcome = (rng.random(cases) < np.where(treated, above, below)).astype(float)
    else:
        below = 2.0 + 1.0 * x[:, 0] - 0.8 * x[:, 1]
        above = below + 0.5 + 0.3 * x[:, 0]
        outcome = np.where(treated, above, below) + rng.normal(size=cases)
    data = Comparison(treated=treated, outcome=outcome, covariates=x, names=("x0", "x1"), clusters=np.arange(cases))
    return data, {"above": above, "below": below, "chance": chance}


def truth_of(target: Target, *, yes_no: bool, cases: int = 200_000) -> float:
    """The effect in the population, by a large draw."""
    _, truth = planted(cases, np.random.default_rng(99), yes_no=yes_no)
    weights = truth["chance"] if target == "treated" else np.ones(cases)
    return float(np.average(truth["above"] - truth["below"], weights=weights))


def run(replications: int, seed: int) -> pd.DataFrame:
    """Columns case, replications, rate, low, high, wanted.

    `rate`: share of the intervals that hold the truth, or the mean error in standard errors. A mean error of a quarter of a standard error
    costs an interval less than one point of coverage; with estimated chances alone it is not nought but falls with the number of cases.
    """
    rows = []
    for position, (case, yes_no, model, target, spoilt) in enumerate(CASES_RUN):
        truth = truth_of(target, yes_no=yes_no)
        held, errors = [], []
        for place in range(replications):
            data, _ = planted(CASES, np.random.default_rng([seed, position, place]), yes_no=yes_no)
            nuisance = _spoilt(cross_fitted(data, model=model, folds=3, seed=place), spoilt)
            row = doubly_robust(data, nuisance, target=target, trim=0.01).iloc[0]
            held.append(row["low"] <= truth <= row["high"])
            errors.append((row["value"] - truth) / row["se"])
        low, high = wilson_interval(sum(held), replications)
        if not spoilt:
            rows.append((f"{case}: interval", replications, float(np.mean(held)), float(low), float(high), "0.93-0.97"))
        mean, half = float(np.mean(errors)), 3.29 * float(np.std(errors, ddof=1)) / np.sqrt(replications)
        rows.append((f"{case}: bias", replications, mean, mean - half, mean + half, "-0.25 to 0.25"))
    return pd.DataFrame(rows, columns=["case", "replications", "rate", "low", "high", "wanted"])


def _spoilt(nuisance: Nuisance, which: str) -> Nuisance:
    """The same with one of the two models made useless: one number for everybody."""
    same = {name: np.full(len(values), values.mean()) for name, values in vars(nuisance).items()}
    if which == "propensity":
        return Nuisance(propensity=same["propensity"], if_treated=nuisance.if_treated, if_untreated=nuisance.if_untreated)
    if which == "outcome":
        return Nuisance(propensity=nuisance.propensity, if_treated=same["if_treated"], if_untreated=same["if_untreated"])
    return nuisance


def main() -> None:
    """Print the table of 1,000 replications."""
    print(run(1000, seed=1).to_string(index=False))


if __name__ == "__main__":
    main()
