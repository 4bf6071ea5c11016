"""A rule as expressions: which row decides each case, and with what probability it chooses an action."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import ibis
import ibis.expr.types as ir


class Asked(Protocol):
    """A condition on a column (`rules.Requirement`)."""

    @property
    def low(self) -> float | None:
        """From, inclusive."""

    @property
    def high(self) -> float | None:
        """To, exclusive."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes that qualify."""

    @property
    def missing(self) -> bool:
        """Whether an unknown value qualifies."""


class Row(Protocol):
    """A row of a rule (`rules.RuleRow`)."""

    @property
    def tests(self) -> Mapping[str, Asked]:
        """Conditions by column, all of which must hold."""

    @property
    def chances(self) -> Mapping[str, float]:
        """Probability of each action."""


def row_number(table: ir.Table, rows: Sequence[Row], columns: Mapping[str, str]) -> ir.IntegerValue:
    """Number, from 1, of the first row that matches; the last row takes the rest. `columns`: name in the rule -> column of the table."""
    last = ibis.literal(len(rows), type="int64")
    branches = [(_all_hold(table, row, columns), ibis.literal(number, type="int64")) for number, row in enumerate(rows[:-1], 1)]
    return ibis.cases(*branches, else_=last) if branches else last


def _all_hold(table: ir.Table, row: Row, columns: Mapping[str, str]) -> ir.BooleanValue:
    held = ibis.literal(True)
    for name, test in row.tests.items():
        held = held & _holds(table[columns[name]], test)
    return held


def _holds(column: ir.Column, test: Asked) -> ir.BooleanValue:
    if test.low is None and test.high is None and not test.codes:
        return column.isnull()
    held = ibis.literal(True)
    if test.low is not None:
        held = held & (column >= test.low)
    if test.high is not None:
        held = held & (column < test.high)
    if test.codes:
        held = held & column.isin(list(test.codes))
    return held.fill_null(test.missing)


def chance(row: ir.IntegerValue, action: ir.StringValue, rows: Sequence[Row]) -> ir.FloatingValue:
    """Probability with which the rule chooses `action` in a row."""
    branches = [
        ((row == number) & (action == name), ibis.literal(float(share)))
        for number, item in enumerate(rows, 1)
        for name, share in item.chances.items()
        if share > 0
    ]
    return ibis.cases(*branches, else_=ibis.literal(0.0))
