"""What a test of two arms can detect, and how many cases it needs: said before any result.

A rise is taken to come from more cases with a result, each with as much as before: more payers paying what payers pay. Squares then grow as
the mean does, and the other arm varies with m0²·(1+r)·(CV²-r) around a mean of (1+r)·m0. Where payers are few this is much more than the base
arm's m0²·CV², and a size that takes both arms to vary alike is too small. A rise in what each payer pays is harder to find than said here.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import elementwise

from collect_analysis.methods.rates.levels import CONFIDENCE, POWER

Floats = NDArray[np.float64]
NOT_EVEN_ALL = "not even a result in every case of the arm would be found with so few cases"


def share_cv(share: ArrayLike) -> Floats:
    """Coefficient of variation of a yes/no outcome whose share of yes is `share`: √((1-π)/π). Undefined (NaN) unless 0 < π <= 1."""
    share = np.asarray(share, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((share > 0) & (share <= 1), np.sqrt((1 - share) / share), np.nan)


def amount_cv(payer_rate: ArrayLike, cv_among_payers: ArrayLike) -> Floats:
    """Coefficient of variation of an amount that is 0 for everybody who does not pay.

    Formula: CV² = (1 + CV_payers²)/π - 1. Undefined (NaN) unless 0 < π <= 1. Check: π 10 %, CV among payers 1.2 -> 4.84.
    """
    rate, among = np.asarray(payer_rate, dtype=float), np.asarray(cv_among_payers, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((rate > 0) & (rate <= 1), np.sqrt((1 + among**2) / rate - 1), np.nan)


def risen_variance(cv: ArrayLike, rise: ArrayLike, *, unit: str) -> Floats:
    """How much does a case vary where the mean is `rise` (relative) higher, in squared means of the base?

    Formula: (1+r)·(CV²-r); of a share that is p1(1-p1)/p0². Outcomes that are no shares vary at least as the base does: where hardly anybody
    has 0, more cases with a result is not where a rise comes from. Shapes (k,). Undefined (NaN): a share that would pass 1, a fall below 0.
    """
    square, r = np.asarray(cv, dtype=float) ** 2, np.asarray(rise, dtype=float)
    risen = np.where(r >= -1, (1 + r) * (square - r), np.nan)
    # An end of the range that the last binary digit passes is still in it.
    inside = np.where(r <= square * (1 + 1e-9), np.clip(risen, 0, None), np.nan)
    return inside if unit == "share" else np.maximum(risen, square)


def _reach(cv: Floats, rise: Floats, shares: tuple[Floats, Floats], *, unit: str, power: float, level: float) -> Floats:
    """How far from the base mean an estimate must be expected to lie to be found, times √(cases): relative; `shares` of arm and base."""
    other, base = shares
    alternative = cv**2 / base + risen_variance(cv, rise, unit=unit) / other
    null = alternative
    if unit == "share":
        # The test of two shares reads its spread from both arms together.
        null = risen_variance(cv, rise * other / (other + base), unit=unit) * (1 / other + 1 / base)
    return stats.norm.ppf((1 + level) / 2) * np.sqrt(null) + stats.norm.ppf(power) * np.sqrt(alternative)


def relative_mde(
    cv: ArrayLike,
    cases: ArrayLike,
    base_cases: ArrayLike,
    *,
    unit: str,
    power: float = POWER,
    level: float = CONFIDENCE,
    design_effect: ArrayLike = 1.0,
    correlation: ArrayLike = 0.0,
) -> Floats:
    """Which relative rise of a mean would a two-sided test of two arms find with probability `power`?

    Formula: the r at which r = z(1-α/2)·s0(r) + z(power)·s1(r), s1² = [CV²/n0 + (1+r)(CV²-r)/n] · deff · (1-ρ²) the variance of the
    difference under that rise (see the head of this module), s0² the variance which the test reads: of shares (`unit` "share") that of both
    arms pooled, r·n/(n+n0) higher than the base, else s1². `cv` is that of one case in the base arm, `design_effect` what clusters cost,
    `correlation` that of the outcome with what covariates explain. Shapes (k,).
    Undefined (NaN): an arm without cases; a share of which not even 100 % would be found.
    Source: Fleiss, Levin & Paik (2003) ch. 4, for unequal arms; R `power.prop.test`. Adequate also for few payers: from one expected payer
    and ten cases an arm on, exact binomial power at the answer lies between 0.78 and 0.88 where 0.8 is asked for (tests).
    Check: 5 % payers, 2,500 per arm -> 37.4 %.
    """
    factor = np.asarray(design_effect, dtype=float) * (1 - np.asarray(correlation, dtype=float) ** 2)
    inputs = [np.asarray(item, dtype=float) for item in (cv, cases, base_cases)]
    square, n, n0, kept = np.broadcast_arrays(inputs[0] ** 2, *inputs[1:], factor)
    with np.errstate(divide="ignore", invalid="ignore"):
        defined = (n > 0) & (n0 > 0) & np.isfinite(square)
        effective = np.where(defined, n / kept, np.nan), np.where(defined, n0 / kept, np.nan)
        spread = np.sqrt(square)

        def short(rise: Floats, cv: Floats, other: Floats, base: Floats) -> Floats:
            return _reach(cv, rise, (other, base), unit=unit, power=power, level=level) - rise

        largest = square if unit == "share" else _reach(spread, (square - 1).clip(0) / 2, effective, unit=unit, power=power, level=level)
        return np.asarray(elementwise.find_root(short, (np.zeros_like(square), largest), args=(spread, *effective)).x)


def cases_for(
    cv: ArrayLike,
    relative_effect: float,
    *,
    unit: str,
    share: ArrayLike = 1.0,
    base_share: ArrayLike = 1.0,
    power: float = POWER,
    level: float = CONFIDENCE,
    design_effect: ArrayLike = 1.0,
    correlation: ArrayLike = 0.0,
) -> Floats:
    """How many cases would find a relative change of `relative_effect`: per arm of two equal ones, or in a whole test with these shares?

    Formula: `relative_mde` solved for N with n = N·share, n0 = N·base_share; not rounded up. With both shares 1, N is per arm.
    Undefined (NaN): effect 0; a share that the effect would carry past 1. Source: as `relative_mde`.
    Check: 10 % against 11 %, power 0.8 -> 14,750.8 per arm.
    """
    spread, other, base = (np.asarray(item, dtype=float) for item in (cv, share, base_share))
    if not relative_effect:
        return np.full(np.broadcast(spread, other, base).shape, np.nan)
    kept = np.asarray(design_effect, dtype=float) * (1 - np.asarray(correlation, dtype=float) ** 2)
    reach = _reach(spread, np.asarray(relative_effect, dtype=float), (other, base), unit=unit, power=power, level=level)
    return kept * (reach / relative_effect) ** 2


def mde_table(
    means: pd.DataFrame,
    *,
    base: str,
    margin: float | None = None,
    explained: pd.DataFrame | None = None,
    power: float = POWER,
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """What could this test have detected, given the arms' sizes and how the base arm's outcomes vary?

    Parameters
    ----------
    means
        Arms' means as `experiments.arm_means` returns them: outcome, unit, horizon_days, arm, cases, value, cv, design_effect.
    base
        The arm compared with.
    margin
        Smallest relative rise worth having.
    explained
        What covariates known before assignment explain: outcome, horizon_days, rho2 (`measures.adjusted.explained`).

    Returns
    -------
    outcome, unit, horizon_days, arm, cases, base_cases, base_mean, detectable (relative rise), detectable_amount (in the outcome's unit),
    margin (relative), needed (cases per arm that would find the margin), rho2, detectable_adjusted, needed_adjusted (the same at equal
    covariates; NaN where none are given), note.
    """
    bases = means[means["arm"] == base].set_index(["outcome", "horizon_days"])
    keys = ["outcome", "horizon_days"]
    known = {} if explained is None else explained.drop_duplicates(keys).set_index(keys)["rho2"].astype(float).to_dict()
    rows = []
    for row in means[means["arm"] != base].to_dict("records"):
        key = (row["outcome"], row["horizon_days"])
        reference, rho2 = bases.loc[key], known.get(key, np.nan)
        how = {"unit": row["unit"], "power": power, "level": level, "design_effect": reference["design_effect"]}
        relative, needed = _found(reference, row["cases"], margin, how, rho2=0.0)
        adjusted, needed_adjusted = _found(reference, row["cases"], margin, how, rho2=rho2)
        rows.append(
            {
                **{key: row[key] for key in ("outcome", "unit", "horizon_days", "arm", "cases")},
                "base_cases": reference["cases"],
                "base_mean": reference["value"],
                "detectable": relative,
                "detectable_amount": relative * abs(reference["value"]),
                "margin": np.nan if margin is None else margin,
                "needed": needed,
                "rho2": rho2,
                "detectable_adjusted": adjusted,
                "needed_adjusted": needed_adjusted,
                "note": reference["note"] or (NOT_EVEN_ALL if np.isnan(relative) else ""),
            }
        )
    columns = ["outcome", "unit", "horizon_days", "arm", "cases", "base_cases", "base_mean", "detectable", "detectable_amount", "margin"]
    return pd.DataFrame(rows, columns=[*columns, "needed", "rho2", "detectable_adjusted", "needed_adjusted", "note"])


def _found(reference: pd.Series, cases: float, margin: float | None, how: dict[str, Any], *, rho2: float) -> tuple[float, float]:
    """The detectable relative rise and the cases needed for the margin, where covariates explain `rho2`."""
    detectable = relative_mde(reference["cv"], cases, reference["cases"], correlation=np.sqrt(rho2), **how)
    needed = cases_for(reference["cv"], margin or 0.0, correlation=np.sqrt(rho2), **how)
    return float(detectable), float(np.ceil(needed))
