"""Does the commission tariff pay for waiting, is it whole, and does somebody's cash wait? Codes and numbers, no wording.

A tier begins with a number of months on placement. Where the rate rises there, a payment of the month before earns more if it comes later.
"""

from collections.abc import Mapping
from itertools import pairwise
from math import ceil

import numpy as np
import pandas as pd

from collect_analysis.agencies.integrity_verdict import NONE, STRONG, WEAK, Thresholds
from collect_analysis.agencies.invoice_lines import half_up
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.profiling.peer_tests import LEAST_PEERS, Floats, peer_excess
from collect_analysis.methods.rates.multiplicity import benjamini_hochberg, holm

EXAMPLE_MINOR = 1_000_000
OVERLAP, MISSING = "overlap", "missing"
STEP_COLUMNS = ("tariff_id", "tier_from", "rate_before", "rate_after", "step", "cliff", "hold_back", "valid_from", "valid_to")
FAULT_COLUMNS = ("fault", "tariff_id", "tier_from", "tier_to", "valid_from", "valid_to")
BUNCHING_COLUMNS = (
    "unit_key", "tier_from", "cells", "before_minor", "after_minor", "ratio", "se_log", "peers", "p_value", "p_adjusted", "p_false_share",
    "finding", "note",
)  # fmt: skip
# What was placed together is one case of the test; fewer of them with cash at an edge do not tell its scatter.
LEAST_CELLS = 10
TOO_YOUNG = "no batch is old enough for the first month of the higher tier"
NO_CASH = "no cash in one of the two months"
FEW_CELLS = f"fewer than {LEAST_CELLS} strata with cash in the two months"
FEW_PEERS = f"fewer than {LEAST_PEERS} other units to compare with"
_NEVER = pd.Timestamp.max.floor("D")
_KEYS = ["tariff_id", "item", "valid_from"]


def tier_steps(rows: pd.DataFrame) -> pd.DataFrame:
    """Where does the commission rate change with months on placement, and what does waiting for it pay?

    `rows`: of `measures.invoices.tariff_rows`. Columns: tariff_id, tier_from (months on placement), rate_before and rate_after (shares),
    step (percentage points), cliff (minor units of commission a partner gains by holding a payment of 1,000,000 minor units until the tier,
    each commission rounded half up), hold_back (the rate rises), valid_from, valid_to (day after the last; NaT: current). Sorted; empty
    where no tariff has two tiers.
    """
    table = _commission(rows)
    table["rate_before"] = table.groupby(_KEYS)["rate"].shift()
    table["ended_before"] = table.groupby(_KEYS)["ends"].shift()
    found = table[table["rate_before"].notna()].reset_index(drop=True)
    example = pd.Series(EXAMPLE_MINOR, index=found.index)
    ends = found[["ends", "ended_before"]].min(axis=1) if len(found) else found["ends"]
    found = found.assign(
        rate_after=found["rate"],
        step=100 * (found["rate"] - found["rate_before"]),
        cliff=half_up(example, found["rate"]) - half_up(example, found["rate_before"]),
        hold_back=found["rate"] > found["rate_before"],
        valid_to=_open(ends),
    )
    return found[list(STEP_COLUMNS)].sort_values(["tariff_id", "valid_from", "tier_from"], ignore_index=True)


def tariff_faults(rows: pd.DataFrame) -> pd.DataFrame:
    """At which months on placement and on which days does a commission tariff say two rates, or none?

    A tier reaches to the next one of the same tariff, item and first day (as payments are priced: `measures.economics.commission_tiers`).
    fault: overlap (two or more rates hold), missing (none holds, between the tariff's first day and its last). tier_from, tier_to: months,
    [from, to), NaN: open; valid_from, valid_to: days, [from, to), NaT: open. The fix: end the older row (valid_to) where the newer begins;
    add the tier or the days that lack. Rows without rate price nothing. Sorted; empty: no fault.
    """
    table = _commission(rows)
    table["tier_to"] = table.groupby(_KEYS)["tier_from"].shift(-1).fillna(np.inf)
    found = [row for (tariff, _), part in table.groupby(["tariff_id", "item"]) for row in _faults_of(str(tariff), part)]
    faults = pd.DataFrame(found, columns=list(FAULT_COLUMNS)).drop_duplicates(ignore_index=True)
    faults["tier_to"] = faults["tier_to"].astype(float).replace(np.inf, np.nan)
    days = {name: _open(pd.to_datetime(faults[name])) for name in ("valid_from", "valid_to")}
    return faults.assign(**days).sort_values(["tariff_id", "valid_from", "tier_from", "fault"], ignore_index=True)


