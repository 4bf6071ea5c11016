"""Who is on the page and under which name: agencies without placements, renamed ones, names the register does not know; and money left out."""

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.cash import cash
from collect_analysis.measures.placements import Panel, of_panel
from collect_analysis.measures.scopes import within

NO_PLACEMENTS, RENAMED, UNKNOWN = "no_placements", "renamed", "unknown_unit"
NOTED_COLUMNS = ("unit_key", "unit_name", "finding", "where_seen", "rows")
# Tables that name a unit, and the day by which their rows belong to a period.
_NAMING = {"decision": "from_date", "month_end": "month_end", "contact": "local_ts", "ticket": "opened_ts", "qa": "assessed_on"}
_MONEY = ("payment", "unit_period")


def refuse_mixed_currencies(book: Book) -> pd.DataFrame:
    """In which currency is the money? Amounts of two currencies are never added up.

    Columns: table (payment, unit_period), currency, rows; sorted.

    Raises
    ------
    DataError
        Payments or unit totals are in another currency than the book; every currency is named with its rows.
    """
    problems, parts = [], []
    for name in _MONEY:
        table = book.table(name)
        counts = book.frame(table.group_by("currency").agg(rows=table.count())).dropna(subset=["currency"]).sort_values("currency")
        parts.append(counts.assign(table=name)[["table", "currency", "rows"]])
        other = counts[counts["currency"] != book.currency]
        if len(other):
            found = ", ".join(f"{row['currency']} ({row['rows']:,} rows)" for row in counts.to_dict("records"))
            problems.append(
                f"table {name} mixes currencies: {found}; the book is in {book.currency}. Amounts of two currencies are not added up: load each "
                "currency into a book of its own"
            )
    if problems:
        raise DataError(problems)
    return pd.concat(parts, ignore_index=True)


def noted_units(book: Book, panel: Panel) -> pd.DataFrame:
    """Whom must a reader know of before comparing: units that are missing, renamed, or in no register?

    Columns: unit_key, unit_name (all its names in order of time where it had several), finding (no_placements: an agency of the register
    that was given nothing in the period; renamed: one key, several names, joined by the key; unknown_unit: named in a table, not in table
    `unit`), where_seen (the table), rows (there, in the period). Sorted by finding, unit and table; empty where nothing is to be said.
    """
    unit = book.table("unit")
    register = book.frame(unit.select("unit_key", "name", "unit_type", "valid_from")).sort_values(["unit_key", "valid_from"])
    names = register.drop_duplicates(["unit_key", "name"]).groupby("unit_key")["name"].agg(list)
    base = of_panel(book, panel)
    placed = set(book.frame(base.select("unit_key").distinct())["unit_key"])
    wanted = set(panel.units) if panel.units else set(register.loc[register["unit_type"] == "agency", "unit_key"])
    rows = [
        {"unit_key": key, "unit_name": names.get(key, [key])[-1], "finding": NO_PLACEMENTS, "where_seen": "decision", "rows": 0}
        for key in sorted(wanted - placed)
        if len(placed)
    ]
    rows += [
        {"unit_key": key, "unit_name": " → ".join(found), "finding": RENAMED, "where_seen": "unit", "rows": len(found)}
        for key, found in names.items()
        if len(found) > 1 and key in wanted | placed
    ]
    if len(register):
        rows += _unknown(book, panel, set(register["unit_key"]))
    return pd.DataFrame(rows, columns=list(NOTED_COLUMNS)).sort_values(["finding", "unit_key", "where_seen"], ignore_index=True)


def _unknown(book: Book, panel: Panel, known: set[str]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, day in _NAMING.items():
        if not book.has(name):
            continue
        table = book.table(name)
        inside = table.filter(table.unit_key.notnull(), within(table[day].cast("date"), panel.start, panel.end))
        counts = book.frame(inside.group_by("unit_key").agg(rows=inside.count()))
        lost = counts[~counts["unit_key"].isin(known)].sort_values("unit_key")
        rows += [
            {"unit_key": row["unit_key"], "unit_name": row["unit_key"], "finding": UNKNOWN, "where_seen": name, "rows": int(row["rows"])}
            for row in lost.to_dict("records")
        ]
    return rows


def payments_before(book: Book, panel: Panel) -> dict[str, int]:
    """How much money came in the month of a placement before its first day? It counts for no agency: payments, amount_minor."""
    base = of_panel(book, panel).select("account_key", "from_date", "batch_month")
    money = cash(book).select("account_key", "value_date", "amount_minor")
    joined = base.inner_join(money, "account_key")
    early = joined.filter(joined.value_date >= joined.batch_month, joined.value_date < joined.from_date)
    found = book.frame(early.agg(payments=early.count(), amount_minor=early.amount_minor.sum().fill_null(0).cast("int64"))).iloc[0]
    return {"payments": int(found["payments"]), "amount_minor": int(found["amount_minor"])}
