"""What must hold before agencies are compared, and what would make the question answerable where it does not."""

from collections.abc import Mapping

import pandas as pd

from collect_analysis.agencies.recording_gaps import CONTACT, PAYMENT
from collect_analysis.agencies.unit_periods import TOTAL
from collect_analysis.agencies.units import NO_PLACEMENTS, RENAMED, UNKNOWN
from collect_analysis.book.presence import in_words
from collect_analysis.measures.placements import FEWEST_AGES, RANDOM, Panel
from collect_analysis.methods.evidence import Condition

LEAST_COVERAGE = 0.80
MOST_UNUSABLE = 0.05
DRIFT_P = 0.001
CALIBRATION_P, DISAGREE_P = 0.01, 0.05
_DOUBTED = ("misfit", "contradicts", "untested")


def of_placements(
    held: pd.DataFrame,
    found: pd.DataFrame,
    drift: pd.DataFrame,
    lost: Mapping[str, int],
    silent: pd.DataFrame,
    *,
    panel: Panel,
    age: int,
    basis: str,
    names: Mapping[str, str],
) -> list[Condition]:
    """The conditions of a comparison from accounts.

    `held`: table of `placements.inventory`; `found`: of `comparison.index` for the `basis`; `drift`: of `profiling.allocation_drift`;
    `lost`: of `placements.unusable`; `silent`: of `recording_gaps.silent_months`; `age`: the age compared at (-1: no comparison); `names` of
    units by key.
    """
    return [
        _two_units(held),
        _mature(age),
        _attributed(lost["overlapping"]),
        _usable(held, lost),
        _lot(drift, basis),
        _overlap(found),
        *([_horizon(held, panel, age)] if age >= 0 else []),
        *recorded(silent, names),
    ]


def _two_units(held: pd.DataFrame) -> Condition:
    return Condition(
        name="two_units",
        met=len(held) >= 2,
        detail=f"{len(held)} units have placements in the period.",
        remedy="Load the log of placements (unit, balance, first day, probability) and the payments.",
    )


def _mature(age: int) -> Condition:
    return Condition(
        name="maturity",
        met=age >= 0,
        detail=f"At least {FEWEST_AGES} months on placement are complete for two units."
        if age >= 0
        else f"Fewer than {FEWEST_AGES} months on placement are complete for two units.",
        remedy="Wait until the first batches are old enough, or start the period earlier.",
    )


def _attributed(twice: int) -> Condition:
    return Condition(
        name="attribution",
        met=twice == 0,
        detail=f"{twice:,} payments fall into two placements of the same account.",
        remedy="End the older placement (to_date) where the newer begins.",
    )


def _usable(held: pd.DataFrame, lost: Mapping[str, int]) -> Condition:
    missing = lost["without_unit"] + lost["without_balance"]
    total = int(held["cases"].sum()) + missing
    return Condition(
        name="usable_placements",
        met=missing <= MOST_UNUSABLE * total,
        detail=f"{missing:,} of {total:,} placements have no unit or no balance and are left out.",
        consequence="downgrade",
        remedy="Load the unit and the balance of every placement.",
    )


def _lot(drift: pd.DataFrame, basis: str) -> Condition:
    if basis != RANDOM or drift.empty:
        return Condition(
            name="lot_drawn",
            met=False,
            detail="No two units share placements drawn by lot with a recorded probability: choice may differ in ways nobody recorded.",
            consequence="note",
            remedy="Draw part of the flow by lot and record the probability of each placement.",
        )
    worst = drift.sort_values("p_value").iloc[0]
    return Condition(
        name="lot_kept",
        met=bool(worst["p_value"] >= DRIFT_P),
        detail=f"The unit furthest from its planned lot got {worst['cases']:,.0f} placements, p = {worst['p_value']:.3f}.",
        remedy="Find out who changed placements after the draw, and leave those batches out.",
    )


def _overlap(found: pd.DataFrame) -> Condition:
    least = float(found["coverage"].min()) if len(found) else 0.0
    return Condition(
        name="overlap",
        met=least >= LEAST_COVERAGE,
        detail=f"At least {least:.1%} of what each unit was given has comparable placements with another unit.",
        consequence="downgrade",
        remedy="Split strata between units instead of giving a stratum to one of them.",
    )


