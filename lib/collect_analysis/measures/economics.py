"""What is left of collected money after commission and tax, by unit, on placements of one age."""

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.placements import Panel, of_panel, payments_on

NET_COLUMNS = (
    "unit_key", "cases", "placed_minor", "collected_minor", "commission_minor", "tax_minor", "net_minor", "gross_rate", "commission_rate",
    "value", "low", "high", "numerator", "denominator", "note",
)  # fmt: skip
NO_TARIFF = "no commission tariff is valid for part of the money: net-back is unknown"


def commission_tiers(book: Book) -> ir.Table:
    """The commission tariffs, one row per tariff, validity and tier.

    Columns: tariff_id, tier_from, tier_to (months on placement, [from, to), empty: open), rate, valid_from, valid_to.
    """
    tariff = book.table("tariff").filter(ibis._.kind == "commission", ibis._.rate.notnull())
    window = ibis.window(group_by=["tariff_id", "item", "valid_from"], order_by="tier_from")
    return tariff.mutate(tier_to=tariff.tier_from.lead().over(window)).select(
        "tariff_id", "tier_from", "tier_to", "rate", "valid_from", "valid_to"
    )


def commission(book: Book, panel: Panel, *, age: int) -> pd.DataFrame:
    """Cash, commission and the tax on it, per unit and tier, on placements whose month `age` is over, up to that age.

    The tariff is the one of the unit on the day of the money, the tier the placement's age in that month, tax the rate of table `tariff`
    (kind `tax`) on that day; commission and tax are rounded to the minor unit per unit, tier and rate.
    Columns: unit_key, tier_from (NaN: no tariff), rate, tax_rate, collected_minor, commission_minor, tax_minor.

    Raises
    ------
    DataError
        Tariffs, tax rates or a unit's intervals overlap in time, so that money would be charged twice.
    """
    base = of_panel(book, panel).filter(ibis._.ripe_age >= age)
    paid = payments_on(book, base).filter(ibis._.age_months <= age)
    taxed = priced(book, paid)
    grouped = taxed.group_by("unit_key", "tier_from", "rate", "tax_rate").agg(
        collected_minor=taxed.amount_minor.sum().cast("int64"), postings=taxed.count()
    )
    table = book.frame(grouped)
    counted = int(str(book.scalar(paid.count())))
    if int(table["postings"].sum()) != counted:
        raise DataError(
            f"{int(table['postings'].sum()) - counted} payments meet several commission tariffs, tax rates or unit intervals on their day; "
            "end the older row of table 'tariff' or 'unit' (valid_to) where the newer begins"
        )
    table["commission_minor"] = (table["collected_minor"] * table["rate"]).round()
    table["tax_minor"] = (table["commission_minor"] * table["tax_rate"].fillna(0.0)).round()
    return table.drop(columns="postings").sort_values(["unit_key", "tier_from", "rate", "tax_rate"], ignore_index=True)


def priced(book: Book, paid: ir.Table) -> ir.Table:
    """What commission and tax do these payments earn? Each with the tier and the rates of its day.

    `paid`: payment_key, unit_key, value_date, amount_minor, age_months, and whatever else is to be kept. The tariff is the unit's on
    `value_date`, the tier the one of `age_months`. Adds tier_from and rate (empty: no tariff holds on that day), tax_rate (table `tariff`,
    kind `tax`; empty: none). A payment stands twice where tariffs, tax rates or intervals of its unit overlap: the caller must look.
    """
    unit = book.table("unit").select(of_unit="unit_key", of_tariff="tariff_id", unit_from=ibis._.valid_from, unit_to=ibis._.valid_to)
    held = paid.left_join(unit, _within(paid.unit_key == unit.of_unit, paid.value_date, unit.unit_from, unit.unit_to))
    held = held.select(*paid.columns, "of_tariff")
    tiers = commission_tiers(book).rename(tier_since="valid_from", tier_until="valid_to")
    in_tier = (tiers.tier_from <= held.age_months) & (tiers.tier_to.isnull() | (held.age_months < tiers.tier_to))
    in_tariff = _within((held.of_tariff == tiers.tariff_id) & in_tier, held.value_date, tiers.tier_since, tiers.tier_until)
    rated = held.left_join(tiers, in_tariff).select(*paid.columns, "tier_from", "rate")
    tax = book.table("tariff").filter(ibis._.kind == "tax").select(tax_since="valid_from", tax_until="valid_to", tax_rate="rate")
    taxed = rated.left_join(tax, _within(ibis.literal(True), rated.value_date, tax.tax_since, tax.tax_until))
    return taxed.select(*paid.columns, "tier_from", "rate", "tax_rate")


def net_back(charged: pd.DataFrame, curve: pd.DataFrame) -> pd.DataFrame:
    """What remains of each unit's collections after commission and tax, per amount placed (KPI R6)?

    `charged`: table of `commission`; `curve`: table of `comparison.curves`, read at its last age. value = net / B0; low, high: the interval
    of the liquidation rate, scaled by the unit's net share. gross_rate = cash / B0; commission_rate = (commission + tax) / cash.
    Columns: see NET_COLUMNS. Undefined (NaN and note): part of the money meets no tariff.
    """
    if curve.empty:
        return pd.DataFrame(columns=list(NET_COLUMNS))
    last = curve[curve["age_months"] == curve["age_months"].max()]
    last = last.rename(columns={"numerator": "collected_minor", "denominator": "placed_minor", "value": "gross_rate"})
    unpriced = charged[charged["rate"].isna() & (charged["collected_minor"] != 0)]["unit_key"].unique()
    sums = charged.groupby("unit_key", as_index=False)[["commission_minor", "tax_minor"]].sum()
    table = last.drop(columns="note").merge(sums, on="unit_key", how="left", validate="one_to_one")
    known = ~table["unit_key"].isin(unpriced)
    for name in ("commission_minor", "tax_minor"):
        table[name] = table[name].fillna(0.0).where(known)
    table["net_minor"] = table["collected_minor"] - table["commission_minor"] - table["tax_minor"]
    collected = table["collected_minor"].where(table["collected_minor"] > 0)
    kept = table["net_minor"] / collected
    table["commission_rate"] = 1 - kept
    table["value"] = table["net_minor"] / table["placed_minor"]
    table["low"], table["high"] = table["low"] * kept, table["high"] * kept
    table["note"] = known.map({True: "", False: NO_TARIFF})
    table["numerator"], table["denominator"] = table["net_minor"], table["placed_minor"]
    return table[list(NET_COLUMNS)].sort_values("unit_key", ignore_index=True)


def net_shift(net: pd.DataFrame) -> pd.Series:
    """By how much does a unit's commission move its index? Log of its net share of cash over all units' net share, by unit_key.

    0 for every unit where no unit's net-back is known. NaN: this unit's is unknown.
    """
    known = net[net["value"].notna() & (net["collected_minor"] > 0)]
    if known.empty:
        return pd.Series(0.0, index=pd.Index(net["unit_key"], name="unit_key"))
    pooled = known["net_minor"].sum() / known["collected_minor"].sum()
    kept = (net["net_minor"] / net["collected_minor"].where(net["collected_minor"] > 0)).astype(float) / pooled
    return pd.Series(np.log(kept.where(kept > 0).to_numpy()), index=pd.Index(net["unit_key"], name="unit_key"))


def _within(condition: ir.BooleanValue, day: ir.DateValue, first: ir.DateValue, after: ir.DateValue) -> ir.BooleanValue:
    return condition & (first <= day) & (after.isnull() | (day < after))
