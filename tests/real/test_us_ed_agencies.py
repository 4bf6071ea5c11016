"""Collection agencies of the US Department of Education, through the mapping and the report file of the repository."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.agencies import unit_periods
from collect_analysis.book.store import Book, open_book

PROJECT = Path(__file__).resolve().parents[2]
NOW = "2026-11-23T08:00:00+00:00"
# README of the data set: $m recovered, $m starting inventory, %.
PUBLISHED = {
    "2015-07-01": (1864.01, 60172.22, 3.0978),
    "2015-10-01": (2230.61, 62641.44, 3.5609),
    "2016-01-01": (2136.76, 68397.70, 3.1240),
    "2016-04-01": (2339.61, 75245.09, 3.1093),
    "2016-07-01": (2066.06, 72031.72, 2.8683),
}
TAKEN_BACK = {
    "allied-interstate-inc",
    "cbe-group",
    "collection-technology-incorporated",
    "collecto-inc-dba-eos-cca",
    "delta-management-associates-inc",
    "diversified-collection-services-inc",
    "financial-asset-management-systems-inc",
    "nco-financial-systems-inc",
    "premiere-credit-of-north-america-llc",
    "progressive-financial-services-inc",
    "van-ru-credit-corporation",
}
NEW = {"action-financial-services", "central-research", "credit-adjustments-inc"}


def collect(*arguments: str, books: Path, reports: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLLECT_BOOKS": str(books), "COLLECT_REPORTS": str(reports)}
    command = [sys.executable, "-m", "collect_analysis.cli", *arguments, "--now", NOW]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT, check=False)


@pytest.fixture(scope="module")
def books(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("us_ed")
    done = collect("import", "parameters/sources/us_ed_agencies.yml", books=folder, reports=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def book(books: Path) -> Book:
    return open_book("us_ed_agencies", as_of=date(2016, 9, 30), folder=books)


@pytest.fixture(scope="module")
def rows(book: Book) -> pd.DataFrame:
    return unit_periods.read(book, start=date(2015, 7, 1), end=date(2016, 9, 30))


def test_thirty_three_spellings_are_thirty_agencies(rows: pd.DataFrame, shared_data: Path) -> None:
    source = pd.read_csv(shared_data / "us_ed_collection_agencies" / "pca_fy15q4_fy16q4.csv")
    assert source["agency_name"].nunique() == 33
    assert (len(rows), rows["unit_key"].nunique()) == (127, 30)
    assert rows.groupby("period_start")["unit_key"].nunique().tolist() == [22, 25, 25, 25, 30]
    assert not rows["unit_name"].str.contains("*", regex=False).any()


def test_quarter_totals_and_liquidation_are_the_published_ones(rows: pd.DataFrame) -> None:
    table = unit_periods.totals(rows)
    found = {str(start.date()): row for start, row in zip(table["period_start"], table.to_dict("records"), strict=True)}
    assert found.keys() == PUBLISHED.keys()
    for day, (collected, opening, percent) in PUBLISHED.items():
        assert found[day]["collected_minor"] / 1e8 == pytest.approx(collected, abs=0.01)
        assert found[day]["opening_minor"] / 1e8 == pytest.approx(opening, abs=0.01)
        assert found[day]["value"] * 100 == pytest.approx(percent, abs=0.0001)


def test_channels_add_up_to_the_cent_in_every_row(rows: pd.DataFrame) -> None:
    assert len(unit_periods.components(rows)) == 4
    assert unit_periods.identity_gaps(rows).empty


def test_inventories_taken_back_before_the_last_quarter_are_flagged_instead_of_praised(rows: pd.DataFrame) -> None:
    flow = unit_periods.continuity(rows, threshold=0.10)
    assert len(flow) == 97
    last = flow[flow["next_start"] == "2016-07-01"]
    recalled = last[last["verdict"] == "recalled"]
    assert set(recalled["unit_key"]) == TAKEN_BACK
    assert recalled["gap_share"].between(-0.83, -0.73).all()
    assert (recalled["rate_after"] > 2 * recalled["rate_before"]).all()
    table = unit_periods.liquidation(rows, flow)
    after = table[(table["period_start"] == "2016-07-01") & table["unit_key"].isin(TAKEN_BACK)]
    assert (after["verdict"] == "recalled").all()
    # On the inventory they would have had, every one of them collected less than in the quarter before.
    assert (after["on_old_inventory"] < after["rate_before"]).all()
    assert (after["value"] > 0.07).all()


def test_continuous_inventories_lie_within_the_published_quartiles(rows: pd.DataFrame) -> None:
    gaps = unit_periods.continuity(rows, threshold=0.10)["gap_share"]
    assert gaps.quantile([0.25, 0.75]).tolist() == pytest.approx([-0.014, 0.006], abs=5e-4)


def test_new_agencies_are_not_judged_on_rehabilitation(rows: pd.DataFrame) -> None:
    table = unit_periods.channel_mix(rows, months_needed={"rehabilitation": 9})
    young = table[(table["component"] == "rehabilitation") & table["value"].isna()]
    assert set(young["unit_key"]) >= NEW
    assert len(young) == 8
    assert young["note"].str.startswith("too young").all()
    assert table[table["component"] != "rehabilitation"]["value"].notna().all()


def test_no_channel_is_missing_once_the_young_are_left_out_and_theirs_is_found_where_nobody_says_so(rows: pd.DataFrame) -> None:
    assert unit_periods.recording_gaps(rows, months_needed={"rehabilitation": 9}).empty
    silent = unit_periods.recording_gaps(rows, months_needed={})
    assert set(silent["component"]) == {"rehabilitation"}
    # Of the three agencies marked new in FY16 Q1 one has none at all in that quarter (NA), the others 14,028.32 and 16.61 dollars.
    assert set(silent["unit_key"]) & NEW == {"action-financial-services"}
    assert silent["unit_key"].nunique() == 6
    assert silent["others_low"].min() > 0.1


def test_a_channel_struck_out_for_a_group_of_agencies_is_refused(rows: pd.DataFrame) -> None:
    lost = rows["unit_key"].isin(sorted(rows["unit_key"].unique())[:6]) & (rows["period_start"] >= "2016-01-01")
    holed = rows.assign(collected_rehabilitation_minor=rows["collected_rehabilitation_minor"].mask(lost, 0))
    gaps = unit_periods.recording_gaps(holed, months_needed={"rehabilitation": 9})
    assert set(gaps["component"]) == {"rehabilitation"}
    old_enough = (
        unit_periods.channel_mix(rows, months_needed={"rehabilitation": 9}).query("component == 'rehabilitation'").dropna(subset=["value"])
    )
    assert set(gaps["unit_key"]) == set(rows.loc[lost, "unit_key"]) & set(old_enough["unit_key"])
    mix = unit_periods.channel_mix(holed, months_needed={"rehabilitation": 9})
    assert mix.loc[(mix["component"] == "rehabilitation") & mix["unit_key"].isin(gaps["unit_key"]), "value"].isna().all()


@pytest.mark.slow
def test_the_report_states_the_published_numbers_and_recommends_no_share(books: Path) -> None:
    reports = books / "reports"
    done = collect("run", "parameters/agency_evaluation/us_ed.yml", books=books, reports=reports)
    assert done.returncode == 0, done.stderr[-3000:]
    (current,) = reports.glob("agency_evaluation/us_ed/*/current")
    results = json.loads((current / "results.json").read_text(encoding="utf-8"))
    rates = {item["by"]["period_start"]: item["value"] for item in results["measures"] if item["name"] == "total_liquidation"}
    assert {day: round(value * 100, 4) for day, value in rates.items()} == {day: percent for day, (_, _, percent) in PUBLISHED.items()}
    assert results["decision"]["grade"] == "D"
    assert results["decision"]["answer"].startswith("No share is recommended")
    assert "lot" in results["decision"]["action"]["to_answer"]
    assert not [item for item in results["measures"] if item["name"] == "share_next"]
    assert not [check for check in results["checks"] if check["blocking"] and not check["passed"]]
    failed = {check["name"] for check in results["checks"] if not check["passed"]}
    assert failed == {"inventory_continuous", "units_established", "comparable_accounts"}
    page = (current / "page.html").read_text(encoding="utf-8")
    assert "What these data cannot answer" in page
    assert "Who collects more on accounts that were drawn by lot?" in page
