"""Target setting as it is read: its tables by scope, named, in the language of the page."""

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.portfolio.target_setting.parameters import TargetSetting
from collect_analysis.report import tables
from collect_analysis.report.scope_names import scope_names
from collect_analysis.report.texts import formats, say

_SCOPE = ["scope", "target_minor", "p_reach", "p20_minor", "p50_minor", "p80_minor", "inflow_minor", "accounts"]


def named(table: pd.DataFrame, params: TargetSetting, book: Book) -> pd.DataFrame:
    """The table with column `scope`: what a reader calls each scope; a unit or officer key as it is named in the book."""
    names = scope_names(book, params.lang)
    kinds = table["scope_type"] if "scope_type" in table else pd.Series("unit", index=table.index)
    keys = table["scope_key"] if "scope_key" in table else table["unit_key"]
    return table.assign(scope=[names(kind, key) for kind, key in zip(kinds, keys, strict=True)])


def forecast(shown: pd.DataFrame, params: TargetSetting, book: Book) -> tables.ShownTable:
    """What each scope will likely bring, its target and the chance to reach it."""
    return tables.show(
        named(shown, params, book), lang=params.lang, columns=_SCOPE, percent=["p_reach"], currency=book.currency, scaled=True
    )


def against_target(shown: pd.DataFrame, params: TargetSetting, book: Book) -> pd.DataFrame:
    """P50 and the band P20 to P80 over the target, for the figure: label, value, low, high, hard (chance under the least)."""
    table = named(shown, params, book)
    return table.assign(label=table["scope"], hard=table["p_reach"] < params.least_reach)


def reconciliation(shown: pd.DataFrame, params: TargetSetting, book: Book) -> tables.ShownTable:
    """Expected recovery, capacity and the number from above, by unit; what no unit has is left out."""
    columns = ["scope", "expected_minor", "wanted_minor", "limit_minor", "target_minor", "top_down_minor", "gap_minor"]
    kept = [name for name in columns if name == "scope" or shown[name].notna().any()]
    return tables.show(named(shown, params, book), lang=params.lang, columns=kept, currency=book.currency, scaled=True)


def together(shown: pd.DataFrame, params: TargetSetting, book: Book) -> tables.ShownTable:
    """Why the 80 % amount of a sum is not the sum of 80 % amounts."""
    table = named(shown[shown["scope_type"].isin(["company", "sub_function"])].reset_index(drop=True), params, book)
    table = table.assign(too_much_minor=table["sum_p80_minor"] - table["p80_minor"])
    columns = ["scope", "p80_minor", "sum_p80_minor", "too_much_minor"]
    return tables.show(table, lang=params.lang, columns=columns, currency=book.currency, scaled=True)


def season(shown: pd.DataFrame, params: TargetSetting) -> tables.ShownTable:
    """The season factor of each month and what it is made of."""
    table = shown.rename(columns={"season": "season_factor", "low": "season_factor_low", "high": "season_factor_high"})
    factors = ["season_factor", "season_factor_low", "season_factor_high", "working_days", "salary_days", "lunar_new_year"]
    return tables.show(table.assign(unit="index"), lang=params.lang, columns=["month", *factors], by_unit=factors)


def days(shown: pd.DataFrame, params: TargetSetting) -> tables.ShownTable:
    """How kinds of days differ, and how much of it moves a month."""
    table = shown.rename(columns={"day_kind": "calendar_kind", "value": "day_factor", "low": "day_factor_low", "high": "day_factor_high"})
    return tables.show(
        table, lang=params.lang, columns=["calendar_kind", "day_factor", "day_factor_low", "day_factor_high", "moves"], percent=["moves"]
    )


def entries(shown: pd.DataFrame, params: TargetSetting, book: Book) -> tables.ShownTable:
    """New accounts by month."""
    columns = ["month", "accounts", "balance_minor", "collected_minor"]
    return tables.show(shown, lang=params.lang, columns=columns, currency=book.currency, scaled=True)


def capacity(shown: pd.DataFrame, params: TargetSetting, book: Book) -> tables.ShownTable | tables.Absent:
    """Hours and work by unit."""
    if shown.empty:
        return tables.Absent(say("target_no_hours", params.lang))
    columns = ["scope", "worked_accounts", "intensity", "attempts_per_hour", "right_party_per_hour", "hours", "capacity_accounts"]
    return tables.show(named(shown, params, book), lang=params.lang, columns=[*columns, "capacity_index"])


