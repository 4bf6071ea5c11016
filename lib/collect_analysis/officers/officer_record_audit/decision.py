"""What of a record needs a person's eye: the standing of each type of finding, and what follows; codes and numbers, no wording."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.measures.record_audit import TYPES
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.profiling.record_tests import count_excess
from collect_analysis.methods.rates.levels import CONFIDENCE

# review: records that people must look at. system: one fault of a system or a gap of the record, for its owner. chance: no more than chance
# makes. clean: none found. untestable: the book does not carry what is needed.
REVIEW, SYSTEM, CHANCE, CLEAN, UNTESTABLE = "review", "system", "chance", "clean", "untestable"
# Findings that no single officer made.
GAPS = ("day_without_sheets", "minutes_unlogged")
OF_SYSTEMS = ("clock", *GAPS)
# A record of one person needs so many excess records before anybody is asked about chance.
LEAST_EXCESS = 5
LEAST_EXPECTED = 20
STANDING_COLUMNS = (
    "type", "kind", "status", "review", "observed", "trials", "value", "expected", "excess", "p_value", "people", "units", "money_minor", "note",
)  # fmt: skip


def beyond_chance(findings: pd.DataFrame, by: str, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """Which units or officers (`by`) show more of a type than is expected of them?

    `findings` is the table of `Audit.findings`. Columns: type, kind, `by` (and unit_key for officers), observed, trials, value, expected, excess,
    p_value, p_adjusted (Holm over all of a kind: rule, chance, peers), beyond (adjusted p at most 1 - level; for types that chance makes also
    `LEAST_EXCESS` records more than expected), money_minor, note. Only rows with something found. Sorted as the findings.
    """
    keys = ["type", "unit_key", "officer_key"] if by == "officer_key" else ["type", by]
    sums = findings.groupby(keys, as_index=False, sort=False)[["observed", "trials", "expected", "money_minor"]].sum(min_count=1)
    parts = []
    kinds = sums["type"].map(TYPES)
    for kind in dict.fromkeys(kinds):
        # One family per kind: many officers and several types are asked of the same records.
        tested = count_excess(sums[kinds == kind].astype({"expected": float}), level=level).assign(kind=kind)
        tested["beyond"] = tested["beyond"] & ((kind == "rule") | (tested["excess"] >= LEAST_EXCESS))
        parts.append(tested[tested["observed"] > 0])
    columns = [*keys, "kind", "observed", "trials", "value", "expected", "excess", "p_value", "p_adjusted", "beyond", "money_minor", "note"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts).sort_index().reset_index(drop=True)[columns]


def standings(findings: pd.DataFrame, officers: pd.DataFrame, missing: dict[str, str], *, level: float = CONFIDENCE) -> pd.DataFrame:
    """How does each type of finding stand, and how many records must somebody look at?

    A `rule` type needs review wherever it is found; a `chance` or `peers` type only with the officers who show more than is expected of them, and
    there all of them, for nobody can tell which are the excess. Columns: STANDING_COLUMNS; review: records to look at; people, units: of them;
    p_value: of the whole count. Types the book cannot be asked are told with status untestable; note: what is missing. In the order of `TYPES`.
    """
    rows = []
    sums = findings.groupby("type")[["observed", "trials", "expected", "money_minor"]].sum(min_count=1)
    tested = count_excess(sums.reset_index().astype({"expected": float}), level=level).set_index("type")
    for name, kind in TYPES.items():
        if name in missing or name not in tested.index:
            rows.append(_untestable(name, kind, missing.get(name, "")))
            continue
        own = tested.loc[name].to_dict()
        flagged = officers[(officers["type"] == name) & officers["beyond"]]
        everywhere = kind == "rule"
        seen = findings[(findings["type"] == name) & (findings["observed"] > 0)]
        touched = seen if everywhere else flagged
        review = int(touched["observed"].sum())
        status = CLEAN if own["observed"] == 0 else SYSTEM if name in OF_SYSTEMS else REVIEW if review else CHANCE
        rows.append(
            {
                "type": name, "kind": kind, "status": status, "review": review if status == REVIEW else 0,
                "people": int((touched["officer_key"] != "unassigned").sum()), "units": int(touched["unit_key"].nunique()),
                **{column: own[column] for column in ("observed", "trials", "value", "expected", "excess", "money_minor")},
                "p_value": np.nan if kind == "peers" else own["p_value"], "note": "",
            }
        )  # fmt: skip
    if "duplicate_position" in missing:
        rows.append(_untestable("duplicate_position", "rule", missing["duplicate_position"]))
    return pd.DataFrame(rows, columns=list(STANDING_COLUMNS))


def _untestable(name: str, kind: str, why: str) -> dict[str, object]:
    nothing = dict.fromkeys(("observed", "trials", "value", "expected", "excess", "p_value", "money_minor"), np.nan)
    note = why or "nothing to look at in the period"
    return {"type": name, "kind": kind, "status": UNTESTABLE, "review": 0, "people": 0, "units": 0, **nothing, "note": note}


@dataclass(frozen=True, kw_only=True)
class AuditVerdict:
    """The audit in one object: `review` records of `types` for people to look at, `system` records of `system_types` for the owner of a system,
    `by_chance` how many of the types tested against chance would stand out by chance alone, `money_minor` after the records to look at.
    """

    review: int
    types: tuple[tuple[str, int], ...]
    system: tuple[tuple[str, int], ...]
    untestable: tuple[str, ...]
    by_chance: float
    money_minor: float


def verdict(table: pd.DataFrame, *, level: float = CONFIDENCE) -> AuditVerdict:
    """What must be done with the record? `table`: of `standings`."""
    review = table[table["status"] == REVIEW]
    system = table[table["status"] == SYSTEM]
    tested = int((table["kind"].isin(["chance", "peers"]) & (table["status"] != UNTESTABLE)).sum())
    return AuditVerdict(
        review=int(review["review"].sum()),
        types=_pairs(review, "review"),
        system=_pairs(system, "observed"),
        untestable=tuple(table.loc[table["status"] == UNTESTABLE, "type"]),
        by_chance=tested * (1 - level),
        money_minor=float(review["money_minor"].sum()),
    )


def as_by_chance(table: pd.DataFrame) -> tuple[float, float] | None:
    """Do calls overlap about as often as times of day that have nothing to do with each other would?

    Then the log does not keep the order of one telephone line: overlaps found and expected by chance; None where they are fewer than half of
    those, or too few are expected to tell. `table`: of `standings`.
    """
    own = table[table["type"] == "overlap"][["observed", "expected"]].astype(float).dropna()
    if own.empty:
        return None
    seen, expected = (float(value) for value in own.iloc[0])
    return (seen, expected) if expected >= LEAST_EXPECTED and seen >= expected / 2 else None


def _pairs(table: pd.DataFrame, column: str) -> tuple[tuple[str, int], ...]:
    ordered = table.sort_values([column, "type"], ascending=[False, True])
    return tuple((str(name), int(count)) for name, count in zip(ordered["type"], ordered[column], strict=True))


def conditions(
    *, contacts: int, sheets: int, rated_twice: int, assessed: int, needed: float, untestable: tuple[str, ...]
) -> list[Condition]:
    """Can the record be audited? ra_contacts (refuse), ra_sheets (downgrade), ra_rated_twice (note: no agreement of assessors without), ra_positions (note)."""
    return [
        Condition(name="ra_contacts", met=contacts > 0, details={"contacts": contacts}),
        Condition(name="ra_sheets", met=sheets > 0, consequence="downgrade", details={"sheets": sheets}),
        Condition(
            name="ra_rated_twice",
            met=rated_twice > 0,
            consequence="note",
            details={"rated": rated_twice, "assessed": assessed, "needed": needed if np.isfinite(needed) else 0},
        ),
        Condition(name="ra_positions", met="duplicate_position" not in untestable, consequence="note", details={}),
    ]
