"""Which cells must be hidden besides those that are too small, so that no subtraction brings a small one back.

Published numbers stand in linear relations: a total is the sum of its parts, a rate times its denominator is a numerator, the same count
stands in two tables. Whoever knows the visible cells knows, of every relation, the sum of its hidden ones; a hidden cell is had back exactly
if those sums fix it. That is a question about the null space of the relations among the hidden cells: a cell is safe if and only if some
solution of the homogeneous system moves it (Fischetti and Salazar 2001; Hundepool et al., Statistical Disclosure Control, 2012, ch. 4).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

# Coefficients are 1 and -1: elimination modulo a prime is exact, and a pivot that vanishes only there is as good as impossible.
_PRIME = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cells of a publication and what holds among them.

    `relations`: one row per relation, one column per cell, with whole coefficients; a relation says that its cells, so weighted, sum to
    something anybody may know (most often 0). `unit`: for each cell the number of what is hidden at once (a row of a table). `people`: how
    many people are behind each unit. `counts`: for each relation whether it is one among counts of people, with `values` the cells' values.
    `known`: cells that anybody may know although their unit is hidden, for another publication told them rightly.
    """

    relations: sparse.csr_array
    unit: np.ndarray
    people: np.ndarray
    counts: np.ndarray
    values: np.ndarray
    known: np.ndarray

    def unknown(self, hidden: np.ndarray) -> np.ndarray:
        """Which cells nobody is told if the units `hidden` are."""
        return hidden[self.unit] & ~self.known


@dataclass(frozen=True, kw_only=True)
class Protected:
    """`hidden`: every unit to hide, the secret ones among them; `exposed`: secret units that what is locked open still tells."""

    hidden: np.ndarray
    exposed: np.ndarray


def determined(relations: sparse.csr_array, hidden: np.ndarray) -> np.ndarray:
    """Which of the `hidden` cells (a flag per cell) can be computed exactly from all others? Returns a flag per cell."""
    places = np.flatnonzero(hidden)
    unknown = sparse.csr_array(relations[:, places])
    unknown = unknown[np.diff(unknown.indptr) > 0]
    ties = sparse.csr_array(abs(unknown))
    found = _had_one_by_one(ties, np.zeros(len(places), dtype=bool))
    core = _core(ties, found)
    if core.any():
        for columns, block in _blocks(unknown, core, ~found):
            found[columns[_fixed(block)]] = True
        found = _had_one_by_one(ties, found)
    told = np.zeros(len(hidden), dtype=bool)
    told[places[found]] = True
    return told


def _had_one_by_one(ties: sparse.csr_array, found: np.ndarray) -> np.ndarray:
    """The cells had by taking, again and again, a relation of which a single cell is still unknown."""
    while True:
        single = ties @ (~found).astype(float) == 1
        more = (ties[single].T @ np.ones(int(single.sum())) > 0) & ~found if single.any() else np.zeros_like(found)
        if not more.any():
            return found
        found = found | more


def _core(ties: sparse.csr_array, found: np.ndarray) -> np.ndarray:
    """The relations that may fix a cell only together: without those that hold a cell which no other holds, and so bind nothing else."""
    rows = ties @ (~found).astype(float) > 0
    while rows.any():
        alone = (ties.T @ rows.astype(float) == 1) & ~found
        binding = rows & ~(ties @ alone.astype(float) > 0)
        if (binding == rows).all():
            break
        rows = binding
    return rows


