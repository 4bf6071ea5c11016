"""Portfolio flow: what became of accounts from one month end to the next (F1-F6), the roll matrix, and the identity they must keep."""

from collections.abc import Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import Period
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.reopened import reopened
from collect_analysis.measures.scopes import Directory, owed
from collect_analysis.methods.rates.rates import rate_table

STATES = ("rolled", "stayed", "improved", "cured", "reaged", "paid_off", "settled", "written_off", "recalled", "sold")
EXITS = ("paid_off", "settled", "written_off", "recalled", "sold")
MISSING = "missing"
# F1 + F3 + F4 + F5 + F6 = 1: every state is counted by exactly one of them.
IDENTITY = ("F1", "F3", "F4", "F5", "F6")


def month_ends(book: Book, first: date, last: date) -> ir.Table:
    """The month ends from `first` to `last`, with the columns that facts are made of.

    balance_minor is what is owed (a credit balance: 0). restored_minor: what an account that is open again owed before it was closed
    (`reopened.reopened`); empty for all others.
    """
    ends = book.table("month_end")
    inside = ends.filter(ends.month_end >= ibis.literal(first), ends.month_end <= ibis.literal(last))
    again = reopened(book, last, after=first)
    joined = inside.left_join(again, [inside.account_key == again.again_key, inside.month_end == again.again_on])
    kept = ("account_key", "month_end", "status", "bucket", "reaged", "unit_key", "officer_key", "restored_minor")
    return joined.select(*kept, balance_minor=owed(joined.balance_minor))


def month_pairs(ends: ir.Table, directory: Directory, period: Period, *, keep: Sequence[str] = ()) -> ir.Table:
    """What became of every open account from each month end to the next, within the period?

    `ends` is table `month_end`, or the part of it around the period; `keep` names further columns of it to keep, as they stood at the start.

    One row per account and month: the scopes of who held it at the start, bucket, next_bucket, open_minor (opening balance), state. States
    exclude each other: rolled (worse bucket), stayed (same bucket), improved (better, not current), cured (current), reaged (current by
    restructuring), the exits, or missing where the book has no row for the next month end.
    """
    ends = ends.filter(ends.month_end >= ibis.literal(period.opening), ends.month_end <= ibis.literal(period.end))
    order = ibis.window(group_by=ends.account_key, order_by=ends.month_end)
    names = ("month_end", "status", "bucket", "balance_minor", "reaged")
    rows = ends.mutate(**{f"next_{name}": ends[name].lead().over(order) for name in names})
    start = rows.filter(rows.status == "open", rows.month_end < ibis.literal(period.end))
    follows = (months_between(start.next_month_end, start.month_end) == 1).fill_null(False)
    worse, same = start.next_bucket > start.bucket, start.next_bucket == start.bucket
    state = ibis.cases(
        (~follows, MISSING),
        (start.next_status != "open", start.next_status),
        (start.next_reaged.fill_null(False) & (start.next_bucket == 0) & (start.bucket > 0), "reaged"),
        (worse, "rolled"),
        (same, "stayed"),
        (start.next_bucket == 0, "cured"),
        else_="improved",
    )
    held = ("account_key", "unit_key", "officer_key", "bucket", "next_bucket")
    pairs = start.select(*held, *keep, open_minor="balance_minor", state=state)
    return directory.describe(pairs)


def flow_facts(pairs: ir.Table) -> ir.Table:
    """The pairs with one 0-1 column per state and its opening balance: open, open_minor, rolled, rolled_minor, ... `stayed` holds the
    re-aged.

    Contractually a re-aged account stays where it was; `reaged` counts it apart for F5b.
    """
    is_state = {name: (pairs.state == name).cast("int8") for name in STATES}
    is_state["stayed"] = pairs.state.isin(["stayed", "reaged"]).cast("int8")
    money = {f"{name}_minor": flag * pairs.open_minor for name, flag in is_state.items()}
    return pairs.mutate(open=ibis.literal(1, "int8"), **is_state, **money)


def overdue(facts: ir.Table) -> ir.Table:
    """The pairs that were overdue at the start: what the headline flow rates are about."""
    return facts.filter(facts.bucket >= 1)


def capped(facts: ir.Table, top_bucket: int) -> ir.Table:
    """Buckets from `top_bucket` on joined into one; states stay as they were judged on the full buckets."""
    return facts.mutate(bucket=ibis.least(facts.bucket, ibis.literal(top_bucket)))


def joined(pairs: ir.Table, top_bucket: int) -> ir.Table:
    """The pairs (columns as `month_pairs`) with the buckets from `top_bucket` on as one, and moves within it as staying there.

    What lies beyond the last bucket that is told apart is not told: an account that was in it and is in it has not rolled, whatever it owes.
    """
    top = ibis.literal(top_bucket)
    inside = (pairs.bucket >= top) & (pairs.next_bucket >= top) & pairs.state.isin(["rolled", "improved"])
    return capped(pairs.mutate(state=ibis.ifelse(inside.fill_null(False), "stayed", pairs.state)), top_bucket)


