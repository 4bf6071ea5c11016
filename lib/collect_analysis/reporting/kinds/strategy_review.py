"""Parameters of a strategy review."""

from typing import Annotated, ClassVar

from pydantic import Field

from collect_analysis.reporting.parameters import ReportParameters


class StrategyReview(ReportParameters):
    """Does the challenger work? One experiment, read at one horizon."""

    kind: ClassVar[str] = "strategy_review"

    experiment_id: str
    champion: str
    challengers: list[str]
    horizon_days: Annotated[int, Field(ge=1, le=730)] = 90
    covariates: list[str] = []
