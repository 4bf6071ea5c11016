"""A target that can be defended: forecast, reconciliation, capacity, allocation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.measures.scopes import COMPANY, UNASSIGNED
from collect_analysis.methods.forecast import capacity, target_plan
from collect_analysis.methods.forecast.recovery_forecast import (
    expected_entries,
    inflow_cash,
    log_ratios,
    misses,
    one_by_one,
    over_months,
    persistence,
    season_ahead,
    season_of,
    spread_of,
)
from collect_analysis.methods.forecast.season import PARTS, SeasonFit
from collect_analysis.methods.forecast.target_plan import Spread
from collect_analysis.portfolio.target_setting.measures import Inputs

LEVELS = ("sub_function", "unit_key", "officer_key")
RECENT_MONTHS = 3


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is declared of a target: see the report kind `target_setting`."""

    stretch: float
    top_down: float | None
    least_reach: float
    ramp: tuple[float, ...]
    step: int
    draws: int
    seed: int
    capacity_tolerance: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A target with everything behind it.

    `leaves`: one row per officer (or unit without officers): LEVELS, accounts, opening_minor, inflow_accounts, inflow_minor, expected,
    forecast (with how the unit stands), sd, carried (weight of the allocation), target. `drawn`: draws by leaves. `units`: what `reconcile`
    says, with the capacity of each unit. `season`: by month of the period. `curves`: yield of minutes by sub-function.
    """

    leaves: pd.DataFrame
    drawn: np.ndarray
    units: pd.DataFrame
    season: pd.DataFrame
    fit: SeasonFit
    spread: Spread
    curves: pd.DataFrame
    months: int

    @property
    def target(self) -> int:
        """The company's target, minor units."""
        return int(self.leaves["target"].sum())

    def forecast(self, by: Sequence[str]) -> pd.DataFrame:
        """P20, P50, P80 of every scope with its target and the chance to reach it."""
        told = target_plan.forecast(self.drawn, self.leaves, by)
        chance = target_plan.reach(self.drawn, self.leaves, by)
        return told.merge(chance, on=list(by), validate="one_to_one") if by else pd.concat([told, chance], axis=1)

    def at_chance(self, chance: float) -> float:
        """The amount the company reaches with this chance."""
        return float(np.quantile(self.drawn.sum(axis=1), 1 - chance))

    def chance_of(self, amount: float) -> float:
        """The chance that the company reaches an amount."""
        return float((self.drawn.sum(axis=1) >= amount).mean())


def plan_of(inputs: Inputs, terms: Terms) -> Plan:
    """The target of the company, its units and officers.

    Expected recovery of a leaf = sum over months of (what its accounts should bring by the rates x level + its part of the unit's entries)
    x season; target of the company = P50 of the joint forecast x stretch, under the limits of capacity; every level shares its target in
    proportion to expected recovery (large tickets capped among officers, newcomers at their share), in whole steps that add up exactly.
    A number from above that has the least chance takes the place of P50 x stretch.
    """
    past = inputs.past
    fit = season_of(past)
    found = misses(past, one_by_one(past), fit)
    spread, levels = spread_of(found, fit)
    season = season_ahead(past, fit, inputs.months)
    leaves, by_month = _leaves(inputs, season, terms)
    shares = [value / sum(by_month) for value in by_month] if sum(by_month) > 0 else [1 / len(by_month)] * len(by_month)
    common = float(np.hypot(spread.common, season["season_sd"].mean()))
    monthly = Spread(common=common, freedom=spread.freedom, unit=spread.unit)
    whole = over_months(monthly, shares, persistence(found))
    level = np.exp(leaves["unit_key"].map(levels.level).fillna(0.0).to_numpy(dtype=float))
    leaves["forecast"], leaves["sd"] = leaves["expected"] * level, np.sqrt(leaves["variance"]) * level
    drawn = target_plan.simulate(
        leaves.drop(columns="expected").rename(columns={"forecast": "expected"}),
        unit="unit_key", spread=whole, draws=terms.draws, seed=terms.seed,
    )  # fmt: skip
    curves = capacity.yield_curves(_yield_history(inputs))
    units = _reconciled(inputs, leaves, drawn, curves, terms)
    wanted = leaves["unit_key"].map(units.set_index("unit_key")["target"]).to_numpy(dtype=float)
    leaves["weight"] = wanted * leaves["carried"]
    own = float(units["target"].sum())
    total = round((own if not _defended(drawn, terms) else float(terms.top_down or 0)) / terms.step) * terms.step
    allocated = target_plan.allocate(total, leaves, levels=LEVELS, weight="weight", step=terms.step)
    return Plan(
        leaves=leaves.assign(target=allocated["target"]), drawn=drawn, units=units, season=season, fit=fit, spread=whole, curves=curves,
        months=len(past.units["month"].unique()),
    )  # fmt: skip


