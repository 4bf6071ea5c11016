"""How much of a month's cash is in by a given day, and where the month will end: completion curve, forecast, interval."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
# Columns of `months_of` that are no features.
KEYS = ("month", "date", "working_day", "tet", "cash_minor")
# Features of the weeks around the lunar new year start so: their number of repetitions is the number of new years, not of days.
TET = "tet_"
OUTER_STEPS, NEWTON_STEPS, CLOSE = 12, 60, 1e-10
LEVEL_WEIGHTS = (0.2, 0.35, 0.5, 0.7, 1.0)
# Below and above these shares a month has not begun or is over: residuals say nothing there.
BEGUN, OVER = 0.01, 0.995
# Log points by which a Tet week of one year may differ from that of another, where too few were seen to tell.
TET_SPREAD = 0.25
ENOUGH_TETS = 3


@dataclass(frozen=True, kw_only=True)
class Months:
    """Days of whole months as arrays. Shapes: `cash`, `inside`, `working` (months, 31), `x` (months, 31, features).

    `cash` is NaN outside the month and where it is not known yet; `working` counts working days up to and with the day; `tets` are the lunar
    new years whose weeks fall in the month.
    """

    names: tuple[date, ...]
    features: tuple[str, ...]
    cash: Floats
    x: Floats
    inside: NDArray[np.bool_]
    working: Floats
    workday: NDArray[np.bool_]
    tets: tuple[frozenset[date], ...]

    def only(self, rows: Sequence[int] | slice) -> "Months":
        """Some of the months."""
        chosen = range(len(self.names))[rows] if isinstance(rows, slice) else list(rows)
        place = list(chosen)
        return replace(
            self,
            names=tuple(self.names[row] for row in place),
            tets=tuple(self.tets[row] for row in place),
            **{name: getattr(self, name)[place] for name in ("cash", "x", "inside", "working", "workday")},
        )

    @property
    def totals(self) -> Floats:
        """Cash of each month; what is not known yet counts 0."""
        return np.nansum(self.cash, axis=1)

    @property
    def tet_features(self) -> NDArray[np.bool_]:
        """Which features are weeks around the lunar new year."""
        return np.array([name.startswith(TET) for name in self.features], dtype=bool)


def months_of(days: pd.DataFrame) -> Months:
    """Days as rows become months as arrays.

    Columns needed: month (first day), date, working_day (flag), tet (the lunar new year whose weeks the day belongs to, else empty),
    cash_minor (missing: not known yet); every other column is a feature, 0 or 1.
    """
    features = tuple(str(name) for name in days.columns if name not in KEYS)
    names = tuple(sorted(set(days["month"])))
    shape = (len(names), 31)
    cash, working = np.full(shape, np.nan), np.zeros(shape)
    inside, workday = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    x = np.zeros((*shape, len(features)))
    tets: list[frozenset[date]] = []
    for row, name in enumerate(names):
        part = days[days["month"] == name].sort_values("date")
        size = len(part)
        cash[row, :size] = part["cash_minor"].to_numpy(dtype=float)
        inside[row, :size] = True
        workday[row, :size] = part["working_day"].to_numpy(dtype=bool)
        working[row] = np.cumsum(workday[row])
        x[row, :size] = part[list(features)].to_numpy(dtype=float)
        tets.append(frozenset(part["tet"].dropna()))
    return Months(names=names, features=features, cash=cash, x=x, inside=inside, working=working, workday=workday, tets=tuple(tets))


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Weights of days: a day's share of its month is exp(x·beta) over the sum of the month. `covariance` of beta; `dispersion` in money."""

    features: tuple[str, ...]
    beta: Floats
    covariance: Floats
    dispersion: float
    months: int

    def weights(self, months: Months, *, without: NDArray[np.bool_] | None = None) -> Floats:
        """Weight of each day (months, 31), 0 outside the month; features marked in `without` are left out."""
        beta = self.beta if without is None else np.where(without, 0.0, self.beta)
        return np.where(months.inside, np.exp(np.clip(months.x @ beta, -20, 20)), 0.0)

    def shares(self, months: Months) -> Floats:
        """Expected share of the month's cash by day (months, 31)."""
        weights = self.weights(months)
        return weights / weights.sum(axis=1, keepdims=True)

    def complete(self, months: Months) -> Floats:
        """Expected share of the month's cash that is in by the end of each day (months, 31): exactly 1 from the last day on."""
        gone = np.minimum(np.cumsum(self.shares(months), axis=1), 1.0)
        last = months.inside.sum(axis=1) - 1
        gone[np.arange(31)[None, :] >= last[:, None]] = 1.0
        return gone

    def season(self, months: Months) -> Floats:
        """By what the weeks around the lunar new year multiply the cash of each month: 1 in months without."""
        return self.weights(months).sum(axis=1) / self.weights(months, without=months.tet_features).sum(axis=1)


