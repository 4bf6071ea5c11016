"""Parameters of a KPI validation."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from collect_analysis.errors import ParameterError
from collect_analysis.report.parameters import Statement
from collect_analysis.report.period_parameters import PeriodParameters

if TYPE_CHECKING:
    from collect_analysis.officers.kpi_validation.decision import ValidationRules

Part = Annotated[float, Field(gt=0, lt=1)]


class KpiValidation(PeriodParameters):
    """May these KPIs be used to judge officers?

    `period_start` to `period_end`: whole months, over on `as_of`, at least four. `kpis`: ids of the dictionary that have a meaning for an officer
    (empty: all of them, which takes several times as long). `least_cases`: an officer's month with fewer cases of a KPI is left out.
    `pool_months`: months that are judged together; `longest_months`: nobody waits longer for a reliability of `least_reliability`.
    `least_share`, `good_share`: the officer's share of the variance. `same`: rank correlation from which two KPIs say the same.
    `reference_months`: months before the period from which expected cash is read. `short_rpc_s`: a right-party call shorter than that is odd.
    `draws`: for intervals.
    """

    kind: ClassVar[str] = "kpi_validation"
    policies: ClassVar[tuple[str, ...]] = ("kpi_windows",)
    statement: ClassVar[Statement] = "claim"

    kpis: list[str] = []
    least_cases: Annotated[int, Field(ge=1, le=10_000)] = 5
    pool_months: Annotated[int, Field(ge=1, le=24)] = 3
    longest_months: Annotated[int, Field(ge=1, le=60)] = 12
    least_reliability: Part = 0.5
    good_reliability: Part = 0.7
    least_share: Part = 0.05
    good_share: Part = 0.20
    same: Part = 0.90
    reference_months: Annotated[int, Field(ge=1, le=60)] = 12
    short_rpc_s: Annotated[int, Field(ge=1, le=600)] = 10
    draws: Annotated[int, Field(ge=50, le=5000)] = 200

    @property
    def rules(self) -> "ValidationRules":
        """The thresholds of the verdict."""
        from collect_analysis.officers.kpi_validation.decision import ValidationRules

        return ValidationRules(
            least=self.least_reliability,
            good=self.good_reliability,
            pool_months=self.pool_months,
            longest_months=self.longest_months,
            least_share=self.least_share,
            good_share=self.good_share,
            same=self.same,
        )

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        # The dictionary brings the engine with it: read only where such a report is asked for.
        from collect_analysis.officers.kpi_validation.measures import candidates

        problems = self.period_problems()
        if self.least_reliability > self.good_reliability:
            problems.append("least_reliability is above good_reliability; swap them")
        if self.least_share > self.good_share:
            problems.append("least_share is above good_share; swap them")
        try:
            told = {kpi.id for kpi in candidates(self.kpis)}
            without = [name for name in self.kpis if name not in told]
            if without:
                problems.append(f"kpis: {', '.join(without)} cannot be told of an officer as a ratio; leave them out")
        except ParameterError as error:
            problems += [f"kpis: {problem}" for problem in error.problems]
        if problems:
            raise ValueError("; ".join(problems))
        return self
