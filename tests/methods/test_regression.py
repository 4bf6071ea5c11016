"""Regression from cross-products, against statsmodels on the same cases."""

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.errors import DataError
from collect_analysis.methods.regression import Fit, adjusted_effects, fit_arms, robust_covariance


def products_of(frame: pd.DataFrame, covariates: list[str]) -> dict[str, dict[tuple[str, str], float]]:
    names = ["1", "y", *covariates]
    with_one = frame.assign(**{"1": 1.0})
    return {
        str(arm): {(a, b): float((part[a] * part[b]).sum()) for a, b in itertools.combinations_with_replacement(names, 2)}
        for arm, part in with_one.groupby("arm")
    }


def design_of(fit: Fit, frame: pd.DataFrame) -> np.ndarray:
    design = fit.design
    columns = [np.ones(len(frame)), *((frame["arm"] == arm).to_numpy(float) for arm in design.arms)]
    columns += [
        ((frame[name] - centre) / scale).to_numpy()
        for name, centre, scale in zip(design.covariates, design.centres, design.scales, strict=True)
    ]
    return np.column_stack(columns)


def meat_of(fit: Fit, frame: pd.DataFrame, cluster: np.ndarray | None = None) -> np.ndarray:
    z = design_of(fit, frame)
    e = frame["y"].to_numpy() - z @ fit.coefficients
    if cluster is None:
        leverage = np.einsum("ij,jk,ik->i", z, fit.inverse, z)
        return (z * (e**2 / (1 - leverage))[:, None]).T @ z
    scores = pd.DataFrame(z * e[:, None]).groupby(cluster).sum().to_numpy()
    return scores.T @ scores


@pytest.fixture
def cases() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 500
    arm = rng.choice(["champion", "a", "b"], n, p=[0.5, 0.3, 0.2])
    born, balance = 1950 + rng.normal(0, 15, n), rng.lognormal(10, 1, n)
    y = 500 + 20.0 * (arm == "a") - 3.0 * (arm == "b") + 0.004 * balance + 2 * (born - 1950) + rng.normal(0, 1 + balance / 5e3, n)
    return pd.DataFrame({"arm": arm, "y": y, "born": born, "balance": balance})


def reference(cases: pd.DataFrame, **options):
    x = pd.DataFrame({"a": cases["arm"] == "a", "b": cases["arm"] == "b", "born": cases["born"], "balance": cases["balance"]}).astype(float)
    return sm.OLS(cases["y"], sm.add_constant(x)).fit(use_t=True, **options)


def test_effects_and_hc2_errors_are_statsmodels(cases: pd.DataFrame) -> None:
    fit = fit_arms(products_of(cases, ["born", "balance"]), base="champion", covariates=["born", "balance"])
    table = adjusted_effects(fit, robust_covariance(fit, meat_of(fit, cases))).set_index("arm")
    expected = reference(cases, cov_type="HC2")
    for arm in ("a", "b"):
        interval = expected.conf_int().loc[arm]
        found = table.loc[arm, ["value", "se", "p_value", "low", "high"]].tolist()
        assert found == pytest.approx([expected.params[arm], expected.bse[arm], expected.pvalues[arm], *interval], rel=1e-8)


def test_classical_errors_are_statsmodels(cases: pd.DataFrame) -> None:
    fit = fit_arms(products_of(cases, ["born", "balance"]), base="champion", covariates=["born", "balance"])
    table = adjusted_effects(fit, fit.classical_covariance, method="classical").set_index("arm")
    assert table.loc["a", "se"] == pytest.approx(reference(cases).bse["a"], rel=1e-8)


def test_clustered_errors_are_statsmodels(cases: pd.DataFrame) -> None:
    cluster = np.arange(len(cases)) // 3
    fit = fit_arms(products_of(cases, ["born", "balance"]), base="champion", covariates=["born", "balance"])
    groups = len(np.unique(cluster))
    covariance = robust_covariance(fit, meat_of(fit, cases, cluster), clusters=groups)
    table = adjusted_effects(fit, covariance, method="cr1", clusters=groups).set_index("arm")
    expected = reference(cases, cov_type="cluster", cov_kwds={"groups": cluster})
    assert table.loc["b", "se"] == pytest.approx(expected.bse["b"], rel=1e-8)
    assert table.loc["b", "p_value"] == pytest.approx(expected.pvalues["b"], rel=1e-6)


def test_relative_effect_counts_that_effect_and_base_mean_move_together(cases: pd.DataFrame) -> None:
    fit = fit_arms(products_of(cases, ["born", "balance"]), base="champion", covariates=["born", "balance"])
    row = adjusted_effects(fit, robust_covariance(fit, meat_of(fit, cases))).set_index("arm").loc["a"]
    # The same ratio by statsmodels' own covariance of (const, a), covariates centred.
    centred = cases.assign(born=cases["born"] - cases["born"].mean(), balance=cases["balance"] - cases["balance"].mean())
    expected = reference(centred, cov_type="HC2")
    gradient = np.array([-expected.params["a"] / expected.params["const"] ** 2, 1 / expected.params["const"]])
    covariance = expected.cov_params().loc[["const", "a"], ["const", "a"]].to_numpy()
    se = np.sqrt(gradient @ covariance @ gradient)
    assert row["relative"] == pytest.approx(expected.params["a"] / expected.params["const"])
    assert (row["relative_high"] - row["relative"]) / se == pytest.approx(1.9648, abs=1e-3)


def test_scale_and_origin_of_a_covariate_do_not_matter(cases: pd.DataFrame) -> None:
    moved = cases.assign(born=cases["born"] * 1e6 + 3e9)
    one, other = (fit_arms(products_of(frame, ["born"]), base="champion", covariates=["born"]) for frame in (cases, moved))
    assert other.coefficients == pytest.approx(one.coefficients, rel=1e-7)


def test_a_constant_covariate_is_named_and_refused(cases: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="flat have the same value for every case"):
        fit_arms(products_of(cases.assign(flat=7.1), ["born", "flat"]), base="champion", covariates=["born", "flat"])


def test_a_covariate_that_repeats_another_is_named_and_refused(cases: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="'twice' is a combination"):
        fit_arms(products_of(cases.assign(twice=2 * cases["born"]), ["born", "twice"]), base="champion", covariates=["born", "twice"])


def test_fewer_cases_than_columns_are_refused(cases: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="3 cases for 4 columns"):
        fit_arms(products_of(cases[cases["arm"] != "b"].head(3), ["born", "balance"]), base="champion", covariates=["born", "balance"])
