"""Parameters of a test monitor."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from collect_analysis.report.parameters import Day, Statement
from collect_analysis.strategies.parameters import DeclaredExperiment, Name, Share


class TestMonitor(DeclaredExperiment):
    """Is the running test still valid, and may it stop?

    `reading_days`: days after assignment at which a subject is read while the test runs, at most `horizon_days`; 0: `horizon_days`.
    `look_every_days`: days between looks, from the first assignment; `look_days`: the looks themselves instead, in order, future ones too.
    `spending`: obrien_fleming (hard early, plain at the end), pocock (alike at every look) or always_valid (any number of looks at any
    time). `planned_cases`: arm -> cases when the test is complete; `planned_information`: 1 / (standard error aimed at)² instead.
    `futility_below`: stop when the chance to reach the boundary, were the effect as large as the margin, falls under it; 0: not declared.
    `max_contamination`: largest tolerable share of an arm that met another arm. `treatments`: arm -> contact templates and campaigns that
    only this arm may get.
    """

    # The name says what it monitors; it is no test case.
    __test__: ClassVar[bool] = False
    kind: ClassVar[str] = "test_monitor"
    statement: ClassVar[Statement] = "claim"

    reading_days: Annotated[int, Field(ge=0, le=730)] = 0
    look_every_days: Annotated[int, Field(ge=1, le=92)] = 7
    look_days: list[Day] = []
    spending: Literal["obrien_fleming", "pocock", "always_valid"] = "obrien_fleming"
    planned_cases: dict[str, Annotated[int, Field(ge=2)]] = {}
    planned_information: Annotated[float, Field(ge=0)] = 0.0
    futility_below: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    max_contamination: Share = 0.01
    treatments: dict[str, list[Name]] = {}

    @property
    def read_after(self) -> int:
        """Days after assignment at which a subject is read while the test runs."""
        return self.reading_days or self.horizon_days

    @property
    def planned(self) -> bool:
        """Whether anybody declared how much information the complete test has."""
        return bool(self.planned_cases or self.planned_information)

    @model_validator(mode="after")
    def _monitor_fits(self) -> Self:
        problems = []
        if self.reading_days > self.horizon_days:
            problems.append(f"reading_days {self.reading_days} is beyond horizon_days {self.horizon_days}; read at the horizon or before")
        late = [after for before, after in zip(self.look_days, self.look_days[1:], strict=False) if after <= before]
        if late:
            problems.append(f"look_days are not in order of time ({len(late)} of {len(self.look_days)}, first: {late[0]}); sort them")
        missing = sorted(set(self.arms) - set(self.planned_cases)) if self.planned_cases else []
        if missing:
            problems.append(f"planned_cases has no number for {', '.join(missing)}; write one for every arm compared")
        if self.planned_cases and self.planned_information:
            problems.append("planned_cases and planned_information say the same thing twice; write one of them")
        unknown = sorted(set(self.treatments) - set(self.arms))
        if unknown:
            problems.append(f"treatments names {', '.join(unknown)}, which is not among the arms {', '.join(self.arms)}; name arms only")
        if problems:
            raise ValueError("; ".join(problems))
        return self
