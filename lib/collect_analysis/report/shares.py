"""Shares that cannot be: outside 0 to 1, outside their own limits, counted above what they are counted of, or not adding up to their whole.

Every recorded number is looked at, whatever made it. A number is a share where its unit says so, where it is its numerator over its
denominator, or where its column is called one. What may lie elsewhere says so: a KPI in its record (`Kpi.above_one`), a difference or a ratio
of unlike sums in `BEYOND`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from collect_analysis.measures.kpis import KPIS

SHARE = "share"
# Sums of floating numbers differ in their last digits.
TOLERANCE = 1e-9
_DIFFERENCE, _OTHER_SUM = "a difference of shares", "money over a balance that grows by interest and fees"
# Recorded numbers that may lie outside 0 to 1, by measure or table (and column, where not the value), and why.
BEYOND = {
    "adjusted_effect": _DIFFERENCE,
    "choices": _DIFFERENCE,
    "contrasts": _DIFFERENCE,
    "detectable": "an effect over its base",
    "dose": "an effect over its base",
    "effect": _DIFFERENCE,
    "effects": _DIFFERENCE,
    "forecast_test": "an error over what came in",
    "lever": _DIFFERENCE,
    "levers": _DIFFERENCE,
    "looks": _DIFFERENCE,
    "reliability": "an estimate of a share of variance, which may fall below 0",
    "rule_gain": _DIFFERENCE,
    "segment_effect": _DIFFERENCE,
    "segment_effects": _DIFFERENCE,
    "batch_projections": _OTHER_SUM,
    "batch_triangle": _OTHER_SUM,
    "curves_by_number": _OTHER_SUM,
    "liquidation": _OTHER_SUM,
    "liquidation_curves": _OTHER_SUM,
    "net_back": _OTHER_SUM,
    "projected_liquidation": _OTHER_SUM,
    "totals": _OTHER_SUM,
    "unit_rates": _OTHER_SUM,
    "inventory_continuity.gap_share": "a gap, which may lie on both sides",
    "tests.weeks_share": "a number of weeks",
}
# Recorded shares of one whole, by table: the column, and the columns by which there are several wholes.
WHOLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "attributed_cash": ("value", ()),
    "debt_groups": ("value", ("from_group",)),
    "matrix": ("value", ("version", "from_bucket")),
    "roll_matrix": ("value", ("version", "from_bucket")),
    "shares": ("share_next", ()),
    "transitions": ("value", ("product_code", "vintage", "from_bucket")),
}
_NUMBERS = ("value", "low", "high", "numerator", "denominator", "previous")
_MOST_LABELS = 3


@dataclass(frozen=True)
class Broken:
    """A recorded share that cannot be: the table or measure, the labels of its row, the column, and what is wrong with which numbers.

    `fault`: outside (0 to 1), limits (not from low to high), part (numerator above denominator or below 0), whole (does not add up to 1).
    """

    where: str
    labels: str
    column: str
    fault: str
    numbers: tuple[float, ...]


@dataclass
class Shares:
    """The shares recorded so far: how many were looked at, and which of them cannot be."""

    seen: int = 0
    broken: list[Broken] = field(default_factory=list)

    def look(self, where: str, table: pd.DataFrame, *, unit: str = "", kpi: str = "", before: pd.DataFrame | None = None) -> None:
        """Look at every share of a recorded table or measure `where`. `unit` and `kpi` are of all rows, unless columns say otherwise.

        `before`: the table before small rows were hidden. A whole of which a row was taken out cannot be added up.
        """
        for column in _share_columns(where, table):
            self._judge_column(where, table, column)
        if "value" in table:
            self._judge_values(where, table, _is_share(table, unit, kpi), _is_bounded(where, table, kpi))
        column, by = WHOLES.get(where, ("", ()))
        if column in table and set(by) <= set(table.columns):
            self._judge_whole(where, table, column, list(by), table if before is None else before)

    def _judge_column(self, where: str, table: pd.DataFrame, column: str) -> None:
        numbers = pd.to_numeric(table[column], errors="coerce")
        self.seen += int(numbers.notna().sum())
        self._add(where, table, column, "outside", _outside(numbers), [column])

    def _judge_values(self, where: str, table: pd.DataFrame, is_share: pd.Series, bounded: pd.Series) -> None:
        number = {
            name: pd.to_numeric(table[name], errors="coerce") if name in table else pd.Series(float("nan"), table.index)
            for name in _NUMBERS
        }
        value = number["value"]
        told = is_share & value.notna()
        self.seen += int(told.sum())
        between = (number["low"] > value + TOLERANCE) | (number["high"] < value - TOLERANCE)
        limits = _outside(number["low"]) | _outside(number["high"])
        above = (number["numerator"] > number["denominator"] * (1 + TOLERANCE)) | (number["numerator"] < -TOLERANCE)
        self._add(where, table, "value", "outside", told & bounded & _outside(value), ["value"])
        self._add(where, table, "previous", "outside", is_share & bounded & _outside(number["previous"]), ["previous"])
        self._add(where, table, "value", "limits", told & (between | (bounded & limits)), ["value", "low", "high"])
        self._add(where, table, "value", "part", told & bounded & above & ~_outside(value), ["numerator", "denominator"])

    def _judge_whole(self, where: str, table: pd.DataFrame, column: str, by: list[str], before: pd.DataFrame) -> None:
        rows_of = _wholes(before, by)
        for label, rows in _wholes(table, by).items():
            numbers = pd.to_numeric(table.loc[rows, column], errors="coerce")
            whole = len(numbers) == len(rows_of.get(label, rows)) and numbers.notna().all()
            if len(numbers) and whole and abs(float(numbers.sum()) - 1) > TOLERANCE * max(len(numbers), 10):
                self.broken.append(Broken(where, label, column, "whole", (float(numbers.sum()),)))

    def _add(self, where: str, table: pd.DataFrame, column: str, fault: str, wrong: pd.Series, shown: list[str]) -> None:
        for place in table.index[wrong.fillna(False).to_numpy(dtype=bool)]:
            row = table.loc[place]
            numbers = tuple(float(row[name]) for name in shown if name in table and pd.notna(row[name]))
            self.broken.append(Broken(where, _labels(row), column, fault, numbers))


def _wholes(table: pd.DataFrame, by: list[str]) -> dict[str, pd.Index]:
    """The rows of each whole, by its labels; all of them of one whole where nothing tells wholes apart."""
    if not by:
        return {"": table.index}
    return {" ".join(map(str, _tuple(key))): part.index for key, part in table.groupby(by, sort=False)}


def _share_columns(where: str, table: pd.DataFrame) -> Iterator[str]:
    for column in map(str, table.columns):
        named = column == SHARE or column.endswith(("_share", "_share_low", "_share_high"))
        if named and f"{where}.{column}" not in BEYOND and pd.api.types.is_numeric_dtype(table[column]):
            yield column


def _is_share(table: pd.DataFrame, unit: str, kpi: str) -> pd.Series:
    """Which rows hold a share: by their unit, else by their KPI, else where the value is the numerator over the denominator."""
    if "unit" in table:
        return table["unit"].eq(SHARE)
    if unit:
        return pd.Series(unit == SHARE, index=table.index)
    if "kpi" in table or kpi:
        ids = table["kpi"] if "kpi" in table else pd.Series(kpi, index=table.index)
        return ids.map(lambda name: name in KPIS and KPIS[name].unit == SHARE).astype(bool)
    if not {"numerator", "denominator"} <= set(table.columns):
        return pd.Series(False, index=table.index)
    value, over = (pd.to_numeric(table[name], errors="coerce") for name in ("value", "denominator"))
    quotient = pd.to_numeric(table["numerator"], errors="coerce") / over.where(over != 0)
    return ((value - quotient).abs() <= TOLERANCE * (1 + value.abs())).fillna(False)


def _is_bounded(where: str, table: pd.DataFrame, kpi: str) -> pd.Series:
    """Which rows may not leave 0 to 1: what is declared of the recorded name, else what the record of the KPI says."""
    if where in BEYOND:
        return pd.Series(False, index=table.index)
    ids = table["kpi"] if "kpi" in table else pd.Series(kpi, index=table.index)
    return ids.map(lambda name: name not in KPIS or KPIS[name].bounded).astype(bool)


def _outside(numbers: pd.Series) -> pd.Series:
    return (numbers < -TOLERANCE) | (numbers > 1 + TOLERANCE)


def _labels(row: pd.Series) -> str:
    """The words of a row that say which one it is."""
    words = [str(cell) for name, cell in row.items() if isinstance(cell, str) and cell and name not in ("note", "unit", "definition")]
    return " ".join(words[:_MOST_LABELS])


def _tuple(key: object) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else (key,)
