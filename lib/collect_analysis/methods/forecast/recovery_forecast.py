"""A forecast of recovery from expected recovery: what history says of its level, its season, its units, and how far it misses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from collect_analysis.methods.forecast.season import DayEffects, SeasonFit, fit_season, relative_parts, season_factors
from collect_analysis.methods.forecast.target_plan import QUANTILES, Spread, simulate
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import rate_table

# Before so many months were seen, nothing is foretold of the next.
LEAST_MONTHS, LEAST_RATIOS = 6, 3
BAND = (0.2, 0.8)


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a forecast stands on.

    `units`: month, unit_key, sub_function, cash_minor, expected_cash_minor (by rates frozen before all months), variance_minor.
    `entries`: as `measures.inflow` gives them: month, unit_key, age, accounts, cash_minor, squares. `parts`: `season.month_parts` of these
    months and those to come. `effects`: of the days. `window`: months whose level a forecast continues.
    """

    units: pd.DataFrame
    entries: pd.DataFrame
    parts: pd.DataFrame
    effects: DayEffects
    window: int

    def before(self, month: date) -> "Past":
        """The same as known when `month` began."""
        return Past(
            units=self.units[self.units["month"] < month],
            entries=self.entries[self.entries["month"] < month],
            parts=self.parts,
            effects=self.effects,
            window=self.window,
        )


@dataclass(frozen=True, kw_only=True)
class UnitLevels:
    """How units stand against their expected recovery: `level` (log, shrunk towards the company) by unit, `spread` of a month about it."""

    level: dict[str, float]
    spread: float


def log_ratios(units: pd.DataFrame) -> pd.Series:
    """log(collected / expected) of the company by month; months without either are left out."""
    sums = units.groupby("month")[["cash_minor", "expected_cash_minor"]].sum().astype(float)
    some = sums[(sums["cash_minor"] > 0) & (sums["expected_cash_minor"] > 0)]
    return pd.Series(np.log((some["cash_minor"] / some["expected_cash_minor"]).to_numpy()), index=some.index)


def season_of(past: Past) -> SeasonFit:
    """How much of the calendar moved the months of the past."""
    return fit_season(relative_parts(past.parts, log_ratios(past.units), window=past.window), past.effects)


def season_ahead(past: Past, fit: SeasonFit, months: Sequence[date]) -> pd.DataFrame:
    """The season factor of months to come against the last `window` months before the first of them (`season.season_factors`)."""
    table = past.parts.set_index("month").sort_index()
    rates_from = table[table.index < min(months)].tail(past.window)
    relative = table.loc[list(months)] - rates_from.mean()
    return season_factors(relative.rename_axis("month").reset_index(), fit)


def expected_entries(entries: pd.DataFrame, *, window: int) -> pd.DataFrame:
    """How many new accounts does each unit get in a month, and what does each bring at every age?

    Means over the last `window` months of entry whose age is over. Columns: unit_key, age, accounts (a month), accounts_variance (at least
    that of chance arrivals), cash_each_minor, square_each. Sorted. A unit without entries has no row.
    """
    rows = []
    for age, part in entries.groupby("age", sort=True):
        months = sorted(part["month"].unique())[-window:]
        inside = part[part["month"].isin(months)]
        for unit, own in inside.groupby("unit_key", sort=True):
            counts = own.set_index("month")["accounts"].reindex(months).fillna(0).to_numpy(dtype=float)
            total = counts.sum()
            row = {"unit_key": unit, "age": age, "accounts": counts.mean()}
            row["accounts_variance"] = max(counts.mean(), float(counts.var(ddof=1)) if len(counts) > 1 else 0.0)
            row["cash_each_minor"] = float(own["cash_minor"].sum()) / total if total else 0.0
            row["square_each"] = float(own["squares"].sum()) / total if total else 0.0
            rows.append(row)
    columns = ["unit_key", "age", "accounts", "accounts_variance", "cash_each_minor", "square_each"]
    return pd.DataFrame(rows, columns=columns).sort_values(["unit_key", "age"], ignore_index=True)


def inflow_cash(each: pd.DataFrame, *, ages: int) -> pd.DataFrame:
    """What do the entries of the last `ages` months bring in one month?

    Columns: unit_key, accounts (entering in that month), inflow_minor, inflow_variance (chance payments and the number that come).
    """
    part = each[each["age"] < ages].copy()
    part["inflow_minor"] = part["accounts"] * part["cash_each_minor"]
    part["inflow_variance"] = part["accounts"] * part["square_each"] + part["accounts_variance"] * part["cash_each_minor"] ** 2
    part["accounts"] = part["accounts"].where(part["age"] == 0, 0.0)
    return part.groupby("unit_key", as_index=False)[["accounts", "inflow_minor", "inflow_variance"]].sum()


