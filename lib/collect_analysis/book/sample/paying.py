"""How likely an account pays in a month, what the payment does to it, and how large it is."""

import numpy as np

# Stages by days past due: current, 1-30, 31-60, 61-90, 91-180, 181-360, 361-720, over 720.
STAGE_EDGES = np.array([0, 30, 60, 90, 180, 360, 720])
PAY = np.array([0.0, 0.86, 0.38, 0.24, 0.058, 0.052, 0.044, 0.034])
SCORE_FACTOR = np.array([[1, 0.95, 0.8, 0.8, 0.68, 0.68, 0.68, 0.68], [1.0] * 8, [1, 1.04, 1.2, 1.2, 1.4, 1.4, 1.4, 1.4]])
PRODUCT_FACTOR = np.array([1.0, 0.95, 1.05, 1.1])
BALANCE_EDGES = np.array([10_000_000, 30_000_000])
BALANCE_FACTOR = np.array([1.3, 1.0, 0.72])
MOST = 0.95
EARLY, LATE = 1, 4

# What a payment does: cures, rolls one bucket back, holds the bucket, changes nothing, pays off, settles.
CURE, BACK, HOLD, PART, PAYOFF, SETTLE = range(6)
OUTCOME = np.array(
    [
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.955, 0.0, 0.0, 0.035, 0.01, 0.0],
        [0.42, 0.18, 0.25, 0.13, 0.015, 0.005],
        [0.33, 0.20, 0.28, 0.165, 0.015, 0.01],
        [0.02, 0.0, 0.0, 0.974, 0.003, 0.003],
        [0.0, 0.0, 0.0, 0.994, 0.003, 0.003],
        [0.0, 0.0, 0.0, 0.994, 0.003, 0.003],
        [0.0, 0.0, 0.0, 0.994, 0.003, 0.003],
    ]
)
INSTALMENT, NOISE_SD, LATE_PART, LATE_SHAPE, EARLY_PART = 0.06, 0.35, 0.11, 4.0, 0.03
SETTLE_LOW, SETTLE_HIGH = 0.5, 0.7
ROUND_MINOR, LEAST_MINOR = 10_000, 50_000
AGENCY_AGE_FACTOR = np.array([1.25, 1.15, 1.05, 0.95, 0.85, 0.75])
PLACEMENT_FACTOR = np.array([1.0, 0.72, 0.55])


def stage_of(dpd: np.ndarray) -> np.ndarray:
    """Index of the stage of days past due."""
    return np.searchsorted(STAGE_EDGES, dpd, side="left")


def bucket_of(dpd: np.ndarray) -> np.ndarray:
    """Bucket: 0 current, 1 = 1-30 days past due, 2 = 31-60, ... at most 20."""
    return np.minimum((np.asarray(dpd) + 29) // 30, 20)


def base_chance(stage: np.ndarray, product: np.ndarray, score_band: np.ndarray, balance: np.ndarray, frailty: np.ndarray) -> np.ndarray:
    """Chance to pay in a month before anybody's skill, season or strategy."""
    size = np.where(stage >= LATE, BALANCE_FACTOR[np.searchsorted(BALANCE_EDGES, balance, side="right")], 1.0)
    person = np.where(stage > EARLY, frailty, 1.0)
    return PAY[stage] * SCORE_FACTOR[score_band, stage] * PRODUCT_FACTOR[product] * size * person


def draw_outcome(stage: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """What each payment does."""
    steps = np.cumsum(OUTCOME, axis=1)[stage]
    return np.minimum((uniform[:, None] >= steps).sum(axis=1), SETTLE)


def _mean_fraction(stage: np.ndarray, bucket: np.ndarray) -> np.ndarray:
    """Expected share of the balance that a payment of each kind brings; one row per account, one column per outcome."""
    noise = np.exp(NOISE_SD**2 / 2)
    late = np.where(stage >= LATE, LATE_PART, EARLY_PART)
    cure = np.minimum(INSTALMENT * np.maximum(bucket, 1) * noise, 0.9)
    one = np.full(len(stage), INSTALMENT * noise)
    mean = np.stack([cure, 2 * one, one, late, np.ones(len(stage)), np.full(len(stage), (SETTLE_LOW + SETTLE_HIGH) / 2)], axis=1)
    return mean


def expected_fraction(stage: np.ndarray, bucket: np.ndarray) -> np.ndarray:
    """Expected share of the balance that a payer brings in a month."""
    return (OUTCOME[stage] * _mean_fraction(stage, bucket)).sum(axis=1)


def share_left_open(stage: np.ndarray, bucket: np.ndarray) -> np.ndarray:
    """Share of the expected cash that comes from payments which leave the debt open."""
    mean = OUTCOME[stage] * _mean_fraction(stage, bucket)
    return mean[:, :PAYOFF].sum(axis=1) / mean.sum(axis=1)


def square_fraction(stage: np.ndarray, bucket: np.ndarray) -> np.ndarray:
    """Expected square of the share of the balance that a payer brings."""
    spread = np.exp(NOISE_SD**2)
    part = np.where(stage >= LATE, 1 + 1 / LATE_SHAPE, spread)
    scale = np.stack([np.full(len(stage), spread)] * 3 + [part] + [np.ones(len(stage))] * 2, axis=1)
    return (OUTCOME[stage] * _mean_fraction(stage, bucket) ** 2 * scale).sum(axis=1)


def draw_amount(stage: np.ndarray, bucket: np.ndarray, outcome: np.ndarray, balance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Amount of each payment in minor units, never more than the balance; a pay-off takes all of it."""
    noise = np.exp(rng.normal(0.0, NOISE_SD, len(stage)))
    gamma = rng.gamma(LATE_SHAPE, LATE_PART / LATE_SHAPE, len(stage))
    settle = rng.uniform(SETTLE_LOW, SETTLE_HIGH, len(stage))
    part = np.where(stage >= LATE, np.minimum(gamma, 0.8), EARLY_PART * noise)
    cure = np.minimum(INSTALMENT * np.maximum(bucket, 1) * noise, 0.9)
    one = INSTALMENT * noise
    fraction = np.choose(outcome, [cure, 2 * one, one, part, np.ones(len(stage)), settle])
    rounded = np.maximum(np.round(fraction * balance / ROUND_MINOR).astype(np.int64) * ROUND_MINOR, LEAST_MINOR)
    return np.where(outcome == PAYOFF, balance, np.minimum(rounded, balance))
