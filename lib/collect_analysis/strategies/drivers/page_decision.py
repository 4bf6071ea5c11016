"""The three answers on what drives an outcome, in words: rules as sentences, and the decision somebody is asked to sign."""

from dataclasses import replace

import pandas as pd
import yaml

from collect_analysis.measures.cohort import Cohort
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.report import tables, texts
from collect_analysis.report.conditions import causes, sentences, worded
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say
from collect_analysis.strategies.drivers.measures import Subjects
from collect_analysis.strategies.drivers.page import Prognosis, Works, effect_of_all, graded
from collect_analysis.strategies.drivers.parameters import Drivers

# Factors and levers that the answer names; the tables have all of them.
_NAMED = 3


def checks(predicted: Prognosis, works: Works, params: Drivers) -> list[Condition]:
    """All conditions, worded; those of the first answer block that answer only, not the page."""
    own = [replace(item, consequence="note") for item in predicted.conditions]
    return worded([*own, *works.conditions], params.lang)


def show_factors(table: pd.DataFrame, params: Drivers) -> tables.ShownTable:
    """The declared factors as a manager reads them."""
    return tables.show(table, lang=params.lang, columns=["factor", "actionable", "lawful", "standing"])


def show_parts(table: pd.DataFrame, params: Drivers) -> tables.ShownTable:
    """Who was learned from and who was judged."""
    shown = table.rename(columns={"value": "observed"})
    columns = ["part", "arm", "first_assigned", "last_assigned", "cases", "observed"]
    return tables.show(shown, lang=params.lang, columns=columns, percent=["observed"])


def show_scores(table: pd.DataFrame, params: Drivers) -> tables.ShownTable:
    """How good the predictions are; a reason where there are none."""
    if table.empty:
        return tables.show(pd.DataFrame({"note": [say("no_prognosis", params.lang)]}), lang=params.lang)
    return tables.show(table.rename(columns={"measure": "score"}), lang=params.lang, columns=["score", "value", "low", "high", "cases"])


def show_importance(table: pd.DataFrame, params: Drivers) -> tables.ShownTable:
    """Which factors predict, with their flags; a reason where nothing could be predicted."""
    if table.empty:
        return tables.show(pd.DataFrame({"note": [say("no_prognosis", params.lang)]}), lang=params.lang)
    shown = table.rename(columns={"value": "lost_order"})
    return tables.show(shown, lang=params.lang, columns=["factor", "lost_order", "low", "high", "actionable", "lawful"])


def show_levers(table: pd.DataFrame, params: Drivers, currency: str) -> tables.ShownTable:
    """What each lever changed, with its grade and what it lacks; arm and outcome only where they differ between levers."""
    checked = [", ".join(texts.value("check", name, params.lang) for name in str(names).split(", ") if name) for names in table["unmet"]]
    shown = table.assign(unmet=checked).rename(columns={"value": "difference"})
    apart = [name for name in ("arm", "outcome") if len(set(shown[name])) > 1]
    columns = ["experiment_id", *apart, "horizon_days", "base_mean", "mean", "difference", "low", "high", "relative", "p_adjusted"]
    units = ["base_mean", "mean", "difference", "low"]
    return tables.show(
        shown, lang=params.lang, columns=[*columns, "grade", "unmet"], percent=["relative"], by_unit=units, currency=currency
    )


def show_ranking(table: pd.DataFrame, params: Drivers, cohort: Cohort, currency: str) -> tables.ShownTable:
    """Effect of treating all, value of the order, slope of the test: each in its unit."""
    unit = cohort.outcome(params.primary_outcome, params.horizon_days).unit
    shown = table.assign(unit=[unit, unit, "ratio"]).rename(columns={"measure": "statement"})
    columns = ["statement", "value", "low", "high", "p_value", "cases"]
    return tables.show(shown, lang=params.lang, columns=columns, by_unit=["value", "low"], differences=["value", "low"], currency=currency)


def show_groups(table: pd.DataFrame, params: Drivers, cohort: Cohort, currency: str) -> tables.ShownTable:
    """Predicted and observed effect by fifth."""
    shown = table.assign(unit=cohort.outcome(params.primary_outcome, params.horizon_days).unit).rename(columns={"value": "effect"})
    columns = ["group", "cases", "predicted", "effect", "low", "high"]
    return tables.show(
        shown, lang=params.lang, columns=columns, by_unit=["predicted", "effect", "low"], differences=["predicted"], currency=currency
    )


