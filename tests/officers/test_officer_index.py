"""Officers against colleagues: planted truth of the sample shop, hand calculations, calibrated intervals, what is counted for gates."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.policy import in_force
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.kpi_table import Facts, kpi_table
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.methods.profiling.reliability import intraclass
from collect_analysis.officers import officer_gates, officer_index
from collect_analysis.officers.officer_index import ALONE, FULL, MONEY, NOTHING_EXPECTED, OFFICER_KEYS, PAYERS, UNIT_KEYS
from collect_analysis.officers.pooling import Pooling
from scipy import stats

from tests.bench.calibration_scorecard import run

POOLING = Pooling(last_month=date(2026, 6, 1))
FACTORS = ("bucket", "score_band", "balance_band", "product")
WINDOWS = KpiWindows()


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def months(sample: Book) -> pd.DataFrame:
    return officer_index.monthly(sample, POOLING, factors=FACTORS, reference_months=12, cap_quantile=0.995)


@pytest.fixture(scope="module")
def skill(sample_book: Path) -> dict[str, float]:
    return json.loads((sample_book / "sample" / "truth.json").read_text())["officers"]["skill"]


def test_the_planted_skill_is_ranked_better_than_by_the_raw_rate(months: pd.DataFrame, skill: dict[str, float]) -> None:
    table = officer_index.shrunken(officer_index.pooled(months, POOLING.pooled, by=OFFICER_KEYS), index=MONEY, level=0.95)
    # Soft collectors have no skill planted: all are 1.
    truth = table["officer_key"].map(skill).fillna(1.0)
    raw = table["cash_minor"] / table["opening_minor"]
    by_index, by_rate = stats.spearmanr(table["value"], truth).statistic, stats.spearmanr(raw, truth).statistic
    assert by_index > 0.6
    # Thirty-two officers: at 200,000 accounts and 300 officers the gain is 0.2.
    assert by_index - by_rate > 0.1


def test_the_planted_reliability_lies_in_the_interval_found(months: pd.DataFrame) -> None:
    found = officer_index.reliability_table(months, pd.DataFrame(), POOLING, wanted=0.5, least_cases=10).set_index(["kpi", "sub_function"])
    tele, soft = found.loc[("index_money", "tele")], found.loc[("index_money", "soft")]
    assert tele["low"] <= 0.45 <= tele["high"]
    assert tele["reliable"]
    assert not soft["reliable"]
    assert tele["pooled"] == pytest.approx(3 * tele["value"] / (1 + 2 * tele["value"]))
    assert found.loc[("index_payers", "tele"), "value"] > tele["value"]


def test_one_month_is_the_intraclass_correlation_and_halves_are_those_of_numpy(months: pd.DataFrame) -> None:
    found = officer_index.reliability_table(months, pd.DataFrame(), POOLING, wanted=0.5, least_cases=10).set_index(["kpi", "sub_function"])
    tele = months[(months["sub_function"] == "tele") & (months["accounts"] >= 10)]
    sums = tele.groupby(["officer_key", "month"])[["capped_minor", "expected_minor"]].sum().reset_index()
    wide = sums.assign(ratio=sums["capped_minor"] / sums["expected_minor"]).pivot_table(
        index="officer_key", columns="month", values="ratio"
    )
    assert found.loc[("index_money", "tele"), "value"] == pytest.approx(intraclass(wide).value)
    odd = tele["month"].isin(sorted(tele["month"].unique())[::2])
    halves = [part.groupby("officer_key")[["capped_minor", "expected_minor"]].sum() for part in (tele[odd], tele[~odd])]
    r = np.corrcoef(*(half["capped_minor"] / half["expected_minor"] for half in halves))[0, 1]
    # Six months each: to three months by half as many.
    assert found.loc[("index_money", "tele"), "split_half"] == pytest.approx(0.5 * r / (1 - 0.5 * r))


def test_money_adds_up_to_the_collected_amount_of_the_dictionary(sample: Book, months: pd.DataFrame) -> None:
    june = Period(date(2026, 6, 1), date(2026, 6, 30))
    units = officer_index.pooled(months, june, by=UNIT_KEYS).set_index("unit_key")
    kpis = kpi_table(Facts(sample, june), grains=("company", "unit"), ids=("R1",)).set_index(["scope_type", "scope_key"])["value"]
    for unit, row in units.iterrows():
        assert kpis["unit", unit] == row["cash_minor"]
    apart = officer_gates.cash_apart(sample, june, int(units["cash_minor"].sum()))
    assert apart == kpis["company", "all"] - units["cash_minor"].sum()


def test_units_and_officers_are_one_on_average_among_colleagues(months: pd.DataFrame) -> None:
    for by, index in ((OFFICER_KEYS, MONEY), (OFFICER_KEYS, PAYERS), (UNIT_KEYS, FULL)):
        got, hoped, _ = officer_index.INDICES[index]
        sums = officer_index.pooled(months, POOLING.pooled, by=by).groupby("sub_function")[[got, hoped]].sum()
        whole = sums.loc[["soft", "tele"]]
        assert (whole[got] / whole[hoped]).tolist() == pytest.approx([1, 1], abs=0.02 if by == OFFICER_KEYS else 1e-9)


def test_the_interval_holds_the_true_index_and_few_are_banded_wrongly() -> None:
    found = run(8, seed=2).set_index("case")["rate"]
    assert 0.93 <= found["interval holds the true index"] <= 0.97
    assert found["banded on the wrong side"] < 0.025
    assert found["banded where nobody differs"] < 0.05
    assert found["rank correlation with the truth, shrunken less raw rate"] > 0.1


def test_an_index_is_pulled_to_one_by_hand() -> None:
    """Four officers, 100 expected with variance 100: counts. O/E 0.8 1.0 1.2 1.4 -> mean 1.1; spread v = (sum 100·(x-1.1)² - 4·1.1)/400 = 0.039;
    posterior mean (O + 1.1²/v) / (100 + 1.1/v)."""
    table = pd.DataFrame({"sub_function": "tele", "capped_minor": [80.0, 100, 120, 140], "expected_minor": 100.0, "variance_minor": 100.0})
    found = officer_index.shrunken(table, index=MONEY, level=0.95)
    v = (100 * (0.09 + 0.01 + 0.01 + 0.09) - 4.4) / 400
    assert found["value"].tolist() == pytest.approx([(o + 1.21 / v) / (100 + 1.1 / v) for o in (80, 100, 120, 140)])
    assert found["raw"].tolist() == [0.8, 1, 1.2, 1.4]
    assert found["se"].tolist() == [0.1] * 4


def test_nobody_is_compared_with_himself_or_on_nothing() -> None:
    table = pd.DataFrame(
        {"sub_function": ["legal", "tele", "tele", "tele"], "capped_minor": [5.0, 90, 110, 0], "expected_minor": [5.0, 100, 100, 0],
         "variance_minor": [1.0, 50, 50, 0], "cash_minor": [5.0, 90, 110, 0], "expected_cash_minor": [5.0, 100, 100, 0],
         "variance_cash_minor": [1.0, 50, 50, 0]}
    )  # fmt: skip
    for found in (officer_index.shrunken(table, index=MONEY, level=0.95), officer_index.believed_units(table, level=0.95, prior_sd=0.2)):
        assert found["note"].tolist() == [ALONE, "", "", NOTHING_EXPECTED]
        assert found["value"].isna().tolist() == [True, False, False, True]


def test_joiners_are_expected_what_joiners_got() -> None:
    """Two bands by hand: 5 officers under 3 months got 60 of 100, six of 40 months 660 of 600; one of 8 months is too few to say anything."""
    rows = [(f"j{i}", 1, 12.0, 20.0) for i in range(5)] + [(f"s{i}", 40, 110.0, 100.0) for i in range(6)] + [("m", 8, 50.0, 50.0)]
    table = pd.DataFrame(rows, columns=["officer_key", "tenure_months", "capped_minor", "expected_minor"]).assign(variance_minor=4.0)
    curve = officer_index.tenure_curve(table, least_officers=5)
    assert curve["tenure_from"].tolist() == [0, 6, 36]
    assert curve["value"].iloc[[0, 2]].tolist() == pytest.approx([0.6, 1.1])
    assert curve["note"].tolist() == ["", "fewer than 5 officers", ""]
    expected = officer_index.tenure_expected(pd.Series([2.0, 7.0, 90.0, np.nan]), curve)
    assert expected.tolist() == pytest.approx([0.6, np.nan, 1.1, np.nan], nan_ok=True)


def test_gates_count_what_pandas_counts(sample: Book) -> None:
    period = POOLING.pooled
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=period.start, end=period.end)]
    found = officer_gates.gate_counts(sample, period, by="officer_key", windows=WINDOWS, limits=limits).set_index(["gate", "scope_key"])
    qa = sample.frame(sample.table("qa"))
    inside = qa[pd.to_datetime(qa["assessed_on"]).between(pd.Timestamp(period.start), pd.Timestamp(period.end)) & qa["officer_key"].notna()]
    sums = inside.groupby("officer_key")["critical_fail"].agg(["sum", "size"])
    own = found.loc["critical_qa"]
    assert own["numerator"].to_dict() == sums["sum"].to_dict()
    assert own["denominator"].to_dict() == sums["size"].to_dict()
    kept = kpi_table(Facts(sample, period), grains=("company", "officer"), ids=("C8",)).set_index(["scope_type", "scope_key"])
    for officer, row in found.loc["kept_promises"].iterrows():
        assert (row["numerator"], row["denominator"]) == tuple(kept.loc[("officer", officer), ["numerator", "denominator"]])


def test_targets_count_only_where_every_month_has_one(sample: Book) -> None:
    target = sample.frame(sample.table("target"))
    found = officer_index.pooled_targets(sample, POOLING.pooled, grain="unit").set_index("scope_key")["target_minor"]
    inside = target[
        (target["kpi"] == "R1") & (target["scope_type"] == "unit") & (pd.to_datetime(target["period_start"]) >= pd.Timestamp(2026, 4, 1))
    ]
    assert found.to_dict() == inside.groupby("scope_key")["value"].sum().to_dict()
    late = Period(date(2026, 5, 1), date(2026, 7, 31))
    assert officer_index.pooled_targets(sample, late, grain="unit").empty
