"""Parameters of a KPI period."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from collect_analysis.report.parameters import Day, ReportParameters, Statement


class KpiPeriod(ReportParameters):
    """How did the period go, against target and the period before?

    `period_start` to `period_end`: whole months, over on `as_of`. `portfolios`, `units`: those whose results are told one by one (empty:
    all); the company is always whole. Officers are told to the audience `team_leads` only. `top_bucket`: buckets from there on are one in
    the roll matrix. `few_accounts`: a row of the roll matrix that rests on fewer says so.
    """

    kind: ClassVar[str] = "kpi_period"
    policies: ClassVar[tuple[str, ...]] = ("kpi_windows",)
    statement: ClassVar[Statement] = "count"

    period_start: Day
    period_end: Day
    portfolios: list[str] = []
    units: list[str] = []
    top_bucket: Annotated[int, Field(ge=1, le=20)] = 7
    few_accounts: Annotated[int, Field(ge=0, le=100_000)] = 100

    @property
    def slot(self) -> str:
        """The period."""
        return f"{self.period_start.isoformat()}--{self.period_end.isoformat()}"

    @model_validator(mode="after")
    def _whole_months(self) -> "KpiPeriod":
        if self.period_start.day != 1 or (self.period_end + timedelta(days=1)).day != 1:
            raise ValueError(
                f"the period {self.period_start} to {self.period_end} is not of whole months; start on a first, end on a last day"
            )
        if self.period_end > self.as_of:
            raise ValueError(f"the period ends on {self.period_end}, after as_of {self.as_of}; move as_of or end the period earlier")
        return self
