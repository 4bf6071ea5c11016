"""Parameters of a strategy review."""

import itertools
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from collect_analysis.methods.rates.levels import MOST_LEVELS, level_names
from collect_analysis.report.parameters import Statement
from collect_analysis.strategies.parameters import Days, DeclaredExperiment, Name


class StrategyReview(DeclaredExperiment):
    """Does the challenger work? The readout of an experiment at its horizon.

    `horizons`: further days at which the book is read. `min_grade`: least evidence on which a roll-out may be proposed.
    `segments`: covariates, stratum or codes of the account (product_code, portfolio_code, region_code) by which the effect is told, declared
    before anybody looked, at most 6 levels together. `segment_cuts`: segment -> cut points of a number, rising; a level holds its lower cut.
    `cost`: the dose or money outcome that holds what each subject cost, where the book has no contacts to price. `balance`: the covariate
    that holds what was owed at assignment, for cash collected of it.
    """

    kind: ClassVar[str] = "strategy_review"
    statement: ClassVar[Statement] = "claim"

    horizons: list[Days] = [30, 60, 90, 180]
    min_grade: Literal["A", "B", "C", "D"] = "B"
    segments: Annotated[list[Name], Field(max_length=MOST_LEVELS)] = []
    segment_cuts: dict[Name, Annotated[list[float], Field(min_length=1)]] = {}
    cost: str = ""
    balance: Name = "balance"

    @model_validator(mode="after")
    def _segments_are_few(self) -> Self:
        stray = sorted(set(self.segment_cuts) - set(self.segments))
        if stray:
            raise ValueError(
                f"segment_cuts names {', '.join(stray)}, which segments does not; declare the segment or take its cut points out"
            )
        for name, cuts in self.segment_cuts.items():
            if any(after <= before for before, after in itertools.pairwise(cuts)):
                raise ValueError(f"segment_cuts of {name} are {cuts}; write them rising, each once")
        levels = {name: level_names(cuts) for name, cuts in self.segment_cuts.items()}
        total = sum(len(names) for names in levels.values())
        if total > MOST_LEVELS:
            named = "; ".join(f"{name}: {', '.join(names)}" for name, names in levels.items())
            raise ValueError(f"the segments have {total} levels together, at most {MOST_LEVELS} ({named}); declare fewer cut points")
        return self
