"""Rates of cells of comparable accounts, and the ladder of coarser cells for those that hold too few."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from collect_analysis.book.engine import compensated_sum, sum_of_products

# Account-months below which a cell says too little of its own: a late bucket in which 4 % pay has 8 payers in 200.
LEAST_ACCOUNTS = 200
# A unit that holds nearly all of a cell has no peers in it: what little others hold there came to them for a reason.
LEAST_PEER_SHARE = 0.1
_SUMS = ("n", "b", "bb", "y", "yy", "z", "zz", "payers")


def cell_sums(reference: ir.Table, factors: Sequence[str]) -> ir.Table:
    """What the reference months show per unit and cell: account-months (n), balance (b), cash (y), capped cash (z), payers, squares (bb, yy, zz)."""
    owed = reference.opening_minor
    return reference.group_by("unit_key", *factors).agg(
        n=reference.count(),
        b=owed.sum().cast("int64"),
        bb=sum_of_products(owed, owed),
        y=reference.cash_minor.sum().cast("int64"),
        yy=sum_of_products(reference.cash_minor, reference.cash_minor),
        z=reference.capped_minor.sum().cast("int64"),
        zz=sum_of_products(reference.capped_minor, reference.capped_minor),
        payers=reference.payer.sum().cast("int64"),
    )


def cell_rates(sums: ir.Table, rows: ir.Table, factors: Sequence[str], *, leave_out: bool) -> ir.Table:
    """The rates every unit is compared with, in every cell of `rows`: from the finest step of the ladder that has enough accounts.

    A step drops the last factor of the step before. With `leave_out` a step serves if other units hold enough accounts in it: then only these
    count; or if the unit itself holds nearly all of it: then all count. Columns: unit_key, the factors, p (payer rate), r, rc (cash and capped
    cash per unit of balance), q (squared capped cash per squared balance), depth (factors used), others (1: without the unit itself).
    """
    table = rows.select("unit_key", *factors).distinct()
    depths = range(len(factors), -1, -1)
    for depth in depths:
        table = _with_step(table, sums, factors[:depth], depth)
    nothing = {name: ibis.literal(0, "float64") for name in _SUMS}
    of_all = {depth: {name: table[f"{name}_{depth}"].fill_null(0).cast("float64") for name in _SUMS} for depth in depths}
    own = {depth: {name: table[f"own_{name}_{depth}"].fill_null(0).cast("float64") for name in _SUMS} for depth in depths}
    peers = {depth: {name: of_all[depth][name] - own[depth][name] for name in _SUMS} for depth in depths}
    steps, conditions = [], []
    for depth in [depth for depth in depths if depth]:
        enough = of_all[depth]["n"] >= LEAST_ACCOUNTS
        alone = peers[depth]["n"] < LEAST_PEER_SHARE * of_all[depth]["n"]
        steps += [(of_all[depth], depth, 0), (peers[depth], depth, 1)]
        conditions += [enough & alone, peers[depth]["n"] >= LEAST_ACCOUNTS] if leave_out else [enough, ibis.literal(False)]
    steps.append((of_all[0], 0, 0))
    conditions.append(ibis.literal(True))
    pairs = list(zip(conditions, steps, strict=True))
    chosen = {name: ibis.cases(*[(met, found[name]) for met, (found, _, _) in pairs], else_=nothing[name]) for name in _SUMS}
    depth_used = ibis.cases(*[(met, ibis.literal(depth)) for met, (_, depth, _) in pairs], else_=0)
    others = ibis.cases(*[(met, ibis.literal(flag)) for met, (_, _, flag) in pairs], else_=0)
    picked = table.select("unit_key", *factors, depth=depth_used, others=others, **chosen)
    return picked.select(
        "unit_key", *factors, "depth", "others",
        p=_ratio(picked.payers, picked.n),
        r=_ratio(picked.y, picked.b), rc=_ratio(picked.z, picked.b), q=_ratio(picked.yy, picked.bb), qc=_ratio(picked.zz, picked.bb),
    )  # fmt: skip


def _with_step(table: ir.Table, sums: ir.Table, keys: Sequence[str], depth: int) -> ir.Table:
    """The table with the sums of one step of the ladder: of all units, and of the unit itself (`own_`)."""
    total = {f"{name}_{depth}": _total(sums[name]) for name in _SUMS}
    own = {f"own_{name}_{depth}": _total(sums[name]) for name in _SUMS}
    names = {f"{key}_{depth}": key for key in keys}
    mine = sums.group_by("unit_key", *keys).agg(**own).rename({**names, f"unit_{depth}": "unit_key"})
    same = [table[key] == mine[f"{key}_{depth}"] for key in keys]
    table = table.left_join(mine, [table.unit_key == mine[f"unit_{depth}"], *same]).drop(f"unit_{depth}", *names)
    if not keys:
        return table.cross_join(sums.agg(**total))
    pooled = sums.group_by(*keys).agg(**total).rename(names)
    return table.left_join(pooled, [table[key] == pooled[f"{key}_{depth}"] for key in keys]).drop(*names)


def _total(column: ir.NumericColumn) -> ir.NumericScalar:
    return column.sum().cast("int64") if column.type().is_integer() else compensated_sum(column)


def _ratio(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.NumericValue:
    """The ratio; 0 where there is nothing below."""
    return ibis.ifelse(denominator > 0, numerator / denominator.nullif(0), 0.0)
