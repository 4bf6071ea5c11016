"""An attack on published runs: whoever has the files subtracts everything from everything and tells what is behind a small row.

It shares no code with what hides rows. From the tables and measures of one run it takes every number that is told; what is blank in a row
that says "suppressed" is an unknown. It learns which sums agree where both are told in full (a total and its parts, two tables of the same
accounts, a rate times its denominator, shares of one, a total printed beside its parts, sums so far), believes that they agree
elsewhere too, and solves for the unknowns with the numerical null space.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from collect_analysis.report.row_labels import LABELS
from scipy.sparse import coo_array, csgraph

NUMBERS = ("value", "numerator", "denominator", "low", "high")
SAYS = frozenset({"note", "unit", "unit_name", "better", "definition", "name", "level_unit"})
SUBJECTS = {
    "portfolio": "portfolio_code", "product": "product_code", "unit": "unit_key", "agency": "unit_key", "from": "bucket", "from_bucket": "bucket"
}  # fmt: skip
WHOLE = frozenset({"all", "total", "company"})
COUNTS = frozenset({"accounts", "cases", "count", "customers", "denominator", "numerator", "payers"})
ENOUGH, LARGE, TOLERANCE = 3, 1_000.0, 1e-8

Cell = tuple[str, int, str]


@dataclass(frozen=True, kw_only=True)
class View:
    """Rows of one published table told by the same labels, with the numbers of its columns (NaN: not told)."""

    table: str
    labels: pd.DataFrame
    rows: np.ndarray
    numbers: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A number of a small row that the published ones tell."""

    cell: Cell
    value: float


@dataclass(frozen=True, kw_only=True)
class Published:
    """The tables of a run as published; `small` and `hidden` flag rows by table."""

    tables: dict[str, pd.DataFrame]
    small: dict[str, np.ndarray]
    hidden: dict[str, np.ndarray]
    min_cell: int

    @classmethod
    def read(cls, folder: Path) -> "Published":
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        files = {name: folder / path for name, path in results["tables"].items()}
        tables = {
            f"table {name}": pd.read_csv(path, keep_default_na=False, na_values=[""])
            for name, path in files.items()
            if path.read_bytes().strip(b"\n")
        }
        by_name = defaultdict(list)
        for item in results["measures"]:
            by_name[item["name"]].append({**item["by"], **{key: item[key] for key in ("kpi", *NUMBERS, "note")}})
        tables |= {f"measure {name}": pd.DataFrame(rows) for name, rows in by_name.items()}
        return cls.of(tables, min_cell=results["parameters"].get("min_cell", 10))

    @classmethod
    def of(cls, tables: dict[str, pd.DataFrame], *, min_cell: int = 10) -> "Published":
        notes = {
            name: (table["note"].astype(object) if "note" in table else pd.Series("", index=table.index)).fillna("")
            for name, table in tables.items()
        }
        hidden = {name: note.astype(str).str.startswith("suppressed").to_numpy() for name, note in notes.items()}
        small = {name: note.astype(str).str.contains("fewer than").to_numpy() & hidden[name] for name, note in notes.items()}
        return cls(tables=tables, small=small, hidden=hidden, min_cell=min_cell)


def numbers_of(table: pd.DataFrame) -> pd.DataFrame:
    """The numeric columns that are no labels, and rates times counts."""
    found = {}
    for name in table.columns:
        column = pd.to_numeric(table[name], errors="coerce") if name not in LABELS else None
        if column is not None and not (table[name].notna() & column.isna()).any():
            found[name] = column.to_numpy(dtype=float)
    counts = [name for name in ("cases", "denominator", "accounts", "previous_cases") if name in found]
    for name in [name for name in ("value", "previous", "mean", "rate") if name in found]:
        found |= {f"{name} * {count}": found[name] * found[count] for count in counts}
    return pd.DataFrame(found, index=table.index)


