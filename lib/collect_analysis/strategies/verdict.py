"""Promote, reject or extend: stated rules over effects, guardrails and evidence; codes and numbers, no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.measures.arms import after
from collect_analysis.methods.evidence import Grade
from collect_analysis.methods.trials.experiments import BASE_NOT_POSITIVE, BASE_NOT_TOLD

Action = Literal["promote", "reject", "extend", "refuse"]
Status = Literal["kept", "open", "breached", "unknown"]
Lasting = Literal["lasting", "fading", "timing", "unclear", "no_early", ""]
_GRADES: tuple[Grade, ...] = ("A", "B", "C", "D", "none")
# Guarded events are rare: they are counted per so many cases.
PER_CASES = 1_000


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The primary effect of one challenger, absolute (per case) and relative, with what else bears on the decision.

    `guardrails` holds the status of each; `per_minute_low` the lower bound of the relative effect on cash per agent minute where the
    challenger used more time than agreed, else None; `lasting` how the effect stands at the longest horizon (`persistence`, empty where it
    was read at one only) and `early`, whether the claim is about an earlier one; `needed` cases per arm that would find the margin;
    `net_low` and `net_high` bound what an account is worth more after cost, None where cost or cash is not known.
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
    lasting: Lasting = ""
    early: bool = False
    net_low: float | None = None
    net_high: float | None = None

    @property
    def net_open(self) -> bool:
        """Whether cost is known and it is not shown that an account leaves more after cost."""
        return self.net_low is not None and not self.net_low > 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is proposed for one challenger, and the rule that decided."""

    arm: str
    action: Action
    reason: str
    claim: Claim


def judge(claim: Claim, *, evidence: Grade, min_grade: Grade, margin: float) -> Verdict:
    """What should happen with this challenger?

    Rules, the first that applies: no grade -> refuse; a guardrail breached -> reject; interval below zero -> reject (harm); less left
    after cost, by its whole interval -> reject; an early gain shown to be given back (timing, not level) -> reject where the interval lies
    below the margin, else extend; interval below the margin -> reject (too small to be worth having); interval not above zero (it allows for
    several challengers) -> extend; point below the margin -> extend; more agent time used and no gain per minute shown -> extend; claim
    about an early horizon whose gain is not shown at the longest one, or shown to shrink until then -> extend; grade under the least that
    allows a roll-out -> extend; a guardrail open -> extend; else promote. One interval decides and is quoted; relative and absolute ones
    leave zero together (`rates.relative_interval`).
    """

    def verdict(action: Action, reason: str) -> Verdict:
        return Verdict(arm=claim.arm, action=action, reason=reason, claim=claim)

    if evidence == "none" or np.isnan(claim.value):
        return verdict("refuse", "not_answerable")
    if "breached" in claim.guardrails.values():
        return verdict("reject", "guardrail_breached")
    if claim.high < 0:
        return verdict("reject", "harm")
    if claim.net_high is not None and claim.net_high < 0:
        return verdict("reject", "costs_more")
    if claim.lasting == "timing":
        # Whether a gain worth having may still hide in the longest horizon's interval.
        return verdict("extend", "timing") if not claim.relative_high < margin else verdict("reject", "timing")
    if claim.relative_high < margin:
        return verdict("reject", "too_small")
    if not claim.low > 0:
        return verdict("extend", "not_distinguishable")
    # A relative effect that is undefined cannot be held against the margin either.
    if not claim.relative >= margin:
        return verdict("extend", "below_margin")
    if claim.per_minute_low is not None and not claim.per_minute_low > 0:
        return verdict("extend", "capacity")
    if claim.early and claim.lasting == "unclear":
        return verdict("extend", "persistence_open")
    if claim.early and claim.lasting == "fading":
        return verdict("extend", "fading")
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


def rivals(verdicts: Sequence[Verdict]) -> list[str]:
    """The challengers that the chosen one must be told apart from: those that are not rejected; none where none is promoted."""
    best = overall(verdicts)
    return [item.arm for item in verdicts if best.action == "promote" and item.arm != best.arm and item.action in ("promote", "extend")]


def not_told_apart(between: pd.DataFrame) -> pd.DataFrame:
    """The rivals whose difference from the chosen challenger has an interval that holds zero, the nearest first.

    Takes the chosen challenger against each rival (`base`): value, low, high.
    """
    held = between[(between["low"] <= 0) & (between["high"] >= 0)]
    return held.sort_values(["value", "base"], ignore_index=True)


