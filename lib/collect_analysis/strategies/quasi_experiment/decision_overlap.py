"""May two arms that nobody drew be compared? The conditions beside overlap and balance, and the test that would settle it; no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from collect_analysis.methods.causal.nuisance import Comparison
from collect_analysis.methods.causal.overlap import share_by_lot
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.trials.power import cases_for

# More unknown outcomes than this, and those that are left are no longer those that came.
MOST_UNKNOWN = 0.05


@dataclass(frozen=True, kw_only=True)
class OverlapFacts:
    """What the conditions are judged from: counts of `measures.overlap.Arms` and of `measures.arms`.

    `recent`: cases left out because their horizon is not over, None where the source has no days; `impossible`: values of the outcome that cannot be;
    `twice`: subjects in both arms; `late`, `constant`: covariates left out; `filled`: covariates unknown of somebody, with how many.
    """

    outcome: str
    days: int
    subjects: int
    read: int
    no_outcome: int
    impossible: int
    twice: int
    recent: int | None
    adjusted_for: Sequence[str]
    late: Sequence[str] = ()
    constant: Sequence[str] = ()
    filled: Mapping[str, int] = field(default_factory=dict)


def requirements(facts: OverlapFacts) -> list[Condition]:
    """Which conditions does the comparison meet, beside overlap and balance?

    Refusing: nothing left to adjust for, subjects in both arms, an impossible or (of more than 5 %) unknown outcome.
    Notes: what was left out or filled, a sample, days that are not known.
    """
    unknown = facts.no_outcome / facts.read if facts.read else 0.0
    found = [
        Condition(name="comparison_adjusted", met=bool(facts.adjusted_for), details={"covariates": list(facts.adjusted_for)}),
        Condition(name="comparison_one_arm", met=not facts.twice, details={"subjects": facts.twice}),
        Condition(
            name="comparison_outcome",
            met=unknown <= MOST_UNKNOWN,
            details={"outcome": facts.outcome, "missing_share": unknown, "most_share": MOST_UNKNOWN},
        ),
        Condition(name="outcome_possible", met=not facts.impossible, details={"impossible": facts.impossible}),
    ]  # fmt: skip
    if facts.recent is None:
        found.append(Condition(name="dates_known", met=False, consequence="note", details={"days": facts.days}))
    else:
        found.append(Condition(name="recent_left_out", met=True, consequence="note", details={"count": facts.recent}))
    return [*found, *_notes(facts)]


def _notes(facts: OverlapFacts) -> list[Condition]:
    found = []
    if facts.late:
        found.append(Condition(name="covariates_before", met=False, consequence="note", details={"covariates": list(facts.late)}))
    if facts.constant:
        found.append(Condition(name="comparison_varying", met=False, consequence="note", details={"covariates": list(facts.constant)}))
    if facts.filled:
        values = {"covariates": list(facts.filled), "missing": max(facts.filled.values())}
        found.append(Condition(name="comparison_known", met=False, consequence="note", details=values))
    if facts.subjects > facts.read:
        values = {"read": facts.read, "subjects": facts.subjects}
        found.append(Condition(name="comparison_sampled", met=False, consequence="note", details=values))
    return found


@dataclass(frozen=True, kw_only=True)
class LotTest:
    """A test by lot among the cases of the target: `needed` cases per arm, the share `lot` of `cases` to draw; `enough` cases are there."""

    cases: int
    needed: float
    lot: float
    enough: bool


def lot_test(comparison: Comparison, *, unit: str, target_cases: int, margin: float) -> LotTest:
    """How many of the target's cases must be drawn by lot to find a relative effect of `margin` in four of five tries?

    Formula: `power.cases_for` with the coefficient of variation of the outcome in the untreated arm (of all, where that has none), then
    `overlap.share_by_lot`. Where there are too few cases, half of them are drawn and more must come. Undefined (NaN): outcome without spread.
    """
    outcomes = comparison.outcome[~comparison.treated]
    if len(outcomes) < 2 or not outcomes.any():
        outcomes = comparison.outcome
    mean, spread = (float(outcomes.mean()), float(outcomes.std())) if len(outcomes) else (float("nan"),) * 2
    needed = float(np.ceil(cases_for(abs(spread / mean), margin, unit=unit))) if mean and spread > 0 else float("nan")
    lot = share_by_lot(target_cases, needed)
    return LotTest(cases=target_cases, needed=needed, lot=0.5 if np.isnan(lot) else lot, enough=bool(lot == lot))