def views_of(name: str, table: pd.DataFrame) -> list[View]:
    """A view per scope and per choice of rows that are totals of a label."""
    labels = table[[column for column in table.columns if column in LABELS and column not in SAYS]].astype(object)
    labels = labels.where(labels.notna(), "").map(str)
    parts = [(labels, np.arange(len(table)))]
    if {"scope_type", "scope_key"} <= set(labels):
        parts = []
        for kind, places in labels.groupby("scope_type").indices.items():
            own = labels.iloc[places].drop(columns=["scope_type", "scope_key"])
            if kind not in WHOLE:
                own[SUBJECTS.get(str(kind), str(kind))] = labels["scope_key"].iloc[places]
            parts.append((own, places))
    numbers = numbers_of(table)
    found = []
    for own, places in parts:
        renamed = own.rename(columns=SUBJECTS)
        renamed = renamed.loc[:, ~renamed.columns.duplicated()].reset_index(drop=True)
        whole = renamed.isin(WHOLE).reset_index(drop=True)
        for totals, rows in whole.groupby(list(whole.columns)).indices.items() if len(whole.columns) else [((), np.arange(len(own)))]:
            totals = totals if isinstance(totals, tuple) else (totals,)
            kept = [column for column, is_total in zip(renamed.columns, totals, strict=True) if not is_total]
            rows = np.asarray(rows)
            told = renamed.iloc[rows][kept].reset_index(drop=True)
            found.append(View(table=name, labels=told, rows=np.asarray(places)[rows], numbers=numbers.iloc[np.asarray(places)[rows]]))
    return found


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What is told of sums by key: columns by keys; `group` is the key of each row of the view, `blank` its unknown numbers.

    `unknown` counts those of a sum, `seen` all its numbers.
    """

    view: View
    columns: list[str]
    keys: pd.Index
    group: np.ndarray
    told: np.ndarray
    blank: np.ndarray
    unknown: np.ndarray
    seen: np.ndarray

    def cells(self, column: int, key: int) -> list[Cell]:
        """The unknown cells of a sum."""
        places = np.flatnonzero((self.group == key) & self.blank[:, column])
        return [(self.view.table, int(self.view.rows[place]), self.columns[column]) for place in places]


def sums_of(view: View, names: tuple[str, ...], hidden: np.ndarray) -> Sums:
    """The numbers of a view summed by some labels. One that is blank in a row that is not hidden counts as nothing."""
    keys = ["\x1f".join(row) for row in view.labels[list(names)].to_numpy()] if names else [""] * len(view.rows)
    group, found = pd.factorize(np.array(keys, dtype=object))
    values = view.numbers.to_numpy(dtype=float)
    blank = np.isnan(values) & hidden[view.rows][:, None]

    def by_key(numbers: np.ndarray) -> np.ndarray:
        summed = [np.bincount(group, weights=column, minlength=len(found)) for column in numbers.T]
        return np.array(summed).reshape(len(summed), len(found))

    return Sums(
        view=view,
        columns=list(view.numbers.columns),
        keys=pd.Index(found),
        group=group,
        told=by_key(np.nan_to_num(values)),
        blank=blank,
        unknown=by_key(blank.astype(float)),
        seen=by_key((np.isfinite(values) | blank).astype(float)),
    )


class Attack:
    """The equations that the published numbers of a run give, and what they tell of small rows."""

    def __init__(self, published: Published) -> None:
        self.published = published
        self.equations: list[tuple[dict[Cell, float], float]] = []
        self.guesses: list[tuple[dict[Cell, float], float]] = []
        self.contradictions = 0
        known: dict[tuple[str, ...], list[Sums]] = defaultdict(list)
        for name, table in published.tables.items():
            for view in views_of(name, table):
                self._sums_so_far(view)
                for names in choices(list(view.labels.columns)):
                    sums = sums_of(view, names, published.hidden[name])
                    self._shares(sums)
                    self._beside(sums)
                    for other in known[names]:
                        self._equal(sums, other)
                    known[names].append(sums)

    def _equal(self, one: Sums, other: Sums) -> None:
        places = one.keys.get_indexer(other.keys)
        mine, theirs = places[places >= 0], np.flatnonzero(places >= 0)
        if not len(mine):
            return
        for row, place in itertools.product(range(len(one.columns)), range(len(other.columns))):
            seen = (one.seen[row, mine] > 0) & (other.seen[place, theirs] > 0)
            is_open = ((one.unknown[row, mine] > 0) | (other.unknown[place, theirs] > 0)) & seen
            if not is_open.any():
                continue
            left, right = one.told[row, mine], other.told[place, theirs]
            same = one.view.table == other.view.table and additive(one.columns[row], other.columns[place])
            full = seen & ~is_open
            proven = believed(left[full], right[full])
            if proven or (same and not ((left != 0) | (right != 0))[full].any()):
                for at in np.flatnonzero(is_open):
                    self._add(one.cells(row, mine[at]), other.cells(place, theirs[at]), right[at] - left[at], proven=proven)

    def _add(self, plus: list[Cell], minus: list[Cell], value: float, *, proven: bool = True) -> None:
        weights: dict[Cell, float] = defaultdict(float)
        for cells, sign in ((plus, 1.0), (minus, -1.0)):
            for cell in cells:
                weights[cell] += sign
        weights = {cell: weight for cell, weight in weights.items() if weight}
        if weights:
            (self.equations if proven else self.guesses).append((weights, float(value)))

    def _shares(self, sums: Sums) -> None:
        for row, column in enumerate(sums.columns):
            full = (sums.unknown[row] == 0) & (sums.seen[row] > 1)
            if full.sum() < (1 if "share" in column else ENOUGH) or not near(sums.told[row, full], 1.0).all():
                continue
            for key in np.flatnonzero(sums.unknown[row]):
                self._add(sums.cells(row, key), [], 1 - sums.told[row, key])

    def _beside(self, sums: Sums) -> None:
        """Totals that the rows of a group repeat, or the difference of two."""
        if len(sums.keys) <= ENOUGH or not (sums.unknown > 0).any():
            return
        grouped = sums.view.numbers.groupby(sums.group)
        least, most = grouped.min().to_numpy(), grouped.max().to_numpy()
        same = [row for row in range(len(sums.columns)) if ((least[:, row] == most[:, row]) | np.isnan(least[:, row])).all()]
        for beside in [(row,) for row in same] + list(itertools.permutations(same, 2)):
            total = least[:, beside[0]] - (least[:, beside[1]] if len(beside) > 1 else 0.0)
            for row in range(len(sums.columns)):
                is_open = (sums.unknown[row] > 0) & np.isfinite(total)
                full = (sums.unknown[row] == 0) & (sums.seen[row] > 1) & np.isfinite(total)
                if row in beside or not is_open.any() or full.sum() < ENOUGH or not near(sums.told[row, full], total[full]).all():
                    continue
                for key in np.flatnonzero(is_open):
                    self._add(sums.cells(row, key), [], total[key] - sums.told[row, key])

    def _sums_so_far(self, view: View) -> None:
        order = [name for name in ("date", "day", "month", "step") if name in view.labels.columns][:1]
        others = [name for name in view.labels.columns if name not in order]
        hidden = self.published.hidden[view.table][view.rows]
        if not order or not hidden.any():
            return
        groups = view.labels.groupby(others).indices.values() if others else [np.arange(len(view.rows))]
        pairs = np.array([pair for places in groups for pair in itertools.pairwise(places)], dtype=int).reshape(-1, 2)
        before, after = pairs.T
        for column, total in itertools.permutations(view.numbers.columns, 2):
            steps, so_far = view.numbers[column].to_numpy(), view.numbers[total].to_numpy()
            full = np.isfinite(steps[after]) & np.isfinite(so_far[before]) & np.isfinite(so_far[after])
            gained = (so_far[after] - so_far[before])[full]
            if full.sum() < ENOUGH or not gained.any() or not near(gained, steps[after][full]).all():
                continue
            for at, (one, other) in enumerate(pairs):
                if not full[at] and (hidden[one] or hidden[other]):
                    terms = ((other, total, so_far, 1.0), (one, total, so_far, -1.0), (other, column, steps, -1.0))
                    weights = {(view.table, int(view.rows[row]), name): sign for row, name, told, sign in terms if np.isnan(told[row])}
                    self.equations.append((weights, -sum(sign * told[row] for row, _, told, sign in terms if np.isfinite(told[row]))))

    def claims(self) -> list[Claim]:
        """The numbers of small rows that the equations fix, by themselves or together with guesses."""
        found = {**self._fixed_by([*self.equations, *self.guesses]), **self._fixed_by(self.equations)}
        return [
            Claim(cell=cell, value=value)
            for cell, value in found.items()
            if self.published.small[cell[0]][cell[1]] and self._may_be(cell, value)
        ]

    def _fixed_by(self, equations: list[tuple[dict[Cell, float], float]]) -> dict[Cell, float]:
        cells = sorted({cell for weights, _ in equations for cell in weights})
        if not cells:
            return {}
        number, size = {cell: place for place, cell in enumerate(cells)}, len(equations)
        entries = [(row, number[cell], weight) for row, (weights, _) in enumerate(equations) for cell, weight in weights.items()]
        rows, columns, weights = (np.array(part) for part in zip(*entries, strict=True))
        edges = coo_array((np.ones(len(rows)), (rows, columns + size)), shape=(size + len(cells),) * 2)
        _, block = csgraph.connected_components(edges, directed=False)
        values = np.array([value for _, value in equations])
        found: dict[Cell, float] = {}
        self.contradictions = 0
        for entry in pd.Series(np.arange(len(rows))).groupby(block[rows]).indices.values():
            own_rows, row = np.unique(rows[entry], return_inverse=True)
            own_columns, column = np.unique(columns[entry], return_inverse=True)
            matrix = np.zeros((len(own_rows), len(own_columns)))
            matrix[row, column] = weights[entry]
            found |= {cells[own_columns[place]]: value for place, value in self._solved(matrix, values[own_rows])}
        return found

    def _may_be(self, cell: Cell, value: float) -> bool:
        """Whether a number may stand in a small row and is told of no more people: a count is less than what may be told (else a belief was
        wrong), and a large number that rows beside it repeat is that of their total.
        """
        table, _, column = cell
        if column in {"accounts", "cases", "denominator"}:
            return 0 < round(value) < self.published.min_cell
        told = numbers_of(self.published.tables[table])[column].to_numpy()
        return abs(value) < LARGE or not (np.abs(told - value) <= 1e-6 * abs(value)).any()

    def _solved(self, matrix: np.ndarray, values: np.ndarray) -> list[tuple[int, float]]:
        """Which unknowns have one value only, and which. Equations that contradict each other rest on a wrong belief: they tell nothing."""
        _, sizes, vectors = np.linalg.svd(matrix)
        null = vectors[(sizes > 1e-9).sum() :]
        fixed = np.flatnonzero((np.abs(null) < 1e-9).all(axis=0)) if len(null) else np.arange(matrix.shape[1])
        solution = np.linalg.lstsq(matrix, values, rcond=None)[0]
        if not np.allclose(matrix @ solution, values, rtol=1e-6, atol=1e-6 * max(1.0, float(np.abs(values).max()))):
            self.contradictions += 1
            return []
        return [(int(place), float(solution[place])) for place in fixed]


def choices(names: list[str]) -> Iterator[tuple[str, ...]]:
    """Every choice of labels to sum by; of many, nearly all or few."""
    for size in range(len(names) + 1):
        if len(names) <= 4 or size <= 1 or size >= len(names) - 1:
            yield from (tuple(sorted(chosen)) for chosen in itertools.combinations(names, size))


def near(one: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Which numbers are equal up to the digits they are told with."""
    return np.abs(one - other) <= TOLERANCE * np.maximum(np.maximum(np.abs(one), np.abs(other)), 1.0)


def additive(column: str, other: str) -> bool:
    """Whether two columns of one name count or are money, so that a total and its parts agree."""
    return column == other and (column in COUNTS or column.endswith("_minor"))


def believed(mine: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether sums agree wherever both are told in full, often or largely enough."""
    told = (mine != 0) | (theirs != 0)
    if not told.any():
        return False
    if not near(mine[told], theirs[told]).all():
        return False
    seen = np.unique(mine[told])
    return len(seen) >= ENOUGH or bool((np.abs(seen) >= LARGE).all())


def attack(folder: Path) -> list[Claim]:
    """What a published run tells of its small rows."""
    return Attack(Published.read(folder)).claims()