def guardrail_table(effects: pd.DataFrame, margins: Mapping[str, float]) -> pd.DataFrame:
    """Did anything that must not get worse get worse?

    A guardrail is a number of events per 1,000 cases that should not rise by more than its margin: `kept` where the whole interval of the
    difference lies at or below the margin, `breached` where it lies above zero and the point above the margin, `open` where it cannot be
    told yet, `unknown` where there is no interval.
    Takes what `experiments.compare_arms` returns; columns: outcome, horizon_days, arm, cases, base_mean, mean, value, low, high, margin
    (all per 1,000 cases), status, note.
    """
    table = effects[["outcome", "horizon_days", "arm", "cases", "base_mean", "mean", "value", "low", "high", "note"]].copy()
    # Guarded differences are absolute: that there is no relative one is nothing to note.
    table["note"] = table["note"].replace([BASE_NOT_POSITIVE, BASE_NOT_TOLD], "")
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


def persistence(effects: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """Is an early gain still there at the longest horizon that is over? Cash that came earlier is not more cash.

    What an arm has at the longest horizon is what it had at the early one and what came after: D_late = D_early + D_after, on the same
    subjects, so the interval of D_after says whether the early gain was given back.
    `lasting`: the effect at the longest horizon lies above zero. `fading`: so it does, but an early one did too and part of that was given
    back (the interval of D_after lies below zero). `timing`: it does not, an early one did, and after it the arm collected less
    than the base arm (the interval of D_after lies below zero: that the early gain persists is excluded). `unclear`: an early effect lay
    above zero, the longest one does not, and whether it was given back cannot be told. `no_early`: no effect lay above zero at any horizon.

    Parameters
    ----------
    effects, later
        `experiments.compare_arms` of the outcomes at their horizons and of what came after each earlier one (`arms.after_early`); columns
        outcome, unit, horizon_days, arm, value, low, high, relative.

    Returns
    -------
    outcome, unit, arm, early_days (the earliest horizon whose effect lay above zero and was given back, else the earliest above zero, else
    the earliest), early, early_low, early_high, after, after_low, after_high, late_days, late, late_low, late_high, lasting; a row per outcome
    and arm read at two horizons or more.
    """
    rows = []
    known = effects.dropna(subset=["low", "high"])
    since_early = {
        (row["outcome"], row["horizon_days"], row["arm"]): row for row in later.dropna(subset=["low", "high"]).to_dict("records")
    }
    for (outcome, arm), own in known.groupby(["outcome", "arm"], sort=True):
        ordered = own.sort_values("horizon_days").to_dict("records")
        late, candidates = ordered[-1], []
        for early in ordered[:-1]:
            since = since_early.get((after(str(outcome), early["horizon_days"]), late["horizon_days"], arm))
            if since is not None:
                candidates.append((early["low"] > 0, since["high"] < 0, early, since))
        if candidates:
            shown, given_back, early, since = max(candidates, key=lambda item: (item[0] and item[1], item[0], -item[2]["horizon_days"]))
            lasting = _standing(late["low"] > 0, shown, given_back)
            row = {
                "outcome": outcome,
                "unit": late["unit"],
                "arm": arm,
                "early_days": early["horizon_days"],
                "late_days": late["horizon_days"],
            }
            for name, part in (("early", early), ("after", since), ("late", late)):
                row |= {name: part["value"], f"{name}_low": part["low"], f"{name}_high": part["high"]}
            rows.append({**row, "lasting": lasting})
    return pd.DataFrame(rows, columns=_PERSISTENCE)


_PERSISTENCE = ["outcome", "unit", "arm", "early_days", "early", "early_low", "early_high", "after", "after_low", "after_high"]
_PERSISTENCE += ["late_days", "late", "late_low", "late_high", "lasting"]


def _standing(late: bool, early: bool, given_back: bool) -> Lasting:
    if late:
        return "fading" if early and given_back else "lasting"
    if not early:
        return "no_early"
    return "timing" if given_back else "unclear"


def tail_table(effects: pd.DataFrame) -> pd.DataFrame:
    """Does an effect on money stand whichever way large amounts are treated?

    Takes one row per outcome, arm and `method` (plain first) with value, low, high; adds `steady`: `holds` where the method says of the
    effect what the plain difference says (above zero, below zero, cannot be told), `significance_changes` where one of them can be told from
    zero and the other cannot, `sign_changes` where they are on opposite sides, empty for the plain one and where an interval is undefined.
    """
    side = pd.Series(np.select([effects["low"] > 0, effects["high"] < 0], [1, -1], default=0), index=effects.index)
    plain = effects.assign(side=side)[effects["method"] == "plain"].set_index(["outcome", "arm"])["side"]
    of_plain = pd.Series([plain.get(key, 0) for key in zip(effects["outcome"], effects["arm"], strict=True)], index=effects.index)
    undefined = effects[["low", "high"]].isna().any(axis=1) | (effects["method"] == "plain")
    steady = np.select([undefined, side == of_plain, side * of_plain < 0], ["", "holds", "sign_changes"], default="significance_changes")
    return effects.assign(steady=steady)
