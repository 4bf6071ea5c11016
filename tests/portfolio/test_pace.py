"""A month's pace as it is read: both languages, the recorded numbers, refusals that say what would mend them."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.portfolio.pace import figures, page as findings, page_decision
from collect_analysis.portfolio.pace.parameters import Pace
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import RunRecorder
from collect_analysis.report.tables import Absent

from tests.small_book import book_of

DAY = date(2026, 5, 18)


def parameters(**changes: Any) -> Pace:
    return validate(Pace, {"name": "r", "book": "b", "as_of": DAY.isoformat(), **changes}, where="test")


class Page:
    """The steps of the notebook, one after the other."""

    def __init__(self, book: Book, params: Pace, landed: findings.Landing | None = None) -> None:
        self.params, self.record = params, RunRecorder(params)
        self.landed = landed = landed or findings.land(book, params)
        self.checks = findings.checks(landed)
        self.record.conditions(self.checks)
        self.decision = page_decision.decision_of(landed)
        self.record.decide(self.decision)
        self.tables = {
            name: self.record.table(name, made(landed), people=1_000)
            for name, made in {
                "curve": findings.curve_table, "sources": findings.sources_table, "scopes": findings.scope_table, "bridge": findings.bridge_table,
                "errors": findings.error_curve, "tested": findings.tested_table, "stages": findings.stage_table,
                "unusual": findings.unusual_table, "ahead": findings.ahead_table,
            }.items()
        }  # fmt: skip
        for key in ("unit_key", "bucket", "product_code"):
            self.tables[key] = self.record.table(key, findings.bridge_by(landed, key), people=1_000)
        self.record.measures("landing", findings.forecast_measures(landed), by=["measure", "scope_type", "scope_key"], people=1_000)
        self.record.measures("bridge", findings.bridge_measures(self.tables["bridge"]), by=["pace_step"], unit="minor", people=1_000)
        self.record.measures(
            "test", findings.error_measures(self.tables["stages"]), by=["measure", "pace_stage"], unit="share", people=1_000
        )

    def shown(self) -> list[Any]:
        landed, tables = self.landed, self.tables
        return [
            findings.shown(tables["sources"], landed, ["pace_source", "value_minor", "low_minor", "high_minor"]),
            findings.told(tables["scopes"], landed, "sub_function"),
            findings.told(tables["scopes"], landed, "unit"),
            *(findings.bridge_shown(tables[key], landed, key) for key in ("unit_key", "bucket", "product_code")),
            findings.shown(tables["stages"], landed, ["pace_stage", "months", "mape"], percent=["mape"]),
            findings.shown(tables["unusual"], landed, ["date", "pace_cause", "collected_minor"]),
            findings.shown(tables["ahead"], landed, ["date", "day_kind", "expected_minor"]),
        ]

    def figures(self) -> list[Any]:
        lang, currency = self.params.lang, self.landed.book.currency
        return [
            figures.landing(self.tables["curve"], lang=lang, currency=currency),
            figures.scopes(findings.landing_points(self.tables["scopes"], self.landed), lang=lang),
            figures.waterfall(self.tables["bridge"], lang=lang, currency=currency),
            figures.errors(self.tables["errors"], lang=lang),
        ]


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=DAY, folder=sample_book)


@pytest.fixture(scope="module")
def pages(sample: Book) -> dict[str, Page]:
    english, params = Page(sample, parameters()), parameters(lang="vi")
    return {"en": english, "vi": Page(sample, params, replace(english.landed, params=params))}


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_speaks_its_language_and_says_every_part(pages: dict[str, Page], lang: str) -> None:
    page = pages[lang]
    shown = page.shown()
    assert not any(isinstance(table, Absent) for table in shown)
    said = [
        page.decision.question,
        page.decision.answer,
        page.decision.confidence,
        *page.decision.caveats,
        *(item.detail for item in page.checks),
    ]
    text = "\n".join([*said, *(table.as_text() for table in shown)])
    assert not any(mark in text for mark in ("{", "}", "nan", "None", "pace_", "condition_"))
    own, other = {"en": ("Large tickets", "Khoản lớn"), "vi": ("Khoản lớn", "Large tickets")}[lang]
    assert own in text
    assert other not in text
    assert all(axes.get_xlabel() for axes in page.figures())


def test_the_answer_and_the_ledger_hold_the_recorded_forecast(pages: dict[str, Page]) -> None:
    page = pages["en"]
    made = page.landed.made
    assert made is not None
    assert f"{made.value / 1e9:.2f} (80 % interval" in page.decision.answer
    forecast = page.decision.forecast
    assert (forecast["value"], forecast["check_on"], forecast["interval_share"]) == (round(made.value), date(2026, 5, 31), 0.8)
    assert forecast["low"] < forecast["value"] < forecast["high"]  # type: ignore[operator]
    measures = page.record.as_json()["measures"]
    assert measures[0]["by"] == {"measure": "month_end_forecast", "scope_key": "all", "scope_type": "company"}  # type: ignore[index]


def test_steps_of_the_bridge_end_at_the_cash_so_far(pages: dict[str, Page]) -> None:
    steps = pages["en"].tables["bridge"]
    assert int(steps["amount_minor"].iloc[:-1].sum()) == int(steps["amount_minor"].iloc[-1]) == pages["en"].landed.known.paid_minor
    units = pages["en"].tables["unit_key"]
    assert int(units["gap_minor"].sum()) == int(steps["amount_minor"].iloc[1:-1].sum())


def test_the_forecast_beats_dividing_by_working_days_on_the_sample_shop(pages: dict[str, Page]) -> None:
    row = pages["en"].tables["stages"].set_index("pace_stage").loc["all"]
    assert row["mape"] < 0.5 * row["naive_mape"]
    assert row["mape"] < row["prior_mape"]
    assert 0.6 < row["covered80"] < 0.97
    assert row["covered95"] > 0.88


def test_a_month_with_tet_is_told_to_rest_on_one_tet_and_is_wider(sample_book: Path, pages: dict[str, Page]) -> None:
    tet = Page(open_book("sample", as_of=date(2026, 2, 12), folder=sample_book), parameters(as_of="2026-02-12"))
    assert "has seen 1 of them" in " ".join(tet.decision.caveats)
    widths = [page.landed.made.interval(0.8)[1] / page.landed.made.value for page in (tet, pages["en"])]  # type: ignore[union-attr]
    assert widths[0] > widths[1]


def test_results_are_the_same_bytes_twice(sample: Book, pages: dict[str, Page]) -> None:
    again = Page(sample, parameters(lang="en"))
    assert json.dumps(again.record.as_json(), sort_keys=True) == json.dumps(pages["en"].record.as_json(), sort_keys=True)


def payments(first: str, months: int) -> str:
    days = pd.date_range(first, periods=months * 31, freq="D")
    return "account_key, amount_minor, value_date\n" + "\n".join(f"a, {1000 + day.day}, {day.date()}" for day in days if day.date() <= DAY)


def test_few_months_are_refused_with_the_number_that_would_do() -> None:
    page = Page(book_of({"payment": payments("2026-02-01", 4)}, as_of=DAY), parameters())
    assert page.decision.grade == "none"
    assert "Only 3 whole months with cash lie before this one; 6 are needed" in page.decision.answer
    assert "Load the payments of 6 whole months" in page.decision.answer
    assert all(isinstance(table, Absent) for table in page.shown())
    assert page.record.as_json()["measures"] == []
    assert len(page.figures()) == 4


def test_a_partial_first_month_is_no_month_to_learn_from() -> None:
    page = Page(book_of({"payment": payments("2025-10-15", 8)}, as_of=DAY), parameters())
    assert page.landed.known.months.names[0] == date(2025, 11, 1)


def test_a_book_without_payments_says_so() -> None:
    page = Page(book_of({"account": "account_key\na"}, as_of=DAY), parameters())
    assert "the book has no rows in payment" in page.decision.answer


def test_a_tet_month_without_any_tet_before_is_refused() -> None:
    days = pd.date_range("2025-04-01", "2026-02-28")
    rows = "\n".join(
        f"{day.date()}, {'true' if day.day_of_week < 5 else 'false'}, {(day - pd.Timestamp('2026-02-17')).days}" for day in days
    )
    tables = {"payment": payments("2025-04-01", 14), "calendar": f"date, working_day, tet_offset\n{rows}"}
    page = Page(book_of(tables, as_of=date(2026, 2, 10)), parameters(as_of="2026-02-10"))
    assert "no earlier Tet is in the book" in page.decision.answer


def test_without_plan_and_month_ends_the_forecast_stands_and_the_bridge_says_what_is_missing() -> None:
    page = Page(book_of({"payment": payments("2025-06-01", 12)}, as_of=DAY), parameters())
    assert "No plan was approved" in page.decision.answer
    assert page.decision.action["pace_action"] == "Nothing"
    assert "the book has no rows in account, month_end" in page.tables["bridge"]["note"].iloc[0]
    assert page.decision.forecast["chance_share"] is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"levle": 0.8}, "did you mean 'level'"),
        ({"level": 1.0}, "level is 1.0"),
        ({"order": "random"}, "order is 'random'"),
        ({"history_months": 3}, "is 3"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)
