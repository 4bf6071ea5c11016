"""Adopt a pay scheme, adopt it with changes, or not: stated rules over cliffs, gaming, luck and cost; codes and numbers, no wording."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.measures.gate_names import KEPT
from collect_analysis.methods.evidence import Condition
from collect_analysis.officers.incentive_scheme.decision_cost import Luck, cliffs, luck, next_quarter
from collect_analysis.officers.incentive_scheme.decision_gaming import CHANNELS, exploitability, score
from collect_analysis.officers.incentive_scheme.decision_history import History, work_of
from collect_analysis.officers.incentive_scheme.schemes import Gate, Scheme
from collect_analysis.officers.incentive_scheme.terms import ATTAINMENT, INDEX, Moves, SchemeRules

Action = Literal["refuse", "adopt", "adopt_with_changes", "do_not_adopt"]
LEAST_MONTHS, LEAST_OFFICERS, LEAST_TARGETS = 6, 20, 0.9
CLIFF, EXPLOITABLE, LUCKY, COSTLY = "cliff", "exploitable", "luck", "cost"
# More changes than this make another scheme, which is for people to propose.
_MOST_CHANGES = 8
_LUCK_DRAWS = 60
# A change of cost below this is not worth another rate per point.
_SAME_COST = 0.01


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Everything found of one scheme."""

    scheme: Scheme
    cliffs: pd.DataFrame
    games: pd.DataFrame
    luck: Luck
    quarter: tuple[float, float, float]
    problems: tuple[str, ...]

    @property
    def weakest(self) -> str:
        """The way of gaming that gains most."""
        return str(self.games["channel"].iloc[int(self.games["share"].fillna(-1.0).to_numpy().argmax())])

    @property
    def exploitable(self) -> float:
        """Score of the weakest way."""
        return float(self.games["share"].max())


@dataclass(frozen=True, kw_only=True)
class SchemeVerdict:
    """`changes`: names of the changes made, in order; `changed`: the scheme with all of them; `left`: problems it still has."""

    action: Action
    problems: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    changed: Judged | None = None
    left: tuple[str, ...] = ()


def conditions(history: History, schemes: Iterable[Scheme]) -> list[Condition]:
    """Can the schemes be simulated on this history?

    Names: scheme_months, scheme_officers, scheme_targets (refuse), scheme_gates, scheme_reversals (note). Behaviour that a scheme would change
    is in no history: the grade is D at best.
    """
    panel, asked = history.panel, list(schemes)
    officers = int(panel["officer_key"].nunique()) if len(panel) else 0
    found = [
        Condition(name="scheme_months", met=history.months >= LEAST_MONTHS, details={"months": history.months, "least": LEAST_MONTHS}),
        Condition(name="scheme_officers", met=officers >= LEAST_OFFICERS, details={"officers": officers, "least": LEAST_OFFICERS}),
    ]
    if any(scheme.basis == ATTAINMENT for scheme in asked):
        covered = float(panel["target_minor"].gt(0).mean()) if len(panel) else 0.0
        details = {"target_share": covered, "least_share": LEAST_TARGETS}
        found.append(Condition(name="scheme_targets", met=covered >= LEAST_TARGETS, details=details))
    columns = {"critical_qa": "critical_d", "hard_breaches": "breaches", "kept_promises": "kept_d"}
    named = sorted({gate.measure for scheme in asked for gate in scheme.gates})
    empty = [name for name in named if not len(panel) or panel[columns[name]].isna().all()]
    if named:
        found.append(Condition(name="scheme_gates", met=not empty, consequence="note", details={"gates": tuple(empty or named)}))
    if any(scheme.clawback_days for scheme in asked):
        rows = len(history.taken_back)
        found.append(Condition(name="scheme_reversals", met=rows > 0, consequence="note", details={"rows": rows}))
    return found


