"""Completion curve and month-end forecast: hand-made months, an independent fit, properties, calibration."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.forecast import completion_backtest
from collect_analysis.methods.forecast.completion import fit_curve, forecast, level_of, months_of
from hypothesis import given, settings, strategies as st
from scipy import optimize

from tests.bench import calibration_pace

WEIGHT = {"salary": 3.0, "weekend": 0.5}


def days_of(first: date, months: int, *, noise: float = 0.0, seed: int = 1) -> pd.DataFrame:
    """Months whose salary days (5-7) bring three times, whose weekends half of a plain day; 1,000,000 on a plain day."""
    stamp = pd.Series(pd.date_range(first, periods=months, freq="MS"))
    every = pd.Series(pd.date_range(first, stamp.iloc[-1] + pd.offsets.MonthEnd(0)))
    weekend = every.dt.day_of_week >= 5
    salary = every.dt.day.between(5, 7)
    rng = np.random.default_rng(seed)
    cash = 1e6 * np.where(salary, WEIGHT["salary"], 1) * np.where(weekend, WEIGHT["weekend"], 1) * np.exp(rng.normal(0, noise, len(every)))
    return pd.DataFrame(
        {"month": [day.date().replace(day=1) for day in every], "date": every.dt.date, "working_day": ~weekend, "tet": None,
         "cash_minor": np.round(cash), "salary": salary.astype(float), "weekend": weekend.astype(float)}
    )  # fmt: skip


def test_the_curve_finds_the_weights_of_days() -> None:
    curve = fit_curve(months_of(days_of(date(2025, 1, 1), 12)))
    assert np.exp(curve.beta) == pytest.approx([WEIGHT["salary"], WEIGHT["weekend"]], rel=1e-3)


def test_the_fit_is_the_maximum_of_the_penalised_likelihood() -> None:
    months = months_of(days_of(date(2025, 1, 1), 8, noise=0.4))
    curve = fit_curve(months)
    spread = float((curve.beta**2).sum() + np.trace(curve.covariance)) / 2

    def loss(beta: np.ndarray) -> float:
        eta = np.where(months.inside, months.x @ beta, -np.inf)
        log_share = eta - np.log(np.exp(eta).sum(axis=1, keepdims=True))
        likelihood = np.where(months.inside, months.cash * np.where(months.inside, log_share, 0), 0.0)
        return float(-np.nansum(likelihood) / curve.dispersion + (beta**2).sum() / (2 * spread))

    best = optimize.minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8, "maxiter": 4000})
    assert curve.beta == pytest.approx(best.x, abs=1e-4)


def test_a_rare_kind_of_day_shrinks_to_a_plain_one_and_a_unit_to_its_company() -> None:
    days = days_of(date(2025, 1, 1), 12, noise=0.3).assign(rare=0.0)
    days.loc[days["date"] == date(2025, 6, 18), ["rare", "cash_minor"]] = [1.0, 3e6]
    months = months_of(days)
    alone = fit_curve(months)
    assert 0 < alone.beta[2] < np.log(3)
    few = months.only([0, 1])
    company = fit_curve(months_of(days_of(date(2025, 1, 1), 12)))
    noisy = months_of(days_of(date(2025, 1, 1), 2, noise=1.0, seed=3))
    free, led = fit_curve(noisy), fit_curve(noisy, towards=company)
    assert np.abs(led.beta - company.beta).max() < np.abs(free.beta - company.beta).max()
    assert few.names == (date(2025, 1, 1), date(2025, 2, 1))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(0.05, 0.8))
def test_the_forecast_at_the_last_day_is_the_cash(seed: int, noise: float) -> None:
    months = months_of(days_of(date(2025, 1, 1), 9, noise=noise, seed=seed))
    past, month = months.only(slice(0, 8)), months.only([8])
    made = forecast(past, month, day=30, curve=fit_curve(past))
    assert made.value == month.totals[0]
    assert made.interval(0.95) == (made.value, made.value)
    assert made.reach(made.value + 1) == 0.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), day=st.integers(0, 30))
def test_doubling_all_cash_doubles_the_forecast(seed: int, day: int) -> None:
    days = days_of(date(2025, 1, 1), 9, noise=0.4, seed=seed)
    made = []
    for factor in (1, 2):
        months = months_of(days.assign(cash_minor=days["cash_minor"] * factor))
        past = months.only(slice(0, 8))
        made.append(forecast(past, months.only([8]), day=day, curve=fit_curve(past)))
    assert made[1].value == pytest.approx(2 * made[0].value, rel=1e-6)
    assert made[1].interval(0.8)[0] == pytest.approx(2 * made[0].interval(0.8)[0], rel=1e-5)


def test_combination_is_by_precision_and_starts_at_the_months_before() -> None:
    months = months_of(days_of(date(2025, 1, 1), 9, noise=0.3))
    past, month = months.only(slice(0, 8)), months.only([8])
    curve = fit_curve(past)
    start, middle = forecast(past, month, day=0, curve=curve), forecast(past, month, day=15, curve=curve)
    assert start.value == pytest.approx(start.prior)
    assert min(middle.pace, middle.prior) <= middle.value <= max(middle.pace, middle.prior)
    weight = middle.pace_weight
    assert np.log(middle.value) == pytest.approx(weight * np.log(middle.pace) + (1 - weight) * np.log(middle.prior))


def test_the_level_follows_the_months_before_without_their_season() -> None:
    # Constant level 100 with a Tet season of 0.7 and 1.2 in two months: the next month brings 100.
    level = level_of([100, 100, 70, 120, 100, 100], [1, 1, 0.7, 1.2, 1, 1])
    assert np.exp(level.log_level) == pytest.approx(100)
    assert level.sd == pytest.approx(0, abs=1e-8)
    assert np.isnan(level_of([100, 100], [1, 1]).log_level)


def test_dividing_by_workdays_gone_is_fooled_by_salary_days() -> None:
    months = months_of(days_of(date(2025, 1, 1), 10, noise=0.02))
    tested = completion_backtest.backtest(months)
    stages = completion_backtest.by_stage(tested).set_index("stage")
    assert stages.loc["all", "mape"] < 0.02
    assert stages.loc["second_quarter", "naive_mape"] > 5 * stages.loc["second_quarter", "mape"]
    assert stages.loc["all", "months"] == 4


def test_an_unusual_day_is_found_and_named_by_its_date() -> None:
    days = days_of(date(2025, 1, 1), 10, noise=0.1)
    days.loc[days["date"] == date(2025, 9, 18), "cash_minor"] = 0
    months = months_of(days)
    found = completion_backtest.unusual_days(months, fit_curve(months), beyond=6)
    assert found[["month", "date_number"]].to_numpy().tolist() == [[date(2025, 9, 1), 18]]
    assert found["z"].iloc[0] < -4


def test_few_months_are_refused() -> None:
    months = months_of(days_of(date(2025, 1, 1), 3))
    with pytest.raises(ValueError, match="2 past months with cash"):
        forecast(months.only([0, 1]), months.only([2]), day=3, curve=fit_curve(months))
    with pytest.raises(ValueError, match="no month with cash"):
        fit_curve(months_of(days_of(date(2025, 1, 1), 2).assign(cash_minor=0.0)))


def test_bands_hold_as_often_as_they_say_and_tet_months_are_wide() -> None:
    table = calibration_pace.run(30, seed=2)
    plain, tet = (table[table["case"].str.startswith(kind)].groupby("level")["covered"].mean() for kind in ("plain", "Tet"))
    # 120 forecasts each, four of one month: about 40 independent ones.
    assert 0.7 < plain.loc[0.8] < 0.92
    assert plain.loc[0.95] > 0.88
    assert tet.loc[0.8] > 0.7
    assert tet.loc[0.95] > 0.9
    assert (table["mape"] < table["naive_mape"]).all()
