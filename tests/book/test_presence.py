"""What a book lacks is told as it is known on its day: tables, columns, months of what is delivered every month."""

from datetime import date

import pandas as pd
import pytest
from collect_analysis.book.presence import absent, in_words, require
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError

NEEDS = ("payment", "payment.channel")
MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)


def book(*, as_of: date = MAY) -> Book:
    payment = {
        "payment_key": ["p1", "p2"],
        "account_key": ["a1", "a2"],
        "amount_minor": [100, 200],
        "currency": ["VND", "VND"],
        "value_date": [date(2026, 3, 5), date(2026, 5, 2)],
        "channel": [None, "counter"],
        "eligible": [True, True],
    }
    return book_from_frames({"payment": pd.DataFrame(payment)}, as_of=as_of)


def test_a_table_of_which_nothing_is_known_yet_is_not_held() -> None:
    assert book().has("payment")
    assert not book(as_of=date(2026, 3, 4)).has("payment")
    assert absent(book(as_of=date(2026, 3, 4)), ["payment"]) == "the book has no rows in payment"


def test_a_column_is_held_where_a_row_known_on_the_day_fills_it() -> None:
    assert absent(book(), NEEDS) == ""
    assert absent(book(as_of=APRIL), NEEDS) == "the book has no values in payment.channel"


def test_months_are_those_with_rows_known_on_the_day() -> None:
    assert book().months("payment") == {date(2026, 3, 1), date(2026, 5, 1)}
    assert book(as_of=APRIL).months("payment") == {date(2026, 3, 1)}


def test_a_month_that_was_not_delivered_is_named() -> None:
    assert absent(book(), ["payment"], [MARCH, MAY]) == ""
    assert absent(book(), ["payment"], [MARCH, APRIL, MAY]) == "the book has no rows in payment (2026-04)"


def test_a_month_without_complaints_is_no_gap() -> None:
    ticket = {
        "ticket_key": ["t"], "type": ["complaint"], "owner_side": ["amc"],
        "opened_ts": [pd.Timestamp("2026-03-05")], "due_ts": [pd.Timestamp("2026-03-09")],
    }  # fmt: skip
    held = book_from_frames({"ticket": pd.DataFrame(ticket)}, as_of=MAY)
    assert absent(held, ["ticket"], [MARCH, APRIL, MAY]) == ""


def test_months_in_a_row_are_written_as_one() -> None:
    months = [date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1), date(2025, 6, 1)]
    assert in_words(months) == "2025-06, 2025-12–2026-02"
    assert in_words([]) == ""


def test_a_refusal_names_book_table_month_and_remedy() -> None:
    with pytest.raises(DataError) as refused:
        require(book(), ["payment"], [MARCH, APRIL], asks="the pace")
    said = "book 'frames' has no rows in payment (2026-04) as of 2026-05-31; the pace needs them: import them, or ask about months that are there"
    assert str(refused.value) == said
    require(book(), ["payment"], [MARCH], asks="the pace")
