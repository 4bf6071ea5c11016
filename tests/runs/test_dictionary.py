"""The dictionary's live page and the marks of a changed definition: what a figure means is told, and where it began to mean something else."""

from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.measures.kpis import KPIS
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.report.kpi_windows import in_words
from collect_analysis.runs import dictionary, figures, history
from collect_analysis.runs.run_index import Published


def recorded(slots: dict[str, str]) -> pd.DataFrame:
    rows = [
        {"slot": slot, "series": "", "value": 0.4, "low": 0.3, "high": 0.5, "unit": "share", "definition": meaning}
        for slot, meaning in slots.items()
    ]
    return pd.DataFrame(rows)


def published(slot: str, **meanings: str) -> Published:
    return Published(report="kpi_period", name="shop", slot=slot, run_id="", state=(), definitions=meanings)


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_tells_every_kpi_once_in_its_section_and_once_how_it_is_counted(lang: str) -> None:
    table = dictionary.records(lang)
    told = [cell for section in dictionary.SECTIONS for cell in dictionary.meaning(table, section, lang).columns[0].cells]
    told_ids = [name.rpartition("(")[2].removesuffix(")") for name in told]
    assert sorted(told_ids) == sorted(kpi for kpi in KPIS if not kpi.endswith("-balance"))
    shown = [dictionary.counting(table, lang), dictionary.computing(table, lang)]
    assert [list(each.columns[0].cells) for each in shown] == [list(KPIS)] * 2
    words = " ".join(cell for each in shown for column in each.columns for cell in column.cells)
    assert not any(mark in words for mark in ("nan", "None", "{"))
    assert ("ratio of sums" in words) == (lang == "en")


def test_the_page_shows_the_windows_of_the_latest_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kpi_windows.yml").write_text(
        "topic: kpi_windows\nversions:\n  - {valid_from: 2026-01-01, source: test, values: {grace_days: 5}}\n"
    )
    monkeypatch.setenv("COLLECT_POLICY", str(tmp_path))
    assert dictionary.latest_windows() == KpiWindows(grace_days=5)
    monkeypatch.setenv("COLLECT_POLICY", str(tmp_path / "none"))
    assert dictionary.latest_windows() == KpiWindows()


def test_a_line_stands_where_the_definition_changes_and_values_do_not_run_across_it() -> None:
    table = recorded({"04": "C8@a", "05": "C8@a", "06": "C8@b"})
    assert history.version_breaks(table) == ["06"]
    axes = figures.over_slots(table, lang="en", breaks=history.version_breaks(table))
    assert [text.get_text() for text in axes.texts] == ["defined otherwise from here"]
    upright = [line for line in axes.lines if list(line.get_xdata()) == [1.5, 1.5]]
    assert len(upright) == 1
    stretches = [len(line.get_xdata()) for line in axes.lines if line not in upright]
    assert stretches == [2, 1]


def test_runs_that_recorded_no_definition_make_no_break() -> None:
    assert history.version_breaks(recorded({"04": "", "05": "C8@a", "06": "", "07": "C8@a"})) == []
    assert history.version_breaks(recorded({"04": "C8@a", "05": "", "06": "C8@b"})) == ["06"]


def test_a_run_says_which_kpis_mean_something_else_than_in_the_slot_before() -> None:
    april, june = published("2026-04", C8="C8@a", R1="R1@a"), published("2026-06", C8="C8@b", R1="R1@a", F7="F7@a")
    assert history.changed_definitions(june, [june, april]) == ("2026-04", ["C8"])
    assert history.changed_definitions(april, [june, april]) == ("", [])


def test_windows_are_read_in_words_and_none_is_left_as_a_name() -> None:
    assert in_words("grace_days = 3, kept_threshold = 0.9", "vi") == "số ngày ân hạn: 3; tỷ lệ coi là giữ lời: 0,90"
    assert in_words("attempt_channels = call + visit", "en") == "channels that count as attempts: call + visit"
    assert in_words("", "en") == ""
    for lang in ("en", "vi"):
        written = [in_words(text, lang) for text in dictionary.records(lang)["windows"]]
        assert not [text for text in written if "_" in text]
