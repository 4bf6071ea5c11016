"""The effect that pays for itself, by hand."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.trials.break_even import break_even


def effects(**changes: float) -> pd.DataFrame:
    rows = [
        {"outcome": "cash", "base_mean": 1_000.0, "value": 80.0, "low": 10.0, "high": 150.0, "relative": 0.08},
        {"outcome": "work", "base_mean": 50.0, "value": 12.0, "low": 8.0, "high": 16.0, "relative": 0.24},
    ]
    table = pd.DataFrame(rows).assign(arm="new", note="")
    table.loc[0, list(changes)] = list(changes.values())
    return table


def test_extra_work_of_12_with_a_fifth_of_cash_paid_away_needs_15_more() -> None:
    (row,) = break_even(effects(), cash="cash", cost="work", commission_share=0.2).to_dict("records")
    assert (row["kept"], row["value"], row["low"], row["high"]) == pytest.approx((0.8, 15, 10, 20))
    assert (row["relative"], row["relative_low"], row["relative_high"]) == pytest.approx((0.015, 0.010, 0.020))
    assert row["observed"] == 0.08


def test_without_commission_all_of_the_cash_is_kept() -> None:
    (row,) = break_even(effects(), cash="cash", cost="work").to_dict("records")
    assert (row["kept"], row["value"]) == (1.0, 12.0)


def test_at_break_even_the_net_value_of_both_arms_is_the_same() -> None:
    (row,) = break_even(effects(), cash="cash", cost="work", commission_share=0.2).to_dict("records")
    net_base = 1_000 - 50 - 200
    net_new = (1_000 + row["value"]) - (50 + 12) - 0.2 * (1_000 + row["value"])
    assert net_new == pytest.approx(net_base)


@pytest.mark.parametrize(("cash", "share"), [(0.0, 0.2), (1_000.0, 1.0), (1_000.0, np.nan)])
def test_where_nothing_is_kept_no_effect_can_pay(cash: float, share: float) -> None:
    (row,) = break_even(effects(base_mean=cash), cash="cash", cost="work", commission_share=share).to_dict("records")
    assert np.isnan(row["value"])
    assert "no effect can pay for a cost" in row["note"]