def judged(history: History, scheme: Scheme, moves: Moves, rules: SchemeRules, *, seed: int, level: float, draws: int = 200) -> Judged:
    """Cliffs, gaming, luck and cost of a scheme, and which of the rules it breaks."""
    work = work_of(history, scheme)
    found, games = cliffs(scheme, work), exploitability(scheme, work, moves)
    chance, quarter = luck(scheme, work, seed=seed, draws=draws), next_quarter(scheme, work, seed=seed, level=level)
    problems = [CLIFF] if found["kind"].isin(["jump", "gate"]).any() else []
    problems += [EXPLOITABLE] if (games["share"] > rules.most_exploitable).any() else []
    problems += [LUCKY] if chance.share > rules.most_luck else []
    problems += [COSTLY] if rules.most_cost_minor is not None and quarter[2] > rules.most_cost_minor else []
    return Judged(scheme=scheme, cliffs=found, games=games, luck=chance, quarter=quarter, problems=tuple(problems))


def verdict(history: History, proposed: Judged, moves: Moves, rules: SchemeRules, *, seed: int, level: float) -> SchemeVerdict:
    """May the scheme be adopted?

    Rules: nothing broken -> adopt. Else the smallest changes are made one after the other: cliffs first, then for the weakest way of gaming the
    first change of `CHANGES` that brings it within the limit (else the one that lowers it most), then pooling against luck; the rate per point
    is set so that the cost stays what was proposed, or falls to its limit. Nothing left -> adopt with these changes; something left -> do
    not adopt.
    """
    if not proposed.problems:
        return SchemeVerdict(action="adopt")
    made: list[str] = []
    scheme = _without_cliffs(proposed.scheme, made)
    for _ in range(_MOST_CHANGES):
        step = _against_gaming(history, scheme, moves, rules) or _against_luck(history, scheme, rules, seed=seed)
        if step is None:
            break
        made.append(step)
        scheme = _applied(step, scheme)
    found = judged(history, scheme, moves, rules, seed=seed, level=level)
    if found.quarter[0] > 0 and abs(found.quarter[0] / proposed.quarter[0] - 1) > _SAME_COST:
        made.append("same_cost")
        rate = round(scheme.pay_per_point_minor * proposed.quarter[0] / found.quarter[0])
        scheme = replace(scheme, pay_per_point_minor=rate)
        found = judged(history, scheme, moves, rules, seed=seed, level=level)
    if COSTLY in found.problems and rules.most_cost_minor is not None:
        made.append("lower_rate")
        rate = int(scheme.pay_per_point_minor * rules.most_cost_minor / found.quarter[2])
        found = judged(history, replace(scheme, pay_per_point_minor=rate), moves, rules, seed=seed, level=level)
    action: Action = "do_not_adopt" if found.problems else "adopt_with_changes"
    return SchemeVerdict(action=action, problems=proposed.problems, changes=tuple(made), changed=found, left=found.problems)


def change_table(history: History, found: Judged, moves: Moves, rules: SchemeRules) -> pd.DataFrame:
    """What would each single change do to the weakest way of gaming?

    Columns: change, channel, before, share (after; exploitability), enough (within the limit), cost_minor (a month, after). Smallest change
    first; those that do not touch the scheme are left out.
    """
    channel = found.weakest
    rows = []
    for name in CHANGES:
        changed = CHANGES[name](found.scheme)
        if changed is None:
            continue
        after = score(changed, work_of(history, changed), moves, channel)
        rows.append((name, channel, found.exploitable, after["share"], bool(after["share"] <= rules.most_exploitable), after["cost_minor"]))
    return pd.DataFrame(rows, columns=["change", "channel", "before", "share", "enough", "cost_minor"])


def _without_cliffs(scheme: Scheme, made: list[str]) -> Scheme:
    for name in ("linear", "smooth_start", "ramped_gates"):
        changed = CHANGES[name](scheme)
        if changed is not None:
            made.append(name)
            scheme = changed
    return scheme


def _against_gaming(history: History, scheme: Scheme, moves: Moves, rules: SchemeRules) -> str | None:
    work = work_of(history, scheme)
    scores = {channel: score(scheme, work, moves, channel)["share"] for channel in CHANNELS}
    for channel in sorted(scores, key=lambda name: -np.nan_to_num(scores[name])):
        if not scores[channel] > rules.most_exploitable:
            return None
        best, lowest = None, scores[channel]
        for name in CHANGES:
            changed = CHANGES[name](scheme)
            if changed is None:
                continue
            after = score(changed, work_of(history, changed), moves, channel)["share"]
            if after <= rules.most_exploitable:
                return name
            if after < 0.9 * lowest:
                best, lowest = name, after
        if best is not None:
            return best
    return None


