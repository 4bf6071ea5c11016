"""The KPI dictionary as it is read on its live page: from the library's records and the latest windows, never from a book."""

import pandas as pd

from collect_analysis.book.policy import versions
from collect_analysis.errors import CollectError
from collect_analysis.measures.kpis import dictionary
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.report import tables, texts
from collect_analysis.report.kpi_windows import in_words
from collect_analysis.runs import history

# The sections of the page: first letter of the id.
SECTIONS = {"flow": "F", "recovery": "R", "contact": "C", "work": "W", "conduct": "Q"}
MEANING = ["kpi_name", "formula", "of_whom", "pitfalls"]
COUNTING = ["kpi_id", "counted", "counted_over", "credit", "unit", "better_when"]
COMPUTING = ["kpi_id", "grain", "kpi_kind", "computed", "windows", "definition"]
# The same figure weighted by opening balance: it means the same, and is counted otherwise.
BY_BALANCE = "-balance"


def asked() -> history.Choice:
    """The choice of the live page; only the language matters here."""
    return history.asked()


def latest_windows() -> KpiWindows:
    """The windows of the latest version of policy `kpi_windows`; those the library proposes where there is no such policy."""
    try:
        return KpiWindows.of(versions("kpi_windows")[-1].values)
    except CollectError:
        return KpiWindows()


def records(lang: str) -> pd.DataFrame:
    """The whole dictionary in `lang`, as `kpis.dictionary`, with columns named as they are read: kpi_id, kpi_name, of_whom, counted, counted_over,
    better_when, unit in words.
    """
    table = dictionary(latest_windows(), lang=lang)
    table = table.rename(
        columns={"name": "kpi_name", "numerator": "counted", "denominator": "counted_over", "kpi": "kpi_id", "population": "of_whom"}
    )
    names = table["kpi_name"] + " (" + table["kpi_id"] + ")"
    return table.assign(kpi_name=names, better_when=table["better"], unit=[_unit(unit, lang) for unit in table["unit"]])


def meaning(table: pd.DataFrame, section: str, lang: str) -> tables.ShownTable:
    """What the KPIs of a section say, of whom, and where they mislead; `table` is that of `records`. Versions by balance stand in the others."""
    return tables.show(_of(table, section), lang=lang, columns=MEANING)


def counting(table: pd.DataFrame, lang: str) -> tables.ShownTable:
    """What stands above and below the line of every KPI, whose it is, in which unit, and which way is better."""
    return tables.show(table, lang=lang, columns=COUNTING)


def computing(table: pd.DataFrame, lang: str) -> tables.ShownTable:
    """Where every KPI is computed, at which grain, with which windows, and the hash of its definition."""
    # The id stands in the first column; here the fingerprint alone.
    prints = table["definition"].str.rsplit("@", n=1).str[-1]
    worded = table.assign(windows=[in_words(text, lang) for text in table["windows"]], definition=prints)
    return tables.show(worded, lang=lang, columns=COMPUTING)


def _of(table: pd.DataFrame, section: str) -> pd.DataFrame:
    mine = table["kpi_id"].str.startswith(SECTIONS[section]) & ~table["kpi_id"].str.endswith(BY_BALANCE)
    return table[mine].reset_index(drop=True)


def _unit(unit: str, lang: str) -> str:
    return texts.own("unit_after", unit, lang) or texts.value("unit", unit, lang)
