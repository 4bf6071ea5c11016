"""Promote, reject or extend: stated rules over effects, guardrails and evidence; codes and numbers, no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.methods.evidence import Grade

Action = Literal["promote", "reject", "extend", "refuse"]
Status = Literal["kept", "open", "breached", "unknown"]
ALPHA = 0.05
_GRADES: tuple[Grade, ...] = ("A", "B", "C", "D", "none")
# The effect at the longest horizon that is under this share of the early one has faded.
FADED = 0.5
# Guarded events are rare: they are counted per so many cases.
PER_CASES = 1_000


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The primary effect of one challenger, absolute (per case) and relative, with what else bears on the decision.

    `guardrails` holds the status of each; `per_minute_low` the lower bound of the relative effect on cash per agent minute where the
    challenger used more time than agreed, else None; `faded` whether the effect is gone at the longest horizon; `needed` cases per arm that
    would find the margin.
    """

    arm: str
    value: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    p_adjusted: float
    guardrails: Mapping[str, Status]
    needed: float
    per_minute_low: float | None = None
    faded: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is proposed for one challenger, and the rule that decided."""

    arm: str
    action: Action
    reason: str
    claim: Claim


def judge(claim: Claim, *, evidence: Grade, min_grade: Grade, margin: float) -> Verdict:
    """What should happen with this challenger?

    Rules, the first that applies: no grade -> refuse; a guardrail breached -> reject; interval below zero -> reject (harm); interval below
    the margin -> reject (too small to be worth having); not distinguishable from zero after adjustment for several challengers -> extend;
    point below the margin -> extend; more agent time used and no gain per minute shown -> extend; effect faded at the longest horizon ->
    extend; grade under the least that allows a roll-out -> extend; a guardrail open -> extend; else promote.
    """

    def verdict(action: Action, reason: str) -> Verdict:
        return Verdict(arm=claim.arm, action=action, reason=reason, claim=claim)

    if evidence == "none" or np.isnan(claim.value):
        return verdict("refuse", "not_answerable")
    if "breached" in claim.guardrails.values():
        return verdict("reject", "guardrail_breached")
    if claim.high < 0:
        return verdict("reject", "harm")
    if claim.relative_high < margin:
        return verdict("reject", "too_small")
    if not (claim.p_adjusted < ALPHA and claim.value > 0):
        return verdict("extend", "not_distinguishable")
    # A relative effect that is undefined cannot be held against the margin either.
    if not claim.relative >= margin:
        return verdict("extend", "below_margin")
    if claim.per_minute_low is not None and not claim.per_minute_low > 0:
        return verdict("extend", "capacity")
    if claim.faded:
        return verdict("extend", "timing")
    if _GRADES.index(evidence) > _GRADES.index(min_grade):
        return verdict("extend", "weak_evidence")
    if any(status != "kept" for status in claim.guardrails.values()):
        return verdict("extend", "guardrail_open")
    return verdict("promote", "gain")


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The one decision of a review: the promotable challenger with the largest effect; else an extension; else a rejection; else none."""
    order: tuple[Action, ...] = ("promote", "extend", "reject", "refuse")
    return min(
        verdicts, key=lambda item: (order.index(item.action), -item.claim.value if not np.isnan(item.claim.value) else 0.0, item.arm)
    )


def guardrail_table(effects: pd.DataFrame, margins: Mapping[str, float]) -> pd.DataFrame:
    """Did anything that must not get worse get worse?

    A guardrail is a number of events per 1,000 cases that should not rise by more than its margin: `kept` where the whole interval of the
    difference lies at or below the margin, `breached` where it lies above zero and the point above the margin, `open` where it cannot be
    told yet, `unknown` where there is no interval.
    Takes what `experiments.compare_arms` returns; columns: outcome, horizon_days, arm, cases, base_mean, mean, value, low, high, margin
    (all per 1,000 cases), status, note.
    """
    table = effects[["outcome", "horizon_days", "arm", "cases", "base_mean", "mean", "value", "low", "high", "note"]].copy()
    numbers = ["base_mean", "mean", "value", "low", "high"]
    table[numbers] = table[numbers].astype(float) * PER_CASES
    table.insert(9, "margin", table["outcome"].map(dict(margins)).astype(float))
    status = np.select(
        [
            table[["value", "low", "high"]].isna().any(axis=1),
            table["high"] <= table["margin"],
            (table["low"] > 0) & (table["value"] > table["margin"]),
        ],
        ["unknown", "kept", "breached"],
        default="open",
    )
    table.insert(10, "status", status)
    return table


def faded(effects: pd.DataFrame, *, arm: str, outcome: str) -> bool:
    """Is an effect that was there at an earlier horizon gone at the longest one that is over? Cash that came early is not more cash.

    True where some earlier horizon's interval lies above zero, the longest one's includes zero, and its point is under half of the earlier
    one's. False with fewer than two horizons.
    """
    own = effects[(effects["arm"] == arm) & (effects["outcome"] == outcome)].dropna(subset=["low", "high"]).sort_values("horizon_days")
    if len(own) < 2:
        return False
    last, earlier = own.iloc[-1], own.iloc[:-1]
    shown = earlier[earlier["low"] > 0]
    return bool(len(shown) and last["low"] <= 0 <= last["high"] and (last["value"] < FADED * shown["value"]).any())
