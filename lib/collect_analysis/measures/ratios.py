"""From a fact relation to a table of KPI values with intervals: the one place where the engine sums what a KPI counts."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.kpis.record import Kpi
from collect_analysis.measures.scopes import BUCKET, COMPANY, SCOPE_COLUMNS, count_of
from collect_analysis.methods.rates.rates import rate_table, ratio_interval

VALUE_COLUMNS = ("kpi", "scope_type", "scope_key", "value", "low", "high", "numerator", "denominator", "cases", "unit", "note")


def ratio_table(book: Book, facts: ir.Table, kpis: Sequence[Kpi], *, grains: Sequence[str]) -> pd.DataFrame:
    """What is each KPI worth in each scope, and how far could chance move it?

    Formula: value = scale x sum of the counted columns / sum of the columns over which. Interval, 95 %: Wilson for shares of cases; delta
    method over debtors (`cluster_key`) for ratios of sums; for a total, n times the interval of the mean over debtors.
    `facts` holds cluster_key, the scope columns of the grains asked for, and whole-number columns; one pass of the engine serves all KPIs
    and grains. Columns of the result: kpi, scope_type, scope_key, value, low, high, numerator, denominator, cases (rows of `facts` in the
    denominator), unit, note. Sorted as the KPIs and grains are given, then by scope. Undefined (NaN, `note` says why): denominator 0.
    """
    counted = [kpi for kpi in kpis if any(_has_meaning(kpi, grain) for grain in grains)]
    grains = [grain for grain in grains if any(_has_meaning(kpi, grain) for kpi in counted)]
    if not counted:
        return pd.DataFrame(columns=list(VALUE_COLUMNS))
    shares = [kpi for kpi in counted if kpi.interval == "cases"]
    ratios = [kpi for kpi in counted if kpi.interval != "cases"]
    rows = []
    for some, query in ((shares, _sums), (ratios, _moments)):
        wide = _with_company(book.frame(query(facts, some, grains)), grains) if some else pd.DataFrame()
        rows += [_rows(wide[[_has_meaning(kpi, grain) for grain in wide["scope_type"]]], kpi) for kpi in some]
    order = {grain: position for position, grain in enumerate(grains)}
    table = pd.concat(rows, ignore_index=True)
    place = table["kpi"].map({kpi.id: position for position, kpi in enumerate(counted)}) * len(order) + table["scope_type"].map(order)
    return table.assign(place=place).sort_values(["place", "scope_key"], ignore_index=True)[list(VALUE_COLUMNS)]


def _has_meaning(kpi: Kpi, grain: str) -> bool:
    return grain in kpi.grains or grain == BUCKET


def _with_company(wide: pd.DataFrame, grains: Sequence[str]) -> pd.DataFrame:
    """The company has a row even where nothing was counted: undefined is shown, not left out."""
    if "company" not in grains or (wide["scope_type"] == "company").any():
        return wide
    nothing = {name: 0 for name in wide.columns} | {"scope_type": "company", "scope_key": COMPANY}
    return pd.concat([wide, pd.DataFrame([nothing])], ignore_index=True)


def _key(facts: ir.Table, grain: str) -> ir.StringValue:
    return ibis.literal(COMPANY) if grain == "company" else facts[SCOPE_COLUMNS[grain]].cast("string")


def _sums(facts: ir.Table, kpis: Sequence[Kpi], grains: Sequence[str]) -> ir.Table:
    """Numerator, denominator and cases of shares of cases per scope: one pass over the facts, whose few sums then stand in each grain."""
    keys = {grain: SCOPE_COLUMNS[grain] for grain in grains if grain != "company"}
    sums: dict[str, ir.Scalar] = {}
    for kpi in kpis:
        counted, over = _total(facts, kpi.counted), _total(facts, kpi.over)
        sums |= {
            f"{kpi.id}.y": counted.sum().cast("int64"),
            f"{kpi.id}.x": over.sum().cast("int64"),
            f"{kpi.id}.cases": count_of(over != 0),
        }
    # Without a scope the sum of nothing is a row, of which nothing is known.
    rows = (
        facts.group_by(list(keys.values())).agg(**sums) if keys else facts.agg(**sums).filter(lambda one: one[f"{kpis[0].id}.y"].notnull())
    )
    rows = rows.mutate(scope_type=ibis.array([ibis.literal(grain) for grain in grains]).unnest())
    named = [(rows.scope_type == grain, _key(rows, grain)) for grain in keys]
    rows = rows.mutate(scope_key=ibis.cases(*named, else_=COMPANY) if named else ibis.literal(COMPANY))
    return rows.group_by("scope_type", "scope_key").agg(**{name: rows[name].sum().cast("int64") for name in sums})


def _moments(facts: ir.Table, kpis: Sequence[Kpi], grains: Sequence[str]) -> ir.Table:
    """Numerator, denominator and cases of ratios and totals per scope, and the sums of squares and products over debtors for intervals."""
    # Different KPIs share numerators and denominators: each is summed once per debtor.
    names = {columns: "+".join(columns) for kpi in kpis for columns in (kpi.counted, kpi.over) if columns}
    parts = [_debtors(facts, kpis, names, grain) for grain in grains]
    debtors = ibis.union(*parts) if len(parts) > 1 else parts[0]
    moments: dict[str, ir.Scalar] = {}
    for kpi in kpis:
        y = debtors[names[kpi.counted]].cast("int64")
        moments |= {f"{kpi.id}.y": y.sum().cast("int64"), f"{kpi.id}.yy": sum_of_products(y, y)}
        if kpi.interval == "total":
            moments |= {f"{kpi.id}.n": debtors.count(), f"{kpi.id}.cases": debtors.rows.sum().cast("int64")}
            continue
        x = debtors[names[kpi.over]].cast("int64")
        moments |= {f"{kpi.id}.x": x.sum().cast("int64"), f"{kpi.id}.xx": sum_of_products(x, x), f"{kpi.id}.xy": sum_of_products(x, y)}
        moments[f"{kpi.id}.n"] = count_of((x != 0) | (y != 0))
        moments[f"{kpi.id}.cases"] = debtors[f"{names[kpi.over]} rows"].sum().cast("int64")
    return debtors.group_by("scope_type", "scope_key").agg(**moments)


def _debtors(facts: ir.Table, kpis: Sequence[Kpi], names: dict[tuple[str, ...], str], grain: str) -> ir.Table:
    """What each debtor brings to each scope of a grain: scope_type, scope_key, the sums in `names`, the rows of each denominator, rows."""
    # Days of one officer, debtors of a unit: what varies independently depends on whose result it is.
    days = grain == "officer" and "officer_cluster_key" in facts.columns
    rows = facts.select(
        scope_key=_key(facts, grain),
        debtor=facts.officer_cluster_key if days else facts.cluster_key,
        **{name: _total(facts, columns) for columns, name in names.items()},
    )
    sums = {name: rows[name].sum().cast("int64") for name in names.values()}
    cases = {f"{names[kpi.over]} rows": count_of(rows[names[kpi.over]] != 0) for kpi in kpis if kpi.over}
    # A key that is the same for all would be hashed and compared for nothing.
    keys = ["debtor"] if grain == "company" else ["scope_key", "debtor"]
    debtors = rows.group_by(keys).agg(**sums, **cases, rows=rows.count())
    scope = ibis.literal(COMPANY) if grain == "company" else debtors.scope_key
    return debtors.select(*sums, *cases, "rows", scope_type=ibis.literal(grain), scope_key=scope)


def _total(table: ir.Table, columns: Sequence[str]) -> ir.IntegerColumn:
    total = table[columns[0]]
    for column in columns[1:]:
        total = total + table[column]
    return total


def _rows(wide: pd.DataFrame, kpi: Kpi) -> pd.DataFrame:
    """The rows of one KPI from the sums of all."""
    # Sums are whole numbers of one part: products hold its square.
    sizes = {"n": 1, "y": kpi.parts, "x": kpi.parts, "yy": kpi.parts**2, "xx": kpi.parts**2, "xy": kpi.parts**2}
    taken = {name: wide[f"{kpi.id}.{name}"].astype(float) / size for name, size in sizes.items() if f"{kpi.id}.{name}" in wide}
    table = wide[["scope_type", "scope_key"]].assign(kpi=kpi.id, unit=kpi.unit, cases=wide[f"{kpi.id}.cases"], numerator=taken["y"])
    if kpi.interval == "total":
        return _as_total(table, taken, kpi)
    table["denominator"] = taken["x"]
    if kpi.interval == "ratio":
        low, high = ratio_interval(
            count=taken["n"], sum_y=taken["y"], sum_x=taken["x"], sum_yy=taken["yy"], sum_xx=taken["xx"], sum_xy=taken["xy"]
        )
        # What cannot be negative has no negative plausible value; debtors who are all alike say nothing about chance.
        alike = low == high
        table["low"] = np.where(alike, np.nan, low if kpi.signed else np.where(taken["y"] >= 0, np.clip(low, 0, None), low))
        table["high"] = np.where(alike, np.nan, np.minimum(high, 1) if kpi.part else high)
    table = rate_table(table, undefined=kpi.undefined)
    table[["value", "low", "high"]] *= kpi.scale
    table.loc[table["value"].isna(), ["low", "high"]] = np.nan
    return table


def _as_total(table: pd.DataFrame, taken: dict[str, pd.Series], kpi: Kpi) -> pd.DataFrame:
    n, y = taken["n"], taken["y"]
    low, high = ratio_interval(count=n, sum_y=y, sum_x=n, sum_yy=taken["yy"], sum_xx=n, sum_xy=y)
    # What came in is not below nothing, unless more went out.
    least = np.where(kpi.signed | (y < 0), -np.inf, 0.0)
    return table.assign(value=y, low=np.maximum(low * n, least), high=high * n, denominator=np.nan, note="")