def net_flow_facts(ends: ir.Table, directory: Directory, period: Period) -> ir.Table:
    """Opening balance of each bucket and closing balance of the next one (F2), of the same accounts: an account belongs, in both, to who held
    it when the month began, or came in with. Columns: the scopes, bucket, open_minor, next_minor (what is owed; a credit balance owes nothing).
    """
    ends = ends.filter(ends.status == "open", ends.month_end >= ibis.literal(period.opening), ends.month_end <= ibis.literal(period.end))
    zero = ibis.literal(0, "int64")
    order = ibis.window(group_by=ends.account_key, order_by=ends.month_end)
    rows = ends.mutate(**{f"before_{name}": ends[name].lag().over(order) for name in ("month_end", "unit_key", "officer_key")})
    stood = (months_between(rows.month_end, rows.before_month_end) == 1).fill_null(False)
    holder = {name: ibis.ifelse(stood, rows[f"before_{name}"], rows[name]) for name in ("unit_key", "officer_key")}
    opening = rows.filter(rows.month_end < ibis.literal(period.end), rows.bucket >= 1)
    closing = rows.mutate(**holder).filter(rows.month_end > ibis.literal(period.opening), rows.bucket >= 2)
    keys = ("account_key", "unit_key", "officer_key")
    both = opening.select(*keys, "bucket", open_minor=owed(opening.balance_minor), next_minor=zero).union(
        closing.select(*keys, bucket=closing.bucket - 1, open_minor=zero, next_minor=owed(closing.balance_minor))
    )
    return directory.describe(both)


def roll_matrix(book: Book, pairs: ir.Table, *, top_bucket: int, few: int) -> pd.DataFrame:
    """From which bucket to which bucket or exit did accounts move, by count and by opening balance?

    `pairs` is the table of `month_pairs`; buckets from `top_bucket` on are one. Columns: version (count, balance), from_bucket, to (bucket,
    exit, `reaged` or `missing`), numerator, denominator (accounts, or opening balance in minor units; of the row), value (share), low, high
    (Wilson; balance: NaN), cases (accounts of the row), accounts (behind the number: those of the row; of money, those that moved so), note.
    Every bucket has a cell, also an empty one; exits appear where they happened. Undefined: nothing open in the row's bucket. A row of fewer
    than `few` accounts says so in its note.
    """
    stays_open = pairs.state.isin(["rolled", "stayed", "improved", "cured"])
    to = ibis.ifelse(stays_open, ibis.least(pairs.next_bucket, ibis.literal(top_bucket)).cast("string"), pairs.state)
    cells = capped(pairs.mutate(to=to), top_bucket)
    counted = cells.group_by("bucket", "to").agg(count=cells.count(), balance=cells.open_minor.sum().cast("int64"))
    found = book.frame(counted).rename(columns={"bucket": "from_bucket"})
    others = [name for name in ("reaged", *EXITS, MISSING) if name in set(found["to"])]
    columns = [*(str(bucket) for bucket in range(top_bucket + 1)), *others]
    grid = pd.MultiIndex.from_product([range(top_bucket + 1), columns], names=["from_bucket", "to"])
    full = found.set_index(["from_bucket", "to"]).reindex(grid, fill_value=0).reset_index()
    cases = full.groupby("from_bucket")["count"].transform("sum")
    parts = []
    for version in ("count", "balance"):
        behind = cases if version == "count" else full["count"]
        part = full[["from_bucket", "to"]].assign(version=version, numerator=full[version], cases=cases, accounts=behind)
        part["denominator"] = part.groupby("from_bucket")["numerator"].transform("sum")
        if version == "balance":
            part = part.assign(low=float("nan"), high=float("nan"))
        parts.append(rate_table(part, undefined=f"no {'account' if version == 'count' else 'balance'} open in this bucket"))
    table = pd.concat(parts, ignore_index=True)
    thin = (table["cases"] > 0) & (table["cases"] < few)
    table["note"] = table["note"].mask(thin, f"rests on fewer than {few} accounts")
    return table[["version", "from_bucket", "to", "numerator", "denominator", "value", "low", "high", "cases", "accounts", "note"]]


def identity_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Where do the flow rates not add up to 1? Exact, on whole numbers: accounts, and opening balance in minor units.

    `table` holds rows of F1, F3, F4, F5, F6 and their balance versions. Columns: version (count, balance), scope_type, scope_key, counted,
    opening, gap. Empty when the identity holds everywhere; a gap means accounts without a row at the next month end.
    """
    gaps = []
    for version, suffix in (("count", ""), ("balance", "-balance")):
        part = table[table["kpi"].isin([f"{kpi}{suffix}" for kpi in IDENTITY])]
        sums = part.groupby(["scope_type", "scope_key"], as_index=False).agg(counted=("numerator", "sum"), opening=("denominator", "max"))
        sums = sums.assign(version=version, gap=sums["opening"].fillna(0) - sums["counted"].fillna(0))
        gaps.append(sums[sums["gap"] != 0])
    return pd.concat(gaps, ignore_index=True)[["version", "scope_type", "scope_key", "counted", "opening", "gap"]]
