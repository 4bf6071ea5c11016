"""Variance components: a published table, an independent implementation, what must not matter, and what cannot be told."""

import warnings

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling.components import RESIDUAL, TOO_FEW, moment_components, shares, variance_table
from hypothesis import given, settings, strategies as st

# Yield of dyestuff (g) of six batches: Davies, Statistical Methods in Research and Production (1947), table 6.1.
DYESTUFF = {
    "a": [1545, 1440, 1440, 1520, 1580],
    "b": [1540, 1555, 1490, 1560, 1495],
    "c": [1595, 1550, 1605, 1510, 1560],
    "d": [1445, 1440, 1595, 1465, 1545],
    "e": [1595, 1630, 1515, 1635, 1625],
    "f": [1520, 1455, 1450, 1480, 1445],
}


def panel(*, groups: int = 6, people: int = 30, months: int = 6, person_sd: float = 1.0, mix: float = 0.0, seed: int = 1) -> pd.DataFrame:
    """A panel with known variances: group 0.25, month 0.09, person, mix, residual 1.44."""
    rng = np.random.default_rng(seed)
    rows = []
    for group in range(groups):
        level, season = rng.normal(0, 0.5), rng.normal(0, 0.3, months)
        for person in range(people):
            own, held = rng.normal(0, person_sd), rng.normal()
            for month in range(months):
                value = level + season[month] + own + mix * held + rng.normal(0, 1.2)
                rows.append((f"u{group}", f"o{group}-{person}", month, value, held))
    return pd.DataFrame(rows, columns=["unit_key", "officer_key", "month", "value", "held"])


def test_batches_of_dyestuff_differ_as_published() -> None:
    found = moment_components(np.concatenate(list(DYESTUFF.values())), {"batch": np.repeat(list(DYESTUFF), 5)})
    assert found["batch"] == pytest.approx(1764.05, abs=0.005)
    assert found[RESIDUAL] == pytest.approx(2451.25, abs=0.005)


def test_balanced_nested_and_crossed_components_are_those_of_restricted_likelihood() -> None:
    formula = pytest.importorskip("statsmodels.formula.api")
    table = panel(groups=4, people=4, months=4, seed=1)
    own = moment_components(
        table["value"], {"u": table["unit_key"], "um": table["unit_key"] + table["month"].astype(str), "o": table["officer_key"]}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = formula.mixedlm(
            "value ~ 1", table, groups=np.ones(len(table)),
            vc_formula={"u": "0 + C(unit_key)", "um": "0 + C(unit_key):C(month)", "o": "0 + C(officer_key)"},
        ).fit()  # fmt: skip
    assert min(own.values()) > 0, "restricted likelihood equals the moments only where none is negative"
    other = dict(zip(fitted.model.exog_vc.names, fitted.vcomp, strict=True)) | {RESIDUAL: fitted.scale}
    assert own == pytest.approx(other, rel=2e-3)


@settings(max_examples=25)
@given(shift=st.floats(-1e6, 1e6), scale=st.floats(0.01, 100))
def test_components_do_not_depend_on_the_origin_and_scale_with_the_square(shift: float, scale: float) -> None:
    table = panel(groups=2, people=5, months=3)
    factors = {"unit": table["unit_key"], "person": table["officer_key"]}
    plain = moment_components(table["value"], factors)
    moved = moment_components(table["value"] * scale + shift, factors)
    assert moved == pytest.approx({name: value * scale**2 for name, value in plain.items()}, rel=1e-4, abs=1e-6 * scale**2)


def test_planted_shares_lie_within_their_intervals() -> None:
    # Among officers of one group: portfolio 0.49, month 0.09, person 1, residual 1.44: the officer's share is 1 / 3.02.
    table = variance_table(panel(mix=0.7, seed=5), mix=["held"], draws=100).set_index("source")
    for source, truth in {"portfolio": 0.49 / 3.02, "person": 1 / 3.02, RESIDUAL: 1.44 / 3.02}.items():
        assert table.loc[source, "low"] < truth < table.loc[source, "high"]
    assert table["share"].sum() == pytest.approx(1)
    assert table["inside"].sum() == pytest.approx(1)


def test_nobody_is_credited_with_chance() -> None:
    table = variance_table(panel(person_sd=0.0), draws=50).set_index("source")
    assert table.loc["person", "share"] < 0.03


def test_the_same_seed_gives_the_same_interval() -> None:
    first, second = (variance_table(panel(groups=2, people=8), draws=50, seed=7) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_one_group_leaves_out_the_source_and_nothing_repeated_says_so() -> None:
    assert "group" not in set(variance_table(panel(groups=1), draws=50)["source"])
    once = variance_table(panel(groups=2, people=4, months=1), draws=50)
    assert set(once["note"]) == {TOO_FEW}
    assert once["share"].isna().all()


def test_shares_of_negative_components_are_zero() -> None:
    assert shares({"a": -1.0, "b": 3.0, "c": 1.0}) == {"a": 0.0, "b": 0.75, "c": 0.25}