def _horizon(held: pd.DataFrame, panel: Panel, age: int) -> Condition:
    young = int((held["oldest_age"] < age).sum())
    return Condition(
        name="horizon_complete",
        met=age == panel.horizon and not young,
        detail=f"Compared at age {age} of the {panel.horizon} months asked for; {young} units have no batch of that age: not judged.",
        consequence="note",
        remedy="Wait until their first batches are old enough.",
    )


def of_sections(
    *,
    noted: pd.DataFrame,
    early: Mapping[str, int],
    tests: pd.DataFrame,
    standings: pd.Series,
    spread: pd.DataFrame,
    sides: pd.DataFrame,
    projected: pd.DataFrame,
    basis: str,
    names: Mapping[str, str],
) -> list[Condition]:
    """The conditions of the sections beside the index.

    `noted`: table of `panel_units.noted_units`; `early`: of `panel_units.payments_before`; `tests`: of `placement_index.expected_recovery`;
    `standings`: by unit, what the modelled index adds (supports, misfit, untested, contradicts, absent); `spread`: of `comparison.funnel_of`;
    `sides`: of `index_sturdiness.side_by_side`; `projected`: units of `batch_triangle.project`; `names` of units by key.
    """
    return [
        _known_units(noted),
        _after_placement(early),
        *_calibrated(tests, basis),
        *_modelled(standings, basis, names),
        *_scatter(spread),
        *_sides(sides, basis, names),
        *_old_enough(projected, names),
    ]


def _known_units(noted: pd.DataFrame) -> Condition:
    parts = {finding: list(dict.fromkeys(part["unit_name"])) for finding, part in noted.groupby("finding")}
    unknown, idle, renamed = (parts.get(finding, []) for finding in (UNKNOWN, NO_PLACEMENTS, RENAMED))
    return Condition(
        name="agency_units_known",
        met=not (unknown or idle or renamed),
        consequence="note",
        details={name: found or "-" for name, found in (("unknown", unknown), ("idle", idle), ("renamed", renamed))},
    )


def _after_placement(early: Mapping[str, int]) -> Condition:
    return Condition(
        name="agency_paid_after_placement", met=early["payments"] == 0, consequence="note", details={"payments": early["payments"]}
    )


def _calibrated(tests: pd.DataFrame, basis: str) -> list[Condition]:
    """Whether the expectation fits where it is used. A judgement rests on it only where nothing was drawn by lot."""
    if tests.empty:
        return []
    worst = tests.sort_values("p_adjusted", kind="stable").iloc[0]
    return [
        Condition(
            name="agency_calibrated",
            met=bool(worst["p_adjusted"] >= CALIBRATION_P),
            consequence="note" if basis == RANDOM else "downgrade",
            details={
                "tests": len(tests),
                "p_value": float(worst["p_adjusted"]),
                "level": worst["worst_level"],
                "ratio": float(worst["value"]),
            },
        )
    ]


def _modelled(standings: pd.Series, basis: str, names: Mapping[str, str]) -> list[Condition]:
    """Whether the modelled index of every agency may stand beside the one that is believed."""
    if standings.empty:
        return []
    groups = {name: [names.get(str(key), str(key)) for key in standings.index[standings == name]] for name in _DOUBTED}
    return [
        Condition(
            name="agency_modelled_stands",
            met=not any(groups.values()),
            consequence="note" if basis == RANDOM else "downgrade",
            details={"units": len(standings), **{name: found or "-" for name, found in groups.items()}},
        )
    ]


def _scatter(spread: pd.DataFrame) -> list[Condition]:
    """How agencies scatter around their expectations, and what the funnel makes of it: told, not judged."""
    if spread.empty or pd.isna(spread["scatter_p_value"].iloc[0]):
        return []
    first = spread.iloc[0]
    details = {
        "units": int(spread["z"].notna().sum()), "p_value": float(first["scatter_p_value"]), "phi": float(first["phi"]),
        "tau_share": float(first["tau2"]) ** 0.5,
    }  # fmt: skip
    return [Condition(name=f"agency_scatter_{first['scatter']}", met=True, consequence="note", details=details)]


def _sides(sides: pd.DataFrame, basis: str, names: Mapping[str, str]) -> list[Condition]:
    known = sides.dropna(subset=["p_adjusted"])
    if known.empty:
        return []
    apart = known[known["p_adjusted"] < DISAGREE_P]
    return [
        Condition(
            name="agency_sides_agree",
            met=apart.empty,
            consequence="note" if basis == RANDOM else "downgrade",
            details={
                "units": len(known),
                "apart": [names.get(key, key) for key in apart["unit_key"]] or "-",
                "p_value": float(known["p_adjusted"].min()),
            },
        )
    ]