def bunching(sums: pd.DataFrame, steps: pd.DataFrame, limits: Thresholds | None = None) -> pd.DataFrame:
    """Does a unit's cash jump where its commission rises, more than its peers' cash does?

    `sums`: of `placements.stratum_sums`; `steps`: of `tier_steps`, of which only edges where the rate rises count. Per unit and edge: cash of
    the first month of the higher tier (after_minor) over cash of the last month of the lower one (before_minor), ratio R; both of the same
    accounts. Variance of log R from the residuals after - R·before of the k strata (what was placed together) that had cash in either month:
    sum of squares / after² · k/(k-1). Against the other units' ratio (peers) by `methods.peer_tests.peer_excess`, one-sided; p_adjusted: Holm
    over units x edges, p_false_share: Benjamini-Hochberg over the same. strong: p_adjusted at most 1 - level, weak: p_false_share at most
    that, both with ratio at least `least_ratio` x peers; none: neither. Not judged: finding empty, `note` says why. Where all wait, nobody
    stands out. Columns: BUNCHING_COLUMNS, money in minor units; sorted by unit and edge. Empty without sums or without a rising rate.
    Small units hide: of six units, one that holds back three fifths of a month's cash is listed in 6 of 10 cases with 70 payers a month,
    hardly ever with 20 (simulated; of 1,800 panels of honest units none had one listed).
    Source: delta method for a ratio, Cochran (1977) ch. 6.
    """
    limits = limits or Thresholds()
    rising = steps.loc[steps["hold_back"].astype(bool), "tier_from"]
    # Ages are whole months: the first one in a tier from month 2.5 is 3.
    edges = sorted({ceil(edge) for edge in rising if edge > 0})
    if sums.empty or not edges:
        return pd.DataFrame(columns=list(BUNCHING_COLUMNS))
    oldest = int(sums["age_months"].max())
    table = pd.concat([_at_edge(sums, edge, known=edge <= oldest) for edge in edges], ignore_index=True)
    for name in ("peers", "p_value"):
        table[name] = np.nan
    for _, part in table[table["note"] == ""].groupby("tier_from"):
        if len(part) - 1 < LEAST_PEERS:
            table.loc[part.index, "note"] = FEW_PEERS
            continue
        centre, p = peer_excess(np.log(part["ratio"]), part["se_log"])
        table.loc[part.index, "peers"], table.loc[part.index, "p_value"] = np.exp(centre), p
    table["p_adjusted"], table["p_false_share"] = holm(table["p_value"]), benjamini_hochberg(table["p_value"])
    large, alpha = table["ratio"] >= limits.least_ratio * table["peers"], 1 - limits.level
    found = np.select([large & (table["p_adjusted"] <= alpha), large & (table["p_false_share"] <= alpha)], [STRONG, WEAK], NONE)
    table["finding"] = np.where(table["p_value"].isna(), "", found)
    return table[list(BUNCHING_COLUMNS)].sort_values(["unit_key", "tier_from"], ignore_index=True)


def tariff_conditions(faults: pd.DataFrame, found: pd.DataFrame, *, names: Mapping[str, str]) -> list[Condition]:
    """Are the tiers of tariffs whole (`tariff_faults`), and does nobody's cash wait for the next one (`bunching`)? Both notes; `names` by key."""
    waiting = [names.get(key, key) for key in dict.fromkeys(found.loc[found["finding"] == STRONG, "unit_key"])]
    told = "; ".join(f"{row.fault} {row.tariff_id} {row.tier_from:g}" for row in faults.itertuples())
    return [
        Condition(name="plan_tariff", met=faults.empty, consequence="note", details={"count": len(faults), "rows": told}),
        Condition(name="plan_hold_back", met=not waiting, consequence="note", details={"units": ", ".join(waiting)}),
    ]


