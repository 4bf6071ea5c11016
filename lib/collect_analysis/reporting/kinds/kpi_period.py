"""Parameters of a KPI period."""

from typing import ClassVar

from collect_analysis.reporting.parameters import Day, ReportParameters


class KpiPeriod(ReportParameters):
    """How did the period go, against target and the period before?"""

    kind: ClassVar[str] = "kpi_period"

    period_start: Day
    period_end: Day
    portfolios: list[str] = []
    units: list[str] = []

    @property
    def slot(self) -> str:
        """The period."""
        return f"{self.period_start.isoformat()}--{self.period_end.isoformat()}"
