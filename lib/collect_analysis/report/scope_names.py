"""What a reader calls the scopes and codes of a book: units, portfolios, sub-functions, products."""

from collections.abc import Callable

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.scopes import COMPANY, UNASSIGNED, distinct_names
from collect_analysis.report import texts
from collect_analysis.report.texts import say


def scope_names(book: Book, lang: str) -> Callable[[str, str], str]:
    """A function from scope type and key to what a reader calls it: the unit's name, the portfolio's and the sub-function's label."""
    units = book.table("unit")
    latest = _by_key(book.frame(units.group_by(key="unit_key").agg(label=units.name.argmax(units.valid_from))))
    codes = book.table("code")
    label = codes.label_en if lang == "en" else codes.label_vi.coalesce(codes.label_en)
    listed = _by_key(book.frame(codes.filter(codes.list.isin(["portfolio", "portfolio_code"])).select(key="code", label=label)))

    def name(scope_type: str, key: str) -> str:
        if key == UNASSIGNED:
            return say("kpi_unassigned", lang)
        if scope_type == "unit":
            return str(latest.get(key, key))
        if scope_type == "portfolio":
            return str(listed.get(key, key))
        return say("kpi_whole_company", lang) if key == COMPANY else texts.value(scope_type, key, lang)

    return name


def _by_key(named: pd.DataFrame) -> dict[str, str]:
    """What each key of a table (key, label) is called, no two alike."""
    known = named.dropna(subset=["label"])
    return distinct_names(dict(zip(known["key"].astype(str), known["label"].astype(str), strict=True)))


def code_labels(book: Book, column: str, lang: str) -> dict[str, str]:
    """What the book's code list calls the codes of a column (list `product_code` or `product`), by code."""
    codes = book.table("code")
    named = codes.filter(codes.list.isin([column, column.removesuffix("_code")]))
    label = named.label_en if lang == "en" else named.label_vi.coalesce(named.label_en)
    found = book.frame(named.select("code", label=label))
    return dict(zip(found["code"], found["label"], strict=True))
