"""Letters of three wordings against none: published rates and effects.

Gerber, Green & Larimer, American Political Science Review 102 (2008), tables 2 and 3.
"""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.sources import read_source
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.trials.experiments import arm_means, compare_arms, sample_ratio_test
from collect_analysis.strategies import adjusted

LETTERS = ["civic_duty", "hawthorne", "neighbors"]
ARMS = ["no_letter", *LETTERS]


@pytest.fixture(scope="module")
def letters(shared_data: Path) -> tuple[Book, Cohort]:
    source = read_source(Path(__file__).parents[2] / "parameters" / "sources" / "social_pressure.yml")
    rules = source.tables["cohort"].rules
    raw = pd.read_csv(shared_data / "social_pressure_letters" / "social_pressure.csv.gz")
    frame = pd.DataFrame(
        {
            "experiment_id": rules["experiment_id"].value,
            "subject_key": "s-" + raw.index.astype(str),
            "arm": raw[rules["arm"].source].map(rules["arm"].codes),
            **{name: raw[rule.source] for name, rule in rules.items() if name.startswith(("outcome_", "covariate_"))},
        }
    )
    book = book_from_frames({"cohort": frame}, as_of=date(2026, 6, 30), roles=source.tables["cohort"].roles("cohort"))
    return book, open_cohort(book, "letter-wording", arms=ARMS, horizon_days=30)


@pytest.fixture(scope="module")
def means(letters: tuple[Book, Cohort]) -> pd.DataFrame:
    book, cohort = letters
    return arm_means(arms.arm_sums(book, cohort, ARMS, [cohort.outcome("voted", 30)]))


def test_rates_are_the_published_ones(means: pd.DataFrame) -> None:
    found = means.set_index("arm")
    assert found.loc[ARMS, "cases"].tolist() == [191_243, 38_218, 38_204, 38_201]
    assert found.loc[ARMS, "value"].tolist() == pytest.approx([0.296638, 0.314538, 0.322375, 0.377948], abs=1e-6)


def test_effects_are_the_published_ones(means: pd.DataFrame) -> None:
    effects = compare_arms(means, base="no_letter").set_index("arm")
    assert [round(100 * effects.loc[arm, "value"], 1) for arm in LETTERS] == [1.8, 2.6, 8.1]
    assert (effects["p_adjusted"] < 1e-9).all()
    # The published clustered error is 0.3 points; without household ids ours is smaller, which the review says.
    assert (effects["se"] < 0.003).all()


def test_allocation_is_the_planned_five_to_one(means: pd.DataFrame) -> None:
    counts = means.set_index("arm")["cases"]
    planned = {"no_letter": 0.625, **dict.fromkeys(LETTERS, 0.125)}
    assert sample_ratio_test({arm: float(counts[arm]) for arm in ARMS}, planned)["p_value"] > 0.9
    assert sample_ratio_test({arm: float(counts[arm]) for arm in ARMS}, dict.fromkeys(ARMS, 0.25))["p_value"] < 1e-9


def test_an_earlier_vote_adjusts_without_moving_the_effect(letters: tuple[Book, Cohort], means: pd.DataFrame) -> None:
    book, cohort = letters
    covariates = adjusted.covariates_of(cohort, ["voted_2004"])
    found = adjusted.adjusted_comparison(book, cohort, cohort.outcome("voted", 30), covariates, base="no_letter", arms=LETTERS).set_index(
        "arm"
    )
    plain = compare_arms(means, base="no_letter").set_index("arm")
    assert found.loc[LETTERS, "value"].tolist() == pytest.approx(plain.loc[LETTERS, "value"].tolist(), abs=0.003)
    assert (found["se"] < plain["se"]).all()
