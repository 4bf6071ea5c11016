"""Can this log answer what a rule would have brought? The conditions, judged from aggregates; codes and numbers, no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.targeting.policy_value import effective
from collect_analysis.strategies.fitness import MOST_OPEN, results_in_time
from collect_analysis.strategies.rules import Rule

MIN_EFFECTIVE_PAYERS = 200
WEIGHT_LEVEL = 0.001


@dataclass(frozen=True, kw_only=True)
class LogFacts:
    """What a log is judged from: `facts` and `flaws` as `measures.arms` gives them, `impossible` decisions with probability 0, `drawn` those
    strictly between 0 and 1, `open_share` whose horizon is not over, `later` and `undrawn` decisions that were left out.
    """

    facts: pd.DataFrame
    flaws: pd.DataFrame
    impossible: int
    drawn: int
    open_share: float
    horizon_days: int
    outcome: str
    later: int = 0
    undrawn: int = 0


def log_conditions(log: LogFacts, *, preregistration: str, learnt_here: bool, late_covariates: Sequence[str]) -> list[Condition]:
    """Can any rule be judged on this log?

    Refusing: probabilities missing, or 0 for what was done; nothing drawn by lot; an open horizon; impossible outcomes; rules learnt on these
    very decisions. Downgrading: rules that nobody declared before looking. Notes: what was left out.
    """
    cases, missing = int(log.facts["cases"].sum()), int(log.facts["without_propensity"].sum())
    counts = {name: int(log.flaws[name].sum()) for name in ("missing", "negative", "not_yes_no")}
    share = {"missing": missing, "cases": cases, "missing_share": missing / cases if cases else np.nan}
    found = [Condition(name="propensities_logged", met=missing == 0, details=share)]
    if missing < cases:
        found += [
            Condition(name="propensities_possible", met=log.impossible == 0, details={"impossible": log.impossible, "cases": cases}),
            Condition(name="drawn_by_lot", met=log.drawn > 0, details={"drawn": log.drawn, "drawn_share": log.drawn / cases}),
        ]
    if int(log.facts["without_date"].sum()) and log.facts["first_assigned"].isna().all():
        found.append(Condition(name="dates_known", met=False, consequence="note", details={"days": log.horizon_days}))
    else:
        values = {"days": log.horizon_days, "open_share": log.open_share, "most_share": MOST_OPEN}
        found.append(Condition(name="horizon_over", met=log.open_share <= MOST_OPEN, details=values))
    found += results_in_time(log.flaws, log.outcome)
    found.append(Condition(name="outcome_sound", met=not any(counts.values()), details={**counts, "outcome": log.outcome}))
    if learnt_here:
        found.append(Condition(name="rule_not_learnt_here", met=False))
    found.append(Condition(name="rule_declared", met=bool(preregistration), consequence="downgrade", details={"where": preregistration}))
    if late_covariates:
        found.append(Condition(name="covariates_before", met=False, consequence="note", details={"covariates": list(late_covariates)}))
    for name, count in (("later_left_out", log.later), ("undrawn_left_out", log.undrawn)):
        if count:
            found.append(Condition(name=name, met=False, consequence="note", details={"count": count, "cases": cases}))
    return found


def known_before(rule: Rule, late: Sequence[str]) -> Condition:
    """Does the rule ask only what was known before the decision?"""
    asked = [column for column in rule.columns if column in late]
    return Condition(name="rule_known_before", met=not asked, details={"rule": rule.name, "columns": asked})


def rule_conditions(rule: str, sums: pd.DataFrame, chances: pd.DataFrame, averages: pd.DataFrame) -> list[Condition]:
    """Can this rule be judged on this log?

    Refusing: an action the rule wants was never drawn in a row, or never could be (another was certain there); weights do not average 1; the
    log tells as much as fewer than 200 payers drawn by the rule. Note: weights that were cut off.
    Takes what `measures.rule_value.weigh` returns for the rule.
    """
    tried = _tried(rule, sums, chances)
    # Where an action was never tried weights cannot average 1: that is the same fault, not another one.
    return [tried, *(_averaging(rule, averages) if tried.met else []), _enough(rule, sums), *_whole(rule, sums)]


def untried(sums: pd.DataFrame, chances: pd.DataFrame) -> pd.DataFrame:
    """The pairs the log is silent on: row, action, cases of that row; an action never drawn there, or where another one was certain."""
    cells = sums.groupby(["row", "action"])[["n", "certain"]].sum()
    cases = sums.groupby("row")["n"].sum()
    rows = []
    for row, action, chance in chances[["row", "action", "probability"]].itertuples(index=False, name=None):
        if chance <= 0 or row not in cases.index:
            continue
        seen = float(cells["n"].get((row, action), 0.0)) > 0
        own = cells.loc[row]
        elsewhere = float(own.loc[own.index != action, "certain"].sum())
        if not seen or elsewhere > 0:
            rows.append({"row": int(row), "action": str(action), "cases": float(cases[row]) if not seen else elsewhere})
    return pd.DataFrame(rows, columns=["row", "action", "cases"])


def _tried(rule: str, sums: pd.DataFrame, chances: pd.DataFrame) -> Condition:
    silent = untried(sums, chances)
    wanted = int((chances["probability"] > 0).sum())
    values: dict[str, object] = {"rule": rule, "pairs": len(silent), "wanted": wanted}
    if len(silent):
        touched = silent.groupby("row")["cases"].max().sum() / sums["n"].sum()
        values |= {"action": silent["action"].iloc[0], "row": int(silent["row"].iloc[0]), "touched_share": float(touched)}
    return Condition(name="actions_tried", met=silent.empty, details=values)


def _averaging(rule: str, averages: pd.DataFrame) -> list[Condition]:
    """Over all decisions, and in the row that is furthest off."""
    told = averages.dropna(subset=["p_adjusted"]).sort_values(["p_adjusted", "row"])
    found = []
    for name, part in (("weights_average", told[told["row"] == 0]), ("weights_average_in_rows", told[told["row"] > 0])):
        for worst in part.head(1).to_dict("records"):
            values = {"rule": rule, "row": int(worst["row"]), "mean": float(worst["mean"]), "p_value": float(worst["p_adjusted"])}
            found.append(Condition(name=name, met=bool(worst["p_adjusted"] >= WEIGHT_LEVEL), details=values))
    return found


def effective_payers(sums: pd.DataFrame) -> float:
    """How many payers drawn by the rule itself would tell as much."""
    return effective(float(sums["payers_w"].sum()), float(sums["payers_ww"].sum()))


def _enough(rule: str, sums: pd.DataFrame) -> Condition:
    payers, cases = effective_payers(sums), float(sums["n"].sum())
    needed = cases * MIN_EFFECTIVE_PAYERS / payers if payers > 0 else np.nan
    values = {"rule": rule, "payers": int(payers), "least": MIN_EFFECTIVE_PAYERS, "cases": int(cases), "needed": float(np.ceil(needed))}
    return Condition(name="effective_payers", met=payers >= MIN_EFFECTIVE_PAYERS, details=values)


def _whole(rule: str, sums: pd.DataFrame) -> list[Condition]:
    cut, full = int(sums["cut"].sum()), float(sums["full_w"].sum())
    if not cut:
        return []
    values = {"rule": rule, "cut": cut, "cases": int(sums["n"].sum()), "lost_share": (full - float(sums["sum_w"].sum())) / full}
    return [Condition(name="weights_whole", met=False, consequence="note", details=values)]


def merged(by_rule: Mapping[str, Sequence[Condition]]) -> list[Condition]:
    """The conditions of several rules as one list for a page: per name the first that is not met, refusing only if it fails for every rule."""
    names = dict.fromkeys(item.name for found in by_rule.values() for item in found)
    out = []
    for name in names:
        same = [item for found in by_rule.values() for item in found if item.name == name]
        unmet = [item for item in same if not item.met]
        everywhere = len(unmet) == len(by_rule)
        if not unmet:
            out.append(same[0])
        else:
            out.append(unmet[0] if everywhere else replace(unmet[0], consequence="note"))
    return out
