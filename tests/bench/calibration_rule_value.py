"""How often do the intervals of a rule's value hold the planted truth, and is the value unbiased? Through the engine, customers of 1-3 debts."""

import sys
from datetime import date

import numpy as np
import pandas as pd
from collect_analysis.book.store import book_from_frames
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.methods.targeting.policy_value import ESTIMATORS, estimate_table
from collect_analysis.strategies.decision_log import open_log
from collect_analysis.strategies.rule_value import measures as rule_value
from collect_analysis.strategies.rules import parse_rule

CUSTOMERS = 1200
RATE = 0.25
# Payer rates by score and action: calls help the higher scores only.
LIFT = {"call": np.array([-0.05, -0.02, 0.04, 0.10]), "text": np.array([0.02, 0.0, 0.0, 0.0])}
CALLED = np.array([0.3, 0.4, 0.5, 0.7])
RULE = [{"when": {"score": {"from": 2}}, "then": "call"}, {"then": "text"}]


def truth_of() -> float:
    """Value of the rule when every score is as frequent as another."""
    return RATE + float(np.mean([LIFT["text"][0], LIFT["text"][1], LIFT["call"][2], LIFT["call"][3]]))


def log_of(rng: np.random.Generator, customers: int = CUSTOMERS) -> pd.DataFrame:
    """A log of draws by customer: all debts of a person get one action and tend to be paid together."""
    debts = rng.integers(1, 4, customers)
    who = np.repeat(np.arange(customers), debts)
    score = rng.integers(0, 4, customers)
    call = rng.random(customers) < CALLED[score]
    leaning = rng.uniform(-0.12, 0.12, customers)
    lift = np.where(call, LIFT["call"][score], LIFT["text"][score])
    paid = rng.random(len(who)) < (RATE + lift + leaning)[who]
    share = np.where(call, CALLED[score], 1 - CALLED[score])
    return pd.DataFrame(
        {
            "subject_key": [f"s{number}" for number in range(len(who))],
            "customer_key": [f"c{number}" for number in who],
            "arm": np.where(call, "call", "text")[who],
            "propensity": share[who],
            "covariate_score": score[who].astype(float),
            "outcome_paid": paid.astype(float),
        }
    )


def run(replications: int, seed: int) -> pd.DataFrame:
    """Columns: case, replications, rate, low, high (95 % interval of the rate), wanted. Bias is in standard errors of the mean."""
    rng = np.random.default_rng(seed)
    rule = parse_rule("planted", RULE)
    covered = {name: 0 for name in ESTIMATORS}
    errors: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
    roles = {"cohort.outcome_paid": {"kind": "binary", "horizon_days": 90}, "cohort.covariate_score": {"measured": "before"}}
    for _ in range(replications):
        frame = log_of(rng).assign(experiment_id="e", assigned_on=date(2026, 1, 1))
        book = book_from_frames({"cohort": frame}, as_of=date(2026, 6, 30), roles=roles)
        log = open_log(book, horizon_days=90, experiment_id="e")
        weighed = rule_value.weigh(book, log, log.cohort.outcome("paid", 90), {"planted": rule.rows}, covariates=log.cohort.covariates)
        table = estimate_table(*rule_value.values(book, weighed)).set_index("estimator")
        for name in ESTIMATORS:
            row = table.loc[name]
            covered[name] += int(row["low"] <= truth_of() <= row["high"])
            errors[name].append(float(row["value"]) - truth_of())
    rows = []
    for name in ESTIMATORS:
        interval = wilson_interval(covered[name], replications)
        rows.append({"case": f"covers: {name}", "rate": covered[name] / replications, "interval": interval, "wanted": "0.93-0.97"})
    for name in ESTIMATORS:
        mean, error = np.mean(errors[name]), np.std(errors[name], ddof=1) / np.sqrt(replications)
        rows.append({"case": f"bias: {name}", "rate": mean, "interval": (mean - 3 * error, mean + 3 * error), "wanted": "0"})
    table = pd.DataFrame(rows).assign(replications=replications)
    table["low"], table["high"] = table["interval"].str[0].astype(float), table["interval"].str[1].astype(float)
    return table[["case", "replications", "rate", "low", "high", "wanted"]]


def main() -> None:
    """Print the table of 1,000 replications."""
    print(run(1000, 1).to_string(index=False), file=sys.stdout)