def _against_luck(history: History, scheme: Scheme, rules: SchemeRules, *, seed: int) -> str | None:
    def share(of: Scheme) -> float:
        return luck(of, work_of(history, of), seed=seed, draws=_LUCK_DRAWS).share

    now = share(scheme)
    if not now > rules.most_luck:
        return None
    tried = {name: share(changed) for name in ("pool_three", "pool_six") if (changed := CHANGES[name](scheme)) is not None}
    enough = [name for name, value in tried.items() if value <= rules.most_luck]
    if enough:
        return enough[0]
    lowest = min(tried, key=lambda name: tried[name], default=None)
    return lowest if lowest is not None and tried[lowest] < now else None


def _applied(name: str, scheme: Scheme) -> Scheme:
    return CHANGES[name](scheme) or scheme


def _linear(scheme: Scheme) -> Scheme | None:
    """The straight line through nothing one step below the first slab and the points of the last."""
    if not scheme.slabs:
        return None
    steps = sorted(scheme.slabs, key=lambda slab: slab.start)
    gaps = [after.start - before.start for before, after in itertools.pairwise(steps)]
    threshold = max(steps[0].start - (float(np.mean(gaps)) if gaps else 0.1), 0.0)
    slope = steps[-1].points / ((steps[-1].start - threshold) * 100)
    return replace(scheme, slabs=(), threshold=threshold, start_points=0.0, slope=slope, accelerator=slope, cap=steps[-1].start)


def _ramped(scheme: Scheme) -> Scheme | None:
    """Steps of gates become slopes: kept promises over half of the limit, critical failures up to twice the limit."""

    def ramp(gate: Gate) -> Gate:
        if not gate.is_step:
            return gate
        return replace(gate, none=gate.full / 2) if gate.measure == KEPT else replace(gate, none=gate.full * 2 or 0.1)

    return replace(scheme, gates=tuple(ramp(gate) for gate in scheme.gates)) if any(gate.is_step for gate in scheme.gates) else None


def _weaker_kept_gate(scheme: Scheme) -> Scheme | None:
    gate = scheme.kept_gate
    if gate is None or gate.floor >= 0.9:
        return None
    return replace(scheme, gates=tuple(replace(item, floor=0.9) if item is gate else item for item in scheme.gates))


def _if(needed: bool, scheme: Scheme, **changes: object) -> Scheme | None:
    return replace(scheme, **changes) if needed else None  # type: ignore[arg-type]


# Smallest first: what changes the record of money, then the form of the rule, then whom it judges.
CHANGES: Mapping[str, Callable[[Scheme], Scheme | None]] = {
    "net_of_waivers": lambda s: _if(not s.waivers_deducted, s, waivers_deducted=True),
    "previous_holder": lambda s: _if(s.moved_credit == "new", s, moved_credit="previous"),
    "holder_at_opening": lambda s: _if(s.credit == "payment", s, credit="opening"),
    "frozen_expectation": lambda s: _if(s.expectation == "worked", s, expectation="frozen"),
    "account_cap": lambda s: _if(not s.account_cap, s, account_cap=True),
    "linear": _linear,
    "smooth_start": lambda s: _if(s.start_points > 0 and not s.slabs, s, start_points=0.0),
    "ramped_gates": _ramped,
    "one_slope": lambda s: _if(not s.slabs and s.accelerator != s.slope, s, accelerator=s.slope),
    "weaker_kept_gate": _weaker_kept_gate,
    "pool_three": lambda s: _if(s.pool_months < 3, s, pool_months=3),
    "lower_threshold": lambda s: _if(not s.slabs and s.threshold > 0.5, s, threshold=0.5),
    "expected_basis": lambda s: _if(s.basis == ATTAINMENT, s, basis=INDEX),
    "larger_team_share": lambda s: _if(s.team_share < 0.5, s, team_share=0.5),
    "pool_six": lambda s: _if(s.pool_months < 6, s, pool_months=6),
}
