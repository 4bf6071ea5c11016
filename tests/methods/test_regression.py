"""Regression from cross-products, against statsmodels on the same cases."""

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.errors import DataError
from collect_analysis.methods.trials.regression import Fit, adjusted_effects, fit_arms, robust_covariance, variance_reduction
from scipy import stats


def products_of(frame: pd.DataFrame, covariates: list[str]) -> dict[str, dict[tuple[str, str], float]]:
    names = ["1", "y", *covariates]
    with_one = frame.assign(**{"1": 1.0})
    return {
        str(arm): {(a, b): float((part[a] * part[b]).sum()) for a, b in itertools.combinations_with_replacement(names, 2)}
        for arm, part in with_one.groupby("arm")
    }


def squares_of(fit: Fit, frame: pd.DataFrame, cluster: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Per arm the sums that robust errors need, case by case."""
    squares = {}
    for arm in fit.arm_cases:
        rows = (frame["arm"] == arm).to_numpy()
        part = frame[rows]
        x = np.column_stack(
            [np.ones(len(part))]
            + [(part[n] - c) / s for n, c, s in zip(fit.design.covariates, fit.design.centres, fit.design.scales, strict=True)]
        )
        e = part["y"].to_numpy() - x @ fit.line_of(arm)
        if cluster is None:
            leverage = np.einsum("ij,jk,ik->i", x, fit.leverage_of(arm), x)
            squares[arm] = (x * (e**2 / (1 - leverage))[:, None]).T @ x
        else:
            scores = pd.DataFrame(x * e[:, None]).groupby(cluster[rows]).sum().to_numpy()
            squares[arm] = scores.T @ scores
    return squares


COVARIATES = ["born", "balance"]


@pytest.fixture
def cases() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 500
    arm = rng.choice(["champion", "a", "b"], n, p=[0.5, 0.3, 0.2])
    born, balance = 1950 + rng.normal(0, 15, n), rng.lognormal(10, 1, n)
    y = 500 + 20.0 * (arm == "a") - 3.0 * (arm == "b") + 0.004 * balance + 2 * (born - 1950) + rng.normal(0, 1 + balance / 5e3, n)
    return pd.DataFrame({"arm": arm, "y": y, "born": born, "balance": balance})


def reference(cases: pd.DataFrame, *, interacted: bool = True, **options):
    """The same regression by statsmodels, case by case, covariates centred."""
    x = pd.DataFrame({arm: (cases["arm"] == arm).astype(float) for arm in ("a", "b")})
    for name in COVARIATES:
        x[name] = cases[name] - cases[name].mean()
        if interacted:
            for arm in ("a", "b"):
                x[f"{name}:{arm}"] = x[name] * x[arm]
    return sm.OLS(cases["y"], sm.add_constant(x)).fit(use_t=True, **options)


def fitted(cases: pd.DataFrame, *, interacted: bool = True) -> Fit:
    return fit_arms(products_of(cases, COVARIATES), base="champion", covariates=COVARIATES, interacted=interacted)


@pytest.mark.parametrize("interacted", [True, False])
def test_effects_and_hc2_errors_are_statsmodels(cases: pd.DataFrame, interacted: bool) -> None:
    fit = fitted(cases, interacted=interacted)
    table = adjusted_effects(fit, robust_covariance(fit, squares_of(fit, cases))).set_index("arm")
    expected = reference(cases, interacted=interacted, cov_type="HC2")
    for arm in ("a", "b"):
        assert table.loc[arm, ["value", "se"]].tolist() == pytest.approx([expected.params[arm], expected.bse[arm]], rel=1e-8)
    assert fit.residual_squares == pytest.approx(expected.ssr, rel=1e-8)


def test_classical_errors_are_statsmodels(cases: pd.DataFrame) -> None:
    fit = fitted(cases, interacted=False)
    table = adjusted_effects(fit, fit.classical_covariance, method="classical").set_index("arm")
    expected = reference(cases, interacted=False)
    assert table.loc["a", ["se", "p_value"]].tolist() == pytest.approx([expected.bse["a"], expected.pvalues["a"]], rel=1e-8)


@pytest.mark.parametrize("interacted", [True, False])
def test_clustered_errors_are_statsmodels(cases: pd.DataFrame, interacted: bool) -> None:
    cases = cases.sort_values("arm", ignore_index=True)
    cluster = (cases.groupby("arm").cumcount() // 3).astype(str) + cases["arm"]
    fit = fitted(cases, interacted=interacted)
    clusters = cluster.groupby(cases["arm"]).nunique().to_dict()
    covariance = robust_covariance(fit, squares_of(fit, cases, cluster.to_numpy()), clusters=clusters)
    table = adjusted_effects(fit, covariance, method="cr1", clusters=clusters).set_index("arm")
    expected = reference(cases, interacted=interacted, cov_type="cluster", cov_kwds={"groups": cluster})
    assert table.loc["b", "se"] == pytest.approx(expected.bse["b"], rel=1e-8)
    if not interacted:
        assert table.loc["b", "p_value"] == pytest.approx(expected.pvalues["b"], rel=1e-6)


def test_with_slopes_of_its_own_each_arm_is_a_regression_of_its_own(cases: pd.DataFrame) -> None:
    """Lin's effect is the difference of two predictions at the mean of the covariates, its degrees of freedom are Welch's."""
    fit = fitted(cases)
    row = adjusted_effects(fit, robust_covariance(fit, squares_of(fit, cases))).set_index("arm").loc["b"]
    at = np.array([1.0, *cases[COVARIATES].mean()])
    means, variances, free = [], [], []
    for arm in ("b", "champion"):
        own = cases[cases["arm"] == arm]
        model = sm.OLS(own["y"], sm.add_constant(own[COVARIATES])).fit(cov_type="HC2")
        means.append(at @ model.params)
        variances.append(at @ model.cov_params().to_numpy() @ at)
        free.append(len(own) - 3)
    assert row["value"] == pytest.approx(means[0] - means[1], rel=1e-8)
    assert row["se"] ** 2 == pytest.approx(sum(variances), rel=1e-6)
    assert row["df"] == pytest.approx(sum(variances) ** 2 / sum(v**2 / d for v, d in zip(variances, free, strict=True)), rel=1e-6)


def test_several_arms_have_intervals_that_hold_together(cases: pd.DataFrame) -> None:
    fit = fitted(cases)
    covariance = robust_covariance(fit, squares_of(fit, cases))
    row = adjusted_effects(fit, covariance).set_index("arm").loc["a"]
    assert row["level"] == pytest.approx(0.975)
    assert (row["high"] - row["value"]) / row["se"] == pytest.approx(stats.t.ppf(0.9875, row["df"]))


def test_relative_effect_counts_that_effect_and_base_mean_move_together(cases: pd.DataFrame) -> None:
    two = cases[cases["arm"] != "b"].reset_index(drop=True)
    fit = fitted(two)
    row = adjusted_effects(fit, robust_covariance(fit, squares_of(fit, two))).set_index("arm").loc["a"]
    x = pd.DataFrame({"a": (two["arm"] == "a").astype(float)})
    for name in COVARIATES:
        x[name] = two[name] - two[name].mean()
        x[f"{name}:a"] = x[name] * x["a"]
    expected = sm.OLS(two["y"], sm.add_constant(x)).fit(cov_type="HC2")
    assert row["relative"] == pytest.approx(expected.params["a"] / expected.params["const"])
    # At a bound R the test of "a - R·const is 0" stands exactly at the limit.
    t = stats.t.ppf(0.975, row["df"])
    for bound, side in ((row["relative_low"], 1), (row["relative_high"], -1)):
        test = expected.t_test(np.array([[-bound, 1.0, *[0.0] * (len(expected.params) - 2)]]))
        assert float(test.tvalue.squeeze()) == pytest.approx(side * t, rel=1e-6)


def test_without_covariates_it_is_the_comparison_of_two_means(cases: pd.DataFrame) -> None:
    fit = fit_arms(products_of(cases, []), base="champion", covariates=[])
    row = adjusted_effects(fit, robust_covariance(fit, squares_of(fit, cases))).set_index("arm").loc["a"]
    a, champion = (cases.loc[cases["arm"] == arm, "y"] for arm in ("a", "champion"))
    welch = stats.ttest_ind(a, champion, equal_var=False)
    assert [row["value"], row["p_value"], row["df"]] == pytest.approx([a.mean() - champion.mean(), welch.pvalue, welch.df])


def test_the_reduction_is_realised_not_promised() -> None:
    plain = pd.DataFrame(
        {"arm": ["a"], "value": [1.0], "low": 0.0, "high": 2.0, "relative": 0.1, "relative_low": 0.0, "relative_high": 0.2}
    )
    table = variance_reduction({"plain": plain.assign(se=2.0), "lin": plain.assign(se=1.0), "useless": plain.assign(se=2.2)})
    assert table["method"].tolist() == ["plain", "lin", "useless"]
    assert table["reduction"].tolist() == pytest.approx([0.0, 0.75, -0.21])
    assert table["multiplier"].tolist() == pytest.approx([1.0, 4.0, 1 / 1.21])
    assert variance_reduction({}).empty


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


def test_a_covariate_that_does_not_vary_within_one_arm_is_named_with_the_arm(cases: pd.DataFrame) -> None:
    rare = cases.assign(rare=((cases["arm"] != "b") & (cases.index % 2 == 0)).astype(float))
    with pytest.raises(DataError, match="'rare' is a combination of the columns before it within arm 'b'"):
        fit_arms(products_of(rare, ["born", "rare"]), base="champion", covariates=["born", "rare"])
    fit_arms(products_of(rare, ["born", "rare"]), base="champion", covariates=["born", "rare"], interacted=False)


def test_fewer_cases_than_columns_are_refused(cases: pd.DataFrame) -> None:
    few = pd.concat([cases[cases["arm"] == "champion"], cases[cases["arm"] == "a"].head(3)])
    with pytest.raises(DataError, match=r"3 cases for 3 columns \(a\)"):
        fit_arms(products_of(few, COVARIATES), base="champion", covariates=COVARIATES)
