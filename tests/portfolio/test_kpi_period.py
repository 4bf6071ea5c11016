"""A KPI period as it is read: who may see what, what is said in both languages, and what a book without data gets."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import DisclosureError, ParameterError
from collect_analysis.measures.kpi_table import Facts, compared
from collect_analysis.measures.periods import Period
from collect_analysis.portfolio.figures import roll_matrix
from collect_analysis.portfolio.kpi_period import figures, page as kpi_period, page_decision
from collect_analysis.portfolio.kpi_period.decision import attention, period_verdict, standings
from collect_analysis.portfolio.kpi_period.measures_identities import NEEDS, identities
from collect_analysis.portfolio.kpi_period.parameters import KpiPeriod
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import Decision, NoPeople, RunRecorder

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))


def parameters(**changes: Any) -> KpiPeriod:
    values = {"name": "r", "book": "b", "as_of": "2026-06-30", "period_start": "2026-06-01", "period_end": "2026-06-30"}
    return validate(KpiPeriod, {**values, **changes}, where="test")


class Review:
    """The steps of the notebook, one after the other."""

    def __init__(self, book: Book, params: KpiPeriod, *, like: "Review | None" = None) -> None:
        """`like`: a review of the same book and period that told more grains; its numbers serve again."""
        self.book, self.params = book, params
        self.record = RunRecorder(params)
        if like is None:
            self.facts = Facts(book, JUNE, limits=kpi_period.limits_of(book, JUNE))
            self.kpis = standings(compared(self.facts, grains=kpi_period.grains_of(params)))
        else:
            mine = like.kpis["scope_type"].isin(kpi_period.grains_of(params))
            self.facts, self.kpis = like.facts, like.kpis[mine].reset_index(drop=True)
        self.told = kpi_period.told(self.kpis, params)
        self.record.measures("kpi", kpi_period.measured(self.told), by=["scope_type", "scope_key"], people="cases")
        self.shown = self.record.table("kpis", self.told, people="cases")
        self.states, self.attributed = kpi_period.promises_due(self.facts), kpi_period.attributed_cash(self.facts)
        self.rules, self.posted = kpi_period.rules(self.facts), kpi_period.postings(self.facts)
        self.meanings = self.record.table(
            "definitions", kpi_period.definitions(self.facts, params.lang), people=NoPeople("what each figure means")
        )
        self.sums = identities(self.facts, self.kpis)
        self.found = page_decision.identities(self.facts, self.sums, lang=params.lang)
        verdict = period_verdict(self.shown, hard_breaches=kpi_period.hard_breaches(self.rules))
        self.decision: Decision = page_decision.decision_of(self.facts, params, verdict, self.found, kpis=self.shown, states=self.states)

    def tables(self) -> list[str]:
        """Every table of the page as text."""
        shown, params, book = self.shown, self.params, self.book
        tables = [
            kpi_period.headline(shown, params, book),
            kpi_period.missed_targets(attention(shown), shown, params, book),
            *(kpi_period.by_scope(shown, grain, params, book) for grain in ("portfolio", "sub_function", "unit")),
            kpi_period.by_officer(shown, params, book),
            kpi_period.bucket_table(kpi_period.buckets(self.facts, params), params),
            kpi_period.attribution_table(self.attributed, params, book),
            kpi_period.rule_table(self.rules, params),
            kpi_period.definition_table(self.meanings, params.lang),
            kpi_period.breach_table(kpi_period.rules(self.facts, by_unit=True), params, book),
        ]
        return [table.as_text() for table in tables]

    def figures(self) -> list[Any]:
        """Every figure of the page."""
        matrix = kpi_period.matrix(self.facts, self.params)
        return [
            figures.attainment(kpi_period.attained(self.shown, self.params, self.book), lang=self.params.lang),
            roll_matrix(matrix, lang=self.params.lang, top_bucket=self.params.top_bucket),
            figures.pace(kpi_period.pace_of(self.facts, self.kpis), lang=self.params.lang, currency=self.book.currency),
        ]


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def reviews(sample: Book) -> dict[str, Review]:
    leads = Review(sample, parameters(audience="team_leads"))
    return {"en": Review(sample, parameters(), like=leads), "vi": Review(sample, parameters(lang="vi"), like=leads), "leads": leads}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period_end": "2026-06-29"}, "not of whole months"),
        ({"period_start": "2026-07-01", "period_end": "2026-07-31"}, "after as_of 2026-06-30"),
        ({"top_bukket": 4}, "did you mean 'top_bucket'"),
        ({"top_bucket": 0}, "top_bucket is 0"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)


def test_every_identity_of_the_sample_shop_holds(reviews: dict[str, Review]) -> None:
    found = reviews["en"].found
    # Beside them: repeated postings, and placements that overlap.
    assert len(found) == len(NEEDS) + 2
    assert reviews["en"].sums["met"].all()
    assert all(item.met for item in found if item.consequence == "refuse")


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_speaks_its_language(reviews: dict[str, Review], lang: str) -> None:
    review = reviews[lang]
    said = [review.decision.question, review.decision.answer, review.decision.confidence, *review.decision.caveats]
    texts = "\n".join([*said, *review.tables(), *(item.detail for item in review.found)])
    assert not any(mark in texts for mark in ("{", "}", "nan", "None"))
    own, other = {"en": ("Roll forward", "Nhảy nhóm"), "vi": ("Nhảy nhóm", "Roll forward")}[lang]
    assert own in texts
    assert other not in texts
    assert review.decision.grade == "D"


def test_the_answer_states_the_recorded_number(reviews: dict[str, Review]) -> None:
    review = reviews["en"]
    attained = review.kpis.set_index(["kpi", "scope_type"]).loc[("R14", "company"), "value"]
    assert f"{attained * 100:.1f} % of the target" in review.decision.answer


def test_officers_are_told_to_team_leads_only(reviews: dict[str, Review]) -> None:
    assert (reviews["leads"].shown["scope_type"] == "officer").any()
    assert not (reviews["en"].shown["scope_type"] == "officer").any()
    managers = RunRecorder(parameters())
    with pytest.raises(DisclosureError, match="of officers"):
        managers.table("kpis", reviews["leads"].shown, people="cases")
    with pytest.raises(DisclosureError, match="of officers"):
        managers.measures("kpi", reviews["leads"].shown, by=["scope_type", "scope_key"], people="cases")
    assert "team leads only" in kpi_period.by_officer(reviews["en"].shown, reviews["en"].params, reviews["en"].book).as_text()


def test_every_figure_of_the_page_is_drawn_with_its_labels(reviews: dict[str, Review]) -> None:
    drawn = reviews["vi"].figures()
    assert all(axes.get_xlabel() for axes in drawn)
    assert "Ngày làm việc" in drawn[2].get_xlabel()


def test_a_book_of_month_ends_alone_tells_the_flow_and_why_the_rest_is_missing() -> None:
    ends = "\n".join(
        f"a{number}, {day}, {bucket}" for number in range(20) for day, bucket in (("2026-05-31", 1), ("2026-06-30", 2 if number < 5 else 0))
    )
    review = Review(book_of({"month_end": f"account_key, month_end, bucket\n{ends}"}, as_of=date(2026, 6, 30)), parameters(top_bucket=3))
    assert "25.0 % rolled forward" in review.decision.answer
    assert "contact, decision, month_end (2026-02–2026-04), payment" in review.decision.caveats[0]
    assert [item.met for item in review.found] == [True, True, True]
    assert len(review.tables()) == 11
    assert len(review.figures()) == 3


def test_a_missing_month_end_row_stops_the_decision() -> None:
    ends = "account_key, month_end, bucket\n" + "\n".join(f"a{number}, 2026-05-31, 1" for number in range(20)) + "\na0, 2026-06-30, 1"
    review = Review(book_of({"month_end": ends}, as_of=date(2026, 6, 30)), parameters())
    assert [item.name for item in review.found if not item.met] == ["Flow adds up"]
    assert review.decision.grade == "none"
    assert "do not add up" in review.decision.confidence
    assert review.decision.answer.startswith("No answer. In 4 scopes the flow rates do not add up")
    assert review.decision.action == {}


STOOD = ("2026-04-30", "2026-05-31", "2026-06-30")


def book_lacking(table: str, *months: str) -> Book:
    """Forty accounts in bucket 1, all called and paying 10 in each of two months, without what is taken away."""
    rows = {
        "month_end": [f"a{n}, {day}, 1, 100" for n in range(40) for day in STOOD],
        "payment": [f"a{n}, 10, {month}-10" for n in range(40) for month in ("2026-05", "2026-06")],
        "contact": [f"a{n}, {month}-05 09:00:00, answered, debtor, true" for n in range(40) for month in ("2026-05", "2026-06")],
    }
    heads = {
        "month_end": "account_key, month_end, bucket, balance_minor", "payment": "account_key, amount_minor, value_date",
        "contact": "account_key, local_ts, result, party_role, verified",
    }  # fmt: skip
    rows[table] = [row for row in rows[table] if not any(month in row for month in months)]
    return book_of({name: "\n".join([heads[name], *rows[name]]) for name in rows if rows[name]}, as_of=date(2026, 6, 30))


def values_of(review: Review, column: str = "value") -> dict[str, float]:
    company = review.kpis[review.kpis["scope_type"] == "company"].set_index("kpi")
    return {kpi: float(company.loc[kpi, column]) for kpi in ("R1", "R9", "F1", "F3", "C1", "C4", "C12")}


NAN = float("nan")


@pytest.mark.parametrize(
    ("table", "month", "absent"),
    [("payment", "2026-06", ("R1", "R9", "C12")), ("contact", "2026-06", ("C1", "C4", "C12")), ("month_end", "2026-06", ("F1", "F3")),
     ("month_end", "2026-05", ("R9", "F1", "F3", "C1"))],
)  # fmt: skip
def test_a_month_that_was_not_delivered_is_a_dash_with_its_reason_and_never_0(table: str, month: str, absent: tuple[str, ...]) -> None:
    whole = {"R1": 400, "R9": 1, "F1": 0, "F3": 1, "C1": 1, "C4": 1, "C12": 10}
    assert values_of(Review(book_lacking("payment"), parameters())) == whole
    review = Review(book_lacking(table, month), parameters())
    told = values_of(review)
    assert {kpi for kpi, value in told.items() if np.isnan(value)} == set(absent)
    assert {kpi: value for kpi, value in told.items() if kpi not in absent} == {kpi: whole[kpi] for kpi in whole if kpi not in absent}
    reason = f"the book has no rows in {table} ({month})"
    company = review.kpis[review.kpis["scope_type"] == "company"].set_index("kpi")
    assert set(company.loc[list(absent), "note"]) == {reason}
    assert f"{table} ({month})" in review.decision.caveats[0]
    # What can be counted adds up, and the page is whole.
    assert all(item.met for item in review.found)
    page = review.tables()
    assert len(page) == 11
    assert reason in page[0]
    assert len(review.figures()) == 3


@pytest.mark.parametrize("table", ["payment", "contact", "month_end"])
def test_a_month_before_that_was_not_delivered_is_no_change_from_0(table: str) -> None:
    months = ("2026-05",) if table != "month_end" else ("2026-04",)
    review = Review(book_lacking(table, *months), parameters())
    gone = {"payment": ("R1", "R9", "C12"), "contact": ("C1", "C4", "C12"), "month_end": ("R9", "F1", "F3", "C1")}[table]
    for column in ("previous", "change"):
        assert {kpi for kpi, value in values_of(review, column).items() if np.isnan(value)} == set(gone)
    assert f"{table} ({months[0]})" in " ".join(review.decision.caveats[:2])


def test_a_first_month_tells_its_cash_and_which_month_end_its_flow_lacks() -> None:
    tables = {
        "month_end": "account_key, month_end, bucket\n" + "\n".join(f"a{n}, 2026-06-30, 1" for n in range(20)),
        "payment": "account_key, amount_minor, value_date\n" + "\n".join(f"a{n}, 100000, 2026-06-10" for n in range(20)),
    }
    review = Review(book_of(tables, as_of=date(2026, 6, 30)), parameters())
    assert values_of(review)["R1"] == 2_000_000
    assert "2.00 million" in review.decision.answer
    flow = review.kpis[review.kpis["kpi"] == "F1"].iloc[0]
    assert flow["note"] == "the book has no rows in month_end (2026-05)"
    assert all(item.met for item in review.found)


def test_a_report_on_some_units_tells_those_and_the_whole_company(sample: Book, reviews: dict[str, Review]) -> None:
    review = Review(sample, parameters(units=["tele-1"], portfolios=["retail_cards"]), like=reviews["en"])
    told = review.told.groupby("scope_type")["scope_key"].unique().map(sorted).to_dict()
    assert told["unit"] == ["tele-1"]
    assert told["portfolio"] == ["retail_cards"]
    assert told["company"] == ["all"]
    assert all(item.met for item in review.found if item.consequence == "refuse")


def test_results_are_the_same_bytes_twice(sample: Book, reviews: dict[str, Review]) -> None:
    # Counted anew, and without the officers that the other was counted with.
    bodies = [json.dumps(review.record.as_json(), sort_keys=True) for review in (Review(sample, parameters()), reviews["en"])]
    assert bodies[0] == bodies[1]


def test_measures_start_with_the_companys_headline(reviews: dict[str, Review]) -> None:
    measures = reviews["en"].record.as_json()["measures"]
    assert [item["kpi"] for item in measures[:3]] == ["R1", "R14", "R9"]  # type: ignore[index]
    values = [item["value"] for item in measures]  # type: ignore[union-attr]
    assert not any(isinstance(value, float) and np.isnan(value) for value in values)
