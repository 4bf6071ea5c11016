"""Parameters of the value of proposed rules."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from collect_analysis.errors import ParameterError
from collect_analysis.report.parameters import Day, ReportParameters, Statement
from collect_analysis.report.texts import EVERYONE
from collect_analysis.strategies.parameters import Days, Name
from collect_analysis.strategies.rules import load_rule, parse_rule


class RuleValue(ReportParameters):
    """What would proposed rules have brought, judged from decisions whose probabilities were logged?

    The log: `experiment_id`, or `decision_kind` (with `ruleset_id`, if only one rule set's decisions count) from `period_start` to
    `period_end`; `only_drawn` leaves out what was not drawn by lot. `rules`: name -> rows as `strategies.rules` reads them, or the name of a
    file in parameters/rules. `baseline`: the action everybody gets today; empty: what was done in the log. `everyone`: further actions to
    compare with as "everybody gets it". `covariates`: known before the decision; make the model's cells finer. `max_weight`: weights are cut
    off there (0: never). `margin_relative`: smallest relative gain worth having. `preregistration`: where the rules were written down before
    anybody looked; `learnt_here`: they were found in these very decisions. `test_weeks`: how long a test may take, should one be needed.
    """

    kind: ClassVar[str] = "rule_value"
    statement: ClassVar[Statement] = "claim"

    rules: Annotated[dict[Name, list[dict[str, Any]]], Field(min_length=1, max_length=8)]
    experiment_id: str = ""
    decision_kind: Literal["", "segment", "placement"] = ""
    ruleset_id: str = ""
    period_start: Day | None = None
    period_end: Day | None = None
    only_drawn: bool = False
    baseline: str = ""
    everyone: list[Name] = []
    primary_outcome: Name = "payer_rate"
    horizon_days: Days = 90
    margin_relative: Annotated[float, Field(gt=0, le=1)] = 0.03
    covariates: list[Name] = []
    max_weight: Annotated[float, Field(ge=0)] = 0.0
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    preregistration: str = ""
    learnt_here: bool = False
    test_weeks: Annotated[int, Field(ge=1, le=260)] = 26
    min_grade: Literal["A", "B", "C", "D"] = "B"

    @field_validator("rules", mode="before")
    @classmethod
    def _rows_of_named_rules(cls, value: object) -> object:
        """A rule given by name is replaced by the rows of its file, so that the run records what was judged."""
        if not isinstance(value, dict):
            return value
        try:
            return {name: load_rule(rows) if isinstance(rows, str) else rows for name, rows in value.items()}
        except ParameterError as error:
            raise ValueError(" ".join(error.problems)) from None

    @field_validator("rules")
    @classmethod
    def _rows_are_rules(cls, value: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        problems = [f"'{name}': a rule may not be called so" for name in value if name.startswith(EVERYONE)]
        for name, rows in value.items():
            try:
                parse_rule(name, rows)
            except ParameterError as error:
                problems += error.problems
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @model_validator(mode="after")
    def _one_log(self) -> Self:
        if bool(self.experiment_id) == bool(self.decision_kind):
            raise ValueError("name the log: either experiment_id, or decision_kind (segment or placement)")
        if self.experiment_id and (self.ruleset_id or self.period_start or self.period_end):
            raise ValueError("ruleset_id, period_start and period_end belong to decision_kind; an experiment is read whole")
        if self.period_end and self.period_end > self.as_of:
            raise ValueError(f"the period ends on {self.period_end}, after as_of {self.as_of}; move as_of or end the period earlier")
        return self
