"""Regulatory debt groups: how debtors move between them (F9), and the provision that releases or adds (F10)."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.flow import EXITS, MISSING
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.provision import NOT_PROVIDED
from collect_analysis.measures.scopes import FACT_SCOPES, Directory, owed
from collect_analysis.methods.rates.rates import rate_table

GROUPS = (1, 2, 3, 4, 5)
LEFT = "left"
PARTS = 10_000


def group_facts(book: Book, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """In which group did the debtor of each open debt stand at each month end of the period, and at the next?

    The group of a debtor is the worst of the open debts in the book on that day. One row per debt with a known group and month: the scopes of
    its holder at the start, month_end, group, next_group (empty: the debt left, or no row), next_status (`missing`: no row at the next month
    end), released_parts (opening balance x difference of provision rates, in ten-thousandths of a minor unit). A debt paid off needs no
    provision; what was settled, written off, recalled or sold used its provision or took it along: nothing is released. Debts handed over as
    written off or sold are not provided for, nor in it.
    """
    ends = book.table("month_end")
    ends = ends.filter(ends.month_end >= ibis.literal(period.opening), ends.month_end <= ibis.literal(period.end))
    account = book.table("account")
    off = account.filter(account.debt_status.isin(NOT_PROVIDED)).select("account_key")
    ends = ends.anti_join(off, "account_key")
    columns = ends.select("account_key", "month_end", "status", "reg_group", "balance_minor", "unit_key", "officer_key")
    known = directory.describe(columns)
    open_group = ibis.ifelse(known.status == "open", known.reg_group, ibis.null("int64"))
    worst = open_group.max().over(ibis.window(group_by=[known.cluster_key, known.month_end]))
    rows = known.mutate(group=worst)
    order = ibis.window(group_by=rows.account_key, order_by=rows.month_end)
    rows = rows.mutate(**{f"next_{name}": rows[name].lead().over(order) for name in ("month_end", "status", "group")})
    start = rows.filter(rows.status == "open", rows.group.notnull(), rows.month_end < ibis.literal(period.end))
    follows = (months_between(start.next_month_end, start.month_end) == 1).fill_null(False)
    status = ibis.ifelse(follows, start.next_status, MISSING)
    start = start.mutate(next_status=status)
    later = ibis.ifelse(start.next_status == "open", start.next_group, ibis.null("int64"))
    after = ibis.cases(
        (start.next_status == "paid_off", ibis.literal(0, "int64")),
        (later.notnull(), _rate(later, windows)),
        else_=_rate(start.group, windows),
    )
    exposure = owed(start.balance_minor)
    return start.select(
        "account_key", *FACT_SCOPES, "month_end", "group", "next_status",
        next_group=later,
        released_parts=(_rate(start.group, windows) - after) * exposure,
    )  # fmt: skip


def _rate(group: ir.IntegerValue, windows: KpiWindows) -> ir.IntegerValue:
    """Provision rate of a group, in ten-thousandths."""
    steps = [
        (group == number, ibis.literal(round(rate * PARTS), "int64")) for number, rate in zip(GROUPS, windows.provision_rates, strict=True)
    ]
    return ibis.cases(*steps, else_=ibis.literal(0, "int64"))


def group_migration(book: Book, groups: ir.Table) -> pd.DataFrame:
    """From which regulatory group to which did debtors move, month by month (F9)?

    `groups` is the table of `group_facts`. Columns: from_group, to (group, `left`: no debt open any more, or `missing`), numerator,
    denominator (debtors of the row), value (share), low, high (Wilson), cases (denominator), note. All groups have a cell with each other,
    also an empty one. Undefined: no debtor in the row's group.
    """
    moved = groups.group_by("cluster_key", "month_end").agg(
        from_group=groups.group.max(), to_group=groups.next_group.max(), gone=groups.next_status.isin(EXITS).max()
    )
    to = ibis.cases((moved.to_group.notnull(), moved.to_group.cast("string")), (moved.gone, LEFT), else_=MISSING)
    cells = moved.mutate(to=to)
    found = book.frame(cells.group_by("from_group", "to").agg(numerator=cells.count()))
    others = [name for name in (LEFT, MISSING) if name in set(found["to"])]
    grid = pd.MultiIndex.from_product([GROUPS, [*(str(number) for number in GROUPS), *others]], names=["from_group", "to"])
    full = found.set_index(["from_group", "to"]).reindex(grid, fill_value=0).reset_index()
    full["denominator"] = full.groupby("from_group")["numerator"].transform("sum")
    table = rate_table(full.assign(cases=full["denominator"]), undefined="no debtor in this group")
    return table[["from_group", "to", "numerator", "denominator", "value", "low", "high", "cases", "note"]]
