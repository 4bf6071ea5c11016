"""Addresses of live pages."""

from urllib.parse import urlencode

from collect_analysis.runs.history import Choice
from collect_analysis.runs.run_index import Published

HISTORY, DICTIONARY = "history", "dictionary"


def history_link(run: Published) -> str:
    """The live page of how a report's numbers moved."""
    return _live(HISTORY, kind=run.report, name=run.name, lang=run.lang)


def measure_link(chosen: Choice, measure: str) -> str:
    """The same page for another measure of the report."""
    return _live(HISTORY, kind=chosen.kind, name=chosen.name, measure=measure, lang=chosen.lang)


def dictionary_link(run: Published) -> str:
    """The live page that says what every KPI means."""
    return _live(DICTIONARY, lang=run.lang)


def _live(page: str, **query: str) -> str:
    return f"/voila/render/pages/{page}.ipynb?{urlencode(query)}"
