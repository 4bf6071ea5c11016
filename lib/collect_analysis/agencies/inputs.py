"""What a comparison of agencies cannot do without, and what it says of itself where something else is absent."""

from collect_analysis.agencies.gates import ConductWindow
from collect_analysis.book.presence import absent, delivered, require
from collect_analysis.book.store import Book
from collect_analysis.measures.periods import months_from
from collect_analysis.measures.placements import Panel
from collect_analysis.methods.evidence import Condition


def require_inputs(book: Book, panel: Panel) -> None:
    """Refuse a book of placements that has no register of units, or no payment at all: a page of noughts would say that none brings anything.

    Raises
    ------
    DataError
        What is absent.
    """
    if not book.has("decision"):
        return
    require(book, ("unit",), asks="which agency may hold accounts")
    months = months_from(panel.start, panel.end)
    if not book.months("payment") & set(months):
        require(book, ("payment",), months, asks="what agencies bring of what was placed")


def delivered_all(book: Book, panel: Panel, window: ConductWindow) -> Condition:
    """Are the payments of all months there, and what conduct and commission are judged by?"""
    cash = absent(book, ("payment",), months_from(panel.start, panel.end))
    beside = absent(book, ("contact", "ticket", "qa", "tariff"), months_from(window.start, window.end))
    return delivered(cash, beside, consequence="downgrade" if cash else "note")
