"""What of a question a book cannot answer: which tables, columns and months it has nothing in, in words. The one place that says so."""

from collections.abc import Iterable
from datetime import date
from typing import Literal

from collect_analysis.book.store import Book
from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DataError
from collect_analysis.methods.evidence import Condition

NO_ROWS = "the book has no rows in "
NO_VALUES = "the book has no values in "


def absent(book: Book, needs: Iterable[str], months: Iterable[date] = ()) -> str:
    """What does the book lack of these tables, or columns written `table.column`? A sentence; empty where it lacks nothing.

    `months`: days of the months for which each table that is delivered every month (`Table.every_month`) must have rows.
    """
    wanted, asked = list(needs), {day.replace(day=1) for day in months}
    lacking = [_lacking(book, name, asked) for name in wanted if "." not in name]
    if any(lacking):
        return f"{NO_ROWS}{', '.join(filter(None, lacking))}"
    columns = [name for name in wanted if "." in name and not book.holds(name)]
    return f"{NO_VALUES}{', '.join(columns)}" if columns else ""


def _lacking(book: Book, name: str, asked: set[date]) -> str:
    """The name of a table without rows; with the months where it is some of them that it has none of; empty where it has all."""
    if not book.has(name):
        return name
    gaps = asked - book.months(name) if asked and TABLES[name].every_month else ()
    return f"{name} ({in_words(gaps)})" if gaps else ""


def require(book: Book, needs: Iterable[str], months: Iterable[date] = (), *, asks: str) -> None:
    """Refuse a question that the book cannot answer; `asks` names it.

    Raises
    ------
    DataError
        What is absent, of which months, and what to do.
    """
    why = absent(book, needs, months)
    if why:
        lacks = why.replace("the book", f"book '{book.manifest.name}'", 1)
        remedy = "import them, or ask about months that are there" if why.endswith(")") else "import them"
        raise DataError(f"{lacks} as of {book.as_of}; {asks} needs them: {remedy}")


def delivered(*reasons: str, consequence: Literal["refuse", "downgrade", "note"] = "refuse") -> Condition:
    """The condition that nothing a page rests on is absent; unmet it also stands beside the decision. `reasons`: sentences of `absent`."""
    found = [reason for reason in reasons if reason]
    return Condition(name="delivered", met=not found, consequence=consequence, details={"what": found} if found else {}, caveat=True)


def in_words(months: Iterable[date]) -> str:
    """Months as `2024-07, 2025-01–2025-03`; empty for none."""
    runs: list[list[date]] = []
    for month in sorted(months):
        if runs and _number(month) == _number(runs[-1][-1]) + 1:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(f"{run[0]:%Y-%m}–{run[-1]:%Y-%m}" if len(run) > 1 else f"{run[0]:%Y-%m}" for run in runs)


def _number(month: date) -> int:
    return month.year * 12 + month.month
