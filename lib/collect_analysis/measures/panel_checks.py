"""What must hold before agencies are compared, and what would make the question answerable where it does not."""

from collections.abc import Mapping

import pandas as pd

from collect_analysis.measures.placements import FEWEST_AGES, RANDOM, Panel
from collect_analysis.methods.evidence import Condition

LEAST_COVERAGE = 0.80
MOST_UNUSABLE = 0.05
DRIFT_P = 0.001


def of_placements(
    held: pd.DataFrame, found: pd.DataFrame, drift: pd.DataFrame, lost: Mapping[str, int], *, panel: Panel, age: int, basis: str
) -> list[Condition]:
    """The conditions of a comparison from accounts.

    `held`: table of `placements.inventory`; `found`: of `comparison.index` for the `basis`; `drift`: of `profiling.allocation_drift`;
    `lost`: of `placements.unusable`; `age`: the age compared at (-1: no comparison).
    """
    return [
        _two_units(held),
        _mature(age),
        _attributed(lost["overlapping"]),
        _usable(held, lost),
        _lot(drift, basis),
        _overlap(found),
        _horizon(held, panel, age),
    ]


def _two_units(held: pd.DataFrame) -> Condition:
    return Condition(
        name="two_units",
        met=len(held) >= 2,
        detail=f"{len(held)} units have placements in the period.",
        remedy="load the log of placements (unit, balance, first day, probability) and the payments.",
    )


def _mature(age: int) -> Condition:
    return Condition(
        name="maturity",
        met=age >= 0,
        detail=f"At least {FEWEST_AGES} months on placement are complete for two units."
        if age >= 0
        else f"Fewer than {FEWEST_AGES} months on placement are complete for two units.",
        remedy="wait until the first batches are old enough, or start the period earlier.",
    )


def _attributed(twice: int) -> Condition:
    return Condition(
        name="attribution",
        met=twice == 0,
        detail=f"{twice:,} payments fall into two placements of the same account.",
        remedy="end the older placement (to_date) where the newer begins.",
    )


def _usable(held: pd.DataFrame, lost: Mapping[str, int]) -> Condition:
    missing = lost["without_unit"] + lost["without_balance"]
    total = int(held["cases"].sum()) + missing
    return Condition(
        name="usable_placements",
        met=missing <= MOST_UNUSABLE * total,
        detail=f"{missing:,} of {total:,} placements have no unit or no balance and are left out.",
        consequence="downgrade",
        remedy="load the unit and the balance of every placement.",
    )


def _lot(drift: pd.DataFrame, basis: str) -> Condition:
    if basis != RANDOM or drift.empty:
        return Condition(
            name="lot_kept",
            met=False,
            detail="No two units share placements drawn by lot with a recorded probability: choice may differ in ways nobody recorded.",
            consequence="note",
            remedy="draw part of the flow by lot and record the probability of each placement.",
        )
    worst = drift.sort_values("p_value").iloc[0]
    return Condition(
        name="lot_kept",
        met=bool(worst["p_value"] >= DRIFT_P),
        detail=f"The unit furthest from its planned lot got {worst['cases']:,.0f} placements, p = {worst['p_value']:.3f}.",
        remedy="find out who changed placements after the draw, and leave those batches out.",
    )


def _overlap(found: pd.DataFrame) -> Condition:
    least = float(found["coverage"].min()) if len(found) else 0.0
    return Condition(
        name="overlap",
        met=least >= LEAST_COVERAGE,
        detail=f"At least {least:.1%} of what each unit was given has comparable placements with another unit.",
        consequence="downgrade",
        remedy="split strata between units instead of giving a stratum to one of them.",
    )


def _horizon(held: pd.DataFrame, panel: Panel, age: int) -> Condition:
    young = int((held["oldest_age"] < age).sum())
    return Condition(
        name="horizon_complete",
        met=age == panel.horizon and not young,
        detail=f"Compared at age {age} of the {panel.horizon} months asked for; {young} units have no batch of that age: not judged.",
        consequence="note",
        remedy="wait until their first batches are old enough.",
    )


def of_totals(rows: pd.DataFrame, gaps: pd.DataFrame, flow: pd.DataFrame) -> list[Condition]:
    """The conditions of a comparison from unit totals.

    `rows`, `gaps`, `flow`: tables of `unit_periods.read`, `identity_gaps` and `continuity`.
    """
    recalled, new = int((flow["verdict"] == "recalled").sum()), int(rows.groupby("unit_key")["is_new"].any().sum())
    return [
        Condition(
            name="components_add_up",
            met=gaps.empty,
            detail=f"In {len(gaps):,} of {len(rows):,} rows the components differ from the amount collected.",
            remedy="correct the source, or map the missing component.",
        ),
        Condition(
            name="inventory_continuous",
            met=recalled == 0,
            detail=f"{recalled} times inventory was taken back between two periods: the rate after that has a smaller denominator.",
            consequence="note",
            remedy="read those units' rates on the inventory before the recall, or load the recalls by account.",
        ),
        Condition(
            name="units_established",
            met=new == 0,
            detail=f"{new} units are new: young inventory has not had time to bring what it will bring.",
            consequence="note",
            remedy="judge them when their placements are as old as the others'.",
        ),
        Condition(
            name="comparable_accounts",
            met=False,
            detail="The source has totals per unit only: nobody can tell a better agency from one that was given easier accounts.",
            consequence="note",
            remedy="load placements and payments by account, and draw part of the flow by lot.",
        ),
    ]
