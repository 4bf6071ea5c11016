"""Parameters of a check whether any agency's behaviour or claimed money looks gamed."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from collect_analysis.measures.periods import Period
from collect_analysis.report.parameters import Day, Statement
from collect_analysis.report.period_parameters import PeriodParameters

if TYPE_CHECKING:
    from collect_analysis.agencies.integrity import IntegrityRules
    from collect_analysis.agencies.integrity_verdict import Thresholds


class AgencyIntegrity(PeriodParameters):
    """Does any agency's behaviour or claimed money look gamed, and what must a person look at?

    `period_start` to `period_end`: whole months, over on `as_of`; placements that ran in them are looked at. `units`: the agencies; empty:
    every unit with placements. `reference_months`: placements of so many months up to the end say what accounts are worth. `top_share`: the
    share of a month's placements, by expected value, that cherry-picking is about. `dormant_days`: an active account untouched for longer is
    dormant. `audit_dates`: audits that were known beforehand, within the period; none: month ends are looked at instead. `burst_days`: how
    many days before them. `claim_days`: a payment so many days before placement makes later money old. `promise_days`: a payment so many
    days before a promise was there already. `least_cases`: what a test must rest on. `least_ratio`: how many times the usual a finding is.
    `draws`: simulated books behind the rate of false alarms.
    """

    kind: ClassVar[str] = "agency_integrity"
    policies: ClassVar[tuple[str, ...]] = ("kpi_windows",)
    statement: ClassVar[Statement] = "count"

    units: list[str] = []
    reference_months: Annotated[int, Field(ge=1, le=60)] = 24
    top_share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    dormant_days: Annotated[int, Field(ge=7, le=180)] = 30
    audit_dates: list[Day] = []
    burst_days: Annotated[int, Field(ge=1, le=15)] = 3
    claim_days: Annotated[int, Field(ge=1, le=180)] = 30
    promise_days: Annotated[int, Field(ge=1, le=30)] = 3
    least_cases: Annotated[int, Field(ge=10, le=10_000)] = 30
    least_ratio: Annotated[float, Field(ge=1, le=10)] = 1.25
    draws: Annotated[int, Field(ge=50, le=5000)] = 400

    @property
    def rules(self) -> "IntegrityRules":
        """What the tests look at."""
        from collect_analysis.agencies.integrity import IntegrityRules

        return IntegrityRules(
            period=Period(self.period_start, self.period_end), units=tuple(self.units), reference_months=self.reference_months,
            top_share=self.top_share, dormant_days=self.dormant_days, audit_dates=tuple(self.audit_dates), burst_days=self.burst_days,
            claim_days=self.claim_days, promise_days=self.promise_days,
        )  # fmt: skip

    @property
    def thresholds(self) -> "Thresholds":
        """When a difference is a finding."""
        from collect_analysis.agencies.integrity_verdict import Thresholds

        return Thresholds(least_ratio=self.least_ratio, least_cases=self.least_cases)

    @model_validator(mode="after")
    def _dates_fit(self) -> Self:
        problems = self.period_problems()
        outside = [day for day in self.audit_dates if not self.period_start < day <= self.period_end]
        if outside:
            problems.append(
                f"{len(outside)} of {len(self.audit_dates)} audit_dates lie outside the period (first: {outside[0]}); "
                f"name days after {self.period_start} up to {self.period_end}"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self
