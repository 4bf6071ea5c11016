"""What a doubly robust comparison must know of each case: its chance of the treatment and its expected outcome in either arm.

Both are learned on other cases than the one they are said of (cross-fitting), so that a flexible model cannot learn a case by heart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from collect_analysis.errors import DataError, ParameterError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Model = Literal["linear", "boosting"]
Learner = Callable[[Floats, Floats], Callable[[Floats], Floats]]
# A propensity is never said to be surer than this; what lies near 0 or 1 is the business of trimming, not of a division by zero.
SUREST = 1e-6


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two arms that nobody drew by lot, one entry per case.

    `treated` (n,); `outcome` (n,) in its own unit, 0 and 1 for yes/no; `covariates` (n, k) known before the treatment, called `names` (k);
    `clusters` (n,) whole numbers: cases of one cluster (customer) vary together.
    """

    treated: Bools
    outcome: Floats
    covariates: Floats
    names: tuple[str, ...]
    clusters: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.treated)
        sizes = {"outcome": len(self.outcome), "covariates": len(self.covariates), "clusters": len(self.clusters)}
        problems = [f"{name} has {size} entries for {n} cases; give one per case" for name, size in sizes.items() if size != n]
        if self.covariates.shape[1:] != (len(self.names),):
            problems.append(f"covariates have shape {self.covariates.shape} for {len(self.names)} names; give one column per name")
        unknown = int((~np.isfinite(self.outcome)).sum()), int((~np.isfinite(self.covariates)).sum())
        if any(unknown):
            problems.append(f"outcome has {unknown[0]} and covariates have {unknown[1]} values that are no number; fill or leave them out")
        if problems:
            raise DataError(problems)

    @property
    def yes_no(self) -> bool:
        """Whether the outcome is yes or no."""
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())

    def without(self, names: set[str]) -> "Comparison":
        """The same cases without these covariates."""
        kept = [place for place, name in enumerate(self.names) if name not in names]
        return Comparison(
            treated=self.treated,
            outcome=self.outcome,
            covariates=self.covariates[:, kept],
            names=tuple(self.names[place] for place in kept),
            clusters=self.clusters,
        )


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """Per case (n,): `propensity` of the treatment, expected outcome `if_treated` and `if_untreated`, none of them learned from the case."""

    propensity: Floats
    if_treated: Floats
    if_untreated: Floats


def cross_fitted(comparison: Comparison, *, model: Model = "linear", folds: int = 5, repeats: int = 1, seed: int = 1) -> Nuisance:
    """What would each case's chance of treatment and its outcome in either arm be, judged from the other folds?

    `linear`: penalised logistic regression of the treatment and of a yes/no outcome, ridge regression of an amount, on standardised
    covariates with their squares and flags for zero (`widened`). `boosting`: gradient-boosted trees on the covariates as they are.
    Folds: `folds_of`; `repeats` deals them out so often and takes the mean, so that few cases do not hang on one deal.
    The same input and seed give the same bits whatever the number of threads.
    Raises ParameterError: fewer than 2 folds or an unknown model. Source: Chernozhukov et al., Econometrics Journal 21 (2018) C1.
    """
    if folds < 2 or repeats < 1 or model not in get_args(Model):
        raise ParameterError(f"model '{model}', {folds} folds, {repeats} repeats: choose linear or boosting, 2 folds and 1 repeat at least")
    from threadpoolctl import threadpool_limits

    design = widened(comparison.covariates) if model == "linear" else comparison.covariates
    # Sums of a matrix product depend on how threads share it; one thread makes the last bit the same everywhere.
    with threadpool_limits(limits=1):
        deals = [_one_deal(comparison, design, model, folds, seed + place) for place in range(repeats)]
    propensity, if_treated, if_untreated = np.mean(deals, axis=0)
    return Nuisance(propensity=np.clip(propensity, SUREST, 1 - SUREST), if_treated=if_treated, if_untreated=if_untreated)


def _one_deal(comparison: Comparison, design: Floats, model: Model, folds: int, seed: int) -> Floats:
    """Propensity and the two expected outcomes, (3, n), of one deal of folds."""
    chance, expected = _learner(model, True, seed), _learner(model, comparison.yes_no, seed)
    fold = folds_of(comparison.clusters, comparison.treated, folds=folds, seed=seed)
    found = np.full((3, len(fold)), np.nan)
    for place in range(folds):
        held = fold == place
        if held.any():
            seen, arm, outcome = design[~held], comparison.treated[~held], comparison.outcome[~held]
            found[0, held] = chance(seen, arm.astype(float))(design[held])
            found[1, held] = expected(seen[arm], outcome[arm])(design[held])
            found[2, held] = expected(seen[~arm], outcome[~arm])(design[held])
    return found


def folds_of(clusters: NDArray[np.int64], treated: Bools, *, folds: int, seed: int) -> NDArray[np.int64]:
    """Which fold is each case in? (n,) 0 to folds-1; a cluster is never split, and clusters with a treated case are dealt out evenly."""
    codes, position = np.unique(clusters, return_inverse=True)
    any_treated = np.zeros(len(codes), dtype=bool)
    np.logical_or.at(any_treated, position, treated)
    order = np.random.default_rng(seed).permutation(len(codes))
    order = order[np.argsort(any_treated[order], kind="stable")]
    fold = np.empty(len(codes), dtype=np.int64)
    fold[order] = np.arange(len(codes)) % folds
    return fold[position]


def widened(covariates: Floats) -> Floats:
    """The covariates, squares of those with more than two values, and a flag for zero where a mass of cases lies there; columns distinct.

    A straight line through amounts that are often 0 (earnings, payments) fits neither those with nor those without any.
    """
    columns = [covariates[:, place] for place in range(covariates.shape[1])]
    extra = []
    for column in columns:
        values = np.unique(column)
        if len(values) <= 2:
            continue
        centred = column - column.mean()
        extra.append(centred**2)
        zero = column == 0
        if values[0] >= 0 and 0.05 <= zero.mean() <= 0.95:
            extra.append(zero.astype(float))
    return np.column_stack([*columns, *extra]) if columns else np.empty((len(covariates), 0))


def _learner(model: Model, yes_no: bool, seed: int) -> Learner:
    def learn(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
        if not len(y) or x.shape[1] == 0 or y.min() == y.max():
            constant = float(y.mean()) if len(y) else float("nan")
            return lambda new: np.full(len(new), constant)
        fitted: Any = _estimator(model, yes_no, seed).fit(x, y)
        return lambda new: np.asarray(fitted.predict_proba(new)[:, 1] if yes_no else fitted.predict(new), dtype=float)

    return learn


def _estimator(model: Model, yes_no: bool, seed: int) -> Any:
    """An unfitted scikit-learn estimator: imported here, since most of what reads this module never fits one."""
    if model == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        chosen = HistGradientBoostingClassifier if yes_no else HistGradientBoostingRegressor
        return chosen(
            learning_rate=0.05, max_iter=120, max_leaf_nodes=8, min_samples_leaf=30, l2_regularization=1.0, early_stopping=False,
            random_state=seed,
        )  # fmt: skip
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-8, max_iter=1000) if yes_no else Ridge(alpha=1.0))
