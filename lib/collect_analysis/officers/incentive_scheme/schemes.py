"""A pay scheme as a pure function: attainment of an officer and of the team, and gates, in; whole minor units of money out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collect_analysis.measures.gate_names import BREACHES, KEPT
from collect_analysis.methods.profiling.bridge import rounded
from collect_analysis.officers.incentive_scheme.terms import INDEX

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
# A rate that reaches a step only but for the last binary digit has reached it.
_TOUCHED = 1e-9


@dataclass(frozen=True, kw_only=True)
class Slab:
    """From attainment `start` on, `points`."""

    start: float
    points: float


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Pay is multiplied by 1 at `full`, by `floor` at `none`, in between linearly; `full` = `none` is a step.

    `measure`: critical_qa (share of assessments with a critical failure), hard_breaches (how many in the month) or kept_promises (kept rate
    over that of all colleagues of the sub-function).
    """

    measure: str
    full: float
    none: float
    floor: float = 0.0

    def factor(self, value: ArrayLike) -> Floats:
        """What pay is multiplied by; 1 where nothing was counted (NaN). Shapes: as `value`."""
        v = np.asarray(value, dtype=float)
        sign = 1.0 if self.none >= self.full else -1.0
        width = abs(self.none - self.full)
        beyond = (v - self.full) * sign
        # More than `full` fails a step; a rate, whose better side is above, fails below it.
        lost = np.where(beyond > _TOUCHED, 1.0, 0.0) if width == 0 else np.clip(beyond / width, 0.0, 1.0)
        if width == 0 and self.measure == KEPT:
            lost = np.where(v < self.full - _TOUCHED, 1.0, 0.0)
        return np.where(np.isfinite(v), 1 - lost * (1 - self.floor), 1.0)

    @property
    def is_step(self) -> bool:
        """Whether a rate that hardly moves may take pay away at once; a count of breaches always moves by one."""
        return self.full == self.none and self.measure != BREACHES


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """What is paid for what. Attainment is a ratio (1: as expected, or the target); points are what pay is counted in.

    Points: none below `threshold`, `start_points` there, then `slope` per percentage point up to 1 and `accelerator` per percentage point
    above, up to attainment `cap`; or `slabs`. The first month counts alone; from then on attainment is pooled over `pool_months`. `team_share`
    of the points are those of the team's attainment. Gates multiply. `clawback_days`: money taken back within so many days does not count.
    `holdback_share` is paid for the share of cures that last. `account_cap`: whether one account counts up to a cap. `credit`: a payment counts
    for who held the account when the month opened, or for who booked it. `expectation`: of all accounts held (frozen), or of those worked.
    `moved_credit`: for whom payments on accounts moved shortly before count. `waivers_deducted`: whether what was waived is taken off.
    """

    basis: str = INDEX
    pay_per_point_minor: int = 0
    threshold: float = 0.85
    start_points: float = 0.0
    slope: float = 1.0
    accelerator: float = 1.0
    cap: float = 1.5
    slabs: tuple[Slab, ...] = ()
    team_share: float = 0.0
    gates: tuple[Gate, ...] = ()
    pool_months: int = 1
    clawback_days: int = 0
    holdback_share: float = 0.0
    holdback_months: int = 2
    account_cap: bool = True
    credit: Literal["opening", "payment"] = "opening"
    expectation: Literal["frozen", "worked"] = "frozen"
    moved_credit: Literal["previous", "new"] = "new"
    waivers_deducted: bool = False

    def points(self, attainment: ArrayLike) -> Floats:
        """Points for an attainment, never falling as it rises; 0 where it is undefined. Shapes: as `attainment`."""
        a = np.asarray(attainment, dtype=float)
        if self.slabs:
            earned = np.zeros(a.shape)
            for slab in sorted(self.slabs, key=lambda item: item.start):
                earned = np.where(a >= slab.start - _TOUCHED, np.maximum(earned, slab.points), earned)
            return earned
        capped = np.minimum(a, self.cap)
        below = np.clip(np.minimum(capped, max(1.0, self.threshold)) - self.threshold, 0.0, None) * 100 * self.slope
        above = np.clip(capped - max(1.0, self.threshold), 0.0, None) * 100 * self.accelerator
        return np.where(a >= self.threshold - _TOUCHED, self.start_points + below + above, 0.0)

    @property
    def knots(self) -> tuple[float, ...]:
        """Attainments at which the rule jumps or bends: between them it is a straight line."""
        if self.slabs:
            return tuple(sorted(slab.start for slab in self.slabs))
        return tuple(sorted({self.threshold, max(1.0, self.threshold), self.cap}))

    @property
    def kept_gate(self) -> Gate | None:
        """The gate on kept promises, if there is one."""
        return next((gate for gate in self.gates if gate.measure == KEPT), None)

    def pay(self, own: ArrayLike, team: ArrayLike, factor: ArrayLike) -> Floats:
        """Exact pay in minor units for attainment of the officer and of the team and the product of all that multiplies. Shapes broadcast."""
        points = (1 - self.team_share) * self.points(own) + self.team_share * self.points(team)
        return points * np.asarray(factor, dtype=float) * self.pay_per_point_minor