def fit_curve(months: Months, *, towards: Curve | None = None) -> Curve:
    """What share of a month's cash does each kind of day bring?

    Model: given the month's total, cash of days is quasi-multinomial with shares exp(x·b)/Σexp(x·b) and variance dispersion x expected cash;
    b ~ N(b0, t²), b0 = 0 or the curve `towards` (a unit's curve shrinks to the company's). Rare kinds of days shrink most: their estimate
    rests on few months. dispersion: Pearson; t²: EM on the penalised fit. Multiplying all cash by a constant changes nothing but the
    dispersion.
    Undefined (ValueError): no month with cash. Source: McCullagh & Nelder, Generalized Linear Models (1989) ch. 5 and 9; Dempster, Laird &
    Rubin, JRSS B 39 (1977) 1.
    """
    known = np.where(months.inside & np.isfinite(months.cash), months.cash, 0.0)
    totals = known.sum(axis=1)
    used = totals > 0
    if not used.any():
        raise ValueError("no month with cash; a completion curve needs past months")
    cash, x, inside, totals = known[used], months.x[used], months.inside[used], totals[used]
    size = x.shape[2]
    start = np.zeros(size) if towards is None else towards.beta
    beta, spread, dispersion = start.copy(), 0.25, float(totals.mean()) / 100
    covariance = np.eye(size) * spread
    for _ in range(OUTER_STEPS):
        beta, hessian = _penalised(cash, totals, x, inside, start, beta, dispersion / spread)
        expected = totals[:, None] * _shares(x, inside, beta)
        free = max(int(inside.sum()) - len(totals) - size, 1)
        dispersion = float((np.where(expected > 0, (cash - expected) ** 2 / np.where(expected > 0, expected, 1), 0.0)).sum()) / free
        dispersion = max(dispersion, 1e-12 * float(totals.mean()))
        covariance = dispersion * np.linalg.inv(hessian)
        before, spread = spread, float(((beta - start) ** 2).sum() + np.trace(covariance)) / max(size, 1)
        spread = max(spread, 1e-6)
        if abs(spread - before) < 1e-6 * before:
            break
    return Curve(features=months.features, beta=beta, covariance=covariance, dispersion=dispersion, months=int(used.sum()))