def _defended(drawn: np.ndarray, terms: Terms) -> bool:
    """Whether the number from above has the least chance: then it is what is shared out."""
    return terms.top_down is not None and float((drawn.sum(axis=1) >= terms.top_down).mean()) >= terms.least_reach


def _leaves(inputs: Inputs, season: pd.DataFrame, terms: Terms) -> tuple[pd.DataFrame, list[float]]:
    """Leaves in the order of their keys with what they should bring; and the money expected by month."""
    ratio = log_ratios(inputs.past.units)
    level = float(np.exp(ratio.tail(inputs.past.window).mean() - ratio.tail(inputs.reference_months).mean()))
    each = expected_entries(inputs.past.entries, window=inputs.past.window)
    first_age = (inputs.months[0].year - inputs.opening.year) * 12 + inputs.months[0].month - inputs.opening.month
    stock, by_month, inflows = _at_home(inputs.stock), [], []
    for place, month in enumerate(inputs.months):
        factor = float(season["season"].iloc[place])
        mine = stock["month"] == month
        stock.loc[mine, "expected"] = stock.loc[mine, "expected_cash_minor"] * level * factor
        stock.loc[mine, "flat"] = stock.loc[mine, "expected_cash_minor"] * level
        stock.loc[mine, "variance"] = stock.loc[mine, "variance_cash_minor"] * (level * factor) ** 2
        new = inflow_cash(each, ages=first_age + place + 1)
        new["flat_inflow"], new["inflow_minor"] = new["inflow_minor"], new["inflow_minor"] * factor
        new["inflow_variance"] *= factor**2
        inflows.append(new)
        by_month.append(float(stock.loc[mine, "expected"].sum() + new["inflow_minor"].sum()))
    keys = list(LEVELS)
    first = stock[stock["month"] == inputs.months[0]].set_index(keys)[["accounts", "opening_minor"]]
    table = stock.groupby(keys)[["expected", "flat", "variance", "expected_minor"]].sum().join(first).reset_index()
    entries = pd.concat(inflows).groupby("unit_key")[["accounts", "inflow_minor", "flat_inflow", "inflow_variance"]].sum()
    table = _with_inflow(table, entries.rename(columns={"accounts": "inflow_accounts"}), inputs)
    table["season"] = table["expected"] / table["flat"].where(table["flat"] > 0)
    return _carried(table, inputs, terms).sort_values(keys, ignore_index=True), by_month


def _at_home(stock: pd.DataFrame) -> pd.DataFrame:
    """The stock with every officer in one unit: accounts held elsewhere count as that unit's, held by nobody."""
    named = stock[stock["officer_key"] != UNASSIGNED]
    sums = named.groupby(["officer_key", "unit_key"], as_index=False)[["expected_minor"]].sum()
    home = sums.sort_values(by=["expected_minor", "unit_key"]).drop_duplicates("officer_key", keep="last").set_index("officer_key")
    away = (stock["officer_key"] != UNASSIGNED) & (stock["officer_key"].map(home["unit_key"]) != stock["unit_key"])
    table = stock.assign(officer_key=stock["officer_key"].mask(away, UNASSIGNED))
    return table.groupby(["month", *LEVELS], as_index=False).sum(numeric_only=True)


