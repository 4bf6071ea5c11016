"""Parameters of a scorecard."""

from datetime import date, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from collect_analysis.book.tables.work import SUB_FUNCTIONS
from collect_analysis.errors import ParameterError
from collect_analysis.measures.account_factors import known_factors
from collect_analysis.measures.periods import month_end, month_start
from collect_analysis.officers.pooling import Pooling
from collect_analysis.report.parameters import Day, ReportParameters, Statement

Months = Annotated[int, Field(ge=1, le=36)]


class Scorecard(ReportParameters):
    """Who collects credibly more or less than the accounts held would lead to expect?

    The last `pool_months` months up to `period_end` are judged together; `history_months` tell how reliable each figure is; what accounts
    should bring is read from the `reference_months` before these. `index`: bands rest on money or on payers. `factors`: what accounts are
    compared by, most important first; leave out what officers' own work moves (recency). `cap_quantile`: cash of one account in a month
    counts up to this quantile of payments in officers' figures. `sub_functions`, `units`: those told (empty: all). Officers are told to the
    audience `team_leads` only.
    """

    kind: ClassVar[str] = "scorecard"
    policies: ClassVar[tuple[str, ...]] = ("scorecard", "kpi_windows", "legal_limits")
    statement: ClassVar[Statement] = "claim"

    period_end: Day
    pool_months: Months = 3
    history_months: Months = 12
    reference_months: Months = 12
    index: Literal["money", "payers"] = "money"
    factors: list[str] = ["bucket", "score_band", "balance_band", "product"]
    cap_quantile: Annotated[float, Field(gt=0.5, le=1)] = 0.995
    sub_functions: list[str] = []
    units: list[str] = []

    @property
    def pooling(self) -> Pooling:
        """The months judged and the months of history."""
        return Pooling(last_month=month_start(self.period_end), pool_months=self.pool_months, history_months=self.history_months)

    @property
    def slot(self) -> str:
        """The months judged."""
        period = self.pooling.pooled
        return f"{period.start.isoformat()}--{period.end.isoformat()}"

    @field_validator("factors")
    @classmethod
    def _factors_exist(cls, value: list[str]) -> list[str]:
        try:
            known_factors(value)
        except ParameterError as error:
            raise ValueError("; ".join(error.problems)) from None
        return value

    @field_validator("sub_functions")
    @classmethod
    def _sub_functions_exist(cls, value: list[str]) -> list[str]:
        unknown = [name for name in value if name not in SUB_FUNCTIONS]
        if unknown:
            raise ValueError(f"there is no sub-function {', '.join(unknown)}; known: {', '.join(SUB_FUNCTIONS)}")
        return value

    @model_validator(mode="after")
    def _months_over(self) -> "Scorecard":
        if (self.period_end + timedelta(days=1)).day != 1:
            raise ValueError(f"the period ends on {self.period_end}, which is no last day of a month; end it on one")
        if self.period_end > self.as_of:
            raise ValueError(f"the period ends on {self.period_end}, after as_of {self.as_of}; move as_of or end the period earlier")
        if self.history_months < self.pool_months:
            raise ValueError(
                f"history_months is {self.history_months}, fewer than the {self.pool_months} months judged; make it at least as many"
            )
        return self

    @property
    def check_on(self) -> date:
        """When as many months again are over: the day the forecast can be held against what happened."""
        return month_end(self.period_end, self.pool_months)
