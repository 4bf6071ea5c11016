"""Which months are judged together, and which tell how far their figures can be trusted."""

from dataclasses import dataclass
from datetime import date

from collect_analysis.measures.periods import Period, month_end, month_start


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """The months of a scorecard: `pool_months` up to `last_month` are judged, `history_months` up to it tell the reliability."""

    last_month: date
    pool_months: int = 3
    history_months: int = 12

    @property
    def history(self) -> Period:
        """All months that are read."""
        return Period(month_start(self.last_month, 1 - max(self.history_months, self.pool_months)), month_end(self.last_month))

    @property
    def pooled(self) -> Period:
        """The months that are judged."""
        return Period(month_start(self.last_month, 1 - self.pool_months), month_end(self.last_month))
