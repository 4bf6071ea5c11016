"""The next period's placement shares: more to who collects more, in steps that can be defended, and nothing past a conduct gate.

Only a unit that is told apart from its peers moves by its own index: chance is no reason. The rule is multiplicative (the weight of such a unit
changes with the certainty of its net advantage), then bounded: floor, cap, largest change. Codes only; wording is the report's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import exp, isfinite
from typing import Any, Literal

from collect_analysis.errors import DataError
from collect_analysis.methods.evidence import Condition, Grade, grade

Gate = Literal["no_data", "pass", "watch", "audit", "fail", "blocked"]
Reason = Literal["credible_gain", "credible_loss", "not_distinguishable", "not_judged", "gate_fail", "blocked", "kept_inside"]
Bound = Literal["", "floor", "cap", "max_change", "gate", "audit", "capacity"]
TOLERANCE = 1e-12
# Names what takes the flow that no unit may be given.
INSIDE = "inside"


@dataclass(frozen=True, kw_only=True)
class SharePolicy:
    """How far shares may move. All are shares 0-1 of the flow but `eta`.

    `floor` and `cap` bound every unit that passes its gates, `max_change` the step of one period, `eta` how strongly a standard deviation
    of net advantage moves the weight, `exploration_share` how much of the flow stays drawn by lot, `grades` the evidence grades on which
    shares may be changed.
    """

    floor: float
    cap: float
    max_change: float
    eta: float
    exploration_share: float
    grades: tuple[Grade, ...]

    def __post_init__(self) -> None:
        problems = []
        for name in ("floor", "cap", "max_change", "exploration_share"):
            if not 0 <= getattr(self, name) <= 1:
                problems.append(f"policy placement: {name} is {getattr(self, name)}; write a share from 0 to 1")
        if self.floor > self.cap:
            problems.append(f"policy placement: floor {self.floor} lies over cap {self.cap}; lower the floor")
        if self.eta <= 0:
            problems.append(f"policy placement: eta is {self.eta}; write a number above 0")
        if problems:
            raise DataError(problems)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SharePolicy":
        """The policy from the mapping `share` of policy `placement`.

        Raises
        ------
        DataError
            A value is missing, unknown or out of range.
        """
        names = [item.name for item in fields(cls)]
        problems = [f"policy placement: share has no '{name}'; add it" for name in names if name not in values]
        problems += [f"policy placement: unknown key share.{name}; known: {', '.join(names)}" for name in values if name not in names]
        numbers = [name for name in names if name != "grades" and name in values]
        problems += [
            f"policy placement: {name} is {values[name]!r}; write a number"
            for name in numbers
            if not isinstance(values[name], int | float) or isinstance(values[name], bool)
        ]
        grades = values.get("grades", [])
        if not isinstance(grades, list | tuple) or not set(map(str, grades)) <= {"A", "B", "C", "D"}:
            problems.append(f"policy placement: grades is {grades!r}; write a list of A, B, C, D")
        if problems:
            raise DataError(problems)
        return cls(**{**values, "grades": tuple(grades)})


@dataclass(frozen=True, kw_only=True)
class UnitStanding:
    """What is known of one unit: its share of the flow now, its net index with uncertainty (None: not judged), its worst gate.

    `low`, `high`: interval of the net index. `most`: the largest share of the flow it has room for.
    """

    unit_key: str
    share_now: float
    net_index: float | None
    sd: float | None
    low: float | None
    high: float | None
    gate: Gate
    gates: str = ""
    most: float = 1.0

    @property
    def told_apart(self) -> Literal["above", "below", ""]:
        """Whether the interval of the net index leaves 1 out, and on which side the unit stands."""
        if self.low is None or self.high is None or not (isfinite(self.low) and isfinite(self.high)):
            return ""
        return "above" if self.low > 1 else "below" if self.high < 1 else ""


@dataclass(frozen=True, kw_only=True)
class ShareStep:
    """The proposal for one unit: from which share to which, why, and which bound decided where the rule wanted to go further."""

    unit_key: str
    share_now: float
    share_next: float
    change: float
    reason: Reason
    bound: Bound
    gates: str


@dataclass(frozen=True, kw_only=True)
class PlacementPlan:
    """Proposed shares, sum 1. `proposed` is False where evidence does not allow a change: then every share stays as it is.

    `relaxed` names bounds that had to give way because no shares keep them all (max_change, cap, audit): a blocked unit's share must go
    somewhere.
    Where no unit passes its gates, a step named INSIDE takes the whole flow. `floor_asks`: what the
    floor of the policy asks for all open units together, where that is more than the whole flow; then only gates move a share.
    """

    steps: tuple[ShareStep, ...]
    proposed: bool
    grade: Grade
    exploration_share: float
    relaxed: tuple[str, ...] = ()
    floor_asks: float = 0.0

    @property
    def kept_inside(self) -> float:
        """Share of the flow that no unit may be given."""
        return sum(step.share_next for step in self.steps if step.unit_key == INSIDE)


def propose_shares(
    units: Sequence[UnitStanding], *, policy: SharePolicy, conditions: Sequence[Condition], randomised: bool
) -> PlacementPlan:
    """What share of the next period's flow should each unit get?

    Formula: w = share_now · exp(eta · (net index - 1)/sd) for a unit whose interval of the net index leaves 1 out; w = share_now for every
    other, judged or not: an interval that includes 1 is chance. Then the shares c·w bounded by [low, high] per unit, c such that they sum to
    1: what units told apart leave or gain is spread over the others in proportion to their shares. A unit under the floor or over the cap walks
    there whatever its index.
    Bounds: [max(floor, now - max_change), min(cap, now + max_change)]; a unit that is to be audited gets no larger share than now; one that
    fails a gate [0, floor] whatever it collects; a blocked one [0, 0]; nobody more than `most`, which is never relaxed. Evidence: grade A at best
    where the comparison was `randomised`, else C, less what `conditions` cost; a grade outside `policy.grades` moves no share except past
    a gate (fail, blocked).
    Where no unit passes its gates nobody is given anything; where the floor asks for more than the whole flow, no share moves but past a gate.
    Steps sorted by unit_key. Source: multiplicative-weights update; domain rules on floor, cap and change are policy.

    Raises
    ------
    DataError
        Shares now do not sum to 1, a unit comes twice, or the units that pass their gates have no room for the whole flow.
    """
    ordered = sorted(units, key=lambda unit: unit.unit_key)
    _check(ordered)
    found = grade("randomised" if randomised else "adjusted", conditions)
    open_units = sum(unit.gate not in ("fail", "blocked") for unit in ordered)
    if ordered and not open_units:
        inside = ShareStep(unit_key=INSIDE, share_now=0.0, share_next=1.0, change=1.0, reason="kept_inside", bound="", gates="")
        steps = (*(_step(unit, 0.0, "gate") for unit in ordered), inside)
        return PlacementPlan(steps=steps, proposed=True, grade=found, exploration_share=policy.exploration_share)
    asked = policy.floor * open_units
    floor_asks = asked if asked > 1 + TOLERANCE else 0.0
    allowed = found in policy.grades and not floor_asks
    gated = any(unit.gate in ("fail", "blocked") or unit.share_now > unit.most for unit in ordered)
    if not allowed and not gated:
        steps = tuple(_step(unit, unit.share_now, "") for unit in ordered)
        return PlacementPlan(steps=steps, proposed=False, grade=found, exploration_share=policy.exploration_share, floor_asks=floor_asks)
    wanted = [_weight(unit, policy.eta) if allowed else unit.share_now for unit in ordered]
    shares, bounds, relaxed = _bounded(ordered, wanted, policy, hold=not allowed)
    names = [_bound(unit, share, low, high, policy) for unit, share, (low, high) in zip(ordered, shares, bounds, strict=True)]
    steps = tuple(_step(unit, share, bound) for unit, share, bound in zip(ordered, shares, names, strict=True))
    return PlacementPlan(
        steps=steps, proposed=True, grade=found, exploration_share=policy.exploration_share, relaxed=relaxed, floor_asks=floor_asks
    )


def _check(units: Sequence[UnitStanding]) -> None:
    keys = [unit.unit_key for unit in units]
    problems = [f"unit {key} comes twice; give each unit once" for key in sorted({key for key in keys if keys.count(key) > 1})]
    total = sum(unit.share_now for unit in units)
    if units and abs(total - 1) > 1e-6:
        problems.append(f"the shares now sum to {total:.4f}; give the shares of one flow, sum 1")
    if problems:
        raise DataError(problems)


def _weight(unit: UnitStanding, eta: float) -> float:
    if not unit.told_apart or unit.net_index is None or unit.sd is None or not unit.sd > 0:
        return unit.share_now
    return unit.share_now * exp(eta * (unit.net_index - 1) / unit.sd)


def _bounded(
    units: Sequence[UnitStanding], wanted: Sequence[float], policy: SharePolicy, *, hold: bool
) -> tuple[list[float], list[tuple[float, float]], tuple[str, ...]]:
    relaxed: tuple[str, ...] = ()
    for relaxed in ((), ("max_change",), ("max_change", "cap"), ("max_change", "cap", "audit")):
        bounds = [_limits(unit, policy, relaxed, hold=hold) for unit in units]
        if sum(low for low, _ in bounds) <= 1 + TOLERANCE and sum(high for _, high in bounds) >= 1 - TOLERANCE:
            break
    room = sum(high for _, high in bounds)
    if room < 1 - TOLERANCE:
        named = ", ".join(f"{unit.unit_key} {high:.1%}" for unit, (_, high) in zip(units, bounds, strict=True))
        raise DataError(
            f"the units have room for {room:.1%} of the flow ({named}), {1 - room:.1%} is left over; raise their capacity in table unit, recall "
            "more, or keep the rest inside"
        )
    # A unit at share 0 has no weight to grow from; its floor gives it one.
    weights = [max(weight, TOLERANCE) for weight in wanted]
    return _fill(weights, bounds), bounds, relaxed


def _limits(unit: UnitStanding, policy: SharePolicy, relaxed: Sequence[str], *, hold: bool) -> tuple[float, float]:
    low, high = _limits_of_policy(unit, policy, relaxed, hold=hold)
    most = min(unit.most, unit.share_now) if unit.gate == "audit" and "audit" not in relaxed else unit.most
    return min(low, most), min(high, most)


def _limits_of_policy(unit: UnitStanding, policy: SharePolicy, relaxed: Sequence[str], *, hold: bool) -> tuple[float, float]:
    if unit.gate == "blocked":
        return 0.0, 0.0
    if unit.gate == "fail":
        return 0.0, min(policy.floor, unit.share_now)
    step = 1.0 if "max_change" in relaxed else policy.max_change
    cap = 1.0 if "cap" in relaxed else policy.cap
    if hold:
        # Without evidence nobody loses; what a gate sets free is spread in proportion.
        return unit.share_now, max(min(cap, unit.share_now + step), unit.share_now)
    # A unit far under the floor or over the cap walks there in steps: the floor and the cap give way to the largest change.
    low = min(max(policy.floor, unit.share_now - step), unit.share_now + step)
    high = max(min(cap, unit.share_now + step), unit.share_now - step)
    return max(low, 0.0), min(high, 1.0)


def _fill(weights: Sequence[float], bounds: Sequence[tuple[float, float]]) -> list[float]:
    """Shares c·w, each kept within its bounds, with c such that they sum to 1 (found by halving; the sum grows with c)."""

    def at(scale: float) -> list[float]:
        return [min(max(scale * weight, low), high) for weight, (low, high) in zip(weights, bounds, strict=True)]

    least, most = 0.0, 2.0 / min(weights)
    for _ in range(200):
        middle = (least + most) / 2
        least, most = (middle, most) if sum(at(middle)) < 1 else (least, middle)
    shares = at(most)
    # What halving leaves of the last bits goes to the unit with the most room, so that the sum is 1.
    rest = 1 - sum(shares)
    room = [min(share - low, high - share) for share, (low, high) in zip(shares, bounds, strict=True)]
    widest = room.index(max(room))
    shares[widest] += rest
    return shares


def _bound(unit: UnitStanding, share: float, low: float, high: float, policy: SharePolicy) -> Bound:
    if unit.gate in ("fail", "blocked"):
        return "gate"
    if unit.most < 1 and abs(share - unit.most) < 1e-9:
        return "capacity"
    if unit.gate == "audit" and abs(share - high) < 1e-9 and abs(high - unit.share_now) < 1e-9:
        return "audit"
    if abs(share - high) < 1e-9:
        return "cap" if abs(high - policy.cap) < 1e-9 else "max_change"
    if abs(share - low) < 1e-9:
        return "floor" if abs(low - policy.floor) < 1e-9 else "max_change"
    return ""


def _step(unit: UnitStanding, share: float, bound: Bound) -> ShareStep:
    return ShareStep(
        unit_key=unit.unit_key,
        share_now=unit.share_now,
        share_next=share,
        change=share - unit.share_now,
        reason=_reason(unit),
        bound=bound,
        gates=unit.gates,
    )


def _reason(unit: UnitStanding) -> Reason:
    if unit.gate == "blocked":
        return "blocked"
    if unit.gate == "fail":
        return "gate_fail"
    if unit.low is None or not isfinite(unit.low):
        return "not_judged"
    reasons: dict[str, Reason] = {"above": "credible_gain", "below": "credible_loss", "": "not_distinguishable"}
    return reasons[unit.told_apart]
