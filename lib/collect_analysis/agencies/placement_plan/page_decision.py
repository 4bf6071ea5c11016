"""The plan of the next placements as the decision somebody signs, in the language of the page."""

import hashlib

import pandas as pd

from collect_analysis.agencies.placement_plan.page import Basis, Plan
from collect_analysis.agencies.placement_plan.parameters import PlacementPlan
from collect_analysis.methods.evidence import Condition, grade
from collect_analysis.report.conditions import causes
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say

# A change smaller than this is told as the share alone.
WORTH_SAYING = 0.005


def decision_of(basis: Basis, plan: Plan, conditions: list[Condition], params: PlacementPlan) -> Decision:
    """Who gets what with which probabilities, what comes back, what it brings, and when that is checked."""
    lang = params.lang
    start, end = formats.day(params.next_start, lang), formats.day(params.next_end, lang)
    question = say("plan_question", lang, start=start, end=end)
    recalled = int(plan.recalled.loc[plan.recalled["verdict"] == "recall", "cases"].sum())
    unmet = tuple(f"{item.detail} {item.remedy}".strip() for item in conditions if not item.met)
    if plan.shares is None or plan.strata is None:
        nothing = basis.share_now.empty or basis.share_now.sum() == 0
        return Decision(
            question=question,
            answer=say("plan_answer_nothing" if nothing else "plan_answer_refused", lang, why=causes(conditions, lang)),
            confidence=say("plan_no_confidence", lang),
            grade="none",
            caveats=unmet,
            action={"plan_recalls": recalled},
        )
    named = basis.page.named(plan.share_table)
    accounts = formats.number(float(plan.strata.groups["accounts"].sum()), lang)
    key = "plan_answer_quiet_untold" if plan.quiet_untold else "plan_answer"
    answer = say(key, lang, accounts=accounts, steps=", ".join(_steps(named, lang)), recalls=formats.number(recalled, lang))
    return Decision(
        question=question,
        answer=answer,
        confidence=_confidence(basis, plan, params),
        grade=grade("randomised" if basis.allocation == "random" else "adjusted", basis.conditions),
        caveats=(*_bounded(named, lang), *unmet, say("plan_caveat_draw", lang), say("plan_caveat_forecast", lang)),
        forecast=_forecast(plan, params),
        action={
            "plan_next_shares": named[["unit_name", "share_now", "share_next"]].to_dict("records"),
            "exploration_share": plan.shares.exploration_share,
            "plan_recalls": recalled,
            "plan_hash": hash_of(plan)[:16],
        },
    )


def hash_of(plan: Plan) -> str:
    """SHA-256 of the probabilities by stratum and unit, 12 significant digits: what is installed must have the same."""
    if plan.strata is None:
        return ""
    rows = plan.strata.table.sort_values(["group", "unit_key"])
    text = "".join(f"{row.group},{row.unit_key},{row.propensity:.12g}\n" for row in rows.itertuples())
    return hashlib.sha256(text.encode()).hexdigest()


def _steps(named: pd.DataFrame, lang: str) -> list[str]:
    told = []
    for row in named.sort_values("share_next", ascending=False, kind="stable").to_dict("records"):
        words = {"unit": row["unit_name"], "next": formats.share(row["share_next"], lang, digits=0)}
        moved = abs(row["change"]) >= WORTH_SAYING
        told.append(say("plan_step" if moved else "plan_step_same", lang, now=formats.share(row["share_now"], lang, digits=0), **words))
    return told


def _confidence(basis: Basis, plan: Plan, params: PlacementPlan) -> str:
    lang = params.lang
    if pd.isna(plan.gain["value"]):
        return say("plan_value_unknown", lang)
    money = {name: formats.money(plan.gain[name], basis.page.currency, lang, compact=True) for name in ("value", "low", "high")}
    first = say("plan_gain_open", lang, months=formats.number(params.horizon_months, lang), **money)
    now = plan.gain["value_now"]
    if pd.isna(now):
        return f"{first} {say('plan_gain_unknown', lang)}"
    words = {
        "now": formats.money(now, basis.page.currency, lang, compact=True),
        **{name: formats.money(plan.gain[name], basis.page.currency, lang, compact=True) for name in ("gain", "gain_low", "gain_high")},
    }
    shown = "plan_gain_known" if plan.gain["gain_low"] > 0 else "plan_gain_not_shown"
    return f"{first} {say(shown, lang, **words)}"


def _bounded(named: pd.DataFrame, lang: str) -> list[str]:
    found = []
    for key, chosen in (
        ("plan_caveat_gate", named["why"].isin(["gate_fail", "blocked"])),
        ("plan_caveat_audit", named["gate_status"] == "audit"),
        ("plan_caveat_capacity", named["bound"] == "capacity"),
    ):
        if chosen.any():
            found.append(say(key, lang, units=", ".join(named.loc[chosen, "unit_name"])))
    return found


def _forecast(plan: Plan, params: PlacementPlan) -> dict[str, object]:
    months = params.next_end.year * 12 + params.next_end.month + params.horizon_months
    check_on = pd.Timestamp(year=months // 12, month=months % 12 + 1, day=1).date()
    return {
        "metric": say("plan_metric", params.lang),
        "horizon_months": params.horizon_months,
        "value": plan.gain["value"],
        "low": plan.gain["low"],
        "high": plan.gain["high"],
        "unit": "minor",
        "check_on": check_on.isoformat(),
    }
