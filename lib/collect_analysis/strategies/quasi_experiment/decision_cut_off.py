"""May a cut-off rule be judged from its cases? The conditions beside those of the estimate itself; codes and numbers, no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.trials.power import cases_for

# More missing than this, and those that are left are no longer those that came.
MOST_MISSING = 0.10
MOST_WITHOUT_RUNNING = 0.05
LEVEL = 0.05
# Other choices that must agree with the answer; wider ones are shown, but bias is theirs.
AGREEING_WIDTHS = (0.5, 1.5)


@dataclass(frozen=True, kw_only=True)
class CutOffFacts:
    """What the conditions are judged from: counts of `measures.cut_off`, and the p-value of a jump in the share of unknown outcomes."""

    total: int
    clusters: int
    kept: int
    without_running: int
    open_horizon: int
    missing: int
    missing_jump_p: float
    impossible: int
    recorded: bool
    late: Sequence[str] = ()


def supply(facts: CutOffFacts) -> list[Condition]:
    """Which cases is the answer about, and is what is known of them sound?

    Refusing: an impossible outcome. Downgrading: more than a tenth of the outcomes unknown, else their share jumps at the cut-off; a
    twentieth without running variable; several cases of one cluster. Notes: what was done is not recorded, late covariates.
    """
    share = facts.missing / max(facts.kept, 1)
    jumps = share <= MOST_MISSING and facts.missing_jump_p < LEVEL
    without = facts.without_running / max(facts.total + facts.without_running, 1)
    found = [
        Condition(name="outcome_possible", met=not facts.impossible, details={"impossible": facts.impossible}),
        Condition(
            name="outcome_gaps_alike" if jumps else "outcome_recorded",
            met=share <= MOST_MISSING and not jumps,
            consequence="downgrade",
            details={"missing": facts.missing, "missing_share": share, "most_share": MOST_MISSING, "p_value": facts.missing_jump_p},
        ),
        Condition(
            name="running_known",
            met=without <= MOST_WITHOUT_RUNNING,
            consequence="downgrade",
            details={"missing": facts.without_running, "missing_share": without},
        ),
        Condition(
            name="cases_independent",
            met=facts.clusters >= facts.total,
            consequence="downgrade",
            details={"cases": facts.total, "clusters": facts.clusters},
        ),
        Condition(name="recent_left_out", met=True, consequence="note", details={"count": facts.open_horizon}),
        Condition(name="nearest_kept", met=True, consequence="note", details={"kept": facts.kept, "cases": facts.total}),
        Condition(name="treatment_recorded", met=facts.recorded, consequence="note"),
    ]
    if facts.late:
        found.append(Condition(name="placebo_before", met=False, consequence="note", details={"covariates": list(facts.late)}))
    return found


def switches_here(own: pd.DataFrame, cutoff: float) -> list[Condition]:
    """Is the declared cut-off one of the rule's own boundaries? Not judged where the book does not hold the rule."""
    if own.empty:
        return []
    places = sorted(set(own["at"]))
    return [Condition(name="cutoff_in_rules", met=cutoff in places, details={"cutoff": cutoff, "places": places[0], "count": len(places)})]


def choices_agree(choices: pd.DataFrame, value: float) -> Condition:
    """Does the answer lie inside the interval of every other bandwidth (half to one and a half) and of every donut?"""
    widths = (choices["check"] == "bandwidth") & choices["at"].between(*AGREEING_WIDTHS)
    judged = choices[widths | (choices["check"] == "donut")].dropna(subset=["low", "high"])
    outside = judged[(judged["low"] > value) | (judged["high"] < value)]
    return Condition(
        name="choices_agree", met=not len(outside), consequence="downgrade", details={"choices": len(judged), "outside": len(outside)}
    )


def needed_for_test(sums: Mapping[str, float], *, unit: str, margin: float) -> float:
    """How many cases per arm would a test by lot need to find a relative effect of `margin` on an outcome in `unit`?

    Spread from the sums (cases, sum_y, sum_y2) of the untreated cases near the cut-off. Undefined (NaN): no case, no spread, mean 0.
    """
    cases, total, squares = (float(sums[name]) for name in ("cases", "sum_y", "sum_y2"))
    if cases < 2 or not total:
        return float("nan")
    mean = total / cases
    spread = float(np.sqrt(max(squares / cases - mean**2, 0.0)))
    return float(np.ceil(cases_for(abs(spread / mean), margin, unit=unit))) if spread else float("nan")


def monthly(count: int, first: date | None, last: date | None) -> float:
    """How many such cases come in a month of 30 days; NaN where days are unknown."""
    if first is None or last is None:
        return float("nan")
    return count / max((last - first).days / 30, 1)
