"""What a month's pace asks for, in words: the forecast against plan, what explains the gap, what to do, and what the ledger will check."""

from datetime import date

import numpy as np

from collect_analysis.measures.periods import month_end, month_start
from collect_analysis.measures.scopes import COMPANY
from collect_analysis.methods.evidence import refused
from collect_analysis.methods.forecast.completion import Forecast
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.portfolio.pace.page import FORECAST_NAME, Landing, bridge_by, bucket_name
from collect_analysis.report import conditions, texts
from collect_analysis.report.recording import Decision
from collect_analysis.report.scope_names import scope_names
from collect_analysis.report.texts import formats, say

# Parts of the gap named in the answer; the figure has all of them.
PARTS_NAMED = 3


def decision_of(landed: Landing) -> Decision:
    """The decision asked, the answer, and the forecast for the ledger."""
    lang, as_of = landed.params.lang, landed.known.as_of
    month = _month(month_start(as_of), lang)
    question = say("pace_question", lang, month=month)
    if landed.made is None:
        answer = say("pace_answer_refused", lang, why=landed.why_not)
        confidence = say("pace_confidence_refused", lang)
        return Decision(question=question, answer=answer, confidence=confidence, grade="none", caveats=_caveats(landed))
    made = landed.made
    parts = [_headline(landed, made), _gap(landed), _action(landed)]
    blocked = bool(refused(landed.found))
    return Decision(
        question=question,
        answer=" ".join(part for part in parts if part),
        confidence=say("pace_confidence_blocked", lang) if blocked else _confidence(landed, made),
        grade=landed.grade,
        caveats=_caveats(landed),
        forecast=_forecast(landed, made),
        action=_actions(landed),
    )


def _headline(landed: Landing, made: Forecast) -> str:
    lang = landed.params.lang
    low, high = made.interval(landed.params.level)
    numbers = {"value": made.value, "low": low, "high": high, "plan": landed.plan}
    words = {
        "month": _month(month_start(landed.known.as_of), lang),
        "level": formats.share(landed.params.level, lang, digits=0),
        "reach": chance(made.reach(landed.plan), lang),
        "unit": _scale(landed).unit,
        **{name: _scaled(amount, landed) for name, amount in numbers.items()},
    }
    over = "over" if made.complete >= 1 else "running"
    return say(f"pace_answer_{over}_{'plan' if np.isfinite(landed.plan) else 'no_plan'}", lang, **words)


def chance(probability: float, lang: str) -> str:
    """A probability in a sentence: never 0 or 100 % where it is not certain."""
    if probability in (0.0, 1.0) or not np.isfinite(probability):
        return formats.share(probability, lang, digits=0)
    if probability < 0.01:
        return say("pace_under", lang, share=formats.share(0.01, lang, digits=0))
    if probability > 0.99:
        return say("pace_over", lang, share=formats.share(0.99, lang, digits=0))
    return formats.share(probability, lang, digits=0)


def _gap(landed: Landing) -> str:
    """Gap at month end = gap so far + what is still to come."""
    explained, made = landed.explained, landed.made
    if explained is None or made is None:
        return ""
    lang, so_far = landed.params.lang, explained.actual_minor - explained.start_minor
    if explained.plan_minor is None:
        return say("pace_gap_reference", lang, gap=_signed(so_far, landed))
    if made.complete >= 1:
        return say("pace_gap_over", lang, gap=_signed(so_far, landed))
    whole = round(made.value) - round(landed.plan)
    more = {"gap": _signed(whole, landed), "so_far": _signed(so_far, landed), "to_come": _signed(whole - so_far, landed)}
    return say("pace_gap_plan", lang, **more)


def _gap_parts(landed: Landing) -> str:
    """The gap so far as its largest parts and the rest; empty where it cannot be explained."""
    explained, lang = landed.explained, landed.params.lang
    if explained is None:
        return ""
    first = sorted(explained.totals.items(), key=lambda item: -abs(item[1]))[:PARTS_NAMED]
    listed = [(say(f"pace_part_{name}", lang), amount) for name, amount in first if amount]
    so_far = explained.actual_minor - explained.start_minor
    rest = so_far - sum(amount for _, amount in listed)
    listed += [(say("pace_part_small", lang), rest)] if rest else []
    words = ", ".join(f"{name} {_signed(amount, landed)}" for name, amount in listed)
    return say("pace_gap_parts", lang, gap=_signed(so_far, landed), unit=_scale(landed).unit, parts=words)


