"""Money stands in figures and tables in units of its currency (dollars, not cents), by one mechanism."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.parameters import validate
from collect_analysis.runs import figures as history_figures, page
from collect_analysis.strategies.drivers import figures as drivers
from collect_analysis.strategies.quasi_experiment import figures as quasi, page as quasi_experiment, page_cut_off, page_overlap
from collect_analysis.strategies.quasi_experiment.parameters import QuasiExperiment
from collect_analysis.strategies.rule_value import figures as rule_value
from collect_analysis.strategies.strategy_review import figures as strategy, figures_segments
from collect_analysis.strategies.test_monitor import figures as test_monitor
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from tests.conftest import PROJECT

LIBRARY = PROJECT / "lib" / "collect_analysis"
FIGURES = LIBRARY / "report" / "figures"
# 100 to 400 dollars and a band of 50, in cents.
CENTS = pd.DataFrame({"value": [10_000.0, 20_000.0, 40_000.0]}).assign(low=lambda t: t["value"] - 5_000, high=lambda t: t["value"] + 5_000)
OF_UNIT: dict[str, Any] = {"unit": "minor", "currency": "USD"}


def looks() -> pd.DataFrame:
    days = [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
    table = CENTS.assign(look_day=days, arm="b", base_mean=30_000.0, crossed="", used=True)
    return table.assign(naive_low=table["low"], naive_high=table["high"])


def drawn(name: str, lang: str) -> Axis:
    """The axis of figure `name` on which the money of CENTS stands."""
    rows = CENTS.assign(label=["a", "b", "c"])
    choices = rows.assign(check="bandwidth", at=["1", "2", "3"])
    answer = CENTS.head(1).assign(comparison="answer")
    made: dict[str, tuple[Any, str]] = {
        "choices": (lambda: quasi.choices_plot(choices, answer, lang=lang, **OF_UNIT), "x"),
        "event_study": (lambda: quasi.event_study_plot(rows.assign(at=[-1, 0, 1]), lang=lang, period="month", **OF_UNIT), "y"),
        "cut_off": (lambda: _cut_off(rows, lang), "y"),
        "cut_off_running": (lambda: _cut_off(rows, lang), "x"),
        "segments": (
            lambda: figures_segments.forest(
                rows.assign(segment="s", level=rows["label"], arm="b", scale="absolute", unit="minor", shrunk=rows["value"],
                            shrunk_low=rows["low"], shrunk_high=rows["high"]),
                CENTS.head(1), currency="USD", lang=lang,
            ),
            "x",
        ),
        "rules": (
            lambda: rule_value.values_beside_the_log(
                rows.assign(estimator=["logged", "doubly_robust", "doubly_robust"], rule=rows["label"], unit="minor"),
                names={"a": "a", "b": "b", "c": "c"}, proposed=["b"], outcome="Cash", lang=lang, currency="USD",
            ),
            "x",
        ),
        "looks": (lambda: test_monitor.effect_at_looks(looks(), lang=lang, margin_relative=0.1, **OF_UNIT), "y"),
        "agreement": (
            lambda: drivers.agreement(
                rows.assign(predicted=rows["value"]), lang=lang, xlabel="axis_expected", ylabel="axis_expected", **OF_UNIT
            ),
            "y",
        ),
        "qini": (lambda: drivers.qini(rows.assign(treated=[0.2, 0.6, 1.0], random=rows["value"]), lang=lang, **OF_UNIT), "y"),
        "history": (
            lambda: history_figures.over_slots(rows.assign(slot=rows["label"], series="", unit="minor"), lang=lang, currency="USD"), "y",
        ),
        "recovery": (lambda: strategy.cumulative_recovery(rows.assign(arm="b", day=[1, 2, 3]), lang=lang, currency="USD"), "y"),
    }  # fmt: skip
    draw, side = made[name]
    axes: Axes = draw()
    return axes.xaxis if side == "x" else axes.yaxis


def _cut_off(rows: pd.DataFrame, lang: str) -> Axes:
    points = rows.assign(series="cases", side="below", running=rows["value"])
    return quasi.cut_off_plot(points, cutoff=15_000, running_unit="minor", lang=lang, xlabel="Balance", ylabel="Cash", **OF_UNIT)


def written(axis: Axis) -> list[float]:
    """The numbers at the ticks, as a reader reads them."""
    axis.get_figure().canvas.draw()  # type: ignore[union-attr]
    ticks = [label.get_text().replace("−", "-") for label in axis.get_ticklabels()]
    return [float(tick.replace(",", "")) for tick in ticks if tick]


@pytest.mark.parametrize(
    "name",
    ["choices", "event_study", "cut_off", "cut_off_running", "segments", "rules", "looks", "agreement", "qini", "history", "recovery"],
)
def test_cents_are_drawn_as_dollars(name: str) -> None:
    axis = drawn(name, "en")
    at = [tick / 100 for tick in axis.get_majorticklocs()]
    assert written(axis) == pytest.approx(at)
    assert 100 < max(written(axis)) < 1_000
    assert "USD" in axis.get_label_text()
    assert "USD" in drawn(name, "vi").get_label_text()


def test_millions_of_a_currency_without_cents_are_named() -> None:
    axes = style.new_axes()
    axes.plot([0, 1], [0, 5e6])
    style.outcome_axis(axes.yaxis, "minor", "Cash", currency="VND", lang="vi")
    assert axes.get_ylabel() == f"Cash ({texts.say('million', 'vi')} VND)"
    assert max(written(axes.yaxis)) < 10


def test_no_figure_chooses_how_a_unit_is_written() -> None:
    """Whoever asks "a share, else a plain number" forgets money: `style.outcome_axis` alone asks."""
    asks, money = re.compile(r"_axis if unit|percent=(?:\w+\.)?unit"), 'unit == "minor"'
    read = {path: path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py") if path.name != "style.py"}
    draws = {path for path in read if path.parent == FIGURES or path.stem.startswith("figures")}
    assert len(draws) > 20
    assert not [path for path, text in read.items() if asks.search(text) or (path in draws and money in text)]
    assert money in (FIGURES / "style.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def dollars(sample_book: Path) -> Book:
    """The sample shop, were its amounts cents of dollars."""
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    book._manifest = replace(book.manifest, currency="USD")
    return book


@pytest.mark.parametrize("outcome", ["cash_per_account", "payer_rate"])
def test_a_cut_off_in_money_is_shown_in_money(dollars: Book, outcome: str) -> None:
    params = validate(
        QuasiExperiment,
        {
            "name": "q", "book": "b", "as_of": "2026-06-30", "design": "cut_off", "ruleset_id": "visits-sample", "outcome": outcome,
            "treated_arm": "field_visit", "control_arm": "no_visit", "cutoff": 20e6, "covariates": ["paid_before", "entry_balance", "bucket"],
            "strata": ["card"],
        },
        where="test",
    )  # fmt: skip
    found = quasi_experiment.study(dollars, params)
    choices = page_cut_off.choices_figure(found, params)
    effect = page_cut_off.effect_figure(found, params)
    assert "USD" in effect.get_xlabel()
    assert ("USD" in effect.get_ylabel()) == ("USD" in choices.get_xlabel()) == (outcome == "cash_per_account")
    units = found.choices.set_index("at")["unit"]
    assert units[texts.value("covariate", "entry_balance", "en")] == "minor"
    assert units[texts.value("covariate", "bucket", "en")] == "count"
    table = quasi_experiment.show(found.choices, "choices", found, params, currency="USD").as_text()
    (row,) = [line for line in table.splitlines() if texts.value("covariate", "entry_balance", "en") in line]
    jump = found.choices.set_index("at")["value"][texts.value("covariate", "entry_balance", "en")]
    assert np.isfinite(jump)
    assert f"{abs(jump) / 100:,.2f}" in row


@pytest.mark.parametrize(("running", "read"), [("balance", "USD 15,000.00"), ("score", "1,500,000")])
def test_the_parameters_of_a_cut_off_in_money_are_money(running: str, read: str) -> None:
    asked = {"ruleset_id": "r", "running": running, "cutoff": 1_500_000, "donut_radii": [1_000, 2_500]}
    writer = page._Writer("en", "USD", "quasi_experiment", money=QuasiExperiment.money_among(asked))
    entries = dict(writer.items(asked))
    assert entries[texts.label("cutoff", "en")] == read
    assert (entries[texts.label("donut_radii", "en")] == "USD 10.00, USD 25.00") == (running == "balance")


def test_a_comparison_at_equal_balance_tells_the_balance_in_money(dollars: Book) -> None:
    params = validate(
        QuasiExperiment,
        {
            "name": "q", "book": "b", "as_of": "2026-06-30", "design": "overlap", "decision_kind": "segment", "outcome": "cash_per_account",
            "ruleset_id": "visits-sample", "treated_arm": "field_visit", "control_arm": "no_visit", "covariates": ["balance", "bucket"],
        },
        where="test",
    )  # fmt: skip
    found = quasi_experiment.study(dollars, params)
    units = found.parts.set_index("covariate")["unit"]
    assert units[texts.value("covariate", "balance", "en")] == "minor"
    assert units[texts.value("covariate", "bucket", "en")] == "count"
    assert "USD" in quasi_experiment.show(found.parts, "parts", found, params, currency="USD").as_text()
    assert page_overlap.choices_figure(found, params).get_xlabel().endswith("(USD)") or found.choices["value"].isna().all()
