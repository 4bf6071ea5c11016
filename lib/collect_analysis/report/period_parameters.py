"""Parameters of the reports that are about a period of whole months."""

from collect_analysis.errors import ParameterError
from collect_analysis.measures.periods import Period
from collect_analysis.report.parameters import Day, ReportParameters


class PeriodParameters(ReportParameters):
    """What every kind about a period has: its first and last day, both inclusive; a run is about that period."""

    period_start: Day
    period_end: Day

    @property
    def slot(self) -> str:
        """The period."""
        return f"{self.period_start.isoformat()}--{self.period_end.isoformat()}"

    def period_problems(self) -> list[str]:
        """What is wrong with the period: not of whole months, or not over on `as_of`."""
        problems: list[str] = []
        try:
            Period(self.period_start, self.period_end)
        except ParameterError as error:
            problems += error.problems
        return [*problems, *self.open_problems()]

    def open_problems(self) -> list[str]:
        """Whether the period is over on `as_of`."""
        if self.period_end <= self.as_of:
            return []
        return [f"the period ends on {self.period_end}, after as_of {self.as_of}; move as_of or end the period earlier"]
