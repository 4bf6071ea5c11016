"""What may leave: person-level columns never, small cells not, in one place."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DisclosureError
from collect_analysis.report import row_labels

PERSONAL = frozenset(column for table in TABLES.values() for column in table.personal_columns)
# An officer is a person too, but some reports are made for those who lead officers.
OFFICER = "officer_key"
SUPPRESSED = "suppressed: fewer than {min_cell} cases"
WITHHELD = "suppressed: with it a small cell could be computed"
UNKNOWN = "suppressed: nobody counted how many people are behind it"
# Columns that count people: a table that holds one cannot say that it rests on nobody.
COUNTS = frozenset({"accounts", "cases", "clusters", "customers", "debtors", "payers"})
# What stands beside a row from the period before, hidden where that period rests on too few.
_BEFORE = ("previous", "previous_cases", "change", "change_low", "change_high", "change_standing")
# What must not be computed from means of a small group.
_VALUES = ("value", "low", "high", "numerator")


@dataclass(frozen=True)
class NoPeople:
    """Says of a recorded table that no row of it rests on people, and why: terms of a contract, a model's settings, results of checks."""

    reason: str


# Which column (or columns) count the people behind a row; or how many people every row of the table rests on.
People = str | Sequence[str] | int | NoPeople


def refuse_personal(frame: pd.DataFrame, *, name: str, audience: str) -> None:
    """Refuse a table that shows persons to an audience that may not see them.

    Raises
    ------
    DisclosureError
        A column is personal data; `officer_key`, and rows whose `scope_type` is officer, are allowed to the audience `team_leads` only.
    """
    allowed = {OFFICER} if audience == "team_leads" else set()
    found = sorted(str(column) for column in (set(frame.columns) | set(frame.index.names)) & (PERSONAL - allowed))
    if OFFICER not in allowed and "scope_type" in frame.columns and (frame["scope_type"] == "officer").any():
        found.append("scope_key (of officers)")
    if found:
        raise DisclosureError(
            f"table '{name}' has column(s) {', '.join(found)}; reports hold aggregates "
            "(group before recording; officer tables need `audience: team_leads` in the report file)"
        )


def counted_by(table: pd.DataFrame, people: People, *, name: str) -> tuple[str, ...]:
    """The columns of a table that count the people behind a row; none where it rests on nobody.

    Raises
    ------
    DisclosureError
        The table lacks such a column, or holds a count of people although it is said to rest on nobody.
    """
    if isinstance(people, int):
        return ()
    if isinstance(people, NoPeople):
        counting = sorted(COUNTS & set(table.columns))
        if counting or not people.reason.strip():
            what = f"has column(s) {', '.join(counting)}" if counting else "gives no reason"
            raise DisclosureError(
                f"table '{name}' is recorded as resting on no people but {what}; name the column that counts them (people=...)"
            )
        return ()
    columns = (people,) if isinstance(people, str) else tuple(people)
    absent = [column for column in columns if column not in table.columns]
    if absent and _told(table).any():
        raise DisclosureError(
            f"table '{name}' has no column {', '.join(absent)}, which should count the people behind each row; add it, or name another (people=...)"
        )
    return () if absent else columns


def small_rows(table: pd.DataFrame, columns: Sequence[str], *, min_cell: int) -> pd.Series:
    """Which rows rest on one person or more, but on fewer than `min_cell`, by any of the counting columns."""
    small = pd.Series(False, index=table.index)
    for column in columns:
        count = table[column].astype(float)
        small |= (count > 0) & (count < min_cell)
    return small


