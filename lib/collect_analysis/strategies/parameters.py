"""Parameters that every report about one experiment has: what was declared before anybody looked."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from collect_analysis.report.parameters import ReportParameters

Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=730)]
Name = Annotated[str, Field(min_length=1, max_length=120)]


class DeclaredExperiment(ReportParameters):
    """One experiment, one primary outcome read at one horizon; what was declared before the test was read.

    `primary_outcome`: payer_rate or cash_per_account from the book, else an outcome of the supplied cohort (of money also whether any came:
    `<outcome>_payer_rate`); more of it counts as better, so map the reverse of what should fall. `covariates`: adjusted for,
    all of them measured before assignment. `margin_relative`: smallest relative effect worth having. `guardrails`: what must not get worse
    -> the largest tolerable rise per 1,000 cases. `dose`, `min_dose_difference`: in which dose the arms must differ, and by how much at
    least (relative). `capacity_tolerance`: how much more agent time a challenger may use (relative). `planned_shares`: arm -> planned
    share, where neither table `experiment` nor logged probabilities tell. `assigned_in_clusters`: more than one subject was assigned
    together (household, branch). `preregistration`: where the plan was filed, if table `experiment` has no hash. `randomised`: false where
    nobody drew lots; that somebody did must be shown by logged probabilities, a registered plan, its salt, or `lot_document`: where the draw
    is written down (protocol, publication).
    """

    experiment_id: Name
    champion: Name
    challengers: Annotated[list[Name], Field(min_length=1, max_length=12)]
    primary_outcome: Name = "payer_rate"
    horizon_days: Days = 90
    covariates: list[Name] = []
    margin_relative: Share = 0.03
    guardrails: dict[str, Annotated[float, Field(ge=0)]] = {}
    dose: str = ""
    min_dose_difference: Annotated[float, Field(ge=0)] = 0.0
    capacity_tolerance: Annotated[float, Field(ge=0)] = 0.1
    planned_shares: dict[str, Share] = {}
    randomised: bool = True
    assigned_in_clusters: bool = False
    preregistration: str = ""
    lot_document: str = ""

    @field_validator("planned_shares")
    @classmethod
    def _shares_sum_to_one(cls, shares: dict[str, float]) -> dict[str, float]:
        if shares and (abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) <= 0):
            raise ValueError(f"shares sum to {sum(shares.values()):g}; write the planned share of every arm, all above 0 and together 1")
        return shares

    @model_validator(mode="after")
    def _arms_and_doses_fit(self) -> Self:
        if self.champion in self.challengers:
            raise ValueError(f"champion '{self.champion}' is named among the challengers; name each arm once")
        missing = sorted(set(self.arms) - set(self.planned_shares)) if self.planned_shares else []
        if missing:
            raise ValueError(f"planned_shares has no share for {', '.join(missing)}; write one for every arm compared")
        if bool(self.dose) != bool(self.min_dose_difference):
            raise ValueError("dose and min_dose_difference belong together; write both or neither")
        return self

    @property
    def arms(self) -> list[str]:
        """The arms compared, champion first."""
        return [self.champion, *self.challengers]
