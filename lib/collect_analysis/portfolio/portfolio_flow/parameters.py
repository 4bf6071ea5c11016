"""Parameters of portfolio and flow."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from collect_analysis.report.parameters import Day, ReportParameters, Statement


class PortfolioFlow(ReportParameters):
    """Which part of the portfolio moves where, and what does that mean for cash and provision?

    `period_start` to `period_end`: the whole months that are read; the last one is judged, those before say how months differ. `portfolios`:
    those followed (empty: all). `top_bucket`: buckets from there on are one. `vintage`: grain of the vintages. `fit_months`: the last so many
    months make the projection. `project_months`: how far it goes. `draws`: of the interval. `follow_months`: how long a cure is followed at
    most. `few_accounts`: nothing that rests on fewer is escalated.
    """

    kind: ClassVar[str] = "portfolio_flow"
    policies: ClassVar[tuple[str, ...]] = ("kpi_windows",)
    statement: ClassVar[Statement] = "forecast"

    period_start: Day
    period_end: Day
    portfolios: list[str] = []
    top_bucket: Annotated[int, Field(ge=2, le=12)] = 7
    vintage: Literal["year", "quarter"] = "year"
    fit_months: Annotated[int, Field(ge=3, le=60)] = 12
    project_months: Annotated[int, Field(ge=1, le=24)] = 6
    draws: Annotated[int, Field(ge=100, le=5000)] = 500
    follow_months: Annotated[int, Field(ge=1, le=24)] = 6
    few_accounts: Annotated[int, Field(ge=10, le=100_000)] = 100

    @property
    def slot(self) -> str:
        """The period."""
        return f"{self.period_start.isoformat()}--{self.period_end.isoformat()}"

    @model_validator(mode="after")
    def _whole_months(self) -> Self:
        if self.period_start.day != 1 or (self.period_end + timedelta(days=1)).day != 1:
            raise ValueError(
                f"the period {self.period_start} to {self.period_end} is not of whole months; start on a first, end on a last day"
            )
        if self.period_end > self.as_of:
            raise ValueError(f"the period ends on {self.period_end}, after as_of {self.as_of}; move as_of or end the period earlier")
        return self
