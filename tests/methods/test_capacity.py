"""What minutes bring: a planted exponent is found, minutes that never varied give no curve, limits by hand."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.forecast.capacity import NOT_RISING, TOO_FEW, TOO_LITTLE, capacity_index, capacity_limit, yield_curves


def history(power: float, *, varied: float = 0.4, units: int = 8, months: int = 18, noise: float = 0.05, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(f"u{unit}", month) for unit in range(units) for month in range(months)]
    minutes = np.exp(rng.normal(0.5, varied, len(rows)))
    level = np.repeat(rng.normal(0, 0.3, units), months) + np.tile(rng.normal(0, 0.2, months), units)
    expected = rng.uniform(5e8, 1e9, len(rows))
    observed = expected * np.exp(level + power * np.log(minutes) + rng.normal(0, noise, len(rows)))
    table = pd.DataFrame(rows, columns=["unit_key", "month"]).assign(sub_function="tele", accounts=1000, minutes=1000 * minutes)
    return table.assign(observed=observed, expected=expected)


@pytest.mark.parametrize("power", [0.5, 0.2])
def test_a_planted_diminishing_yield_is_found_in_spite_of_good_units_and_good_months(power: float) -> None:
    (row,) = yield_curves(history(power)).to_dict("records")
    assert row["value"] == pytest.approx(power, abs=0.04)
    assert row["low"] < power < row["high"]
    assert row["note"] == ""


def test_the_interval_covers_the_planted_exponent() -> None:
    found = [yield_curves(history(0.5, noise=0.3, seed=seed)).iloc[0] for seed in range(60)]
    assert np.mean([row["low"] <= 0.5 <= row["high"] for row in found]) > 0.86


def test_minutes_that_never_varied_give_no_curve() -> None:
    table = pd.concat([history(0.5, varied=0.01), history(0.5, months=1).assign(sub_function="field")])
    found = yield_curves(table).set_index("sub_function")
    assert found["value"].isna().all()
    assert found["note"].tolist() == [TOO_FEW, TOO_LITTLE]


def test_no_yield_of_minutes_is_said() -> None:
    assert yield_curves(history(0.0, noise=0.3)).iloc[0]["note"] == NOT_RISING


def test_one_unit_is_fitted_over_its_months() -> None:
    assert yield_curves(history(0.5, units=1, months=40)).iloc[0]["value"] == pytest.approx(0.5, abs=0.4)


def test_units_that_follow_one_another_are_told_from_their_months_exactly() -> None:
    table = history(0.5, units=12, months=16, noise=0.0)
    # Every unit works five months, one later than the unit before: rounds of means would need hundreds to settle.
    first = table["unit_key"].str[1:].astype(int)
    (row,) = yield_curves(table[(table["month"] >= first) & (table["month"] < first + 5)]).to_dict("records")
    assert row["value"] == pytest.approx(0.5, abs=1e-9)


def test_capacity_index_by_hand() -> None:
    units = pd.DataFrame({
        "accounts": [1000.0, 1000.0, 500.0], "intensity": [3.0, np.nan, np.nan], "attempts_per_hour": [30.0, np.nan, np.nan],
        "hours": [80.0, np.nan, np.nan], "capacity_accounts": [np.nan, 800.0, np.nan],
    })  # fmt: skip
    found = capacity_index(units)["capacity_index"]
    # 1000 x 3 attempts against 30 x 80; 1000 accounts against 800; nothing known.
    assert found[:2].tolist() == pytest.approx([1.25, 1.25])
    assert np.isnan(found[2])


def test_a_unit_short_of_hours_is_limited_by_its_curve() -> None:
    p50, index, power = pd.Series([100.0] * 4), pd.Series([1.25, 1.25, 0.9, np.nan]), pd.Series([0.5, np.nan, 0.5, 0.5])
    limit = capacity_limit(p50, index, power)
    assert limit[:2].tolist() == pytest.approx([100 / np.sqrt(1.25), 100.0])
    assert limit[2:].isna().all()