def _old_enough(projected: pd.DataFrame, names: Mapping[str, str]) -> list[Condition]:
    if projected.empty:
        return []
    young = projected[projected["value"].isna()]
    return [
        Condition(
            name="agency_projectable",
            met=young.empty,
            consequence="note",
            details={"young": [names.get(key, key) for key in young["unit_key"]] or "-", "batches": int(projected["young_batches"].sum())},
        )
    ]


def recorded(silent: pd.DataFrame, names: Mapping[str, str]) -> list[Condition]:
    """Whether payments and contacts of every unit were recorded in every month: without a unit's payments no comparison is fair."""
    found = []
    for name, table, consequence in (("agency_cash_recorded", PAYMENT, "refuse"), ("agency_contacts_recorded", CONTACT, "note")):
        part = silent[silent["table"] == table]
        parts = {key: in_words(day.date() for day in months["month"]) for key, months in part.groupby("unit_key")}
        details: dict[str, object] = {
            "months": len(part),
            "where": "; ".join(f"{names.get(str(key), str(key))} ({told})" for key, told in parts.items()) or "-",
            "expected": float(part["expected"].min()) if len(part) else 0.0,
        }
        found.append(Condition(name=name, met=part.empty, consequence=consequence, details=details))  # type: ignore[arg-type]
    return found


def _recorded_totals(silent: pd.DataFrame) -> list[Condition]:
    """Whether money, and the channels it comes through, were recorded for every unit and period."""
    found = []
    for name, chosen, consequence in (
        ("agency_totals_recorded", silent["component"] == TOTAL, "refuse"),
        ("agency_channels_recorded", silent["component"] != TOTAL, "downgrade"),
    ):
        part = silent[chosen]
        first = part.iloc[0] if len(part) else None
        details: dict[str, object] = {"rows": len(part), "units": list(dict.fromkeys(part["unit_name"])) or "-"}
        if first is not None:
            details |= {
                "unit": str(first["unit_name"]), "since": first["period_start"].date(), "channels": list(dict.fromkeys(part["component"])),
                "low_share": float(part["others_low"].min()), "high_share": float(part["others_high"].max()),
            }  # fmt: skip
        found.append(Condition(name=name, met=part.empty, consequence=consequence, details=details))  # type: ignore[arg-type]
    return found


def of_totals(rows: pd.DataFrame, gaps: pd.DataFrame, flow: pd.DataFrame, silent: pd.DataFrame) -> list[Condition]:
    """The conditions of a comparison from unit totals.

    `rows`, `gaps`, `flow`, `silent`: tables of `unit_periods.read`, `identity_gaps`, `continuity` and `recording_gaps`.
    """
    recalled, new = int((flow["verdict"] == "recalled").sum()), int(rows.groupby("unit_key")["is_new"].any().sum())
    renamed = list(dict.fromkeys(rows.loc[rows["called"] != rows["unit_name"], "called"]))
    return [
        *_recorded_totals(silent),
        Condition(name="agency_one_name", met=not renamed, consequence="note", details={"renamed": renamed or "-", "units": len(renamed)}),
        Condition(
            name="components_add_up",
            met=gaps.empty,
            detail=f"In {len(gaps):,} of {len(rows):,} rows the components differ from the amount collected.",
            remedy="Correct the source, or map the missing component.",
        ),
        Condition(
            name="inventory_continuous",
            met=recalled == 0,
            detail=f"{recalled} times inventory was taken back between two periods: the rate after that has a smaller denominator.",
            consequence="note",
            remedy="Read those units' rates on the inventory before the recall, or load the recalls by account.",
        ),
        Condition(
            name="units_established",
            met=new == 0,
            detail=f"{new} units are new: young inventory has not had time to bring what it will bring.",
            consequence="note",
            remedy="Judge them when their placements are as old as the others'.",
        ),
        Condition(
            name="comparable_accounts",
            met=False,
            detail="The source has totals per unit only: nobody can tell a better agency from one that was given easier accounts.",
            consequence="note",
            remedy="Load placements and payments by account, and draw part of the flow by lot.",
        ),
    ]
