"""How a recorded number moved from slot to slot of a report. Reads published results only."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pandas as pd

from collect_analysis.errors import ParameterError
from collect_analysis.reporting import texts
from collect_analysis.reporting.report_files import PATH_PART
from collect_analysis.reporting.shelf import Published, Shelf
from collect_analysis.reporting.texts import formats

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


def measures_of(results: Mapping[str, Any]) -> list[str]:
    """The measures a run recorded, each once, as `name` or `name:kpi`, in order."""
    return list(dict.fromkeys(_key(measure) for measure in results["measures"]))


def over_slots(reports: Path, chosen: Choice) -> pd.DataFrame:
    """What was this measure in every slot of the report, from the run managers see?

    One row per slot and recorded combination of labels, the earliest slot first. Columns: slot, series (the labels as text), value, low,
    high, unit, grade, note, run_id, definition (id and hash of the KPI's definition; empty where the run recorded none). Undefined values are
    NaN with their recorded note. Empty where the report or the measure is not there.
    """
    rows = []
    for run in reversed(Shelf(reports).slots(chosen.kind, chosen.name)):
        wanted = chosen.measure or next(iter(measures_of(run.results)), "")
        for measure in run.results["measures"]:
            if _key(measure) == wanted:
                series = ", ".join(str(label) for label in measure["by"].values())
                rows.append({"definition": "", **measure, "slot": run.run["slot"], "series": series, "run_id": run.run["run_id"]})
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
    own = definitions_of(run.results)
    for other in slots:
        if other.run["slot"] < run.run["slot"]:
            before = definitions_of(other.results)
            return str(other.run["slot"]), [kpi for kpi, meaning in own.items() if kpi in before and before[kpi] != meaning]
    return "", []


def definitions_of(results: Mapping[str, Any]) -> dict[str, str]:
    """Definition of each KPI that a run recorded with one."""
    return {measure["kpi"]: measure["definition"] for measure in results["measures"] if measure.get("definition")}


def currency(reports: Path, chosen: Choice) -> str:
    """The currency of the report's latest slot; empty where there is none."""
    slots = Shelf(reports).slots(chosen.kind, chosen.name)
    return str(slots[0].run["inputs"]["currency"]) if slots else ""


def readable(table: pd.DataFrame, lang: str) -> pd.DataFrame:
    """The table of `over_slots` with slots as the language writes days."""
    slots = [" – ".join(formats.day(part, lang) for part in slot.split("--")) for slot in table["slot"]]
    return table.assign(slot=slots)


def _key(measure: Mapping[str, Any]) -> str:
    return f"{measure['name']}:{measure['kpi']}" if measure["kpi"] else str(measure["name"])
