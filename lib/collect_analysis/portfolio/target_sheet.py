"""The target sheet: the rows that are signed, their hash, and whether a signed sheet is still what was proposed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.errors import ApprovalError

# Written by who signs; everything else is hashed.
SIGNATURE = ("approver", "signed_at")
COLUMNS = (
    "period_start", "period_end", "scope_type", "scope_key", "parent_scope", "kpi", "kpi_definition", "version",
    "opening_accounts", "opening_balance_minor", "expected_inflow_accounts", "expected_inflow_minor",
    "p20_minor", "p50_minor", "p80_minor", "capacity_index", "season_factor", "stretch", "target_minor", "p_reach", "weight",
    "gates", "ticket_cap_minor", "rebase_rule", "frozen_on", *SIGNATURE, "hash",
)  # fmt: skip
WHOLE = (
    "version", "opening_accounts", "opening_balance_minor", "expected_inflow_accounts", "expected_inflow_minor", "p20_minor", "p50_minor",
    "p80_minor", "target_minor", "ticket_cap_minor",
)  # fmt: skip
# Rows of one sheet, and what a number of a spreadsheet tells apart.
_SHEET = ["period_start", "period_end", "version", "kpi"]
MOST_EXACT = 2**53
_DECIMALS = {"capacity_index": 4, "season_factor": 4, "stretch": 4, "p_reach": 4, "weight": 4}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the sheet says beside numbers: KPI with definition, version, weight, gates, when accounts are frozen, when targets are re-based."""

    period_start: date
    period_end: date
    definition: str
    version: int
    stretch: float
    weight: float
    gates: tuple[str, ...]
    cap_minor: int
    frozen_on: date
    rebase_share: float


def sheet(scopes: pd.DataFrame, capacity: pd.Series, rules: Rules) -> pd.DataFrame:
    """The rows to be signed, from the company down, with `COLUMNS`.

    `scopes`: as `targets.scopes` gives them; `capacity`: index by unit. `ticket_cap_minor` stands for officers only: what one account
    counts at most there; units count all of it. Amounts and counts are whole, the rest has four decimals, so that the same sheet has the
    same bytes. `hash` is that of the row without the signature: a change after signing shows.
    """
    own = scopes.reset_index(drop=True)
    officer = own["scope_type"] == "officer"
    table = pd.DataFrame(index=own.index)
    table["period_start"], table["period_end"] = rules.period_start.isoformat(), rules.period_end.isoformat()
    table["scope_type"], table["scope_key"], table["parent_scope"] = own["scope_type"], own["scope_key"], own["parent"]
    table["kpi"], table["kpi_definition"], table["version"] = "R1", rules.definition, rules.version
    table["opening_accounts"], table["opening_balance_minor"] = own["accounts"], own["opening_minor"]
    table["expected_inflow_accounts"], table["expected_inflow_minor"] = own["inflow_accounts"], own["inflow_minor"]
    for name in ("p20_minor", "p50_minor", "p80_minor"):
        table[name] = own[name]
    table["capacity_index"] = own["scope_key"].where(own["scope_type"] == "unit").map(capacity).astype(float)
    table["season_factor"], table["stretch"] = own["season"], rules.stretch
    table["target_minor"], table["p_reach"], table["weight"] = own["target_minor"], own["p_reach"], rules.weight
    table["gates"] = ";".join(rules.gates)
    table["ticket_cap_minor"] = np.where(officer, float(rules.cap_minor), np.nan)
    table["rebase_rule"] = f"expected_recovery_of_recalled_accounts > {rules.rebase_share:g}"
    table["frozen_on"] = rules.frozen_on.isoformat()
    table["approver"], table["signed_at"] = "", ""
    return _hashed(_written(table))


def _written(table: pd.DataFrame) -> pd.DataFrame:
    """Every cell as the text that stands in the file."""
    text = pd.DataFrame(index=table.index)
    for name in table.columns:
        column = table[name]
        if name in WHOLE:
            text[name] = [("" if pd.isna(value) else str(round(float(value)))) for value in column]
        elif name in _DECIMALS:
            text[name] = [("" if pd.isna(value) else f"{float(value):.{_DECIMALS[name]}f}") for value in column]
        else:
            text[name] = column.astype(str)
    return text


def _hashed(text: pd.DataFrame) -> pd.DataFrame:
    return text.assign(hash=[row_hash(row) for row in text.to_dict("records")])[list(COLUMNS)]


def row_hash(row: Mapping[Any, str]) -> str:
    """SHA-256 over the cells of a row but for signature and hash, in the order of the columns."""
    said = "\n".join(f"{name}={row[name]}" for name in COLUMNS if name not in (*SIGNATURE, "hash"))
    return hashlib.sha256(said.encode()).hexdigest()