def one_month(past: Past, month: date) -> pd.DataFrame:
    """What would have been expected of each unit for `month` on the day before, with the entries of that month not yet known?

    Formula: (frozen expectation of all its accounts x level of the `window` months before - entries that came x cash of one) + entries that
    were to come x cash of one. Columns: unit_key, sub_function, expected, variance, actual. `past` holds the month too.
    """
    known = past.before(month)
    ratio = log_ratios(known.units).tail(past.window)
    level = float(np.exp(ratio.mean()))
    now = past.units[past.units["month"] == month]
    each = expected_entries(known.entries[known.entries["age"] == 0], window=past.window)
    came = past.entries[(past.entries["month"] == month) & (past.entries["age"] == 0)].set_index("unit_key")["accounts"]
    table = now.merge(inflow_cash(each, ages=1), on="unit_key", how="left", validate="one_to_one")
    cash_each = each.set_index("unit_key")["cash_each_minor"].reindex(table["unit_key"]).fillna(0).to_numpy()
    entered = came.reindex(table["unit_key"]).fillna(0).to_numpy(dtype=float) * cash_each
    stock = (table["expected_cash_minor"] * level - entered).clip(lower=0)
    table["expected"] = stock + table["inflow_minor"].fillna(0)
    table["variance"] = table["variance_minor"] * level + table["inflow_variance"].fillna(0)
    return table.rename(columns={"cash_minor": "actual"})[["unit_key", "sub_function", "expected", "variance", "actual"]]


def one_by_one(past: Past) -> dict[date, pd.DataFrame]:
    """`one_month` for every month that has `LEAST_RATIOS` months before it."""
    months = sorted(past.units["month"].unique())
    return {month: one_month(past, month) for month in months[LEAST_RATIOS:]}


def misses(past: Past, foretold: Mapping[date, pd.DataFrame], fit: SeasonFit) -> pd.DataFrame:
    """By how much did each unit miss, apart from what all missed together? `foretold` as `one_by_one` gives it, season as fitted.

    Columns: month, unit_key, miss (log of actual / expected, less the company's), chance (variance of that from chance payments),
    company_miss, company_chance. Months and units without cash are left out.
    """
    rows = []
    for month, table in foretold.items():
        season = float(season_ahead(past, fit, [month])["season"].iloc[0])
        expected, actual, variance = (table[name].to_numpy(dtype=float) for name in ("expected", "actual", "variance"))
        expected, total, collected = expected * season, float(expected.sum()) * season, float(actual.sum())
        if collected <= 0 or total <= 0:
            continue
        common, some = np.log(collected / total), (expected > 0) & (actual > 0)
        part = pd.DataFrame({"unit_key": table["unit_key"][some], "miss": np.log(actual[some] / expected[some]) - common})
        part["chance"] = variance[some] / expected[some] ** 2
        rows.append(part.assign(month=month, company_miss=common, company_chance=float(variance.sum()) / total**2))
    columns = ["month", "unit_key", "miss", "chance", "company_miss", "company_chance"]
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def spread_of(found: pd.DataFrame, fit: SeasonFit) -> tuple[Spread, UnitLevels]:
    """How far do months and units stray, beyond what chance payments explain?

    Formula: variance of the month = left² of the season fit less the mean chance variance of the company (not below a tenth of left², for
    no history is that good); level of a unit = mean miss x T² / (T² + its variance / months), T² and the variance of a month by moments
    less chance.
    """
    left2 = fit.left**2 if np.isfinite(fit.left) else 0.04
    chance = found.drop_duplicates("month")["company_chance"].mean() if len(found) else 0.0
    common = float(np.sqrt(max(left2 - chance, 0.1 * left2)))
    by_unit = found.groupby("unit_key").agg(mean=("miss", "mean"), n=("miss", "size"), chance=("chance", "mean"))
    if found.empty or len(by_unit) < 2:
        return Spread(common=common, freedom=fit.freedom, unit=0.0), UnitLevels(level=dict.fromkeys(by_unit.index, 0.0), spread=0.0)
    about = found["miss"] - found["unit_key"].map(by_unit["mean"])
    lost = max(len(found) - len(by_unit), 1)
    month2 = float(max((about**2).sum() / lost - found["chance"].mean(), 0.0))
    of_mean = (month2 + by_unit["chance"]) / by_unit["n"]
    between = float(max((by_unit["mean"] ** 2).mean() - of_mean.mean(), 0.0))
    trust = between / (between + of_mean) if between > 0 else 0.0 * of_mean
    level = by_unit["mean"] * trust
    # What is not known of the levels themselves is part of what a unit may stray.
    spread = Spread(common=common, freedom=fit.freedom, unit=float(np.sqrt(month2 + (trust * of_mean).mean())))
    return spread, UnitLevels(level={str(unit): float(value) for unit, value in level.items()}, spread=spread.unit)


