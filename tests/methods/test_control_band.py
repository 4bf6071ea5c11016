"""Bands of rates over months: the scale against statsmodels, one band by hand, false alarms, and months that do not count."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.forecast.control_band import FEWEST_MONTHS, NOTHING_OPEN, TOO_FEW, control_bands, qn_scale
from scipy import stats
from statsmodels.robust.scale import qn_scale as statsmodels_qn


def series(rates: list[float], accounts: int, *, unlike: tuple[int, ...] = ()) -> pd.DataFrame:
    months = range(len(rates))
    counts = [round(rate * accounts) for rate in rates]
    flags = [month in unlike for month in months]
    return pd.DataFrame({"of": "b1", "month": months, "numerator": counts, "denominator": accounts, "unlike": flags})


@pytest.mark.parametrize("n", [11, 14, 30])
def test_the_scale_is_that_of_statsmodels_times_the_factor_for_few_values(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    factor = n / (n + 1.4) if n % 2 else n / (n + 3.8)
    assert qn_scale(values) == pytest.approx(statsmodels_qn(values) * factor, rel=2e-3)
    assert np.isnan(qn_scale([1.0]))


def test_a_band_by_hand() -> None:
    # Eight ordinary months of exactly 0.2 with 10,000 accounts: months differ no more than chance, s = 1.
    told = control_bands(series([0.2] * 8 + [0.22], 10_000), by=["of"]).iloc[-1]
    half = stats.t.ppf(0.99865, 0.8 * 7) * np.sqrt(0.2 * 0.8 / 10_000) * np.sqrt(1 + np.pi / 16)
    assert told["months_differ"] == 1.0
    assert told["band_high"] == pytest.approx(0.2 + half)
    assert told["side"] == ("above" if half < 0.02 else "high")
    assert told["months_used"] == 8


def test_ordinary_months_are_seldom_called_unusual() -> None:
    rng = np.random.default_rng(1)
    rates = np.clip(0.3 + 0.02 * rng.normal(size=(400, 12)), 0.01, 0.99)
    counts = rng.binomial(4000, rates)
    table = pd.DataFrame(
        {"of": np.repeat(np.arange(400), 12), "month": np.tile(np.arange(12), 400), "numerator": counts.ravel(), "denominator": 4000}
    )
    told = control_bands(table.assign(unlike=False), by=["of"])
    last = told[told["month"] == 11]["side"].value_counts(normalize=True)
    assert last.get("above", 0) + last.get("below", 0) < 0.02
    assert 0.02 < 1 - last["inside"] < 0.09


def test_a_month_known_to_be_unlike_is_judged_and_not_used() -> None:
    rates = [0.2, 0.21, 0.19, 0.2, 0.2, 0.21, 0.19, 0.5]
    told = control_bands(series(rates, 1000, unlike=(7,)), by=["of"])
    assert told["side"].iloc[7] == "above"
    assert told["months_used"].tolist() == [6] * 7 + [7]
    # The spike moved nobody's centre.
    assert told["centre"].iloc[:7].between(0.19, 0.21).all()


def test_too_few_months_and_empty_months_have_no_band_and_say_so() -> None:
    told = control_bands(series([0.2] * FEWEST_MONTHS, 100), by=["of"])
    assert told["note"].unique().tolist() == [TOO_FEW.format(fewest=FEWEST_MONTHS)]
    assert told["band_low"].isna().all()
    assert (told["side"] == "").all()
    empty = series([0.2] * 9, 100)
    empty.loc[8, ["numerator", "denominator"]] = 0
    last = control_bands(empty, by=["of"]).iloc[-1]
    assert last["note"] == NOTHING_OPEN
    assert np.isnan(last["value"])


def test_what_never_happened_is_unusual_once_it_does() -> None:
    told = control_bands(series([0.0] * 8 + [0.01], 1000), by=["of"]).iloc[-1]
    assert (told["band_low"], told["band_high"], told["side"]) == (0.0, 0.0, "above")