def verify(rows: pd.DataFrame, *, today: date | None = None) -> None:
    """Is this sheet, read as text, still what was proposed, whole, and adding up?

    Numbers count by what they say, so that a spreadsheet may write 100.0000 as 100. `today`: nobody signs after it.

    Raises
    ------
    ApprovalError
        A column is missing, a row was changed after its hash was made, a row comes twice, a signature is half there or no day that has come,
        parts do not add up to their parent, weights of a scope do not add up to 100; all at once, with how many rows and the first.
    """
    absent = [name for name in COLUMNS if name not in rows.columns]
    if absent:
        raise ApprovalError(f"target sheet: column(s) {', '.join(absent)} are missing; sign the sheet as it was written")
    table = _as_written(rows.fillna("").astype(str))
    records = table.to_dict("records")
    problems = []
    changed = [place for place, row in enumerate(records) if row_hash(row) != row["hash"]]
    problems += _told(changed, table, "were changed after they were proposed", "run the report again instead of changing a cell")
    half = [place for place, row in enumerate(records) if bool(row["approver"]) != bool(row["signed_at"])]
    problems += _told(half, table, "have an approver without a day, or a day without an approver", "fill both")
    no_day = [place for place, row in enumerate(records) if row["signed_at"] and not _has_come(row["signed_at"], today)]
    problems += _told(no_day, table, "are signed on no day that has come", "write the day of signing as 2026-05-31")
    twice = np.flatnonzero(table.duplicated([*_SHEET, "scope_type", "scope_key"])).tolist()
    problems += _told(twice, table, "come twice", "keep one")
    problems += _sums(table) + _weights(table)
    if problems:
        raise ApprovalError(problems)


def _as_written(table: pd.DataFrame) -> pd.DataFrame:
    """The cells as the sheet writes them, where a number was written in another way that says the same."""
    text = table.copy()
    for name in (*WHOLE, *_DECIMALS):
        numbers = pd.to_numeric(table[name], errors="coerce")
        fits = np.isfinite(numbers) & ((numbers.abs() < MOST_EXACT) & (numbers == numbers.round()) if name in WHOLE else True)
        form = ".0f" if name in WHOLE else f".{_DECIMALS[name]}f"
        text[name] = [f"{number:{form}}" if good else cell for number, good, cell in zip(numbers, fits, table[name], strict=True)]
    return text


def _has_come(text: str, today: date | None) -> bool:
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return False
    return today is None or day <= today


def _told(places: Sequence[int], table: pd.DataFrame, what: str, fix: str) -> list[str]:
    if not places:
        return []
    first = table.iloc[places[0]]
    return [f"target sheet: {len(places)} of {len(table)} rows {what} (first: {first['scope_type']} {first['scope_key']}); {fix}"]


def _sums(table: pd.DataFrame) -> list[str]:
    """Whether the parts of every parent that has parts in the sheet add up to it; of one period and version."""
    values = table.assign(value=pd.to_numeric(table["target_minor"], errors="coerce"))
    unread = np.flatnonzero(values["value"].isna()).tolist()
    problems = _told(unread, table, "have a target that is no number", "run the report again instead of changing a cell")
    values = values.drop(index=values.index[unread]).drop_duplicates([*_SHEET, "scope_type", "scope_key"])
    values["value"] = values["value"].astype("int64")
    above = {"sub_function": "company", "unit": "sub_function", "officer": "unit"}
    for lower, upper in above.items():
        parts = values[values["scope_type"] == lower].groupby([*_SHEET, "parent_scope"], as_index=False)["value"].sum()
        whole = values.loc[values["scope_type"] == upper, [*_SHEET, "scope_key", "value"]].rename(columns={"value": "own"})
        both = parts.merge(whole, left_on=[*_SHEET, "parent_scope"], right_on=[*_SHEET, "scope_key"], validate="one_to_one")
        wrong = both[both["value"] != both["own"]]
        if len(wrong):
            first = wrong.iloc[0]
            gap = int(first["value"]) - int(first["own"])
            problems.append(
                f"target sheet: {lower} targets of {first['scope_key']} differ from its own by {gap:,}; they must add up exactly"
            )
    return problems


def _weights(table: pd.DataFrame) -> list[str]:
    keys = ["period_start", "period_end", "version", "scope_type", "parent_scope", "scope_key"]
    weights = table.assign(total=pd.to_numeric(table["weight"], errors="coerce").fillna(0.0)).groupby(keys, as_index=False)["total"].sum()
    wrong = weights[(weights["total"] - 100).abs() > 1e-6]
    if wrong.empty:
        return []
    first = wrong.iloc[0]
    return [f"target sheet: weights of {len(wrong)} scopes do not make 100 (first: {first['scope_key']}, {first['total']:g})"]
