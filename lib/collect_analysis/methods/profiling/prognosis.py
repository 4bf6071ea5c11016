"""What predicts an outcome: a model fitted on one part of the cases, judged on another that it never saw.

Says who will pay, not what makes people pay: a factor that predicts may be nothing that anybody can or may change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from collect_analysis.errors import DataError
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import wilson_interval

Floats = NDArray[np.float64]
FOLDS = 8
# Points of a number at which its partial effect is read, and cases over which the other factors are averaged.
GRID, AVERAGED = 9, 2_000
# Categories of one factor that are told apart; the rarer ones are one.
MOST_CATEGORIES = 30
OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Turns a table of factors into numbers for the models: numbers as they are, categories as codes (unknown ones are missing)."""

    factors: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, x: pd.DataFrame) -> "Encoder":
        """The encoding of the factors of `x`; columns that are not numbers are categories."""
        named = {}
        for name in x.columns:
            if not pd.api.types.is_numeric_dtype(x[name]):
                counts = x[name].dropna().astype(str).value_counts()
                ordered = sorted(counts.index, key=lambda item: (-counts[item], item))
                kept = sorted(ordered[:MOST_CATEGORIES])
                named[str(name)] = (*kept, OTHER) if len(ordered) > MOST_CATEGORIES else tuple(kept)
        return cls(factors=tuple(map(str, x.columns)), categories=named)

    def numbers(self, x: pd.DataFrame) -> Floats:
        """Shape (cases, factors); missing values are NaN, categories their place in `categories`."""
        columns = []
        for name in self.factors:
            if name not in self.categories:
                columns.append(x[name].to_numpy(dtype=float, na_value=np.nan))
                continue
            known = self.categories[name]
            text = x[name].astype(object).where(x[name].notna())
            codes = text.map({item: place for place, item in enumerate(known)}).to_numpy(dtype=float, na_value=np.nan)
            if OTHER in known:
                codes = np.where(np.isnan(codes) & x[name].notna().to_numpy(), float(known.index(OTHER)), codes)
            columns.append(codes)
        return np.column_stack(columns) if columns else np.empty((len(x), 0))

    @property
    def categorical(self) -> list[bool]:
        """Which columns are categories."""
        return [name in self.categories for name in self.factors]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted probability model: `predict(x)` gives the probability of a yes for each row of a table of factors."""

    encoder: Encoder
    fitted: Any

    def predict(self, x: pd.DataFrame) -> Floats:
        """Shape (cases,), probabilities."""
        return self.from_numbers(self.encoder.numbers(x))

    def from_numbers(self, numbers: Floats) -> Floats:
        """As `predict`, of encoded factors."""
        with one_thread():
            return np.asarray(self.fitted.predict_proba(numbers)[:, 1], dtype=float)


def one_thread() -> Any:
    """A context in which models fit and predict on one thread: on a busy machine threads that wait for each other are many times slower."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def fit_prognosis(x: pd.DataFrame, y: ArrayLike, *, seed: int, encoder: Encoder | None = None) -> Model:
    """How likely is a yes, given the factors?

    Gradient-boosted trees of depth 3 (scikit-learn, HistGradientBoostingClassifier): missing values and categories need no preparation,
    and steps and interactions are found. `x`: one column per factor, `y` shape (cases,) of 0 and 1. Same input, same model.
    Raises DataError: `y` has one class only.
    Source: Friedman, Annals of Statistics 29 (2001) 1189.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    outcome = np.asarray(y, dtype=int)
    if len(np.unique(outcome)) < 2:
        raise DataError(f"prognosis: all {len(outcome)} cases have the same outcome; there is nothing to predict")
    own = encoder or Encoder.of(x)
    model = HistGradientBoostingClassifier(
        max_depth=3, learning_rate=0.1, max_iter=80, min_samples_leaf=max(20, len(outcome) // 500), l2_regularization=1.0,
        categorical_features=own.categorical, early_stopping=False, random_state=seed,
    )  # fmt: skip
    with one_thread():
        return Model(encoder=own, fitted=model.fit(own.numbers(x), outcome))


def area_under_curve(y: ArrayLike, score: ArrayLike) -> tuple[float, Floats]:
    """How often does a case with a yes score above one with a no (ties count half), and what does each case add to the error of that?

    Returns the area and its influence values, shape (cases,): Var = Σ over clusters of (Σ influence)². NaN with one class only.
    Source: DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837; clusters: Obuchowski, Biometrics 53 (1997) 567.
    """
    yes, value = np.asarray(y, dtype=float) > 0, np.asarray(score, dtype=float)
    positives, negatives = int(yes.sum()), int((~yes).sum())
    if not positives or not negatives:
        return float("nan"), np.full(len(yes), np.nan)
    overall = stats.rankdata(value)
    placement = np.empty(len(yes))
    placement[yes] = (overall[yes] - stats.rankdata(value[yes])) / negatives
    placement[~yes] = 1 - (overall[~yes] - stats.rankdata(value[~yes])) / positives
    area = float(placement[yes].mean())
    return area, (placement - area) / np.where(yes, positives, negatives)


def cluster_error(influence: Floats, cluster: ArrayLike) -> float:
    """Standard error of an estimate from the influence of each case, cases of one cluster (customer) together; G/(G-1) for few clusters."""
    sums = np.bincount(pd.factorize(np.asarray(cluster))[0], weights=influence)
    if len(sums) < 2:
        return float("nan")
    return float(np.sqrt(float(sums @ sums) * len(sums) / (len(sums) - 1)))


def judge_prognosis(y: ArrayLike, probability: ArrayLike, cluster: ArrayLike, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """How good are the predictions on cases that the model never saw?

    Rows (column `measure`): auc (0.5: a coin, 1: perfect order), brier (mean squared error of the probability), brier_base (the same if
    everybody got the mean), log_loss, slope (of the outcome's logit on the predicted one: 1 is calibrated, under 1 predictions are too
    extreme), observed (share of yes), predicted (mean probability). Columns: measure, value, low, high, cases; intervals count clusters.
    Undefined (NaN, with note): one class only.
    Source: Brier (1950); calibration slope: Cox, Biometrika 45 (1958) 562.
    """
    outcome, p = np.asarray(y, dtype=float), np.clip(np.asarray(probability, dtype=float), 1e-9, 1 - 1e-9)
    n, z = len(outcome), float(stats.norm.ppf((1 + level) / 2))
    rows = []

    def row(measure: str, value: float, influence: Floats) -> None:
        half = z * cluster_error(influence, cluster)
        rows.append({"measure": measure, "value": value, "low": value - half, "high": value + half, "cases": n})

    def mean(measure: str, values: Floats) -> None:
        row(measure, float(values.mean()), (values - values.mean()) / n)

    row("auc", *area_under_curve(outcome, p))
    mean("brier", (outcome - p) ** 2)
    mean("brier_base", (outcome - outcome.mean()) ** 2)
    mean("log_loss", -(outcome * np.log(p) + (1 - outcome) * np.log(1 - p)))
    row("slope", *calibration_slope(outcome, p))
    mean("observed", outcome)
    mean("predicted", p)
    table = pd.DataFrame(rows)
    return table.assign(note=np.where(table["value"].isna(), "one outcome only: nothing to judge", ""))


def calibration_slope(y: ArrayLike, probability: ArrayLike) -> tuple[float, Floats]:
    """By how much must the predicted log-odds be stretched to fit what happened?

    Logistic regression of the outcome on logit(probability) with an intercept, by Newton's method. Returns the slope and its influence
    values (robust errors). NaN with one class only or equal probabilities.
    """
    outcome, p = np.asarray(y, dtype=float), np.clip(np.asarray(probability, dtype=float), 1e-9, 1 - 1e-9)
    logit = special.logit(p)
    undefined = float("nan"), np.full(len(outcome), np.nan)
    if outcome.min() == outcome.max() or np.ptp(logit) < 1e-9:
        return undefined
    z = np.column_stack([np.ones(len(logit)), logit])
    beta = np.array([0.0, 1.0])
    for _ in range(50):
        fitted = special.expit(z @ beta)
        information = (z * (fitted * (1 - fitted))[:, None]).T @ z
        step = np.linalg.solve(information, z.T @ (outcome - fitted))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    fitted = special.expit(z @ beta)
    inverse = np.linalg.inv((z * (fitted * (1 - fitted))[:, None]).T @ z)
    return float(beta[1]), (z * (outcome - fitted)[:, None]) @ inverse[1]


def calibration_table(y: ArrayLike, probability: ArrayLike, *, groups: int = 10) -> pd.DataFrame:
    """Do those who were said to pay with a certain probability pay so often?

    Cases in `groups` of equal size by predicted probability. Columns: group (1: least likely), cases, predicted (mean probability), value
    (observed share), low, high (Wilson), numerator, denominator. Equal probabilities stay in one group, so there may be fewer groups.
    """
    outcome, p = np.asarray(y, dtype=float), np.asarray(probability, dtype=float)
    # The middle rank keeps equal probabilities together.
    place = np.minimum(((stats.rankdata(p) - 0.5) / len(p) * groups).astype(int), groups - 1)
    frame = pd.DataFrame({"group": place, "p": p, "y": outcome}).groupby("group")
    table = frame.agg(cases=("y", "size"), predicted=("p", "mean"), numerator=("y", "sum")).reset_index(drop=True)
    low, high = wilson_interval(table["numerator"], table["cases"])
    return table.assign(
        group=np.arange(1, len(table) + 1), value=table["numerator"] / table["cases"], low=low, high=high, denominator=table["cases"]
    )[["group", "cases", "predicted", "value", "low", "high", "numerator", "denominator"]]


def permutation_importance(
    model: Model,
    x: pd.DataFrame,
    y: ArrayLike,
    cluster: ArrayLike,
    *,
    rng: np.random.Generator,
    repeats: int = 5,
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """How much order do the predictions lose when one factor is shuffled among the cases?

    Formula: AUC - mean AUC over `repeats` shuffles of the factor, on cases that the model never saw; interval from the influence values of
    the difference. A factor that another one can stand in for loses little. Columns: factor, value, low, high; the largest first.
    Source: Breiman, Machine Learning 45 (2001) 5.
    """
    numbers = model.encoder.numbers(x)
    area, influence = area_under_curve(y, model.from_numbers(numbers))
    z = float(stats.norm.ppf((1 + level) / 2))
    rows = []
    for place, name in enumerate(model.encoder.factors):
        areas, influences = [], []
        for _ in range(repeats):
            shuffled = numbers.copy()
            shuffled[:, place] = rng.permutation(shuffled[:, place])
            changed = area_under_curve(y, model.from_numbers(shuffled))
            areas.append(changed[0])
            influences.append(changed[1])
        value = area - float(np.mean(areas))
        half = z * cluster_error(influence - np.mean(influences, axis=0), cluster)
        rows.append({"factor": name, "value": value, "low": value - half, "high": value + half})
    return pd.DataFrame(rows).sort_values(["value", "factor"], ascending=[False, True], ignore_index=True)


def partial_effects(
    x: pd.DataFrame, y: ArrayLike, cluster: ArrayLike, over: pd.DataFrame, *, rng: np.random.Generator, seed: int, level: float = CONFIDENCE
) -> pd.DataFrame:
    """What does the model expect at each value of a factor, the others being as they are?

    Formula: mean prediction over the cases of `over` (cases not fitted on) with the factor set to a value: deciles of a number, every
    category. Interval: delete-a-group jackknife, (K-1)/K·Σ(θ_k - θ)² with K = 8 groups of clusters left out of the fit in turn.
    Columns: factor, place (order along the factor), at (number, NaN for a category), category, value, low, high.
    Source: Friedman (2001), section 8.2; Efron & Stein, Annals of Statistics 9 (1981) 586 for the jackknife.
    """
    outcome = np.asarray(y, dtype=int)
    whole = fit_prognosis(x, outcome, seed=seed)
    codes = pd.factorize(np.asarray(cluster))[0]
    group = rng.permutation(int(codes.max()) + 1)[codes] % FOLDS
    parts = [group != fold for fold in range(FOLDS)]
    left_out = [fit_prognosis(x[part], outcome[part], seed=seed, encoder=whole.encoder) for part in parts]
    chosen = np.sort(rng.permutation(len(over))[:AVERAGED])
    base = whole.encoder.numbers(over.iloc[chosen])
    rows = []
    for place, name in enumerate(whole.encoder.factors):
        points = _points(whole.encoder, name, x)
        value = _profile(whole.from_numbers, base, place, points)
        each = np.array([_profile(model.from_numbers, base, place, points) for model in left_out])
        error = np.sqrt((FOLDS - 1) / FOLDS * ((each - each.mean(axis=0)) ** 2).sum(axis=0))
        half = float(stats.t.ppf((1 + level) / 2, FOLDS - 1)) * error
        known = whole.encoder.categories.get(name)
        for order, point in enumerate(points):
            label = known[int(point)] if known else ""
            shown = {"factor": name, "place": order + 1, "at": np.nan if known else float(point), "category": label}
            rows.append({**shown, "value": value[order], "low": value[order] - half[order], "high": value[order] + half[order]})
    table = pd.DataFrame(rows)
    # Probabilities: an interval does not leave 0 to 1.
    return table.assign(low=table["low"].clip(0, 1), high=table["high"].clip(0, 1))


def _points(encoder: Encoder, name: str, x: pd.DataFrame) -> Sequence[float]:
    if name in encoder.categories:
        return [float(place) for place in range(len(encoder.categories[name]))]
    values = x[name].dropna().to_numpy(dtype=float)
    distinct = np.unique(values)
    if len(distinct) <= GRID:
        return [float(item) for item in distinct]
    # Values that occur, not interpolated ones: a bucket of 2.5 does not exist.
    return [float(item) for item in np.unique(np.quantile(values, np.linspace(0.05, 0.95, GRID), method="inverted_cdf"))]


def _profile(predict: Callable[[Floats], Floats], base: Floats, place: int, points: Sequence[float]) -> Floats:
    stacked = np.repeat(base[None], len(points), axis=0)
    stacked[:, :, place] = np.asarray(points)[:, None]
    return predict(stacked.reshape(-1, base.shape[1])).reshape(len(points), len(base)).mean(axis=1)
