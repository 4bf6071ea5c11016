"""Boundaries against published tables, the recursion against the normal distribution, the promise against simulation."""

import numpy as np
import pytest
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.trials.sequential import (
    boundaries,
    confidence_sequence,
    error_spent,
    first_crossing,
    group_sequential,
    mixture_precision,
    peeking_error,
)
from scipy import integrate, stats

FIVE = np.arange(1, 6) / 5


def test_the_obrien_fleming_type_boundaries_are_the_published_ones() -> None:
    np.testing.assert_allclose(boundaries(FIVE)["z"], [4.8769, 3.3570, 2.6803, 2.2898, 2.0310], atol=1e-4)


def test_the_pocock_type_boundaries_are_the_published_ones() -> None:
    np.testing.assert_allclose(boundaries(FIVE, spending="pocock")["z"], [2.4380, 2.4268, 2.4102, 2.3966, 2.3860], atol=1e-4)


@pytest.mark.parametrize(("looks", "error"), [(1, 0.05), (2, 0.0831), (5, 0.1417), (10, 0.1934), (20, 0.2479)])
def test_peeking_at_the_plain_bound_has_the_known_price(looks: int, error: float) -> None:
    assert peeking_error(looks) == pytest.approx(error, abs=1e-4)


@pytest.mark.parametrize("fractions", [(0.3, 0.8), (0.9, 0.905), (0.002, 1.0)])
def test_two_looks_agree_with_the_bivariate_normal_distribution(fractions: tuple[float, float]) -> None:
    bounds = np.array([2.2, 2.0])
    correlation = np.sqrt(fractions[0] / fractions[1])
    joint = stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]])
    inside = joint.cdf(bounds, lower_limit=-bounds)
    assert first_crossing(bounds, fractions).sum() == pytest.approx(1 - inside, abs=1e-6)


def test_the_looks_spend_exactly_the_error_rate_at_uneven_fractions() -> None:
    fractions = [0.1, 0.13, 0.55, 0.9, 1.0]
    for spending in ("obrien_fleming", "pocock"):
        plan = boundaries(fractions, spending=spending)
        crossed = first_crossing(plan["z"], fractions)
        # The first looks of O'Brien-Fleming-type spending lie beyond what is tested at all.
        np.testing.assert_allclose(crossed.cumsum(), plan["spent"], atol=1e-9)
        assert plan["spent"].iloc[-1] == pytest.approx(0.05, abs=1e-12)


def test_one_look_at_full_information_is_the_plain_test() -> None:
    plan = boundaries([1.0])
    assert plan["z"].item() == pytest.approx(1.959964, abs=1e-6)
    assert plan["nominal_p"].item() == pytest.approx(0.05, abs=1e-12)


def test_power_of_one_look_is_the_textbook_power() -> None:
    drift = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert first_crossing([stats.norm.isf(0.025)], [1.0], drift=drift).item() == pytest.approx(0.8, abs=1e-5)


def test_nothing_is_left_to_spend_after_full_information() -> None:
    looks = group_sequential([1.0, 1.0, 9.0], [1.0, 0.7, 0.5], planned_information=1 / 0.7**2)
    assert looks["bound"].iloc[2] == np.inf
    assert not looks["stop"].iloc[2]
    assert np.isnan(looks["low"].iloc[2])
    assert looks["note"].iloc[2] == "no error rate left to spend at this look"


def _paths(replications: int, looks: int, effect: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and standard errors of a mean of unit-variance steps after each of `looks` equal batches."""
    steps = np.random.default_rng(seed).normal(effect, 1.0, (replications, looks))
    count = np.arange(1, looks + 1)
    return steps.cumsum(axis=1) / count, 1 / np.sqrt(count)


def test_simulated_trials_without_effect_stop_at_the_stated_rate() -> None:
    estimates, errors = _paths(20_000, 5, 0.0, seed=3)
    plan = boundaries(FIVE, spending="pocock")["z"].to_numpy()
    false_alarms = (np.abs(estimates / errors) >= plan).any(axis=1).mean()
    assert abs(false_alarms - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 20_000)
    naive = (np.abs(estimates / errors) >= 1.959964).any(axis=1).mean()
    assert abs(naive - 0.1417) < 3 * np.sqrt(0.1417 * 0.8583 / 20_000)


def test_the_confidence_sequence_covers_a_planted_effect_at_all_of_five_hundred_looks() -> None:
    estimates, errors = _paths(400, 500, 0.1, seed=4)
    covered = []
    for row in estimates:
        table = confidence_sequence(row, errors, planned_information=250)
        covered.append(((table["low"] <= 0.1) & (table["high"] >= 0.1)).all())
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 400)


def test_the_always_valid_p_value_and_the_interval_say_the_same() -> None:
    estimates, errors = _paths(1, 300, 0.3, seed=5)
    table = confidence_sequence(estimates[0], errors, planned_information=100)
    outside = (table["low"] > 0) | (table["high"] < 0)
    assert outside.any()
    assert (table["stop"] == outside.cummax()).all()
    assert table["p_value"].is_monotonic_decreasing


def test_the_mixture_ratio_is_the_integral_it_stands_for() -> None:
    estimate, error, planned = 0.3, 0.1, 50.0
    rho = mixture_precision(planned)

    def integrand(effect: float) -> float:
        likelihood = stats.norm.pdf(estimate, effect, error) / stats.norm.pdf(estimate, 0, error)
        return likelihood * stats.norm.pdf(effect, 0, rho**-0.5)

    ratio = integrate.quad(integrand, -3, 3, points=[0.0, 0.3])[0]
    assert confidence_sequence([estimate], [error], planned_information=planned)["p_value"].item() == pytest.approx(1 / ratio, rel=1e-6)


def test_the_sequence_is_narrowest_where_it_was_planned_to_be() -> None:
    def half(planned: float) -> float:
        table = confidence_sequence([0.0], [0.1], planned_information=planned)
        return table["high"].item()

    assert half(100) < min(half(90), half(110))


@pytest.mark.parametrize("fractions", [[0.5, 0.5], [0.0, 1.0], [0.5, 0.4], [np.nan], []])
def test_looks_that_bring_no_information_are_refused(fractions: list[float]) -> None:
    with pytest.raises(DataError, match="information fractions"):
        boundaries(fractions)


def test_bad_looks_are_refused_all_at_once() -> None:
    with pytest.raises(DataError) as refusal:
        confidence_sequence([1.0, np.nan], [0.0, 0.1], planned_information=1)
    assert refusal.value.problems == (
        "estimates: 1 of 2 are missing (first: look 2). Leave out looks without an estimate.",
        "standard errors: 1 of 2 are not above 0 (first: look 1). A look needs at least two units per arm.",
    )
    with pytest.raises(DataError, match="1 of 2 do not rise by at least"):
        group_sequential([1.0, 1.0], [0.1, 0.2], planned_information=100)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ParameterError, match="planned_information must be above 0"):
        confidence_sequence([1.0], [0.1], planned_information=0)
    with pytest.raises(ParameterError, match="unknown spending 'pockock'"):
        error_spent([0.5], spending="pockock")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="alpha"):
        error_spent([0.5], alpha=5)
    with pytest.raises(ParameterError, match="looks"):
        peeking_error(0)