def uncounted_rows(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Which rows tell numbers although a counting column is empty."""
    if not columns:
        return pd.Series(False, index=table.index)
    return table[list(columns)].isna().any(axis=1) & _told(table.drop(columns=list(columns)))


def _told(table: pd.DataFrame) -> pd.Series:
    """Which rows tell a number that is no label."""
    labels = row_labels.labels_of(table)
    numbers = [name for name in table.columns if name not in labels and pd.api.types.is_numeric_dtype(table[name])]
    return table[numbers].notna().any(axis=1)


def hide(table: pd.DataFrame, rows: pd.Series, *, note: str) -> pd.DataFrame:
    """The table with everything but labels blanked in `rows`, and `note` saying why; the rows stay, so that nobody takes them for zero."""
    if not rows.any():
        return table
    shown, labels = table.copy(), row_labels.labels_of(table)
    for column in shown.columns:
        if column not in labels and column != "note":
            shown[column] = _blanked(shown[column], rows)
    before = shown["note"].fillna("") if "note" in shown.columns else pd.Series("", index=shown.index)
    shown["note"] = before.mask(rows, note)
    return shown


def hide_before(table: pd.DataFrame, rows: pd.Series) -> pd.DataFrame:
    """The table with the period before, and the change since, blanked in `rows`."""
    present = [column for column in _BEFORE if column in table.columns]
    return table.assign(**{column: _blanked(table[column], rows) for column in present}) if rows.any() else table


def _blanked(column: pd.Series, rows: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(column):
        return column.astype(object).mask(rows, None)
    return column.astype(float).mask(rows) if pd.api.types.is_numeric_dtype(column) else column.mask(rows, None)


@dataclass(frozen=True, kw_only=True)
class Small:
    """Which rows of a table must not be told: those of too few people, those nobody counted, and where only the period before has too few.

    `counts` names the columns that count the people behind a row.
    """

    counts: tuple[str, ...]
    rows: pd.Series
    uncounted: pd.Series
    before: pd.Series

    @property
    def whole(self) -> pd.Series:
        """Flags of the rows that are hidden whole."""
        return self.rows | self.uncounted


def small_in(table: pd.DataFrame, people: People, *, min_cell: int, name: str) -> Small:
    """Which rows of a table must not be told?

    A row is small where any of its counting columns (`people`) is above 0 and under `min_cell`, or the number of people that the whole table
    rests on is; a row that tells numbers while its count is empty is not told either. Where the period before rests on too few
    (`previous_cases`), it and the change are not told.

    Raises
    ------
    DisclosureError
        See `counted_by`.
    """
    counts = counted_by(table, people, name=name)
    rows = small_rows(table, counts, min_cell=min_cell)
    if isinstance(people, int) and 0 < people < min_cell:
        rows = pd.Series(True, index=table.index)
    before = small_rows(table, ["previous_cases"] if "previous_cases" in table.columns else [], min_cell=min_cell)
    return Small(counts=counts, rows=rows, uncounted=uncounted_rows(table, counts), before=before)


def told(table: pd.DataFrame, small: Small, withheld: pd.Series, withheld_before: pd.Series, *, min_cell: int) -> pd.DataFrame:
    """What may be shown of a table: rows that are small or withheld keep nothing but their labels, small ones only those that are public."""
    shown = hide_before(table, small.before | withheld_before)
    shown = hide(shown, withheld, note=WITHHELD)
    shown = hide(hide(shown, small.uncounted, note=UNKNOWN), small.rows, note=SUPPRESSED.format(min_cell=min_cell))
    return row_labels.neutral(shown, small.whole)


def suppress_small_cells(table: pd.DataFrame, *, min_cell: int, cases: str = "cases") -> pd.DataFrame:
    """Means of groups without the values of those under `min_cell` cases, so that nothing is computed from them; `note` says so."""
    small = small_rows(table, [cases], min_cell=min_cell)
    if not small.any():
        return table
    hidden = table.assign(**{column: _blanked(table[column], small) for column in _VALUES if column in table.columns})
    note = hidden["note"].fillna("") if "note" in hidden.columns else pd.Series("", index=hidden.index)
    return hidden.assign(note=note.mask(small, SUPPRESSED.format(min_cell=min_cell)))
