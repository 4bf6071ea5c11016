"""Portfolio and flow as it is read: the sample's planted margins, both languages, identities, and what a broken book gets."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.methods.evidence import Condition
from collect_analysis.portfolio.figures import roll_matrix
from collect_analysis.portfolio.portfolio_flow import figures, page as words
from collect_analysis.portfolio.portfolio_flow.decision import flow_verdict
from collect_analysis.portfolio.portfolio_flow.page_decision import decision_of
from collect_analysis.portfolio.portfolio_flow.parameters import PortfolioFlow
from collect_analysis.portfolio.portfolio_flow.study import Review
from collect_analysis.report.conditions import worded
from collect_analysis.report.figures.style import svg
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import Decision, NoPeople, RunRecorder

from tests.small_book import book_of


def parameters(**changes: Any) -> PortfolioFlow:
    values = {"name": "r", "book": "sample", "as_of": "2026-06-30", "period_start": "2024-07-01", "period_end": "2026-06-30", "draws": 100}
    return validate(PortfolioFlow, {**values, **changes}, where="test")


class Page:
    """The steps of the notebook, one after the other; `shown` holds the text of every table."""

    def __init__(self, review: Review) -> None:
        params, book, self.review = review.params, review.book, review
        record = self.record = RunRecorder(params)
        record.conditions(worded(review.conditions, params.lang))
        judged = record.table("judged", review.judged(), people="denominator")
        matrix = record.table("matrix", review.matrix(), people="accounts")
        last = record.table("last_month", review.last_rates(), people="denominator")
        record.measures("flow_rate", last, by=["from", "rate"], unit="share", people="denominator")
        projection = record.table("projection", review.projection(), people=NoPeople("projected counts of whole buckets"))
        record.measures("projected", projection, by=["state", "step"], unit="count", people=1_000)
        errors, money = (
            record.table("backtest_errors", review.errors(), people=NoPeople("errors of projections")),
            record.table("money", review.money(), people=NoPeople("projected money of the whole book")),
        )
        record.measures("money", money, by=["state", "step"], unit="minor", people=1_000)
        fates, months = (
            record.table("fates", review.fates(), people="cases"),
            record.table("months_left", review.months_left(), people="cases"),
        )
        self.cures = record.table("cures", review.cures(), people="denominator")
        causes, groups = (
            record.table("provision_causes", review.causes(), people="count"),
            record.table("debt_groups", review.group_matrix(), people="cases"),
        )
        shown = (
            words.act_table(judged, params, book), words.rates_table(last, params), words.errors_table(errors, params),
            words.money_table(money, params, book), words.fates_table(fates, months, params),
            words.product_table(record.table("products", review.by_product(), people="denominator"), params, book),
            words.cures_table(self.cures, params, book), words.group_table(groups, params), words.bridge_table(causes, params, book),
            words.tests_table(review.order, review.steadiness, params), words.memory_table(review.memory(), params),
        )  # fmt: skip
        self.shown = [str(table._repr_mimebundle_()["text/plain"]) for table in shown]
        drawn = {"lang": params.lang, "top_bucket": params.top_bucket}
        self.figures = (
            roll_matrix(matrix, **drawn),
            figures.rates_over_months(review.bands, unlike=review.unlike, **drawn),
            figures.projection(projection, buckets=review.buckets, **drawn),
        )
        self.decision: Decision = decision_of(review, flow_verdict(judged), money=money, cures=self.cures, found=review.conditions)
        record.decide(self.decision)


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def pages(sample: Book) -> dict[str, Page]:
    pages = {}
    for lang in ("en", "vi"):
        review = Review(sample, parameters(lang=lang))
        if pages:
            # The numbers of a run do not depend on its language: what was computed is used again.
            review.__dict__.update({name: value for name, value in pages["en"].review.__dict__.items() if name != "params"})
        pages[lang] = Page(review)
    return pages


def test_the_planted_margins_of_the_sample_are_found(pages: dict[str, Page]) -> None:
    matrix = pages["en"].review.matrix()
    share = matrix[matrix["version"] == "count"].set_index(["from_bucket", "to"])["value"]
    # Generator: 75 to 90 % of bucket 1 are cured in a month; from bucket 4 on hardly anybody is.
    assert 0.75 <= share[1, "0"] <= 0.90
    assert share[4, "0"] < 0.03
    # The months that the lunar new year moves: cures of bucket 1 break in after the holiday of January 2025.
    bands = pages["en"].review.bands
    february = bands[(bands["from"] == "1") & (bands["rate"] == "cured") & (bands["month"] == date(2025, 2, 28))].iloc[0]
    assert february["unlike"]
    assert february["side"] in ("below", "low")
    assert [month for month, marked in pages["en"].review.tet.items() if marked] == [
        date(2025, 1, 31), date(2025, 2, 28), date(2026, 2, 28), date(2026, 3, 31),
    ]  # fmt: skip


def test_nobody_is_lost_in_the_matrix_nor_in_the_projection(pages: dict[str, Page]) -> None:
    review = pages["en"].review
    matrix = review.matrix()
    assert matrix.groupby(["version", "from_bucket"])["value"].sum().to_numpy() == pytest.approx(np.ones(16))
    told = review.projection()
    assert told.groupby("step")["value"].sum().to_numpy() == pytest.approx(np.full(7, review.flows.today()["count"].sum()))
    assert ((told["low"] <= told["value"]) & (told["value"] <= told["high"])).all()
    shares = review.fates()
    assert shares[shares["end"] != "current"].groupby("from")["value"].sum().to_numpy() == pytest.approx(np.ones(8))


def test_provision_adds_up_month_by_month(pages: dict[str, Page]) -> None:
    bridge = pages["en"].review.bridge
    months = bridge.groupby("month").agg(
        change=("amount_minor", "sum"), opening=("opening_minor", "first"), closing=("closing_minor", "first")
    )
    assert (months["closing"] - months["opening"]).to_numpy() == pytest.approx(months["change"].to_numpy(), abs=0.01)
    assert months["opening"].to_numpy()[1:] == pytest.approx(months["closing"].to_numpy()[:-1], abs=0.01)
    # What the projection starts from is what the bridge ends with.
    money = pages["en"].review.money()
    today = money[(money["state"] == "provision") & (money["step"] == 0)]["value"].iloc[0]
    assert today == pytest.approx(months["closing"].iloc[-1])


def test_a_page_is_told_in_both_languages_with_the_same_numbers(pages: dict[str, Page]) -> None:
    english, vietnamese = (pages[lang].record.as_json() for lang in ("en", "vi"))
    assert json.dumps(english["measures"]) == json.dumps(vietnamese["measures"])
    assert pages["en"].decision.forecast == pages["vi"].decision.forecast
    assert "rolled forward" in pages["en"].decision.answer
    assert "nhảy nhóm" in pages["vi"].decision.answer
    words_left = [text for text in pages["vi"].shown if any(word in text for word in (" bucket", "flow_", "accounts", "month "))]
    assert not words_left
    for lang in ("en", "vi"):
        assert all(len(svg(getattr(drawn, "figure", drawn))) > 2000 for drawn in pages[lang].figures)


def test_the_page_says_that_these_are_facts_and_what_speaks_against_them(pages: dict[str, Page]) -> None:
    page = pages["en"]
    assert page.decision.grade == "D"
    assert any("does not tell which" in caveat for caveat in page.decision.caveats)
    # The transferor takes current accounts back after some months: whoever has been current longer leaves more often.
    assert any("Previous cures and rolls matter" in caveat for caveat in page.decision.caveats)
    assert any("left the book within 3 months" in caveat for caveat in page.decision.caveats)
    checks = {check["name"]: check for check in page.record.as_json()["checks"]}  # type: ignore[union-attr, index]
    assert checks["flow_complete"]["passed"]
    assert not checks["flow_first_order"]["passed"]
    assert not checks["flow_first_order"]["blocking"]


def broken() -> Book:
    lines = ["account_key, month_end, bucket, balance_minor"]
    for account in range(40):
        for month, day in enumerate(("2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30")):
            if not (account < 10 and month == 2):
                lines.append(f"a{account:02d}, {day}, {1 + account % 3}, 100")
    return book_of({"month_end": "\n".join(lines)}, as_of=date(2026, 6, 30))


def test_a_book_that_loses_accounts_gets_no_answer_and_the_remedy() -> None:
    params = parameters(period_start="2026-04-01", top_bucket=3, project_months=2)
    page = Page(Review(broken(), params))
    assert page.decision.grade == "none"
    assert page.decision.answer.startswith("No answer. 10 of 110 open accounts")
    assert page.decision.action == page.decision.forecast == {}
    check = next(item for item in page.record.as_json()["checks"] if item["name"] == "flow_complete")  # type: ignore[union-attr, index]
    assert check["blocking"]
    # Ten accounts have no row at the end of May: lost once, of 40 + 40 + 30 pairs.
    assert "10 of 110 open accounts (9.1 %)" in check["detail"]
    assert "Load the missing month-end rows" in check["detail"]


def test_parameters_are_refused_with_the_fix() -> None:
    with pytest.raises(ParameterError, match="not of whole months; start on a first"):
        parameters(period_start="2026-04-02")
    with pytest.raises(ParameterError, match="after as_of 2026-06-30; move as_of"):
        parameters(period_end="2026-07-31")
    with pytest.raises(ParameterError, match="unknown parameter 'horizon'"):
        parameters(horizon=3)


def test_every_condition_has_its_words(pages: dict[str, Page]) -> None:
    details = {"what": ["payment"]} | {name: value for item in pages["en"].review.conditions for name, value in item.details.items()}
    names = {item.name for item in pages["en"].review.conditions}
    for lang in ("en", "vi"):
        for name in names:
            for met in (True, False):
                (found,) = worded([Condition(name=name, met=met, details=details)], lang)
                assert found.detail
        for name in ("flow_first_order_testable", "flow_stationary_testable", "flow_backtested"):
            (found,) = worded([Condition(name=name, met=False)], lang)
            assert found.remedy
