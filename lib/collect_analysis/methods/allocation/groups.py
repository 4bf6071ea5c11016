"""Groups of accounts (segment, region, product) to units: the form in which next period's placement is planned."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from collect_analysis.errors import DataError
from collect_analysis.methods.allocation.optimum import Allocation, allocate
from collect_analysis.methods.allocation.problem import of_tables
from collect_analysis.methods.allocation.views import propensities, unit_table


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupPlan:
    """The plan for groups x units. Money in minor units.

    `table`: group, unit_key, propensity (0-1; of a group they sum to 1), accounts (expected), value_minor (expected net recovery of one
    account), total_minor (accounts x value). `units`: unit_key, capacity, used, share, low_share, high_share, binding (`capacity`,
    `high_share`, `low_share` or empty), shadow_price_minor (one more place), low_share_cost_minor (what one more forced place would cost).
    `value`: expected net recovery; `bound`: nothing under the same bounds brings more; `gap` = (bound - value)/|bound|; `exploration_cost`:
    what the minimum propensity costs beside min_propensity 0; `value_now`: the same accounts under today's shares (NaN: not given).
    """

    table: pd.DataFrame
    units: pd.DataFrame
    value: float
    bound: float
    gap: float
    exploration_cost: float
    value_now: float
    allocation: Allocation


def allocate_groups(
    values: pd.DataFrame,
    groups: pd.DataFrame,
    units: pd.DataFrame,
    *,
    min_propensity: float,
    today: pd.DataFrame | None = None,
    seed: int = 0,
) -> GroupPlan:
    """Which share of each group should each unit get, so that expected net recovery is highest and every eligible unit keeps learning?

    Parameters
    ----------
    values
        group, unit_key, value_minor: expected net recovery of one account of the group at the unit. Pairs not listed are not eligible.
    groups
        group, accounts (above 0); optional region for messages.
    units
        unit_key; capacity in accounts (missing: no limit), and optional low_share and high_share: bounds of the unit's share of all accounts.
    min_propensity
        Every listed pair keeps at least this probability.
    today
        group, unit_key, share: how the groups are split now (shares of a group sum to 1), for the comparison only.

    Raises
    ------
    DataError
        As `of_tables` and `allocate`; shares out of 0-1 or crossed; today's shares for pairs without a value.
    """
    problems = _problems(values, groups, units)
    if problems:
        raise DataError(problems)
    total = float(groups["accounts"].sum())
    low = units["low_share"].fillna(0.0) if "low_share" in units else pd.Series(0.0, index=units.index)
    high = units["high_share"].fillna(1.0) if "high_share" in units else pd.Series(1.0, index=units.index)
    room = units["capacity"].astype(float).fillna(np.inf) if "capacity" in units else pd.Series(np.inf, index=units.index)
    bounds = units[["unit_key"]].assign(capacity=np.minimum(room, high * total), least=low * total)
    problem = of_tables(
        values.rename(columns={"group": "key"}),
        groups.rename(columns={"group": "key", "accounts": "count"}),
        bounds,
        min_propensity=min_propensity,
        seed=seed,
    )
    found = allocate(problem)
    free = allocate(replace(problem, min_propensity=0.0)) if min_propensity else found
    table = propensities(found).rename(columns={"key": "group"})
    return GroupPlan(
        table=table.assign(total_minor=table["accounts"] * table["value_minor"]),
        units=_units(found, room.to_numpy(), low.to_numpy(), high.to_numpy()),
        value=found.value,
        bound=found.bound,
        gap=found.gap,
        exploration_cost=max(free.value - found.value, 0.0),
        value_now=_value_now(today, table, groups),
        allocation=found,
    )


def _problems(values: pd.DataFrame, groups: pd.DataFrame, units: pd.DataFrame) -> list[str]:
    wanted = {
        "values": (values, ("group", "unit_key", "value_minor")),
        "groups": (groups, ("group", "accounts")),
        "units": (units, ("unit_key",)),
    }
    found = [
        f"table {name} has no column '{column}'; it has {', '.join(map(str, table.columns))}"
        for name, (table, columns) in wanted.items()
        for column in columns
        if column not in table
    ]
    for column in ("low_share", "high_share"):
        if column in units and not units[column].dropna().between(0, 1).all():
            wrong = units.loc[~units[column].fillna(0).between(0, 1), "unit_key"].astype(str)
            found.append(f"{len(wrong)} unit(s) have a {column} outside 0-1, first {wrong.iloc[0]}; write a share of all accounts")
    if {"low_share", "high_share"} <= set(units) and not found:
        wrong = units.loc[units["low_share"].fillna(0) > units["high_share"].fillna(1), "unit_key"].astype(str)
        if len(wrong):
            found.append(f"{len(wrong)} unit(s) have a low_share above their high_share, first {wrong.iloc[0]}; lower the low one")
    return found


def _units(found: Allocation, room: np.ndarray, low: np.ndarray, high: np.ndarray) -> pd.DataFrame:
    table = unit_table(found)
    by_share = (table["binding"] == "capacity") & (found.problem.capacity < room)
    table["binding"] = table["binding"].mask(by_share, "high_share").replace("least", "low_share")
    table = table.assign(capacity=np.where(np.isfinite(room), room, np.nan), low_share=low, high_share=high)
    columns = ["unit_key", "capacity", "used", "share", "low_share", "high_share", "binding", "shadow_price_minor", "least_cost_minor"]
    return table[columns].rename(columns={"least_cost_minor": "low_share_cost_minor"})


def _value_now(today: pd.DataFrame | None, table: pd.DataFrame, groups: pd.DataFrame) -> float:
    if today is None:
        return float("nan")
    known = today.merge(table[["group", "unit_key", "value_minor"]], on=["group", "unit_key"], how="left").merge(
        groups, on="group", how="left"
    )
    lost = known[(known["share"] > 0) & (known["value_minor"].isna() | known["accounts"].isna())]
    if len(lost):
        first = lost.iloc[0]
        raise DataError(
            f"today gives {len(lost)} pair(s) of group and unit a share that have no value, first {first['group']} at {first['unit_key']}; "
            "add their values, or leave today out"
        )
    return float((known["share"] * known["accounts"] * known["value_minor"]).sum())
