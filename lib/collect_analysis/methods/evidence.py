"""How far a claim may be trusted: conditions that are met or not, the grade they allow, what would mend them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Grade = Literal["A", "B", "C", "D", "none"]
Design = Literal["randomised", "quasi_experiment", "adjusted", "raw"]

GRADE_MEANING: dict[Grade, str] = {
    "A": "randomised, allocation as planned, primary metric declared before, horizon complete",
    "B": "natural experiment with every diagnostic passed, or a randomised test short of one condition",
    "C": "adjusted comparison with overlap and sensitivity reported, or better evidence short of conditions",
    "D": "before/after or raw comparison",
    "none": "no claim: a condition without which the answer would be a guess is not met",
}
_BEST: dict[Design, Grade] = {"randomised": "A", "quasi_experiment": "B", "adjusted": "C", "raw": "D"}
_ORDER: tuple[Grade, ...] = ("A", "B", "C", "D", "none")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One thing that must hold for a claim.

    `consequence` is what follows when it does not: `refuse` (no claim), `downgrade` (one grade less), `note` (said, no more).
    `remedy` is the smallest change that would make the question answerable.
    """

    name: str
    met: bool
    detail: str
    consequence: Literal["refuse", "downgrade", "note"] = "refuse"
    remedy: str = ""


def grade(design: Design, conditions: Iterable[Condition]) -> Grade:
    """Evidence grade of a claim: the best its design allows, one less per unmet `downgrade`, none on any unmet `refuse`."""
    unmet = [condition for condition in conditions if not condition.met]
    if any(condition.consequence == "refuse" for condition in unmet):
        return "none"
    steps = sum(condition.consequence == "downgrade" for condition in unmet)
    best = _ORDER.index(_BEST[design])
    return _ORDER[min(best + steps, _ORDER.index("D"))]


def refusals(conditions: Iterable[Condition]) -> list[str]:
    """Why there is no answer and what would make one, a sentence per unmet condition that refuses."""
    unmet = (condition for condition in conditions if not condition.met and condition.consequence == "refuse")
    return [" ".join([f"{item.name}: {item.detail}", *([f"To answer: {item.remedy}"] if item.remedy else [])]) for item in unmet]