def _action(landed: Landing) -> str:
    judged, lang = landed.verdict, landed.params.lang
    names = scope_names(landed.book, lang)
    words = {
        "needed": formats.share(judged.needed, lang, digits=0),
        "most": formats.share(landed.params.most_uplift, lang, digits=0),
        "units": ", ".join(names("unit", unit) for unit in judged.units),
        "carried": formats.share(judged.carried, lang, digits=0),
        "hold": formats.share(landed.params.hold_above, lang, digits=0),
        "cause": say(f"pace_part_{judged.cause}", lang) if judged.cause else say("pace_part_small", lang),
    }
    return say(f"pace_do_{judged.reason}", lang, **words)


def _confidence(landed: Landing, made: Forecast) -> str:
    stages, lang = landed.stages, landed.params.lang
    complete = formats.share(made.complete, lang, digits=0)
    if stages is None or stages.empty:
        return say("pace_confidence_untested", lang, complete=complete)
    row = stages[stages["stage"] == "all"].to_dict("records")[0]
    # Days of a month hang together: the months are the cases.
    low, high = wilson_interval([float(row["covered80"]) * float(row["months"])], [float(row["months"])])
    words = {
        "low80": formats.share(float(low[0]), lang, digits=0),
        "high80": formats.share(float(high[0]), lang, digits=0),
        "months": formats.number(float(row["months"]), lang),
        "error": formats.share(float(row["mape"]), lang),
        "naive": formats.share(float(row["naive_mape"]), lang),
        "held80": formats.share(float(row["covered80"]), lang, digits=0),
        "held95": formats.share(float(row["covered95"]), lang, digits=0),
    }
    return say("pace_confidence", lang, complete=complete, **words)


def _caveats(landed: Landing) -> tuple[str, ...]:
    """Unmet conditions, days of the month unlike any other, and what the bridge does not prove."""
    lang = landed.params.lang
    said = list(conditions.sentences([item for item in landed.found if not item.met], lang))
    if landed.unusual is not None:
        own = landed.unusual[landed.unusual["month"] == month_start(landed.known.as_of)]
        if len(own):
            days = ", ".join(
                f"{formats.day(row['date'], lang)} ({texts.value('pace_cause', str(row['cause']), lang)})" for row in own.to_dict("records")
            )
            said.append(say("pace_caveat_unusual", lang, days=days))
    if landed.made is not None:
        said.append(say("pace_caveat_raw", lang))
    return tuple(said)


def _forecast(landed: Landing, made: Forecast) -> dict[str, object]:
    """What the ledger will hold against the month's cash."""
    low, high = made.interval(landed.params.level)
    chance_of_plan = made.reach(landed.plan)
    return {
        "metric": FORECAST_NAME,
        "kpi": "R1",
        "scope": COMPANY,
        "value": round(made.value),
        "low": round(low),
        "high": round(high),
        "unit": "minor",
        "interval_share": landed.params.level,
        "chance_share": chance_of_plan if np.isfinite(chance_of_plan) else None,
        "check_on": month_end(landed.known.as_of),
    }


def _actions(landed: Landing) -> dict[str, object]:
    """Action, and which units, buckets and days it is about."""
    judged, lang = landed.verdict, landed.params.lang
    names = scope_names(landed.book, lang)
    doing: dict[str, object] = {
        "pace_action": texts.value("pace_action", judged.reason if judged.reason == "out_of_reach" else judged.action, lang)
    }
    doing["pace_gap_so_far"] = _gap_parts(landed)
    if judged.action not in ("move_capacity", "overtime", "campaign"):
        return doing
    if judged.units:
        doing["act_units"] = [names("unit", unit) for unit in judged.units]
    if landed.explained is not None:
        rows = bridge_by(landed, "bucket")
        behind = rows[rows["gap_minor"] < 0].head(2)
        if len(behind):
            doing["act_buckets"] = [bucket_name(int(bucket), landed) for bucket in behind["bucket"]]
    return doing


def _scale(landed: Landing) -> formats.Scale:
    """The unit in which the answer writes its amounts: that of the forecast."""
    value = landed.made.value if landed.made else 0.0
    return formats.money_scale(value, landed.book.currency, landed.params.lang)


def _scaled(amount: float, landed: Landing) -> str:
    return formats.number(amount / _scale(landed).divisor, landed.params.lang, digits=2)


def _signed(amount: float, landed: Landing) -> str:
    return f"{'−' if amount < 0 else '+'}{_scaled(abs(amount), landed)}"


def _month(first: date, lang: str) -> str:
    return say("pace_month", lang, month=f"{first.month:02d}", year=str(first.year))
