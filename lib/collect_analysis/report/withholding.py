"""What is hidden of the tables of one run, so that nothing of it can be had back from all that the run tells.

Tables are recorded one after the other and shown at once. So each is held against those before it: what was shown stays, and the new table
hides as many more rows as it takes. Where that is not enough, because what could hide a small row was shown already, the run ends without a
result and begins again with a plan of what is hidden from the start. What the numbers were is kept in memory only; a plan names rows.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from collect_analysis.errors import DisclosureError
from collect_analysis.methods.suppression import Cells, Protected, protect
from collect_analysis.report import margins
from collect_analysis.report.margins import Beside, Labels, Relation, Sums
from collect_analysis.report.run_folder import SCRATCH, WITHHOLD

# The people behind a row of a table that counts none: it is hidden last.
_UNCOUNTED = 1e12


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """Flags per row of a recorded table: hidden besides the small ones, whole, or the period before only."""

    rows: np.ndarray
    before: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What is hidden of one table from the start: its name and how many rows it has, so that it is known again, and numbers of rows."""

    name: str
    length: int
    rows: tuple[int, ...] = ()
    before: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Taken:
    """A table as it was recorded."""

    table: pd.DataFrame
    counts: Sequence[str]
    small: np.ndarray
    before: np.ndarray


@dataclass
class _Unit:
    """What is hidden at once: a row, or what it says of the period before; or people that a table leaves out, whom no row tells."""

    table: int
    people: float
    secret: bool
    hidden: bool


