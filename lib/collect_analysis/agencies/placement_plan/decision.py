"""The plan of the next placements: room of every unit, probabilities by stratum, what the plan brings against shares as now."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from collect_analysis.agencies.placement_plan.measures_flow import ALL
from collect_analysis.agencies.shares import PlacementPlan
from collect_analysis.methods.allocation.groups import GroupPlan, allocate_groups
from collect_analysis.methods.evidence import Condition

Z = 1.959964
GAIN = ("value", "low", "high", "value_now", "gain", "gain_low", "gain_high")
ROOM_COLUMNS = ("unit_key", "capacity_accounts", "held", "recalled", "room", "flow_accounts", "most", "note")
NO_LIMIT, UNSEEN = "no capacity in table unit: no limit", "no batch of this stratum is old enough: mean of all strata"


@dataclass(frozen=True, kw_only=True)
class StratumPlan:
    """Who gets which stratum: `table` (group, unit_key, share_now, propensity, accounts, value_minor, total_minor), `groups` (group,
    accounts,
    value, note) and the optimum behind it.
    """

    table: pd.DataFrame
    groups: pd.DataFrame
    optimum: GroupPlan | None


def room_table(
    capacity: Mapping[str, float], held: Mapping[str, float], recalled: Mapping[str, float], *, flow_accounts: float
) -> pd.DataFrame:
    """How much of the next period's flow has each unit room for?

    Formula: room = capacity - held + recalled (at least 0); most = room / flow_accounts, at most 1. `capacity`: accounts a unit may hold
    (missing or NaN: no limit); `held`: accounts on placement now; `recalled`: of them coming back; `flow_accounts`: accounts to be placed.
    Columns: see ROOM_COLUMNS; sorted by unit.
    """
    rows = []
    for unit in sorted(held):
        limit = float(capacity.get(unit, np.nan))
        room = max(limit - held[unit] + recalled.get(unit, 0.0), 0.0) if np.isfinite(limit) else np.nan
        most = min(room / flow_accounts, 1.0) if flow_accounts > 0 and np.isfinite(room) else 1.0
        note = "" if np.isfinite(limit) else NO_LIMIT
        rows.append((unit, limit, held[unit], recalled.get(unit, 0.0), room, flow_accounts, most, note))
    return pd.DataFrame(rows, columns=list(ROOM_COLUMNS))


def plan_strata(
    flow: pd.DataFrame, worth: pd.DataFrame, net: pd.DataFrame, plan: PlacementPlan, *, months: int, net_share: float, seed: int
) -> StratumPlan:
    """With which probability should an account of each stratum go to each unit?

    An account of stratum s brings worth(s) x net_share x net index(u) at unit u (not judged: 1). Maximised under the signed shares (of
    accounts) and a probability of at least exploration_share / number of open units for every one of them in every stratum (where a unit's
    share is smaller than that: that share), exactly (`methods.allocation`). `flow`: of `next_flow.recent_flow`; `worth`: of
    `next_flow.worth_of_account`; `net`: of `comparison.believed` on
    the net index; `months`: of the next period; `net_share`: what is left of cash after commission and tax over all units.
    """
    open_units = [step.unit_key for step in plan.steps if step.share_next > 0]
    now = flow.groupby(["group", "unit_key"], as_index=False)["cases"].sum()
    groups = flow.groupby("group", as_index=False)["per_month"].sum()
    groups["accounts"] = (groups["per_month"] * months).round().clip(lower=1).astype(int)
    groups = groups.merge(worth[["group", "value", "note"]], on="group", how="left")
    overall = float(worth.loc[worth["group"] == ALL, "value"].iloc[0])
    groups["note"] = groups["note"].where(groups["value"].notna(), UNSEEN).fillna("")
    groups["value"] = groups["value"].fillna(overall)
    index = net.set_index("unit_key")["value"].reindex(open_units).fillna(1.0)
    values = groups[["group", "value"]].merge(index.rename("index").rename_axis("unit_key").reset_index(), how="cross")
    values["value_minor"] = values["value"] * net_share * values["index"]
    shares = {step.unit_key: step.share_next for step in plan.steps}
    # All accounts are placed and the shares sum to 1, so that the upper bounds alone settle how many each unit gets.
    units = pd.DataFrame({"unit_key": open_units, "high_share": [min(shares[key], 1.0) for key in open_units]})
    split = now.assign(share=now["cases"] / now.groupby("group")["cases"].transform("sum"))[["group", "unit_key", "share"]]
    known = set(split["unit_key"]) <= set(open_units)
    found = allocate_groups(
        values[["group", "unit_key", "value_minor"]],
        groups[["group", "accounts"]],
        units,
        min_propensity=min(plan.exploration_share / len(open_units), *units["high_share"]),
        today=split if known else None,
        seed=seed,
    )
    table = found.table.merge(split.rename(columns={"share": "share_now"}), on=["group", "unit_key"], how="left")
    table["share_now"] = table["share_now"].fillna(0.0)
    columns = ["group", "unit_key", "share_now", "propensity", "accounts", "value_minor", "total_minor"]
    return StratumPlan(table=table[columns], groups=groups[["group", "accounts", "value", "note"]], optimum=found)


def without_values(planned: StratumPlan) -> StratumPlan:
    """The same probabilities, with no money beside them: what is left of cash after commission is not known."""
    return replace(planned, table=planned.table.assign(value_minor=np.nan, total_minor=np.nan))


def expected_gain(planned: StratumPlan, net: pd.DataFrame, *, account_sd: float = 0.0) -> dict[str, float]:
    """What will the plan bring against shares as now, and how sure is that?

    value (minor units, net), low, high: 95 % interval from the uncertainty of the units' net indices (independent) and, with `account_sd`
    (net cash of one account scatters by so much), from the luck of the accounts themselves. value_now: the same accounts under shares as now
    (NaN where a unit may not go on); gain = value - value_now, gain_low, gain_high from the indices alone: only units whose money changes
    count, each by its change. A unit that is not judged is as uncertain as the least certain of the judged.
    """
    table = planned.table
    if table["total_minor"].isna().all():
        return dict.fromkeys(GAIN, np.nan)
    totals = table.groupby("unit_key")["total_minor"].sum()
    accounts = table["group"].map(planned.groups.set_index("group")["accounts"])
    now = (table["share_now"] * accounts * table["value_minor"]).groupby(table["unit_key"]).sum()
    sd = net.set_index("unit_key")["sd"].reindex(totals.index)
    sd = sd.fillna(sd.max()).fillna(0.0)
    value, luck = float(totals.sum()), account_sd**2 * float(planned.groups["accounts"].sum())
    spread = Z * float(np.sqrt(((totals * sd) ** 2).sum() + luck))
    moved = Z * float(np.sqrt((((totals - now) * sd) ** 2).sum()))
    value_now = planned.optimum.value_now if planned.optimum else np.nan
    gain = value - value_now
    return dict(zip(GAIN, (value, value - spread, value + spread, value_now, gain, gain - moved, gain + moved), strict=True))


def letters_by(register: pd.DataFrame, day: date) -> pd.DataFrame:
    """The units whose letter of authorisation does not reach `day`, or who have none: unit_key, unit_name, authorised_to. Teams need
    none.
    """
    agency = register[register["unit_type"] == "agency"]
    ends = pd.to_datetime(agency["authorised_to"])
    lacking = agency[ends.isna() | (ends < pd.Timestamp(day)) | (agency["authorisation"] != "valid")]
    return lacking[["unit_key", "unit_name", "authorised_to"]].sort_values("unit_key", ignore_index=True)


def plan_conditions(lacking: pd.DataFrame, room: pd.DataFrame, *, names: Mapping[str, str], open_units: Collection[str]) -> list[Condition]:
    """What to do before signing: the flow has to fit (without that there is no plan), letters that end in the next period (`letters_by`),
    units that are full. `open_units`: those that pass their gates.
    """
    full = room[room["most"] <= 0]
    fits = float(room.loc[room["unit_key"].isin(open_units), "most"].sum())
    flow = float(room["flow_accounts"].max()) if len(room) else 0.0
    return [
        Condition(
            name="plan_fits",
            met=room.empty or fits >= 1,
            consequence="refuse",
            details={"room_share": min(fits, 1.0), "missing": round(max(1 - fits, 0) * flow), "flow": round(flow)},
        ),
        Condition(
            name="plan_letters",
            met=lacking.empty,
            consequence="note",
            details={"units": ", ".join(str(name) for name in lacking["unit_name"]), "count": len(lacking)},
        ),
        Condition(
            name="plan_room",
            met=full.empty,
            consequence="note",
            details={"units": ", ".join(names.get(key, key) for key in full["unit_key"]), "count": len(full)},
        ),
    ]
