"""Parameters of a test design."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from collect_analysis.report.parameters import Day, Statement
from collect_analysis.strategies.parameters import DeclaredExperiment, Name

Codes = Annotated[list[Name], Field(max_length=50)]


class TestDesign(DeclaredExperiment):
    """Can a test find the effect worth having, who gets which arm, and what is signed before it starts?

    What is declared of the experiment (arms, primary outcome, horizon, margin, guardrails, dose, covariates) is what its review will read.

    Population: `source` entry (accounts as they come into the segment, `enrol_months` long) or stock (all that stand in it now), filtered by
    `portfolios`, `products`, `buckets`, `regions`, `min_balance_minor` (inclusive), `max_balance_minor` (exclusive); `test_share` of its
    customers take part. History: `history_months` past month ends, or of the past experiment `history_experiment_id` the arm that was treated
    as the champion will be: `history_arm`, empty: the arm called like the champion, else the one table `experiment` calls champion.

    Draw: `salt`; `draw` in blocks or by hash alone; `strata` with `balance_cuts` (minor units) and `score_cuts` (empty: quarters);
    `write_assignment` writes the operational list into the run folder. `treated_by` officer: whole officers are treated, with
    `officer_accounts` accounts each and `officer_icc` (0: taken from history). `looks` and `spending`: interim looks planned.
    `most_weeks`: longest enrolment that would be accepted. `aa_draws`: re-draws on history.
    """

    # Not a class of tests, though its name begins like one.
    __test__: ClassVar[bool] = False
    kind: ClassVar[str] = "test_design"
    statement: ClassVar[Statement] = "count"

    hypothesis: Annotated[str, Field(max_length=400)] = ""
    starts_on: Day
    source: Literal["entry", "stock"] = "stock"
    enrol_months: Annotated[int, Field(ge=1, le=36)] = 3
    most_weeks: Annotated[int, Field(ge=1, le=260)] = 52
    portfolios: Codes = []
    products: Codes = []
    buckets: Annotated[list[Annotated[int, Field(ge=0, le=20)]], Field(max_length=21)] = []
    regions: Codes = []
    min_balance_minor: Annotated[int, Field(ge=0)] | None = None
    max_balance_minor: Annotated[int, Field(ge=0)] | None = None
    test_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    history_months: Annotated[int, Field(ge=1, le=36)] = 6
    history_experiment_id: Annotated[str, Field(max_length=120)] = ""
    history_arm: Annotated[str, Field(max_length=120)] = ""
    power: Annotated[float, Field(ge=0.5, le=0.99)] = 0.8
    sizes: Annotated[list[Annotated[int, Field(ge=10)]], Field(max_length=12)] = []
    looks: Annotated[int, Field(ge=1, le=20)] = 1
    spending: Literal["obrien_fleming", "pocock"] = "obrien_fleming"
    treated_by: Literal["customer", "officer"] = "customer"
    officer_accounts: Annotated[float, Field(ge=0)] = 0.0
    officer_icc: Annotated[float, Field(ge=0, le=1)] = 0.0
    salt: Name
    draw: Literal["blocks", "hash"] = "blocks"
    strata: list[Literal["bucket", "balance_band", "score_band", "product", "region"]] = ["bucket", "balance_band"]
    balance_cuts: Annotated[list[Annotated[int, Field(gt=0)]], Field(max_length=9)] = []
    score_cuts: Annotated[list[float], Field(max_length=9)] = []
    write_assignment: bool = False
    aa_draws: Annotated[int, Field(ge=100, le=5000)] = 500

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = []
        if not self.planned_shares:
            problems.append("planned_shares is missing; write the share of every arm, champion included")
        strangers = sorted(set(self.planned_shares) - set(self.arms))
        if strangers:
            problems.append(
                f"planned_shares names {', '.join(strangers)}, which is no arm of this test; remove it or name it as challenger"
            )
        if not self.randomised:
            problems.append("randomised is false; a test is designed to be randomised, remove the line")
        if self.preregistration:
            problems.append("preregistration is written by this report; leave it empty")
        if self.lot_document:
            problems.append("lot_document is of a draw that was made; this report makes it, leave it empty")
        if self.starts_on <= self.as_of:
            problems.append(f"starts_on {self.starts_on} is not after as_of {self.as_of}; a test is designed before it starts")
        if self.margin_relative <= 0:
            problems.append("margin_relative is 0; write the smallest relative effect worth having")
        low, high = self.min_balance_minor, self.max_balance_minor
        if low is not None and high is not None and low >= high:
            problems.append(f"min_balance_minor {low} is not below max_balance_minor {high}; swap them")
        if self.treated_by == "officer" and self.write_assignment:
            problems.append("write_assignment lists customers; where whole officers are treated, draw the officers by hand from team leads")
        if self.history_arm and not self.history_experiment_id:
            problems.append("history_arm names an arm of a past experiment; write history_experiment_id, too, or remove it")
        if sorted(self.balance_cuts) != self.balance_cuts or sorted(self.score_cuts) != self.score_cuts:
            problems.append("balance_cuts and score_cuts must rise")
        if problems:
            raise ValueError("; ".join(problems))
        return self
