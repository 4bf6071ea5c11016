"""KPIs of officers by month: halves that add up, the planted reliability, and signs of gaming that are there when played."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.measures.expected import observed_expected
from collect_analysis.measures.kpi_table import Facts, kpi_table
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.officers.kpi_validation import measures as officer_months, measures_worth


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


def test_halves_add_up_to_the_kpi_table(sample: Book) -> None:
    kpis = officer_months.candidates(["R9", "C4", "C8"])
    months = officer_months.officer_months(sample, date(2026, 5, 1), date(2026, 5, 31), kpis=kpis, windows=KpiWindows())
    facts = Facts(sample, Period(date(2026, 5, 1), date(2026, 5, 31)))
    whole = kpi_table(facts, grains=("officer",), ids=["R9", "C4", "C8"])
    whole = whole[whole["scope_key"] != "unassigned"].set_index(["kpi", "scope_key"])[["numerator", "denominator"]].astype(float)
    facts.close()
    added = months.groupby(["kpi", "officer_key"])[["numerator", "denominator"]].sum().astype(float)
    added.index.names = whole.index.names
    pd.testing.assert_frame_equal(added.sort_index(), whole.sort_index())
    halves = months.groupby("half")["denominator"].sum()
    assert 0.8 < halves[0] / halves[1] < 1.25
    panel = officer_months.panel(months, kpis, least_cases=1)
    assert panel["value"].between(0, 1).all()


def test_the_planted_reliability_of_an_officers_month_is_found(sample: Book, sample_book: Path) -> None:
    truth = json.loads((sample_book / "sample" / "truth.json").read_text())["officers"]
    first, last = date(2025, 10, 1), date(2026, 6, 1)
    outcome = measures_worth.outcomes(observed_expected(sample, first, last))
    teams = officer_months.teams(sample, first, last)
    tele = teams[teams["sub_function"] == "tele"]
    columns = ["kpi", "month", "officer_key", "unit_key", "sub_function", "cases", "value", "first", "second"]
    panel = measures_worth.with_index(pd.DataFrame(columns=columns), outcome, tele, least_cases=1)
    found = measures_worth.reliability_table(panel, pool_months=3).iloc[0]
    assert found["low"] < truth["measured_reliability"] < found["high"]
    # Who is skilled stays so: the index of a month tells that of the next.
    ahead = measures_worth.prediction_table(panel, outcome, {"R5": "higher"}, draws=100, seed=1).iloc[0]
    assert ahead["low"] > 0
    control = measures_worth.control_table(panel, outcome, draws=50, seed=1).set_index("source")
    assert control.loc["person", "share"] > 0.1


def played(*, stuffed: bool) -> pd.DataFrame:
    """Forty officers, four months, 200 reached a month; officer 0 doubles promises of which half as many are kept, if `stuffed`."""
    rng = np.random.default_rng(4)
    rows = []
    for officer in range(40):
        for month in range(1, 5):
            plays = stuffed and officer == 0 and month > 2
            promised = rng.binomial(200, 0.6 if plays else 0.3)
            kept = rng.binomial(promised, 0.25 if plays else 0.5)
            for kpi, top, bottom in (("C7", promised, 200), ("C8", kept, promised)):
                rows.append((date(2026, month, 1), f"o{officer}", "u", "tele", kpi, 0, top, bottom, bottom))
    return pd.DataFrame(rows, columns=list(officer_months.COLUMNS))


def test_only_who_stuffs_promises_is_found() -> None:
    table = measures_worth.stuffing_table(played(stuffed=True))
    assert table.loc[table["beyond"], "officer_key"].tolist() == ["o0"]
    assert not measures_worth.stuffing_table(played(stuffed=False))["beyond"].any()
    assert measures_worth.stuffing_table(played(stuffed=True).query("kpi == 'C7'")).empty


def test_month_edges_count_what_crowds_there() -> None:
    days = [date(2026, 5, day) for day in (29, 30, 31, 31, 10)]
    waivers = pd.DataFrame(
        {"arrangement_key": range(5), "account_key": "a", "type": "waiver", "from_date": days, "covered_minor": 1, "status": "active"}
    )
    paid = [date(2026, 5, 1), date(2026, 5, 30), date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3), date(2026, 6, 30)]
    payments = pd.DataFrame(
        {"payment_key": range(6), "account_key": "a", "amount_minor": 1, "currency": "VND", "value_date": paid, "eligible": True}
    )
    as_text = {"arrangement": waivers.astype({"arrangement_key": str}), "payment": payments.astype({"payment_key": str})}
    book = book_from_frames(as_text, as_of=date(2026, 6, 30))
    edges = officer_months.month_edges(book, date(2026, 5, 1), date(2026, 6, 30)).set_index("what")
    assert edges.loc["waiver", ["observed", "trials"]].tolist() == [4, 5]
    assert edges.loc["waiver", "chance"] == pytest.approx(6 / 61)
    # Around the one turn inside: one payment before, three after.
    assert edges.loc["payment", ["observed", "trials"]].tolist() == [3, 4]


def test_overlapping_kpis_leave_the_better_one() -> None:
    overlaps = pd.DataFrame({"kpi": ["A", "B"], "other": ["B", "C"], "value": [0.95, 0.93], "officers": [30, 30]})
    # C is like B, and B goes because of A: nothing better is left that says what C says.
    assert measures_worth.kept_apart(overlaps, ["A", "B", "C"]) == {"B": "A"}


def test_a_kpi_that_is_no_ratio_of_an_officer_is_no_candidate() -> None:
    assert {"R9", "C4"} <= {kpi.id for kpi in officer_months.candidates()}
    assert officer_months.candidates(["Q6"]) == []
    with pytest.raises(ParameterError, match="unknown KPI XX"):
        officer_months.candidates(["XX"])
