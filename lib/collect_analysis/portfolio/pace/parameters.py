"""Parameters of a month's pace."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from collect_analysis.report.parameters import ReportParameters, Statement

Share = Annotated[float, Field(gt=0, lt=1)]


class Pace(ReportParameters):
    """Will the month of `as_of` land on its plan, and what explains the gap?

    `history_months`: past months the completion curve, its band and its test rest on (as many as the book has). `reference_months`: with
    which months' mean the month is compared. `level`: of the forecast's interval. `tet_spread`: log points by which a week around the lunar
    new year may differ between years; used while fewer than three new years were seen. `large_ticket_quantile`: an account whose cash of the
    month lies above this quantile is a large ticket. `order`: of the bridge's factors (shapley: the mean of all orders). `top_bucket`:
    buckets from there on are one. `units`: those told one by one (empty: all). Rules of the decision: hold at `hold_above`; give up on more
    than `most_uplift` of the cash to come; `concentrated_share`: at most two units with this share of the gap carry it. `unusual_beyond`:
    standard deviations from which a day is named.
    """

    kind: ClassVar[str] = "pace"
    statement: ClassVar[Statement] = "forecast"

    history_months: Annotated[int, Field(ge=6, le=120)] = 24
    reference_months: Annotated[int, Field(ge=1, le=12)] = 3
    level: Share = 0.8
    tet_spread: Annotated[float, Field(ge=0, le=2)] = 0.25
    large_ticket_quantile: Annotated[float, Field(ge=0.9, lt=1)] = 0.995
    order: Literal["shapley", "fixed"] = "shapley"
    top_bucket: Annotated[int, Field(ge=1, le=20)] = 7
    units: list[str] = []
    hold_above: Share = 0.8
    most_uplift: Annotated[float, Field(gt=0, le=2)] = 0.25
    concentrated_share: Share = 0.5
    unusual_beyond: Annotated[float, Field(ge=2, le=20)] = 4.0