def curves(shown: pd.DataFrame, params: TargetSetting) -> tables.ShownTable | tables.Absent:
    """What more minutes bring, by sub-function."""
    if shown.empty:
        return tables.Absent(say("target_no_minutes", params.lang))
    table = shown.rename(columns={"value": "elasticity", "low": "elasticity_low", "high": "elasticity_high"})
    columns = ["sub_function", "units_seen", "unit_months", "minutes_per_account", "elasticity", "elasticity_low", "elasticity_high"]
    return tables.show(table.rename(columns={"units": "units_seen", "rows": "unit_months"}), lang=params.lang, columns=columns)


def calibration(shown: pd.DataFrame, params: TargetSetting) -> tables.ShownTable | tables.Absent:
    """Whether what was called likely came true."""
    if shown.empty:
        return tables.Absent(say("target_no_backtest", params.lang))
    new = {"numerator": "came_true", "denominator": "forecasts", "kind": "stated", "chance": "stated_chance"}
    table = shown.rename(columns={**new, "value": "share_true", "low": "share_true_low", "high": "share_true_high"})
    columns = ["scope_type", "stated", "stated_chance", "came_true", "forecasts", "share_true", "share_true_low", "share_true_high"]
    return tables.show(table, lang=params.lang, columns=columns, percent=["stated_chance", "share_true"])


def fairness(shown: pd.DataFrame, params: TargetSetting) -> tables.ShownTable:
    """How much of who reached a target the portfolio explains, by way of allocating."""
    table = shown.rename(columns={"value": "explained"})
    return tables.show(table, lang=params.lang, columns=["allocation", "officers", "explained", "p_value"], percent=["explained"])


def officers(shown: pd.DataFrame, params: TargetSetting, book: Book) -> tables.ShownTable | tables.Absent:
    """The officers' targets, for team leads; else why there are none."""
    if params.audience != "team_leads":
        return tables.Absent(say("target_officers_not_here", params.lang))
    names = scope_names(book, params.lang)
    table = shown[shown["scope_type"] == "officer"].reset_index(drop=True)
    if table.empty:
        return tables.Absent(say("target_no_officers", params.lang))
    table = table.assign(officer_key=table["scope_key"], unit_name=[names("unit", key) for key in table["parent"]])
    columns = ["unit_name", "officer_key", "accounts", "expected_minor", "p20_minor", "p50_minor", "p80_minor", "target_minor", "p_reach"]
    return tables.show(table, lang=params.lang, columns=columns, percent=["p_reach"], currency=book.currency, scaled=True)


def sheet(rows: pd.DataFrame, digest: str, params: TargetSetting, book: Book) -> tables.ShownTable | tables.Absent:
    """The sheet as it would be signed, its narrow part; the rest is in the file."""
    if rows.empty:
        return tables.Absent(say("target_no_sheet", params.lang))
    table = named(rows, params, book)
    numbers = ["opening_accounts", "opening_balance_minor", "target_minor", "capacity_index", "p_reach", "weight"]
    table[numbers] = table[numbers].apply(pd.to_numeric)
    table["row_hash"] = [text[:12] for text in table["hash"]]
    caption = say("target_sheet_caption", params.lang, version=rows["version"].iloc[0], sha=digest[:12])
    table = table.rename(columns={"weight": "kpi_weight", "gates": "sheet_gates"})
    columns = ["scope", "kpi_definition", "opening_accounts", "opening_balance_minor", "target_minor", "p_reach", "kpi_weight"]
    columns += ["sheet_gates", "row_hash"]
    return tables.show(table, lang=params.lang, columns=columns, percent=["p_reach"], currency=book.currency, caption=caption)


def figure_months(shown: pd.DataFrame) -> pd.DataFrame:
    """Past forecasts of the company beside what came, for the figure: month, p20, p50, p80, actual, inside, target."""
    table = shown[shown["scope_type"] == "company"].reset_index(drop=True)
    return table.assign(month=[f"{month:%Y-%m}" for month in table["month"]])[["month", "p20", "p50", "p80", "actual", "inside", "target"]]


def money(value: float, book: Book, lang: str) -> str:
    """An amount in three digits."""
    return formats.money(value, book.currency, lang, compact=True)


def unit_list(keys: list[str], book: Book, lang: str) -> str:
    """Units by name."""
    names = scope_names(book, lang)
    return ", ".join(names("unit", key) for key in keys)
