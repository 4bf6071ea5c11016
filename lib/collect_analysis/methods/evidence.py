"""How far a claim may be trusted: conditions that are met or not, the grade they allow, what would mend them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

Grade = Literal["A", "B", "C", "D", "none"]
Design = Literal["randomised", "quasi_experiment", "adjusted", "raw"]
Consequence = Literal["refuse", "raw", "adjusted", "downgrade", "note"]

GRADE_MEANING: dict[Grade, str] = {
    "A": "randomised and shown to be so, arms alike before, allocation as planned, primary metric declared before, horizon complete",
    "B": "natural experiment with every diagnostic passed, or a randomised test short of one condition",
    "C": "adjusted comparison with overlap and sensitivity reported, or better evidence short of conditions",
    "D": "before/after or raw comparison",
    "none": "no claim: a condition without which the answer would be a guess is not met",
}
_BEST: dict[Design, Grade] = {"randomised": "A", "quasi_experiment": "B", "adjusted": "C", "raw": "D"}
_ORDER: tuple[Grade, ...] = ("A", "B", "C", "D", "none")
# Columns of effects that claim something; the rest of a table says who was compared.
CLAIMED = (
    "value", "low", "high", "se", "p_value", "p_adjusted", "relative", "relative_low", "relative_high", "base_mean", "mean",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One thing that must hold for a claim.

    `consequence` is what follows when it does not: `refuse` (no claim), `raw` or `adjusted` (no better than a comparison of that kind, whatever
    the design), `downgrade` (one grade less), `note` (said, no more).
    A condition says what was found either in a sentence (`detail`, and `remedy`: the smallest change that would make the question
    answerable) or, where it is worded for readers of several languages, in `details`: the numbers its wording needs. One that is a `caveat`
    stands, where it is not met, beside the decision as well.
    """

    name: str
    met: bool
    detail: str = ""
    consequence: Consequence = "refuse"
    remedy: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
    caveat: bool = False


def grade(design: Design, conditions: Iterable[Condition]) -> Grade:
    """Evidence grade of a claim.

    The best its design allows, one less per unmet `downgrade`, at most that of an adjusted or a raw comparison on an unmet condition that
    says so, none on any unmet `refuse`.
    """
    unmet = [condition for condition in conditions if not condition.met]
    if refused(unmet):
        return "none"
    steps = sum(condition.consequence == "downgrade" for condition in unmet)
    most = [_BEST["raw" if item.consequence == "raw" else "adjusted"] for item in unmet if item.consequence in ("raw", "adjusted")]
    reached = max([_ORDER.index(_BEST[design]) + steps, *(_ORDER.index(best) for best in most)])
    return _ORDER[min(reached, _ORDER.index("D"))]


def refused(conditions: Iterable[Condition]) -> list[Condition]:
    """The unmet conditions without which an answer would be a guess."""
    return [item for item in conditions if not item.met and item.consequence == "refuse"]


def withheld(table: pd.DataFrame, conditions: Iterable[Condition], *, note: str) -> pd.DataFrame:
    """The table, or where a refusing condition is not met the same rows with `note` and without any number that would be a claim."""
    if not refused(conditions):
        return table
    empty = table.copy()
    for column in [name for name in CLAIMED if name in empty.columns]:
        empty[column] = np.nan
    return empty.assign(note=note)