@dataclass(frozen=True, kw_only=True)
class Work:
    """What officers did, month by month: arrays of shape (officers, months), NaN where an officer was not there.

    `collected`, `base`: what attainment is the ratio of (money counted as the scheme counts it; expected or target). `noise`: how many events
    of equal size would be as uncertain as `base` (base² / variance). `payers`: accounts that paid. `counts`: numerator and denominator of each
    gate. `lasting`: share of cures that last. `team`, `group`: numbers of the unit and of the sub-function of each officer-month.
    """

    officers: tuple[str, ...]
    months: tuple[date, ...]
    units: tuple[str, ...]
    sub_functions: tuple[str, ...]
    team: Whole
    group: Whole
    collected: Floats
    base: Floats
    noise: Floats
    payers: Floats
    counts: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)
    lasting: Floats | None = None

    @property
    def there(self) -> NDArray[np.bool_]:
        """Whether the officer held accounts of which something was expected in the month."""
        return np.isfinite(self.base) & (self.base > 0) & np.isfinite(self.collected)


def pooled(values: Floats, months: int) -> Floats:
    """Sums over the last `months` columns up to each (fewer at the start); NaN counts as nothing. Shapes: (n, m) -> (n, m)."""
    known = np.nan_to_num(values)
    total = np.cumsum(known, axis=1)
    earlier = np.zeros_like(total)
    earlier[:, months:] = total[:, :-months] if months < total.shape[1] else 0.0
    return total - earlier if months < total.shape[1] else total


def team_sums(values: Floats, team: Whole, teams: int) -> Floats:
    """The sum of each officer's team in each month, at the officer. Shapes: (n, m) both -> (n, m)."""
    known = np.nan_to_num(values)
    out = np.zeros_like(known)
    for month in range(values.shape[1]):
        sums = np.bincount(team[:, month], known[:, month], minlength=teams)
        out[:, month] = sums[team[:, month]]
    return out


def ratio(top: Floats, bottom: Floats) -> Floats:
    """One array over another, NaN where nothing stands below."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=np.asarray(bottom) > 0)


@dataclass(frozen=True, kw_only=True)
class Attained:
    """Pooled sums of each officer and team, and everything that multiplies: what pay is made of, shapes (officers, months)."""

    got: Floats
    base: Floats
    team_got: Floats
    team_base: Floats
    factor: Floats


def attained(scheme: Scheme, work: Work) -> Attained:
    """Pools, adds up teams, multiplies gates and what is held back."""
    got, base = (pooled(values, scheme.pool_months) for values in (work.collected, work.base))
    teams = len(work.units)
    team_got, team_base = (pooled(team_sums(values, work.team, teams), scheme.pool_months) for values in (work.collected, work.base))
    return Attained(got=got, base=base, team_got=team_got, team_base=team_base, factor=factors(scheme, work))


def factors(scheme: Scheme, work: Work) -> Floats:
    """The product of all gates and of what of the holdback is paid; 0 where the officer was not there."""
    factor = work.there.astype(float)
    for gate in scheme.gates:
        if gate.measure in work.counts:
            factor = factor * gate.factor(gate_values(gate.measure, scheme, work))
    if scheme.holdback_share and work.lasting is not None:
        factor = factor * (1 - scheme.holdback_share * (1 - np.where(np.isfinite(work.lasting), work.lasting, 1.0)))
    return factor


def gate_values(measure: str, scheme: Scheme, work: Work, *, more: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """What a gate looks at: breaches of the month; share of critical failures, or kept rate over that of the sub-function, of the pooled months.

    `more`: what is added to numerator and denominator of kept promises, as shares of the promises due. NaN: nothing counted.
    """
    top, bottom = work.counts[measure]
    if measure == BREACHES:
        return np.where(np.isfinite(top), top, np.nan)
    top, bottom = pooled(top, scheme.pool_months), pooled(bottom, scheme.pool_months)
    if measure != KEPT:
        return ratio(top, bottom)
    groups = len(work.sub_functions)
    usual = ratio(team_sums(top, work.group, groups), team_sums(bottom, work.group, groups))
    return ratio(ratio(top + more[0] * bottom, bottom + more[1] * bottom), usual)


def exact_payouts(scheme: Scheme, work: Work) -> Floats:
    """Pay before rounding, minor units, shape (officers, months); 0 where an officer was not there."""
    found = attained(scheme, work)
    return scheme.pay(ratio(found.got, found.base), ratio(found.team_got, found.team_base), found.factor)


def payouts(scheme: Scheme, work: Work) -> Whole:
    """Pay in whole minor units: each month's sum is rounded once and its parts by largest remainder, so that they add up to it exactly.

    Never falls as an officer's own attainment rises; 0 where a gate says 0. Shape (officers, months).
    """
    exact = exact_payouts(scheme, work)
    columns = [rounded(exact[:, month], int(np.rint(exact[:, month].sum()))) for month in range(exact.shape[1])]
    return np.column_stack(columns) if columns else np.zeros(exact.shape, dtype=np.int64)
