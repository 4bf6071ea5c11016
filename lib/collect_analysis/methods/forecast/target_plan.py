"""Targets from a forecast: what is likely, what is set, who carries which part, and whether the parts are equally hard."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from collect_analysis.errors import ParameterError

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
QUANTILES = {"p20": 0.2, "p50": 0.5, "p80": 0.8}


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What makes a forecast uncertain beyond chance payments, on the log scale.

    `common`: of a month, shared by all units (t-distributed with `freedom` degrees); `unit`: of a unit in a month, about its share.
    """

    common: float
    freedom: float
    unit: float


def largest_remainder(total: int, weights: ArrayLike, keys: Sequence[str]) -> Whole:
    """How is a whole number shared in proportion to weights, so that the parts are whole and add up to it exactly?

    Formula: floors first, then one more for the largest remainders; equal remainders are served in the order of `keys`, so that the order
    of rows does not matter. Weights that sum to 0 share equally.
    Raises ParameterError: a negative or undefined weight, nothing to share among.
    Source: Hamilton's method (largest remainder).
    """
    weight = np.asarray(weights, dtype=float)
    if not len(weight) or not np.isfinite(weight).all() or (weight < 0).any():
        raise ParameterError(f"{len(weight)} weights share {total}; give at least one, each a number of 0 or more")
    weight = weight if weight.sum() > 0 else np.ones(len(weight))
    order = np.argsort(np.asarray(keys, dtype=str), kind="stable")
    # Shares first: a total over the tiniest of weights is beyond any number.
    exact = weight / float(np.sort(weight).sum()) * total
    parts = np.floor(exact).astype(np.int64)
    missing = total - int(parts.sum())
    # Rounded, so that remainders which differ only in the last bit of a sum are equal.
    remainder = np.round(exact - parts, 9)[order]
    first = order[np.argsort(-remainder, kind="stable")]
    if missing < 0:
        parts[first[missing:]] -= 1
    parts[first[: max(missing, 0)]] += 1
    return parts


def allocate(total: int, leaves: pd.DataFrame, *, levels: Sequence[str], weight: str = "expected", step: int = 1) -> pd.DataFrame:
    """Who carries which part of the total?

    Formula: the total, in steps of `step` minor units, is shared among the first level in proportion to the sum of `weight` below it, each
    share among the next level, and so on; every level adds up exactly. A total that is no multiple of `step` gives the rest to the largest.
    `leaves`: one row per leaf with the columns of `levels` (from the top) and `weight`. Returns the leaves in the order of their keys
    with `target` (whole). Doubling every weight changes nothing; doubling the total doubles the targets within one step.
    """
    names = list(levels)
    table = leaves.sort_values(by=names, ignore_index=True)
    whole, rest = divmod(int(total), step)
    table["target"] = _share(table, whole, names, weight) * step
    if rest:
        targets = table["target"].to_numpy(copy=True)
        targets[int(table[weight].to_numpy(dtype=float).argmax())] += rest
        table["target"] = targets
    return table


def _share(table: pd.DataFrame, total: int, names: Sequence[str], weight: str) -> Whole:
    parts = np.zeros(len(table), dtype=np.int64)
    groups = table.groupby(names[0], sort=True)[weight].sum()
    shares = largest_remainder(total, groups, [str(key) for key in groups.index])
    for key, share in zip(groups.index, shares, strict=True):
        inside = (table[names[0]] == key).to_numpy()
        parts[inside] = _share(table[inside], int(share), names[1:], weight) if len(names) > 1 else share
    return parts


