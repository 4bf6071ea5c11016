"""What a KPI period asks of whom: which target was missed beyond chance, what moved beyond chance; codes and numbers, no wording."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.measures.scopes import COMPANY, UNASSIGNED

Standing = Literal["missed", "short", "met", "exceeded", "no_target", "undefined"]
# Below or above by chance alone: one in forty on each side of a 95 % interval.
ONE_SIDED = 0.025
# R14 says of the money what R1 says against its target; one of them is enough.
_JUDGED_ELSEWHERE = ("R1",)
STANDING_COLUMNS = ("target_standing", "change_standing")


@dataclass(frozen=True, kw_only=True)
class PeriodVerdict:
    """The period in one object: how the company stands against its money target, and what needs attention.

    `attention` holds one row per KPI and scope that missed its target beyond chance, most money first (`standings` columns). `judged` is
    how many were held against a target, `by_chance` how many of them chance alone would be expected to show as missed.
    """

    money: Standing
    attained: float
    low: float
    high: float
    collected_minor: float
    target_minor: float
    attention: pd.DataFrame
    worse: pd.DataFrame
    judged: int
    by_chance: float
    hard_breaches: int


def standings(table: pd.DataFrame) -> pd.DataFrame:
    """How does each KPI stand against its target and against the period before?

    `table` is that of `kpi_table.compared`. Adds target_standing: missed or exceeded (the whole interval on one side of the target), short
    or met (on that side, but within chance; without an interval nothing is beyond chance), no_target, undefined. Adds change_standing:
    worse, better (the whole interval of the change on one side of 0), moved (beyond chance, no better side), unchanged, undefined.
    """
    sign = table["better"].map({"higher": 1.0, "lower": -1.0, "context": np.nan})
    gap = sign * (table["value"] - table["target"])
    worst = np.where(sign > 0, table["low"], -table["high"]) - sign * table["target"]
    best = np.where(sign > 0, table["high"], -table["low"]) - sign * table["target"]
    target = np.select(
        [table["target"].isna() | sign.isna(), table["value"].isna(), best < 0, worst > 0, gap < 0],
        ["no_target", "undefined", "missed", "exceeded", "short"],
        default="met",
    )
    beyond = (table["change_low"] > 0) | (table["change_high"] < 0)
    change = np.select(
        [table["change"].isna(), ~beyond, sign.isna(), sign * table["change"] > 0],
        ["undefined", "unchanged", "moved", "better"],
        default="worse",
    )
    return table.assign(target_standing=target, change_standing=change)


def attention(stood: pd.DataFrame) -> pd.DataFrame:
    """Who missed which target beyond chance? Rows of `standings`, most money short first, then the largest relative shortfall.

    Adds shortfall (relative, of the target) and short_minor (money short of the target, for R14). What nobody holds is left out.
    """
    held = (stood["scope_key"] != UNASSIGNED) & ~stood["kpi"].isin(_JUDGED_ELSEWHERE)
    rows = stood[held & (stood["target_standing"] == "missed")]
    shortfall = (rows["value"] / rows["target"].where(rows["target"] > 0) - 1).abs()
    short = (rows["denominator"] - rows["numerator"]).where(rows["kpi"] == "R14").astype(float)
    order = ["short_minor", "shortfall", "kpi", "scope_key"]
    return rows.assign(shortfall=shortfall, short_minor=short).sort_values(order, ascending=[False, False, True, True], ignore_index=True)


def period_verdict(stood: pd.DataFrame, *, hard_breaches: int) -> PeriodVerdict:
    """Did the period go as planned, and where must somebody act?

    `stood` is the table of `standings`; `hard_breaches` counts contacts in breach of a rule that is law or contract.
    """
    company = stood[(stood["scope_type"] == "company") & (stood["scope_key"] == COMPANY)].set_index("kpi")
    numbers = company[["value", "low", "high", "denominator"]].astype(float).T.to_dict()
    attained = numbers.get("R14", dict.fromkeys(("value", "low", "high", "denominator"), np.nan))
    known = (stood["scope_key"] != UNASSIGNED) & ~stood["kpi"].isin(_JUDGED_ELSEWHERE)
    judged = int((known & stood["target_standing"].isin(["missed", "short", "met", "exceeded"])).sum())
    worse = stood[known & (stood["change_standing"] == "worse") & (stood["scope_type"] == "company")].reset_index(drop=True)
    return PeriodVerdict(
        money=company["target_standing"].get("R14", "no_target"),
        attained=attained["value"],
        low=attained["low"],
        high=attained["high"],
        collected_minor=numbers["R1"]["value"] if "R1" in numbers else np.nan,
        target_minor=attained["denominator"],
        attention=attention(stood),
        worse=worse,
        judged=judged,
        by_chance=judged * ONE_SIDED,
        hard_breaches=hard_breaches,
    )
