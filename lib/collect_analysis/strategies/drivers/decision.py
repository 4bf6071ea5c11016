"""What drives an outcome: which factors may be used, what the data can tell, and whether choosing pays; codes and numbers, no wording."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.targeting.policy_tree import Clause, PolicyTree
from collect_analysis.strategies.drivers.measures import Factor, Subjects
from collect_analysis.strategies.rules import Requirement, Rule, RuleRow

Bools = NDArray[np.bool_]
Action = Literal["select", "rank", "all", "none", "open", "refuse"]
# Yes and no answers that a part of the data must hold at least, so that a model of it is more than a guess.
FEWEST = 50


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What a report file says of a factor."""

    actionable: bool
    lawful: bool


def factor_table(factors: Sequence[Factor], flags: Mapping[str, Flags], *, protected: Iterable[str], x: pd.DataFrame) -> pd.DataFrame:
    """Which factors may be used, and why not?

    Columns: factor, actionable, lawful, used, standing: `used`; `after` (measured after assignment, or not declared when), `protected` (its
    name, or a part of it, is a protected trait), `unlawful` (declared not lawful), `constant` (the same for everybody).
    """
    traits = {item.lower() for item in protected}
    rows = []
    for item in factors:
        own = flags[item.name]
        standing = "used"
        if item.measured != "before":
            standing = "after"
        elif item.name.lower() in traits or set(item.name.lower().split("_")) & traits:
            standing = "protected"
        elif not own.lawful:
            standing = "unlawful"
        elif x[item.name].nunique(dropna=False) < 2:
            standing = "constant"
        lawful = own.lawful and standing != "protected"
        rows.append({"factor": item.name, "actionable": own.actionable, "lawful": lawful, "used": standing == "used", "standing": standing})
    return pd.DataFrame(rows, columns=["factor", "actionable", "lawful", "used", "standing"])


def factor_conditions(table: pd.DataFrame) -> list[Condition]:
    """Which declared factors were refused, by name? That none is left refuses; the rest is said."""
    found = []
    for name, standings in (("factors_before", ["after"]), ("factors_lawful", ["protected", "unlawful"]), ("factors_vary", ["constant"])):
        refused_ones = [str(item) for item in table["factor"][table["standing"].isin(standings)]]
        found.append(Condition(name=name, met=not refused_ones, consequence="note", details={"factors": refused_ones}))
    left = int(table["used"].sum())
    found.append(Condition(name="factors_left", met=left > 0, consequence="refuse", details={"count": left}))
    return found


def later_part(subjects: Subjects, share: float) -> tuple[Bools, float | None]:
    """Who is judged: the latest `share` of the subjects by day of assignment, and the first day of that part.

    The day is the one that comes nearest to the share. Where days are missing or fewer than 2, the half drawn by hash, and None.
    """
    day = subjects.day
    days = np.unique(day[~np.isnan(day)])
    if np.isnan(day).any() or len(days) < 2:
        return subjects.judging, None
    shares = np.array([(day >= first).mean() for first in days[1:]])
    first = float(days[1:][int(np.abs(shares - share).argmin())])
    return day >= first, first


def prognosis_conditions(subjects: Subjects, judged: Bools, first_day: float | None) -> list[Condition]:
    """Can the outcome be predicted and the prediction be judged? Refusing: too few cases with and without it in either part."""
    yes = subjects.y > 0
    counts = {
        (part, kind): int((chosen & own).sum())
        for part, chosen in (("learning", ~judged), ("judging", judged))
        for kind, own in (("yes", yes), ("no", ~yes))
    }
    part, kind = min(counts, key=lambda key: counts[key])
    values = {"part": part, "kind": kind, "count": counts[part, kind], "least": FEWEST}
    return [
        Condition(name="both_outcomes", met=counts[part, kind] >= FEWEST, consequence="refuse", details=values),
        Condition(name="judged_later", met=first_day is not None, consequence="note"),
    ]


def uplift_conditions(subjects: Subjects, *, randomised: bool, champion: str, challenger: str) -> list[Condition]:
    """Can it be told where the treatment works? Refusing: not given by lot, too few with a result in an arm of a half."""
    counts = {
        (arm, half): int(((subjects.treated == treated) & (subjects.judging == judging) & (subjects.y != 0)).sum())
        for arm, treated in ((champion, False), (challenger, True))
        for half, judging in (("learning", False), ("judging", True))
    }
    arm, half = min(counts, key=lambda key: counts[key])
    values = {"arm": arm, "part": half, "count": counts[arm, half], "least": FEWEST}
    taken = {"cases": len(subjects.y), "population": subjects.population}
    return [
        Condition(name="given_by_lot", met=randomised, consequence="refuse"),
        Condition(name="payers_in_halves", met=counts[arm, half] >= FEWEST, consequence="refuse", details=values),
        Condition(name="everybody_read", met=len(subjects.y) == subjects.population, consequence="note", details=taken),
    ]


def choose(
    found: Iterable[Condition], *, qini_low: float, effect: tuple[float, float], over_all_low: float, over_none_low: float
) -> Action:
    """Should the treatment be given to some, to all or to none?

    Rules, the first that applies: a refusing condition -> refuse; the order of predicted effects is worth something (interval of the Qini
    coefficient above 0) and the rule table beats both treating all and treating nobody -> select; only the order is -> rank; the interval
    `effect` of treating all lies above 0 -> all; below -> none; else open. All on cases that were not learned from, net of the least effect.
    """
    if refused(found):
        return "refuse"
    if qini_low > 0:
        return "select" if over_all_low > 0 and over_none_low > 0 else "rank"
    low, high = effect
    return "all" if low > 0 else "none" if high < 0 else "open"


def as_rule(tree: PolicyTree, *, name: str, champion: str, challenger: str) -> Rule:
    """The policy tree as a rule table; its last row has no conditions, since it decides all that the others left."""
    rows = [
        RuleRow(
            tests={clause.factor: _requirement(clause) for clause in rule.clauses} if place < len(tree.rules) - 1 else {},
            chances={challenger if rule.treat else champion: 1.0},
        )
        for place, rule in enumerate(tree.rules)
    ]
    return Rule(name=name, rows=tuple(rows))


def _requirement(clause: Clause) -> Requirement:
    return Requirement(low=clause.low, high=clause.high, codes=clause.codes, missing=clause.unknown)


def written_rows(rule: Rule) -> list[dict[str, object]]:
    """The rows of a rule as a rule file writes them: `when`, `then`."""
    rows: list[dict[str, object]] = []
    for row in rule.rows:
        when: dict[str, object] = {}
        for factor, test in row.tests.items():
            if test.codes and not test.missing:
                when[factor] = list(test.codes)
                continue
            parts: dict[str, object] = {"in": list(test.codes)} if test.codes else {}
            parts |= {key: bound for key, bound in (("from", test.low), ("to", test.high)) if bound is not None}
            when[factor] = parts | ({"missing": True} if test.missing else {})
        (action,) = row.chances
        rows.append({"when": when, "then": action} if when else {"then": action})
    return rows