def _with_inflow(table: pd.DataFrame, entries: pd.DataFrame, inputs: Inputs) -> pd.DataFrame:
    """A unit's entries among its leaves in proportion to their accounts' expected recovery; a unit without accounts gets a leaf of its own."""
    lacking = [unit for unit in entries.index if unit not in set(table["unit_key"])]
    sub = inputs.units.set_index("unit_key")["sub_function"]
    if lacking:
        rows = pd.DataFrame({"unit_key": lacking, "officer_key": UNASSIGNED, "sub_function": [sub.get(u) or UNASSIGNED for u in lacking]})
        table = pd.concat([table, rows], ignore_index=True).fillna(0.0)
    capped = table.groupby("unit_key")["expected_minor"].transform("sum")
    size = table.groupby("unit_key")["unit_key"].transform("size")
    table["share"] = (table["expected_minor"] / capped.where(capped > 0)).fillna(1 / size)
    for name in entries.columns:
        table[name] = table["unit_key"].map(entries[name]).fillna(0.0) * table["share"]
    table["expected"] += table["inflow_minor"]
    table["flat"] += table["flat_inflow"]
    table["variance"] += table["inflow_variance"]
    return table.drop(columns=["flat_inflow", "inflow_variance"])


def _carried(table: pd.DataFrame, inputs: Inputs, terms: Terms) -> pd.DataFrame:
    """The part of the unit's target that each leaf carries: capped expected recovery, newcomers at their share of it.

    What nobody holds is carried by the unit's officers, if it has any.
    """
    tenure = table["officer_key"].map(inputs.tenure.set_index("officer_key")["tenure_months"]).astype(float)
    nobody = table["officer_key"] == UNASSIGNED
    spared = nobody & (table.groupby("unit_key")["unit_key"].transform("size") > 1)
    ramped = pd.Series(target_plan.ramped(table["share"].mask(spared, 0.0), tenure, terms.ramp), index=table.index)
    total = ramped.groupby(table["unit_key"]).transform("sum")
    return table.assign(tenure_months=tenure, carried=(ramped / total.where(total > 0)).fillna(table["share"]))


def _yield_history(inputs: Inputs) -> pd.DataFrame:
    """Observed and expected recovery with minutes, by unit and month."""
    history = inputs.past.units.merge(inputs.minutes, on=["month", "unit_key"], how="inner", validate="one_to_one")
    return history.rename(columns={"cash_minor": "observed", "expected_cash_minor": "expected"})


