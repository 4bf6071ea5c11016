"""Overridden cut-off rules: two-stage least squares as independent oracle, coverage, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError
from collect_analysis.methods.causal.discontinuity import Bandwidths, jump, split
from collect_analysis.methods.causal.discontinuity_points import binned_means, fitted_lines
from collect_analysis.methods.causal.fuzzy_discontinuity import fuzzy_discontinuity, limits

WIDTHS = Bandwidths(0.5, 0.8)
WHERE = {"cutoff": 0.0, "cutoff_belongs_to": "above"}


def overridden(seed: int, *, size: int = 1500, effect: float = 0.5, follows: float = 0.5) -> pd.DataFrame:
    """A rule that treats from 0 on and raises the share treated by `follows`; the treatment adds `effect`."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, size)
    treated = rng.random(size) < 0.2 + follows * (x >= 0) + 0.1 * x
    outcome = effect * treated + x + 0.5 * x**2 + 0.3 * rng.normal(size=size)
    return pd.DataFrame({"running": x, "outcome": outcome, "treated": treated})


def test_the_local_ratio_is_two_stage_least_squares_inside_the_bandwidth() -> None:
    cases = overridden(1)
    x, above = cases["running"].to_numpy(), (cases["running"] >= 0).to_numpy(dtype=float)
    weights = np.clip(1 - np.abs(x) / WIDTHS.main, 0, None)[:, None]
    shared = np.column_stack([np.ones(len(x)), x, above * x])
    instruments = np.column_stack([above, shared])
    regressors = np.column_stack([cases["treated"].to_numpy(dtype=float), shared])
    slope = np.linalg.solve((instruments * weights).T @ regressors, (instruments * weights).T @ cases["outcome"].to_numpy())[0]
    found = fuzzy_discontinuity(cases, **WHERE, bandwidths=WIDTHS)
    assert found.effects["estimate"].iloc[0] == pytest.approx(slope, rel=1e-9)
    assert found.condition.met
    assert found.strength > 10


def test_the_published_formula_of_the_robust_interval_holds() -> None:
    # Calonico, Cattaneo & Titiunik (2014): the bias of the ratio is that of both jumps by the gradient (1/T, -Y/T^2).
    cases = overridden(2)
    y, t = (jump(*split(cases.assign(outcome=cases[name].astype(float)), **WHERE), WIDTHS, level=0.95) for name in ("outcome", "treated"))
    ratio = y["estimate"][0] / t["estimate"][0]
    bias = (y["estimate"][0] - y["estimate"][1]) / t["estimate"][0]
    bias -= ratio / t["estimate"][0] * (t["estimate"][0] - t["estimate"][1])
    found = fuzzy_discontinuity(cases, **WHERE, bandwidths=WIDTHS).effects
    assert found["estimate"].tolist() == pytest.approx([ratio, ratio - bias], rel=1e-9)


def test_where_everybody_follows_it_is_the_sharp_estimate() -> None:
    cases = overridden(3)
    cases["treated"] = cases["running"] >= 0
    found = fuzzy_discontinuity(cases, **WHERE, bandwidths=WIDTHS).effects
    sharp = jump(*split(cases, **WHERE), WIDTHS, level=0.95)
    for column in ("estimate", "standard_error", "low", "high", "p_value"):
        np.testing.assert_allclose(found[column], sharp[column], rtol=1e-6)


def test_the_robust_interval_covers_the_effect_on_those_who_follow() -> None:
    rows = [fuzzy_discontinuity(overridden(seed, size=3000), **WHERE).effects.iloc[1] for seed in range(60)]
    # Where the first stage happens to be weak there is no number that could miss.
    covered = [row["low"] <= 0.5 <= row["high"] for row in rows if np.isfinite(row["estimate"])]
    assert len(covered) > 55
    assert abs(np.mean(covered) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / len(covered))


@pytest.mark.parametrize("follows", [0.0, -0.3])
def test_a_rule_that_nobody_follows_or_that_works_backwards_gives_no_number(follows: float) -> None:
    found = fuzzy_discontinuity(overridden(4, follows=follows).assign(), **WHERE, bandwidths=WIDTHS)
    assert not found.condition.met
    assert found.effects[["estimate", "low", "high", "p_value"]].isna().all().all()
    assert found.effects["note"].str.startswith("first-stage F").all()


def test_unknown_treatment_is_refused_with_its_number() -> None:
    cases = overridden(5)
    cases["treated"] = cases["treated"].astype("boolean")
    cases.loc[[1, 2], "treated"] = pd.NA
    with pytest.raises(DataError, match=r"cases\.treated: unknown of 2 of 1500 cases"):
        fuzzy_discontinuity(cases, **WHERE)


def test_the_lines_meet_the_cut_off_at_the_limits_and_bins_never_straddle_it() -> None:
    cases = overridden(6)
    sides = split(cases, **WHERE)
    below, above = limits(*sides, WIDTHS)
    assert above - below == pytest.approx(jump(*sides, WIDTHS, level=0.95)["estimate"][0], rel=1e-9)
    lines = fitted_lines(*sides, WIDTHS, cutoff=0.0)
    at_zero = lines[lines["running"] == 0].set_index("side")["value"]
    assert (at_zero["below"], at_zero["above"]) == pytest.approx((below, above))
    bins = binned_means(cases, **WHERE, width=0.5, min_cases=10)
    assert bins["cases"].sum() == (cases["running"].abs() <= 0.5).sum()
    assert ((bins["running"] < 0) == (bins["side"] == "below")).all()
    assert np.average(bins["value"], weights=bins["cases"]) == pytest.approx(cases.loc[cases["running"].abs() <= 0.5, "outcome"].mean())
