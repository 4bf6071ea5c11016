"""Parameters of an agency evaluation."""

from datetime import timedelta
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from collect_analysis.agencies.factors import DEFAULT_FACTORS, known_placement_factors
from collect_analysis.errors import ParameterError
from collect_analysis.report.parameters import Statement
from collect_analysis.report.period_parameters import PeriodParameters


class PlacementsParameters(PeriodParameters):
    """What is asked of placements: made in which whole months, with which `units` (empty: every unit with placements), compared at which age."""

    units: list[str] = []
    horizon_months: Annotated[int, Field(ge=2, le=36)] = 5

    @model_validator(mode="after")
    def _whole_months(self) -> Self:
        if self.period_start.day != 1 or (self.period_end + timedelta(days=1)).day != 1:
            raise ValueError(f"the period {self.period_start} to {self.period_end} is not of whole months; end it on a last day of a month")
        if problems := self.open_problems():
            raise ValueError("; ".join(problems))
        return self


class AgencyEvaluation(PlacementsParameters):
    """Which agency collects more on comparable accounts, after commission and compliantly, and what share should it get next?

    `period_start` to `period_end` (whole months): when the accounts were placed. `units`: the panel; empty: every unit with placements.
    `horizon_months`: the age, in months after the month of placement, at which batches are compared. `projection_months`: the age to which
    batches are projected. `expected_factors`: what recovery is expected by, most important first. `champion`: the unit the others are compared
    with; empty: the one with the largest share now. `slow_components`: components of a
    unit's collections that cannot appear before so many months after placement (unit totals only).
    """

    kind: ClassVar[str] = "agency_evaluation"
    policies: ClassVar[tuple[str, ...]] = ("placement",)
    statement: ClassVar[Statement] = "claim"

    projection_months: Annotated[int, Field(ge=3, le=60)] = 12
    expected_factors: list[str] = list(DEFAULT_FACTORS)
    champion: str = ""
    slow_components: dict[str, Annotated[int, Field(ge=1, le=120)]] = {}

    @field_validator("expected_factors")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        try:
            known_placement_factors(value)
        except ParameterError as error:
            raise ValueError(str(error)) from error
        return value
