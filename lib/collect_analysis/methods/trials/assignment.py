"""Who gets which arm: the same customer, the same salt, the same arm, whoever draws and whenever.

Two ways. `hash`: the arm follows from the customer alone, so customers who come or go change nobody's arm. `blocks`: within a stratum,
customers of neighbouring balance form blocks and every full block gives each arm its exact share, so that arms are alike from the start; a
block depends on who is in the list, so those already assigned keep their arm and only new customers are drawn.
"""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from collect_analysis.errors import ParameterError

BUCKETS = 10_000
# Hex digits of the digest that make a bucket: 32 bits are exact in every engine, and 10,000 buckets differ by less than 3 in a million.
HEX_DIGITS = 8
LARGEST_BLOCK = 100


def hash_bucket(key: str, salt: str) -> int:
    """Which of the 10,000 buckets does a customer fall into under this salt?

    Formula: floor(u·10,000) with u the first 8 hex digits of SHA-256("salt:key") as a fraction of 2^32. Anybody can check it by hand.
    Source: Kohavi, Tang & Xu, Trustworthy Online Controlled Experiments (2020) ch. 4 (hash-based assignment).
    """
    return int(hash_numbers([key], salt)[0]) * BUCKETS >> (4 * HEX_DIGITS)


def hash_numbers(keys: Iterable[str], salt: str) -> np.ndarray:
    """The first 8 hex digits of SHA-256("salt:key") of every key as whole numbers from 0 to 2^32 - 1, in the order of `keys`.

    What `hash_bucket` counts in 10,000ths, at full resolution: a draw from probabilities that are no multiples of 1/10,000 needs it.
    """
    begun = hashlib.sha256(f"{salt}:".encode())

    def number(key: str) -> int:
        digest = begun.copy()
        digest.update(key.encode())
        return int.from_bytes(digest.digest()[: HEX_DIGITS // 2], "big")

    return np.fromiter((number(key) for key in keys), dtype=np.int64)


def salt_id(salt: str) -> str:
    """The name under which a salt is quoted: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(salt.encode()).hexdigest()[:12]


def bucket_limits(shares: Mapping[str, float]) -> dict[str, tuple[int, int]]:
    """Which buckets are each arm's? First bucket and the one after the last, in the order of `shares`; together all 10,000.

    Raises
    ------
    ParameterError
        A share is 0 or less, or the shares do not sum to 1.
    """
    checked = _checked(shares)
    edges = [round(float(edge) * BUCKETS) for edge in np.cumsum([0.0, *checked.values()])]
    return {arm: (edges[place], edges[place + 1]) for place, arm in enumerate(checked)}


def block_slots(shares: Mapping[str, float]) -> tuple[str, ...]:
    """The arms of one block in the order of their slots: the smallest block in which every arm has its exact share.

    Arms are spread (champion, challenger, champion, ...), so that the part of a block that is filled holds them in proportion as nearly as
    whole customers allow. Check: 50/50 -> 2 slots, 90/10 -> 10, 1/3 each -> 3.

    Raises
    ------
    ParameterError
        A share is 0 or less, the shares do not sum to 1, or no block of at most 100 holds them exactly.
    """
    checked = _checked(shares)
    values = np.array(list(checked.values()))
    for size in range(len(values), LARGEST_BLOCK + 1):
        counts = np.round(values * size)
        # Shares written to four digits (0.3333) mean the fraction they round.
        if (counts > 0).all() and counts.sum() == size and np.abs(counts / size - values).max() < 5e-5:
            places = [((turn + 0.5) / count, arm) for arm, count in zip(checked, counts.astype(int), strict=True) for turn in range(count)]
            order = {arm: place for place, arm in enumerate(checked)}
            return tuple(arm for _, arm in sorted(places, key=lambda item: (round(item[0], 9), order[item[1]])))
    raise ParameterError(
        f"shares {', '.join(f'{arm} {share:g}' for arm, share in checked.items())} fit no block of at most {LARGEST_BLOCK} customers; "
        "write them as whole percent, or draw by hash"
    )


def _checked(shares: Mapping[str, float]) -> dict[str, float]:
    wrong = [f"{arm} ({share:g})" for arm, share in shares.items() if not share > 0]
    if wrong:
        raise ParameterError(f"{len(wrong)} arm(s) have no share: {', '.join(wrong)}; give every arm a share above 0")
    if abs(sum(shares.values()) - 1) > 1e-3:
        raise ParameterError(f"shares sum to {sum(shares.values()):g}; together they must be 1")
    return dict(shares)


def standardised_differences(sums: pd.DataFrame, *, base: str) -> pd.DataFrame:
    """Are the arms alike in what was known before the test?

    Formula: d = (m - m0) / √((s² + s0²)/2), s² the variance within the arm.

    Parameters
    ----------
    sums
        One row per variable and arm: variable, arm, cases, sum_x, sum_xx.
    base
        The arm compared with.

    Returns
    -------
    variable, arm, cases, base_cases, mean, base_mean, standardised; one row per variable and arm other than the base.

    Undefined (NaN): an arm with fewer than 2 cases, or a variable that does not vary.
    Source: Austin, Communications in Statistics 38 (2009) 1228: under 0.1 is commonly held to be alike.
    """
    table = sums.assign(mean=sums["sum_x"] / sums["cases"].where(sums["cases"] > 0))
    spread = (table["sum_xx"] - table["cases"] * table["mean"] ** 2).clip(lower=0)
    table["variance"] = spread / (table["cases"] - 1).where(table["cases"] > 1)
    pairs = table[table["arm"] != base].merge(table[table["arm"] == base], on="variable", suffixes=("", "_base"))
    pooled = np.sqrt((pairs["variance"] + pairs["variance_base"]) / 2)
    pairs["standardised"] = (pairs["mean"] - pairs["mean_base"]) / pooled.where(pooled > 0)
    pairs = pairs.rename(columns={"cases_base": "base_cases", "mean_base": "base_mean"})
    columns = ["variable", "arm", "cases", "base_cases", "mean", "base_mean", "standardised"]
    return pairs[columns].sort_values(["variable", "arm"], ignore_index=True)
