"""What a month of moves asks of whom: which rates stand out, in which order, and what the projection rests on."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.evidence import grade
from collect_analysis.methods.forecast.control_band import control_bands
from collect_analysis.methods.forecast.markov_tests import departures, order_test, stationarity_test
from collect_analysis.portfolio.portfolio_flow import decision

MONTHS = list(range(1, 13))


def counts(last: dict[tuple[str, str], int], *, accounts: int = 5000, missing: int = 0) -> pd.DataFrame:
    """Twelve months of two products, 100 of money an account: 20 % of bucket 1 roll and 70 % are cured; `last` says how many rolled last."""
    rows = []
    for product in ("card", "loan"):
        for month in MONTHS:
            rolled = last.get((product, "1"), accounts // 5) if month == MONTHS[-1] else accounts // 5
            cured = accounts * 7 // 10
            rows += [(product, month, "1", "2", "rolled", rolled), (product, month, "1", "0", "cured", cured)]
            rows.append((product, month, "1", "1", "stayed", accounts - rolled - cured))
            rows += [(product, month, "2", "2", "stayed", accounts)]
            if missing and month == 1:
                rows.append((product, month, "2", "missing", "missing", missing))
    table = pd.DataFrame(rows, columns=["product_code", "month", "from", "to", "state", "count"])
    return table.assign(open_minor=table["count"] * 100)


def judged(table: pd.DataFrame, *, unlike: tuple[int, ...] = (), few: int = 100) -> pd.DataFrame:
    series = decision.flow_series(table, top_bucket=2, unlike=unlike)
    return decision.judged(control_bands(series, by=decision.SERIES_KEYS), last_month=MONTHS[-1], few=few)


def test_the_rates_of_a_bucket_count_every_account_once() -> None:
    series = decision.flow_series(counts({}, missing=40), top_bucket=2, unlike=[1])
    assert set(series[["from", "rate"]].itertuples(index=False, name=None)) == {("1", "rolled"), ("1", "cured"), ("2", "cured")}
    first = series[(series["month"] == 1) & (series["product_code"] == "card")].set_index(["from", "rate"])
    assert first.loc[("1", "rolled"), ["numerator", "denominator", "open_minor"]].tolist() == [1000, 5000, 500_000]
    # A missing row is in no rate; bucket 2 is the last one and cannot roll further.
    assert first.loc[("2", "cured"), ["numerator", "denominator"]].tolist() == [0, 5000]
    assert first["unlike"].all()


def test_the_worst_is_named_first_by_money_beyond_noise() -> None:
    rows = judged(counts({("card", "1"): 1150, ("loan", "1"): 1400}))
    chosen = rows[rows["standing"] == "escalate"]
    assert list(zip(chosen["product_code"], chosen["from"], chosen["rate"], strict=True)) == [
        ("loan", "1", "rolled"),
        ("card", "1", "rolled"),
    ]
    top = chosen.iloc[0]
    assert top["stake_minor"] == pytest.approx((0.28 - 0.2) * 500_000)
    assert top["beyond_minor"] == pytest.approx((0.28 - top["watch_high"]) * 500_000)
    verdict = decision.flow_verdict(rows)
    assert verdict.answer == "escalate"
    assert verdict.beyond_minor == pytest.approx(chosen["beyond_minor"].sum())
    # Six rates, one side of 99.73 % each.
    assert (verdict.judged, verdict.by_chance) == (6, pytest.approx(6 * 0.00135))


def test_fewer_rolled_is_better_and_nobody_is_bothered() -> None:
    rows = judged(counts({("card", "1"): 700}))
    assert rows.iloc[0]["standing"] == "better"
    assert decision.flow_verdict(rows).answer == "quiet"
    assert decision.flow_verdict(rows).rows.empty


def test_the_lunar_new_year_and_few_accounts_are_watched_not_escalated() -> None:
    table = counts({("card", "1"): 1400})
    assert decision.flow_verdict(judged(table, unlike=(12,))).answer == "watch"
    assert decision.flow_verdict(judged(table, few=10_000)).answer == "watch"
    assert decision.flow_verdict(judged(table[table["month"] > 8])).answer == "unknown"


def test_up_to_one_in_twenty_missing_costs_a_grade_and_more_refuses() -> None:
    whole, some, many = (decision.complete(counts({}, missing=missing)) for missing in (0, 4000, 9000))
    assert (whole.met, some.met, many.met) == (True, False, False)
    assert (some.consequence, many.consequence) == ("downgrade", "refuse")
    assert grade("raw", [some]) == "D"
    assert grade("raw", [many]) == "none"
    assert some.details["missing"] == 8000


def test_a_departure_is_named_with_its_bucket_and_month() -> None:
    rng = np.random.default_rng(1)
    rows = [
        (before, "1", to, month, int(count))
        for before, chance in (("0", 0.2), ("2", 0.5))
        for month in range(6)
        for to, count in zip(("1", "2"), rng.multinomial(500, [1 - chance, chance]), strict=True)
    ]
    moves = pd.DataFrame(rows, columns=["previous", "from", "to", "month", "count"])
    order = decision.first_order(order_test(moves))
    assert not order.met
    assert order.details["buckets"] == ["1"]
    assert decision.stationary(stationarity_test(moves), departures(moves)).met
    assert decision.first_order(order_test(moves[moves["previous"] == "0"])).name == "flow_first_order_testable"


def test_projections_that_failed_before_say_so() -> None:
    errors = pd.DataFrame({"step": [1, 3], "forecasts": [10, 10], "off": [0.1, 0.4]})
    failed = decision.forecasts_hold(0.55, errors, level=0.8)
    assert not failed.met
    assert (failed.details["forecasts"], failed.details["far_off_share"], failed.details["months"]) == (20, 0.4, 3)
    assert decision.forecasts_hold(0.8, errors, level=0.8).met
    assert decision.forecasts_hold(float("nan"), errors.head(0), level=0.8).name == "flow_backtested"
