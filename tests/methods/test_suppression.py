"""Hidden cells of additive tables: what can be subtracted, and what must be hidden so that nothing can."""

import itertools

import numpy as np
import pytest
from collect_analysis.methods.suppression import Cells, determined, protect
from hypothesis import given, strategies as st
from scipy import sparse


def table(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A table of counts with its margins: the values of all cells, and its relations (each row and column with its total, totals too)."""
    rows, columns = values.shape
    whole = np.zeros((rows + 1, columns + 1))
    whole[:rows, :columns] = values
    whole[:rows, columns], whole[rows, :columns], whole[rows, columns] = values.sum(axis=1), values.sum(axis=0), values.sum()
    number = np.arange(whole.size).reshape(whole.shape)
    lines = [*number, *number.T]
    relations = np.zeros((len(lines), whole.size), dtype=int)
    for place, line in enumerate(lines):
        relations[place, line[:-1]], relations[place, line[-1]] = 1, -1
    return whole.ravel(), relations


def cells_of(values: np.ndarray) -> Cells:
    people, relations = table(values)
    return Cells(
        relations=sparse.csr_array(relations),
        unit=np.arange(len(people)),
        people=people,
        counts=np.ones(len(relations), dtype=bool),
        values=people,
        known=np.zeros(len(people), bool),
    )


def by_least_squares(relations: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """The same question answered by another way: a cell is fixed if every vector of the numerical null space is 0 there."""
    inside = relations[:, hidden].astype(float)
    _, sizes, vectors = np.linalg.svd(inside)
    null = vectors[(sizes > 1e-9).sum() :]
    fixed = np.zeros(len(hidden), dtype=bool)
    fixed[np.flatnonzero(hidden)] = (np.abs(null) < 1e-9).all(axis=0)
    return fixed


def test_one_hidden_cell_of_a_total_is_its_difference_and_two_are_not() -> None:
    relations = sparse.csr_array(np.array([[1, 1, 1, -1]]))
    assert determined(relations, np.array([True, False, False, False])).tolist() == [True, False, False, False]
    assert not determined(relations, np.array([True, True, False, False])).any()


def test_three_hidden_cells_may_still_fix_one() -> None:
    """a + b and b + c are told, and a + c: each is fixed, though no relation holds a single hidden cell."""
    relations = sparse.csr_array(np.array([[1, 1, 0, -1, 0, 0], [0, 1, 1, 0, -1, 0], [1, 0, 1, 0, 0, -1]]))
    assert determined(relations, np.array([True] * 3 + [False] * 3)).tolist() == [True] * 3 + [False] * 3


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_elimination_agrees_with_the_numerical_null_space(rows: int, columns: int, data: st.DataObject) -> None:
    _, relations = table(np.ones((rows, columns)))
    hidden = np.array(data.draw(st.lists(st.booleans(), min_size=relations.shape[1], max_size=relations.shape[1])))
    assert determined(sparse.csr_array(relations), hidden).tolist() == by_least_squares(relations, hidden).tolist()


@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 10_000))
def test_no_small_cell_of_a_table_with_margins_can_be_computed(rows: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 40, (rows, columns))
    cells = cells_of(values)
    secret = (cells.people > 0) & (cells.people < 10)
    found = protect(cells, secret=secret, hidden=np.zeros_like(secret), locked=np.zeros_like(secret), min_cell=10)
    assert not (by_least_squares(cells.relations.toarray(), found.hidden) & secret & ~found.exposed).any()
    # Only where everybody is small together is there nothing left to hide.
    assert not found.exposed.any() or cells.people[(cells.people > 0) & ~found.hidden].size == 0
    for relation in cells.relations.toarray():
        inside = found.hidden & (relation != 0)
        together = abs((relation * cells.people)[inside].sum())
        one_side = len(set(relation[inside].tolist())) <= 1
        assert not (one_side and 0 < together < 10 and (secret & inside & ~found.exposed).any())


def test_the_smallest_visible_cell_is_hidden_with_a_small_one_and_no_total() -> None:
    cells = cells_of(np.array([[3, 50, 20, 400]]))
    secret = cells.people == 3
    # One row of parts is its own column totals, too.
    found = protect(cells, secret=secret, hidden=np.zeros_like(secret), locked=np.zeros_like(secret), min_cell=10)
    assert sorted(cells.people[found.hidden]) == [3, 3, 20, 20]


def test_two_small_cells_that_are_small_together_need_a_third() -> None:
    relations = sparse.csr_array(np.array([[1, 1, 1, 1, -1]]))
    people = np.array([3.0, 4.0, 15.0, 80.0, 102.0])
    cells = Cells(
        relations=relations, unit=np.arange(5), people=people, counts=np.array([True]), values=people, known=np.zeros(len(people), bool)
    )
    secret = people < 10
    found = protect(cells, secret=secret, hidden=np.zeros(5, bool), locked=np.zeros(5, bool), min_cell=10)
    assert found.hidden.tolist() == [True, True, True, False, False]


def test_money_of_two_small_rows_together_is_not_told_either() -> None:
    """Counts have no total here, money has: two rows of five and two accounts would tell what seven accounts paid."""
    money, people = np.array([500.0, 300.0, 9_000.0, 20_000.0, 29_800.0]), np.array([5.0, 2.0, 35.0, 430.0, 472.0])
    cells = Cells(
        relations=sparse.csr_array(np.array([[1, 1, 1, 1, -1]])), unit=np.arange(5), people=people, counts=np.array([False]),
        values=money, known=np.zeros(5, bool),
    )  # fmt: skip
    found = protect(cells, secret=people < 10, hidden=np.zeros(5, bool), locked=np.zeros(5, bool), min_cell=10)
    assert found.hidden.tolist() == [True, True, True, False, False]


def test_what_was_published_cannot_be_hidden_and_is_said_to_expose() -> None:
    relations = sparse.csr_array(np.array([[1, 1, -1]]))
    people = np.array([3.0, 80.0, 83.0])
    cells = Cells(
        relations=relations, unit=np.arange(3), people=people, counts=np.array([True]), values=people, known=np.zeros(len(people), bool)
    )
    secret, locked = people < 10, people > 10
    found = protect(cells, secret=secret, hidden=np.zeros(3, bool), locked=locked, min_cell=10)
    assert found.exposed.tolist() == [True, False, False]
    later = protect(cells, secret=secret, hidden=np.zeros(3, bool), locked=people == 83, min_cell=10)
    assert later.hidden.tolist() == [True, True, False]


def test_a_unit_hides_all_its_cells_at_once() -> None:
    """A row tells a count and money; both add up to totals. Hiding one more row protects both."""
    counts, money = np.array([3.0, 30, 60, 93]), np.array([500.0, 7_000, 9_000, 16_500])
    relations = np.zeros((2, 8), dtype=int)
    relations[0, :4], relations[1, 4:] = [1, 1, 1, -1], [1, 1, 1, -1]
    cells = Cells(
        relations=sparse.csr_array(relations),
        unit=np.tile(np.arange(4), 2),
        people=counts,
        counts=np.array([True, False]),
        values=np.concatenate([counts, money]),
        known=np.zeros(8, bool),
    )
    found = protect(cells, secret=counts < 10, hidden=np.zeros(4, bool), locked=np.zeros(4, bool), min_cell=10)
    assert found.hidden.tolist() == [True, True, False, False]


@pytest.mark.parametrize("size", [200])
def test_thousands_of_cells_are_a_matter_of_seconds(size: int) -> None:
    values = np.random.default_rng(3).integers(0, 200, (size, 12))
    cells = cells_of(values)
    secret = (cells.people > 0) & (cells.people < 10)
    found = protect(cells, secret=secret, hidden=np.zeros_like(secret), locked=np.zeros_like(secret), min_cell=10)
    assert not found.exposed.any()
    assert not (determined(cells.relations, found.hidden) & secret).any()
    assert found.hidden.sum() < 4 * secret.sum()


def test_relations_may_subtract() -> None:
    """A change is this period less the one before: of three numbers one is had from the other two."""
    relations = sparse.csr_array(np.array([[1, -1, -1]]))
    for shown in itertools.combinations(range(3), 2):
        hidden = np.array([place not in shown for place in range(3)])
        assert determined(relations, hidden).sum() == 1
