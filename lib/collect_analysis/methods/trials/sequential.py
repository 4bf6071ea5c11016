"""Looking at a running test more than once without fooling oneself.

Two ways: looks planned by information (`group_sequential`, boundaries that spend the error rate), or any number of looks at any time
(`confidence_sequence`, wider but always valid). Everything stands on the estimate and its standard error at each look, so it serves a
difference of means, of rates or of ratios alike; information is 1 / standard error², the information fraction its share of the planned one.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.rates.levels import CONFIDENCE, ERROR

Floats = NDArray[np.float64]
Spending = Literal["obrien_fleming", "pocock"]

# Beyond this many standard deviations the density is below 1e-16: an unbounded region ends there.
_FAR = 8.5
# Looks closer than this would need a grid finer than is useful; they are one look.
_CLOSEST = 1e-3


def error_spent(fractions: ArrayLike, *, spending: Spending = "obrien_fleming", alpha: float = ERROR) -> Floats:
    """How much of the two-sided error rate may have been used when a share of the planned information is in?

    Formula, each side with a = alpha/2: O'Brien-Fleming-type 2(1 - Φ(z_{1-a/2} / √t)), Pocock-type a·ln(1 + (e - 1)t); sides summed.
    Shapes: fractions (k,), above 0; result (k,), cumulative. Beyond t = 1 nothing is left to spend.
    Raises ParameterError: unknown spending, alpha outside 0-1. Source: Lan & DeMets, Biometrika 70 (1983) 659.
    """
    if not 0 < alpha < 1:
        raise ParameterError(f"alpha must lie between 0 and 1, not {alpha:g}.")
    t, side = np.minimum(np.asarray(fractions, dtype=float), 1.0), alpha / 2
    rules: dict[str, Callable[[], Floats]] = {
        "obrien_fleming": lambda: 2 * stats.norm.sf(stats.norm.isf(side / 2) / np.sqrt(t)),
        "pocock": lambda: side * np.log1p(np.expm1(1.0) * t),
    }
    if spending not in rules:
        raise ParameterError(f"unknown spending '{spending}'; choose one of {', '.join(rules)}.")
    return 2 * rules[spending]()


def first_crossing(bounds: ArrayLike, fractions: ArrayLike, *, drift: float = 0.0) -> Floats:
    """How likely is it that |z| reaches its bound for the first time at each look?

    With drift 0 the sum is the type I error of the plan; with `drift` = expected z at full information it is the power.
    Formula: recursive integration of the density of B(t) = z·√t over the region without a crossing (Gauss-Legendre).
    Shapes: bounds (k,) of |z| (inf = no test at that look), fractions (k,) rising; result (k,).
    Raises DataError: fractions not rising. Source: Armitage, McPherson & Rowe, JRSS A 132 (1969) 235.
    """
    times = _rising(fractions)
    limits = np.broadcast_to(np.asarray(bounds, dtype=float), times.shape)
    walk = _Walk(times, drift)
    crossed = []
    for time, limit in zip(times, limits, strict=True):
        walk.advance(time)
        crossed.append(walk.beyond(limit))
        walk.stop_outside(limit)
    return np.array(crossed)


def peeking_error(looks: int, *, alpha: float = ERROR) -> float:
    """How often does a test without any effect come out significant when it is looked at `looks` times with the plain bound?

    Formula: sum of `first_crossing` at the plain bound, equally spaced looks. Result: probability. Check: 5 looks at 5 % -> 14.17 %.
    Raises ParameterError: fewer than 1 look. Source: Armitage, McPherson & Rowe, JRSS A 132 (1969) 235.
    """
    if looks < 1:
        raise ParameterError(f"looks must be at least 1, not {looks}.")
    return float(first_crossing(stats.norm.isf(alpha / 2), np.arange(1, looks + 1) / looks).sum())


def boundaries(fractions: ArrayLike, *, spending: Spending = "obrien_fleming", alpha: float = ERROR) -> pd.DataFrame:
    """Which |z| must be reached at each look so that all looks together keep the error rate?

    Formula: z(k) solves P(first crossing at look k) = spent(t_k) - spent(t_{k-1}). Any information fractions; the last may exceed 1.
    Columns: look (1..k), fraction, spent (cumulative, two-sided), z, nominal_p (two-sided p-value of that z).
    Undefined: z is inf where nothing is left to spend (a look after full information).
    Raises DataError: fractions not above 0 and rising; ParameterError as `error_spent`. Source: Lan & DeMets, Biometrika 70 (1983) 659.
    """
    times = _rising(fractions)
    spent = error_spent(times, spending=spending, alpha=alpha)
    walk = _Walk(times)
    bounds = []
    for time, share in zip(times, np.diff(spent, prepend=0.0), strict=True):
        walk.advance(time)
        bounds.append(walk.bound_of(share))
        walk.stop_outside(bounds[-1])
    z = np.array(bounds)
    return pd.DataFrame(
        {"look": np.arange(1, len(times) + 1), "fraction": times, "spent": spent, "z": z, "nominal_p": 2 * stats.norm.sf(z)}
    )


def group_sequential(
    estimates: ArrayLike,
    standard_errors: ArrayLike,
    *,
    planned_information: float,
    spending: Spending = "obrien_fleming",
    alpha: float = ERROR,
) -> pd.DataFrame:
    """May the test stop now, given every look taken so far?

    Formula: information 1/SE², fraction of `planned_information`, bounds as `boundaries`; interval estimate ± z_bound·SE (repeated
    confidence interval: all looks together cover the truth with 1 - alpha).
    Shapes: both inputs (k,), in order of the looks. Columns: look, information, fraction, estimate, standard_error, z, bound, low, high,
    stop (bool: the bound is reached at this look or was before), note.
    Undefined (NaN): low, high where no error rate is left to spend. Raises DataError: SE not above 0, information not rising.
    Source: Lan & DeMets (1983); Jennison & Turnbull, JRSS B 51 (1989) 305 for the interval.
    """
    estimate, error = _looks(estimates, standard_errors)
    information = error**-2.0
    plan = boundaries(information / _positive(planned_information, "planned_information"), spending=spending, alpha=alpha)
    bound = plan["z"].to_numpy()
    usable = np.isfinite(bound)
    half = np.where(usable, bound, np.nan) * error
    z = estimate / error
    return pd.DataFrame(
        {
            "look": plan["look"],
            "information": information,
            "fraction": plan["fraction"],
            "estimate": estimate,
            "standard_error": error,
            "z": z,
            "bound": bound,
            "low": estimate - half,
            "high": estimate + half,
            "stop": np.logical_or.accumulate(np.abs(z) >= bound),
            "note": np.where(usable, "", "no error rate left to spend at this look"),
        }
    )


def confidence_sequence(
    estimates: ArrayLike, standard_errors: ArrayLike, *, planned_information: float, level: float = CONFIDENCE
) -> pd.DataFrame:
    """What is the effect, with intervals that hold at every look at once, however often one looks and whenever one stops?

    Formula (normal mixture with precision ρ, I = 1/SE²): estimate ± SE·√((I + ρ)/I · ln((I + ρ) / (ρ·alpha²))); the always-valid p-value is
    the smallest so far of min(1, 1/Λ) with Λ = √(ρ/(I + ρ))·exp(z²·I / (2(I + ρ))), the mixture sequential probability ratio.
    ρ makes the interval narrowest at `planned_information`; that it holds does not depend on it.
    Shapes: both inputs (k,), in order of the looks; needs standard errors that are already reliable (some hundred units per arm).
    Columns: look, information, estimate, standard_error, low, high, p_value, stop (bool: 0 has been outside at this look or before).
    Raises DataError: SE not above 0; ParameterError: level outside 0-1.
    Source: Howard, Ramdas, McAuliffe & Sekhon, Annals of Statistics 49 (2021) 1055; Johari, Koomen, Pekelis & Walsh, KDD 2017.
    """
    if not 0 < level < 1:
        raise ParameterError(f"level must lie between 0 and 1, not {level:g}.")
    estimate, error = _looks(estimates, standard_errors)
    information, alpha = error**-2.0, 1 - level
    rho = mixture_precision(planned_information, alpha=alpha)
    total = information + rho
    half = error * np.sqrt(total / information * np.log(total / (rho * alpha**2)))
    log_ratio = 0.5 * np.log(rho / total) + (estimate / error) ** 2 * information / (2 * total)
    p_value = np.minimum.accumulate(np.exp(-np.maximum(log_ratio, 0.0)))
    return pd.DataFrame(
        {
            "look": np.arange(1, len(estimate) + 1),
            "information": information,
            "estimate": estimate,
            "standard_error": error,
            "low": estimate - half,
            "high": estimate + half,
            "p_value": p_value,
            "stop": p_value <= alpha,
        }
    )


def mixture_precision(planned_information: float, *, alpha: float = ERROR) -> float:
    """Which mixing precision makes the confidence sequence narrowest at the planned information?

    Formula: ρ = I / (-W₋₁(-alpha²/e) - 1), W₋₁ the lower branch of the Lambert function. Source: Howard et al. (2021), proposition 3.
    """
    branch = float(np.real(special.lambertw(-(alpha**2) / np.e, k=-1)))
    return _positive(planned_information, "planned_information") / (-branch - 1)


def final_bound(
    fractions: ArrayLike, *, planned_information: float, rule: Spending | Literal["always_valid"] = "obrien_fleming", alpha: float = ERROR
) -> float:
    """Which |z| will have to be reached when the planned information is in, if nobody looks again before?

    Formula: the last of `boundaries` at the looks taken so far and full information; always valid: the half-width of `confidence_sequence`
    at `planned_information`, in standard errors. Shapes: fractions (k,), rising and below 1. Raises as `boundaries`.
    """
    if rule == "always_valid":
        total = _positive(planned_information, "planned_information") + (rho := mixture_precision(planned_information, alpha=alpha))
        return float(np.sqrt(total / planned_information * np.log(total / (rho * alpha**2))))
    taken = np.atleast_1d(np.asarray(fractions, dtype=float))
    return float(boundaries([*taken[taken < 1 - _CLOSEST], 1.0], spending=rule, alpha=alpha)["z"].iloc[-1])


def conditional_power(z: float, fraction: float, *, drift: float, bound: float) -> float:
    """How likely is it that the test ends above its bound, given what was seen so far and a true effect that was declared?

    Formula: with B = z·√t, Φ((B + drift·(1 - t) - bound) / √(1 - t)), t the information fraction, drift = effect·√(planned information)
    (the z that effect is expected to have at full information), bound the |z| needed at full information. Only the upper end counts.
    Result: probability. Undefined (NaN): z or drift is; at full information it is 0 or 1. Non-binding: stopping for futility by it lowers
    the error rate, going on in spite of it does not raise it.
    Raises ParameterError: fraction not above 0. Source: Lan, Simon & Halperin, Sequential Analysis 1 (1982) 207; Lan & Wittes,
    Biometrics 44 (1988) 579.
    """
    if not fraction > 0:
        raise ParameterError(f"fraction must be above 0, not {fraction:g}; it is the share of the planned information that is in.")
    if not (np.isfinite(z) and np.isfinite(drift)):
        return float("nan")
    if fraction >= 1:
        return float(z >= bound)
    return float(stats.norm.cdf((z * np.sqrt(fraction) + drift * (1 - fraction) - bound) / np.sqrt(1 - fraction)))


class _Walk:
    """Density of the score B(t) on the region not yet stopped, as weighted points."""

    def __init__(self, times: Floats, drift: float = 0.0) -> None:
        self.drift = drift
        # Five points per standard deviation of the smallest step integrate every kernel to more digits than are ever shown.
        self.spacing = np.sqrt(np.diff(times, prepend=0.0).min()) / 5
        self.time = 0.0
        self.points, self.mass = np.zeros(1), np.ones(1)
        self.step = 0.0

    def advance(self, time: float) -> None:
        """Let information grow to `time`; the density stays where it was until `stop_outside` moves it."""
        self.step, self.time = time - self.time, time

    def beyond(self, bound: float) -> float:
        """Probability that |z| reaches the bound at the present look."""
        edge, spread = bound * np.sqrt(self.time), np.sqrt(self.step)
        centre = self.points + self.drift * self.step
        return float(self.mass @ (stats.norm.sf((edge - centre) / spread) + stats.norm.cdf((-edge - centre) / spread)))

    def bound_of(self, share: float) -> float:
        """The |z| that is reached now with probability `share`; inf when even the far tail holds more than is left."""
        if share <= max(self.beyond(_FAR), 1e-15):
            return float("inf")
        return float(optimize.brentq(lambda z: self.beyond(z) - share, 0.0, _FAR, xtol=1e-12))

    def stop_outside(self, bound: float) -> None:
        """Keep the density inside the bound only, on a new grid."""
        spread = np.sqrt(self.step)
        centre = self.points + self.drift * self.step
        edge = bound * np.sqrt(self.time)
        low, high = max(-edge, centre.min() - _FAR * spread), min(edge, centre.max() + _FAR * spread)
        if not low < high:
            self.points, self.mass = np.zeros(1), np.zeros(1)
            return
        nodes, weights = special.roots_legendre(max(64, int((high - low) / self.spacing)))
        points = low + (nodes + 1) * (high - low) / 2
        kernel = stats.norm.pdf((points[:, None] - centre[None, :]) / spread) / spread
        self.points, self.mass = points, weights * (high - low) / 2 * (kernel @ self.mass)


def _rising(fractions: ArrayLike) -> Floats:
    times = np.atleast_1d(np.asarray(fractions, dtype=float))
    steps = np.diff(times, prepend=0.0)
    wrong = np.flatnonzero(~(steps >= _CLOSEST))
    if not times.size or wrong.size:
        where = f" (first: look {wrong[0] + 1}, {times[wrong[0]]:g})" if wrong.size else ""
        raise DataError(
            f"information fractions: {wrong.size} of {times.size} do not rise by at least {_CLOSEST:g} from the look before{where}. "
            "Pass one look per row, in order of time, and leave out looks that brought no new information."
        )
    return times


def _looks(estimates: ArrayLike, standard_errors: ArrayLike) -> tuple[Floats, Floats]:
    estimate, error = (np.atleast_1d(np.asarray(value, dtype=float)) for value in (estimates, standard_errors))
    if estimate.shape != error.shape:
        raise DataError(f"estimates and standard errors differ in length: {estimate.size} and {error.size}. Pass one of each per look.")
    problems = [
        *_first("estimates: {} are missing", ~np.isfinite(estimate), "Leave out looks without an estimate."),
        *_first("standard errors: {} are not above 0", ~(np.isfinite(error) & (error > 0)), "A look needs at least two units per arm."),
    ]
    if problems:
        raise DataError(problems)
    return estimate, error


def _first(problem: str, wrong: Sequence[bool] | NDArray[np.bool_], fix: str) -> list[str]:
    """One sentence when any look is wrong: how many, which first, the fix."""
    places = np.flatnonzero(wrong)
    return [f"{problem.format(f'{places.size} of {len(wrong)}')} (first: look {places[0] + 1}). {fix}"] if places.size else []


def _positive(value: float, name: str) -> float:
    if not (np.isfinite(value) and value > 0):
        raise ParameterError(f"{name} must be above 0, not {value:g}; it is 1 / (standard error aimed at)².")
    return float(value)