def _commission(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that price commission, with `ends` instead of an open end; sorted by tariff, validity and tier."""
    table = rows[(rows["kind"] == "commission") & rows["rate"].notna()]
    days = {name: pd.to_datetime(table[name]).astype("datetime64[s]") for name in ("valid_from", "valid_to")}
    table = table.assign(rate=table["rate"].astype(float), tier_from=table["tier_from"].astype(float), **days)
    table["ends"] = table["valid_to"].fillna(_NEVER.as_unit("s"))
    return table.sort_values([*_KEYS, "tier_from"], ignore_index=True)


def _open(days: pd.Series) -> pd.Series:
    return days.where(days < _NEVER.as_unit("s")).astype("datetime64[s]")


def _faults_of(tariff: str, part: pd.DataFrame) -> list[tuple[str, str, float, float, pd.Timestamp, pd.Timestamp]]:
    """Faults of one tariff: between every two neighbouring edges and days all payments meet the same rows, so one look at each will do."""
    tiers = sorted({0.0, *part["tier_from"], *part["tier_to"]})
    days = sorted({*part["valid_from"], *part["ends"]})
    found: list[tuple[str, str, float, float, pd.Timestamp, pd.Timestamp]] = []
    for low, high in pairwise(tiers):
        inside = part[(part["tier_from"] <= low) & (part["tier_to"] > low)]
        last = ""
        for first, end in pairwise(days):
            rates = int(((inside["valid_from"] <= first) & (inside["ends"] > first)).sum())
            fault = MISSING if rates == 0 else OVERLAP if rates > 1 else ""
            if fault and fault == last:
                found[-1] = (*found[-1][:5], end)
            elif fault:
                found.append((fault, tariff, low, high, first, end))
            last = fault
    return found


def _at_edge(sums: pd.DataFrame, edge: int, *, known: bool) -> pd.DataFrame:
    """Cash around one edge by unit: unit_key, tier_from, cells, before_minor, after_minor, ratio, se_log, note."""
    if not known:
        units = pd.DataFrame({"unit_key": sorted(sums["unit_key"].unique()), "cells": 0})
        nothing = dict.fromkeys(("before_minor", "after_minor", "ratio", "se_log"), np.nan)
        return units.assign(tier_from=edge, note=TOO_YOUNG, **nothing)
    cash = sums.pivot_table(index=["unit_key", "allocation", "stratum"], columns="age_months", values="sum_y", aggfunc="sum")
    cash = cash.astype(float).assign(**{"-1": 0.0}).rename(columns={"-1": -1})
    cells = pd.DataFrame({"before": cash[edge - 1] - cash[edge - 2], "after": cash[edge] - cash[edge - 1]}).reset_index()
    cells["some"] = (cells["before"] != 0) | (cells["after"] != 0)
    table = cells.groupby("unit_key").agg(cells=("some", "sum"), before_minor=("before", "sum"), after_minor=("after", "sum"))
    paid = (table["before_minor"] > 0) & (table["after_minor"] > 0)
    table["ratio"] = (table["after_minor"] / table["before_minor"]).where(paid)
    cells["residual"] = (cells["after"] - cells["unit_key"].map(table["ratio"]) * cells["before"]) ** 2
    squares = cells.groupby("unit_key")["residual"].sum()
    table["se_log"] = pd.Series(_se(squares, table), index=table.index).where(paid & (table["cells"] >= LEAST_CELLS))
    note = np.select([~paid, table["cells"] < LEAST_CELLS], [NO_CASH, FEW_CELLS], "")
    return table.assign(tier_from=edge, note=note).reset_index()


def _se(squares: pd.Series, table: pd.DataFrame) -> Floats:
    k = table["cells"].astype(float)
    return np.sqrt(squares * k / (k - 1).where(k > 1) / table["after_minor"].where(table["after_minor"] > 0) ** 2)
