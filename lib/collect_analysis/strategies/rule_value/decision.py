"""What a rule would change, and the test that would tell its value where the log cannot: codes and numbers, no wording."""

from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.methods.rates.levels import CONFIDENCE, POWER
from collect_analysis.methods.trials.power import cases_for

# A rule keeps at least this share of its cases drawn by lot, so that the next question can be answered from its log.
LEAST_RANDOM = 0.05
# In a table of tests: the rows of a rule together, the rule as one arm, what is done today as the other.
ALL_ROWS, RULE, AS_NOW = 0, "rule", "as_now"
CHANGE_COLUMNS = ["rule", "row", "action", "cases", "share", "rule_share", "rule_cases", "difference"]
TEST_COLUMNS = [
    "rule", "row", "arms", "cases", "changing", "payer_rate", "needed", "needed_all", "per_week", "weeks_all", "random_share", "weeks_share",
]  # fmt: skip


def changes(rule: str, counts: pd.DataFrame, chances: pd.DataFrame) -> pd.DataFrame:
    """Who would get another action?

    `counts`: row, action, n (decisions taken). Columns: rule, row, action, cases (got it), share (of the row), rule_share, rule_cases (would
    get it), difference. The cases that change in a row are the sum of the differences above 0: nobody is moved to and fro.
    """
    taken = counts.groupby(["row", "action"], as_index=False)["n"].sum()
    table = taken.merge(chances, on=["row", "action"], how="outer").fillna({"n": 0.0, "probability": 0.0})
    cases = table.groupby("row")["n"].transform("sum")
    table = table.assign(rule=rule, share=table["n"] / cases.where(cases > 0), rule_cases=table["probability"] * cases)
    table = table[(table["n"] > 0) | (table["probability"] > 0)]
    table = table.rename(columns={"n": "cases", "probability": "rule_share"}).assign(difference=lambda t: t["rule_cases"] - t["cases"])
    return table.sort_values(["row", "action"], ignore_index=True)[CHANGE_COLUMNS]


def changed(table: pd.DataFrame) -> float:
    """How many cases of a table of `changes` would get another action."""
    return float(table["difference"].clip(lower=0).sum())


def design_test(
    rule: str,
    facts: pd.DataFrame,
    change: pd.DataFrame,
    *,
    unit: str,
    margin: float,
    weeks: int,
    power: float = POWER,
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """Which test would tell what the rule is worth?

    In each row where the rule changes what is done: its actions and the one it replaces most are drawn by lot. Cases per arm find the
    relative `margin` of the row's own mean of an outcome in `unit` with probability `power` (`power.cases_for`: the row's own coefficient of
    variation and design effect). The cases come at the row's own rate in the log. Several such rows are also planned as one test of the rule
    against what is done today (row 0).

    Takes `measures.rule_value.row_facts` and `changes`. Columns: rule, row, arms (joined by " / "), cases (in the log), changed, payer_rate,
    needed (per arm), needed_all (all arms), per_week, weeks_all (if everybody is drawn), random_share (to be drawn by lot so that the test ends
    within `weeks`; at least 5 %), weeks_share (at that share). Undefined (NaN): a row without payers (needed), a log of one day (weeks_all).
    """
    known = [{str(key): item for key, item in fact.items()} for fact in facts.to_dict("records")]
    concerned: list[dict[str, Any]] = [fact for fact in known if changed(change[change["row"] == fact["row"]]) > 0]
    if len(concerned) > 1:
        concerned.append(_together(concerned))
    rows = []
    for fact in concerned:
        own = change if fact["row"] == ALL_ROWS else change[change["row"] == fact["row"]]
        arms = [RULE, AS_NOW] if fact["row"] == ALL_ROWS else _arms(own)
        how: dict[str, Any] = {"unit": unit, "power": power, "level": level, "design_effect": np.fmax(fact["design_effect"], 1.0)}
        needed = float(np.ceil(cases_for(fact["cv"], margin, **how)))
        total, rate = needed * len(arms), float(fact["per_week"])
        share = float(np.clip(total / (rate * weeks), LEAST_RANDOM, 1.0)) if rate > 0 else np.nan
        rows.append(
            {
                "rule": rule, "row": fact["row"], "arms": " / ".join(arms), "cases": fact["cases"], "changing": changed(own),
                "payer_rate": fact["payers"] / fact["cases"], "needed": needed, "needed_all": total, "per_week": rate,
                "weeks_all": _whole(total, rate), "random_share": share,
                "weeks_share": _whole(total, rate * share),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=TEST_COLUMNS)


def _whole(cases: float, per_week: float) -> float:
    """Whole weeks in which so many cases come; what the last binary digit adds is no week."""
    return float(np.ceil(round(cases / per_week, 6))) if per_week > 0 and np.isfinite(cases) else float("nan")


def _arms(change: pd.DataFrame) -> list[str]:
    replaced = change.sort_values(["difference", "action"])["action"].iloc[0]
    return list(dict.fromkeys([*change.loc[change["rule_share"] > 0, "action"], replaced]))


def _together(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows as one: mean and spread of their cases mixed."""
    n, mean, cv = (np.array([fact[name] for fact in facts], dtype=float) for name in ("cases", "value", "cv"))
    total, centre = n.sum(), float((n * mean).sum() / n.sum())
    # A row where nobody paid has mean 0, and its cv is undefined: its squares are 0.
    squares = float((n * np.where(mean > 0, mean**2 * (1 + np.nan_to_num(cv) ** 2), 0.0)).sum() / total)
    return {
        "row": ALL_ROWS, "cases": total, "payers": sum(fact["payers"] for fact in facts), "value": centre,
        "cv": np.sqrt(squares - centre**2) / centre if centre > 0 else np.nan, "per_week": sum(fact["per_week"] for fact in facts),
        "design_effect": max(fact["design_effect"] for fact in facts),
    }  # fmt: skip
