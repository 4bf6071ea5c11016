"""How a recorded number moved from slot to slot of a report. Reads published results only."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import pandas as pd

from collect_analysis.errors import ParameterError
from collect_analysis.report import texts
from collect_analysis.report.texts import formats
from collect_analysis.runs.report_files import PATH_PART
from collect_analysis.runs.run_files import DamagedRun
from collect_analysis.runs.run_index import Published, measure_key
from collect_analysis.runs.shelf import MANAGERS, Shelf

KEYS = ("kind", "name", "measure", "lang")
MOST_QUERY = 500
COLUMNS = ("slot", "series", "value", "low", "high", "unit", "grade", "note", "run_id", "definition")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which report, which of its measures (all, of one name and KPI), in which language. An empty measure means the first recorded."""

    kind: str = ""
    name: str = ""
    measure: str = ""
    lang: texts.Lang = "en"


def choice(query: str) -> Choice:
    """What a query string asks for.

    Raises
    ------
    ParameterError
        An unknown key, a key given twice, or a value that is no plain name.
    """
    if len(query) > MOST_QUERY:
        raise ParameterError("the query is too long")
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=len(KEYS) + 1)
    if len({key for key, _ in pairs}) != len(pairs) or not {key for key, _ in pairs} <= set(KEYS):
        raise ParameterError(f"a query may name each of {', '.join(KEYS)} once")
    given = dict(pairs)
    # A measure is a name, or a name and the KPI it belongs to, as in `kept_rate:C8`.
    if not all(PATH_PART.fullmatch(part.lower()) for value in given.values() if value for part in value.split(":", 1)):
        raise ParameterError("a query holds plain names only")
    if given.get("lang", "en") not in texts.LANGUAGES:
        raise ParameterError("lang is en or vi")
    return Choice(**given)  # type: ignore[arg-type]


def asked() -> Choice:
    """The choice of a live page: Voila hands the query string over in the environment."""
    return choice(os.environ.get("QUERY_STRING", ""))


def reports_folder() -> Path:
    """The reports folder a live page reads, from `COLLECT_REPORTS`."""
    return Path(os.environ.get("COLLECT_REPORTS", "reports"))


def shelf(reports: Path) -> Shelf:
    """The published runs that a live page may read: those of the audience in `COLLECT_AUDIENCE`."""
    return Shelf(reports, audience=os.environ.get("COLLECT_AUDIENCE", MANAGERS))


def over_slots(reports: Path, chosen: Choice) -> pd.DataFrame:
    """What was this measure in every slot of the report, from the run managers see?

    One row per slot and recorded combination of labels, the earliest slot first. Columns: slot, series (the labels as text), value, low,
    high, unit, grade, note, run_id, definition (id and hash of the KPI's definition; empty where the run recorded none). Undefined values are
    NaN with their recorded note. Empty where the report or the measure is not there; a run whose files are damaged is left out.
    """
    rows = []
    published = shelf(reports)
    for run in reversed(published.slots(chosen.kind, chosen.name)):
        wanted = chosen.measure or next(iter(run.measures), "")
        if wanted not in run.measures:
            continue
        with suppress(DamagedRun):
            for measure in published.results(run)["measures"]:
                if measure_key(measure) == wanted:
                    series = ", ".join(str(label) for label in measure["by"].values())
                    rows.append({"definition": "", **measure, "slot": run.slot, "series": series, "run_id": run.run_id})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"value": float, "low": float, "high": float})


def version_breaks(table: pd.DataFrame) -> list[str]:
    """From which slots on does the number mean something else? `table` as `over_slots` gives it.

    A slot is listed where its definition differs from that of the slot before it that recorded one: what lies on either side of it must not
    be compared.
    """
    told = table.loc[table["definition"] != ""].drop_duplicates("slot")
    changed = told["definition"].ne(told["definition"].shift()) & told["definition"].shift().notna()
    return [str(slot) for slot in told.loc[changed, "slot"]]


def changed_definitions(run: Published, slots: Sequence[Published]) -> tuple[str, list[str]]:
    """Which KPIs mean something else than in the published run of the slot before? That slot, and the KPIs in the order recorded.

    `slots` are the current runs of the report, the latest slot first (`Shelf.slots`). Empty where there is no earlier slot or nothing changed.
    """
    for other in slots:
        if other.slot < run.slot:
            before = other.definitions
            return other.slot, [kpi for kpi, meaning in run.definitions.items() if kpi in before and before[kpi] != meaning]
    return "", []


def currency(reports: Path, chosen: Choice) -> str:
    """The currency of the report's latest slot; empty where there is none."""
    slots = shelf(reports).slots(chosen.kind, chosen.name)
    return slots[0].currency if slots else ""


def readable(table: pd.DataFrame, lang: str) -> pd.DataFrame:
    """The table of `over_slots` with slots as the language writes days."""
    return table.assign(slot=[formats.slot(slot, lang) for slot in table["slot"]])
