"""The real transitions of 30,000 credit cards: the published counts, from the file and through the imported mapping.

Source of the numbers: README of data set uci_credit_default (recomputed from UCI data set 350).
"""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.measures import flow
from collect_analysis.measures.kpi_table import Facts, by_bucket, kpi_table
from collect_analysis.measures.periods import Period

PROJECT = Path(__file__).resolve().parents[2]
PERIOD = Period(date(2005, 5, 1), date(2005, 9, 30))
TRANSITIONS = [
    [123723, 1860, 6209, 0, 0],
    [0, 34, 0, 0, 0],
    [4130, 1676, 9460, 1031, 0],
    [176, 109, 362, 176, 285],
    [24, 43, 167, 39, 496],
]
MONTHS = {
    "PAY_6": "2005-04-30",
    "PAY_5": "2005-05-31",
    "PAY_4": "2005-06-30",
    "PAY_3": "2005-07-31",
    "PAY_2": "2005-08-31",
    "PAY_0": "2005-09-30",
}


@pytest.fixture(scope="module")
def from_file(shared_data: Path) -> Book:
    wide = pd.read_csv(shared_data / "uci_credit_default" / "uci_credit_card.csv.gz", usecols=["ID", *MONTHS])
    long = wide.melt("ID", var_name="month", value_name="bucket")
    ends = pd.DataFrame(
        {
            "account_key": "acc-" + long["ID"].astype(str),
            "month_end": pd.to_datetime(long["month"].map(MONTHS)).dt.date,
            "status": "open",
            "bucket": long["bucket"].clip(lower=0),
            "balance_minor": 0,
        }
    )
    return book_from_frames({"month_end": ends}, as_of=PERIOD.end)


@pytest.fixture(scope="module")
def imported(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    books = tmp_path_factory.mktemp("books")
    environment = {"COLLECT_BOOKS": str(books), "COLLECT_DATA": str(shared_data), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "collect_analysis.cli", "import", "parameters/sources/uci_credit.yml"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
    return books


def counts(book: Book) -> list[list[int]]:
    facts = Facts(book, PERIOD)
    matrix = flow.roll_matrix(book, facts["pairs"], top_bucket=4, few=100)
    counted = matrix[matrix["version"] == "count"]
    assert counted["to"].unique().tolist() == ["0", "1", "2", "3", "4"]
    return counted["numerator"].to_numpy().reshape(5, 5).tolist()


def test_the_transitions_of_the_file_are_the_published_ones(from_file: Book) -> None:
    assert counts(from_file) == TRANSITIONS


def test_the_imported_book_gives_the_same_transitions(imported: Path) -> None:
    assert counts(open_book("uci_credit", as_of=PERIOD.end, folder=imported)) == TRANSITIONS


def test_every_account_is_followed_through_every_month(from_file: Book) -> None:
    facts = Facts(from_file, PERIOD)
    assert from_file.scalar(facts["pairs"].count()) == 150_000
    flows = kpi_table(facts, grains=("company",), ids=[kpi for kpi in ("F1", "F3", "F4", "F5", "F6")])
    assert flow.identity_gaps(flows).empty
    assert flows["numerator"].sum() == 34 + 16297 + 1108 + 769


def test_a_nearly_empty_row_says_that_it_rests_on_few_accounts(from_file: Book) -> None:
    facts = Facts(from_file, PERIOD)
    matrix = flow.roll_matrix(from_file, facts["pairs"], top_bucket=4, few=100)
    marked = matrix[(matrix["version"] == "count") & (matrix["note"] != "")]
    assert marked["from_bucket"].unique().tolist() == [1]
    assert marked["cases"].unique().tolist() == [34]


def test_jumps_count_as_rolled_forward(from_file: Book) -> None:
    rates = by_bucket(Facts(from_file, PERIOD), top_bucket=4).set_index(["kpi", "scope_key"])
    assert rates.loc[("F1", "0"), "numerator"] == 1860 + 6209
    assert rates.loc[("F5", "2"), "numerator"] == 4130
    # Bucket 4 and what lies beyond are one here: no worse bucket is told apart.
    assert np.isnan(rates.loc[("F1", "4"), "value"])
    assert rates.loc[("F1", "4"), "note"] == "the last bucket is open-ended: no worse one is told apart"


def test_the_imported_book_says_that_it_is_real(imported: Path) -> None:
    manifest = json.loads((imported / "uci_credit" / "book.json").read_text(encoding="utf-8"))
    assert manifest["synthetic"] is False
    assert manifest["currency"] == "TWD"
    assert sum(load["rows_read"] for load in manifest["loads"]) == 180_000
