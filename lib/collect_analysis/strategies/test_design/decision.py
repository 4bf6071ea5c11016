"""Run, enlarge, lengthen, change the metric or do not test: stated rules over what a design can detect; codes and numbers, no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.trials.test_plan import weeks_to_enrol

Action = Literal["run", "enlarge", "lengthen", "change_metric", "do_not_test", "refuse"]
# Fewer payers than this in history and their unevenness, on which every size stands, is a guess.
LEAST_PAYERS = 30
# Fewer past cohorts than this may all lie in one season.
LEAST_COHORTS = 3
# More customers than this share in strata smaller than one block, and the strata do not make the arms alike.
MOST_IN_SHORT_STRATA = 0.05
# Standardised differences under this are commonly held to be alike.
ALIKE = 0.1
_CHANCE = 3.29
ALPHA = 0.05
# A pipeline that errs more than this often is broken; between ALPHA and this it leans on an outcome with too heavy a tail.
BROKEN = 0.10


@dataclass(frozen=True, kw_only=True)
class DesignFacts:
    """What the conditions of a design are judged from: aggregates.

    `customers`: customers that can be assigned now (None where history was supplied and nobody can); `cohorts`: past cohorts whose horizon
    is over; `months_known`: month ends of the book; `payers`: payers in them; `base_share`: share of cases with a result (NaN: no yes/no
    outcome); `margin`: relative rise worth having; `strata`, `balance`, `counts`: of the draw; `several`:
    customers in several arms; `false_positives`: `aa_test.false_positives` of the primary outcome; `gaps`: covariates not known of everybody.
    """

    horizon_days: int
    min_cell: int
    customers: int | None
    cohorts: int
    months_known: int
    supplied: bool
    payers: float
    base_share: float
    margin: float
    false_positives: pd.DataFrame
    strata: pd.DataFrame | None = None
    balance: pd.DataFrame | None = None
    block: int = 1
    several: int = 0
    gaps: Mapping[str, int] = field(default_factory=dict)


def requirements(facts: DesignFacts) -> list[Condition]:
    """Which conditions does the design meet?

    Refusing: nobody to assign, no past cohort whose horizon is over, too few payers, a customer in several arms, false positives clearly more
    than twice as often as declared, a margin that would carry a share past everybody. Downgrading: strata too small for a block, arms that
    are not alike, false positives clearly above or below the rate declared. Notes: few past cohorts, covariates not known of everybody.
    """
    found = []
    if facts.customers is not None:
        values = {"customers": facts.customers, "min_cell": facts.min_cell}
        found.append(Condition(name="design_population", met=facts.customers >= facts.min_cell, details=values))
    followed = {"cohorts": facts.cohorts, "days": facts.horizon_days, "known": facts.months_known}
    found.append(Condition(name="design_history", met=facts.cohorts > 0, details=followed))
    if facts.cohorts and not facts.supplied:
        details = {"cohorts": facts.cohorts, "least": LEAST_COHORTS}
        found.append(Condition(name="design_seasons", met=facts.cohorts >= LEAST_COHORTS, consequence="note", details=details))
    payers = {"payers": int(facts.payers), "least": LEAST_PAYERS}
    found.append(Condition(name="design_payers", met=facts.payers >= LEAST_PAYERS, details=payers))
    if np.isfinite(facts.base_share):
        reach = {"base_share": facts.base_share, "margin_share": facts.margin, "most_share": 1 / facts.base_share - 1}
        found.append(Condition(name="design_margin", met=facts.base_share * (1 + facts.margin) <= 1, details=reach))
    if facts.gaps:
        unknown = {"covariates": list(facts.gaps), "missing": max(facts.gaps.values())}
        found.append(Condition(name="design_covariates", met=False, consequence="note", details=unknown))
    return [*found, *_drawn(facts), *_false_positives(facts)]


def _drawn(facts: DesignFacts) -> list[Condition]:
    if facts.strata is None or facts.balance is None or not facts.customers:
        return []
    total = float(facts.strata["cases"].sum())
    short = float(facts.strata.loc[facts.strata["short"], "cases"].sum())
    share = short / total if total else 0.0
    strata = {"strata": len(facts.strata), "short": int(facts.strata["short"].sum()), "inside_share": share, "block": facts.block,
              "most_share": MOST_IN_SHORT_STRATA}  # fmt: skip
    apart = facts.balance.dropna(subset=["standardised"])
    # Small arms differ by chance alone: what chance explains in all but one of a thousand draws is no fault of the draw.
    limit = np.maximum(ALIKE, _CHANCE * np.sqrt(1 / apart["cases"] + 1 / apart["base_cases"]))
    size = apart["standardised"].abs()
    worst = apart.iloc[int(size.to_numpy().argmax())] if len(apart) else None
    balance = {
        "variable": str(worst["variable"]) if worst is not None else "",
        "worst": float(size.max()) if len(apart) else 0.0,
        "limit": float(limit.min()) if len(apart) else ALIKE,
    }
    found = [
        Condition(name="design_one_arm", met=facts.several == 0, details={"customers": facts.several}),
        Condition(name="design_alike", met=bool((size <= limit).all()), consequence="downgrade", details=balance),
    ]
    if facts.block > 1:
        found.append(Condition(name="design_strata", met=share <= MOST_IN_SHORT_STRATA, consequence="downgrade", details=strata))
    return found


def _false_positives(facts: DesignFacts) -> list[Condition]:
    if facts.false_positives.empty:
        return []
    row = facts.false_positives.iloc[0]
    if not row["denominator"]:
        return [Condition(name="design_aa_known", met=False, consequence="downgrade", details={"outcome": row["outcome"]})]
    values = {
        "outcome": str(row["outcome"]),
        "rate_share": float(row["value"]),
        "low_share": float(row["low"]),
        "high_share": float(row["high"]),
        "draws": int(row["denominator"]),
    }
    broken, many, few = row["range_low"] > BROKEN, row["range_low"] > ALPHA, row["range_high"] < ALPHA
    if broken or not (many or few):
        return [Condition(name="design_aa", met=not broken, details=values)]
    return [Condition(name="design_aa_many" if many else "design_aa_few", met=False, consequence="downgrade", details=values)]


@dataclass(frozen=True, kw_only=True)
class Design:
    """What the rules need beside the table of what is detectable.

    `available`: accounts the test would have; `largest`: as many as it could have in the same time (the whole population); `per_month`:
    accounts that enter each month (NaN: nobody counts); `at_once`: accounts assigned on the first day, the others as they enter;
    `most_weeks`: longest enrolment accepted; `equal_needed`: accounts the margin would need if all arms had the same share.
    """

    outcome: str
    available: float
    largest: float
    per_month: float
    at_once: float
    most_weeks: float
    equal_needed: float


@dataclass(frozen=True, kw_only=True)
class DesignVerdict:
    """What should happen with the test, the rule that decided, the numbers of the answer."""

    action: Action
    reason: str
    detectable: float
    margin: float
    needed: float
    equal_needed: float
    weeks: float
    metric: str = ""


def judge(plan: pd.DataFrame, design: Design, found: Sequence[Condition]) -> DesignVerdict:
    """What should happen with this test?

    `plan` is `test_plan.plan_table`. Rules, the first that applies, on the primary outcome with its covariates: a refusing condition ->
    refuse; too many false positives on history -> do not test like this; the margin is detectable -> run; an equal split would detect it
    -> enlarge the smaller arm; the population that stands there now would -> enlarge; enrolling longer, up to the weeks accepted, would ->
    lengthen; another outcome detects it at this size -> change the metric; else do not test.
    """
    own = plan[(plan["outcome"] == design.outcome) & plan["adjusted"]].iloc[0]
    needed, margin = float(own["accounts_needed"]), float(own["margin"])
    weeks = weeks_to_enrol(needed, design.per_month, at_once=design.at_once)
    others = plan[(plan["outcome"] != design.outcome) & plan["adjusted"] & plan["margin_found"]]

    def verdict(action: Action, reason: str, metric: str = "") -> DesignVerdict:
        return DesignVerdict(
            action=action, reason=reason, detectable=float(own["detectable"]), margin=margin, needed=needed,
            equal_needed=design.equal_needed, weeks=weeks, metric=metric,
        )  # fmt: skip

    if refused(found) or not np.isfinite(needed):
        return verdict("refuse", "not_answerable")
    if any(item.name == "design_aa_many" and not item.met for item in found):
        return verdict("do_not_test", "pipeline")
    if own["margin_found"]:
        return verdict("run", "detectable")
    if design.equal_needed <= design.available:
        return verdict("enlarge", "split")
    if needed <= design.largest:
        return verdict("enlarge", "population")
    if weeks <= design.most_weeks:
        return verdict("lengthen", "stock_and_entries" if design.at_once else "entries")
    if len(others):
        return verdict("change_metric", "other_outcome", str(others["outcome"].iloc[0]))
    return verdict("do_not_test", "out_of_reach")
