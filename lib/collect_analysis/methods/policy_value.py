"""What would another rule have brought, judged from decisions that were drawn by lot with known probabilities?

*Decisions*: one row per logged decision with columns `cell` (all that the rule looks at, as one code), `action`, `propensity` (probability
with which that action was drawn), `outcome` (number), optionally `unit` (customer: decisions of one vary together) and, for the doubly
robust estimate, `predicted` (outcome expected after the action taken) and `predicted_rule` (outcome expected under the rule), both from a
model that did not see the row: `cell_means` makes them. *Rule*: columns `cell`, `action`, `probability` (1 for a rule without chance).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.evidence import Condition, refusals
from collect_analysis.methods.power import cases_for

Floats = NDArray[np.float64]

MIN_EFFECTIVE_PAYERS = 200
WEIGHT_LEVEL = 0.001
_EFFECT_TO_FIND = 0.10


@dataclass(frozen=True, kw_only=True)
class PolicyValue:
    """Value of a rule per decision, and whether the log can answer.

    `estimates` has rows estimator = logged (what was done), ips, self_normalised, doubly_robust and columns estimator, value,
    standard_error, low, high, gain (value - logged), gain_error, gain_low, gain_high, note. `effective_cases` is how many decisions
    drawn by the rule itself would tell as much, `effective_payers` the same among those with an outcome other than 0.
    """

    estimates: pd.DataFrame
    effective_cases: float
    effective_payers: float
    conditions: tuple[Condition, ...]


def policy_value(decisions: pd.DataFrame, rule: pd.DataFrame, *, max_weight: float | None = None, level: float = 0.95) -> PolicyValue:
    """What would a decision have brought on average, had the rule been in force?

    Formula: w = rule probability / propensity; ips mean(w·y); self_normalised Σwy/Σw; doubly_robust mean(q̂(rule) + w·(y - q̂(action))).
    SE from each unit's influence; effective cases (Σw)²/Σw². `max_weight` cuts weights off, which pulls the value towards what was done
    (doubly robust: towards the model).
    Population: the logged decisions. Undefined (NaN + note): where a condition refuses - nothing was drawn by lot, the rule wants an action
    never drawn in its cell (propensity 0), weights do not average 1 (the propensities are not those that drew), fewer than 200 effective
    payers; doubly_robust without predictions.
    Raises DataError: columns or values missing, a propensity not in (0, 1], a rule without every cell or not summing to 1.
    Source: Dudík, Langford & Li, ICML (2011); Swaminathan & Joachims, NeurIPS (2015) for self-normalised; Kong (1992) for effective cases.
    """
    if max_weight is not None and not max_weight > 0:
        raise ParameterError(f"max_weight must be above 0, not {max_weight:g}.")
    _check(decisions, rule)
    y = decisions["outcome"].to_numpy(dtype=float)
    full = _weights(decisions, rule)
    weights = full if max_weight is None else np.minimum(full, max_weight)
    payers = _effective(weights[y != 0])
    conditions = (
        _drawn(decisions, y),
        _supported(decisions, rule, y),
        _averaging(full, decisions),
        _enough(payers, len(y)),
        _clipped(full, weights),
    )
    estimates = _estimates(decisions, y, weights, level=level)
    reasons = refusals(conditions)
    if reasons:
        refused = estimates["estimator"] != "logged"
        estimates.loc[refused, [name for name in estimates.columns if name not in ("estimator", "note")]] = np.nan
        estimates["note"] = estimates["note"].mask(refused, " ".join(reasons))
    return PolicyValue(estimates=estimates, effective_cases=_effective(weights), effective_payers=payers, conditions=conditions)


def cell_means(decisions: pd.DataFrame, rule: pd.DataFrame, *, rng: np.random.Generator, folds: int = 5) -> pd.DataFrame:
    """The decisions with predictions for the doubly robust estimate: mean outcome per cell and action, from the other folds.

    Where the other folds never saw an action in a cell, the mean of that action anywhere, else of all. Folds are drawn by unit.
    Columns added: predicted, predicted_rule. Raises DataError as `policy_value`; ParameterError: fewer than 2 folds.
    """
    if folds < 2:
        raise ParameterError(f"folds must be at least 2, not {folds}.")
    _check(decisions, rule)
    unit = pd.factorize(decisions["unit"], sort=True)[0] if "unit" in decisions.columns else np.arange(len(decisions))
    fold = rng.permutation(int(unit.max()) + 1)[unit] % folds
    predicted, predicted_rule = np.empty(len(decisions)), np.empty(len(decisions))
    for part in range(folds):
        own = fold == part
        model = _Means(decisions[~own] if not own.all() else decisions)
        rule_means = (model.of(rule["cell"], rule["action"]) * rule["probability"].to_numpy(dtype=float)).tolist()
        by_cell = pd.Series(rule_means).groupby(rule["cell"].to_numpy()).sum()
        predicted[own] = model.of(decisions.loc[own, "cell"], decisions.loc[own, "action"])
        predicted_rule[own] = decisions.loc[own, "cell"].map(by_cell).to_numpy(dtype=float)
    return decisions.assign(predicted=predicted, predicted_rule=predicted_rule)


class _Means:
    """Mean outcome by cell and action, with the wider means to fall back on."""

    def __init__(self, decisions: pd.DataFrame) -> None:
        self.cells = decisions.groupby(["cell", "action"])["outcome"].mean()
        self.actions = decisions.groupby("action")["outcome"].mean()
        self.overall = float(decisions["outcome"].mean())

    def of(self, cell: pd.Series, action: pd.Series) -> Floats:
        narrow = self.cells.reindex(pd.MultiIndex.from_arrays([cell, action])).to_numpy(dtype=float)
        wide = action.map(self.actions).to_numpy(dtype=float)
        return np.where(np.isfinite(narrow), narrow, np.where(np.isfinite(wide), wide, self.overall))


def _weights(decisions: pd.DataFrame, rule: pd.DataFrame) -> Floats:
    chances = rule.set_index(["cell", "action"])["probability"]
    wanted = chances.reindex(pd.MultiIndex.from_frame(decisions[["cell", "action"]])).fillna(0.0).to_numpy(dtype=float)
    return wanted / decisions["propensity"].to_numpy(dtype=float)


def _effective(weights: Floats) -> float:
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _estimates(decisions: pd.DataFrame, y: Floats, weights: Floats, *, level: float) -> pd.DataFrame:
    """The four rows, each from the part every decision has in its value and in its error."""
    nothing = np.full(len(y), np.nan)
    predicted = {"predicted", "predicted_rule"} <= set(decisions.columns)
    model, under_rule = (
        (decisions[name].to_numpy(dtype=float) for name in ("predicted", "predicted_rule")) if predicted else (nothing, nothing)
    )
    total = float(weights.sum())
    normalised = float(weights @ y) / total if total > 0 else float("nan")
    robust = under_rule + weights * (y - model)
    parts = {
        "logged": (float(y.mean()), (y - y.mean()) / len(y)),
        "ips": (float((weights * y).mean()), (weights * y - (weights * y).mean()) / len(y)),
        "self_normalised": (normalised, weights * (y - normalised) / total if total > 0 else nothing),
        "doubly_robust": (float(robust.mean()), (robust - robust.mean()) / len(y)),
    }
    z, logged = stats.norm.ppf((1 + level) / 2), parts["logged"]
    rows = []
    for estimator, (value, influence) in parts.items():
        error, gain_error = (_standard_error(part, decisions) for part in (influence, influence - logged[1]))
        gain = value - logged[0]
        note = "no predictions; add them with cell_means or a model of your own" if estimator == "doubly_robust" and not predicted else ""
        rows.append(
            {
                "estimator": estimator,
                "value": value,
                "standard_error": error,
                "low": value - z * error,
                "high": value + z * error,
                "gain": gain,
                "gain_error": gain_error,
                "gain_low": gain - z * gain_error,
                "gain_high": gain + z * gain_error,
                "note": note,
            }
        )
    return pd.DataFrame(rows)


def _standard_error(influence: Floats, decisions: pd.DataFrame) -> float:
    """Root of the sum of squares over units, with the factor units / (units - 1)."""
    if "unit" in decisions.columns:
        influence = np.bincount(pd.factorize(decisions["unit"])[0], weights=influence).astype(float)
    if len(influence) < 2:
        return float("nan")
    return float(np.sqrt(influence @ influence * len(influence) / (len(influence) - 1)))


def _drawn(decisions: pd.DataFrame, y: Floats) -> Condition:
    certain = float((decisions["propensity"] >= 1).mean())
    return Condition(
        name="drawn by lot",
        met=certain < 1,
        detail=f"{certain:.1%} of the decisions had only one possible action.",
        remedy=_designed_test(y),
    )


def _supported(decisions: pd.DataFrame, rule: pd.DataFrame, y: Floats) -> Condition:
    """Every action the rule may choose was drawn at least once in that cell."""
    seen = decisions[["cell", "action"]].drop_duplicates()
    wanted = rule.loc[(rule["probability"] > 0) & rule["cell"].isin(set(seen["cell"])), ["cell", "action"]]
    tried = wanted.merge(seen, how="left", on=["cell", "action"], indicator=True, validate="one_to_one")["_merge"] == "both"
    missing = wanted.loc[~tried.to_numpy()].sort_values(["cell", "action"])
    first = f" (first: {missing['action'].iloc[0]} in {missing['cell'].iloc[0]})" if len(missing) else ""
    touched = float(decisions["cell"].isin(set(missing["cell"])).mean())
    return Condition(
        name="every action of the rule was tried",
        met=missing.empty,
        detail=f"{len(missing)} of {len(wanted)} pairs of cell and action were never drawn{first}; "
        f"{touched:.1%} of the decisions lie there.",
        remedy=f"in those cells, {_designed_test(y)}",
    )


def _averaging(weights: Floats, decisions: pd.DataFrame) -> Condition:
    """With the propensities that really drew, weights average 1."""
    mean = float(weights.mean())
    error = _standard_error((weights - mean) / len(weights), decisions)
    p_value = float(2 * stats.norm.sf(abs(mean - 1) / error)) if error > 0 else float(np.isclose(mean, 1))
    return Condition(
        name="propensities are those that drew",
        met=p_value >= WEIGHT_LEVEL,
        detail=f"weights average {mean:.3f} where 1 is expected, p = {p_value:.3g}.",
        remedy="log the probability at the moment of the draw, and try every action of the rule in each of its cells.",
    )


def _enough(payers: float, cases: int) -> Condition:
    more = (
        f"about {cases * MIN_EFFECTIVE_PAYERS / payers:,.0f} decisions logged this way" if payers > 0 else "decisions that follow the rule"
    )
    return Condition(
        name="effective payers",
        met=payers >= MIN_EFFECTIVE_PAYERS,
        detail=f"the log tells as much as {payers:,.0f} payers drawn by the rule itself; {MIN_EFFECTIVE_PAYERS} are needed.",
        remedy=f"{more}, or a larger random share for the actions of the rule.",
    )


def _clipped(full: Floats, weights: Floats) -> Condition:
    cut = full > weights
    lost = float((full - weights).sum() / full.sum()) if full.sum() > 0 else 0.0
    return Condition(
        name="weights whole",
        met=not cut.any(),
        detail=f"{int(cut.sum())} of {len(full)} weights are cut off, {lost:.1%} of their sum; the value leans that far from the rule.",
        consequence="note",
        remedy="compare with the value without cutting.",
    )


def _designed_test(y: Floats) -> str:
    """The test that would answer: how many cases an action needs."""
    draw = "draw the action by lot, with logged probabilities above 0 for every action of the rule"
    if not y.mean() or not y.std():
        return f"{draw}."
    cases = float(cases_for(abs(y.std(ddof=1) / y.mean()), _EFFECT_TO_FIND))
    return f"{draw}: {cases:,.0f} cases per action find a change of {_EFFECT_TO_FIND:.0%} of the mean outcome with 80 % probability."


def _check(decisions: pd.DataFrame, rule: pd.DataFrame) -> None:
    """Everything wrong with log and rule, raised once."""
    problems = []
    for table, columns, name in (
        (decisions, ("cell", "action", "propensity", "outcome"), "decisions"),
        (rule, ("cell", "action", "probability"), "rule"),
    ):
        absent = [column for column in columns if column not in table.columns]
        if absent or table.empty:
            problems.append(f"{name}: {'no column ' + ', '.join(absent) if absent else 'no rows'}.")
    if problems:
        raise DataError(problems)
    propensity, chance = decisions["propensity"].astype(float), rule["probability"].astype(float)
    sums, cells = chance.groupby(rule["cell"]).sum(), set(rule["cell"])
    rules = [
        ("decisions.propensity", ~((propensity > 0) & (propensity <= 1)), "are not above 0 and at most 1",
         "An action that was taken had a probability; leave out decisions made by judgement, and say so."),
        ("decisions.outcome", ~decisions["outcome"].astype(float).abs().lt(np.inf), "are missing", "Wait for the horizon, or count 0."),
        ("decisions.cell", ~decisions["cell"].isin(cells), "have no row in the rule", "A rule decides every case."),
        ("rule.probability", ~chance.between(0, 1), "lie outside 0 to 1", "Give the share of cases that get the action."),
        ("decisions.unit", decisions.get("unit", propensity).isna() & ("unit" in decisions.columns), "are missing", "Name the customer."),
        ("rule", rule.duplicated(["cell", "action"]), "repeat a cell and action", "Keep one."),
        ("rule.probability", rule["cell"].map((sums - 1).abs() > 1e-9), "belong to a cell whose shares do not sum to 1", "Complete them."),
    ]  # fmt: skip
    found = [
        f"{name}: {int(wrong.sum())} of {len(wrong)} rows {what} (first: row {int(np.flatnonzero(wrong)[0]) + 1}). {fix}"
        for name, wrong, what, fix in rules
        if wrong.any()
    ]
    if found:
        raise DataError(found)
