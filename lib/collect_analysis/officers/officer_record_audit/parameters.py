"""Parameters of an audit of the record of officers' work."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from collect_analysis.report.parameters import Statement
from collect_analysis.report.period_parameters import PeriodParameters

if TYPE_CHECKING:
    from collect_analysis.measures.record_audit import AuditRules


class OfficerRecordAudit(PeriodParameters):
    """Is the record of activity complete and true?

    `period_start` to `period_end`: whole months, over on `as_of`. `short_rpc_s`: a right-party call shorter than that is odd. `visit_gap_min`: two
    addresses visited within so many minutes are odd. `tolerance_min`: minutes by which a day sheet may differ from the calls of its day.
    `money_days`: cash so many days after a record may be credited to it. `ramp_months`: months up to the end of the period from which the tenure
    curve is read; `reference_months`: months before them from which expected cash is read. Rows of single officers are told to the audience
    `team_leads` only.
    """

    kind: ClassVar[str] = "officer_record_audit"
    statement: ClassVar[Statement] = "count"

    short_rpc_s: Annotated[int, Field(ge=1, le=600)] = 10
    visit_gap_min: Annotated[int, Field(ge=1, le=240)] = 5
    tolerance_min: Annotated[int, Field(ge=0, le=240)] = 5
    money_days: Annotated[int, Field(ge=0, le=90)] = 14
    ramp_months: Annotated[int, Field(ge=1, le=60)] = 6
    reference_months: Annotated[int, Field(ge=1, le=60)] = 12

    @property
    def rules(self) -> "AuditRules":
        """From when on a record is odd."""
        from collect_analysis.measures.record_audit import AuditRules

        return AuditRules(
            short_rpc_s=self.short_rpc_s, visit_gap_min=self.visit_gap_min, tolerance_min=self.tolerance_min, money_days=self.money_days
        )

    @model_validator(mode="after")
    def _whole_months(self) -> Self:
        problems = self.period_problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self
