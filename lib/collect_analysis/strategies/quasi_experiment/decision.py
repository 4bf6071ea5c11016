"""A rule that was never tested by lot: keep it for now, suspend it, or say that nobody knows; codes and numbers, no wording."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collect_analysis.methods.evidence import Grade

Action = Literal["keep", "suspend", "test", "refuse"]
ALPHA = 0.05
_GRADES: tuple[Grade, ...] = ("A", "B", "C", "D", "none")


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The effect a decision rests on, in the outcome's unit: interval NaN where only a randomisation test can judge.

    `base` is what the outcome would be without the rule where that is known, `cases` the number of cases (or clusters) behind it.
    """

    value: float
    low: float
    high: float
    p_value: float
    base: float
    cases: int


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is proposed for the rule until a proper test has read out, and the rule of this module that decided."""

    action: Action
    reason: Literal["helps", "harms", "not_distinguishable", "weak_evidence", "not_answerable"]


def propose(effect: Effect, *, evidence: Grade, min_grade: Grade, favourable: Literal["higher", "lower"]) -> Proposal:
    """What should happen with the rule?

    Rules, the first that applies: no grade or no effect -> refuse; not distinguishable from zero -> test; worse -> suspend; evidence under
    the least that allows a provisional rule -> test; else keep. Whatever is proposed holds until a randomised test has read out.
    """
    if evidence == "none" or np.isnan(effect.value):
        return Proposal(action="refuse", reason="not_answerable")
    if not told_apart(effect):
        return Proposal(action="test", reason="not_distinguishable")
    if (effect.value > 0) != (favourable == "higher"):
        return Proposal(action="suspend", reason="harms")
    if _GRADES.index(evidence) > _GRADES.index(min_grade):
        return Proposal(action="test", reason="weak_evidence")
    return Proposal(action="keep", reason="helps")


def told_apart(effect: Effect) -> bool:
    """Can the effect be told from zero: by its interval, or where there is none by its p-value?"""
    if np.isfinite(effect.low) and np.isfinite(effect.high):
        return bool(effect.low > 0 or effect.high < 0)
    return bool(effect.p_value < ALPHA)
