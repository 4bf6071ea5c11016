"""Parameters of target setting."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from collect_analysis.report.parameters import Day, ReportParameters, Statement

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class TargetSetting(ReportParameters):
    """What target can be signed for a period to come, how likely is it reached, and who carries which part?

    Period: `period_start` to `period_end`, whole months after `as_of`, at most a quarter. Target: the median of the forecast x `stretch`,
    unless a number from above (`top_down_minor`, or the target of `top_down_role` in the book) has at least the chance `least_reach`.
    Forecast: rates of the last `reference_months`, level of the last `level_months`, misses of the last `history_months`; `draws` joint draws.
    Allocation: in steps of `step_minor`; `cap_quantile` caps one account in what an officer carries; `ramp`: share of a full load in an
    officer's first months. Sheet: `weight` of the KPI, `gates`, `rebase_share` (recalled share of expected recovery from which a target is
    re-based), `frozen_on` (day the accounts are frozen; default `as_of`); `write_officers` writes the officers' sheet, for team leads.
    """

    kind: ClassVar[str] = "target_setting"
    policies: ClassVar[tuple[str, ...]] = ("kpi_windows",)
    statement: ClassVar[Statement] = "forecast"
    must_have_passed: ClassVar[tuple[str, ...]] = ("as_of",)

    period_start: Day
    period_end: Day
    stretch: Annotated[float, Field(ge=0.8, le=1.5)] = 1.03
    top_down_minor: Annotated[int, Field(gt=0)] | None = None
    top_down_role: Annotated[str, Field(max_length=63)] = ""
    least_reach: Annotated[float, Field(ge=0.05, le=0.95)] = 0.2
    reference_months: Annotated[int, Field(ge=1, le=36)] = 12
    level_months: Annotated[int, Field(ge=1, le=12)] = 3
    history_months: Annotated[int, Field(ge=6, le=60)] = 36
    draws: Annotated[int, Field(ge=500, le=50_000)] = 4000
    step_minor: Annotated[int, Field(ge=1)] = 100_000
    cap_quantile: Annotated[float, Field(gt=0.5, le=1)] = 0.995
    ramp: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(max_length=24)] = [0.5, 0.7, 0.85]
    capacity_tolerance: Annotated[float, Field(ge=0, le=1)] = 0.05
    weight: Annotated[float, Field(gt=0, le=100)] = 100.0
    gates: Annotated[list[Word], Field(max_length=20)] = ["Q1", "Q2", "Q5"]
    rebase_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    frozen_on: Day | None = None
    write_officers: bool = False

    @property
    def slot(self) -> str:
        """The period."""
        return f"{self.period_start.isoformat()}--{self.period_end.isoformat()}"

    @model_validator(mode="after")
    def _fits_together(self) -> "TargetSetting":
        problems = []
        start, end = self.period_start, self.period_end
        if start.day != 1 or (end + timedelta(days=1)).day != 1:
            problems.append(f"the period {start} to {end} is not of whole months; start on a first, end on a last day")
        if start <= self.as_of:
            problems.append(f"the period starts on {start}, not after as_of {self.as_of}; a target is set before its period")
        if (end.year - start.year) * 12 + end.month - start.month + 1 > 3:
            problems.append(f"the period {start} to {end} is longer than a quarter; set a target per quarter")
        if self.top_down_minor is not None and self.top_down_role:
            problems.append("top_down_minor and top_down_role both name a number from above; keep one")
        if self.write_officers and self.audience != "team_leads":
            problems.append("write_officers needs `audience: team_leads`; officers' targets are for those who lead them")
        if self.frozen_on is not None and self.frozen_on > start:
            problems.append(f"frozen_on {self.frozen_on} lies after the period begins ({start}); freeze the accounts before")
        if sorted(self.ramp) != self.ramp:
            problems.append("ramp must rise: an officer's load grows from month to month")
        if problems:
            raise ValueError("; ".join(problems))
        return self
