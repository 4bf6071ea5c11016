"""The canonical tables of the debt book, by what they record."""

from collect_analysis.book.schema import Table
from collect_analysis.book.tables import coarse, debts, rules, service, work

TABLES: dict[str, Table] = {table.name: table for module in (debts, work, service, rules, coarse) for table in module.TABLES}
