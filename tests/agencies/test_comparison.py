"""Comparable placements: shrinking, shifting to net, placing in the funnel."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies import comparison
from collect_analysis.agencies.comparison import Belief

BELIEF = Belief(prior_sd=0.2, seed=3)


def found(values: dict[str, float], se: float = 0.05) -> pd.DataFrame:
    table = pd.DataFrame({"unit_key": list(values), "value": list(values.values())})
    counts = {"observed_count": table["value"] / se**2, "expected_count": se**-2, "expected_size": np.inf}
    return table.assign(allocation="random", cases=100, se_log=se, note="", **counts)


def flow(*units: str) -> pd.Series:
    return pd.Series(6, index=list(units))


def cell(unit: str, stratum: str, y: float, x: float, *, accounts: int = 10, payers: int = 3, allocation: str = "random") -> dict:
    sums = {"sum_y": y, "sum_x": x, "sum_yy": y**2, "sum_xx": x**2, "sum_xy": x * y}
    counted = {"sum_aa": accounts**2, "sum_pp": payers**2, "sum_ap": accounts * payers}
    where = {
        "unit_key": unit,
        "allocation": allocation,
        "stratum": stratum,
        "age_months": 5,
        "n": 1,
        "accounts": accounts,
        "payers": payers,
    }
    return {**where, **sums, **counted}


def test_what_was_drawn_is_never_compared_with_what_was_chosen() -> None:
    sums = pd.DataFrame([cell("a", "s", 10, 100), cell("b", "s", 30, 100, allocation="judgmental")])
    assert comparison.index(sums, allocation="random")["value"].isna().all()
    assert comparison.basis_of(sums) == "judgmental"


def test_an_index_by_hand_and_its_raw_rate() -> None:
    table = comparison.index(pd.DataFrame([cell("a", "s", 10, 100), cell("b", "s", 30, 150)]), allocation="random").set_index("unit_key")
    assert table["raw"].tolist() == [0.1, 0.2]
    assert table["expected_minor"].tolist() == pytest.approx([100 * 0.2, 150 * 0.1])
    assert table["value"].tolist() == pytest.approx([0.5, 2.0])


def test_payers_are_counted_as_accounts() -> None:
    sums = pd.DataFrame([cell("a", "s", 10, 100, accounts=20, payers=6), cell("b", "s", 900, 150, accounts=10, payers=3)])
    table = comparison.payer_index(sums, allocation="random")
    assert table["ratio"].tolist() == pytest.approx([1, 1])
    assert table["payers"].tolist() == [6, 3]
    assert table["cases"].tolist() == [20, 10]


def test_shrinking_keeps_order_and_pulls_to_the_centre() -> None:
    table = comparison.believed(found({"a": 1.3, "b": 1.0, "c": 0.8}), belief=BELIEF, batch_months=flow("a", "b", "c")).set_index(
        "unit_key"
    )
    assert table.loc["c", "value"] < table.loc["b", "value"] < table.loc["a", "value"] < 1.3
    assert table.loc["c", "value"] > 0.8
    assert table["p_best"].sum() == pytest.approx(1)
    assert table.loc["a", "p_best"] > 0.95
    # 6·(0.05·2.801585/log 1.1)²
    assert table["months_to_separate"].tolist() == pytest.approx([12.9605] * 3, abs=1e-3)


def test_the_order_of_rows_and_the_run_change_nothing() -> None:
    table = found({"a": 1.3, "b": 1.0, "c": 0.8})
    first = comparison.believed(table, belief=BELIEF, batch_months=flow("a", "b", "c"))
    again = comparison.believed(table.copy(), belief=BELIEF, batch_months=flow("c", "b", "a"))
    pd.testing.assert_frame_equal(first, again)


def test_a_dearer_unit_has_a_lower_net_index() -> None:
    table = found({"a": 1.0, "b": 1.0, "c": 1.0}, se=0.01)
    shift = pd.Series({"a": np.log(0.9), "b": 0.0, "c": 0.0})
    net = comparison.believed(table, belief=BELIEF, batch_months=flow("a", "b", "c"), shift=shift).set_index("unit_key")
    assert net.loc["a", "value"] == pytest.approx(0.9, abs=0.01)
    assert net.loc["b", "value"] == pytest.approx(1.0, abs=0.01)


def test_a_unit_alone_is_not_believed_anything_of() -> None:
    table = comparison.believed(found({"a": 1.2}), belief=BELIEF, batch_months=flow("a"))
    assert table["value"].isna().all()
    assert table.loc[0, "note"] == comparison.TOO_FEW_UNITS


def test_a_unit_that_collected_nothing_keeps_its_reason() -> None:
    table = found({"a": 1.2, "b": 0.9, "c": 0.0})
    table.loc[2, ["se_log", "note"]] = [np.nan, "nothing observed: the index has no standard error on the log scale"]
    result = comparison.believed(table, belief=BELIEF, batch_months=flow("a", "b", "c")).set_index("unit_key")
    assert np.isnan(result.loc["c", "value"])
    assert result.loc["c", "note"].startswith("nothing observed")
    assert result.loc["a", "value"] > 1


def test_the_funnel_flags_the_odd_one_out_of_many_alike() -> None:
    units = {f"u{number}": 1 + 0.01 * (-1) ** number for number in range(20)}
    table = comparison.funnel_of(found({**units, "z": 1.6})).set_index("unit_key")
    assert table.loc["z", "place"] == "above"
    assert (table.drop(index="z")["place"] == "inside").all()


def test_every_unit_is_held_against_the_champion_but_itself() -> None:
    units = {"a": 1.3, "b": 1.0, "c": 0.8}
    table = comparison.believed(found(units, se=0.02), belief=BELIEF, batch_months=flow(*units), champion="b").set_index("unit_key")
    assert table.loc["a", "p_worse"] < 0.01
    assert table.loc["c", "p_worse"] > 0.99
    assert np.isnan(table.loc["b", "p_worse"])
    without = comparison.believed(found(units), belief=BELIEF, batch_months=flow(*units))
    assert without["p_worse"].isna().all()


def test_two_units_alike_are_worse_than_each_other_about_every_second_time() -> None:
    table = comparison.believed(found({"a": 1.0, "b": 1.0}), belief=BELIEF, batch_months=flow("a", "b"), champion="a").set_index("unit_key")
    assert table.loc["b", "p_worse"] == pytest.approx(0.5, abs=0.02)


def test_second_placements_are_compared_with_second_placements_alone() -> None:
    sums = pd.DataFrame(
        [
            cell("a", "hard | 1 | 2026-01", 30, 100),
            cell("b", "hard | 1 | 2026-01", 20, 100),
            cell("a", "hard | 2 | 2026-01", 5, 100),
            cell("b", "hard | 3 | 2026-01", 8, 100),
            cell("c", "x | y | 2 | 2026-01", 9, 50),
            cell("b", "x | y | 2 | 2026-01", 6, 50),
        ]
    )
    table = comparison.by_number(sums).set_index(["unit_key", "placement"])
    assert table.loc[("a", "first"), ["value", "liquidation"]].tolist() == [1.5, 0.3]
    # Its second placements stand in a stratum of their own: no peer, no index.
    assert np.isnan(table.loc[("a", "later"), "value"])
    assert table.loc[("c", "later"), "value"] == 1.5
    assert table.loc[("b", "later"), "liquidation"] == pytest.approx(14 / 150)
    curves = comparison.curves_by_number(sums)
    assert set(curves["placement"]) == {"first", "later"}
    assert comparison.by_number(sums.head(0)).empty
