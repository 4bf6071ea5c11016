"""Conditions in words: what was found and what would mend it, in the language of the page."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from collect_analysis.errors import DataError
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.report import texts
from collect_analysis.report.texts import formats, say


def worded(found: Iterable[Condition], lang: str) -> list[Condition]:
    """The conditions with their sentences: those of the catalogue (`condition_<name>_met`, `_unmet`, `_remedy`), else their own."""
    return [_worded(item, lang) for item in found]


def sentences(found: Iterable[Condition], lang: str) -> list[str]:
    """Each condition as one text: what was found, then what would mend it."""
    return [f"{item.detail} {item.remedy}".strip() for item in worded(found, lang)]


def causes(found: Iterable[Condition], lang: str) -> str:
    """Why there is no answer: what was found of each condition without which it would be a guess."""
    return " ".join(dict.fromkeys(item.detail for item in worded(refused(found), lang)))


def refuse_unread(delivered: Iterable[Condition], *, of: str) -> None:
    """Refuse an outcome of which nothing at all was delivered: a page of noughts would say that nobody paid.

    Raises
    ------
    DataError
        What is absent of the cohort `of`, and what to do.
    """
    for item in refused(delivered):
        what = ", ".join(item.details["what"])  # type: ignore[arg-type]
        raise DataError(f"'{of}': {what}; what became of those assigned needs them: import them, or ask about months that are there")


def _worded(item: Condition, lang: str) -> Condition:
    if item.detail:
        return replace(item, detail=texts.phrase(item.detail, lang), remedy=texts.phrase(item.remedy, lang))
    values = {name: _written(name, value, lang) for name, value in item.details.items()}
    return replace(
        item,
        detail=say(f"condition_{item.name}_{'met' if item.met else 'unmet'}", lang, **values),
        remedy="" if item.met else say(f"condition_{item.name}_remedy", lang, **values),
    )


def _written(name: str, value: object, lang: str) -> str:
    """A number of a condition as the language writes it; a name that ends in `_share` is a percentage."""
    if isinstance(value, (list, tuple)):
        return ", ".join(_named(name, str(entry), lang) for entry in value)
    if name == "rule":
        return texts.rule_name(str(value), lang)
    if name == "variable":
        return texts.value("covariate", str(value), lang)
    if name.endswith("_share"):
        return formats.share(float(str(value)), lang)
    if isinstance(value, (int, float)):
        digits = 0 if float(value).is_integer() else formats.digits_for([float(value)], 3)
        return formats.number(float(value), lang, digits=digits)
    if isinstance(value, date):
        return formats.day(value, lang)
    return _named(name, str(value), lang)


def _named(name: str, code: str, lang: str) -> str:
    """A code by its word, wherever it has one; without one it is a name of the data."""
    return next((word for column in (name, "outcome", "factor", "arm") if (word := texts.own(column, code, lang))), code)
