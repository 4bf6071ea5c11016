"""Parameters of the simulation of a pay scheme."""

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from collect_analysis.errors import ParameterError, nearest
from collect_analysis.measures.account_factors import known_factors
from collect_analysis.measures.gate_names import GATES, KEPT
from collect_analysis.measures.periods import month_end, month_start
from collect_analysis.officers.incentive_scheme.terms import BASES, PROMISE_COUNTS, Moves, SchemeRules
from collect_analysis.officers.pooling import Pooling
from collect_analysis.report.parameters import Day, ReportParameters, Statement

if TYPE_CHECKING:
    from collect_analysis.officers.incentive_scheme.schemes import Scheme

Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=0, le=5)]
Points = Annotated[float, Field(ge=0, le=10_000)]
_LINE = ("threshold", "start_points", "slope", "accelerator", "cap")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_terms(cls, value: object) -> object:
        if isinstance(value, dict):
            known = sorted(cls.model_fields)
            unknown = [f"unknown term '{name}'; {nearest(str(name), known)}" for name in value if name not in known]
            if unknown:
                raise ValueError("; ".join(unknown))
        return value


class SlabTerms(_Part):
    """From attainment `start` on, `points`."""

    start: Ratio
    points: Points


class GateTerms(_Part):
    """Pay is multiplied by 1 at `full`, by `floor` at `none`, in between linearly."""

    measure: str
    full: Annotated[float, Field(ge=0, le=1000)]
    none: Annotated[float, Field(ge=0, le=1000)]
    floor: Share = 0.0

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.measure not in GATES:
            raise ValueError(f"there is no gate '{self.measure}'; {nearest(self.measure, list(GATES))}")
        if (self.none > self.full) if self.measure == KEPT else (self.none < self.full):
            side = "at or below" if self.measure == KEPT else "at or above"
            raise ValueError(f"gate {self.measure}: none is {self.none}, full {self.full}; write none {side} full")
        return self


class SchemeTerms(_Part):
    """A pay scheme; what each term means: `schemes.Scheme`. Either a line (threshold, slope ...) or slabs."""

    basis: str
    pay_per_point_minor: Annotated[int, Field(strict=True, gt=0, le=10**12)]
    threshold: Ratio = 0.85
    start_points: Points = 0.0
    slope: Annotated[float, Field(ge=0, le=1000)] = 1.0
    accelerator: Annotated[float, Field(ge=0, le=1000)] = 1.0
    cap: Ratio = 1.5
    slabs: Annotated[list[SlabTerms], Field(max_length=20)] = []
    team_share: Share = 0.0
    gates: Annotated[list[GateTerms], Field(max_length=3)] = []
    pool_months: Annotated[int, Field(ge=1, le=12)] = 1
    clawback_days: Annotated[int, Field(ge=0, le=365)] = 0
    holdback_share: Share = 0.0
    holdback_months: Annotated[int, Field(ge=1, le=6)] = 2
    account_cap: bool = True
    credit: Literal["opening", "payment"] = "opening"
    expectation: Literal["frozen", "worked"] = "frozen"
    moved_credit: Literal["previous", "new"] = "new"
    waivers_deducted: bool = False

    @field_validator("basis")
    @classmethod
    def _pays_for_money(cls, value: str) -> str:
        if value in PROMISE_COUNTS:
            raise ValueError(
                f"'{value}' pays for promises, and promises are what it would get; pay for index or attainment, "
                "and let kept_promises be a gate"
            )
        if value not in BASES:
            raise ValueError(f"there is no basis '{value}'; {nearest(value, list(BASES))}")
        return value

    @model_validator(mode="after")
    def _one_rule_that_never_falls(self) -> Self:
        problems = []
        if self.slabs:
            set_too = [name for name in _LINE if getattr(self, name) != type(self).model_fields[name].default]
            if set_too:
                problems.append(f"has slabs and {', '.join(set_too)}; a scheme is made of slabs or of a line, keep one")
            steps = sorted(self.slabs, key=lambda slab: slab.start)
            if any(after.points < before.points for before, after in itertools.pairwise(steps)):
                problems.append("pays less for more: points of slabs must not fall as attainment rises")
            if len({slab.start for slab in steps}) < len(steps):
                problems.append("has two slabs that start at the same attainment; keep one")
        elif self.cap <= self.threshold:
            problems.append(f"has cap {self.cap} at or below threshold {self.threshold}; nobody would be paid by the slope")
        if len({gate.measure for gate in self.gates}) < len(self.gates):
            problems.append("names a gate twice; keep one of each")
        if problems:
            raise ValueError("the scheme " + "; it ".join(problems))
        return self

    def scheme(self) -> "Scheme":
        """The scheme as a pure function."""
        from collect_analysis.officers.incentive_scheme.schemes import Gate, Scheme, Slab

        values = {name: getattr(self, name) for name in type(self).model_fields if name not in ("slabs", "gates")}
        slabs = tuple(Slab(**slab.model_dump()) for slab in self.slabs)
        return Scheme(**values, slabs=slabs, gates=tuple(Gate(**gate.model_dump()) for gate in self.gates))


