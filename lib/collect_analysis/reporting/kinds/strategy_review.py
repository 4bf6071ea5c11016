"""Parameters of a strategy review."""

from typing import ClassVar, Literal

from collect_analysis.reporting.kinds.experiment import Days, DeclaredExperiment


class StrategyReview(DeclaredExperiment):
    """Does the challenger work? The readout of an experiment at its horizon.

    `horizons`: further days at which the book is read. `min_grade`: least evidence on which a roll-out may be proposed.
    """

    kind: ClassVar[str] = "strategy_review"

    horizons: list[Days] = [30, 60, 90, 180]
    min_grade: Literal["A", "B", "C", "D"] = "B"