def show_rules(rules: pd.DataFrame, works: Works, subjects: Subjects, params: Drivers, cohort: Cohort, currency: str) -> tables.ShownTable:
    """The rule table: conditions in words, arm, and the effect of the challenger where the row holds, on cases not learned from."""
    conditions = [_conditions(works.clauses[works.clauses["rule"] == number], subjects, params.lang, currency) for number in rules["rule"]]
    unit = cohort.outcome(params.primary_outcome, params.horizon_days).unit
    shown = rules.assign(conditions=conditions, unit=unit).rename(columns={"value": "effect"})
    columns = ["rule", "conditions", "arm", "cases", "effect", "low", "high"]
    return tables.show(shown, lang=params.lang, columns=columns, by_unit=["effect", "low"], currency=currency)


def show_values(table: pd.DataFrame, params: Drivers, cohort: Cohort, currency: str) -> tables.ShownTable:
    """What treating nobody, all, or those of the rule table brings per case."""
    shown = table.assign(unit=cohort.outcome(params.primary_outcome, params.horizon_days).unit)
    pairs = ["over_none", "over_none_low", "over_none_high", "over_all", "over_all_low", "over_all_high"]
    columns = ["policy", "treated", "value", "low", "high", *pairs]
    units = ["value", "low", *pairs]
    return tables.show(shown, lang=params.lang, columns=columns, percent=["treated"], by_unit=units, currency=currency)


def _conditions(clauses: pd.DataFrame, subjects: Subjects, lang: str, currency: str) -> str:
    """The conditions of one row in words; no condition: everybody."""
    parts = []
    for row in clauses.to_dict("records"):
        factor = str(row["factor"])
        words = {"factor": texts.value("factor", factor, lang)}
        low, high = (
            None if pd.isna(row[key]) else _written(row[key], factor, subjects.units[factor], lang, currency) for key in ("from", "to")
        )
        if row["codes"]:
            text = say("clause_in", lang, **words, codes=row["codes"])
        elif low is not None and high is not None:
            text = say("clause_between", lang, **words, low=low, high=high)
        elif low is not None:
            text = say("clause_from", lang, **words, low=low)
        elif high is not None:
            text = say("clause_under", lang, **words, high=high)
        else:
            text = say("clause_unknown_only", lang, **words)
        # Where nobody lacks the factor, what would happen with those who do is for the exported rule only.
        if row["missing"] and (low or high or row["codes"]) and subjects.x[factor].isna().any():
            text += say("clause_or_unknown", lang)
        parts.append(text)
    return "; ".join(parts) or say("clause_everybody", lang)


def _written(value: float, factor: str, unit: str, lang: str, currency: str) -> str:
    if unit == "minor":
        return formats.money(value, currency, lang, compact=True)
    number = float(value)
    if factor.endswith("year"):
        return f"{number:.0f}"
    return formats.number(number, lang, digits=0 if number.is_integer() else formats.digits_for([number], 3, most=3))


def decision_of(params: Drivers, cohort: Cohort, currency: str, predicted: Prognosis, levers: pd.DataFrame, works: Works) -> Decision:
    """What somebody is asked to sign: whether to choose by factors; with the three answers one after the other, each said to be its own."""
    lang = params.lang
    outcome = _outcome(params, cohort)
    words = {"arm": params.challenger, "champion": params.champion, "outcome": outcome, "days": formats.number(params.horizon_days, lang)}
    answer = " ".join(
        [
            say(
                f"answer_drivers_{works.action}",
                lang,
                **words,
                why=causes(works.conditions, lang),
                **_gain(params, cohort, currency, works, levers),
            ),
            _predicted_words(predicted, lang),
            _lever_words(levers, lang),
        ]
    )
    missing = " ".join(sentences(refused(works.conditions), lang))
    confidence = (
        say("confidence_none", lang, missing=missing)
        if works.action == "refuse"
        else _confidence(params, cohort, currency, predicted, works)
    )
    unmet = [item for item in (*works.conditions, *predicted.conditions) if not item.met]
    half = _of_half(params, cohort, currency, works, levers)
    caveats = (*sentences(unmet, lang), *half, say("caveat_predicts", lang), say("caveat_levers", lang))
    return Decision(
        question=say("question_drivers", lang, **words),
        answer=answer,
        confidence=confidence,
        grade=graded(works.conditions, params),
        caveats=caveats,
        forecast=_forecast(params, cohort, works, levers),
        action={"action": works.action, "arm": params.challenger, **({"rule": _rule_text(works)} if works.action == "select" else {})},
    )


def _rule_text(works: Works) -> dict[str, str]:
    """The rows of the rule, each as a line that a rule file can hold (YAML in one line)."""
    written = (yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True) for row in works.rule_rows)
    return {str(number): text.strip() for number, text in enumerate(written, 1)}


