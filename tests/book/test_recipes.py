"""A recipe's name is derived from all that is made with: no two things have one name, and nothing that could change is given."""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pytest
from collect_analysis.book.kept import Kept
from collect_analysis.book.recipes import Recipe, told
from collect_analysis.book.store import book_from_frames, open_book
from collect_analysis.measures import cash, scopes
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.kpis import KPIS
from collect_analysis.measures.periods import KpiWindows, Period, month_end, month_start
from hypothesis import given, strategies as st

from tests.bench.kpi_period_scale import limits
from tests.small_book import book_of, frame_of

DAY = date(2026, 6, 30)
PAYMENTS = "account_key, amount_minor, value_date\na, 10, 2026-06-10\nb, 20, 2026-06-11"
plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.dates(), st.datetimes(), st.times()
)  # fmt: skip
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)


def typed(value: object) -> object:
    """A value that equals another only if it is the same to the letter: 1, 1.0, True and "1" are four."""
    return (type(value), tuple(map(typed, value))) if isinstance(value, tuple) else (type(value), repr(value))


@given(values, values)
def test_two_values_are_told_alike_only_if_they_are_the_same(one: object, other: object) -> None:
    assert (told(one) == told(other)) == (typed(one) == typed(other))


@given(st.lists(values, max_size=3).map(tuple), st.lists(values, max_size=3).map(tuple))
def test_two_recipes_have_one_name_only_if_they_are_given_the_same(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    assert (Recipe(month_end, one).key == Recipe(month_end, other).key) == (typed(one) == typed(other))


def test_another_function_is_another_name() -> None:
    assert Recipe(month_end, (DAY,)).key != Recipe(month_start, (DAY,)).key


def different(value: object) -> object:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, time):
        return time(3, 33)
    if isinstance(value, date):
        return date(1999, 1, 1)
    if isinstance(value, tuple):
        return (*value, "x")
    if isinstance(value, MappingProxyType):
        return MappingProxyType({**value, "X": "hard"})
    return "something" if value is None else None


@pytest.mark.parametrize(
    "record", [KpiWindows(), Period(date(2026, 6, 1), DAY), limits(), KPIS["R1"], KPIS["C8"]], ids=lambda item: type(item).__name__
)
def test_every_field_of_a_record_is_part_of_the_name(record: KpiWindows | Period | LegalLimits) -> None:
    for field in fields(record):
        changed = replace(record)
        object.__setattr__(changed, field.name, different(getattr(record, field.name)))
        assert Recipe(month_end, (changed,)).key != Recipe(month_end, (record,)).key, field.name


def test_the_name_holds_the_book_its_day_and_its_files(sample_book: Path) -> None:
    books = [open_book("sample", as_of=day, folder=sample_book) for day in (DAY, DAY, date(2026, 5, 31))]
    first, again, earlier = [Recipe(cash.kept_cash, (book,)).key for book in books]
    other = Recipe(cash.kept_cash, (book_of({"payment": PAYMENTS}, as_of=DAY),)).key
    assert first == again
    assert len({first, earlier, other}) == 3


def test_a_book_keeps_the_day_it_was_opened_for() -> None:
    book = book_of({"payment": PAYMENTS}, as_of=DAY)
    with pytest.raises(AttributeError):
        book.as_of = date(2026, 5, 31)  # type: ignore[misc]


@dataclass
class Loose:
    number: int = 1


@pytest.mark.parametrize(
    "value", [[1], {"a": 1}, {1}, Loose(), pd.DataFrame({"a": [1]}), object(), lambda: 1], ids=lambda value: type(value).__name__
)
def test_what_could_change_behind_its_name_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="may change after it was named"):
        Recipe(month_end, (value,))


def test_only_a_named_function_of_the_library_makes_anything() -> None:
    def inner(day: date) -> date:
        return day

    for make in (lambda day: day, inner, different, datetime.now, book_of({"payment": PAYMENTS}, as_of=DAY).table):
        with pytest.raises(TypeError, match="no named function of the library"):
            Recipe(make, (DAY,))


def test_a_relation_is_made_once_and_given_back() -> None:
    book = book_of({"payment": PAYMENTS, "unit": "unit_key\nu"}, as_of=DAY)
    kept = Kept(book)
    recipe = Recipe(cash.kept_cash, (book,))
    one = kept.made(recipe)
    assert kept.made(Recipe(cash.kept_cash, (book,))) is one
    assert kept.made(Recipe(scopes.units_on, (book, DAY))) is not one
    assert sorted(book.frame(one)["amount_minor"]) == [10, 20]
    kept.close()
    assert kept.made(recipe) is not one
    assert sorted(book.frame(kept.made(recipe))["amount_minor"]) == [10, 20]


def test_relations_of_two_books_do_not_share_a_place() -> None:
    one, other = (book_of({"payment": PAYMENTS}, as_of=DAY) for _ in range(2))
    with pytest.raises(ValueError, match="another book"):
        Kept(one).made(Recipe(cash.kept_cash, (other,)))


def test_a_book_of_frames_is_named_by_what_they_hold() -> None:
    def key(reference: str | None) -> str:
        rows = frame_of("payment", PAYMENTS)
        return book_from_frames({"payment": rows.assign(reference=[reference, "x"])}, as_of=DAY).key

    assert key("x") == key("x")
    # An empty cell is not an empty text.
    assert len({key("x"), key("y"), key(""), key(None)}) == 4
