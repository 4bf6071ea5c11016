"""Proposed rules in words: what they say, which one to adopt, or the test that would tell."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.measures.cohort import BOOK_MONEY
from collect_analysis.methods.evidence import Grade, grade, refused
from collect_analysis.report import tables, texts
from collect_analysis.report.conditions import causes, sentences
from collect_analysis.report.disclosure import SUPPRESSED
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import EVERYONE, formats, say
from collect_analysis.strategies.rule_value.decision import ALL_ROWS, LEAST_RANDOM, changed
from collect_analysis.strategies.rule_value.figures import values_beside_the_log
from collect_analysis.strategies.rule_value.page import Judged, Tables, base_of
from collect_analysis.strategies.rule_value.parameters import RuleValue
from collect_analysis.strategies.rules import Requirement, Rule
from collect_analysis.strategies.verdict import Claim, Verdict, judge, not_told_apart, overall, rivals

_CLAIMED = ("value", "low", "high", "relative", "relative_low", "relative_high", "p_adjusted")

# Refusals that a test with logged draws would mend.
_MENDED_BY_TEST = frozenset(
    {
        "propensities_logged", "propensities_possible", "drawn_by_lot", "actions_tried", "weights_average", "weights_average_in_rows",
        "effective_payers",
    }
)  # fmt: skip
# What the data say of a rule that a simpler one may still beat.
_BEATABLE = frozenset({"gain", "not_distinguishable", "below_margin"})
# What a column is headed as here; other reports mean something else by the recorded name.
_HEADED = {
    "rule": "proposed_rule", "against": "compared_with", "effective_cases": "effective_decisions", "payer_rate": "rate_paying",
}  # fmt: skip


def called(rule: str, lang: str) -> str:
    """What a rule is called on the page."""
    if not rule:
        return say("rule_as_logged", lang)
    return texts.rule_name(rule, lang)


def row_in_words(rule: Rule, number: int, params: RuleValue, *, currency: str, supplied: bool) -> str:
    """Whom a row of a rule decides."""
    if number == ALL_ROWS:
        return say("rule_all_rows", params.lang)
    row = rule.rows[number - 1]
    if not row.tests:
        return say("rule_all_cases" if len(rule.rows) == 1 else "rule_other_cases", params.lang)
    money = frozenset() if supplied else frozenset(BOOK_MONEY)
    text = "; ".join(_asked(name, test, params.lang, currency if name in money else "") for name, test in row.tests.items())
    return say("rule_not_before", params.lang, text=text) if rule.shares_cases(number) else text


def _asked(column: str, test: Requirement, lang: str, currency: str) -> str:
    named = texts.label(column, lang)

    def written(bound: float | None) -> str:
        if currency:
            return formats.money(bound, currency, lang)
        return formats.number(bound, lang, digits=0 if bound is None or bound.is_integer() else formats.digits_for([bound], 3))

    values = {"column": named, "low": written(test.low), "high": written(test.high)}
    if test.codes:
        text = say("rule_codes", lang, column=named, codes=", ".join(texts.value(column, code, lang) for code in test.codes))
    elif test.low is not None and test.high is not None:
        text = say("rule_between", lang, **values)
    elif test.low is not None:
        text = say("rule_from", lang, **values)
    elif test.high is not None:
        text = say("rule_under", lang, **values)
    else:
        return say("rule_unknown", lang, column=named)
    return say("rule_or_unknown", lang, text=text) if test.missing else text


def _actions(rule: Rule, number: int, lang: str) -> str:
    chances = {action: share for action, share in rule.rows[number - 1].chances.items() if share > 0}
    if len(chances) == 1:
        return next(iter(chances))
    return ", ".join(f"{action} {formats.share(share, lang, digits=0)}" for action, share in chances.items())


def show(
    table: pd.DataFrame, case: Judged, params: RuleValue, *, columns: Sequence[str], currency: str, percent: Sequence[str] = (),
    by_unit: Sequence[str] = (),
) -> tables.ShownTable | tables.Absent:  # fmt: skip
    """A recorded table with rules, rows and arms in words."""
    if table.empty:
        return tables.Absent(say("rule_nothing_changes", params.lang))
    shown = table.copy()
    if "row" in shown.columns:
        supplied = case.log.cohort.supplied
        pairs = zip(shown["rule"], shown["row"], strict=True)
        places = [(case.rules[str(rule)], int(row)) for rule, row in pairs]
        shown["whom"] = [row_in_words(rule, row, params, currency=currency, supplied=supplied) for rule, row in places]
        shown["then"] = [_actions(rule, row, params.lang) if row else "" for rule, row in places]
    for column in ("rule", "against"):
        if column in shown.columns:
            shown[column] = [called(str(name), params.lang) for name in shown[column]]
    if "arms" in shown.columns:
        shown["arms"] = [" / ".join(texts.value("arms", arm, params.lang) for arm in str(arms).split(" / ")) for arms in shown["arms"]]
    headed = _HEADED | ({"value": "mean_outcome"} if "payers" in shown.columns else {})
    columns, percent = ([_HEADED.get(name, name) for name in names] for names in (columns, percent))
    return tables.show(
        shown.rename(columns=headed),
        lang=params.lang, columns=columns, percent=percent, by_unit=by_unit, currency=currency,
    )  # fmt: skip


def draw(table: pd.DataFrame, case: Judged, params: RuleValue, *, currency: str) -> Any:
    """The figure of values, rules and outcome by their names."""
    names = {name: called(name, params.lang) for name in ("", *case.rules)}
    title = case.outcome.label.get(params.lang, texts.value("outcome", case.outcome.name, params.lang))
    return values_beside_the_log(table, names=names, proposed=list(case.proposed), outcome=title, lang=params.lang, currency=currency)


def without_small(table: pd.DataFrame, params: RuleValue, *, columns: Sequence[str]) -> pd.DataFrame:
    """The table without what rests on fewer cases than may be shown."""
    small = table["cases"].astype(float).between(1, params.min_cell - 1)
    hidden = table.assign(**{column: table[column].astype(float).mask(small) for column in columns})
    return hidden.assign(note=np.where(small, SUPPRESSED.format(min_cell=params.min_cell), ""))


def verdicts(case: Judged, params: RuleValue, contrasts: pd.DataFrame, tests: pd.DataFrame) -> list[Verdict]:
    """What should happen with each proposed rule?

    Judged by the doubly robust difference from what is done today (`verdict.judge`); one that would do is held against giving everybody the
    same action, too: where that is shown to bring more, choosing whom is rejected (simpler_better).
    """
    own = contrasts[(contrasts["family"] == "confirmatory")].set_index("rule")
    found = []
    for name in case.proposed:
        number = {key: float(own[key].get(name, np.nan)) for key in _CLAIMED}
        claim = Claim(
            arm=name,
            value=number["value"],
            low=number["low"],
            high=number["high"],
            relative=number["relative"],
            relative_low=number["relative_low"],
            relative_high=number["relative_high"],
            p_adjusted=number["p_adjusted"],
            guardrails={},
            needed=float(_plan(tests, name).get("needed", np.nan)),
        )
        verdict = judge(claim, evidence=_grade(case, name), min_grade=params.min_grade, margin=params.margin_relative)
        simple = best_simple(case, contrasts, name)
        beaten = simple is not None and simple["high"] < 0 and verdict.reason in _BEATABLE
        found.append(replace(verdict, action="reject", reason="simpler_better") if beaten else verdict)
    return found


def best_simple(case: Judged, contrasts: pd.DataFrame, rule: str) -> pd.Series | None:
    """The comparison of a rule with the best of "everybody gets X", other than what is done today; None where the log tells of none."""
    same = (contrasts["rule"] == rule) & contrasts["against"].str.startswith(EVERYONE) & (contrasts["against"] != case.base)
    known = contrasts[same].dropna(subset=["value", "low", "high"])
    # The less the rule brings above it, the better it is.
    return None if known.empty else known.sort_values(["value", "against"]).iloc[0]


def _grade(case: Judged, rule: str) -> Grade:
    return grade("randomised", case.of_comparison(rule))


def _asks_for_test(case: Judged, rule: str) -> bool:
    """Whether a test would answer: not where something else is amiss with the rule, the outcome or the horizon."""
    return all(item.name in _MENDED_BY_TEST for item in refused(case.of_comparison(rule)))


def _plan(tests: pd.DataFrame, rule: str) -> dict[str, Any]:
    """The test of a rule as one: its rows together, or its only row."""
    own = tests[tests["rule"] == rule]
    whole = own[own["row"] == ALL_ROWS] if (own["row"] == ALL_ROWS).any() else own
    return {} if whole.empty else {str(key): value for key, value in whole.iloc[0].to_dict().items()}


def verdict_table(case: Judged, found: Sequence[Verdict]) -> pd.DataFrame:
    """One row per proposed rule: rule, action (proposal), reason, unmet (refusing conditions, by name), relative and its bounds, p_adjusted."""
    columns = ["relative", "relative_low", "relative_high", "p_adjusted"]
    rows = [
        {
            "rule": item.arm,
            "action": item.action,
            "reason": item.reason,
            "unmet": ", ".join(dict.fromkeys(one.name for one in refused(case.of_comparison(item.arm)))),
            **{key: getattr(item.claim, key) for key in columns},
        }
        for item in found
    ]
    return pd.DataFrame(rows, columns=["rule", "action", "reason", "unmet", *columns])


def show_verdicts(table: pd.DataFrame, case: Judged, params: RuleValue) -> tables.ShownTable | tables.Absent:
    """The verdicts as a manager reads them; a rule that cannot be answered names what is missing."""
    shown = table.assign(unmet=[_checks(str(names).split(", "), params.lang) for names in table["unmet"]])
    columns = [
        "rule",
        "action",
        "reason",
        *(["unmet"] if (table["unmet"] != "").any() else []),
        "relative",
        "relative_low",
        "relative_high",
    ]
    return show(shown, case, params, columns=[*columns, "p_adjusted"], percent=["relative"], currency="")


def _checks(names: Sequence[str], lang: str) -> str:
    return "; ".join(texts.value("check", name, lang) for name in names if name)


def decision_of(case: Judged, params: RuleValue, judged: Sequence[Verdict], *, found: Tables, currency: str) -> Decision:
    """What somebody is asked to sign: the best-founded rule, or the test without which no rule can be judged."""
    lang, best = params.lang, overall(judged)
    plan, evidence = _plan(found.tests, best.arm), _grade(case, best.arm)
    moved = changed(found.changes[found.changes["rule"] == best.arm])
    words = _words(case, params, best, moved, found.estimates, currency) | _beaten_words(case, best, found.contrasts, lang, currency)
    lacking = refused(case.of_comparison(best.arm))
    words["why"] = causes(lacking, lang)
    answer = say(f"rule_answer_{best.action}_{best.reason}", lang, **words)
    if evidence == "none" and not _asks_for_test(case, best.arm):
        answer = say("rule_answer_mend", lang, why=words["why"])
    elif best.action in ("extend", "refuse"):
        answer = f"{answer} {_test_in_words(case, params, best.arm, plan, currency)}"
    elif best.action == "promote":
        answer = " ".join(
            [
                answer,
                *_simpler_words(case, best, found.contrasts, lang, currency),
                *_rival_words(case, judged, found.contrasts, lang, currency),
            ]
        )
    missing = " ".join(sentences(lacking, lang))
    confidence = say("confidence_none", lang, missing=missing) if evidence == "none" else say("rule_confidence", lang, **words)
    forecast: dict[str, object] = {}
    action: dict[str, object] = {"action": best.action, "proposed_rule": best.arm, "reason": best.reason, "changing": round(moved)}
    if best.action in ("refuse", "extend"):
        action |= {"needed_all": plan.get("needed_all", np.nan), "random_share": plan.get("random_share", np.nan)}
    else:
        action |= {"random_share": LEAST_RANDOM} if best.action == "promote" else {}
        numbers = {
            "value": best.claim.value,
            "low": best.claim.low,
            "high": best.claim.high,
            "unit": formats.unit_of_difference(case.outcome.unit),
        }
        forecast = {"metric": case.outcome.name, "proposed_rule": best.arm, "compared_with": called(base_of(params), lang),
                    "horizon_days": case.outcome.horizon_days, **numbers}  # fmt: skip
    question = say("rule_question", lang, rules=", ".join(case.proposed), against=called(base_of(params), lang), log=_log_name(params))
    # What refuses is the answer's confidence already.
    unmet = [item for item in case.conditions if not item.met and (evidence != "none" or item.consequence != "refuse")]
    caveats = (*sentences(unmet, lang), *_caveats(case, params, best, found.contrasts, moved, currency))
    return Decision(
        question=question, answer=answer, confidence=confidence, grade=evidence, caveats=caveats, forecast=forecast, action=action
    )


def _log_name(params: RuleValue) -> str:
    return params.experiment_id or params.ruleset_id or texts.value("decision_kind", params.decision_kind, params.lang)


def _words(case: Judged, params: RuleValue, best: Verdict, moved: float, estimates: pd.DataFrame, currency: str) -> dict[str, str]:
    lang, claim, unit = params.lang, best.claim, case.outcome.unit
    own = estimates[(estimates["rule"] == best.arm) & (estimates["estimator"] == "doubly_robust")]["value"]
    outcome = case.outcome.label.get(lang, texts.value("outcome", case.outcome.name, lang))
    value = float(own.iloc[0]) if len(own) else float("nan")

    def absolute(number: float) -> str:
        return formats.with_unit(number, unit, lang, currency=currency, compact=True)

    def gained(number: float, *, bare: bool = False) -> str:
        return formats.difference(number, unit, lang, currency=currency, compact=True, bare=bare)

    return {
        "rule": best.arm,
        "against": called(base_of(params), lang),
        "outcome": outcome[:1].lower() + outcome[1:],
        "days": formats.number(case.outcome.horizon_days, lang),
        "value": absolute(value),
        "base": absolute(value - claim.value),
        "gain": gained(claim.value),
        "gain_low": gained(claim.low, bare=True),
        "gain_high": gained(claim.high),
        "relative": formats.share(claim.relative, lang),
        "relative_low": formats.share(claim.relative_low, lang),
        "relative_high": formats.share(claim.relative_high, lang),
        "margin": formats.share(params.margin_relative, lang),
        "changed": formats.number(moved, lang),
        "changed_share": formats.share(moved / case.weighed.cases if case.weighed.cases else None, lang),
        "cases": formats.number(case.weighed.cases, lang),
        "random_share": formats.share(LEAST_RANDOM, lang, digits=0),
        "payers": formats.number(_strength(case, best.arm), lang),
    }


def _strength(case: Judged, rule: str) -> float:
    payers = [item.details["payers"] for item in case.by_rule[rule] if item.name == "effective_payers"]
    return float(str(payers[0])) if payers else float("nan")


def _between(row: pd.Series, unit: str, lang: str, currency: str, *, sign: int = 1) -> dict[str, str]:
    """A difference with its interval, as a sentence needs it; `sign` -1 turns it round."""
    low, high = (row["low"], row["high"]) if sign > 0 else (-row["high"], -row["low"])
    written = {"difference": sign * row["value"], "low": low, "high": high}
    return {
        name: formats.difference(float(value), unit, lang, currency=currency, compact=True, bare=name == "low")
        for name, value in written.items()
    }


def _beaten_words(case: Judged, best: Verdict, contrasts: pd.DataFrame, lang: str, currency: str) -> dict[str, str]:
    """What the answer needs where giving everybody the same brings more; empty where it does not."""
    simple = best_simple(case, contrasts, best.arm)
    if simple is None or best.reason != "simpler_better":
        return {}
    between = _between(simple, case.outcome.unit, lang, currency, sign=-1)
    words = {"simpler": called(str(simple["against"]), lang), "more": between["difference"], "more_low": between["low"]}
    shown = "better" if best.claim.low > 0 else "open"
    base = {"against": called(case.base, lang), "relative": formats.share(best.claim.relative, lang)}
    return words | {"more_high": between["high"], "standing": say(f"rule_standing_{shown}", lang, **base)}


def _simpler_words(case: Judged, best: Verdict, contrasts: pd.DataFrame, lang: str, currency: str) -> list[str]:
    """That choosing whom is not shown to bring more than giving it to everybody, where it is not."""
    simple = best_simple(case, contrasts, best.arm)
    if simple is None or simple["low"] > 0:
        return []
    between = _between(simple, case.outcome.unit, lang, currency)
    return [say("rule_not_above_simple", lang, rule=best.arm, simpler=called(str(simple["against"]), lang), **between)]


def _rival_words(case: Judged, judged: Sequence[Verdict], contrasts: pd.DataFrame, lang: str, currency: str) -> list[str]:
    """Which other proposed rules the chosen one is not told apart from."""
    best, others = overall(judged).arm, rivals(judged)
    forth = contrasts[(contrasts["rule"] == best) & contrasts["against"].isin(others)].assign(base=lambda t: t["against"])
    back = contrasts[(contrasts["against"] == best) & contrasts["rule"].isin(others)]
    turned = {"base": back["rule"], "value": -back["value"], "low": -back["high"], "high": -back["low"]}
    tied = not_told_apart(pd.concat([forth[["base", "value", "low", "high"]], pd.DataFrame(turned)], ignore_index=True))
    if tied.empty:
        return []
    between = _between(tied.iloc[0], case.outcome.unit, lang, currency)
    words = {"arm": best, "others": ", ".join(tied["base"].astype(str)), "nearest": str(tied["base"].iloc[0])}
    return [say("answer_tied", lang, **words, value=between["difference"], low=between["low"], high=between["high"])]


def _test_in_words(case: Judged, params: RuleValue, rule: str, plan: dict[str, Any], currency: str) -> str:
    """The designed test as one sentence."""
    lang = params.lang
    if not plan:
        return say("rule_nothing_changes", lang)
    arms = " / ".join(texts.value("arms", arm, lang) for arm in str(plan["arms"]).split(" / "))
    whom = row_in_words(case.rules[rule], int(plan["row"]), params, currency=currency, supplied=case.log.cohort.supplied)
    if not np.isfinite(plan["needed"]):
        return say("rule_test_unknown", lang, arms=arms, whom=whom)
    words = {
        "arms": arms,
        "whom": whom,
        "needed": formats.number(plan["needed"], lang),
        "needed_all": formats.number(plan["needed_all"], lang),
        "margin": formats.share(params.margin_relative, lang),
        "payer_rate": formats.share(plan["payer_rate"], lang),
        "share": formats.share(plan["random_share"], lang, digits=0),
        "weeks": formats.number(plan["weeks_all"], lang),
        "weeks_share": formats.number(plan["weeks_share"], lang),
        "per_week": formats.number(plan["per_week"], lang),
    }
    how = "rule_test_no_rate" if not np.isfinite(plan["weeks_all"]) else "rule_test" if plan["random_share"] < 1 else "rule_test_all"
    return say(how, lang, **words)


def _caveats(case: Judged, params: RuleValue, best: Verdict, contrasts: pd.DataFrame, moved: float, currency: str) -> list[str]:
    """What must be said first: a simpler rule that does as well, several rules compared, what the log cannot know."""
    lang = params.lang
    simple = contrasts[(contrasts["rule"] == best.arm) & contrasts["against"].str.startswith(EVERYONE)]
    simple = simple[simple["against"] != base_of(params)].dropna(subset=["value", "low", "high"])
    told = best_simple(case, contrasts, best.arm) if best.action == "promote" else None
    found = [
        say(
            "rule_caveat_simpler_better" if row["high"] < 0 else "rule_caveat_simpler_as_good",
            lang, rule=best.arm, against=called(str(row["against"]), lang),
            difference=formats.difference(abs(row["value"]), case.outcome.unit, lang, currency=currency),
        )
        for row in simple.to_dict("records")
        if row["low"] <= 0 and (told is None or row["against"] != told["against"])
    ]  # fmt: skip
    if len(contrasts) > 1:
        found.append(say("rule_caveat_several", lang, count=len(contrasts)))
    if best.action == "refuse":
        return found
    return [*found, say("rule_caveat_same_work", lang, changed=formats.number(moved, lang)), say("rule_caveat_same_people", lang)]
