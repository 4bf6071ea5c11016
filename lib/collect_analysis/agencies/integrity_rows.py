"""Counts by unit as rows of an integrity test."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from collect_analysis.methods.profiling.peer_tests import log_odds
from collect_analysis.methods.rates.rates import wilson_interval


def not_asked(tests: Iterable[str], note: str) -> list[pd.DataFrame]:
    """Tests that the book cannot be asked, with the reason."""
    return [pd.DataFrame([{"test": test, "note": note}]) for test in tests]


def as_share(counts: pd.DataFrame, test: str) -> pd.DataFrame:
    """Counts by unit as rows of a test: the share with its interval (Wilson), and its log odds."""
    seen, trials = counts["observed"].to_numpy(float), counts["trials"].to_numpy(float)
    estimate, se = log_odds(seen, trials)
    low, high = wilson_interval(seen, trials)
    share = np.divide(seen, trials, out=np.full(len(seen), np.nan), where=trials > 0)
    return pd.DataFrame(
        {
            "test": test, "unit_key": counts["unit_key"].to_numpy(), "observed": seen, "trials": trials, "cases": trials, "estimate": estimate,
            "se": se, "value": share, "low": low, "high": high, "unit": "share",
        }
    )  # fmt: skip
