"""Parameters of a plan of the next placements."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from collect_analysis.reporting.typed_parameters import Day, ReportParameters

if TYPE_CHECKING:
    from collect_analysis.reporting.kinds.agency_evaluation import AgencyEvaluation


class PlacementPlan(ReportParameters):
    """Who gets the accounts of the next period, and which accounts come back?

    `period_start` to `period_end` (whole months): the placements that the shares rest on, compared at `horizon_months`, as in an agency
    evaluation. `units`: the panel; empty: every unit with placements. `next_months`: length of the next period, which begins the day after
    `period_end`. `write_recalls`: also write the list of accounts to recall into the run folder.
    """

    kind: ClassVar[str] = "placement_plan"

    period_start: Day
    period_end: Day
    units: list[str] = []
    horizon_months: Annotated[int, Field(ge=2, le=36)] = 5
    next_months: Annotated[int, Field(ge=1, le=12)] = 3
    write_recalls: bool = False

    @property
    def slot(self) -> str:
        """The next period."""
        return f"{self.next_start.isoformat()}--{self.next_end.isoformat()}"

    @property
    def next_start(self) -> date:
        """First day of the next period."""
        return self.period_end + timedelta(days=1)

    @property
    def next_end(self) -> date:
        """Last day of the next period."""
        months = self.next_start.year * 12 + self.next_start.month - 1 + self.next_months
        return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)

    @property
    def evaluation(self) -> "AgencyEvaluation":
        """The agency evaluation whose shares this plan starts from."""
        from collect_analysis.reporting.kinds.agency_evaluation import AgencyEvaluation

        shared = {name: getattr(self, name) for name in AgencyEvaluation.model_fields if name in type(self).model_fields}
        return AgencyEvaluation(**shared)

    @model_validator(mode="after")
    def _whole_months(self) -> Self:
        if self.period_start.day != 1 or (self.period_end + timedelta(days=1)).day != 1:
            raise ValueError(f"the period {self.period_start} to {self.period_end} is not of whole months; end it on a last day of a month")
        if self.period_end > self.as_of:
            raise ValueError(f"the period ends on {self.period_end}, after as_of {self.as_of}; move as_of or end the period earlier")
        return self
