"""What a run says: measures, tables, figures, checks and one decision, recorded by name and written once."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from collect_analysis.book.durable import write_json
from collect_analysis.errors import RunError
from collect_analysis.methods.evidence import Condition, Grade
from collect_analysis.report import row_labels
from collect_analysis.report.disclosure import NoPeople, People, refuse_personal, small_in, told
from collect_analysis.report.notebook_files import FIGURE_MIME, SVG_MIME
from collect_analysis.report.operational_lists import OperationalList, write_list
from collect_analysis.report.shares import Shares
from collect_analysis.report.statements import in_short, statement_of
from collect_analysis.report.withholding import Withholding, begin_again, read_plan

SCHEMA = 1
SIGNIFICANT_DIGITS = 12
# What a measure keeps of a table besides its labels.
_OF_MEASURES = frozenset({"value", "low", "high", "numerator", "denominator", "note", "unit", "kpi", "definition"})
SLUG = r"[a-z][a-z0-9_]{0,62}"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One recorded number. `value` is None where undefined or suppressed, and `note` says why; `definition` is the hash of a KPI's meaning."""

    name: str
    value: float | None
    by: dict[str, str] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    unit: str = ""
    kpi: str = ""
    grade: str = ""
    note: str = ""
    definition: str = ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What somebody is asked to sign. `forecast` is what will be checked at the horizon; `missing` are sentences on what a count lacks."""

    question: str
    answer: str
    confidence: str
    grade: Grade
    caveats: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    forecast: dict[str, object] = field(default_factory=dict)
    action: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedFigure:
    """A recorded figure as a notebook shows it; the page finds the recorded file by `name`."""

    name: str
    svg: bytes = field(repr=False)

    @classmethod
    def drawn(cls, name: str, figure) -> "RecordedFigure":
        """A finished matplotlib figure, or the axes on it, as it is recorded and shown."""
        from collect_analysis.report.figures import style

        return cls(name, style.svg(getattr(figure, "figure", figure)))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": f"figure {self.name}", SVG_MIME: self.svg.decode(), FIGURE_MIME: {"name": self.name}}


def plain(value: object) -> Any:
    """A value as JSON can hold it: 12 significant digits, None for undefined, ISO dates, whole numbers as integers."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if not math.isfinite(number):
            return None
        rounded = float(f"{number:.{SIGNIFICANT_DIGITS}g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
    if hasattr(value, "isoformat"):
        text = value.isoformat()
        return text[:10] if text.endswith("T00:00:00") else text
    return str(value)


class RunRecorder:
    """Collects what a notebook reports and writes `results.json`, `tables/` and `figures/` into the run folder.

    Without a run folder (a notebook opened by hand) nothing is written; everything else is the same. `parameters` is any report parameter
    object: it has `report`, `name`, `lang`, `audience`, `min_cell` and `as_json()`.
    """

    def __init__(self, parameters, run_dir: str | None = None) -> None:
        from collect_analysis.report.texts import untranslated

        untranslated(forget=True)
        self.parameters = parameters
        self.folder = Path(run_dir) if run_dir else None
        self._measures: list[Measure] = []
        self._tables: dict[str, str] = {}
        self._figures: dict[str, str] = {}
        self._checks: list[dict[str, object]] = []
        self._decision: Decision | None = None
        self._caveats: list[str] = []
        self._names: set[tuple[str, ...]] = set()
        self._masked: dict[tuple[str, str], int] = {}
        self._shares = Shares()
        self._withheld = Withholding(min_cell=parameters.min_cell, plan=read_plan(self.folder))
        self._hidden = np.zeros(3, dtype=np.int64)

    def _claim(self, *name: str) -> None:
        if name in self._names:
            raise RunError(f"{' '.join(name)} was recorded already; record each name once")
        self._names.add(name)

    def _disclosed(self, name: str, table: pd.DataFrame, people: People) -> pd.DataFrame:
        """What may be shown of a table, held against all that was recorded before."""
        table, masked = row_labels.without_personal_labels(table.reset_index(drop=True))
        self._masked |= {(name, column): count for column, count in masked.items()}
        min_cell = self.parameters.min_cell
        small = small_in(table, people, min_cell=min_cell, name=name)
        hidden = self._withheld.take(name, table, counts=small.counts, small=small.whole.to_numpy(), before=small.before.to_numpy())
        rows, before = pd.Series(hidden.rows, index=table.index), pd.Series(hidden.before, index=table.index)
        self._hidden += np.array([len(table), small.whole.sum(), rows.sum()], dtype=np.int64)
        return told(table, small, rows, before, min_cell=min_cell)

    def measure(
        self,
        name: str,
        value: float | None,
        *,
        people: int | NoPeople,
        by: dict[str, str] | None = None,
        low: float | None = None,
        high: float | None = None,
        numerator: float | None = None,
        denominator: float | None = None,
        unit: str = "",
        kpi: str = "",
        grade: str = "",
        note: str = "",
    ) -> None:
        """Record one number by `name` and `by`; it is suppressed where fewer than `min_cell` people are behind it."""
        row = pd.DataFrame([{"value": value, "low": low, "high": high, "numerator": numerator, "denominator": denominator, "note": note}])
        self.measures(name, row, people=people, unit=unit, kpi=kpi, grade=grade, labels=by)

    def measures(
        self,
        name: str,
        table: pd.DataFrame,
        *,
        people: People,
        by: Iterable[str] = (),
        unit: str = "",
        kpi: str = "",
        grade: str = "",
        labels: dict[str, str] | None = None,
    ) -> None:
        """Record one number per row of a tidy table with columns value, low, high, numerator, denominator, note, unit, kpi,
        definition (id and hash of a KPI's definition; those present).

        `people` is as in `table`. `by` names the label columns. A `unit` or `kpi` column wins over the argument. `kpi` says that the number is
        that KPI as the dictionary defines it; rows that `by` labels with a KPI are about one and are none.
        """
        keys = list(by)
        refuse_personal(table[keys], name=name, audience=self.parameters.audience)
        unknown = [key for key in keys if key not in row_labels.LABELS]
        if unknown:
            raise RunError(f"measure '{name}' is told by {', '.join(unknown)}, which names no rows; declare it in report/row_labels.py")
        counts = () if isinstance(people, NoPeople | int) else (people,) if isinstance(people, str) else tuple(people)
        told_of = [column for column in table.columns if column in {*keys, *counts, *_OF_MEASURES}]
        shown = self._disclosed(name, table[told_of], people)
        self._shares.look(name, shown, unit=unit, kpi=kpi)
        for row in shown.to_dict("records"):
            where = {**(labels or {}), **{key: str(row[key]) for key in keys}}
            of_kpi = "" if "kpi" in where else str(row.get("kpi", kpi))
            self._claim("measure", name, of_kpi, *(f"{key}={item}" for key, item in sorted(where.items())))
            numbers = {key: plain(row.get(key)) for key in ("value", "low", "high", "numerator", "denominator")}
            note = row.get("note") or ""
            self._measures.append(
                Measure(
                    name=name,
                    by=where,
                    unit=row.get("unit", unit),
                    kpi=of_kpi,
                    grade=grade,
                    note=note if isinstance(note, str) else "",
                    definition=row.get("definition", ""),
                    **numbers,
                )
            )

    def table(self, name: str, table: pd.DataFrame, *, people: People) -> pd.DataFrame:
        """Record a table and return what may be shown of it: draw and display the returned one.

        `people` names the column (or columns) that count the people behind a row, or says that no row rests on people, and why
        (`NoPeople("terms of the contract")`). Small rows keep nothing but their labels.
        """
        refuse_personal(table, name=name, audience=self.parameters.audience)
        shown = self._disclosed(name, table, people)
        self._claim("table", name)
        self._shares.look(name, shown, before=table)
        self._tables[name] = f"tables/{name}.csv"
        if self.folder:
            path = self.folder / self._tables[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            _neutral(shown).to_csv(path, index=False, float_format=f"%.{SIGNIFICANT_DIGITS}g", lineterminator="\n")
        return shown

    def figure(self, name: str, figure) -> "RecordedFigure":
        """Record a finished figure (or the axes on it) as SVG, the same bytes for the same drawing; displays itself in a notebook."""
        self._claim("figure", name)
        self._figures[name] = f"figures/{name}.svg"
        recorded = RecordedFigure.drawn(name, figure)
        if self.folder:
            path = self.folder / self._figures[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(recorded.svg)
        return recorded

    def operational_list(self, name: str, batches: Iterable[pa.RecordBatch], *, write: bool) -> OperationalList:
        """Record a list of persons that operations work from: its rows and the hash of its content, never the content.

        With `write` it lies in the run folder as `lists/<name>.csv`, readable by the folder's owner alone; no page serves it.
        """
        from collect_analysis.report.texts import say

        self._claim("list", name)
        found = write_list(name, batches, run_folder=self.folder if write else None)
        words = {"rows": found.rows, "sha256": found.sha256, "file": f"lists/{name}.csv"}
        self.check(f"list_{name}", True, detail=say("list_written" if write else "list_not_written", self.parameters.lang, **words))
        self.measure("list_rows", found.rows, people=found.rows, by={"list": name}, unit="count")
        return found

    def document(self, name: str, content: str | bytes) -> str:
        """Write a document without personal data into the run folder as `name`, byte for byte, and return its SHA-256."""
        self._claim("document", name)
        written = content.encode() if isinstance(content, str) else content
        if self.folder:
            (self.folder / name).write_bytes(written)
        return hashlib.sha256(written).hexdigest()

    def check(self, name: str, passed: bool, *, detail: str, blocking: bool = False) -> None:
        """Record a check; a failed blocking one puts "not for decision" on the page."""
        self._claim("check", name)
        self._checks.append({"name": name, "passed": bool(passed), "blocking": blocking, "detail": detail})

    def conditions(self, conditions: Iterable[Condition]) -> None:
        """Record the conditions of a claim as checks; those that refuse are blocking, unmet caveats stand beside the decision."""
        from collect_analysis.report.texts import say

        for condition in conditions:
            remedy = "" if condition.met or not condition.remedy else say("to_answer", self.parameters.lang, remedy=condition.remedy)
            detail = f"{condition.detail} {remedy}".strip()
            self.check(condition.name, condition.met, detail=detail, blocking=condition.consequence == "refuse")
            if condition.caveat and not condition.met and condition.consequence != "refuse":
                self._caveats.append(condition.detail)

    def decide(self, decision: Decision) -> None:
        """Record what somebody is asked to sign; once per run."""
        self._claim("decision")
        self._decision = decision

    def finish(self) -> str:
        """Write `results.json` and return a short text of the headline numbers. The last thing a notebook does.

        Raises
        ------
        RunError
            No decision was recorded: a page without the decision asked and the answer is not a report.
        DisclosureError
            What was shown first tells a small row that came later: the worker runs the notebook again with more hidden from the start.
        """
        from collect_analysis.report.texts import say

        if self._decision is None:
            raise RunError("no decision was recorded; call record.decide(...) before record.finish()")
        if self.folder and (plan := self._withheld.better_plan()):
            begin_again(self.folder, plan)
        if self._masked:
            columns = ", ".join(sorted({column for _, column in self._masked}))
            self.check(
                "labels_masked", False, detail=say("labels_masked", self.parameters.lang, columns=columns, count=max(self._masked.values()))
            )
        body = self.as_json()
        if self.folder:
            write_json(self.folder / "results.json", body)
        return summary(body)

    def as_json(self) -> dict[str, object]:
        """The content of `results.json`."""
        decision = self._decision
        if decision:
            told = [caveat for caveat in self._caveats if not any(caveat in said for said in decision.caveats)]
            decision = replace(decision, caveats=(*decision.caveats, *told), missing=(*decision.missing, *told))
        return {
            "schema": SCHEMA,
            "report": self.parameters.report,
            "name": self.parameters.name,
            "parameters": self.parameters.as_json(),
            "measures": [asdict(measure) for measure in self._measures],
            "tables": self._tables,
            "figures": self._figures,
            "decision": plain({**asdict(decision), "statement": statement_of(self.parameters.report)}) if decision else None,
            "checks": [*self._checks, *self._impossible_shares(), *self._untranslated()],
            "hidden": dict(zip(("rows", "small", "withheld"), self._hidden.tolist(), strict=True)),
        }

    def _untranslated(self) -> list[dict[str, object]]:
        """The check that fails where the page shows a code for which the catalogue has no word."""
        from collect_analysis.report.texts import say, untranslated

        missed, lang = untranslated(), self.parameters.lang
        if not missed:
            return []
        detail = say("untranslated", lang, count=len(missed), first=missed[0])
        return [{"name": say("untranslated_check", lang), "passed": False, "blocking": False, "detail": detail}]

    def _impossible_shares(self) -> list[dict[str, object]]:
        """The blocking check that fails where a recorded share cannot be: how many, which first, and why."""
        from collect_analysis.report.texts import say

        if not self._shares.broken:
            return []
        first, lang = self._shares.broken[0], self.parameters.lang
        numbers = ", ".join(f"{plain(number)}" for number in first.numbers)
        why = say(f"share_{first.fault}", lang, numbers=numbers)
        told = {"broken": len(self._shares.broken), "seen": self._shares.seen, "where": first.where, "labels": first.labels}
        detail = say("shares_impossible", lang, **told, column=first.column, why=why)
        return [{"name": say("shares_check", lang), "passed": False, "blocking": True, "detail": detail}]


def summary(body: dict, *, most: int = 12) -> str:
    """The decision, the checks that failed and the first numbers, as text with 6 significant digits."""
    decision = body["decision"]
    lines = [f"{decision['question']}", f"-> {decision['answer']} ({in_short(decision)})"]
    lines += [f"failed: {check['name']}: {check['detail']}" for check in body["checks"] if not check["passed"]]
    for measure in body["measures"][:most]:
        label = " ".join([measure["name"], measure["kpi"], *measure["by"].values()])
        value = measure["note"] or "undefined" if measure["value"] is None else f"{measure['value']:.6g} {measure['unit']}".strip()
        lines.append(f"{label}: {value}")
    lines.append(", ".join(f"{len(body[part])} {part}" for part in ("measures", "tables", "figures", "checks")))
    return "\n".join(lines)


def _neutral(table: pd.DataFrame) -> pd.DataFrame:
    """The table with text cells that a spreadsheet would run as a formula made plain text."""
    safe = table.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = safe[column].map(_as_text)
    return safe


def _as_text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
