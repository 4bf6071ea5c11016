"""How often a strategy review tells the truth: re-randomised accounts of the sample shop with an effect planted anew each time.

The base are the accounts of one arm of the shop's largest experiment with their payments, so margins, tails and customers with several
accounts are the shop's. A replication draws arms by customer, plants the effect as the shop does (a share of the champion's payers is held
back, or early cash is postponed), and runs the library's public functions on the cohort.
"""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from collect_analysis.book.places import books_folder
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.strategies import adjusted
from collect_analysis.strategies.verdict import persistence

AS_OF = date(2026, 6, 30)
ARMS = ["champion", "challenger"]
HORIZON = 180
EFFECT, EARLY = 0.08, 0.15
COLUMNS = ["case", "replications", "rate", "low", "high", "wanted"]
# What the rate of a case should be, by a word of its name; coverage of 95 % intervals otherwise.
WANTED = {"false": "0.04-0.06", "as a level": "at most 0.025", "named": "power, no limit"}
ROLES = {
    "cohort.outcome_cash_d30_minor": {"kind": "money", "horizon_days": 30},
    "cohort.outcome_cash_d180_minor": {"kind": "money", "horizon_days": 180},
    "cohort.covariate_paid_before": {"measured": "before"},
    "cohort.covariate_bucket": {"measured": "before"},
}


def main() -> None:
    """Print the table of 1,000 replications."""
    print(run(1_000, seed=1).to_string(index=False))


def run(replications: int, seed: int, books: Path | None = None) -> pd.DataFrame:
    """Coverage of 95 % intervals and false positives. Columns: case, replications, rate, low, high (Wilson), wanted."""
    payer, timing = (accounts(books or books_folder(), name) for name in ("exp-payer", "exp-timing"))
    rng = np.random.default_rng(seed)
    hits: dict[str, list[bool]] = {}
    for _ in range(replications):
        for name, found in {**_planted(payer, rng), **_nothing_planted(payer, rng), **_pulled_forward(timing, rng)}.items():
            hits.setdefault(name, []).append(found)
    return tally(hits)


def tally(hits: dict[str, list[bool]]) -> pd.DataFrame:
    """Rates with their Wilson intervals, and what they should be."""
    rows = []
    for name, found in hits.items():
        low, high = wilson_interval(sum(found), len(found))
        wanted = next((limits for word, limits in WANTED.items() if word in name), "0.93-0.97")
        rows.append((name, len(found), sum(found) / len(found), float(low), float(high), wanted))
    return pd.DataFrame(rows, columns=COLUMNS)


def accounts(books: Path, experiment_id: str) -> pd.DataFrame:
    """The base: one row per account of the untouched arm, with cash of 30 and 180 days and what was known before."""
    book = open_book("sample", as_of=AS_OF, folder=books)
    cohort = open_cohort(book, experiment_id, arms=ARMS, horizon_days=HORIZON, horizons=[30, HORIZON])
    untouched = cohort.table.filter(cohort.table["arm"] == "challenger")
    columns = ["subject_key", "cluster_key", "amount_d30_minor", "amount_d180_minor", "paid_before", "bucket"]
    return book.frame(untouched.select(*columns)).sort_values("subject_key", ignore_index=True)


