"""The doubly robust comparison: closed forms, statsmodels, planted truth, and what is undefined."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.causal.nuisance import Comparison, Nuisance, cross_fitted, folds_of, widened
from collect_analysis.methods.trials.adjustment import NOTHING_LEFT, doubly_robust, naive_effect, weigh

from tests.bench.calibration_overlap import planted, run


def comparison(treated, outcome, covariates=None, clusters=None) -> Comparison:
    n = len(treated)
    x = np.zeros((n, 0)) if covariates is None else np.asarray(covariates, dtype=float).reshape(n, -1)
    return Comparison(
        treated=np.asarray(treated, dtype=bool),
        outcome=np.asarray(outcome, dtype=float),
        covariates=x,
        names=tuple(f"x{place}" for place in range(x.shape[1])),
        clusters=np.arange(n) if clusters is None else np.asarray(clusters),
    )


# Two strata by hand. Stratum a: 2 of 4 treated, treated mean 5, others 3. Stratum b: 1 of 4 treated, treated 9, others mean 4.
HAND = comparison([1, 1, 0, 0, 1, 0, 0, 0], [4, 6, 2, 4, 9, 3, 4, 5])
CELLS = Nuisance(propensity=np.repeat([0.5, 0.25], 4), if_treated=np.repeat([5.0, 9.0], 4), if_untreated=np.repeat([3.0, 4.0], 4))


def test_effect_on_the_treated_is_the_mean_of_strata_weighted_by_the_treated() -> None:
    row = doubly_robust(HAND, CELLS, target="treated", trim=0.0).iloc[0]
    assert row["value"] == pytest.approx((2 * 2 + 1 * 5) / 3)
    assert row["base_mean"] == pytest.approx((2 * 3 + 1 * 4) / 3)
    assert row["relative"] == pytest.approx(row["value"] / row["base_mean"])


def test_effect_on_everybody_is_the_mean_of_strata_weighted_by_all() -> None:
    row = doubly_robust(HAND, CELLS, target="everybody", trim=0.0).iloc[0]
    assert row["value"] == pytest.approx((4 * 2 + 4 * 5) / 8)
    # By hand: influence = effect of the stratum - 3.5, plus (treated) or minus (others) the residual over the chance of the arm.
    stratum_a, stratum_b = np.array([-1.0, 1.0]) / 0.5, np.array([-1.0, 0.0, 1.0]) / 0.75
    squares = (-1.5 + np.array([*stratum_a, *-stratum_a])) ** 2, (1.5 + np.array([0.0, *-stratum_b])) ** 2
    assert row["se"] == pytest.approx(np.sqrt((squares[0].sum() + squares[1].sum()) * 8 / 7) / 8)


def test_either_model_alone_mends_the_other() -> None:
    wrong_outcome = Nuisance(propensity=CELLS.propensity, if_treated=np.full(8, 7.0), if_untreated=np.full(8, -2.0))
    wrong_chance = Nuisance(propensity=np.full(8, 0.4), if_treated=CELLS.if_treated, if_untreated=CELLS.if_untreated)
    for target, truth in (("treated", 3.0), ("everybody", 3.5)):
        for nuisance in (wrong_outcome, wrong_chance):
            assert doubly_robust(HAND, nuisance, target=target, trim=0.0)["value"].iloc[0] == pytest.approx(truth)


def test_cross_fitted_estimate_is_that_of_statsmodels_on_the_same_folds() -> None:
    data, _ = planted(600, np.random.default_rng(3))
    # One covariate of two values, so that neither squares nor flags widen the design; penalties are what is left of a difference.
    x = (data.covariates[:, :1] > 0).astype(float)
    cases = comparison(data.treated, data.outcome, x)
    nuisance = cross_fitted(cases, folds=4, seed=7)
    fold = folds_of(cases.clusters, cases.treated, folds=4, seed=7)
    chance, above, below = (np.empty(600) for _ in range(3))
    design = sm.add_constant(x)
    for place in range(4):
        held, seen = fold == place, fold != place
        chance[held] = sm.Logit(cases.treated[seen].astype(float), design[seen]).fit(disp=0).predict(design[held])
        for arm, into in ((True, above), (False, below)):
            rows = seen & (cases.treated == arm)
            into[held] = sm.OLS(cases.outcome[rows], design[rows]).fit().predict(design[held])
    np.testing.assert_allclose(nuisance.propensity, chance, atol=2e-3)
    residual = (cases.treated - chance) / (1 - chance) * (cases.outcome - below)
    plain = residual.sum() / cases.treated.sum()
    ours = doubly_robust(cases, nuisance, target="treated", trim=0.0).iloc[0]
    assert ours["value"] == pytest.approx(plain, abs=0.01 * ours["se"] + 0.02 * abs(plain))
    score = above - below + cases.treated * (cases.outcome - above) / chance - ~cases.treated * (cases.outcome - below) / (1 - chance)
    everybody = doubly_robust(cases, nuisance, target="everybody", trim=0.0).iloc[0]
    assert everybody["value"] == pytest.approx(score.mean(), abs=0.05 * everybody["se"])
    assert everybody["se"] == pytest.approx(score.std(ddof=1) / np.sqrt(600), rel=0.02)


def test_naive_difference_and_its_error_are_those_of_least_squares() -> None:
    data, _ = planted(400, np.random.default_rng(4))
    clusters = np.arange(400) // 2
    row = naive_effect(comparison(data.treated, data.outcome, clusters=clusters)).iloc[0]
    fit = sm.OLS(data.outcome, sm.add_constant(data.treated.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    assert row["value"] == pytest.approx(fit.params[1])
    assert row["se"] == pytest.approx(fit.bse[1] * np.sqrt(200 / 199))


def test_cases_written_twice_in_one_cluster_are_no_evidence() -> None:
    data, _ = planted(500, np.random.default_rng(5))
    twice = Comparison(
        treated=np.tile(data.treated, 2),
        outcome=np.tile(data.outcome, 2),
        covariates=np.tile(data.covariates, (2, 1)),
        names=data.names,
        clusters=np.tile(data.clusters, 2),
    )
    truth = Nuisance(propensity=np.full(500, 0.5), if_treated=data.outcome * 0.5, if_untreated=data.outcome * 0.4)
    doubled = Nuisance(**{name: np.tile(getattr(truth, name), 2) for name in ("propensity", "if_treated", "if_untreated")})
    once, repeated = (doubly_robust(*pair, target="everybody").iloc[0] for pair in ((data, truth), (twice, doubled)))
    assert repeated["se"] == pytest.approx(once["se"])
    assert repeated["clusters"] == once["clusters"] == 500


def test_intervals_cover_the_planted_effect_and_only_one_model_need_be_right() -> None:
    table = run(40, seed=1).set_index("case")
    # 40 replications: a coverage of 95 % shows 82 to 100 % in all but 1 of 1,000 series.
    cover = table[table.index.str.contains("interval")]
    assert (cover["rate"] >= 0.82).all(), cover
    bias = table[table.index.str.contains("bias")]
    assert ((bias["low"] <= 0.25) & (bias["high"] >= -0.25)).all(), bias
    # Both arms as they are would be off by about eight standard errors.
    assert bias["rate"].abs().max() < 1


def test_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    data, _ = planted(300, np.random.default_rng(6))
    for model in ("linear", "boosting"):
        first, again, other = (cross_fitted(data, model=model, folds=3, seed=seed) for seed in (1, 1, 2))
        assert first.propensity.tobytes() == again.propensity.tobytes()
        assert first.propensity.tobytes() != other.propensity.tobytes()


def test_a_cluster_is_never_learned_from_and_judged_at_once() -> None:
    clusters = np.repeat(np.arange(100), 3)
    treated = np.repeat(np.arange(100) % 7 == 0, 3)
    fold = folds_of(clusters, treated, folds=5, seed=1)
    assert (fold.reshape(100, 3) == fold[::3, None]).all()
    counts = pd.Series(treated).groupby(fold).sum()
    assert counts.max() - counts.min() <= 3


def test_amounts_with_a_mass_at_zero_get_a_square_and_a_flag_and_yes_no_gets_neither() -> None:
    amounts, flag = np.array([0, 0, 1, 2, 3, 4.0]), np.array([0, 1, 0, 1, 0, 1.0])
    wide = widened(np.column_stack([amounts, flag]))
    assert wide.shape[1] == 4
    assert wide[:, 3].tolist() == [1, 1, 0, 0, 0, 0]


def test_trimming_keeps_what_the_target_can_be_compared_in() -> None:
    treated, chance = np.array([True, True, False, False]), np.array([0.02, 0.97, 0.02, 0.5])
    on_treated, on_all = (weigh(treated, chance, target=target, trim=0.05) for target in ("treated", "everybody"))
    assert on_treated.kept.tolist() == [True, False, True, True]
    assert on_treated.kept_share == 0.5
    assert on_all.kept.tolist() == [False, False, False, True]
    assert on_treated.weights.tolist() == pytest.approx([1, 0, 0.02 / 0.98, 1])


def test_an_arm_without_cases_has_no_effect_and_says_why() -> None:
    alone = comparison([1, 1, 1], [1, 2, 3])
    sure = Nuisance(propensity=np.full(3, 0.99), if_treated=np.ones(3), if_untreated=np.ones(3))
    for row in (naive_effect(alone).iloc[0], doubly_robust(alone, sure).iloc[0]):
        assert np.isnan(row["value"])
        assert row["note"] == NOTHING_LEFT


def test_unfit_input_is_refused_with_all_problems_at_once() -> None:
    with pytest.raises(DataError) as refusal:
        Comparison(
            treated=np.array([True, False]),
            outcome=np.array([1.0, np.nan, 2.0]),
            covariates=np.zeros((2, 1)),
            names=("a", "b"),
            clusters=np.arange(2),
        )
    assert len(refusal.value.problems) == 3
    with pytest.raises(ParameterError, match="at least"):
        cross_fitted(HAND, folds=1)
    with pytest.raises(ParameterError, match="trim"):
        weigh(HAND.treated, CELLS.propensity, target="treated", trim=0.5)
