"""Success by number of attempts in the telephone campaigns of a bank: the recomputed counts, through the mapping and the public functions.

Source of the numbers: README of data set bank_marketing_contacts (UCI data set 222; Moro, Cortez & Rita, Decision Support Systems 62, 2014).
"""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort

PROJECT = Path(__file__).resolve().parents[2]
CHANNELS = ["cellular", "telephone"]
# Clients by number of contacts, and the published success rate in percent.
BY_ATTEMPTS = {"1": (17642, 13.04), "2": (10570, 11.46), "3": (5341, 10.75), "4": (2651, 9.39), "5": (1599, 7.50), "6+": (3385, 5.49)}


@pytest.fixture(scope="module")
def campaign(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Book, Cohort]:
    books = tmp_path_factory.mktemp("books")
    environment = {**os.environ, "COLLECT_BOOKS": str(books), "COLLECT_DATA": str(shared_data)}
    command = [sys.executable, "-m", "collect_analysis.cli", "import", "parameters/sources/bank_marketing_contacts.yml"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    book = open_book("bank_marketing_contacts", as_of=date(2026, 6, 30), folder=books)
    return book, open_cohort(book, "deposit-campaign", arms=CHANNELS, horizon_days=30)


def sums(campaign: tuple[Book, Cohort], *, by_stratum: bool) -> pd.DataFrame:
    book, cohort = campaign
    return arms.arm_sums(book, cohort, CHANNELS, [cohort.outcome("success", 30)], by_stratum=by_stratum)


def test_success_by_attempts_is_as_recomputed(campaign: tuple[Book, Cohort]) -> None:
    by_attempts = sums(campaign, by_stratum=True).groupby("stratum")[["cases", "positive"]].sum()
    assert by_attempts["cases"].to_dict() == {level: cases for level, (cases, _) in BY_ATTEMPTS.items()}
    rates = (by_attempts["positive"] / by_attempts["cases"] * 100).to_dict()
    assert rates == pytest.approx({level: rate for level, (_, rate) in BY_ATTEMPTS.items()}, abs=0.005)


def test_success_by_channel_is_as_recomputed(campaign: tuple[Book, Cohort]) -> None:
    by_channel = sums(campaign, by_stratum=False).set_index("arm")
    assert by_channel["cases"].to_dict() == {"cellular": 26144, "telephone": 15044}
    assert int(by_channel["positive"].sum()) == 4640
    rates = (by_channel["positive"] / by_channel["cases"] * 100).to_dict()
    assert rates == pytest.approx({"cellular": 14.7376, "telephone": 5.2313}, abs=5e-5)


def test_attempts_per_client_are_as_recomputed(campaign: tuple[Book, Cohort]) -> None:
    book, cohort = campaign
    (attempts,) = arms.dose_outcomes(cohort)
    found = arms.arm_sums(book, cohort, CHANNELS, [attempts])
    assert found["sum_y"].sum() / found["cases"].sum() == pytest.approx(2.5676, abs=5e-5)
    assert book.scalar(cohort.table[attempts.column].max()) == 56
