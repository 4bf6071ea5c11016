"""Whether a target can be signed: fairness, what must hold, and the verdict with its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.measures.scopes import UNASSIGNED
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.forecast import target_plan
from collect_analysis.methods.forecast.recovery_forecast import BAND, LEAST_MONTHS
from collect_analysis.portfolio.target_setting.decision import LEVELS, RECENT_MONTHS, Plan, Terms
from collect_analysis.portfolio.target_setting.measures import Inputs

MONTHS_TO_JUDGE = LEAST_MONTHS + 2
# By so much may the share of results inside the band differ from what was stated.
BAND_TOLERANCE = 0.15
FAIR_P, FAIR_R2 = 0.05, 0.05


def fairness(inputs: Inputs, *, draws: int, seed: int) -> pd.DataFrame:
    """Had the last `RECENT_MONTHS` months been allocated this way, would the portfolio explain who reached the target?

    Attainment of each officer against a share of the unit's recovery in proportion to expected recovery, and against an equal share for
    every head. Portfolio: accounts, opening balance per account, expected payers per account, expected recovery per account. Held constant:
    the officer's own observed over expected of all earlier months, because who works well changes the accounts that are left. Columns:
    allocation (expected, headcount), officers, value (R-squared within units), p_value. NaN: too few officers.
    """
    recent = sorted(inputs.officers["month"].unique())[-RECENT_MONTHS:]
    keys = ["unit_key", "officer_key"]
    columns = ["accounts", "opening_minor", "capped_minor", "expected_minor", "expected_payers"]
    named = inputs.officers[inputs.officers["officer_key"] != UNASSIGNED]
    before = named[~named["month"].isin(recent)].groupby("officer_key")[["capped_minor", "expected_minor"]].sum()
    table = named[named["month"].isin(recent)].groupby(keys, as_index=False)[columns].sum()
    earlier = before["capped_minor"] / before["expected_minor"].where(before["expected_minor"] > 0)
    table["earlier"] = table["officer_key"].map(earlier).astype(float)
    table["earlier"] = table["earlier"].fillna(table["earlier"].mean()).fillna(1.0)
    table = table[(table["expected_minor"] > 0) & (table.groupby("unit_key")["unit_key"].transform("size") > 1)].reset_index(drop=True)
    total = table.groupby("unit_key")["capped_minor"].transform("sum").astype(float)
    share = table["expected_minor"] / table.groupby("unit_key")["expected_minor"].transform("sum")
    head = 1 / table.groupby("unit_key")["unit_key"].transform("size")
    each = {name: table[name] / table["accounts"] for name in ("opening_minor", "expected_payers", "expected_minor")}
    mix = pd.DataFrame({"accounts": table["accounts"], **each})
    rows = []
    for name, part in (("expected", share), ("headcount", head)):
        attained = table["capped_minor"] / (total * part).where(total > 0)
        value, p_value = target_plan.explained_by_mix(
            attained.fillna(0.0), mix, table["unit_key"], held=table["earlier"], draws=draws, seed=seed
        )
        rows.append({"allocation": name, "officers": len(table), "value": value, "p_value": p_value})
    return pd.DataFrame(rows)


def conditions_of(inputs: Inputs, plan: Plan, fair: pd.DataFrame, calibrated: pd.DataFrame, terms: Terms) -> list[Condition]:
    """What must hold for the target to be signed."""
    band = calibrated[(calibrated["scope_type"] == "unit") & (calibrated["kind"] == "band")]
    inside = float(band["value"].iloc[0]) if len(band) else float("nan")
    stated = BAND[1] - BAND[0]
    unknown = int((~inputs.days["in_calendar"]).sum())
    expected = fair[fair["allocation"] == "expected"].iloc[0]
    heads = fair[fair["allocation"] == "headcount"].iloc[0]
    unfair = bool(expected["p_value"] < FAIR_P and expected["value"] > FAIR_R2)
    short = _short(plan, terms)
    totals = [plan.leaves.groupby(list(LEVELS[: depth + 1]))["target"].sum().sum() for depth in range(3)]
    varied = plan.curves[plan.curves["value"].notna()]
    moved = bool((plan.season["lunar_new_year"] - 1).abs().max() > 0.01)
    seen = int((np.abs(inputs.past.parts["lunar_new_year"]) > 0.02).sum())
    return [
        Condition(name="target_history", met=plan.months >= MONTHS_TO_JUDGE, details={"months": plan.months, "least": MONTHS_TO_JUDGE}),
        Condition(name="target_adds_up", met=len(set(totals)) == 1, details={"total": int(totals[0])}),
        Condition(
            name="target_calendar", met=unknown == 0, consequence="downgrade", details={"days": unknown}
        ),
        Condition(
            name="target_band" if len(band) else "target_band_tested",
            met=bool(abs(inside - stated) <= BAND_TOLERANCE),
            consequence="downgrade",
            details={"inside_share": inside, "stated_share": stated, "results": int(band["denominator"].sum())},
        ),
        Condition(name="target_lunar", met=not moved or seen >= 3, consequence="downgrade", details={"months": seen}),
        Condition(
            name="target_fair",
            met=not unfair,
            consequence="downgrade",
            details={"r_share": expected["value"], "p_value": expected["p_value"], "heads_share": heads["value"],
                     "officers": int(expected["officers"])},
        ),
        Condition(
            name="target_capacity", met=not len(short), consequence="note",
            details={"units": list(short["unit_key"]), "count": len(short), "most": float(short["capacity_index"].max()) if len(short) else 0},
        ),
        Condition(
            name="target_minutes", met=len(varied) > 0, consequence="note",
            details={"sub_functions": list(varied["sub_function"]), "count": len(varied)},
        ),
    ]  # fmt: skip


def _short(plan: Plan, terms: Terms) -> pd.DataFrame:
    return plan.units[plan.units["capacity_index"] > 1 + terms.capacity_tolerance]


Action = Literal["sign", "renegotiate", "refuse"]


@dataclass(frozen=True, kw_only=True)
class TargetVerdict:
    """Sign or negotiate again, why, and the numbers that decide.

    `asked`: what is to be signed (the number from above where there is one, else the target); `p_asked` its chance; `defended`: the amount
    that has the declared least chance; `gap`: asked - defended, where positive.
    """

    action: Action
    reasons: tuple[str, ...]
    asked: float
    p_asked: float
    target: int
    p_target: float
    defended: float
    gap: float


def verdict_of(plan: Plan, found: Sequence[Condition], terms: Terms) -> TargetVerdict:
    """Sign where the chance of what is asked is at least `least_reach`, the work fits the hours, and the allocation is fair."""
    asked = float(plan.target) if terms.top_down is None else terms.top_down
    chance, defended = plan.chance_of(asked), plan.at_chance(terms.least_reach)
    unmet = {item.name for item in found if not item.met}
    reasons = [name for name, holds in (
        ("top_down_high", terms.top_down is not None and chance < terms.least_reach),
        ("reach_low", terms.top_down is None and chance < terms.least_reach),
        ("capacity_short", "target_capacity" in unmet),
        ("unfair", "target_fair" in unmet),
    ) if holds]  # fmt: skip
    action: Action = "refuse" if refused(found) else "renegotiate" if reasons else "sign"
    return TargetVerdict(
        action=action,
        reasons=tuple(reasons),
        asked=asked,
        p_asked=chance,
        target=plan.target,
        p_target=plan.chance_of(float(plan.target)),
        defended=defended,
        gap=max(asked - defended, 0.0),
    )
