"""What a scorecard asks of whom, in the language of the page: who is looked at by a person, and nothing that follows by itself."""

from dataclasses import replace

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.methods.evidence import Condition, Grade, grade, refused
from collect_analysis.officers.scorecard.decision import ALONE, TOO_FEW, UNRELIABLE
from collect_analysis.officers.scorecard.page import Card, level_name
from collect_analysis.officers.scorecard.parameters import Scorecard
from collect_analysis.report import texts
from collect_analysis.report.conditions import worded
from collect_analysis.report.recording import Decision
from collect_analysis.report.scope_names import scope_names
from collect_analysis.report.texts import formats, say

# Cash of accounts that nobody held is worth a word from this share on.
WORTH_A_WORD = 0.02
# Below so many officers on the wrong side, the number says less than the words.
FEW_WRONG = 0.5


def said_conditions(card: Card, params: Scorecard) -> list[Condition]:
    """The conditions of the scorecard in words."""
    return [
        replace(item, name=texts.value("check", item.name, params.lang)) for item in worded(_named(card.conditions, params), params.lang)
    ]


def _named(found: list[Condition], params: Scorecard) -> list[Condition]:
    """The conditions with names instead of codes."""
    return [replace(item, details=_with_names(dict(item.details), params.lang)) for item in found]


def _with_names(details: dict[str, object], lang: str) -> dict[str, object]:
    if "sub_functions" in details:
        names, needed = details["sub_functions"], details["needed"]
        listed = [texts.value("sub_function", name, lang) for name in names] if isinstance(names, tuple) else []
        months = needed if isinstance(needed, tuple) else ()
        details["sub_functions"] = listed
        details["needed"] = [
            say("scorecard_needs_never" if count == "-" else "scorecard_needs_months", lang, where=where, months=count)
            for where, count in zip(listed, months, strict=True)
        ]
    if "level" in details:
        factor, level = str(details["factor"]), str(details.pop("level"))
        details["factor"] = f"{texts.value('account_factor', factor, lang)}: {level_name(factor, level, lang)}" if level else ""
    return details


def grade_of(card: Card) -> Grade:
    """The evidence grade of the index: an adjusted comparison at best."""
    return grade("adjusted", card.conditions)


def decision_of(card: Card, params: Scorecard, book: Book) -> Decision:
    """What somebody is asked to sign: whom to talk to, in bands; officers by key for team leads only."""
    lang, found = params.lang, card.verdict
    period = params.pooling.pooled
    question = say("scorecard_question", lang, start=formats.day(period.start, lang), end=formats.day(period.end, lang))
    return Decision(
        question=question,
        answer=_answer(card, params, book),
        confidence=_confidence(card, params),
        grade=grade_of(card),
        caveats=_caveats(card, params),
        forecast=_forecast(card, params) if found.judged else {},
        action=_action(card, params, book),
    )


def _answer(card: Card, params: Scorecard, book: Book) -> str:
    lang, found = params.lang, card.verdict
    unmet = refused(card.conditions)
    if unmet:
        return " ".join([say("scorecard_answer_refused", lang), *(f"{item.detail} {item.remedy}" for item in worded(unmet, lang))])
    if not found.judged:
        return say("scorecard_answer_nobody", lang)
    parts = [say("scorecard_answer", lang, above=found.counts["above"], below=found.counts["below"], rest=found.rest, judged=found.judged)]
    if found.counts[UNRELIABLE]:
        where = ", ".join(texts.value("sub_function", name, lang) for name in found.unreliable)
        parts.append(say("scorecard_answer_unreliable", lang, officers=found.counts[UNRELIABLE], where=where))
    names = scope_names(book, lang)
    for code, units in (("above", found.units_above), ("below", found.units_below)):
        if units:
            parts.append(say(f"scorecard_answer_units_{code}", lang, units=", ".join(names("unit", key) for key in units)))
    if not found.units_above and not found.units_below and card.units["value"].notna().any():
        parts.append(say("scorecard_answer_units_none", lang))
    return " ".join(parts)


def _confidence(card: Card, params: Scorecard) -> str:
    lang, found = params.lang, card.verdict
    if refused(card.conditions) or not found.judged:
        return say("scorecard_confidence_none", lang)
    led = card.reliability[(card.reliability["kpi"] == f"index_{params.index}") & card.reliability["reliable"]]
    told = ", ".join(
        f"{texts.value('sub_function', str(row.sub_function), lang)} {formats.number(float(str(row.pooled)), lang, digits=2)}"
        for row in led.itertuples()
    )
    wrong = formats.number(found.wrong, lang, digits=1)
    doubt = say("scorecard_confidence_wrong" if found.wrong >= FEW_WRONG else "scorecard_confidence_sure", lang, wrong=wrong)
    return f"{say('scorecard_confidence', lang, reliability=told, months=params.pool_months)} {doubt}"


def _caveats(card: Card, params: Scorecard) -> tuple[str, ...]:
    lang, found = params.lang, card.verdict
    said = [
        item.detail if item.met else f"{item.detail} {item.remedy}".strip() for item in worded(_named(_worth_saying(card), params), lang)
    ]
    if found.conduct:
        said.append(say("scorecard_caveat_conduct", lang, officers=len(found.conduct)))
    if found.counts[TOO_FEW]:
        least = formats.number(card.rules.least_expected_payers, lang)
        said.append(say("scorecard_caveat_too_few", lang, officers=found.counts[TOO_FEW], least=least))
    if found.counts[ALONE]:
        said.append(say("scorecard_caveat_alone", lang, officers=found.counts[ALONE]))
    total = float(card.units["collected_minor"].sum())
    if card.apart_minor > WORTH_A_WORD * total:
        said.append(say("scorecard_caveat_apart", lang, amount=formats.money(card.apart_minor, "", lang).strip()))
    return (*said, say("scorecard_caveat_accounts", lang), say("scorecard_caveat_human", lang))


def _worth_saying(card: Card) -> list[Condition]:
    return [item for item in card.conditions if not item.met and item.consequence != "refuse"]


def _forecast(card: Card, params: Scorecard) -> dict[str, object]:
    """What officers above and below should get in the next months judged, on average, if nothing changes: to be checked then."""
    found = card.verdict
    means = {"index_above": found.index_above, "index_below": found.index_below}
    return {"check_on": params.check_on.isoformat(), **{name: value for name, value in means.items() if np.isfinite(value)}}


def _action(card: Card, params: Scorecard, book: Book) -> dict[str, object]:
    lang, found = params.lang, card.verdict
    names = scope_names(book, lang)
    action: dict[str, object] = {"human_review": say("scorecard_human_review", lang)}
    lists = {"review_conduct": found.conduct, "coach": found.coach, "recognise": found.recognise}
    for name, officers in lists.items():
        if officers:
            action[name] = list(officers) if params.audience == "team_leads" else say("scorecard_officers", lang, officers=len(officers))
    if found.reallocate:
        pairs = [
            say(
                "scorecard_reallocate", lang, where=texts.value("sub_function", name, lang),
                to=_units(card.units, name, found.units_above, names), away=_units(card.units, name, found.units_below, names),
            )
            for name in found.reallocate
        ]  # fmt: skip
        action["reallocate"] = pairs
    return action


def _units(units: pd.DataFrame, sub_function: str, keys: tuple[str, ...], names) -> str:
    return ", ".join(
        names("unit", key) for key in units.loc[(units["sub_function"] == sub_function) & units["unit_key"].isin(keys), "unit_key"]
    )