def simulate(leaves: pd.DataFrame, *, unit: str, spread: Spread, draws: int, seed: int) -> Floats:
    """What may every leaf bring, all at once? Draws by leaves, minor units.

    Formula: expected x C x U + noise, C = exp(common x t) the same for every leaf of a draw, U the factor of the leaf's unit, both with
    median 1; noise of the leaf is lognormal about its mean with standard deviation `sd` (chance payments and inflow). C and U are what
    make the parts of a sum move together.
    `leaves`: `unit`, expected, sd.
    """
    rng = np.random.default_rng(seed)
    codes, _ = pd.factorize(leaves[unit], sort=True)
    mean, sd = (leaves[name].to_numpy(dtype=float) for name in ("expected", "sd"))
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.sqrt(np.log1p(np.where(mean > 0, (sd / mean) ** 2, 0.0)))
    month = spread.common * rng.standard_t(max(spread.freedom, 1.0), size=(draws, 1)) if spread.common > 0 else np.zeros((draws, 1))
    # A t of few degrees has tails in which nothing can be collected; four spreads are beyond any month seen.
    month = np.clip(month, -4 * spread.common, 4 * spread.common)
    factor = spread.unit * rng.standard_normal((draws, int(codes.max(initial=-1)) + 1))
    noise = rng.standard_normal((draws, len(leaves))) * own - own**2 / 2
    return mean * np.exp(month + factor[:, codes] + noise)


