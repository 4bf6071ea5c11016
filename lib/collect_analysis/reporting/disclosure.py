"""What may leave: person-level columns never, small cells not, in one place."""

import pandas as pd

from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DisclosureError

PERSONAL = frozenset(column for table in TABLES.values() for column in table.personal_columns)
# An officer is a person too, but some reports are made for those who lead officers.
OFFICER = "officer_key"
SUPPRESSED = "suppressed: fewer than {min_cell} cases"
# What a small row tells, also by subtraction: with a value hidden, its distance from a known target must be hidden too.
_HIDDEN = ("value", "low", "high", "numerator", "change", "change_low", "change_high", "target_gap")
_HIDDEN_BEFORE = ("previous", "change", "change_low", "change_high")


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


def suppress_small_cells(table: pd.DataFrame, *, min_cell: int, cases: str = "cases") -> pd.DataFrame:
    """Blank what rests on fewer than `min_cell` cases and say so in `note`.

    Looks at the column `cases` (accounts or events behind the row); a table without it but with a `denominator` uses that. Blanks `value`,
    `low`, `high`, `numerator`, the change and the distance from a target where present; the row stays, so that nobody takes it for zero.
    Where the period before rests on too few (`previous_cases`), `previous` and the change are blanked. A table without such columns is
    returned as it is.
    """
    table = _without_small_previous(table, min_cell)
    basis = cases if cases in table.columns else "denominator"
    if basis not in table.columns:
        return table
    small = table[basis].notna() & (table[basis] > 0) & (table[basis] < min_cell)
    if not small.any():
        return table
    shown = table.copy()
    for column in _HIDDEN:
        if column in shown.columns:
            shown[column] = shown[column].astype(float).mask(small)
    note = shown["note"] if "note" in shown.columns else pd.Series("", index=shown.index)
    shown["note"] = note.fillna("").mask(small, SUPPRESSED.format(min_cell=min_cell))
    return shown


def _without_small_previous(table: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    if "previous_cases" not in table.columns:
        return table
    small = table["previous_cases"].notna() & (table["previous_cases"] > 0) & (table["previous_cases"] < min_cell)
    present = [column for column in _HIDDEN_BEFORE if column in table.columns]
    return table.assign(**{column: table[column].astype(float).mask(small) for column in present}) if small.any() else table
