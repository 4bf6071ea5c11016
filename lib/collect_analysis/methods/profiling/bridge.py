"""From one amount of cash to another in parts that add up to the last unit of money: volume, mix, rate, ticket, large tickets."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Order = Literal["shapley", "fixed"]
FACTORS = ("volume", "mix", "rate", "ticket")
PARTS = ("plan", "calendar", *FACTORS, "large")
NUMBERS = ("accounts", "payers", "ordinary_minor", "large_minor")


def variance_bridge(cells: pd.DataFrame, *, keys: Sequence[str], calendar: float = 1.0, order: Order = "shapley") -> pd.DataFrame:
    """Which part of the difference between two periods' cash is each cell's volume, mix, rate and ticket?

    Cash of a cell = N·w·r·b + large: N all accounts, w the cell's share of them, r payers per account, b cash per payer; large tickets are
    pulled out first. Columns needed: `keys`, and accounts, payers, ordinary_minor, large_minor, each also as `base_*`.
    `calendar`: by what the base's rate is multiplied before, because more or less of the month is over than in the base; that step is a part
    of its own. `order` fixed: N, then w, r, b, each at the new value of those before it (volume = (N-N0)·w0·r0·b0, ticket = N·w·r·(b-b0));
    shapley: the average over all 24 orders. Where a side has no account of a cell, its rate and ticket are taken from the other (all of it is
    mix); where it has no payer, its ticket is. Columns: `keys`, base_minor (cash of the base), calendar, volume, mix, rate, ticket, large,
    actual_minor; floats whose parts add up to actual - base up to rounding. Raises nothing: an empty cell has empty parts.
    Source: Shapley, in Contributions to the Theory of Games II (1953) 307; Sun, Energy Economics 20 (1998) 85.
    """
    numbers = {name: cells[name].to_numpy(dtype=float) for name in NUMBERS} | {
        f"base_{name}": cells[f"base_{name}"].to_numpy(dtype=float) for name in NUMBERS
    }
    new, old = _factors(numbers, ""), _factors(numbers, "base_")
    _borrow(new, old)
    _borrow(old, new)
    before = _product(old)
    moved = [*old[:2], old[2] * calendar, old[3]]
    table = cells[list(keys)].reset_index(drop=True)
    table["base_minor"] = numbers["base_ordinary_minor"] + numbers["base_large_minor"]
    table["calendar"] = _product(moved) - before
    for name, part in zip(FACTORS, _effects(moved, new, order), strict=True):
        table[name] = part
    table["large"] = numbers["large_minor"] - numbers["base_large_minor"]
    table["actual_minor"] = numbers["ordinary_minor"] + numbers["large_minor"]
    return table


def _factors(numbers: dict[str, Floats], side: str) -> list[Floats]:
    """N, w, r, b of each cell; r and b NaN where undefined."""
    accounts, payers, cash = (numbers[f"{side}{name}"] for name in ("accounts", "payers", "ordinary_minor"))
    total = float(accounts.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        share = accounts / total if total > 0 else np.zeros_like(accounts)
        return [np.full_like(accounts, total), share, payers / accounts, cash / payers]


def _borrow(factors: list[Floats], other: list[Floats]) -> None:
    for place in (2, 3):
        factors[place] = np.where(np.isfinite(factors[place]), factors[place], np.nan_to_num(other[place], nan=0.0))


def _product(factors: Sequence[Floats]) -> Floats:
    """Product of the factors of each cell."""
    return factors[0] * factors[1] * factors[2] * factors[3]


def _effects(old: Sequence[Floats], new: Sequence[Floats], order: Order) -> list[Floats]:
    """What each factor adds, in the fixed order or averaged over all orders: weight of a set of factors already moved is s!(3-s)!/4!."""
    effects = []
    for place in range(4):
        others = [item for item in range(4) if item != place]
        effect = np.zeros_like(old[0])
        for size in range(4):
            for moved in itertools.combinations(others, size):
                weight = (
                    math.factorial(size) * math.factorial(3 - size) / 24 if order == "shapley" else float(set(moved) == set(range(place)))
                )
                if weight:
                    rest = np.ones_like(old[0])
                    for item in others:
                        rest = rest * (new[item] if item in moved else old[item])
                    effect = effect + weight * rest * (new[place] - old[place])
        effects.append(effect)
    return effects


def rounded(parts: ArrayLike, total: int) -> NDArray[np.int64]:
    """Whole numbers next to `parts` that add up to `total` exactly.

    Largest remainder: every part is rounded down, then the largest remainders (the first of equal ones) get one more; a difference larger
    than the number of parts, from a total that the parts do not add up to, is spread evenly first. Shapes: (k,) -> (k,).
    Undefined (ValueError): no part and a total that is not 0. Source: Hare's method; Balinski & Young, Fair Representation (1982).
    """
    values = np.asarray(parts, dtype=float)
    if values.size == 0:
        if total:
            raise ValueError(f"there is no part to carry {total}")
        return np.zeros(0, dtype=np.int64)
    # Money of one cell stays far below 2^53; the total is kept as an exact integer.
    floors = np.floor(values)
    whole = [int(value) for value in floors]
    left = total - sum(whole)
    even, left = divmod(left, values.size)
    whole = [value + even for value in whole]
    for place in np.argsort(-(values - floors), kind="stable")[:left]:
        whole[int(place)] += 1
    return np.array(whole, dtype=np.int64)


def exact(table: pd.DataFrame, *, parts: Sequence[str], start: int, end: int) -> pd.DataFrame:
    """The bridge in whole units of money: over all rows and parts the numbers add up to end - start exactly.

    Columns as given, `parts` as integers.
    """
    values = table[list(parts)].to_numpy(dtype=float)
    whole = rounded(values.ravel(), end - start).reshape(values.shape)
    return table.assign(**{name: whole[:, place] for place, name in enumerate(parts)})


def by(table: pd.DataFrame, key: str, *, parts: Sequence[str]) -> pd.DataFrame:
    """The parts of an exact bridge summed by one key, with column gap_minor = their sum; most negative gap first."""
    sums = table.groupby(key, as_index=False)[list(parts)].sum()
    sums["gap_minor"] = sums[list(parts)].sum(axis=1)
    return sums.sort_values(["gap_minor", key], ignore_index=True)
