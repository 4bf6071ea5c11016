"""Parameters of a quasi-experiment: what did a rule do where nobody drew lots?"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from collect_analysis.report.parameters import Day, ReportParameters, Statement
from collect_analysis.strategies.parameters import Days, Name

Side = Literal["above", "below"]
# Fields that one design alone reads, or two; the others are for every design.
_READ_BY = {
    "ruleset_id": ("cut_off", "overlap", "roll_out"),
    "treated_arm": ("cut_off", "overlap"),
    "control_arm": ("cut_off", "overlap"),
    "covariates": ("cut_off", "overlap"),
    **dict.fromkeys(("running", "cutoff", "cutoff_belongs_to", "treated_side", "other_cutoffs", "donut_radii", "overridden"), ("cut_off",)),
    **dict.fromkeys(("decision_kind", "target", "model", "trim"), ("overlap",)),
    **dict.fromkeys(("cluster", "days_past_due", "period", "starts", "rule_id", "controls", "weighted_by_cases", "draws"), ("roll_out",)),
}


class QuasiExperiment(ReportParameters):
    """What did a rule do, read from cases that chance nearly assigned.

    Every design: `experiment_id` names a supplied cohort (overlap: also an experiment of the book's decisions). `outcome`: payer_rate or
    cash_per_account from the book, else an outcome of the cohort, `horizon_days` after the case was decided. `favourable`: which way is
    better. `strata`: products (cohort: strata) the answer is about; empty: all. `min_grade`: least evidence for a provisional
    rule. `margin_relative`: smallest relative effect that the proper test should find.

    cut_off: `ruleset_id` reads the book's decisions under that rule set, by `running` as it stood at the decision. `cutoff`: in the unit of
    the running variable, money in minor units; `cutoff_belongs_to`: the side a case exactly at it is treated with; `treated_side`: where the
    rule treats; `treated_arm` and `control_arm`: how the record calls what was really done (empty: not recorded). `other_cutoffs`: where
    other rules switch on the same variable. `donut_radii`: distances left out around the cut-off. `covariates`: must not jump there.
    `overridden`: the rule was not always kept; the answer is then about those who follow it.

    roll_out: `starts`: cluster -> first day; or `ruleset_id`, whose rules start by unit, or, named as `rule_id` writes them ({cluster} in
    place of the cluster), by region. `days_past_due`: the rate is of accounts more than that many days past due when the month opens.
    `period`: how long the periods of a cohort are. `weighted_by_cases`: large clusters count more. `draws`: of the randomisation test.

    overlap: `treated_arm` against `control_arm` at equal `covariates`, all of them known before the decision. The cases: those of
    `experiment_id`, or the book's decisions of `ruleset_id` or of `decision_kind` (segment: arms are segments; placement: units). `target`:
    whom the answer is about, the treated or everybody. `model`: linear or boosting. `trim`: propensities nearer to 0 or 1 are left out.
    """

    kind: ClassVar[str] = "quasi_experiment"
    statement: ClassVar[Statement] = "claim"

    design: Literal["cut_off", "roll_out", "overlap"]
    experiment_id: Annotated[str, Field(max_length=120)] = ""
    ruleset_id: Annotated[str, Field(max_length=120)] = ""
    outcome: Name = "payer_rate"
    horizon_days: Days = 90
    covariates: list[Name] = []
    favourable: Literal["higher", "lower"] = "higher"
    strata: list[Name] = []
    min_grade: Literal["A", "B", "C", "D"] = "B"
    treated_arm: Annotated[str, Field(max_length=120)] = ""
    control_arm: Annotated[str, Field(max_length=120)] = ""
    decision_kind: Literal["", "segment", "placement"] = ""
    target: Literal["treated", "everybody"] = "treated"
    model: Literal["linear", "boosting"] = "linear"
    trim: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    margin_relative: Annotated[float, Field(gt=0, le=1)] = 0.1
    running: Literal["balance", "score", "dpd"] = "balance"
    cutoff: float | None = None
    cutoff_belongs_to: Side = "above"
    treated_side: Side = "above"
    other_cutoffs: list[float] = []
    donut_radii: list[Annotated[float, Field(gt=0)]] = []
    overridden: bool = False
    cluster: Literal["region", "unit"] = "region"
    days_past_due: Annotated[int, Field(ge=0, le=3650)] = 30
    period: Literal["month", "quarter", "year"] = "month"
    starts: dict[str, Day] = {}
    rule_id: Annotated[str, Field(max_length=120)] = ""
    controls: Literal["not_yet_treated", "never_treated"] = "not_yet_treated"
    weighted_by_cases: bool = False
    draws: Annotated[int, Field(ge=99, le=9_999)] = 499

    @classmethod
    def money_among(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """Where the balance is the running variable, the places on it."""
        of_balance = parameters.get("ruleset_id") and parameters.get("running") == "balance"
        return frozenset(("cutoff", "other_cutoffs", "donut_radii")) if of_balance else frozenset()

    @model_validator(mode="after")
    def _fields_of_the_design(self) -> Self:
        foreign = [name for name, designs in _READ_BY.items() if self.design not in designs and self._given(name)]
        if foreign:
            designs = sorted({design for name in foreign for design in _READ_BY[name]})
            raise ValueError(
                f"design {self.design} does not read {', '.join(foreign)}; leave them out, or write design: {' or '.join(designs)}"
            )
        return self

    @model_validator(mode="after")
    def _cut_off_is_told(self) -> Self:
        if self.design != "cut_off":
            return self
        if self.cutoff is None:
            raise ValueError("design cut_off needs cutoff, the value at which the rule switches; write it in the running variable's unit")
        if bool(self.experiment_id) == bool(self.ruleset_id):
            raise ValueError(
                "design cut_off needs either experiment_id (a supplied cohort) or ruleset_id (decisions of the book); write one"
            )
        if self.overridden and not self.treated_arm:
            raise ValueError(
                "overridden needs treated_arm, the record's word for what the rule orders; without it nobody knows who was treated"
            )
        if self.cutoff in self.other_cutoffs and not self.strata:
            raise ValueError("other_cutoffs names the cut-off itself; name in strata the products in which only this rule switches")
        return self

    @model_validator(mode="after")
    def _roll_out_is_told(self) -> Self:
        if self.design != "roll_out":
            return self
        given = [name for name in ("experiment_id", "ruleset_id", "starts") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                "design roll_out needs one of experiment_id (a supplied cohort), ruleset_id or starts; write exactly one of them"
            )
        if self.rule_id and ("{cluster}" not in self.rule_id or not self.ruleset_id):
            raise ValueError("rule_id says how the rules of ruleset_id name their cluster, with {cluster} in its place: REGION-{cluster}")
        if self.ruleset_id and self.cluster == "region" and not self.rule_id:
            raise ValueError("rules name no region; write in rule_id how they are named by it, for example REGION-{cluster}")
        return self

    @model_validator(mode="after")
    def _arms_are_told(self) -> Self:
        if self.treated_arm and self.treated_arm == self.control_arm:
            raise ValueError(f"treated_arm and control_arm are both '{self.treated_arm}'; name two arms")
        missing = [name for name in ("treated_arm", "control_arm", "covariates") if not getattr(self, name)]
        if self.design == "overlap" and missing:
            raise ValueError(f"design overlap needs {', '.join(missing)}; without them there is nothing to compare at equal conditions")
        if self.design == "overlap" and bool(self.experiment_id) == bool(self.ruleset_id or self.decision_kind):
            raise ValueError("design overlap needs either experiment_id or decisions of the book (ruleset_id, decision_kind); write one")
        return self

    def _given(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)