def _blocks(unknown: sparse.csr_array, rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The blocks of relations and cells that hang together: the cells, and the coefficients of the block."""
    places, cells = np.flatnonzero(rows), np.flatnonzero(columns)
    inside = sparse.coo_array(unknown[places][:, cells])
    nodes = len(places) + len(cells)
    edges = sparse.coo_array((np.ones(inside.nnz), (inside.row, inside.col + len(places))), shape=(nodes, nodes))
    _, number = csgraph.connected_components(edges, directed=False)
    for block in _grouped(number[inside.row]):
        own_rows, row = np.unique(inside.row[block], return_inverse=True)
        own_columns, column = np.unique(inside.col[block], return_inverse=True)
        matrix = np.zeros((len(own_rows), len(own_columns)), dtype=np.int64)
        matrix[row, column] = inside.data[block]
        yield cells[own_columns], matrix


def _grouped(number: np.ndarray) -> list[np.ndarray]:
    """The places of each number."""
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if len(order) else []


def _fixed(matrix: np.ndarray) -> np.ndarray:
    """The columns that the row space holds as unit vectors: those of rows with one entry in the reduced form."""
    if len(matrix) == 1:
        return np.flatnonzero(matrix[0]) if np.count_nonzero(matrix) == 1 else np.array([], dtype=np.int64)
    rows = np.unique(matrix % _PRIME, axis=0)
    place = 0
    for column in range(rows.shape[1]):
        below = np.flatnonzero(rows[place:, column]) + place
        if not len(below):
            continue
        rows[[place, below[0]]] = rows[[below[0], place]]
        rows[place] = rows[place] * pow(int(rows[place, column]), -1, _PRIME) % _PRIME
        others = np.flatnonzero(rows[:, column])
        others = others[others != place]
        rows[others] = (rows[others] - rows[others, column][:, None] * rows[place]) % _PRIME
        place += 1
        if place == len(rows):
            break
    single = (rows != 0).sum(axis=1) == 1
    return np.flatnonzero((rows[single] != 0).any(axis=0))


def protect(cells: Cells, *, secret: np.ndarray, hidden: np.ndarray, locked: np.ndarray, min_cell: int) -> Protected:
    """Which units are hidden so that none of the `secret` ones can be computed from what stays visible?

    `secret`, `hidden` and `locked` are flags per unit: too small; hidden in any case; published already, so that they cannot be hidden.
    Besides, what is hidden of one relation must hold `min_cell` people together, for their sum is told. Of the units that
    stand in most of the relations that tell a secret, the one with the fewest people is hidden: it costs a reader least. Greedy: a round
    looks at every secret that is still open, and hides nothing more where it has just done so.
    """
    hidden, locked = hidden | secret, locked & ~(hidden | secret)
    exposed = np.zeros(len(hidden), dtype=bool)
    by_cell = sparse.csc_array(cells.relations)
    of_unit = _relations_of_units(cells)
    while True:
        found = determined(cells.relations, cells.unknown(hidden))
        open_units = _open_units(cells, by_cell, found, secret & ~exposed, hidden, min_cell)
        if not open_units:
            return Protected(hidden=hidden, exposed=exposed)
        changed: set[int] = set()
        for unit, rows in open_units:
            if changed & set(rows.tolist()):
                continue
            more = _cheapest(cells, of_unit, rows, hidden, locked)
            if more is None:
                more = _cheapest(cells, of_unit, _connected(cells.relations, by_cell, rows, found), hidden, locked)
            if more is None:
                exposed[unit] = True
                continue
            hidden[more] = True
            changed |= set(_slice(of_unit, more).tolist())


def _relations_of_units(cells: Cells) -> sparse.csr_array:
    """Units by relations: which relations the cells of a unit stand in."""
    places = np.arange(len(cells.unit))
    units = sparse.csr_array((np.ones(len(places)), (cells.unit, places)), shape=(len(cells.people), len(places)))
    return sparse.csr_array(units @ abs(cells.relations).T)


def _slice(matrix: sparse.csr_array | sparse.csc_array, place: int) -> np.ndarray:
    return matrix.indices[matrix.indptr[place] : matrix.indptr[place + 1]]


def _open_units(
    cells: Cells, by_cell: sparse.csc_array, had: np.ndarray, secret: np.ndarray, hidden: np.ndarray, min_cell: int
) -> list[tuple[int, np.ndarray]]:
    """The secret units of which a cell is `had`, or that stand in too small a hidden group, each with the relations that tell it."""
    unknown = cells.unknown(hidden)
    found: dict[int, set[int]] = {}
    for cell in np.flatnonzero(had & secret[cells.unit]):
        found.setdefault(int(cells.unit[cell]), set()).update(_slice(by_cell, int(cell)).tolist())
    values = np.where(unknown, cells.values, 0.0)
    told, together = np.abs(cells.relations @ values), abs(cells.relations) @ values
    # The hidden cells all stand on one side: their sum is what anybody can compute.
    small = cells.counts & (told > 0) & (told < min_cell) & (together - told < 0.5)
    # Of other numbers it is the sum over those people; where nothing of a relation is told, neither is the sum.
    people = abs(cells.relations) @ np.where(unknown, cells.people[cells.unit], 0.0)
    hidden_cells, all_cells = abs(cells.relations) @ unknown.astype(float), abs(cells.relations) @ np.ones(len(unknown))
    one_side = np.abs(cells.relations @ unknown.astype(float)) == hidden_cells
    small |= (people > 0) & (people < min_cell) & one_side & (hidden_cells < all_cells)
    for row in np.flatnonzero(small):
        for unit in {int(cells.unit[cell]) for cell in _slice(cells.relations, int(row)) if unknown[cell]}:
            if secret[unit]:
                found.setdefault(unit, set()).add(int(row))
    return [(unit, np.array(sorted(rows), dtype=np.int64)) for unit, rows in sorted(found.items())]


def _cheapest(cells: Cells, of_unit: sparse.csr_array, rows: np.ndarray, hidden: np.ndarray, locked: np.ndarray) -> int | None:
    """The visible unit to hide next: in most of the relations, then where the fewest other relations hide nothing yet (it would be had back
    from those), then with the fewest people. One without people hides nobody, and is taken where there is no other.
    """
    units = [np.unique(cells.unit[_slice(cells.relations, row)]) for row in rows]
    found, times = np.unique(np.concatenate(units), return_counts=True)
    free = ~hidden[found] & ~locked[found]
    if not free.any():
        return None
    peopled = free & (cells.people[found] > 0)
    free = peopled if peopled.any() else free
    found, times = found[free], times[free]
    best = found[times == times.max()]
    covered = abs(cells.relations) @ cells.unknown(hidden).astype(float) > 0

    def rank(unit: int) -> tuple[int, float, int]:
        elsewhere = set(_slice(of_unit, unit).tolist()) - set(rows.tolist())
        return sum(not covered[row] for row in elsewhere), float(cells.people[unit]), unit

    return int(min(best.tolist(), key=rank))


def _connected(relations: sparse.csr_array, by_cell: sparse.csc_array, rows: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The relations reached from `rows` through cells that were `found`: what fixes those fixes the first one."""
    reached, frontier = set(rows.tolist()), list(rows.tolist())
    while frontier:
        for cell in _slice(relations, frontier.pop()):
            if found[cell]:
                fresh = set(_slice(by_cell, cell).tolist()) - reached
                reached |= fresh
                frontier += fresh
    return np.array(sorted(reached), dtype=np.int64)
