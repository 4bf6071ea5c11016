"""A count, a forecast and a claim are three things: a count is complete or not, a forecast has its band and its past, a claim its grade."""

from collections.abc import Mapping
from typing import Any

from collect_analysis.report import texts
from collect_analysis.report.kinds import KINDS
from collect_analysis.report.parameters import Statement


def statement_of(kind: str) -> Statement:
    """What the decision of a report of this kind is (`ReportParameters.statement`)."""
    return KINDS[kind].statement if kind in KINDS else "claim"


def standing(statement: str, grade: str, *, missing: bool) -> str:
    """How far it may be trusted, as a code: A to D of a claim; complete or incomplete of a count; forecast; none where nothing is said.

    Comparisons alone are graded: that a count is no comparison does not make it worse.
    """
    if grade == "none" or statement == "claim":
        return grade
    return "forecast" if statement == "forecast" else "incomplete" if missing else "complete"


def title(statement: str, grade: str, lang: str, *, missing: bool) -> str:
    """The standing in two words, as a list and the box show it."""
    code = standing(statement, grade, missing=missing)
    if code in ("complete", "incomplete", "forecast"):
        return texts.say(f"standing_{code}", lang)
    return texts.say(f"standing_none_{statement}", lang) if code == "none" else texts.say("page_grade", lang, grade=code)


def box(decision: Mapping[str, Any], kind: str, lang: str) -> dict[str, str]:
    """The line of the decision box: its heading, the code and the title of the standing, and what that means."""
    statement, missing = decision.get("statement") or statement_of(kind), decision.get("missing") or []
    code = standing(statement, decision["grade"], missing=bool(missing))
    meaning = f"standing_{code}_meaning" if code in ("complete", "incomplete", "forecast") else f"grade_{code}"
    if code == "none" and statement != "claim":
        meaning = "standing_none_meaning"
    return {
        "evidence": texts.say(f"page_evidence_{statement}", lang),
        "grade": code,
        "grade_title": title(statement, decision["grade"], lang, missing=bool(missing)),
        "grade_meaning": texts.say(meaning, lang, missing=" ".join(texts.phrase(item, lang) for item in missing)),
    }


def in_short(decision: Mapping[str, Any]) -> str:
    """The standing for a terminal: `grade B`, `counted, complete`, `forecast`, `no count`."""
    statement = decision.get("statement") or "claim"
    code = standing(statement, decision["grade"], missing=bool(decision.get("missing")))
    if statement == "claim":
        return f"grade {code}"
    return {"none": f"no {statement}", "forecast": "forecast"}.get(code, f"counted, {code}")