def _outcome(params: Drivers, cohort: Cohort) -> str:
    found = cohort.outcome(params.primary_outcome, params.horizon_days)
    text = found.label.get(params.lang, texts.value("outcome", found.name, params.lang))
    return text[:1].lower() + text[1:]


def _absolute(params: Drivers, cohort: Cohort, currency: str, values: dict[str, float]) -> dict[str, str]:
    """A number and its bounds in the outcome's unit; "percentage points" stands once, at the point."""
    unit, lang = cohort.outcome(params.primary_outcome, params.horizon_days).unit, params.lang
    return {
        key: formats.difference(item, unit, lang, currency=currency, bare=key.endswith(("low", "high"))) for key, item in values.items()
    }


def _gain(params: Drivers, cohort: Cohort, currency: str, works: Works, levers: pd.DataFrame) -> dict[str, str]:
    """The numbers of the answer: effect of giving it to everybody, as the strategy review says it, and the gain of the rule table over that."""
    overall, tree = effect_of_all(levers, params), works.policies[works.policies["policy"] == "tree"].iloc[0]
    effect = {"effect": float(overall["value"]), "effect_low": float(overall["low"]), "effect_high": float(overall["high"])}
    gain = {key: float(tree[key]) for key in ("over_all", "over_all_low", "over_all_high")}
    return _absolute(params, cohort, currency, effect) | _absolute(params, cohort, currency, gain)


def _of_half(params: Drivers, cohort: Cohort, currency: str, works: Works, levers: pd.DataFrame) -> list[str]:
    """Why the effect of giving it to everybody stands twice on the page: all accounts, and the half that nothing was learned from."""
    if works.action == "refuse":
        return []
    half, every = works.ranking.iloc[0], effect_of_all(levers, params)
    numbers = {"half": float(half["value"]), "every": float(every["value"])}
    cases = formats.number(float(half["cases"]), params.lang)
    return [say("caveat_half", params.lang, **_absolute(params, cohort, currency, numbers), cases=cases)]


def _confidence(params: Drivers, cohort: Cohort, currency: str, predicted: Prognosis, works: Works) -> str:
    lang, order, test = params.lang, works.ranking.iloc[1], works.ranking.iloc[2]
    bounds = _absolute(params, cohort, currency, {key: float(order[key]) for key in ("value", "low", "high")})
    p_value, cases = formats.number(float(test["p_value"]), lang, digits=3), formats.number(float(order["cases"]), lang)
    judged = say("confidence_drivers", lang, **bounds, p_value=p_value, cases=cases)
    if predicted.scores.empty:
        return judged
    area = predicted.scores[predicted.scores["measure"] == "auc"].iloc[0]
    named = (("auc", "value"), ("low", "low"), ("high", "high"))
    pairs = {key: formats.number(100 * float(area[name]), lang) for key, name in named}
    return f"{judged} {say('confidence_predicts', lang, **pairs)}"


def _predicted_words(predicted: Prognosis, lang: str) -> str:
    if predicted.scores.empty:
        return say("answer_predicts_nothing", lang)
    leading = predicted.importance[predicted.importance["low"] > 0].head(_NAMED)
    if leading.empty:
        return say("answer_predicts_no_factor", lang)
    return say("answer_predicts", lang, factors=", ".join(texts.value("factor", str(item), lang) for item in leading["factor"]))


def _lever_words(levers: pd.DataFrame, lang: str) -> str:
    shown = levers[(levers["p_adjusted"] < 0.05)]
    if shown.empty:
        return say("answer_levers_none", lang, count=len(levers))
    items = [
        say("answer_lever", lang, experiment=row["experiment_id"], relative=formats.share(row["relative"], lang), grade=row["grade"])
        for row in shown.head(_NAMED).to_dict("records")
    ]
    return say("answer_levers", lang, levers="; ".join(items))


def _forecast(params: Drivers, cohort: Cohort, works: Works, levers: pd.DataFrame) -> dict[str, object]:
    """What will be checked: where a choice is proposed, what the rule table brings over treating all."""
    if works.action == "refuse":
        return {}
    unit = cohort.outcome(params.primary_outcome, params.horizon_days).unit
    shown = {"metric": _outcome(params, cohort), "arm": params.challenger, "base": params.champion, "horizon_days": params.horizon_days}
    if works.action == "select":
        tree = works.policies[works.policies["policy"] == "tree"].iloc[0]
        numbers = {"value": tree["over_all"], "low": tree["over_all_low"], "high": tree["over_all_high"], "against": "all"}
    else:
        overall = effect_of_all(levers, params)
        numbers = {"value": overall["value"], "low": overall["low"], "high": overall["high"], "against": "none"}
    return {**shown, **numbers, "unit": formats.unit_of_difference(unit)}
