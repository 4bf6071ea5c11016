"""May a running test stop, must it be mended, or does it go on? Stated rules, codes and numbers, no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.strategies.verdict import Status

Action = Literal["fix", "stop_harm", "stop_success", "stop_futility", "read_out", "continue"]
# The worst news of several challengers is the decision about the test.
_ORDER: tuple[Action, ...] = ("fix", "stop_harm", "stop_success", "continue", "stop_futility", "read_out")
# The pace of entry is that of the last four weeks.
PACE_DAYS = 28


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where one challenger stands at the latest look.

    `value`, `low`, `high`: effect and valid interval, absolute; `fraction` of the planned information; `crossed`: "up", "down" or "";
    `conditional_power` at the margin; `guardrails`: status of each on its own sequential interval; `crowded`: more agent time than agreed.
    """

    arm: str
    value: float
    low: float
    high: float
    relative: float
    fraction: float
    crossed: str
    conditional_power: float
    guardrails: Mapping[str, Status]
    crowded: bool = False


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What is proposed, and the rule that decided."""

    arm: str
    action: Action
    reason: str
    standing: Standing


def rule(standing: Standing, *, broken: bool, looked: bool, short_reading: bool, closed: bool, futility_below: float) -> Ruling:
    """What should happen with this challenger today?

    Rules, the first that applies: `broken` (a condition without which no number is a claim is not met) -> fix; no look yet -> continue; a
    guardrail breached on its sequential interval -> stop for harm; boundary crossed downwards -> stop for harm; more agent time used than
    agreed -> fix (split it by arm); boundary crossed upwards, but the reading is shorter than the primary horizon -> continue (early cash
    is not yet more cash); crossed upwards with a guardrail open -> continue; crossed upwards -> stop for success; planned information in
    (`closed` boundaries) -> read out; conditional power at the margin under `futility_below` (0: not declared) -> stop for futility; else
    continue.
    """

    def ruling(action: Action, reason: str) -> Ruling:
        return Ruling(arm=standing.arm, action=action, reason=reason, standing=standing)

    if broken:
        return ruling("fix", "broken")
    if "breached" in standing.guardrails.values():
        return ruling("stop_harm", "guardrail_breached")
    if not looked or np.isnan(standing.value):
        return ruling("continue", "no_look")
    if standing.crossed == "down":
        return ruling("stop_harm", "worse")
    if standing.crowded:
        return ruling("fix", "capacity")
    if standing.crossed == "up":
        if short_reading:
            return ruling("continue", "early_gain")
        if any(status != "kept" for status in standing.guardrails.values()):
            return ruling("continue", "guardrail_open")
        return ruling("stop_success", "gain")
    if closed and standing.fraction >= 1:
        return ruling("continue", "reading_complete") if short_reading else ruling("read_out", "complete")
    if standing.conditional_power < futility_below:
        return ruling("stop_futility", "futility")
    return ruling("continue", "running")


def overall(rulings: Sequence[Ruling]) -> Ruling:
    """The one decision about the test: something to mend, then harm, success, going on, futility."""
    return min(
        rulings, key=lambda item: (_ORDER.index(item.action), -item.standing.value if item.standing.value == item.standing.value else 0.0)
    )


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """When is what known: `first_look` and `next_look` (None: no more is declared), `complete_on` (the day the planned information is
    expected; None: nobody planned, or nobody comes in any more), `open_cases` (entered, horizon not over), `entered`, `planned` cases of
    the arm that is furthest behind.
    """

    first_look: date
    next_look: date | None
    complete_on: date | None
    open_cases: int
    entered: int
    planned: float


def outlook(
    entered: pd.DataFrame,
    *,
    arms: Sequence[str],
    as_of: date,
    horizon_days: int,
    every: int,
    declared: Sequence[date],
    planned: Mapping[str, float],
) -> Outlook:
    """When is the next look, and when will the planned information be in?

    Formula, per arm: the day the planned number of cases has entered (past days as they were; further ones at the mean of the last 28 days)
    plus the horizon; the latest arm counts. `entered`: `looks.entries`; `planned`: arm -> cases, NaN where nobody planned.
    """
    first = entered["day"].min()
    first_look = first + timedelta(days=horizon_days)
    if declared:
        following = [day for day in declared if day > as_of and day >= first_look]
    else:
        steps = max(-(-horizon_days // every), (as_of - first).days // every + 1)
        following = [first + timedelta(days=every * steps)]
    complete = [_complete_on(entered[entered["arm"] == arm], float(planned.get(arm, np.nan)), as_of, horizon_days) for arm in arms]
    counts = entered.groupby("arm")["cases"].sum()
    behind = min(arms, key=lambda arm: (counts.get(arm, 0) / planned[arm]) if planned.get(arm, np.nan) > 0 else np.inf)
    return Outlook(
        first_look=first_look,
        next_look=following[0] if following else None,
        complete_on=max(day for day in complete if day) if all(complete) else None,
        open_cases=int(entered.loc[entered["day"] > as_of - timedelta(days=horizon_days), "cases"].sum()),
        entered=int(counts.get(behind, 0)),
        planned=float(planned.get(behind, np.nan)),
    )


def _complete_on(own: pd.DataFrame, planned: float, as_of: date, horizon_days: int) -> date | None:
    if not planned > 0:
        return None
    so_far = own.sort_values("day")["cases"].cumsum().to_numpy()
    days = own.sort_values("day")["day"].tolist()
    reached = np.flatnonzero(so_far >= planned)
    if reached.size:
        return days[int(reached[0])] + timedelta(days=horizon_days)
    recent = own.loc[own["day"] > as_of - timedelta(days=PACE_DAYS), "cases"].sum() / PACE_DAYS
    if not recent:
        return None
    left = planned - (so_far[-1] if len(so_far) else 0)
    return as_of + timedelta(days=int(np.ceil(left / recent)) + horizon_days)
