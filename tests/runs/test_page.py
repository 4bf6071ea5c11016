"""The page of a run: what stands on its first screen, that it needs nothing but itself, that data stay text."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat.v4 as nb
import pytest
from collect_analysis.runs import notebook_view, page

from tests.runs.recorded_run import AGENCIES, WORDS, write_run

# Each would become an element, an attribute or a link of the page if it were not kept as text.
SIGNS = (
    "<mark>bold</mark>",
    "\"><mark title='x'>",
    "[x](https://example.org) $a$b_ {{ x }} <mark>",
)


class Parsed(HTMLParser):
    """Tags with their attributes, and the text a reader sees, of an HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self._open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def read(folder: Path) -> str:
    return (folder / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("english") / "slot")


def test_the_decision_comes_before_every_finding(english: Path) -> None:
    text = Parsed(read(english)).text
    order = [
        "Synthetic data",
        "Which agency collects more on comparable accounts?",
        "What share should each agency get next quarter?",
        WORDS["en"]["answer"],
        "Evidence grade B",
        "natural experiment with every diagnostic passed",
        "0.58 that the leader is best",
        "Recommended action",
        "Forecast to be checked",
        "Agency-declared activity is not verified.",
        "20260701T080000Z-0a1b2c3d",
        "On this page",
        "Each row compares an agency",
        "Accounts were allocated as planned",
        "Recorded tables",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_the_watermark_names_day_data_run_code_and_currency(english: Path) -> None:
    text = Parsed(read(english)).text
    for words in (
        "2026-06-30",
        "sample, 1,434,567 rows, fingerprint abababababab",
        "VND",
        "20260701T080000Z-0a1b2c3d",
        "0.1.0 343434343434",
    ):
        assert words in text


def test_the_page_is_self_contained(english: Path) -> None:
    source = read(english)
    parsed = Parsed(source)
    assert not {tag for tag, _ in parsed.tags} & {"script", "iframe", "object", "embed", "base", "form"}
    for tag, attributes in parsed.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            target = attributes.get(name) or ""
            assert target.startswith(("data:", "#")) or re.fullmatch(r"tables/\w+\.csv", target) or not target, (
                f"{tag} {name}={target[:60]}"
            )
    assert "http://" not in source.replace("http-equiv", "")
    assert "https://" not in source
    assert "url(" not in source
    assert "@import" not in source


def test_s9_the_page_forbids_scripts_itself(english: Path) -> None:
    (policy,) = [attributes["content"] for tag, attributes in Parsed(read(english)).tags if tag == "meta" and "http-equiv" in attributes]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'")


def test_figures_are_the_recorded_files(english: Path) -> None:
    images = [attributes for tag, attributes in Parsed(read(english)).tags if tag == "img"]
    shown = [base64.b64decode((attributes["src"] or "").removeprefix("data:image/svg+xml;base64,")) for attributes in images]
    assert shown == [(english / "figures" / f"{name}.svg").read_bytes() for name in ("league", "curves")]
    assert [attributes["alt"] for attributes in images] == [
        "Figure: Which agency collected more than expected?",
        "Figure: How fast does each agency collect?",
    ]


def test_code_is_not_shown_and_the_summary_is_not_repeated(english: Path) -> None:
    text = Parsed(read(english)).text
    assert "tables.show" not in text
    assert "record.finish" not in text
    assert "measures, 2 tables" not in text


def test_the_contents_lead_to_every_section(english: Path) -> None:
    parsed = Parsed(read(english))
    anchors = {attributes.get("id") for _, attributes in parsed.tags}
    links = [(attributes["href"] or "")[1:] for tag, attributes in parsed.tags if tag == "a" and (attributes["href"] or "").startswith("#")]
    assert len(links) == 4
    assert set(links) <= anchors


def test_real_data_carry_no_synthetic_label(tmp_path: Path) -> None:
    source = read(write_run(tmp_path / "slot", synthetic=False))
    assert "Synthetic data" not in Parsed(source).text
    assert 'class="synthetic"' not in source


def test_a_failed_blocking_check_says_not_for_decision_and_why(tmp_path: Path) -> None:
    text = Parsed(read(write_run(tmp_path / "slot", blocked=True))).text
    banner = text.index("Not for decision")
    assert banner < text.index("Decision asked")
    reason = "Accounts were not allocated as planned (p < 0.001). To answer: repair the allocation, then wait one horizon."
    assert banner < text.index(reason) < text.index("Decision asked")
    assert "failed, blocking" in text


def test_a_check_that_does_not_block_brings_no_banner(english: Path) -> None:
    text = Parsed(read(english)).text
    assert "Not for decision" not in text
    assert "2 of 3 checks passed." in text


def test_the_page_speaks_vietnamese_throughout(tmp_path: Path) -> None:
    source = read(write_run(tmp_path / "slot", lang="vi"))
    text = Parsed(source).text
    assert '<html lang="vi">' in source
    for words in (
        "Dữ liệu giả lập",
        "Quyết định cần đưa ra",
        "Bằng chứng hạng B",
        "Hành động đề xuất",
        "30/06/2026",
        "88.150.250.000",
        "25,0 %",
    ):
        assert words in text
    for words in ("Recommended", "Evidence", "Keep in mind", "On this page", "Synthetic"):
        assert words not in text


@pytest.mark.parametrize("name", SIGNS)
def test_b60_s9_what_a_name_says_is_shown_and_not_obeyed(tmp_path: Path, name: str) -> None:
    folder = write_run(tmp_path / "slot", names=(name, *AGENCIES[1:]), answer=f"Take {name}")
    parsed = Parsed(read(folder))
    clean = Parsed(read(write_run(tmp_path / "clean")))
    assert {tag for tag, _ in parsed.tags} == {tag for tag, _ in clean.tags}
    assert len([tag for tag, _ in parsed.tags if tag in ("a", "img")]) == len([tag for tag, _ in clean.tags if tag in ("a", "img")])
    attributes = ({key for _, found in each.tags for key in found} for each in (parsed, clean))
    assert next(attributes) == next(attributes)
    # Answer, caveat, action table and league table show the name as it is.
    assert "".join(parsed.words).count(name) >= 4


def test_s10_outputs_that_are_not_ours_never_reach_a_page() -> None:
    cell = nb.new_code_cell(
        "x",
        outputs=[
            nb.new_output("display_data", data={"text/html": "<mark>marked</mark>", "text/plain": "<plain & simple>"}),
            nb.new_output("display_data", data={"text/markdown": "[x](https://example.org)", "text/plain": "markdown"}),
            nb.new_output("display_data", data={"image/png": "AAAA", "text/plain": "<Figure size 640x480>"}),
            nb.new_output("display_data", data={"application/javascript": "1 + 1"}),
            nb.new_output("stream", name="stdout", text="printed \x1b[31m<red>\x1b[0m"),
            nb.new_output("stream", name="stderr", text="a warning"),
        ],
    )
    assert notebook_view.outputs(cell, figures={}, lang="en", about="x") == []


def test_markdown_is_emphasis_lists_and_tables_and_nothing_that_loads_or_runs() -> None:
    words = "**bold** <b>no</b> [x](https://example.org) ![i](https://example.org/i.png) <https://example.org>"
    source = f"{words}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    text = str(notebook_view.markdown(source))
    tags = {tag for tag, _ in Parsed(text).tags}
    assert tags == {"p", "strong", "div", "table", "thead", "tbody", "tr", "th", "td"}
    assert "&lt;b&gt;no&lt;/b&gt;" in text


def test_a_cell_is_shown_in_the_language_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook_view.texts, "cell", lambda kind, key, lang: f"## {kind} {key} {lang}\n\nbody")
    cell = nb.new_markdown_cell("## English", metadata={"tags": ["text:league"]})
    shown = notebook_view.view({"cells": [cell]}, kind="kpi_period", lang="vi", figures={})
    assert [section.title for section in shown.sections] == ["kpi_period league vi"]