def forecast(drawn: Floats, leaves: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Between which amounts will each scope land? P20, P50, P80 of the sum of its leaves, from draws made together.

    Columns: by, p20, p50, p80, sum_p80 (sum of its leaves' own 80 % quantiles: larger than p80, since not all are lucky at once), leaves.
    """
    own = np.quantile(drawn, QUANTILES["p80"], axis=0)
    rows: list[dict[str, object]] = []
    for key, places in _groups(leaves, by):
        total = drawn[:, places].sum(axis=1)
        rows.append({**key, **_quantiles(total), "sum_p80": float(own[places].sum()), "leaves": len(places)})
    return pd.DataFrame(rows)


def reach(drawn: Floats, leaves: pd.DataFrame, by: Sequence[str], *, target: str = "target") -> pd.DataFrame:
    """How likely is each scope's target reached? Share of the draws in which the sum of its leaves is at least the sum of their targets.

    Columns: by, target, p_reach. For the total this is the joint chance of the sum, not a product and not "all at once".
    """
    goals = leaves[target].to_numpy(dtype=float)
    rows = []
    for key, places in _groups(leaves, by):
        goal = float(goals[places].sum())
        rows.append({**key, "target": goal, "p_reach": float((drawn[:, places].sum(axis=1) >= goal).mean())})
    return pd.DataFrame(rows)


def all_reached(drawn: Floats, leaves: pd.DataFrame, by: Sequence[str], *, target: str = "target") -> float:
    """How likely does every scope reach its target in the same period?"""
    goals = leaves[target].to_numpy(dtype=float)
    met = np.ones(len(drawn), dtype=bool)
    for _, places in _groups(leaves, by):
        met &= drawn[:, places].sum(axis=1) >= goals[places].sum()
    return float(met.mean())


def reconcile(units: pd.DataFrame, *, stretch: float, top_down: float | None = None) -> pd.DataFrame:
    """Where do the number from above, the expected recovery and the capacity part?

    Formula: wanted = P50 x stretch; target = min(wanted, limit) where a capacity limit is known; top_down is shared in proportion to P50;
    gap = top_down - target (positive: asked for more than can be defended).
    `units`: unit, p50, limit (NaN: no limit known). Columns added: wanted, target, limited (flag), top_down, gap. Sums of targets are the
    company's.
    """
    table = units.copy()
    table["wanted"] = table["p50"] * stretch
    table["limited"] = (table["limit"] < table["wanted"]).fillna(False)
    table["target"] = table["wanted"].where(~table["limited"], table["limit"])
    total = float(np.sort(table["p50"]).sum())
    table["top_down"] = float("nan") if top_down is None or total <= 0 else top_down * table["p50"] / total
    table["gap"] = table["top_down"] - table["target"]
    return table


def rebased(targets: pd.DataFrame, *, threshold: float, step: int = 1) -> pd.DataFrame:
    """Whose target changes after accounts were taken back?

    Rule: where the expected recovery of recalled and returned accounts is more than `threshold` of the leaf's expected recovery at the
    freeze, the target falls in that proportion (to steps of `step`); below it nothing changes. Signed targets only fall by this rule.
    `targets`: target, expected, expected_gone. Columns added: gone_share (NaN: nothing was expected), rebased (flag), new_target (whole).
    """
    table = targets.copy()
    table["gone_share"] = table["expected_gone"] / table["expected"].where(table["expected"] > 0)
    table["rebased"] = (table["gone_share"] > threshold).fillna(False)
    lower = np.floor(table["target"] * (1 - table["gone_share"].fillna(0)) / step) * step
    table["new_target"] = table["target"].where(~table["rebased"], lower).astype("int64")
    return table


def explained_by_mix(
    attainment: ArrayLike, mix: ArrayLike, groups: ArrayLike, *, held: ArrayLike | None = None, draws: int, seed: int
) -> tuple[float, float]:
    """How much of who reached a target does the portfolio explain, and is it more than chance?

    Formula: R-squared of the least-squares fit of attainment on the columns of `mix`, both less their mean within `groups` (colleagues are
    compared, teams are not) and less what `held` explains of them; the p-value permutes attainment within groups: (1 + draws with at least
    that R-squared) / (1 + draws).
    Returns R-squared and p; NaN both with fewer cases than columns + groups + 5, or attainment that does not vary.
    Fair targets explain about nothing: the larger the part, the more a target measures the accounts instead of the work.
    """
    _, code = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    design, about = _within(np.asarray(mix, dtype=float), code), _within(np.asarray(attainment, dtype=float)[:, None], code)[:, 0]
    if held is not None:
        constant = _within(np.asarray(held, dtype=float)[:, None], code)[:, 0]
        design, about = _less(design, constant), _less(about[:, None], constant)[:, 0]
    varied = design[:, design.std(axis=0) > 1e-12] if len(design) else design
    if len(about) < varied.shape[1] + len(np.unique(code)) + 5 or not varied.shape[1] or about.std() < 1e-12:
        return float("nan"), float("nan")
    basis, _ = np.linalg.qr(varied / varied.std(axis=0))
    found = _r_squared(basis, about)
    rng = np.random.default_rng(seed)
    order = np.argsort(code, kind="stable")
    more = 0
    for _ in range(draws):
        shuffled = np.empty_like(about)
        # Sorting by group and then by lot shuffles within every group at once.
        shuffled[order] = about[np.lexsort((rng.random(len(code)), code))]
        more += _r_squared(basis, shuffled) >= found - 1e-12
    return found, (1 + more) / (1 + draws)


def ramped(weight: ArrayLike, tenure_months: ArrayLike, ramp: Sequence[float]) -> Floats:
    """The weight of each officer with newcomers at their share: `ramp[0]` in the first month, `ramp[1]` in the second, then whole.

    Tenure that is not known counts as whole. What a newcomer does not carry, the others of the unit carry.
    """
    months = np.asarray(tenure_months, dtype=float)
    place = np.clip(np.nan_to_num(months, nan=float(len(ramp))), 0, len(ramp)).astype(int)
    return np.asarray(weight, dtype=float) * np.array([*ramp, 1.0])[place]


def _groups(leaves: pd.DataFrame, by: Sequence[str]) -> list[tuple[dict[str, object], NDArray[np.intp]]]:
    if not by:
        return [({}, np.arange(len(leaves)))]
    found = leaves.reset_index(drop=True).groupby(list(by), sort=True).indices
    return [
        (dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True)), np.asarray(places)) for key, places in sorted(found.items())
    ]


def _quantiles(total: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(QUANTILES, np.quantile(total, list(QUANTILES.values())), strict=True)}


def _within(columns: Floats, code: NDArray[np.intp]) -> Floats:
    size = np.bincount(code)
    means = np.stack([np.bincount(code, column) / size for column in columns.T], axis=1)
    return columns - means[code]


def _less(columns: Floats, held: Floats) -> Floats:
    """Columns less their projection on what is held constant."""
    square = float(held @ held)
    return columns - np.outer(held, held @ columns) / square if square > 0 else columns


def _r_squared(basis: Floats, about: Floats) -> float:
    return float(((basis.T @ about) ** 2).sum() / (about**2).sum())
