"""What a rule does that switches at a cut-off: sharp regression discontinuity.

Every function reads *cases*: one row per case with columns `running` (what the rule looks at: balance, score, days past due), `outcome`
and, where known, `treated` (bool: what was really done, to check that the rule was kept).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.causal.density_jump import MIN_DISTINCT, BalanceTest, DensityTest, balance_test, density_test
from collect_analysis.methods.causal.local_polynomial import PILOT_FACTOR, fit_weights, neighbour_residuals, pilot_spread, reach
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
Where = Literal["above", "below"]

MIN_SIDE = 50
MAX_REPEATED = 0.20
# With so many distinct values a side inside the bandwidth, one step is 3 % of it, and that values repeat does no harm, however many cases share one:
# the more data, the more repeat.
MANY_DISTINCT = 30
MAX_HEAP = 0.05
MOVED_LEVEL = 0.01


@dataclass(frozen=True, kw_only=True)
class Discontinuity:
    """Effect at the cut-off, with all that decides whether to believe it.

    `effects` has two rows, method `conventional` and `robust`, and columns method, estimate, standard_error, low, high, p_value,
    bandwidth, bias_bandwidth, cases_below, cases_above (inside the bandwidth), note. Quote the conventional estimate with the robust
    interval, which alone allows for the curvature that the bandwidth leaves.
    """

    effects: pd.DataFrame
    density: DensityTest
    balance: BalanceTest
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Side:
    """Cases of one side: distance from the cut-off, outcome, residual from the nearest neighbours."""

    x: Floats
    y: Floats
    residual: Floats


@dataclass(frozen=True)
class Bandwidths:
    """How far from the cut-off cases count: `main` for the effect, `bias`, not smaller, for the curvature taken off it."""

    main: float
    bias: float

    def __post_init__(self) -> None:
        if not 0 < self.main <= self.bias < np.inf:
            raise ParameterError(f"bandwidths must be above 0 and the one for the bias not the smaller: {self.main:g}, {self.bias:g}.")


def sharp_discontinuity(
    cases: pd.DataFrame,
    *,
    cutoff: float,
    cutoff_belongs_to: Where,
    treated_side: Where = "above",
    other_cutoffs: Sequence[float] = (),
    bandwidths: Bandwidths | None = None,
    level: float = CONFIDENCE,
) -> Discontinuity:
    """What does the treatment do to cases at the cut-off?

    Formula: limit of the mean outcome from the treated side minus that from the other, each a local linear fit with triangular kernel
    inside h; the robust row takes off the curvature estimated by a local quadratic inside b and counts its error. Variance from three
    nearest neighbours. h and b minimise the mean squared error of the effect (one pair for both sides) unless given.
    `cutoff_belongs_to`: the side a case exactly at the cut-off is treated with, as the real rule has it. `other_cutoffs`: where
    other rules switch on the same variable. The effect holds at the cut-off only.
    Undefined (NaN + note): where a condition refuses, that is running variable or outcome constant, a side empty or with fewer than 50
    cases or 20 distinct values (in the data or inside h), rule not kept, cases moved across (density or balance test, p < 1 %
    for both together), another rule switching inside h. Coarse values (a fifth repeat and fewer than 30 differ inside h) and heaps (a twentieth
    of a side at one value, or of all cases at the cut-off) cost a grade: Barreca, Lindo & Waddell, Economic Inquiry 54 (2016) 268.
    Raises DataError: missing columns or values; ParameterError: a side that is neither above nor below.
    Source: Calonico, Cattaneo & Titiunik, Econometrica 82 (2014) 2295; Calonico, Cattaneo, Farrell & Titiunik, Stata Journal 17 (2017) 372.
    """
    below, above = split(cases, cutoff=cutoff, cutoff_belongs_to=cutoff_belongs_to)
    if treated_side not in ("above", "below"):
        raise ParameterError(f"treated_side must be above or below, not '{treated_side}'.")
    density = density_test(cases["running"], cutoff=cutoff, cutoff_belongs_to=cutoff_belongs_to)
    balance = balance_test(cases["running"], cutoff=cutoff)
    conditions = [*_supply(below, above), *_kept(cases, cutoff, cutoff_belongs_to, treated_side)]
    if not refused(conditions):
        widths = bandwidths or mse_bandwidths(below, above)
        conditions += [*_near(below, above, widths), _nobody_moves(density, balance), _alone(other_cutoffs, cutoff, widths)]
    if refused(conditions):
        return Discontinuity(effects=_withheld(refused(conditions)), density=density, balance=balance, conditions=tuple(conditions))
    effects = jump(below, above, widths, level=level, sign=1.0 if treated_side == "above" else -1.0)
    return Discontinuity(effects=effects, density=density, balance=balance, conditions=tuple(conditions))


def split(cases: pd.DataFrame, *, cutoff: float, cutoff_belongs_to: Where, donut: float = 0.0) -> tuple[Side, Side]:
    """Cases below and above the cut-off, without those closer to it than `donut`.

    Raises DataError: columns or values missing, no case left; ParameterError: an unknown side, or a cut-off that is no number.
    """
    if cutoff_belongs_to not in ("above", "below") or not np.isfinite(cutoff):
        raise ParameterError(f"cutoff_belongs_to must be above or below, the cut-off a number; not '{cutoff_belongs_to}' and {cutoff}.")
    absent = [name for name in ("running", "outcome") if name not in cases.columns]
    if absent or cases.empty:
        raise DataError(f"cases: {'no column ' + ', '.join(absent) if absent else 'no rows'}; one row per case is needed.")
    values = cases[["running", "outcome"]].to_numpy(dtype=float)
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise DataError(
            f"cases.{name}: {int(column.sum())} of {len(cases)} rows are missing (first: row {int(np.flatnonzero(column)[0]) + 1}). "
            "Leave those cases out, and say why they are missing."
            for name, column in zip(("running", "outcome"), wrong.T, strict=True)
            if column.any()
        )
    x, y = values[np.argsort(values[:, 0], kind="stable")].T
    x = x - cutoff
    low = x <= 0 if cutoff_belongs_to == "below" else x < 0
    kept = np.abs(x) >= donut
    return _side(x[low & kept], y[low & kept]), _side(x[~low & kept], y[~low & kept])


def mse_bandwidths(below: Side, above: Side) -> Bandwidths:
    """Which bandwidths make the mean squared error of the effect smallest?

    Formula: three steps of h = [V / (D² + R)]^(1/(2p+3)), V the variance and D the difference of the leading biases of two fits of order
    p, R = 3 times the variance of that bias, so that a bias that is not known does not make h huge: p = 3 on all cases gives the
    bandwidth for p = 2 (b), which gives that for p = 1 (h). V from a pilot of 2.576·spread·n^(-1/5), n the number of distinct values.
    Never less than reaches 20 distinct values on each side, never more than reaches all cases.
    Source: Calonico, Cattaneo & Titiunik (2014), section 6 of the supplement; Calonico, Cattaneo & Farrell, Econometrics Journal 23
    (2020) 192.
    """
    x = np.concatenate([below.x, above.x])
    distinct = len(np.unique(below.x)) + len(np.unique(above.x))
    edges = [float(np.abs(side.x).max()) for side in (below, above)]
    least = max(reach(side.x, MIN_DISTINCT) for side in (below, above))
    pilot = max(min(PILOT_FACTOR * pilot_spread(x) * distinct ** (-1 / 5), max(edges)), least)
    # Just beyond the last case, so that it still counts.
    whole = (edges[0] * (1 + 1e-9), edges[1] * (1 + 1e-9))

    def usable(width: float) -> float:
        return min(max(width, least), max(whole))

    sides = below, above
    third = usable(_step(sides, order=3, derivative=3, pilot=pilot, wide=whole, shrink=False))
    bias = usable(_step(sides, order=2, derivative=2, pilot=pilot, wide=(third, third)))
    main = usable(_step(sides, order=1, derivative=0, pilot=pilot, wide=(bias, bias)))
    return Bandwidths(main=main, bias=max(main, bias))


def jump(below: Side, above: Side, widths: Bandwidths, *, level: float, sign: float = 1.0) -> pd.DataFrame:
    """Conventional and robust effect at given bandwidths: a row each, columns as `Discontinuity.effects`."""
    rows = []
    for method in ("conventional", "robust"):
        estimate = variance = 0.0
        for side, direction in ((below, -sign), (above, sign)):
            weights = fit_weights(side.x, order=1, bandwidth=widths.main, coefficient=0)
            if method == "robust":
                curvature = fit_weights(side.x, order=2, bandwidth=widths.bias, coefficient=2)
                weights = weights - (weights @ side.x**2) * curvature
            estimate += direction * float(weights @ side.y)
            variance += float((weights * side.residual) @ (weights * side.residual))
        rows.append((method, estimate, np.sqrt(variance)))
    table = pd.DataFrame(rows, columns=["method", "estimate", "standard_error"])
    half = stats.norm.ppf((1 + level) / 2) * table["standard_error"]
    table["low"], table["high"] = table["estimate"] - half, table["estimate"] + half
    with np.errstate(divide="ignore", invalid="ignore"):
        table["p_value"] = 2 * stats.norm.sf(np.abs(table["estimate"] / table["standard_error"]))
    table["bandwidth"], table["bias_bandwidth"] = widths.main, widths.bias
    table["cases_below"], table["cases_above"] = (int((np.abs(side.x) < widths.main).sum()) for side in (below, above))
    return table.assign(note="")


def _side(x: Floats, y: Floats) -> Side:
    return Side(x, y, neighbour_residuals(x, y) if len(x) > 3 else np.full(len(x), np.nan))


def _step(sides: tuple[Side, Side], *, order: int, derivative: int, pilot: float, wide: tuple[float, float], shrink: bool = True) -> float:
    """Bandwidth for derivative `derivative` of a fit of this order, its bias from a fit of the next order inside `wide`."""
    variance = difference = doubt = 0.0
    power = order + 1 - derivative
    for side, width, direction in zip(sides, wide, (-1.0, 1.0), strict=True):
        weights = fit_weights(side.x, order=order, bandwidth=pilot, coefficient=derivative)
        variance += (2 * derivative + 1) * pilot ** (2 * derivative + 1) * float((weights * side.residual) @ (weights * side.residual))
        constant = float(weights @ side.x ** (order + 1)) / pilot**power
        bias = fit_weights(side.x, order=order + 1, bandwidth=width, coefficient=order + 1)
        difference += direction * constant * float(bias @ side.y)
        doubt += 3 * constant**2 * float((bias * side.residual) @ (bias * side.residual))
    squared_bias = 2 * power * (difference**2 + shrink * doubt)
    return float((variance / squared_bias) ** (1 / (2 * order + 3))) if squared_bias > 0 else float("inf")


def _supply(below: Side, above: Side) -> list[Condition]:
    """Enough cases on both sides to say anything; what follows from another cause is not said beside it."""
    values, outcomes = len(np.unique(np.concatenate([below.x, above.x]))), len(np.unique(np.concatenate([below.y, above.y])))
    sizes = len(below.x), len(above.x)
    distinct = len(np.unique(below.x)), len(np.unique(above.x))
    counts = {"below": sizes[0], "above": sizes[1], "distinct_below": distinct[0], "distinct_above": distinct[1]}
    enough = min(sizes) >= MIN_SIDE and min(distinct) >= MIN_DISTINCT
    found = [
        Condition(name="running_varies", met=values > 1, details={"values": values}),
        Condition(name="outcome_varies", met=outcomes > 1, details={"values": outcomes}),
    ]
    if values > 1:
        found.append(Condition(name="both_sides_filled", met=min(sizes) > 0, details=counts))
    if values > 1 and min(sizes) > 0:
        found.append(Condition(name="cases_per_side", met=enough, details={**counts, "least": MIN_SIDE, "least_distinct": MIN_DISTINCT}))
    return found


def _kept(cases: pd.DataFrame, cutoff: float, cutoff_belongs_to: Where, treated_side: Where) -> list[Condition]:
    """Was the rule kept?"""
    if "treated" not in cases.columns:
        return []
    above = cases["running"] > cutoff if cutoff_belongs_to == "below" else cases["running"] >= cutoff
    treated = cases["treated"].astype("boolean")
    other = int((treated != (above if treated_side == "above" else ~above)).fillna(False).sum())
    at_cutoff = int((cases["running"] == cutoff).sum())
    found = [Condition(name="rule_kept", met=not other, details={"other": other, "cases": len(cases), "at_cutoff": at_cutoff})]
    unrecorded = int(treated.isna().sum())
    if unrecorded:
        # Whether these were treated nobody knows.
        found.append(Condition(name="treatment_known", met=False, details={"unrecorded": unrecorded, "cases": len(cases)}))
    return found


def _near(below: Side, above: Side, widths: Bandwidths) -> list[Condition]:
    """Enough different cases inside the bandwidth, not heaped on round values or on the cut-off."""
    inside = [np.abs(side.x[np.abs(side.x) < widths.main]) for side in (below, above)]
    sizes, distinct = [len(x) for x in inside], [len(np.unique(x)) for x in inside]
    repeated = max(1 - count / max(size, 1) for count, size in zip(distinct, sizes, strict=True))
    at_cutoff = sum(int((x == 0).sum()) for x in inside) / max(sum(sizes), 1)
    heap = max(int(np.unique(x[x > 0], return_counts=True)[1].max(initial=0)) / max(len(x), 1) for x in inside)
    counts = {"width": widths.main, "below": sizes[0], "above": sizes[1], "distinct_below": distinct[0], "distinct_above": distinct[1]}
    enough = min(sizes) >= MIN_SIDE and min(distinct) >= MIN_DISTINCT
    coarse = repeated >= MAX_REPEATED and min(distinct) < MANY_DISTINCT
    values = {"repeated_share": repeated, "distinct": min(distinct), "heap_share": heap}
    near = Condition(name="cases_near", met=enough, details={**counts, "least": MIN_SIDE, "least_distinct": MIN_DISTINCT})
    if not enough:
        return [near]
    return [
        near,
        Condition(name="mass_points", met=not coarse, consequence="downgrade", details=values),
        # A coarse variable is one heap beside the other, and said to be so already.
        Condition(name="heap_near", met=heap <= MAX_HEAP or coarse, consequence="downgrade", details=values),
        Condition(name="heap_at_cutoff", met=at_cutoff <= MAX_HEAP, consequence="downgrade", details={"heap_share": at_cutoff}),
    ]


def _nobody_moves(density: DensityTest, balance: BalanceTest) -> Condition:
    known = [p for p in (density.p_value, balance.p_value) if np.isfinite(p)]
    both = min(1.0, len(known) * min(known, default=np.nan))
    return Condition(
        name="nobody_moves",
        met=bool(known and both >= MOVED_LEVEL),
        consequence="refuse" if known else "downgrade",
        details={"p_density": density.p_value, "p_closest": balance.p_value, "below": balance.below, "above": balance.above},
    )


def _alone(other_cutoffs: Sequence[float], cutoff: float, widths: Bandwidths) -> Condition:
    inside = sorted(float(other) for other in other_cutoffs if abs(other - cutoff) < widths.main)
    details = {"first": inside[0] if inside else cutoff, "count": len(inside), "width": widths.main}
    return Condition(name="rule_alone", met=not inside, details=details)


def _withheld(unmet: Sequence[Condition]) -> pd.DataFrame:
    """The two rows without numbers."""
    numbers = dict.fromkeys(("estimate", "standard_error", "low", "high", "p_value", "bandwidth", "bias_bandwidth"), np.nan)
    note = f"not answerable: {', '.join(item.name for item in unmet)}"
    row = {**numbers, "cases_below": 0, "cases_above": 0, "note": note}
    return pd.DataFrame([{"method": method, **row} for method in ("conventional", "robust")])
