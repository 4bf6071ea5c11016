"""How a number moved: from recorded results, and only for plain names."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.runs import figures, history
from collect_analysis.runs.pages.packed import Kept
from collect_analysis.runs.shelf import Shelf

from tests.runs.recorded_run import AGENCIES, write_run

PERIODS = ("2026-01-01--2026-03-31", "2026-04-01--2026-06-30")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    for period, value in zip(PERIODS, (1.05, 1.14), strict=True):
        run = write_run(folder / "agency_evaluation" / "dca" / period, name="dca", value=value)
        # The fixture writes the second period; the first run says what slot it lies in.
        body = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({**body, "slot": period}))
    return folder


def test_one_row_per_period_and_label_in_the_order_of_time(reports: Path) -> None:
    table = history.over_slots(reports, history.choice("kind=agency_evaluation&name=dca"))
    assert list(table["slot"]) == [PERIODS[0]] * 3 + [PERIODS[1]] * 3
    assert list(table.loc[table["series"] == AGENCIES[0], "value"]) == [1.05, 1.14]
    hidden = table[table["series"] == AGENCIES[2]]
    assert hidden["value"].isna().all()
    assert set(hidden["note"]) == {"suppressed: fewer than 10 cases"}


def test_a_report_or_measure_that_is_not_there_is_an_empty_table(reports: Path) -> None:
    for query in ("", "kind=agency_evaluation&name=other", "kind=agency_evaluation&name=dca&measure=other"):
        table = history.over_slots(reports, history.choice(query))
        assert table.empty
        assert list(table.columns) == list(history.COLUMNS)
        figures.over_slots(table, lang="en")


def test_periods_are_written_as_the_language_writes_days(reports: Path) -> None:
    table = history.over_slots(reports, history.choice("kind=agency_evaluation&name=dca&lang=vi"))
    assert history.readable(table, "vi")["slot"].iloc[0] == "01/01/2026 – 31/03/2026"


@pytest.mark.parametrize("query", ["kind=..", "name=/a/b", "measure=a:b/c", "lang=de", "x=1", "kind=a&kind=a", "name=" + "a" * 501])
def test_a_query_holds_plain_names_only(query: str) -> None:
    with pytest.raises(ParameterError):
        history.choice(query)


def test_a_run_is_found_by_plain_names_only(reports: Path) -> None:
    shelf = Shelf(reports)
    assert shelf.find("agency_evaluation", "dca", PERIODS[0]) is not None
    for kind, name, slot, run_id in (
        ("agency_evaluation", "..", "dca", None),
        ("agency_evaluation", "dca", "../dca/" + PERIODS[0], None),
        ("..", "agency_evaluation", "dca", None),
        ("agency_evaluation", "dca", PERIODS[0], "current"),
        ("agency_evaluation", "dca", PERIODS[0], "../" + PERIODS[1]),
    ):
        assert shelf.find(kind, name, slot, run_id) is None


def test_a_run_that_is_not_complete_is_not_on_the_shelf(reports: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "agency_evaluation" / "dca" / PERIODS[1], name="dca")
    body = json.loads((run / "run.json").read_text())
    assert Shelf(tmp_path).find("agency_evaluation", "dca", PERIODS[1]) is not None
    (run / "run.json").write_text(json.dumps({**body, "state": "failed"}))
    assert Shelf(tmp_path).find("agency_evaluation", "dca", PERIODS[1]) is None


def test_the_memory_of_packed_pages_is_bounded() -> None:
    kept = Kept(most_bytes=10_000)
    for number in range(50):
        kept.get(number % 20, lambda: os.urandom(3_000))
    assert 6_000 < kept.bytes <= 10_000


def test_a_packed_page_is_made_once_while_it_is_kept() -> None:
    made: list[int] = []
    kept = Kept(most_bytes=10_000)
    for _ in range(3):
        kept.get("page", lambda: made.append(1) or b"page")
    assert made == [1]


def test_intervals_are_drawn_where_they_were_recorded() -> None:
    table = pd.DataFrame(
        {"slot": ["a", "b"], "series": ["x", "x"], "value": [0.1, 0.2], "low": [0.05, 0.15], "high": [0.15, 0.25], "unit": ["share"] * 2}
    )
    axes = figures.over_slots(table, lang="en")
    (bars,) = axes.collections
    assert [tuple(segment[:, 1]) for segment in bars.get_segments()] == [(0.05, 0.15), (0.15, 0.25)]
