"""Were there cases to compare with: overlap of the two arms, rules that decide alone, balance after weighting, and what follows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from collect_analysis.methods.causal.nuisance import Bools, Comparison, Floats
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.trials.adjustment import Target, Weighing

# The trade's thresholds: domain rule "overlap region < 80 % of the target", Austin (2009) for the standardised difference.
LEAST_OVERLAP = 0.80
MOST_IMBALANCE = 0.10
FEWEST_CLUSTERS = 50
FEWEST_EVENTS = 10
_BINS = 20
# A leaf of the rule tree must be large enough that finding nobody of the other arm there is no accident.
_EXPECTED_IN_LEAF = 10


def overlap_table(treated: Bools, propensity: Floats, *, bins: int = _BINS) -> pd.DataFrame:
    """How do the arms' propensities lie? One row per bin: low, high (bounds of the bin), treated, untreated (cases), and their shares of
    the arm treated_share, untreated_share (NaN: an arm without cases).
    """
    edges = np.linspace(0, 1, bins + 1)
    counts = {
        name: np.histogram(propensity[arm], bins=edges)[0].astype(float) for name, arm in (("treated", treated), ("untreated", ~treated))
    }
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:]} | {name: values.astype("int64") for name, values in counts.items()})
    for name, values in counts.items():
        table[f"{name}_share"] = values / values.sum() if values.sum() else np.nan
    return table


def effective_cases(weights: Floats) -> float:
    """How many equally weighted cases tell as much: (Σw)²/Σw²; 0 where nobody has a weight. Source: Kong (1992)."""
    total = float((weights**2).sum())
    return float(weights.sum()) ** 2 / total if total else 0.0


def weight_table(comparison: Comparison, weighing: Weighing) -> pd.DataFrame:
    """Whom does the comparison rest on? One row per arm (treated, untreated): cases, clusters, kept (cases in the overlap region),
    kept_share, effective (effective cases after weighting), largest (share of the arm's weight on one case).
    """
    rows = []
    for name, arm in (("treated", comparison.treated), ("untreated", ~comparison.treated)):
        weights = weighing.weights[arm]
        cases, kept, total = int(arm.sum()), int((arm & weighing.kept).sum()), float(weights.sum())
        rows.append(
            {
                "role": name, "cases": cases, "clusters": len(np.unique(comparison.clusters[arm])), "kept": kept,
                "kept_share": kept / cases if cases else np.nan, "effective": effective_cases(weights),
                "largest": float(weights.max()) / total if total else np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def balance_table(comparison: Comparison, weighing: Weighing) -> pd.DataFrame:
    """Are the arms alike in what was known before, first as they are and then as weighted?

    Formula: standardised difference = (m1 - m0) / sqrt((s1² + s0²)/2), means before or after weighting, variances before in both cases, so
    that weighting can only move the difference, not its measure.

    Returns
    -------
    covariate, treated_mean, untreated_mean (before), difference_before, weighted_treated_mean, weighted_untreated_mean, difference_after;
    in the order of the covariates. Undefined (NaN): a covariate that is constant in both arms, an arm without cases or without weight.
    Source: Rosenbaum & Rubin (1985); Austin, Statistics in Medicine 28 (2009) 3083.
    """
    treated, x = comparison.treated, comparison.covariates
    if not treated.any() or treated.all():
        nothing = np.full(x.shape[1], np.nan)
        means, after, spread = [nothing, nothing], [nothing, nothing], nothing
    else:
        means = [x[arm].mean(axis=0) for arm in (treated, ~treated)]
        spread = np.sqrt((x[treated].var(axis=0) + x[~treated].var(axis=0)) / 2)
        after = [_weighted_mean(x[arm], weighing.weights[arm]) for arm in (treated, ~treated)]
    spread = np.where(spread > 0, spread, np.nan)
    return pd.DataFrame(
        {
            "covariate": list(comparison.names),
            "treated_mean": means[0],
            "untreated_mean": means[1],
            "difference_before": (means[0] - means[1]) / spread,
            "weighted_treated_mean": after[0],
            "weighted_untreated_mean": after[1],
            "difference_after": (after[0] - after[1]) / spread,
        }
    )


def _weighted_mean(x: Floats, weights: Floats) -> Floats:
    total = weights.sum()
    return (x * weights[:, None]).sum(axis=0) / total if total > 0 else np.full(x.shape[1], np.nan)


def ruled_share(treated: Bools, read: Floats, *, target: Target, seed: int = 1, depth: int = 4) -> float:
    """Which share of the target lies where a short rule table puts everybody in one arm?

    A decision tree of `depth` levels over what a rule may read (`read`, (n, k)) looks for cells where nobody got the other arm; a cell has
    so many cases that ten of the rarer arm would be expected. A model of propensities smooths over a sharp cut-off; this does not.
    Target `treated` counts the treated with nobody to compare with. NaN without both arms, 0 without anything to read.
    """
    if not treated.any() or treated.all():
        return float("nan")
    if not read.shape[1]:
        return 0.0
    from sklearn.tree import DecisionTreeClassifier

    rarer = min(float(treated.mean()), 1 - float(treated.mean()))
    leaf = int(min(max(20, np.ceil(_EXPECTED_IN_LEAF / rarer)), max(1, min(treated.sum(), (~treated).sum()))))
    tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=seed).fit(read, treated)
    _, cell = np.unique(tree.apply(read), return_inverse=True)
    share: NDArray[np.float64] = np.bincount(cell, weights=treated) / np.bincount(cell)
    alone = (share == 1) | ((share == 0) & (target == "everybody"))
    whom = treated if target == "treated" else np.ones(len(treated), dtype=bool)
    return float(alone[cell][whom].mean())


def arms_enough(comparison: Comparison, *, arms: tuple[str, str] = ("treated", "untreated")) -> list[Condition]:
    """Are there cases, and results, enough in each arm (`arms`: their names) for models of them? Two conditions, both refusing."""
    sides = dict(zip(arms, (comparison.treated, ~comparison.treated), strict=True))
    clusters = {name: len(np.unique(comparison.clusters[arm])) for name, arm in sides.items()}
    smallest = min(clusters, key=lambda name: clusters[name])
    conditions = [
        Condition(
            name="comparison_arms_enough",
            met=clusters[smallest] >= FEWEST_CLUSTERS,
            consequence="refuse",
            details={"arm": smallest, "clusters": clusters[smallest], "least": FEWEST_CLUSTERS},
        )
    ]
    events = {name: int((comparison.outcome[arm] != 0).sum()) for name, arm in sides.items()}
    if comparison.yes_no:
        events = {name: min(count, int(sides[name].sum()) - count) for name, count in events.items()}
    fewest = min(events, key=lambda name: events[name])
    values = {"arm": fewest, "events": events[fewest], "least": FEWEST_EVENTS}
    return [
        *conditions,
        Condition(name="comparison_outcomes_enough", met=events[fewest] >= FEWEST_EVENTS, consequence="refuse", details=values),
    ]


def constant_covariates(comparison: Comparison) -> list[str]:
    """The covariates that have one value only: there is nothing to adjust for."""
    if not len(comparison.treated):
        return []
    return [name for name, same in zip(comparison.names, np.ptp(comparison.covariates, axis=0) == 0, strict=True) if same]


def overlap_enough(weighing: Weighing, *, ruled: float, trim: float, needed: float = float("nan"), lot: float = 0.5) -> list[Condition]:
    """Do the arms overlap where the question is? Both refuse: no rule decides alone; and, where none does, overlap of at least 80 %.

    `needed` cases per arm and the share `lot` to draw go with them: the test that would make the question answerable.
    """
    alone = ruled if np.isfinite(ruled) else 1.0
    test = {"needed": needed, "lot_share": lot}
    values = {"ruled_share": alone, "most_share": 1 - LEAST_OVERLAP, **test}
    by_rule = Condition(name="comparison_not_by_rule", met=alone <= 1 - LEAST_OVERLAP, consequence="refuse", details=values)
    if not by_rule.met:
        return [by_rule]
    kept = weighing.kept_share if np.isfinite(weighing.kept_share) else 0.0
    shown = {"kept_share": kept, "least_share": LEAST_OVERLAP, "trim_share": trim, **test}
    return [by_rule, Condition(name="comparison_overlap", met=kept >= LEAST_OVERLAP, consequence="refuse", details=shown)]


def balanced(balance: pd.DataFrame) -> Condition:
    """Are the weighted arms alike, by at most 0.1 standard deviations in every covariate? Downgrades."""
    after = balance["difference_after"].abs()
    worst = balance["covariate"].iloc[int(np.nanargmax(after))] if after.notna().any() else ""
    unlike = balance.loc[after > MOST_IMBALANCE, "covariate"].tolist()
    values = {"covariates": unlike, "covariate": str(worst), "difference": float(after.max()), "most": MOST_IMBALANCE}
    return Condition(name="comparison_balanced", met=not unlike and bool(after.notna().any()), consequence="downgrade", details=values)


def share_by_lot(cases: float, needed: float) -> float:
    """Which share of `cases` must be drawn by lot into the other arm so that the two arms tell as much as two of `needed` cases each?

    Formula: x(1-x)·N = n/2, x = (1 - sqrt(1 - 2n/N))/2. Undefined (NaN): fewer than 2n cases.
    """
    if not (np.isfinite(cases) and np.isfinite(needed)) or needed <= 0 or cases < 2 * needed:
        return float("nan")
    return float((1 - np.sqrt(1 - 2 * needed / cases)) / 2)