def test_equal_headings_get_different_anchors() -> None:
    cells = [nb.new_markdown_cell("## Đối tác"), nb.new_markdown_cell("## Đối tác")]
    shown = notebook_view.view({"cells": cells}, kind="kpi_period", lang="vi", figures={})
    assert [section.anchor for section in shown.sections] == ["doi-tac", "doi-tac-2"]


def test_a_percent_sign_stays_on_the_line_of_its_number() -> None:
    shown = page.environment().from_string("{{ answer }}").render(answer="from 9.6 % to 12 % <b> of % signs")
    assert shown == "from 9.6\u00a0% to 12\u00a0% &lt;b&gt; of % signs"


def test_a_forecast_is_written_in_its_unit() -> None:
    writer = page._Writer("en", "USD")
    entries = dict(writer.items({"measure": "net", "value": 123456, "low": 1, "high": 200000, "unit": "minor", "due": "2026-09-30"}))
    assert entries["Value"] == "USD 1,234.56 (USD 0.01 … USD 2,000.00)"
    assert entries["Due"] == "2026-09-30"
    assert dict(writer.items({"share_planned": 0.31, "limit_minor": 100, "steps": [], "undefined": None}))["Share planned"] == "31.0 %"


def test_tables_and_parameters_of_a_kind_have_names_of_their_own() -> None:
    assert page.table_name("pace", "bridge", "vi") == "Chênh lệch theo phần"
    assert page.table_name("pace", "no_such_table", "en") == "No such table"
    writer = page._Writer("vi", "VND", "incentive_scheme")
    (entry,) = writer.items({"today": {"basis": "attainment", "slabs": [{"start": 0.85, "points": 40}]}})
    assert entry[0] == "Cơ chế hiện hành"
    assert "Trả theo: hoàn thành chỉ tiêu" in entry[1]
    assert "Từ mức" in entry[1]
    assert "Số điểm" in entry[1]


def test_a_weight_in_points_is_no_share() -> None:
    writer = page._Writer("en", "USD")
    assert writer.items({"weight": 100.0, "least_reach": 0.2}) == [("Weight", "100"), ("Least reach", "20.0 %")]


def test_rendering_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    assert read(write_run(tmp_path / "one")) == read(write_run(tmp_path / "two"))
