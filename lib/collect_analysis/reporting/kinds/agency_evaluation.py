"""Parameters of an agency evaluation."""

from typing import ClassVar

from collect_analysis.reporting.parameters import Day, ReportParameters


class AgencyEvaluation(ReportParameters):
    """Which agency collects more on comparable accounts, and what share should it get next?"""

    kind: ClassVar[str] = "agency_evaluation"

    period_start: Day
    period_end: Day
    units: list[str] = []

    @property
    def slot(self) -> str:
        """The period."""
        return f"{self.period_start.isoformat()}--{self.period_end.isoformat()}"
