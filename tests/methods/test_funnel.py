"""Funnel limits and the scatter between units: exact tails, simulation with known scatter, published counts."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling import funnel
from scipy import stats

NONE = funnel.Dispersion(kind="none", phi=1.0, tau2=0.0, p_value=0.5, units=5)


def units_of(observed: np.ndarray, expected: np.ndarray) -> pd.DataFrame:
    keys = [f"u{number:03d}" for number in range(len(observed))]
    return pd.DataFrame({"unit_key": keys, "observed_count": observed, "expected_count": expected, "expected_size": np.inf})


def drawn(rng: np.random.Generator, expected: np.ndarray, *, tau: float = 0.0, phi: float = 1.0) -> np.ndarray:
    """Counts whose true ratios differ by `tau`, or that vary `phi` times as chance does."""
    if tau:
        return rng.poisson(expected * rng.gamma(tau**-2, tau**2, len(expected)))
    return rng.poisson(rng.gamma(expected / (phi - 1), phi - 1) if phi > 1 else expected)


def outside(observed: np.ndarray, expected: np.ndarray) -> tuple[float, funnel.Dispersion]:
    found = funnel.dispersion(observed, expected)
    return float((funnel.funnel_table(units_of(observed, expected), overdispersion=found)["place"] != "inside").mean()), found


@pytest.mark.parametrize(
    ("how", "kind"),
    [({}, "none"), ({"tau": 0.29}, "additive"), ({"phi": 4.0}, "multiplicative")],
    ids=["chance", "between units", "factor"],
)
def test_the_funnel_holds_about_95_of_100_units_that_do_alike_and_finds_how_they_scatter(how: dict, kind: str) -> None:
    rng = np.random.default_rng(3)
    shares, kinds = [], []
    for _ in range(25):
        expected = rng.uniform(30, 1_500, 50)
        share, found = outside(drawn(rng, expected, **how), expected)
        shares.append(share)
        kinds.append(found.kind)
    assert 0.03 <= np.mean(shares) <= 0.07
    assert kinds.count(kind) >= 20


def test_scatter_estimated_without_a_reference_for_winsorising_leaves_units_outside() -> None:
    rng = np.random.default_rng(9)
    tau, naive, share = [], [], []
    for _ in range(20):
        expected = rng.uniform(30, 300, 50)
        observed = drawn(rng, expected, tau=0.29)
        z = np.log(observed / expected) * np.sqrt(observed)
        z = np.clip(z, *np.quantile(z, [0.1, 0.9]))
        tau2 = max(0.0, ((z**2).sum() - 49) / (observed.sum() - (observed**2).sum() / observed.sum()))
        naive.append(np.sqrt(tau2))
        share.append((np.abs(np.log(observed / expected)) > 1.959964 * np.sqrt(1 / observed + tau2)).mean())
        found = funnel.dispersion(observed, expected)
        tau += [np.sqrt(found.tau2)] if found.kind == "additive" else []
    # The planted 0.29 against what winsorised moments make of it.
    assert np.mean(tau) == pytest.approx(0.29, abs=0.03)
    assert np.mean(naive) < 0.24
    assert np.mean(share) > 0.09


def test_a_few_wild_units_do_not_widen_the_funnel_for_all() -> None:
    rng = np.random.default_rng(4)
    expected = np.full(40, 100.0)
    observed = rng.poisson(expected)
    observed[:2] = 400
    table = funnel.funnel_table(units_of(observed, expected), overdispersion=funnel.dispersion(observed, expected))
    assert table["place"].head(2).tolist() == ["above", "above"]
    assert float(np.sqrt(table["tau2"].iloc[0])) < 0.1
    plain = funnel.dispersion(observed, expected, winsor=0.0)
    assert max(plain.phi, 1 + 100 * plain.tau2) > 15


def test_the_test_of_no_scatter_errs_as_often_as_it_says() -> None:
    rng = np.random.default_rng(6)
    kinds = []
    for _ in range(300):
        expected = rng.uniform(5, 60, 6)
        kinds.append(funnel.dispersion(rng.poisson(expected), expected).kind)
    assert np.mean(np.array(kinds) != "none") == pytest.approx(0.05, abs=0.03)


def test_too_few_units_scatter_in_no_way_that_can_be_told() -> None:
    found = funnel.dispersion([300, 10], [100, 100])
    assert (found.kind, found.tau2, found.phi) == ("none", 0.0, 1.0)
    assert np.isnan(found.p_value)


def test_places_are_those_of_exact_tails() -> None:
    # 5 expected: 10 or more 0.032, 11 or more 0.0137, 14 or more 0.0007; none 0.0067. 12 expected: at most 5 0.0203.
    observed, expected = np.array([10, 11, 14, 0, 5, 3]), np.array([5.0, 5.0, 5.0, 5.0, 12.0, np.nan])
    table = funnel.funnel_table(units_of(observed, expected), overdispersion=NONE)
    assert table["place"].tolist() == ["inside", "high", "above", "low", "low", "undefined"]
    assert stats.poisson.sf(10, 5) < 0.025 < stats.poisson.sf(9, 5)


def test_an_expectation_that_is_counted_itself_widens_the_funnel() -> None:
    units = units_of(np.array([125.0]), np.array([100.0]))
    sure = funnel.funnel_table(units, overdispersion=NONE)
    counted = funnel.funnel_table(units.assign(expected_size=100.0), overdispersion=NONE)
    assert (sure["place"].iloc[0], counted["place"].iloc[0]) == ("high", "inside")
    assert counted["effective_cases"].iloc[0] == pytest.approx(50)
    # Negative binomial with size 100: what 95 of 100 such units stay under.
    assert counted["inner_high"].iloc[0] * 100 == pytest.approx(stats.nbinom.isf(0.025, 100, 0.5) + 1, abs=1)


def test_lines_of_the_funnel_pass_through_the_limits_of_its_units() -> None:
    expected = np.array([20.0, 80.0, 320.0])
    table = funnel.funnel_table(units_of(expected, expected), overdispersion=NONE)
    curve = funnel.limit_curve(table)
    for row in table.to_dict("records"):
        assert np.interp(row["effective_cases"], curve["effective_cases"], curve["inner_high"]) == pytest.approx(
            row["inner_high"], rel=0.01
        )
    assert funnel.limit_curve(table.head(0)).empty


def test_infant_surgery_flags_the_hospitals_that_its_exact_binomial_tails_flag(shared_data) -> None:
    table = pd.read_csv(shared_data / "profiling_small" / "surgical_12_hospitals.csv")
    expected = table["n"] * table["r"].sum() / table["n"].sum()
    found = funnel.funnel_table(units_of(table["r"].to_numpy(), expected.to_numpy()), overdispersion=NONE).set_index(table["hospital"])
    share = table["r"].sum() / table["n"].sum()
    high = stats.binom.sf(table["r"] - 1, table["n"], share) <= 0.025
    low = stats.binom.cdf(table["r"], table["n"], share) <= 0.025
    # Poisson tails are a little wider than binomial ones, never narrower: of B and H (high) and A and E (low) those beyond doubt stay.
    assert set(found.index[found["place"].isin(["high", "above"])]) <= set(table["hospital"][high])
    assert set(found.index[found["place"].isin(["low", "below"])]) <= set(table["hospital"][low])
    assert found.loc["H", "place"] in ("high", "above")
    assert funnel.dispersion(table["r"], expected).p_value < 0.05
