"""May the pay scheme be adopted, in words: the answer, the weakest rule and its smallest mend, and the cost the ledger will check."""

from collect_analysis.methods.evidence import grade
from collect_analysis.officers.incentive_scheme.decision import EXPLOITABLE, Judged
from collect_analysis.officers.incentive_scheme.decision_cost import by_skill
from collect_analysis.officers.incentive_scheme.page import CHANGED, PROPOSED, TODAY, Case
from collect_analysis.report import conditions, texts
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say


def decision_of(case: Case) -> Decision:
    """The decision asked, the answer, and the cost of the next quarter for the ledger."""
    lang = case.params.lang
    question = say("scheme_question", lang)
    if case.verdict.action == "refuse":
        answer = say("scheme_answer_refused", lang, why=case.why_not)
        return Decision(
            question=question, answer=answer, confidence=say("scheme_confidence_none", lang), grade="none", caveats=_caveats(case)
        )
    return Decision(
        question=question,
        answer=" ".join(part for part in (_headline(case), _cost(case), _weakest(case)) if part),
        confidence=_confidence(case),
        grade=grade("raw", case.conditions),
        caveats=_caveats(case),
        forecast=_forecast(case),
        action=_action(case),
    )


def _money(amount: float, case: Case) -> str:
    return formats.money(amount, case.book.currency, case.params.lang, compact=True)


def _headline(case: Case) -> str:
    lang, found = case.params.lang, case.verdict
    if found.action == "adopt":
        return say("scheme_answer_adopt", lang)
    problems = ", ".join(texts.value("scheme_problem", name, lang) for name in found.problems)
    if found.action == "adopt_with_changes":
        return say("scheme_answer_change", lang, problems=problems, count=len(found.changes))
    left = ", ".join(texts.value("scheme_problem", name, lang) for name in found.left)
    if not found.changes:
        return say("scheme_answer_reject", lang, problems=problems)
    return say("scheme_answer_reject_changed", lang, problems=problems, count=len(found.changes), left=left)


def _cost(case: Case) -> str:
    lang, (value, low, high) = case.params.lang, case.judged[PROPOSED].quarter
    before = case.judged[TODAY].quarter[0]
    change = value / before - 1 if before > 0 else float("nan")
    words = {"value": _money(value, case), "low": _money(low, case), "high": _money(high, case), "before": _money(before, case)}
    words["level"] = formats.share(case.params.level, lang, digits=0)
    return say("scheme_cost", lang, **words, change=_signed(change, lang))


def _signed(change: float, lang: str) -> str:
    return f"{'+' if change >= 0 else '−'}{formats.share(abs(change), lang, digits=0)}"


def _weakest(case: Case) -> str:
    lang, found, today = case.params.lang, case.judged[PROPOSED], case.judged[TODAY]
    if not found.exploitable > 0:
        return say("scheme_not_gamed", lang, before=_share(today.exploitable, lang))
    said = say(
        "scheme_weakest", lang, game=texts.value("game", found.weakest, lang), gain=_share(found.exploitable, lang),
        before=_share(today.exploitable, lang), before_game=texts.value("game", today.weakest, lang),
    )  # fmt: skip
    enough = case.singles[case.singles["enough"]] if len(case.singles) else case.singles
    if EXPLOITABLE in found.problems and len(enough):
        return f"{said} {say('scheme_smallest', lang, change=texts.value('scheme_change', str(enough['change'].iloc[0]), lang))}"
    return said


def _share(value: float, lang: str) -> str:
    return formats.share(value, lang, digits=formats.digits_for([value * 100], 2, most=1))


def _luck(case: Case) -> str:
    lang = case.params.lang
    now, before = case.judged[PROPOSED].luck, case.judged[TODAY].luck
    key = "scheme_pays_luck" if now.share > case.params.most_luck else "scheme_luck"
    return say(key, lang, luck=formats.share(now.share, lang, digits=0), before=formats.share(before.share, lang, digits=0))


def _confidence(case: Case) -> str:
    lang = case.params.lang
    return say("scheme_confidence", lang, officers=len(case.officers), months=case.history.months)


def _caveats(case: Case) -> tuple[str, ...]:
    lang = case.params.lang
    said = list(conditions.sentences([item for item in case.conditions if not item.met and item.consequence != "refuse"], lang))
    if case.verdict.action == "refuse":
        return tuple(said)
    limits = {
        "movable": formats.share(case.params.movable_share, lang, digits=0),
        "stuffed": formats.share(case.params.stuffed_share, lang, digits=0),
        "waiver": formats.share(case.params.waiver_share, lang, digits=0),
        "accounts": case.params.moved_accounts,
    }
    said.append(_luck(case))
    lucky = case.groups[(case.groups["value"] > case.params.most_luck) & (case.groups["cases"] >= case.params.min_cell)]
    if len(lucky) and case.judged[PROPOSED].luck.share <= case.params.most_luck:
        named = [
            f"{texts.value('sub_function', str(name), lang)} ({formats.share(float(value), lang, digits=0)})"
            for name, value in zip(lucky["sub_function"], lucky["value"], strict=True)
        ]
        said.append(say("scheme_caveat_group", lang, groups=", ".join(named)))
    fifths = by_skill(case.officers)
    if len(fifths) > 1 and (fifths["today_minor"] > 0).all() and (fifths["cases"] >= case.params.min_cell).all():
        change = (fifths["proposed_minor"] / fifths["today_minor"] - 1).tolist()
        said.append(say("scheme_caveat_fifths", lang, best=_signed(change[-1], lang), worst=_signed(change[0], lang)))
    said += [say("scheme_caveat_behaviour", lang), say("scheme_caveat_upper", lang, **limits), say("scheme_caveat_people", lang)]
    return tuple(said)


def _final(case: Case) -> Judged:
    """What would be signed: the scheme with its changes where changes are the answer, else the one proposed."""
    return case.judged[CHANGED if case.verdict.action == "adopt_with_changes" else PROPOSED]


def _forecast(case: Case) -> dict[str, object]:
    """What the ledger will hold against what was paid in the next quarter."""
    value, low, high = _final(case).quarter
    return {
        "metric": "scheme_cost",
        "scope": "all",
        "value": value,
        "low": low,
        "high": high,
        "unit": "minor",
        "interval_share": case.params.level,
        "check_on": case.params.check_on,
    }


def _action(case: Case) -> dict[str, object]:
    lang, found = case.params.lang, case.verdict
    doing: dict[str, object] = {"scheme_action": texts.value("scheme_action", found.action, lang)}
    if found.changes:
        name = "scheme_changes" if found.action == "adopt_with_changes" else "scheme_tried"
        doing[name] = [texts.value("scheme_change", item, lang) for item in found.changes]
    if found.action == "adopt_with_changes":
        doing["scheme_rate"] = formats.money(_final(case).scheme.pay_per_point_minor, case.book.currency, lang)
    return doing