class IncentiveScheme(ReportParameters):
    """What would a pay scheme cost, who wins and loses against today's, where are its cliffs, and how can it be gamed?

    Simulated on the `history_months` up to `period_end`; what accounts should bring is read from the `reference_months` before these.
    `factors`, `cap_quantile`: as in a scorecard. `today`, `proposed`: the schemes. What can be moved without collecting more: `movable_share`
    of a month's money between months or colleagues; `parked_expected` and `parked_cash` of the accounts least hoped for, of whose money
    `parked_lost` is lost; `stuffed_share` sure promises on top; `waiver_share` waived per unit pulled forward; `moved_accounts` with a known
    payment. Rules of the decision: each way of gaming gains at most `most_exploitable` of pay, at most `most_luck` of the variance of pay is
    luck, the next quarter costs at most `most_cost_minor` (high end of the `level` interval; None: no limit).
    """

    kind: ClassVar[str] = "incentive_scheme"
    policies: ClassVar[tuple[str, ...]] = ("kpi_windows",)
    statement: ClassVar[Statement] = "forecast"

    period_end: Day
    today: SchemeTerms
    proposed: SchemeTerms
    history_months: Annotated[int, Field(ge=3, le=36)] = 12
    reference_months: Annotated[int, Field(ge=1, le=36)] = 12
    factors: list[str] = ["bucket", "score_band", "balance_band", "product"]
    cap_quantile: Annotated[float, Field(gt=0.5, le=1)] = 0.995
    movable_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    parked_expected: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    parked_cash: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    parked_lost: Share = 0.5
    stuffed_share: Annotated[float, Field(ge=0, le=2)] = 0.25
    waiver_share: Annotated[float, Field(ge=0, le=0.9)] = 0.1
    moved_accounts: Annotated[int, Field(ge=0, le=50)] = 1
    most_exploitable: Share = 0.03
    most_luck: Share = 0.5
    most_cost_minor: Annotated[int, Field(gt=0)] | None = None
    level: Annotated[float, Field(gt=0, lt=1)] = 0.8

    @property
    def pooling(self) -> Pooling:
        """The months of history."""
        return Pooling(last_month=month_start(self.period_end), pool_months=1, history_months=self.history_months)

    @property
    def moves(self) -> Moves:
        """What can be moved without collecting more."""
        return Moves(**{name: getattr(self, name) for name in Moves.__dataclass_fields__})

    @property
    def rules(self) -> SchemeRules:
        """When the scheme may be adopted."""
        return SchemeRules(**{name: getattr(self, name) for name in SchemeRules.__dataclass_fields__})

    @property
    def check_on(self) -> date:
        """When the quarter of the forecast is over."""
        return month_end(self.period_end, 3)

    @field_validator("factors")
    @classmethod
    def _factors_exist(cls, value: list[str]) -> list[str]:
        try:
            known_factors(value)
        except ParameterError as error:
            raise ValueError("; ".join(error.problems)) from None
        return value

    @model_validator(mode="after")
    def _months_over(self) -> Self:
        if (self.period_end + timedelta(days=1)).day != 1:
            raise ValueError(f"the history ends on {self.period_end}, which is no last day of a month; end it on one")
        if self.period_end > self.as_of:
            raise ValueError(f"the history ends on {self.period_end}, after as_of {self.as_of}; move as_of or end the history earlier")
        if self.parked_cash > self.parked_expected:
            raise ValueError(
                f"parked_cash {self.parked_cash} is above parked_expected {self.parked_expected}; "
                "nobody parks accounts that bring more than expected"
            )
        return self
