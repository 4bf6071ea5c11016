"""A scorecard as it is read: who may see whom, what is said in both languages, and what makes the page refuse."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import DataError, DisclosureError, ParameterError
from collect_analysis.methods.evidence import refused
from collect_analysis.officers.scorecard import figures, page as scorecard, page_decision
from collect_analysis.officers.scorecard.page import Card
from collect_analysis.officers.scorecard.parameters import Scorecard
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import Decision, RunRecorder

from tests.measures.test_expected import AS_OF, frames_of_a_shop


def parameters(**changes: Any) -> Scorecard:
    values = {
        "name": "r",
        "book": "b",
        "as_of": "2026-06-30",
        "period_end": "2026-06-30",
        "sub_functions": ["soft", "tele", "field", "legal"],
    }
    return validate(Scorecard, {**values, **changes}, where="test")


class Page:
    """The steps of the notebook for one reader, on what was judged once."""

    def __init__(self, book: Book, card: Card, params: Scorecard) -> None:
        self.book, self.card, self.params = book, card, params
        self.record = RunRecorder(params)
        self.bands = self.record.table("bands", scorecard.band_counts(card, params), people="officers")
        self.units = self.record.table("units", scorecard.told_units(card, params), people="cases")
        self.people = scorecard.told_officers(card, params)
        self.decision: Decision = page_decision.decision_of(card, params, book)

    def texts(self) -> str:
        """Everything the page says, as text."""
        card, params, book = self.card, self.params, self.book
        tables = [
            scorecard.bands_shown(self.bands, params),
            scorecard.unit_table(self.units, params, book),
            scorecard.officer_table(self.people, params, book),
            scorecard.reliability_shown(self.record.table("reliability", card.reliability, people="officers"), params),
            scorecard.gate_shown(self.record.table("gates", card.gates, people="denominator"), params, book),
            scorecard.tenure_shown(self.record.table("tenure", card.tenure, people="cases"), params),
            scorecard.calibration_shown(self.record.table("calibration", card.calibration, people="cases"), params, book),
        ]
        checks = [f"{item.name} {item.detail} {item.remedy}" for item in page_decision.said_conditions(card, params)]
        asked = [self.decision.question, self.decision.answer, self.decision.confidence, *self.decision.caveats, str(self.decision.action)]
        return "\n".join([*(table.as_text() for table in tables if table is not None), *checks, *asked])


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def card(sample: Book) -> Card:
    return scorecard.judge(sample, parameters())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period_end": "2026-06-29"}, "no last day of a month"),
        ({"period_end": "2026-07-31"}, "after as_of 2026-06-30"),
        ({"history_months": 2}, "fewer than the 3 months judged"),
        ({"factors": ["buckett"]}, "did you mean 'bucket'"),
        ({"sub_functions": ["telephone"]}, "no sub-function telephone"),
        ({"pool_month": 3}, "did you mean 'pool_months'"),
        ({"index": "rank"}, "index is 'rank'"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_speaks_its_language_and_says_first_who_stands_apart(sample: Book, card: Card, lang: str) -> None:
    page = Page(sample, card, parameters(lang=lang))
    texts = page.texts()
    assert not any(mark in texts for mark in ("{s", "nan", "None"))
    own, other = {"en": ("Reliability", "Độ tin cậy"), "vi": ("Độ tin cậy", "Reliability")}[lang]
    assert own in texts
    assert other not in texts
    counts = card.verdict.counts
    first = {"en": f"{counts['above']} officers are credibly above", "vi": f"{counts['above']} nhân viên cao hơn"}[lang]
    assert page.decision.answer.startswith(first)
    assert page.decision.grade == "C"
    assert page.decision.action["human_review"]


def test_managers_read_of_teams_and_numbers_but_of_no_officer(sample: Book, card: Card) -> None:
    page = Page(sample, card, parameters())
    assert "off-" not in page.texts()
    assert page.people.empty
    with pytest.raises(DisclosureError, match="officer_key"):
        page.record.table("officers", card.officers, people="cases")
    leads = Page(sample, card, parameters(audience="team_leads"))
    assert "off-" in leads.texts()
    assert set(leads.decision.action["recognise"]) <= set(card.officers["officer_key"])


def test_officers_are_in_bands_and_within_a_band_in_no_order(sample: Book, card: Card) -> None:
    people = Page(sample, card, parameters(audience="team_leads")).people
    for _, band in people.groupby(["band", "sub_function", "unit_key"]):
        assert band["officer_key"].is_monotonic_increasing
    assert people["band"].drop_duplicates().tolist()[:2] == ["below", "above"]
    assert not [column for column in people if "rank" in column]


def test_small_holdings_are_not_told(sample: Book, card: Card) -> None:
    few = card.officers.assign(cases=np.where(card.officers["officer_key"] == "off-0009", 4, card.officers["cases"]))
    changed = Card(**{**vars(card), "officers": few})
    params = parameters(audience="team_leads")
    shown = (
        Page(sample, changed, params)
        .record.table("officers", scorecard.told_officers(changed, params), people="cases")
        .set_index("officer_key")
    )
    row = shown.loc["off-0009"]
    assert row[["value", "low", "raw", "collected_minor", "payer_value", "attainment"]].isna().all()
    assert row["band"] == "too_few"
    assert "fewer than 10" in row["note"]


def test_figures_are_drawn_for_those_who_may_see_them(sample: Book, card: Card) -> None:
    leads = Page(sample, card, parameters(audience="team_leads"))
    axes = figures.caterpillar(leads.people, lang="en", told=True)
    drawn = card.officers["band"].isin(["above", "below", "within", "open"]).sum()
    assert sum(len(line.get_xdata()) for line in axes.get_lines() if line.get_marker() == "o") == drawn
    assert not [text for text in (*axes.get_yticklabels(), *axes.texts) if "off-" in text.get_text()]
    hidden = figures.caterpillar(leads.people, lang="en", told=False)
    assert not hidden.get_lines()
    units = scorecard.units_drawn(leads.units, leads.params, sample)
    assert len(figures.units(units, lang="vi").get_yticks()) == len(units)


def test_two_months_of_history_refuse_everybody_and_say_what_would_help() -> None:
    from collect_analysis.book.store import book_from_frames

    frames = frames_of_a_shop()
    ends = pd.to_datetime(frames["month_end"]["month_end"])
    frames["month_end"] = frames["month_end"][ends >= pd.Timestamp(2026, 4, 30)].reset_index(drop=True)
    book = book_from_frames(frames, as_of=AS_OF)
    params = parameters(pool_months=2, sub_functions=[], audience="team_leads")
    found = scorecard.judge(book, params)
    assert "scorecard_history" in {item.name for item in refused(found.conditions)}
    assert found.officers["value"].isna().all()
    assert found.verdict.judged == 0
    decision = page_decision.decision_of(found, params, book)
    assert decision.grade == "none"
    assert "Load at least 4 months" in decision.answer
    assert decision.forecast == {}
    assert set(decision.action) == {"human_review"}


def test_a_book_without_month_ends_is_refused() -> None:
    from collect_analysis.book.store import book_from_frames

    frames = frames_of_a_shop()
    with pytest.raises(DataError, match="has no rows in month_end"):
        scorecard.judge(book_from_frames({"payment": frames["payment"]}, as_of=AS_OF), parameters())
