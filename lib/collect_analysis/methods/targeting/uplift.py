"""Where does a treatment work better? Learned on one half of a randomised test, judged on the other.

Everything rests on *effect scores*: one number per case whose mean over any group of cases, chosen by what was known before, is the
treatment's effect in that group. With known probabilities of treatment they are unbiased whatever the outcome models inside them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from collect_analysis.errors import DataError
from collect_analysis.methods.profiling.prognosis import Encoder, cluster_error, one_thread
from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
FOLDS = 5
DRAWS = 999
POINTS = 20
ONE_PREDICTION = "every case has the same predicted effect: there is nothing to rank"


def effect_scores(y: ArrayLike, treated: ArrayLike, propensity: ArrayLike, mean_treated: ArrayLike, mean_untreated: ArrayLike) -> Floats:
    """What does each case tell about the effect of the treatment?

    Formula: m1 - m0 + T(y - m1)/e - (1-T)(y - m0)/(1-e), e the probability of treatment, m1 and m0 the outcomes expected with and without
    it from a model that did not see the case (zeros: inverse propensity alone). Shapes (cases,). Unit: the outcome's.
    Raises DataError: a probability of 0 or 1.
    Source: Robins, Rotnitzky & Zhao, JASA 89 (1994) 846.
    """
    outcome, t, e, m1, m0 = (np.asarray(item, dtype=float) for item in (y, treated, propensity, mean_treated, mean_untreated))
    certain = ~((e > 0) & (e < 1))
    if certain.any():
        raise DataError(
            f"effect scores: {int(certain.sum())} of {e.size} cases were treated with probability 0 or 1; compare cases that could have "
            "got either"
        )
    return m1 - m0 + t * (outcome - m1) / e - (1 - t) * (outcome - m0) / (1 - e)


@dataclass(frozen=True, kw_only=True)
class Uplift:
    """What was learned: `predict` gives the expected effect of a case, `outcomes` the outcomes expected with and without treatment.

    `scores` are the effect scores of the cases learned from, shape (cases,), each from models that did not see its cluster.
    """

    encoder: Encoder
    scores: Floats
    effect: Callable[[Floats], Floats]
    arms: tuple[tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]], ...]

    def predict(self, x: pd.DataFrame) -> Floats:
        """Expected effect of the treatment on each case, in the outcome's unit."""
        return self.effect(self.encoder.numbers(x))

    def outcomes(self, x: pd.DataFrame) -> tuple[Floats, Floats]:
        """Expected outcome with and without treatment, the mean over the models of the folds."""
        numbers = self.encoder.numbers(x)
        pairs = [(treated(numbers), untreated(numbers)) for treated, untreated in self.arms]
        return np.mean([pair[0] for pair in pairs], axis=0), np.mean([pair[1] for pair in pairs], axis=0)


def learn_uplift(
    x: pd.DataFrame, y: ArrayLike, treated: ArrayLike, propensity: ArrayLike, cluster: ArrayLike, *, rng: np.random.Generator, seed: int
) -> Uplift:
    """How much more does the treatment do for some than for others, by what was known before it?

    Doubly robust learner: outcome models per arm (boosted trees, five folds of clusters), effect scores from the folds that did not see the
    case, then a small boosted model of the scores on the factors. Only for treatments given by lot: propensity is the known probability.
    What it says is a guess until it was judged on cases it never saw (`qini`, `heterogeneity_test`).
    Raises DataError: an arm has no case in a fold, or a probability is 0 or 1.
    Source: Kennedy, Electronic Journal of Statistics 17 (2023) 3008.
    """
    outcome, arm = np.asarray(y, dtype=float), np.asarray(treated, dtype=int)
    encoder = Encoder.of(x)
    numbers = encoder.numbers(x)
    codes = pd.factorize(np.asarray(cluster))[0]
    fold = rng.permutation(int(codes.max()) + 1)[codes] % FOLDS
    mean_treated, mean_untreated = np.empty(len(outcome)), np.empty(len(outcome))
    arms = []
    for own in range(FOLDS):
        rest = fold != own
        for code in (0, 1):
            if not (rest & (arm == code)).any():
                raise DataError(f"uplift: no {'treated' if code else 'untreated'} case to learn from; both arms need cases")
        pair = tuple(_regression(numbers[rest & (arm == code)], outcome[rest & (arm == code)], encoder, seed=seed) for code in (1, 0))
        mean_treated[~rest], mean_untreated[~rest] = pair[0](numbers[~rest]), pair[1](numbers[~rest])
        arms.append((pair[0], pair[1]))
    scores = effect_scores(outcome, arm, propensity, mean_treated, mean_untreated)
    return Uplift(encoder=encoder, scores=scores, effect=_regression(numbers, scores, encoder, seed=seed, careful=True), arms=tuple(arms))


