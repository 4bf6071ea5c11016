"""Batches by age: what each batch had brought by the end of every month on placement, and what it will have brought at a horizon.

A batch is what one unit was given in one calendar month. Age 0 is the month of placement; only months that were over on `as_of` are cells.
A projection describes what will come; it says nothing of who is better, since batches differ in what was in them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.placements import FEWEST_AGES, Panel, of_panel, payments_on
from collect_analysis.methods.forecast import triangles
from collect_analysis.methods.rates.levels import CONFIDENCE

POOLED = "all"
TOO_YOUNG = "fewer than three complete months on placement: the shape of the curve is not known"
TOO_FEW_BATCHES = "fewer than two batches with three complete months on placement: nothing to develop from"
NO_EARLY_CASH = "no batch had collected anything in its first months: a factor has nothing to multiply"
TRIANGLE_COLUMNS = ("unit_key", "batch_month", "age_months", "cases", "numerator", "denominator", "value")
PROJECTION_COLUMNS = (
    "unit_key", "batches", "young_batches", "reached_months", "cases", "denominator", "collected_minor", "to_come_minor",
    "to_come_se_minor", "numerator", "share_complete", "value", "se", "low", "high", "note",
)  # fmt: skip
BATCH_COLUMNS = (
    "unit_key", "batch_month", "age_months", "cases", "denominator", "collected_minor", "to_come_minor", "numerator", "share_complete",
    "value", "low", "high", "note",
)  # fmt: skip
FACTOR_COLUMNS = ("unit_key", "age_months", "next_age_months", "factor", "standard_error", "sigma2", "batches")


@dataclass(frozen=True, kw_only=True)
class Projected:
    """Batches carried to the horizon: one row per unit and for all together (`units`), per batch (`batches`), per step (`factors`)."""

    units: pd.DataFrame
    batches: pd.DataFrame
    factors: pd.DataFrame


def batch_triangle(book: Book, panel: Panel) -> pd.DataFrame:
    """How much of each batch had been collected by the end of each month on placement?

    Columns: unit_key, batch_month (first day), age_months (0 is the month of placement), cases (accounts placed), numerator (cash up to the
    end of that month, minor units), denominator (balance placed, B0), value (KPI R2). One row per unit, batch and complete month; sorted.
    Undefined: empty where no month on placement is over.
    """
    base = of_panel(book, panel)
    base = base.filter(base.ripe_age >= 0)
    batches = book.frame(
        base.group_by("unit_key", "batch_month").agg(
            cases=base.count(), denominator=base.balance_minor.sum().cast("int64"), ripe_age=base.ripe_age.max()
        )
    )
    if batches.empty:
        return pd.DataFrame(columns=list(TRIANGLE_COLUMNS))
    paid = payments_on(book, base).inner_join(base.select("decision_key", "batch_month"), "decision_key")
    cash = book.frame(paid.group_by("unit_key", "batch_month", "age_months").agg(cash=paid.amount_minor.sum().cast("int64")))
    for table in (batches, cash):
        table["batch_month"] = pd.to_datetime(table["batch_month"])
    ages = batches.loc[batches.index.repeat(batches["ripe_age"] + 1)].reset_index(drop=True)
    ages["age_months"] = ages.groupby(["unit_key", "batch_month"]).cumcount()
    table = ages.merge(cash, on=["unit_key", "batch_month", "age_months"], how="left", validate="one_to_one")
    table = table.sort_values(["unit_key", "batch_month", "age_months"], ignore_index=True)
    table["cash"] = table["cash"].fillna(0).astype("int64")
    table["numerator"] = table.groupby(["unit_key", "batch_month"])["cash"].cumsum()
    table["value"] = table["numerator"] / table["denominator"]
    return table[list(TRIANGLE_COLUMNS)]


def project(triangle: pd.DataFrame, *, horizon: int, level: float = CONFIDENCE) -> Projected:
    """Which share of what was placed will have been collected at the end of month `horizon` on placement?

    Chain ladder with Mack's standard error on the cells up to `horizon`, per unit and for all units together (unit_key `all`: batches of one
    month summed over units). Batches with fewer than three complete months are left out: of their own rate nothing can be said, and
    `young_batches` counts them. Where no batch has reached the horizon, the projection ends at `reached_months`.

    `triangle`: of `batch_triangle`. Columns: see PROJECTION_COLUMNS, BATCH_COLUMNS, FACTOR_COLUMNS; value = (collected + to come) / B0,
    numerator = collected + to come, share_complete = collected / numerator, se and interval of value from the error of what is to come
    (log-normal). Undefined (NaN and note): a unit with fewer than two such batches, or without early cash; a batch too young, or with
    nothing collected so far. Source: Mack, ASTIN Bulletin 23 (1993) 213.
    """
    rows, batch_rows, factor_rows = [], [], []
    pooled = triangle.groupby(["batch_month", "age_months"], as_index=False)[["cases", "numerator", "denominator"]].sum()
    parts = [(str(key), part) for key, part in triangle.groupby("unit_key", sort=True)]
    for key, part in [*parts, (POOLED, pooled)] if len(triangle) else []:
        row, batches, factors = _one(part[part["age_months"] <= horizon], level)
        rows.append({"unit_key": key, **row})
        batch_rows.append(batches.assign(unit_key=key))
        factor_rows.append(factors.assign(unit_key=key))
    return Projected(
        units=pd.DataFrame(rows, columns=list(PROJECTION_COLUMNS)),
        batches=_joined(batch_rows, BATCH_COLUMNS),
        factors=_joined(factor_rows, FACTOR_COLUMNS),
    )


def _one(part: pd.DataFrame, level: float) -> tuple[dict[str, object], pd.DataFrame, pd.DataFrame]:
    """The projection of one unit: its row, its batches, its factors."""
    latest = part.sort_values("age_months").groupby("batch_month").last().reset_index()
    old = latest[latest["age_months"] + 1 >= FEWEST_AGES]
    batches = latest.rename(columns={"numerator": "collected_minor"}).drop(columns="value", errors="ignore")
    row: dict[str, object] = {"batches": len(latest), "young_batches": len(latest) - len(old), "note": ""}
    if len(old) < 2:
        reason = TOO_YOUNG if old.empty else TOO_FEW_BATCHES
        return row | {"note": reason}, _without(batches, reason), pd.DataFrame(columns=list(FACTOR_COLUMNS))
    cells = part[part["batch_month"].isin(old["batch_month"])]
    named = cells.assign(origin=cells["batch_month"], age=cells["age_months"] + 1, value=cells["numerator"])
    try:
        found = triangles.chain_ladder(named[["origin", "age", "value"]], level=level)
    except DataError:
        row["note"] = NO_EARLY_CASH
        return row, _without(batches, NO_EARLY_CASH), pd.DataFrame(columns=list(FACTOR_COLUMNS))
    known = found.batches.merge(
        old[["batch_month", "denominator", "cases"]], left_on="origin", right_on="batch_month", validate="one_to_one"
    )
    placed, collected, total = int(known["denominator"].sum()), int(known["latest"].sum()), found.total
    row |= {
        "reached_months": int(cells["age_months"].max()), "cases": int(known["cases"].sum()), "denominator": placed,
        "collected_minor": collected, "to_come_minor": total["to_come"], "to_come_se_minor": total["standard_error"],
        "numerator": collected + total["to_come"],
        "share_complete": collected / (collected + total["to_come"]) if collected else np.nan,
        "value": (collected + total["to_come"]) / placed, "se": total["standard_error"] / placed,
        "low": (collected + total["low"]) / placed, "high": (collected + total["high"]) / placed,
    }  # fmt: skip
    factors = found.factors.rename(columns={"age": "age_months", "next_age": "next_age_months"})
    factors[["age_months", "next_age_months"]] -= 1
    return row, _carried(batches, known), factors


def _carried(batches: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Every batch with what it will bring; those too young with their reason."""
    found = known[["batch_month", "to_come", "ultimate", "share_complete", "low", "high", "note"]]
    table = batches.merge(found, on="batch_month", how="left", validate="one_to_one")
    table["note"] = table["note"].fillna(TOO_YOUNG)
    table = table.rename(columns={"to_come": "to_come_minor", "ultimate": "numerator"})
    table["value"] = table["numerator"] / table["denominator"]
    for side in ("low", "high"):
        table[side] = (table["collected_minor"] + table[side]) / table["denominator"]
    return table


def _without(batches: pd.DataFrame, reason: str) -> pd.DataFrame:
    undefined = dict.fromkeys(("to_come_minor", "numerator", "share_complete", "value", "low", "high"), np.nan)
    return batches.assign(**undefined, note=reason)


def _joined(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True)[list(columns)] if filled else pd.DataFrame(columns=list(columns))
