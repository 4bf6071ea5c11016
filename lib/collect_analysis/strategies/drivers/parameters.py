"""Parameters of a drivers report."""

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collect_analysis.report.parameters import Statement
from collect_analysis.strategies.parameters import Days, DeclaredExperiment, Name, Share

MOST_FACTORS = 40
# Traits that no rule may look at, whatever a report file says of them; a shop adds its own in the report file.
PROTECTED = ["sex", "gender", "religion", "ethnicity", "race", "nationality", "disability", "health", "political_view", "union_member"]


class Factor(BaseModel):
    """What may be done with a factor: can the shop change it (`actionable`), may it decide by it (`lawful`)?"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actionable: Annotated[bool, Field(strict=True)]
    lawful: Annotated[bool, Field(strict=True)]


class Lever(BaseModel):
    """An experiment whose effect is read beside the others. What is empty is as in the report; its own plan is in table `experiment`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment_id: Name
    champion: str = ""
    challenger: str = ""
    primary_outcome: str = ""
    horizon_days: Days | None = None
    covariates: list[Name] = []
    planned_shares: dict[str, Share] = {}
    randomised: Annotated[bool, Field(strict=True)] = True
    preregistration: str = ""
    lot_document: str = ""


class Drivers(DeclaredExperiment):
    """What predicts the outcome, what can we change, and where does the challenger work? Three answers, never one.

    `covariates`: factors for which the effect of giving it to everybody is adjusted; those of the strategy review, so that both say the same.

    `factors`: what was known before assignment -> whether the shop can change it and whether it may decide by it. `protected`: traits that
    are refused whatever is declared. `levers`: further experiments of the book whose effect on the outcome is shown. `least_effect`: what a
    treatment must bring per case, in the outcome's unit, to be worth it. `tree_depth`, `min_leaf`: levels of the rule table and the fewest
    cases a row is learned from. `later_share`: share of the accounts, the latest ones, on which predictions are judged.
    """

    kind: ClassVar[str] = "drivers"
    statement: ClassVar[Statement] = "claim"

    factors: Annotated[dict[Name, Factor], Field(min_length=1)]
    protected: list[Name] = PROTECTED
    levers: Annotated[list[Lever], Field(max_length=20)] = []
    least_effect: Annotated[float, Field(ge=0)] = 0.0
    tree_depth: Annotated[int, Field(ge=1, le=3)] = 2
    min_leaf: Annotated[int, Field(ge=50, le=100_000)] = 200
    later_share: Annotated[float, Field(ge=0.1, le=0.5)] = 0.3

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        problems = []
        if len(self.factors) > MOST_FACTORS:
            problems.append(f"factors names {len(self.factors)}; at most {MOST_FACTORS}: keep those somebody would decide by")
        if len(self.challengers) > 1:
            problems.append(f"{len(self.challengers)} challengers; where one works is asked of one: write a report file for each")
        stray = [name for name in self.covariates if name not in self.factors]
        if stray:
            problems.append(f"covariates names {', '.join(stray)}; declare them under factors, with actionable and lawful")
        names = [lever.experiment_id for lever in self.levers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            problems.append(f"levers names {', '.join(twice)} twice; name each experiment once")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def challenger(self) -> str:
        """The treatment."""
        return self.challengers[0]