def _regression(numbers: Floats, y: Floats, encoder: Encoder, *, seed: int, careful: bool = False) -> Callable[[Floats], Floats]:
    """Boosted regression trees; `careful` for effect scores, whose noise is many times what is looked for."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    steps = {"max_depth": 2, "learning_rate": 0.05, "max_iter": 40} if careful else {"max_depth": 3, "learning_rate": 0.1, "max_iter": 60}
    model = HistGradientBoostingRegressor(
        **steps, min_samples_leaf=max(20, len(y) // (20 if careful else 200)), l2_regularization=1.0,
        categorical_features=encoder.categorical, early_stopping=False, random_state=seed,
    )  # fmt: skip
    with one_thread():
        fitted = model.fit(numbers, y)

    def predict(other: Floats) -> Floats:
        with one_thread():
            return np.asarray(fitted.predict(other), dtype=float)

    return predict


def _rank_weights(predicted: Floats, weight: Floats, order: NDArray[np.intp], group: NDArray[np.intp]) -> Floats:
    """Share of the cases that are served before each one, the highest prediction first; equal predictions share their middle place."""
    by_group = np.bincount(group, weights=weight[order])
    before = np.concatenate([[0.0], np.cumsum(by_group)[:-1]])
    place = np.empty(len(predicted))
    place[order] = (before + by_group / 2)[group]
    return place / weight.sum()


def _ranking(predicted: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    order = np.argsort(-predicted, kind="stable")
    return order, np.concatenate([[0], np.cumsum(np.diff(predicted[order]) != 0)]).astype(np.intp)


def qini_coefficient(scores: ArrayLike, predicted: ArrayLike) -> float:
    """How much more does treating the highest predictions first bring than treating in any order?

    Formula: area between the Qini curve (gain per case of the whole group, over the share treated) and the straight line to its end,
    Σ score·(1/2 - place)/n with place the share served before. In the outcome's unit per case; 0: the order is worth nothing.
    Source: Radcliffe, Direct Marketing Analytics Journal 1 (2007) 14; as a mean of scores: Yadlowsky et al., JASA 120 (2025) 38.
    """
    score, value = np.asarray(scores, dtype=float), np.asarray(predicted, dtype=float)
    place = _rank_weights(value, np.ones(len(value)), *_ranking(value))
    return float((score * (0.5 - place)).mean())


def qini(
    scores: ArrayLike, predicted: ArrayLike, cluster: ArrayLike, *, rng: np.random.Generator, draws: int = DRAWS, level: float = CONFIDENCE
) -> dict[str, float | str]:
    """Is the order of the predictions worth anything on cases that were not learned from?

    Returns value (`qini_coefficient`), low, high (percentiles of a bootstrap that draws clusters and ranks anew), se, cases, note.
    Undefined (NaN, note): every prediction is the same.
    """
    score, value = np.asarray(scores, dtype=float), np.asarray(predicted, dtype=float)
    if np.ptp(value) == 0:
        nothing = dict.fromkeys(("value", "low", "high", "se"), float("nan"))
        return {**nothing, "cases": float(len(value)), "note": ONE_PREDICTION}
    order, group = _ranking(value)
    codes = pd.factorize(np.asarray(cluster))[0]
    clusters = int(codes.max()) + 1
    drawn = np.empty(draws)
    for draw in range(draws):
        weight = np.bincount(rng.integers(0, clusters, clusters), minlength=clusters)[codes].astype(float)
        place = _rank_weights(value, weight, order, group)
        drawn[draw] = float(weight @ (score * (0.5 - place))) / float(weight.sum())
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return {
        "value": qini_coefficient(score, value), "low": float(low), "high": float(high), "se": float(drawn.std(ddof=1)),
        "cases": float(len(value)), "note": "",
    }  # fmt: skip


def qini_curve(scores: ArrayLike, predicted: ArrayLike, cluster: ArrayLike, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """What does treating the most promising share of the cases bring, against the same share in any order?

    Columns: treated (share of the cases, 0 to 1 in twentieths), value (gain per case of the whole group), low, high (errors by cluster,
    pointwise), random (the straight line), cases (treated). Equal predictions are treated in proportion.
    """
    score, predictions = np.asarray(scores, dtype=float), np.asarray(predicted, dtype=float)
    n, z = len(score), float(stats.norm.ppf((1 + level) / 2))
    order, group = _ranking(predictions)
    sizes = np.bincount(group)
    before = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rows = []
    for share in np.arange(POINTS + 1) / POINTS:
        part = np.empty(n)
        part[order] = np.clip((share * n - before) / sizes, 0, 1)[group]
        gained = part * score
        half = z * cluster_error((gained - gained.mean()) / n, cluster)
        value = float(gained.mean())
        rows.append({"treated": share, "value": value, "low": value - half, "high": value + half, "cases": round(share * n)})
    table = pd.DataFrame(rows)
    return table.assign(random=table["treated"] * float(score.mean()))


def uplift_calibration(
    scores: ArrayLike, predicted: ArrayLike, cluster: ArrayLike, *, groups: int = 5, level: float = CONFIDENCE
) -> pd.DataFrame:
    """Is the effect larger where it was predicted to be larger?

    Cases in `groups` of equal size by predicted effect. Columns: group (1: least predicted), cases, predicted (mean), value (observed
    effect), low, high (errors by cluster). Equal predictions stay in one group.
    """
    score, value = np.asarray(scores, dtype=float), np.asarray(predicted, dtype=float)
    place = np.minimum(((stats.rankdata(value) - 0.5) / len(value) * groups).astype(int), groups - 1)
    z = float(stats.norm.ppf((1 + level) / 2))
    rows = []
    for group in np.unique(place):
        own = place == group
        mean, error = group_effect(score, own, cluster)
        low, high = mean - z * error, mean + z * error
        shown = {"cases": int(own.sum()), "predicted": float(value[own].mean())}
        rows.append({**shown, "value": mean, "low": low, "high": high})
    table = pd.DataFrame(rows)
    table.insert(0, "group", np.arange(1, len(table) + 1))
    return table


def group_effect(scores: Floats, chosen: NDArray[np.bool_], cluster: ArrayLike) -> tuple[float, float]:
    """Effect among the chosen cases and its standard error by cluster; NaN where nobody is chosen."""
    count = int(chosen.sum())
    if not count:
        return float("nan"), float("nan")
    mean = float(scores[chosen].mean())
    return mean, cluster_error(np.where(chosen, scores - mean, 0.0) / count, cluster)


def heterogeneity_test(scores: ArrayLike, predicted: ArrayLike, cluster: ArrayLike, *, level: float = CONFIDENCE) -> dict[str, float | str]:
    """Does the effect differ with what was predicted, on cases that were not learned from?

    Least squares of the effect scores on the centred predictions, errors by cluster. Returns value (slope: 0 no heterogeneity found, 1
    predicted as it is), low, high, se, p_value (slope 0, two-sided), effect, effect_low, effect_high (of treating all), cases, note.
    Undefined (NaN, note): every prediction is the same.
    Source: best linear predictor of Chernozhukov, Demirer, Duflo & Fernández-Val, Econometrica 93 (2025).
    """
    score, value = np.asarray(scores, dtype=float), np.asarray(predicted, dtype=float)
    z = float(stats.norm.ppf((1 + level) / 2))
    effect, effect_error = group_effect(score, np.ones(len(score), dtype=bool), cluster)
    overall = {
        "effect": effect,
        "effect_low": effect - z * effect_error,
        "effect_high": effect + z * effect_error,
        "cases": float(len(score)),
    }
    centred = value - value.mean()
    spread = float(centred @ centred)
    if np.ptp(value) == 0:
        nothing = dict.fromkeys(("value", "low", "high", "se", "p_value"), float("nan"))
        return {**nothing, **overall, "note": ONE_PREDICTION}
    slope = float(centred @ score) / spread
    error = cluster_error(centred * (score - effect - slope * centred) / spread, cluster)
    p_value = float(2 * stats.norm.sf(abs(slope / error))) if error > 0 else float("nan")
    return {"value": slope, "low": slope - z * error, "high": slope + z * error, "se": error, "p_value": p_value, **overall, "note": ""}