def persistence(found: pd.DataFrame) -> float:
    """How much of a month's common miss is still there in the next (lag-1 correlation, from 0 to 0.9)? 0 with fewer than 6 months."""
    series = found.drop_duplicates("month").sort_values("month")["company_miss"].to_numpy(dtype=float)
    if len(series) < 6 or series.std() < 1e-12:
        return 0.0
    return float(np.clip(np.corrcoef(series[1:], series[:-1])[0, 1], 0.0, 0.9))


def over_months(spread: Spread, shares: Sequence[float], carried: float) -> Spread:
    """The spread of a sum of months: variance sum_ij share_i share_j carried^|i-j|, the same for units."""
    share = np.asarray(shares, dtype=float)
    places = np.arange(len(share))
    factor = float(np.sqrt(share @ (carried ** np.abs(places[:, None] - places)) @ share))
    return Spread(common=spread.common * factor, freedom=spread.freedom, unit=spread.unit * factor)


def backtest(past: Past, *, stretch: float, draws: int, seed: int) -> pd.DataFrame:
    """Had targets been set each month on the day before: where would the money have landed?

    Nothing of the month or of later ones is used, but for the effects of days and the rates frozen before all months. Columns: month,
    scope_type (company, unit), scope_key, p20, p50, p80, target (p50 x stretch), p_reach, actual, inside (p20 to p80), reached. Months with
    fewer than `LEAST_MONTHS` before them are left out.
    """
    foretold, rows = one_by_one(past), []
    for month in sorted(past.units["month"].unique())[LEAST_MONTHS + 1 :]:
        rows += _foretold(past, month, foretold, stretch=stretch, draws=draws, seed=seed)
    columns = ["month", "scope_type", "scope_key", *QUANTILES, "target", "p_reach", "actual", "inside", "reached"]
    return pd.DataFrame(rows, columns=columns)


def _foretold(
    past: Past, month: date, foretold: Mapping[date, pd.DataFrame], *, stretch: float, draws: int, seed: int
) -> list[dict[str, object]]:
    known = past.before(month)
    fit = season_of(known)
    spread, levels = spread_of(misses(known, {item: table for item, table in foretold.items() if item < month}, fit), fit)
    ahead = season_ahead(past, fit, [month]).iloc[0]
    leaves = foretold[month].copy()
    level = np.exp(leaves["unit_key"].map(levels.level).fillna(0.0).to_numpy(dtype=float))
    leaves["expected"] *= float(ahead["season"]) * level
    leaves["sd"] = np.sqrt(leaves["variance"]) * float(ahead["season"]) * level
    common = float(np.hypot(spread.common, ahead["season_sd"]))
    whole = Spread(common=common, freedom=spread.freedom, unit=spread.unit)
    drawn = simulate(leaves, unit="unit_key", spread=whole, draws=draws, seed=seed)
    actual = leaves["actual"].to_numpy(dtype=float)
    told = [_row(month, "company", "all", drawn.sum(axis=1), float(actual.sum()), stretch)]
    told += [
        _row(month, "unit", str(key), drawn[:, place], float(actual[place]), stretch)
        for place, key in enumerate(leaves["unit_key"])
        if leaves["expected"].iloc[place] > 0
    ]
    return told


def calibration(backtested: pd.DataFrame, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """Did what was called an 80 % chance come true in 80 of 100 cases?

    For targets set at a stated chance (0.8: the 20 % quantile, 0.5, 0.2) and for the band from P20 to P80 (0.6). Columns: scope_type,
    chance (stated), kind (reach, band), value (share that came true), low, high (Wilson; months of one unit and units of one month are
    alike, so it is rather too narrow for units), numerator, denominator. Sorted.
    """
    rows = []
    for scope, part in backtested.groupby("scope_type", sort=True):
        actual = part["actual"]
        came = [(0.2, "reach", actual >= part["p80"]), (0.5, "reach", actual >= part["p50"]), (0.8, "reach", actual >= part["p20"])]
        came.append((BAND[1] - BAND[0], "band", part["inside"]))
        rows += [{"scope_type": scope, "chance": round(stated, 2), "kind": kind, "numerator": int(met.sum()), "denominator": len(met)}
                 for stated, kind, met in came]  # fmt: skip
    table = pd.DataFrame(rows, columns=["scope_type", "chance", "kind", "numerator", "denominator"])
    return rate_table(table, undefined="no month could be foretold", level=level)


def _row(month: date, scope_type: str, key: str, drawn: np.ndarray, actual: float, stretch: float) -> dict[str, object]:
    quantiles = dict(zip(QUANTILES, map(float, np.quantile(drawn, list(QUANTILES.values()))), strict=True))
    target = quantiles["p50"] * stretch
    return {
        "month": month,
        "scope_type": scope_type,
        "scope_key": key,
        **quantiles,
        "target": target,
        "p_reach": float((drawn >= target).mean()),
        "actual": actual,
        "inside": quantiles["p20"] <= actual <= quantiles["p80"],
        "reached": actual >= target,
    }