def drawn(base: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """The base as a supplied cohort with arms drawn by customer, and who is a champion."""
    codes, customers = pd.factorize(base["cluster_key"])
    champion = rng.permutation(len(customers))[codes] % 2 == 0
    cohort = pd.DataFrame(
        {
            "experiment_id": "replication",
            "subject_key": base["subject_key"],
            "customer_key": base["cluster_key"],
            "arm": np.where(champion, *ARMS),
            "assigned_on": date(2025, 12, 15),
            "propensity": 0.5,
            "outcome_cash_d30_minor": base["amount_d30_minor"],
            "outcome_cash_d180_minor": base["amount_d180_minor"],
            "covariate_paid_before": base["paid_before"],
            "covariate_bucket": base["bucket"],
        }
    )
    return cohort, champion


def held_back(cohort: pd.DataFrame, champion: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The cohort without the cash of a share of the champion's accounts, so that the challenger has `EFFECT` more payers."""
    lost = champion & (rng.random(len(cohort)) < 1 - 1 / (1 + EFFECT))
    cash = ["outcome_cash_d30_minor", "outcome_cash_d180_minor"]
    return cohort.assign(**{name: cohort[name].mask(lost, 0) for name in cash})


def opened(cohort: pd.DataFrame) -> tuple[Book, Cohort]:
    """The cohort as a review opens it."""
    book = book_from_frames({"cohort": cohort}, as_of=AS_OF, roles=ROLES)
    return book, open_cohort(book, "replication", arms=ARMS, horizon_days=HORIZON)


def _planted(base: pd.DataFrame, rng: np.random.Generator) -> dict[str, bool]:
    cohort, champion = drawn(base, rng)
    book, opened_cohort = opened(held_back(cohort, champion, rng))
    effects = _effects(book, opened_cohort)
    # Everybody as challenger against everybody as champion: what the draw estimates, in the accounts at hand.
    payers, cash = (base["amount_d180_minor"] > 0).mean(), base["amount_d180_minor"].mean()
    lost = 1 - 1 / (1 + EFFECT)
    outcome = opened_cohort.outcome("cash", HORIZON)
    covariates = adjusted.covariates_of(opened_cohort, ["paid_before", "bucket"])
    equal = adjusted.adjusted_comparison(book, opened_cohort, outcome, covariates, base="champion", arms=["challenger"]).iloc[0]
    return {
        "payer rate, difference": _covers(effects.loc["cash_payer_rate"], payers * lost),
        "payer rate, relative": _covers(effects.loc["cash_payer_rate"], EFFECT, "relative_"),
        "cash, difference": _covers(effects.loc["cash"], cash * lost),
        "cash, relative": _covers(effects.loc["cash"], EFFECT, "relative_"),
        "cash, adjusted": _covers(equal, cash * lost),
    }


def _nothing_planted(base: pd.DataFrame, rng: np.random.Generator) -> dict[str, bool]:
    effects = _effects(*opened(drawn(base, rng)[0]))
    return {
        "A/A payer rate, false positive": bool(effects.loc["cash_payer_rate", "p_value"] < 0.05),
        "A/A cash, false positive": bool(effects.loc["cash", "p_value"] < 0.05),
    }


def _pulled_forward(base: pd.DataFrame, rng: np.random.Generator) -> dict[str, bool]:
    """The champion's early cash of a share of accounts comes later, none is lost: a timing effect and no other."""
    cohort, champion = drawn(base, rng)
    later = champion & (rng.random(len(cohort)) < 1 - 1 / (1 + EARLY))
    book, found = opened(cohort.assign(outcome_cash_d30_minor=cohort["outcome_cash_d30_minor"].mask(later, 0)))
    outcomes = [item for item in found.outcomes if item.name == "cash"]
    effects = compare_arms(arm_means(arms.arm_sums(book, found, ARMS, outcomes)), base="champion")
    later_cohort, after = arms.after_early(found)
    since = compare_arms(
        arm_means(arms.arm_sums(book, later_cohort, ARMS, [item for item in after if item.unit == "minor"])), base="champion"
    )
    lasting = persistence(effects, since)["lasting"].iloc[0]
    return {"earlier cash named timing": lasting == "timing", "earlier cash taken as a level": lasting == "lasting"}


def _effects(book: Book, cohort: Cohort) -> pd.DataFrame:
    outcomes = [item for item in cohort.outcomes if item.horizon_days == HORIZON]
    return compare_arms(arm_means(arms.arm_sums(book, cohort, ARMS, outcomes)), base="champion").set_index("outcome")


def _covers(effect: pd.Series, truth: float, prefix: str = "") -> bool:
    return bool(effect[f"{prefix}low"] <= truth <= effect[f"{prefix}high"])
