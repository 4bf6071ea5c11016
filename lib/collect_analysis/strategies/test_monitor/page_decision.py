"""A test monitor in words: what somebody is asked to sign about a running test, and when the next look is."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd

from collect_analysis.methods.evidence import Condition, Grade, grade, refused
from collect_analysis.report import texts
from collect_analysis.report.conditions import causes, sentences
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say
from collect_analysis.strategies.experiment import plan_of
from collect_analysis.strategies.test_monitor.decision import Outlook, Ruling, Standing, overall, rule
from collect_analysis.strategies.test_monitor.page import Watched, newest
from collect_analysis.strategies.test_monitor.parameters import TestMonitor
from collect_analysis.strategies.treatment import crowded
from collect_analysis.strategies.verdict import Status

# Without a look there is nothing to claim yet, and nothing to mend.
_WAITING = frozenset({"look_possible"})


def rulings(params: TestMonitor, found: Sequence[Condition], watched: Watched) -> list[Ruling]:
    """What should happen with each challenger? (`monitoring.rule`)"""
    broken = [item for item in refused(found) if item.name not in _WAITING]
    starved = crowded(found)
    return [
        rule(
            _standing(arm, params, watched, crowded=starved),
            broken=bool(broken),
            looked=watched.looked,
            short_reading=params.read_after < params.horizon_days,
            closed=params.spending != "always_valid",
            futility_below=params.futility_below,
        )
        for arm in params.challengers
    ]


def _standing(arm: str, params: TestMonitor, watched: Watched, *, crowded: bool) -> Standing:
    own = watched.effects[watched.effects["arm"] == arm]
    used = own[own["used"]]
    latest = used.iloc[-1] if len(used) else pd.Series(np.nan, index=own.columns)
    guards = newest(watched.guarded[watched.guarded["arm"] == arm])
    # Before the first look every guardrail is unknown, not kept.
    statuses: dict[str, Status] = dict.fromkeys(params.guardrails, "unknown")
    statuses |= {str(row["outcome"]): row["status"] for row in guards.to_dict("records")}
    return Standing(
        arm=arm,
        **{name: float(latest[name]) for name in ("value", "low", "high", "relative", "fraction")},
        crossed=str(own["crossed"].iloc[-1]) if len(own) else "",
        conditional_power=watched.power[arm],
        guardrails=statuses,
        crowded=crowded,
    )


def ruling_table(found: Sequence[Ruling], ahead: Outlook | None) -> pd.DataFrame:
    """One row per challenger: arm, action, reason, relative, fraction, conditional_power, next_look, complete_on."""
    days = {"next_look": ahead.next_look if ahead else None, "complete_on": ahead.complete_on if ahead else None}
    rows = [
        {
            "arm": item.arm,
            "action": item.action,
            "reason": item.reason,
            "relative": item.standing.relative if item.reason != "broken" else np.nan,
            "fraction": item.standing.fraction if item.reason != "broken" else np.nan,
            "conditional_power": item.standing.conditional_power if item.reason != "broken" else np.nan,
            **days,
        }
        for item in found
    ]
    return pd.DataFrame(rows)


def decision_of(
    params: TestMonitor,
    currency: str,
    found: Sequence[Condition],
    watched: Watched,
    judged: Sequence[Ruling],
    ahead: Outlook | None,
    peeked: pd.DataFrame,
) -> Decision:
    """What somebody is asked to sign: mend, stop, or go on, with the next look and the day the planned information is expected."""
    lang, first = params.lang, overall(judged)
    evidence: Grade = grade(plan_of(params).design, found)
    words = _words(first, params, currency, found, watched, ahead)
    answer = say(f"monitor_{first.action}_{first.reason}", lang, **words).strip()
    if first.action == "continue":
        answer = f"{answer} {_timetable(params, ahead)}".strip()
    action: dict[str, object] = {"action": first.action, "arm": first.arm, "reason": first.reason}
    if ahead is not None:
        action |= {"next_look": ahead.next_look, "complete_on": ahead.complete_on}
    forecast: dict[str, object] = {}
    if first.action == "stop_success":
        numbers = {name: getattr(first.standing, name) for name in ("value", "low", "high")}
        forecast = {"metric": _outcome(params, watched), "arm": first.arm, "base": params.champion, "horizon_days": params.read_after}
        forecast |= {**numbers, "unit": formats.unit_of_difference(watched.primary.unit)}
    return Decision(
        question=say("monitor_question", lang, experiment=params.experiment_id, challengers=", ".join(params.challengers)),
        answer=answer,
        confidence=_confidence(params, evidence, found, first, words, peeked),
        grade=evidence,
        caveats=_caveats(params, found, judged, watched),
        forecast=forecast,
        action=action,
    )


def _outcome(params: TestMonitor, watched: Watched) -> str:
    return watched.primary.label.get(params.lang, texts.value("outcome", watched.primary.name, params.lang))


def _words(
    first: Ruling, params: TestMonitor, currency: str, found: Sequence[Condition], watched: Watched, ahead: Outlook | None
) -> dict[str, str]:
    lang, standing = params.lang, first.standing
    outcome = _outcome(params, watched)
    breached = [texts.value("outcome", name, lang) for name, status in standing.guardrails.items() if status == "breached"]
    still_open = [texts.value("outcome", name, lang) for name, status in standing.guardrails.items() if status != "kept"]
    last = watched.entered["day"].max() if len(watched.entered) else None
    return {
        "arm": first.arm,
        "champion": params.champion,
        "outcome": outcome[:1].lower() + outcome[1:],
        "Outcome": outcome,
        "days": formats.number(params.read_after, lang),
        "horizon": formats.number(params.horizon_days, lang),
        "horizon_on": formats.day(last + timedelta(days=params.horizon_days) if last else None, lang),
        "relative": formats.share(standing.relative, lang),
        "value": formats.difference(standing.value, watched.primary.unit, lang, currency=currency),
        # "Between 0.9 and 1.7 percentage points": the unit once.
        "low": formats.difference(standing.low, watched.primary.unit, lang, currency=currency, bare=True),
        "high": formats.difference(standing.high, watched.primary.unit, lang, currency=currency),
        "progress": say("monitor_progress", lang, fraction=formats.share(standing.fraction, lang, digits=0)) if params.planned else "",
        "power": formats.share(standing.conditional_power, lang, digits=0),
        "margin": formats.share(params.margin_relative, lang),
        "why": causes([item for item in found if item.name not in _WAITING], lang),
        "guardrails": ", ".join(breached or still_open).lower(),
        "more": _more_time(found, params.champion, lang),
        "first": formats.day(ahead.first_look if ahead else None, lang),
    }


def _more_time(found: Sequence[Condition], champion: str, lang: str) -> str:
    """How much more agent time the challenger used: as a share, or in minutes where the champion used none."""
    for item in found:
        if item.name == "capacity_unshared":
            minutes = formats.number(float(str(item.details["mean"])), lang, digits=1)
            return say("monitor_time_from_none", lang, minutes=minutes, champion=champion)
    shares = [float(str(item.details["relative_share"])) for item in found if item.name == "capacity_alike"]
    return say("monitor_time_more", lang, share=formats.share(shares[0] if shares else None, lang), champion=champion)


def _timetable(params: TestMonitor, ahead: Outlook | None) -> str:
    """When the next look is, and when the planned information is in: before, ahead, or at no pace that can be seen."""
    if ahead is None:
        return ""
    lang = params.lang
    following = say("monitor_next", lang, day=formats.day(ahead.next_look, lang)) if ahead.next_look else say("monitor_no_next", lang)
    if not params.planned:
        return following
    if ahead.complete_on is None:
        numbers = {"entered": formats.number(ahead.entered, lang), "planned": formats.number(ahead.planned, lang, digits=0)}
        return f"{following} {say('monitor_no_pace', lang, **numbers)}"
    key = "monitor_complete" if ahead.complete_on > params.as_of else "monitor_complete_since"
    return f"{following} {say(key, lang, day=formats.day(ahead.complete_on, lang), days=formats.number(params.read_after, lang))}"


def _confidence(
    params: TestMonitor, evidence: Grade, found: Sequence[Condition], first: Ruling, words: dict[str, str], peeked: pd.DataFrame
) -> str:
    lang = params.lang
    if evidence == "none":
        return say("confidence_none", lang, missing=" ".join(sentences(refused(found), lang)))
    own = peeked[peeked["arm"] == first.arm].iloc[0]
    if not own["tested_looks"] or not np.isfinite(first.standing.low):
        return say("monitor_confidence_early", lang)
    looks = formats.number(float(own["tested_looks"]), lang)
    return say("monitor_confidence", lang, **words, looks=looks, wrong=formats.share(float(own["wrongly"]), lang))


def _caveats(params: TestMonitor, found: Sequence[Condition], judged: Sequence[Ruling], watched: Watched) -> tuple[str, ...]:
    lang = params.lang
    unmet = sentences([item for item in found if not item.met], lang)
    wolf = watched.effects
    cried = [] if refused(found) else [arm for arm in params.challengers if _only_naive(wolf[wolf["arm"] == arm])]
    alarm = [say("monitor_caveat_naive", lang, arm=arm) for arm in cried]
    early = [say("monitor_caveat_early", lang)] if any(item.action in ("stop_success", "stop_harm") for item in judged) else []
    several = [say("monitor_caveat_several", lang, count=len(judged))] if len(judged) > 1 else []
    split = [say("monitor_caveat_capacity", lang)] if crowded(found) else []
    return (*unmet, *split, *alarm, *early, *several)


def _only_naive(own: pd.DataFrame) -> bool:
    return bool(len(own) and own["naive_crossed"].any() and (own["crossed"] == "").all())
