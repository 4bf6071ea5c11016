"""The catalogue: complete in both languages, and loud where a key is missing."""

import string

import pytest
from collect_analysis.errors import RunError
from collect_analysis.methods.evidence import GRADE_MEANING
from collect_analysis.portfolio.kpi_period.parameters import KpiPeriod
from collect_analysis.report import texts
from collect_analysis.report.disclosure import SUPPRESSED
from collect_analysis.report.kinds import KINDS
from collect_analysis.report.recording import RunRecorder
from collect_analysis.report.texts import formats

from tests.conftest import PROJECT

ENTRIES = list(texts.entries())
LIVE = {path.stem for path in (PROJECT / "notebooks" / "pages").glob("*.ipynb")}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize(("stem", "place", "entry"), ENTRIES, ids=[f"{stem}:{place}" for stem, place, _ in ENTRIES])
def test_every_text_is_there_in_both_languages_with_the_same_places(stem: str, place: str, entry: dict[str, str]) -> None:
    assert set(entry) == set(texts.LANGUAGES), f"{stem}.yml {place}"
    assert all(isinstance(text, str) and text.strip() for text in entry.values())
    if not place.startswith("cells."):
        assert places(entry["en"]) == places(entry["vi"])


def test_no_key_is_defined_twice() -> None:
    seen: dict[str, str] = {}
    for stem, place, _ in ENTRIES:
        # Cells belong to their notebook; everything else is one name space.
        if not place.startswith("cells."):
            assert place not in seen, f"{place} is in {seen.get(place)}.yml and {stem}.yml"
            seen[place] = stem


def test_files_hold_known_sections_only() -> None:
    for stem, content in texts._files().items():
        # A file that no notebook is named after holds words several share: it has no cells.
        assert stem == "common" or stem in KINDS or stem in LIVE or "cells" not in content
    assert all(set(content) <= {*texts.SECTIONS, "names", "glossary"} for content in texts._files().values())


def test_vietnamese_is_written_with_diacritics() -> None:
    words = [entry["vi"] for _, place, entry in ENTRIES if place.startswith("words.") and len(entry["vi"]) > 25]
    assert words
    assert not [word for word in words if word.isascii()]


@pytest.mark.parametrize("grade", GRADE_MEANING)
def test_the_grade_on_a_page_means_what_the_method_means(grade: str) -> None:
    assert texts.say(f"grade_{grade}", "en") == GRADE_MEANING[grade]


def test_every_kind_has_a_title() -> None:
    assert all(texts.say(f"kind_{kind}", lang) for kind in KINDS for lang in texts.LANGUAGES)


def test_an_unknown_word_is_refused_with_the_place_to_add_it() -> None:
    with pytest.raises(RunError, match="no word 'no_such_word'; add it under `words`"):
        texts.say("no_such_word", "en")
    with pytest.raises(RunError, match=r"'rows_read' \(vi\) needs a value for 'rows'"):
        texts.say("rows_read", "vi")


def test_a_value_is_filled_in_and_never_read_as_a_template() -> None:
    assert texts.say("rows_read", "en", rows="{code_dirty}") == "{code_dirty} rows"


def test_a_sentence_of_a_method_is_translated_with_its_numbers() -> None:
    assert texts.phrase(SUPPRESSED.format(min_cell=10), "vi") == "không hiển thị: dưới 10 trường hợp"


MISSING = {
    "labels.net_back_minor": (lambda: texts.label("net_back_minor", "vi"), "Net back"),
    "values.audience.third_parties": (lambda: texts.value("audience", "third_parties", "vi"), "third_parties"),
    "values.verdict.some_code": (lambda: texts.value("verdict", "some_code", "en"), "some_code"),
    "phrases: something nobody translated": (
        lambda: texts.phrase("something nobody translated", "vi"), "something nobody translated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", MISSING)
def test_what_nobody_translated_raises_in_tests_and_is_told_in_a_run(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, shown = MISSING[place]
    with pytest.raises(RunError, match=f"the catalogue has no {place}"):
        asked()
    monkeypatch.setattr(texts, "STRICT", False)
    texts.untranslated(forget=True)
    assert asked() == shown
    assert texts.untranslated(forget=True) == [place]
    assert texts.untranslated() == []


def test_a_run_with_a_missing_word_says_so_in_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "STRICT", False)
    record = RunRecorder(KpiPeriod.model_construct(lang="vi", name="shop", audience="managers", min_cell=10))
    assert not record.as_json()["checks"]
    texts.label("net_back_minor", "vi")
    (check,) = record.as_json()["checks"]
    assert not check["passed"]
    assert "labels.net_back_minor" in check["detail"]
    assert not RunRecorder(record.parameters).as_json()["checks"]


def test_names_of_the_data_and_sentences_are_shown_as_they_are() -> None:
    assert texts.value("unit_name", "tele_north", "vi") == "tele_north"
    assert texts.value("arm", "no_visit", "vi") == "no_visit"
    assert texts.value("scope", "Thẻ bán lẻ", "vi") == "Thẻ bán lẻ"


@pytest.mark.parametrize(
    ("value", "digits", "english", "vietnamese"),
    [
        (1234567.891, 1, "1,234,567.9", "1.234.567,9"),
        (-0.5, 1, "−0.5", "−0,5"),
        (0.0, 2, "0.00", "0,00"),
        (0.0004, 2, "< 0.01", "< 0,01"),
        (-0.0004, 2, "> −0.01", "> −0,01"),
        (None, 2, "–", "–"),
        (float("nan"), 0, "–", "–"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(value, digits: int, english: str, vietnamese: str) -> None:
    assert formats.number(value, "en", digits=digits) == english
    assert formats.number(value, "vi", digits=digits) == vietnamese


def test_dong_have_no_minor_unit_and_dollars_have_cents() -> None:
    assert formats.money(1234567, "VND", "vi") == "1.234.567 VND"
    assert formats.money(1234567, "USD", "en") == "USD 12,345.67"


@pytest.mark.parametrize(
    ("minor", "written"),
    [(123456789012, "123 tỷ VND"), (1230000, "1,23 triệu VND"), (999_950_000, "1,00 tỷ VND"), (12_000, "12.000 VND")],
)
def test_large_money_is_written_with_three_digits(minor: int, written: str) -> None:
    assert formats.money(minor, "VND", "vi", compact=True) == written


def test_days_are_written_as_the_language_writes_them() -> None:
    assert formats.day("2026-06-30", "en") == "2026-06-30"
    assert formats.day("2026-06-30", "vi") == "30/06/2026"
    assert formats.day("2026-06-30T08:05:00+00:00", "vi") == "30/06/2026 08:05"


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.0204, "share", "2,0 %"),
        (1234567, "minor", "1.234.567 VND"),
        (3.25, "per_hour", "3,25 mỗi giờ"),
        (1.1, "ratio", "1,10"),
        (1200, "count", "1.200"),
        (7, "count", "7"),
        (None, "share", "–"),
        (2.5, "unheard_of", "2,50 unheard_of"),
    ],
)
def test_a_recorded_number_is_written_in_its_unit(value: float | None, unit: str, written: str) -> None:
    assert formats.with_unit(value, unit, "vi", currency="VND") == written
