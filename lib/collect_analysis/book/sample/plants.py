"""What is planted in the sample shop: each fact with its size, in one place. `truth.json` repeats it with the exact keys and counts."""

from dataclasses import dataclass

import numpy as np

# True skill of each agency: factor on the monthly chance that an account pays. Standard deviation 6 % of the mean.
AGENCY_SKILL = {"ag-a": 1.06, "ag-b": 0.97, "ag-c": 1.01, "ag-d": 0.93, "ag-e": 1.08, "ag-f": 0.95}
CHERRY_PICKER = "ag-d"
# Weak agencies are sent the easy strata, so that the raw liquidation rate ranks them wrongly.
AGENCY_EASY_MIX = {"ag-a": -0.9, "ag-b": 0.5, "ag-c": 0.0, "ag-d": 1.0, "ag-e": -1.1, "ag-f": 0.7}
# The agency that reaches relatives: a conduct gate must stop it whatever it collects.
CAREFREE_AGENCY = "ag-f"


@dataclass(frozen=True, kw_only=True)
class ExperimentPlan:
    """One randomised comparison: who, from when, how long, what it does."""

    experiment_id: str
    share_of_accounts: float
    horizon_days: int
    payer_effect: float = 0.0
    early_cash_effect: float = 0.0
    minutes_effect: float = 0.0
    margin: float = 0.03
    at_entry: bool = False


EXPERIMENTS = (
    ExperimentPlan(experiment_id="exp-payer", share_of_accounts=0.15, horizon_days=180, payer_effect=0.08),
    ExperimentPlan(experiment_id="exp-timing", share_of_accounts=0.08, horizon_days=180, early_cash_effect=0.15, at_entry=True),
    ExperimentPlan(
        experiment_id="exp-minutes", share_of_accounts=0.02, horizon_days=90, payer_effect=0.08, minutes_effect=0.4, at_entry=True
    ),
    ExperimentPlan(experiment_id="exp-aa", share_of_accounts=0.02, horizon_days=90, at_entry=True),
)


@dataclass(frozen=True, kw_only=True)
class Plants:
    """Sizes of the other planted facts. Counts are per 200,000 accounts and scale with the shop, but never below `least`."""

    assigned_days_before_end: int = 197
    timing_entry_days: int = 240
    last_entry_days_before_end: int = 96
    # Field visit from this balance on; in product cash_loan a second rule, a discount offer, switches at the same balance.
    visit_cut_off_minor: int = 20_000_000
    visit_horizon_days: int = 90
    visit_effect: float = 0.43
    offer_effect: float = 0.25
    # Monthly chance to pay rises by size x min(months since start, 6) / 6 in the regions of a wave; months count from the end.
    rollout_sizes: tuple[float, ...] = (0.36, 0.20, 0.10)
    rollout_months_before_end: tuple[int, ...] = (16, 12, 8)
    officer_reliability: float = 0.45
    training_month_before_end: int = 9
    trained_share: float = 0.10
    random_placement_share: float = 0.30
    cherry_share: float = 0.10
    duplicate_share: float = 0.02
    reversal_share: float = 0.005
    split_day_breaches: int = 240
    one_unit_day_breaches: int = 40
    late_call_breaches: int = 120
    after_recall_breaches: int = 60
    relative_breaches: int = 80
    hour_edge_contacts: int = 60
    least: int = 4
    outage_month_before_end: int = 2
    clock_month_before_end: int = 1
    late_feed_month_before_end: int = 3
    stuck_score_month_before_end: int = 4

    def count(self, per_200k: int, accounts: int) -> int:
        """How many to plant in a shop of this size."""
        return max(self.least, round(per_200k * accounts / 200_000))


PLANTS = Plants()


def held_back(effect: float) -> float:
    """Share of payers to hold back in the worse arm so that the better one has `effect` more of them: 1 - 1 / (1 + effect).

    Holding back a random share of accounts leaves the amount per payer alone and gives the same relative effect at every horizon.
    """
    return 1.0 - 1.0 / (1.0 + effect)


def rollout_factor(month: int, start: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Factor on the monthly chance to pay in each region in `month`; a region that never starts has start -1."""
    exposed = np.where((start >= 0) & (month >= start), np.minimum(month - start + 1, 6) / 6.0, 0.0)
    return 1.0 + size * exposed