def _reconciled(inputs: Inputs, leaves: pd.DataFrame, drawn: np.ndarray, curves: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    sums = ["accounts", "opening_minor", "inflow_accounts", "inflow_minor", "expected"]
    units = leaves.groupby(["sub_function", "unit_key"], as_index=False)[sums].sum()
    p50 = float(np.quantile(drawn.sum(axis=1), 0.5))
    units["p50"] = p50 * units["expected"] / units["expected"].sum()
    units = units.merge(capacity_of(inputs, units), on="unit_key", how="left", validate="one_to_one")
    # A curve that may as well be flat says nothing of what fewer minutes cost.
    rising = curves[curves["note"] == ""].set_index("sub_function")["value"]
    elasticity = units["sub_function"].map(rising).astype(float)
    beyond = units["capacity_index"].where(units["capacity_index"] > 1 + terms.capacity_tolerance)
    units["limit"] = capacity.capacity_limit(units["p50"], beyond, elasticity)
    return target_plan.reconcile(units, stretch=terms.stretch, top_down=terms.top_down)


def capacity_of(inputs: Inputs, units: pd.DataFrame) -> pd.DataFrame:
    """Hours and work of each unit in the period, from its last `RECENT_MONTHS` months.

    Columns: unit_key, hours (in the period), attempts_per_hour, right_party_per_hour, intensity (attempts per account in the period),
    capacity_accounts, capacity_index (W10).
    """
    recent = sorted(inputs.minutes["month"].unique())[-RECENT_MONTHS:]
    sums = inputs.minutes[inputs.minutes["month"].isin(recent)].groupby("unit_key")[["minutes", "attempts", "right_party"]].sum()
    held = inputs.past.units[inputs.past.units["month"].isin(recent)].groupby("unit_key")["accounts"].sum()
    days = inputs.days
    working = days["working_day"].to_numpy(dtype=float)
    before = working[days["month"].isin(recent).to_numpy()].sum()
    ahead = working[days["month"].isin(inputs.months).to_numpy()].sum()
    table = units[["unit_key", "accounts", "inflow_accounts"]].copy()
    hours_before = table["unit_key"].map(sums["minutes"]) / 60
    table["hours"] = hours_before / before * ahead if before else float("nan")
    for name, column in (("attempts_per_hour", "attempts"), ("right_party_per_hour", "right_party")):
        table[name] = table["unit_key"].map(sums[column]) / hours_before.where(hours_before > 0)
    table["intensity"] = table["unit_key"].map(sums["attempts"]) / table["unit_key"].map(held) * len(inputs.months)
    table = table.merge(inputs.units[["unit_key", "capacity_accounts"]], on="unit_key", how="left", validate="one_to_one")
    # In a month a unit works what it holds and what comes in that month; what came before stands against what left.
    table["accounts"] = table["accounts"] + table["inflow_accounts"] / len(inputs.months)
    indexed = capacity.capacity_index(table)
    return indexed[["unit_key", "hours", "attempts_per_hour", "right_party_per_hour", "intensity", "capacity_accounts", "capacity_index"]]


def season_table(plan: Plan) -> pd.DataFrame:
    """The factor of every month of the period and its parts. Columns: month, season, low, high (95 %, of the fit), one per part."""
    half = 1.96 * plan.season["season_sd"]
    return plan.season.assign(low=plan.season["season"] * np.exp(-half), high=plan.season["season"] * np.exp(half))[
        ["month", "season", "low", "high", *PARTS]
    ]


def scopes(plan: Plan, *, officers: bool) -> pd.DataFrame:
    """Every scope with forecast, target and chance, from the company down. Columns: scope_type, scope_key, parent, accounts, opening_minor,
    inflow_accounts, inflow_minor, expected_minor, p20_minor, p50_minor, p80_minor, sum_p80_minor, season, target_minor, p_reach.
    """
    levels: list[tuple[str, list[str]]] = [("company", []), ("sub_function", ["sub_function"]), ("unit", ["sub_function", "unit_key"])]
    levels += [("officer", list(LEVELS))] if officers else []
    sums = ["accounts", "opening_minor", "inflow_accounts", "inflow_minor", "expected", "flat"]
    parts = []
    for name, by in levels:
        told = plan.forecast(by)
        held = plan.leaves.groupby(by, sort=True)[sums].sum().reset_index(drop=True) if by else plan.leaves[sums].sum().to_frame().T
        held = held.reset_index(drop=True)
        told["scope_type"] = name
        told["scope_key"] = told[by[-1]] if by else COMPANY
        told["parent"] = "" if not by else COMPANY if len(by) == 1 else told[by[-2]]
        parts.append(pd.concat([told, held.astype(float)], axis=1))
    table = pd.concat(parts, ignore_index=True)
    table = table[(table["scope_type"] != "officer") | (table["scope_key"] != UNASSIGNED)]
    table["season"] = table["expected"] / table["flat"].where(table["flat"] > 0)
    money = {"expected": "expected_minor", "p20": "p20_minor", "p50": "p50_minor", "p80": "p80_minor", "sum_p80": "sum_p80_minor"}
    columns = [
        "scope_type",
        "scope_key",
        "parent",
        "accounts",
        "opening_minor",
        "inflow_accounts",
        "inflow_minor",
        *money.values(),
        "season",
    ]
    return table.rename(columns={**money, "target": "target_minor"}).reset_index(drop=True)[[*columns, "target_minor", "p_reach"]]