@dataclass
class Withholding:
    """The numbers of a run and what is hidden of them.

    `nested` maps a label to the one above it, as a unit to its sub-function; `plan` is what an earlier try of the same run found must be
    hidden, table by table; `thorough` looks for what ties tables together also where nothing is hidden yet.
    """

    min_cell: int
    plan: Sequence[Planned] = ()
    thorough: bool = False
    nested: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    _told: int = 0
    _repeated: set[int] = field(default_factory=set)
    _taken: list[_Taken] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _counts: list[frozenset[str]] = field(default_factory=list)
    _sums: dict[Labels, list[Sums]] = field(default_factory=dict)
    _units: list[_Unit] = field(default_factory=list)
    _cells: dict[tuple[int, int, str], int] = field(default_factory=dict)
    _unit_of: list[int] = field(default_factory=list)
    _values: list[float] = field(default_factory=list)
    _relations: list[tuple[tuple[int, int], ...]] = field(default_factory=list)
    _counting: list[bool] = field(default_factory=list)

    def take(self, name: str, table: pd.DataFrame, *, counts: Sequence[str], small: np.ndarray, before: np.ndarray) -> Hidden:
        """Take a table as it is before anything is hidden; returns what must be hidden of it besides its small rows.

        `counts` names the columns that count the people behind a row; `small` flags the rows that are hidden whole, `before` those of which
        the period before is.

        Raises
        ------
        DisclosureError
            The run is another one than the one that was planned.
        """
        number, shown, known = len(self._names), len(self._units), len(self._relations)
        rows = self._add_table(name, _Taken(table=table, counts=counts, small=small, before=before))
        if self.plan:
            self._hide_planned(number, rows)
        if len(self._relations) > known and any(unit.secret for unit in self._units):
            self._protect(shown)
        hidden = np.array([self._units[unit].hidden for unit in rows], dtype=bool).reshape(-1, 2)
        return Hidden(rows=hidden[:, 0] & ~small, before=hidden[:, 1] & ~hidden[:, 0] & ~before)

    def better_plan(self) -> list[Planned] | None:
        """What had to be hidden from the start for no small row to be told; None where none is.

        Raises
        ------
        DisclosureError
            Nothing that could be hidden would do.
        """
        if not self._told:
            return None
        whole = Withholding(min_cell=self.min_cell, nested=self.nested, thorough=True)
        rows = [whole._add_table(name, taken) for name, taken in zip(self._names, self._taken, strict=True)]
        nobody, told = np.zeros(len(whole._units), dtype=bool), np.array([not unit.hidden for unit in self._units])
        if whole._protected(locked=nobody, told=told).exposed.any():
            raise DisclosureError(
                f"{self._told} small row(s) are told by subtraction whatever else is hidden; leave them out of the tables"
            )
        return [
            Planned(name=name, length=len(taken.table), rows=whole._hidden_of(own[::2]), before=whole._hidden_of(own[1::2]))
            for name, taken, own in zip(self._names, self._taken, rows, strict=True)
        ]

    def _hidden_of(self, units: Sequence[int]) -> tuple[int, ...]:
        return tuple(row for row, unit in enumerate(units) if self._units[unit].hidden)

    def _hide_planned(self, number: int, rows: Sequence[int]) -> None:
        planned = self.plan[number] if number < len(self.plan) else Planned(name="", length=0)
        if (planned.name, planned.length) != (self._names[number], len(self._taken[number].table)):
            raise DisclosureError(
                f"table '{self._names[number]}' came where '{planned.name}' did when the run was tried before; a run must tell the same twice"
            )
        for place, own in ((0, planned.rows), (1, planned.before)):
            for row in own:
                self._units[rows[2 * row + place]].hidden = True

    def _add_table(self, name: str, taken: _Taken) -> list[int]:
        """Enter a table and what ties it to those before; returns its units."""
        number = len(self._names)
        self._names.append(name)
        self._counts.append(frozenset(taken.counts))
        self._taken.append(taken)
        numbers = margins.additive(taken.table, tuple(taken.counts))
        rows = self._enter(number, taken.table, numbers, taken.small, taken.before)
        self._relate(number, taken.table, numbers)
        return rows

    def _enter(self, number: int, table: pd.DataFrame, numbers: pd.DataFrame, small: np.ndarray, before: np.ndarray) -> list[int]:
        """The units of the rows of a table, two for each: the row, and what it says of the period before."""
        people, people_before = _people(table, sorted(self._counts[number])), _people(table, ["previous_cases"])
        start = len(self._units)
        for row in range(len(table)):
            self._units += [
                _Unit(table=number, people=float(people[row]), secret=bool(small[row]), hidden=bool(small[row])),
                _Unit(table=number, people=float(people_before[row]), secret=bool(before[row]), hidden=bool(before[row] or small[row])),
            ]
        for column in numbers.columns:
            earlier = str(column).startswith(("previous", "change"))
            values = numbers[column].to_numpy(dtype=float)
            for row in np.flatnonzero(np.isfinite(values)).tolist():
                self._add_cell((number, row, str(column)), start + 2 * row + earlier, float(values[row]))
        return list(range(start, len(self._units)))

    def _add_cell(self, place: tuple[int, int, str], unit: int, value: float) -> None:
        self._cells[place] = len(self._unit_of)
        self._unit_of.append(unit)
        self._values.append(value)

    def _relate(self, number: int, table: pd.DataFrame, numbers: pd.DataFrame) -> None:
        """Look for what ties the table to itself and to those before it; where nothing is hidden so far, only for later ones."""
        secrets = self.thorough or any(unit.secret for unit in self._units)
        for part in margins.parts_of(number, table, self.nested):
            if secrets:
                self._add(margins.sums_so_far(part, numbers))
            for labels, sums in margins.sums_of(part, numbers).items():
                known = self._sums.setdefault(labels, [])
                if secrets:
                    self._add(margins.shares_of_one(sums))
                    self._add_beside(margins.totals_beside(sums, numbers))
                    for other in known:
                        self._add(margins.equal_sums(sums, other))
                for other in known:
                    self._leave_over(sums, other)
                    self._leave_over(other, sums)
                known.append(sums)

    def _leave_over(self, whole: Sums, parts: Sums) -> None:
        """Enter the few people that the parts of a table leave out of its whole as a secret that no row tells."""
        for key, own in margins.left_over(whole, parts, tuple(self._counts[parts.part.table]), min_cell=self.min_cell):
            number, unit = parts.part.table, len(self._units)
            self._units.append(_Unit(table=number, people=0.0, secret=True, hidden=True))
            for column in sorted(set(whole.columns) & set(parts.columns)):
                place = (number, -unit, column)
                gap = whole.totals[whole.columns.index(column), key] - parts.totals[parts.columns.index(column), own]
                self._add_cell(place, unit, float(gap))
                self._add([(*whole.cells(column, key, 1), *parts.cells(column, own, -1), (*place, -1))])

    def _add_beside(self, found: Iterator[Beside]) -> None:
        for beside in found:
            self._repeated.update(self._cells[place] for place in beside.totals if place in self._cells)
            self._add([beside.cells])

    def _add(self, relations: Iterator[Relation] | list[Relation]) -> None:
        for relation in relations:
            held = tuple((self._cells[cell[:3]], cell[3]) for cell in relation if cell[:3] in self._cells)
            if len(held) > 1:
                self._relations.append(held)
                self._counting.append(all(cell[2] in self._counts[cell[0]] for cell in relation))

    def _protect(self, shown: int) -> None:
        """Hide what it takes of the units from `shown` on, and count the small rows for which that is not enough."""
        hidden = np.array([unit.hidden for unit in self._units])
        self._told += int(self._protected(locked=(np.arange(len(hidden)) < shown) & ~hidden, told=~hidden).exposed.sum())

    def _protected(self, *, locked: np.ndarray, told: np.ndarray) -> Protected:
        hidden, secret = (np.array([getattr(unit, flag) for unit in self._units], dtype=bool) for flag in ("hidden", "secret"))
        found = protect(self._as_cells(told), secret=secret, hidden=hidden, locked=locked, min_cell=self.min_cell)
        for unit, is_hidden in zip(self._units, found.hidden, strict=True):
            unit.hidden = bool(is_hidden)
        return found

    def _as_cells(self, told: np.ndarray) -> Cells:
        sizes = [len(relation) for relation in self._relations]
        flat = np.array([pair for relation in self._relations for pair in relation], dtype=np.int64).reshape(-1, 2)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        relations = sparse.csr_array((flat[:, 1].astype(float), flat[:, 0], starts), shape=(len(sizes), len(self._unit_of)))
        unit, known = np.array(self._unit_of, dtype=np.int64), np.zeros(len(self._unit_of), dtype=bool)
        known[list(self._repeated)] = True
        table, secret = np.array([item.table for item in self._units]), np.array([item.secret for item in self._units])
        for relation in self._relations:
            # The number of a small row was told before of more people, and rightly.
            if len(relation) == 2:
                for (one, _), (other, _) in (relation, relation[::-1]):
                    known[one] |= secret[unit[one]] and told[unit[other]] and table[unit[other]] < table[unit[one]]
        return Cells(
            relations=relations,
            unit=unit,
            people=np.array([item.people for item in self._units]),
            counts=np.array(self._counting, dtype=bool),
            values=np.array(self._values),
            known=known,
        )


def _people(table: pd.DataFrame, counts: Sequence[str]) -> np.ndarray:
    """How many people are behind each row, by the first of the counting columns that the table has."""
    first = next((count for count in counts if count in table.columns), None)
    return np.full(len(table), _UNCOUNTED) if first is None else table[first].to_numpy(dtype=float, na_value=_UNCOUNTED)


def read_plan(folder: Path | None) -> list[Planned]:
    """The plan that an earlier try of the run in `folder` left; empty where none did."""
    path = folder / SCRATCH / WITHHOLD if folder else None
    return [Planned(**item) for item in json.loads(path.read_text(encoding="utf-8"))] if path and path.is_file() else []


def begin_again(folder: Path, plan: Sequence[Planned]) -> None:
    """Leave a plan for the next try of the run in `folder` and end this one.

    Raises
    ------
    DisclosureError
        Always.
    """
    if (folder / SCRATCH).is_dir():
        (folder / SCRATCH / WITHHOLD).write_text(json.dumps([asdict(item) for item in plan]), encoding="utf-8")
    raise DisclosureError(
        "small rows are told by subtraction from what was shown before them; run it again with more hidden from the start"
    )