def _shares(x: Floats, inside: NDArray[np.bool_], beta: Floats) -> Floats:
    weights = np.where(inside, np.exp(np.clip(x @ beta, -20, 20)), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def _penalised(
    cash: Floats, totals: Floats, x: Floats, inside: NDArray[np.bool_], start: Floats, beta: Floats, penalty: float
) -> tuple[Floats, Floats]:
    """Newton steps of the penalised fit; the hessian at its end."""
    identity = np.eye(x.shape[2])
    for _ in range(NEWTON_STEPS):
        shares = _shares(x, inside, beta)
        gap = cash - totals[:, None] * shares
        gradient = np.einsum("mdk,md->k", x, gap) - penalty * (beta - start)
        mean = np.einsum("mdk,md->mk", x, shares)
        weighted = x * (totals[:, None] * shares)[:, :, None]
        hessian = np.tensordot(weighted, x, axes=([0, 1], [0, 1])) - (mean * totals[:, None]).T @ mean + penalty * identity
        step = np.linalg.solve(hessian, gradient)
        # Newton may leap where a kind of day brought nothing at all.
        step *= min(1.0, 2.0 / max(float(np.abs(step).max(initial=0.0)), 1e-300))
        beta = beta + step
        if float(np.abs(step).max(initial=0.0)) < CLOSE:
            break
    return beta, hessian


@dataclass(frozen=True, kw_only=True)
class Level:
    """What a month brings before it has begun: `log_level` of cash without the season of Tet, and the standard deviation of its error."""

    log_level: float
    sd: float
    weight: float


def level_of(totals: ArrayLike, season: ArrayLike) -> Level:
    """What would the next month bring, by the months before?

    Formula: y = log(total/season); level = a·y + (1-a)·level (exponential smoothing), a from `LEVEL_WEIGHTS` with the smallest one-step
    errors; sd = root mean square of the last twelve of them, the first two steps left out where there are more. Shapes: (k,) both, in order.
    Undefined (NaN): fewer than three months with cash. Source: Gardner, Journal of Forecasting 4 (1985) 1.
    """
    total, factor = np.asarray(totals, dtype=float), np.asarray(season, dtype=float)
    y = np.log(total[total > 0] / factor[total > 0])
    if y.size < 3:
        return Level(log_level=float("nan"), sd=float("nan"), weight=float("nan"))
    found = []
    for weight in LEVEL_WEIGHTS:
        level, errors = y[0], []
        for value in y[1:]:
            errors.append(value - level)
            level += weight * (value - level)
        kept = np.array(errors[2:] if len(errors) > 4 else errors)[-12:]
        found.append((float(np.mean(kept**2)), weight, float(level)))
    error, weight, level = min(found)
    return Level(log_level=level, sd=max(error**0.5, 1e-9), weight=weight)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Where a month ends. Money in minor units; `sd` of its logarithm, to be read with `df` degrees of freedom.

    `complete`: expected share in by the day; `pace`: paid/complete; `prior`: what months before say; `pace_weight`: weight of `pace`.
    """

    value: float
    sd: float
    df: int
    paid: float
    complete: float
    pace: float
    prior: float
    pace_weight: float
    tets_seen: int
    widened: bool

    def interval(self, level: float) -> tuple[float, float]:
        """Between which values the month ends with probability `level`; never below what is paid."""
        if not self.sd > 0:
            return self.value, self.value
        reach = float(stats.t.ppf((1 + level) / 2, self.df)) * self.sd
        return max(self.value * float(np.exp(-reach)), self.paid), self.value * float(np.exp(reach))

    def reach(self, plan: float) -> float:
        """Probability that the month ends at `plan` or above; NaN without a plan."""
        if not np.isfinite(plan):
            return float("nan")
        if plan <= self.paid:
            return 1.0
        if not self.sd > 0:
            return float(self.value >= plan)
        return float(stats.t.sf((np.log(plan) - np.log(self.value)) / self.sd, self.df))


def forecast(past: Months, month: Months, *, day: int, curve: Curve, tet_spread: float = TET_SPREAD) -> Forecast:
    """Where will a month end, given its cash up to and with calendar day number `day` (0: nothing yet)?

    Formula: pace = paid/c(day), prior = level·season, combined on the log scale with weights 1/variance.
    var(pace) = k·(1-c)/c + g'Cg + Tet: k is the mean over past months of e²·c/(1-c) around the same completion, e the log error of paid/c
    there; C the covariance of the curve, g the gradient of log c. Tet: in months with Tet weeks g² · tet_spread² · (1+1/seen), as few new years
    say little of the next one; from three on the new years seen speak for themselves. c is exactly 1 on the last day, so that the forecast
    is then the cash paid. Degrees of freedom: past months less one.
    Undefined (ValueError): fewer than three past months with cash. Source: normal means combined by precision, Gelman et al.,
    Bayesian Data Analysis (2013) 2.5.
    """
    usable = past.only([row for row, total in enumerate(past.totals) if total > 0])
    if len(usable.names) < 3:
        raise ValueError(f"{len(usable.names)} past months with cash; a forecast needs at least 3")
    paid = float(np.nansum(month.cash[0, :day]))
    complete = float(curve.complete(month)[0, day - 1]) if day else 0.0
    level = level_of(usable.totals, curve.season(usable))
    prior = float(np.exp(level.log_level) * curve.season(month)[0])
    seen = len(frozenset().union(*usable.tets))
    widened = bool(month.x[0][:, month.tet_features].any()) and seen < ENOUGH_TETS
    spread = tet_spread**2 * (1 + 1 / max(seen, 1)) if widened else 0.0
    prior_variance = level.sd**2 + spread * float((_season_gradient(curve, month) ** 2).sum())
    made = Forecast(
        value=max(prior, paid),
        sd=prior_variance**0.5,
        df=len(usable.names) - 1,
        paid=paid,
        complete=complete,
        pace=float("nan"),
        prior=prior,
        pace_weight=0.0,
        tets_seen=seen,
        widened=widened,
    )
    if complete >= 1.0:
        return replace(made, value=paid, sd=0.0, pace=paid, pace_weight=1.0)
    if paid <= 0 or complete < BEGUN:
        return made
    gradient = _complete_gradient(curve, month, day)
    variance = _residual_variance(usable, curve, complete) * (1 - complete) / complete + float(gradient @ curve.covariance @ gradient)
    variance = max(variance + spread * float((gradient[month.tet_features] ** 2).sum()), 1e-18)
    return _combined(made, paid / complete, variance, prior_variance)


def _combined(made: Forecast, pace: float, variance: float, prior_variance: float) -> Forecast:
    """Pace and prior, weighted by precision on the log scale."""
    weight = prior_variance / (variance + prior_variance)
    value = float(np.exp(weight * np.log(pace) + (1 - weight) * np.log(made.prior)))
    sd = (variance * prior_variance / (variance + prior_variance)) ** 0.5
    return replace(made, value=max(value, made.paid), sd=sd, pace=pace, pace_weight=weight)


def _complete_gradient(curve: Curve, month: Months, day: int) -> Floats:
    shares, x = curve.shares(month)[0], month.x[0]
    gone = shares[:day]
    return gone @ x[:day] / gone.sum() - shares @ x


def _season_gradient(curve: Curve, month: Months) -> Floats:
    return np.asarray(curve.shares(month)[0] @ month.x[0][:, month.tet_features])


def _residual_variance(past: Months, curve: Curve, complete: float) -> float:
    """Mean over past months of e²·c/(1-c) on the day nearest to the same completion and the days beside it."""
    gone = curve.complete(past)
    paid = np.cumsum(np.where(np.isfinite(past.cash), past.cash, 0.0), axis=1)
    usable = past.inside & (gone > BEGUN) & (gone < OVER) & (paid > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.log(paid / gone / past.totals[:, None])
        squared = np.where(usable, error**2 * gone / (1 - gone), np.nan)
    means = []
    for row in range(len(past.names)):
        days = np.flatnonzero(usable[row])
        if days.size:
            near = days[int(np.abs(gone[row, days] - complete).argmin())]
            means.append(float(np.nanmean(squared[row, max(near - 1, 0) : near + 2])))
    return float(np.mean(means)) if means else 1.0


def naive(month: Months, *, day: int) -> float:
    """What dividing by the working days gone gives: paid / working days gone x working days (the rule to beat); NaN before the first one."""
    gone = month.working[0, day - 1] if day else 0.0
    paid = float(np.nansum(month.cash[0, :day]))
    return paid / float(gone) * float(month.workday[0].sum()) if gone > 0 else float("nan")
