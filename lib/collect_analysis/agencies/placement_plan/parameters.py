"""Parameters of a plan of the next placements."""

from datetime import date, timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from collect_analysis.agencies.agency_evaluation.parameters import AgencyEvaluation, PlacementsParameters
from collect_analysis.report.parameters import Statement


class PlacementPlan(PlacementsParameters):
    """Who gets the accounts of the next period, and which accounts come back?

    `period_start` to `period_end` (whole months): the placements that the shares rest on, compared at `horizon_months`, as in an agency
    evaluation. `units`: the panel; empty: every unit with placements. `next_months`: length of the next period, which begins the day after
    `period_end`. `write_recalls`: also write the list of accounts to recall into the run folder.
    """

    kind: ClassVar[str] = "placement_plan"
    policies: ClassVar[tuple[str, ...]] = ("placement",)
    statement: ClassVar[Statement] = "claim"

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
    def evaluation(self) -> AgencyEvaluation:
        """The agency evaluation whose shares this plan starts from."""
        shared = {name: getattr(self, name) for name in AgencyEvaluation.model_fields if name in type(self).model_fields}
        return AgencyEvaluation(**shared)
