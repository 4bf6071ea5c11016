"""Portfolio and flow on 30,000 real credit cards: the published transitions, and what six month ends of one status cannot tell."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from collect_analysis.book.store import open_book
from collect_analysis.methods.forecast.control_band import FEWEST_MONTHS, TOO_FEW
from collect_analysis.methods.forecast.markov import NEVER_LEAVES
from collect_analysis.portfolio.portfolio_flow.parameters import PortfolioFlow
from collect_analysis.portfolio.portfolio_flow.study import Review

from tests.conftest import PROJECT

# README of data set uci_credit_default: the five monthly transitions pooled.
TRANSITIONS = [
    [123723, 1860, 6209, 0, 0],
    [0, 34, 0, 0, 0],
    [4130, 1676, 9460, 1031, 0],
    [176, 109, 362, 176, 285],
    [24, 43, 167, 39, 496],
]


@pytest.fixture(scope="module")
def review(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Review:
    books = tmp_path_factory.mktemp("books")
    environment = {"COLLECT_BOOKS": str(books), "COLLECT_DATA": str(shared_data), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "collect_analysis.cli", "import", "parameters/sources/uci_credit.yml"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
    params = PortfolioFlow(
        name="uci", book="uci_credit", as_of="2005-09-30", period_start="2005-05-01", period_end="2005-09-30", top_bucket=4,
        project_months=3, draws=100,
    )  # fmt: skip
    return Review(open_book("uci_credit", as_of=params.as_of, folder=books), params)


def test_the_matrix_is_the_published_one(review: Review) -> None:
    matrix = review.matrix()
    counted = matrix[matrix["version"] == "count"]
    assert counted["numerator"].to_numpy().reshape(5, 5).tolist() == TRANSITIONS
    assert counted.groupby("from_bucket")["value"].sum().to_numpy() == pytest.approx(np.ones(5))
    assert counted[counted["note"] != ""]["from_bucket"].unique().tolist() == [1]


def test_the_shares_of_the_projection_are_those_of_the_published_counts(review: Review) -> None:
    told = review.projection()
    now = told[told["step"] == 0].set_index("state")["value"]
    # September by bucket: counts of PAY_0 in the same README (0 and below, 1, 2, 3, 4 and more).
    assert now.to_dict() == {"0": 2759 + 5686 + 14737, "1": 3688, "2": 2667, "3": 322, "4": 76 + 26 + 11 + 9 + 19}
    shares = np.array(TRANSITIONS) / np.array(TRANSITIONS).sum(axis=1, keepdims=True)
    ahead = told[told["step"] == 3]["value"].to_numpy()
    assert ahead == pytest.approx(now.to_numpy() @ np.linalg.matrix_power(shares, 3))
    assert ahead.sum() == pytest.approx(30_000)


def test_the_peculiar_bucket_1_is_not_papered_over(review: Review) -> None:
    # In the file nobody leaves bucket 1 before September: no stay can be told, and the page says so instead of dividing by it.
    assert review.fates()["note"].unique().tolist() == [NEVER_LEAVES]
    assert review.months_left()["value"].isna().all()


def test_five_months_are_too_few_to_call_one_unusual(review: Review) -> None:
    judged = review.judged()
    assert judged["standing"].unique().tolist() == ["unknown"]
    assert judged["note"].unique().tolist() == [TOO_FEW.format(fewest=FEWEST_MONTHS)]


def test_previous_cures_matter_in_real_data(review: Review) -> None:
    found = {item.name: item for item in review.conditions}
    assert not found["flow_first_order"].met
    # Five months leave no earlier projection whose band could have learned from one before it.
    assert not found["flow_backtested"].met
    # Who rolled into bucket 2 this month is cured far more often than who sat there: 2,019 of 5,218 against 1,152 of 7,869.
    memory = review.memory().set_index(["from", "came", "rate"])["value"]
    assert memory["2", "from_better", "cured"] == pytest.approx(2019 / 5218)
    assert memory["2", "from_same", "cured"] == pytest.approx(1152 / 7869)


def test_what_the_book_lacks_is_said(review: Review) -> None:
    assert review.money()["note"].tolist() == [
        "the book has no rows in payment",
        "the month ends carry no regulatory group: map reg_group",
    ]
    assert review.group_matrix().columns.tolist() == ["note"]
