"""What is signed of a target, or negotiated again, with the numbers that decide; in the language of the page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.methods.evidence import Condition, grade, refused
from collect_analysis.methods.forecast.target_plan import QUANTILES
from collect_analysis.portfolio.target_setting.decision_fitness import TargetVerdict, verdict_of
from collect_analysis.portfolio.target_setting.page import Setting
from collect_analysis.portfolio.target_setting.page_views import money, unit_list
from collect_analysis.portfolio.target_setting.parameters import TargetSetting
from collect_analysis.report.conditions import sentences, worded
from collect_analysis.report.recording import Decision
from collect_analysis.report.scope_names import scope_names
from collect_analysis.report.texts import formats, say

# The month closes on its first working days; by then the cash of the period is in the book.
# Between the outer quantiles of the forecast.
MIDDLE = round(QUANTILES["p80"] - QUANTILES["p20"], 12)
DAYS_TO_CLOSE = 10
# Below an even chance a target is missed more often than not.
EVEN = 0.5


def conditions(setting: Setting, params: TargetSetting, book: Book) -> list[Condition]:
    """The conditions in words, units by name."""
    return worded([_named(item, book, params.lang) for item in setting.found], params.lang)


def _named(item: Condition, book: Book, lang: str) -> Condition:
    if item.name == "target_adds_up":
        return replace(item, details={"total": money(float(str(item.details["total"])), book, lang)})
    if item.name != "target_capacity" or item.met:
        return item
    units = item.details["units"]
    listed = unit_list([str(key) for key in units] if isinstance(units, list) else [], book, lang)
    return replace(item, details={**item.details, "units": listed})


def decision_of(setting: Setting, params: TargetSetting, book: Book, *, digest: str) -> Decision:
    """Sign, negotiate again, or no target yet; the forecast of the period goes to the ledger."""
    lang, verdict = params.lang, verdict_of(setting.plan, setting.found, setting.terms)
    words = _words(setting, params, book, verdict)
    company = setting.plan.forecast([]).iloc[0]
    missing = " ".join(sentences(refused(setting.found), lang))
    answer = say("target_answer_refuse", lang, missing=missing) if verdict.action == "refuse" else _answer(verdict, words, lang)
    forecast: dict[str, object] = {}
    action: dict[str, object] = {"action": verdict.action}
    if verdict.action != "refuse":
        forecast = {
            "metric": "R1", "period_start": params.period_start, "period_end": params.period_end,
            "value": round(float(company["p50"])), "low": round(float(company["p20"])), "high": round(float(company["p80"])), "level": MIDDLE,
            "unit": "minor", "p_reach": verdict.p_target, "check_on": params.period_end + timedelta(days=DAYS_TO_CLOSE),
        }  # fmt: skip
        action |= {"target_minor": verdict.target, "sheet": "target_sheet.csv", "sha256": digest}
        if verdict.action == "renegotiate":
            action |= {"reasons": list(verdict.reasons), "defended_minor": round(verdict.defended), "gap_minor": round(verdict.gap)}
    return Decision(
        question=say("target_question", lang, **words),
        answer=answer,
        confidence=say("target_confidence_none" if verdict.action == "refuse" else "target_confidence", lang, **words),
        grade=grade("raw", setting.found),
        caveats=_caveats(setting, params, book, words),
        forecast=forecast,
        action=action,
    )


def _answer(verdict: TargetVerdict, words: dict[str, str], lang: str) -> str:
    kind = "above" if verdict.asked != verdict.target else "own"
    if verdict.action == "sign":
        return say(f"target_answer_sign_{kind}", lang, **words)
    parts = [say("target_answer_renegotiate", lang, **words)]
    parts += [say(f"target_reason_{name}", lang, **words) for name in verdict.reasons]
    return " ".join([*parts, say("target_answer_defended", lang, **words)])


def _words(setting: Setting, params: TargetSetting, book: Book, verdict: TargetVerdict) -> dict[str, str]:
    lang, plan = params.lang, setting.plan
    company = plan.forecast([]).iloc[0]
    units = plan.forecast(["unit_key"])
    hard = units.sort_values(["p_reach", "unit_key"]).head(3)
    names = scope_names(book, lang)
    hardest = ", ".join(
        f"{names('unit', str(key))} ({formats.share(float(reach), lang, digits=0)})"
        for key, reach in zip(hard["unit_key"], hard["p_reach"], strict=True)
    )
    short = plan.units[plan.units["capacity_index"] > 1 + params.capacity_tolerance]["unit_key"].astype(str).tolist()
    explained = dict(zip(setting.fairness["allocation"], setting.fairness["value"].astype(float), strict=True))
    band = setting.calibration[(setting.calibration["scope_type"] == "unit") & (setting.calibration["kind"] == "band")]
    company_band = setting.calibration[(setting.calibration["scope_type"] == "company") & (setting.calibration["kind"] == "band")]

    return {
        "start": formats.day(params.period_start, lang),
        "end": formats.day(params.period_end, lang),
        # What is signed is told to the unit.
        "target": formats.money(float(verdict.target), book.currency, lang),
        # Two chances that are compared: a rounded one may look equal to the least.
        "p_target": formats.share(verdict.p_target, lang),
        "asked": formats.money(verdict.asked, book.currency, lang),
        "p_asked": formats.share(verdict.p_asked, lang, digits=0),
        "defended": formats.money(float(int(verdict.defended) // params.step_minor * params.step_minor), book.currency, lang),
        "gap": money(verdict.gap, book, lang),
        "least": formats.share(params.least_reach, lang, digits=0),
        "stretch": formats.share(params.stretch - 1, lang),
        "p20": money(float(company["p20"]), book, lang),
        "p50": money(float(company["p50"]), book, lang),
        "p80": money(float(company["p80"]), book, lang),
        "middle": formats.share(MIDDLE, lang, digits=0),
        "inflow": money(float(plan.leaves["inflow_minor"].sum()), book, lang),
        "inflow_share": formats.share(float(plan.leaves["inflow_minor"].sum() / plan.leaves["expected"].sum()), lang, digits=0),
        "season": formats.number(float(plan.leaves["expected"].sum() / plan.leaves["flat"].sum()), lang, digits=2),
        "hard": hardest,
        "missed": formats.share(1 - verdict.p_target, lang, digits=0),
        "short": unit_list(short, book, lang) or formats.UNDEFINED,
        "explained": formats.share(explained["expected"], lang, digits=0),
        "explained_heads": formats.share(explained["headcount"], lang, digits=0),
        "inside": _came(band, lang),
        "inside_company": _came(company_band, lang),
        "months": formats.number(setting.backtest["month"].nunique(), lang),
        "rebase": formats.share(params.rebase_share, lang, digits=0),
    }


def _came(table: pd.DataFrame, lang: str) -> str:
    return formats.share(float(table["value"].iloc[0]), lang, digits=0) if len(table) else formats.UNDEFINED


def _caveats(setting: Setting, params: TargetSetting, book: Book, words: dict[str, str]) -> tuple[str, ...]:
    """Every unmet condition, then what the forecast stands on and what it does not say."""
    lang = params.lang
    unmet = sentences([_named(item, book, lang) for item in setting.found if not item.met], lang)
    company = setting.plan.forecast([]).iloc[0]
    bold = ("target_caveat_stretch",) if float(company["p_reach"]) < EVEN else ()
    extra: Sequence[str] = (*bold, "target_caveat_inflow", "target_caveat_hard", "target_caveat_levels", "target_caveat_same_work")
    return (*unmet, *(say(name, lang, **words) for name in extra))
