"""What a test of two arms can detect, and how many cases it needs: said before any result."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]


def two_proportion_sample_size(base_rate: float, other_rate: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """How many cases per arm does a two-sided comparison of two shares need?

    Formula: n = [z(1-α/2)·√(2·p̄(1-p̄)) + z(power)·√(p0(1-p0) + p1(1-p1))]² / (p1-p0)², p̄ the mean of both; not rounded up.
    Undefined (NaN): a share outside 0-1, equal shares.
    Source: Fleiss, Levin & Paik (2003) ch. 4; R `power.prop.test`. Check: 10 % against 11 %, power 0.8 -> 14,750.8 per arm.
    """
    if not (0 <= base_rate <= 1 and 0 <= other_rate <= 1) or base_rate == other_rate:
        return float("nan")
    middle = (base_rate + other_rate) / 2
    under_null = stats.norm.ppf((1 + level) / 2) * np.sqrt(2 * middle * (1 - middle))
    under_effect = stats.norm.ppf(power) * np.sqrt(base_rate * (1 - base_rate) + other_rate * (1 - other_rate))
    return float(((under_null + under_effect) / (other_rate - base_rate)) ** 2)


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


def relative_mde(
    cv: ArrayLike,
    cases: ArrayLike,
    base_cases: ArrayLike,
    *,
    power: float = 0.8,
    level: float = 0.95,
    design_effect: ArrayLike = 1.0,
    correlation: ArrayLike = 0.0,
) -> Floats:
    """Which relative change of a mean would a two-sided test of two arms find with probability `power`?

    Formula: (z(1-α/2) + z(power)) · CV · √((1/n + 1/n0) · deff · (1-ρ²)); both arms are taken to vary as the base does. `cv` is that of
    one case, `design_effect` what clusters cost, `correlation` that of the outcome with what covariates explain. Shapes (k,).
    Undefined (NaN): an arm without cases. Check: 10 % payers, 2,500 per arm -> 23.8 %; with CV 1.2 among payers the amount -> 38.3 %.
    """
    n, n0 = np.asarray(cases, dtype=float), np.asarray(base_cases, dtype=float)
    factor = stats.norm.ppf((1 + level) / 2) + stats.norm.ppf(power)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (1 / n + 1 / n0) * np.asarray(design_effect, dtype=float) * (1 - np.asarray(correlation, dtype=float) ** 2)
        return np.where((n > 0) & (n0 > 0), factor * np.asarray(cv, dtype=float) * np.sqrt(spread), np.nan)


def cases_for(
    cv: ArrayLike,
    relative_effect: float,
    *,
    power: float = 0.8,
    level: float = 0.95,
    design_effect: ArrayLike = 1.0,
    correlation: ArrayLike = 0.0,
) -> Floats:
    """How many cases per arm, two arms of equal size, would find a relative change of `relative_effect`?

    Formula: `relative_mde` solved for n: 2·deff·(1-ρ²)·((z(1-α/2) + z(power))·CV / effect)²; not rounded up. Undefined (NaN): effect 0.
    """
    factor = stats.norm.ppf((1 + level) / 2) + stats.norm.ppf(power)
    if not relative_effect:
        return np.full(np.shape(cv), np.nan)
    left = 1 - np.asarray(correlation, dtype=float) ** 2
    return 2 * np.asarray(design_effect, dtype=float) * left * (factor * np.asarray(cv, dtype=float) / relative_effect) ** 2


def mde_table(
    means: pd.DataFrame,
    *,
    base: str,
    margin: float | None = None,
    explained: pd.DataFrame | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> pd.DataFrame:
    """What could this test have detected, given the arms' sizes and how the base arm's outcomes vary?

    Parameters
    ----------
    means
        Arms' means as `experiments.arm_means` returns them: outcome, unit, horizon_days, arm, cases, value, cv, design_effect.
    base
        The arm compared with.
    margin
        Smallest relative change worth having.
    explained
        What covariates known before assignment explain: outcome, horizon_days, rho2 (`measures.adjusted.explained`).

    Returns
    -------
    outcome, unit, horizon_days, arm, cases, base_cases, base_mean, detectable (relative), detectable_amount (in the outcome's unit), margin
    (relative), needed (cases per arm that would find the margin), rho2, detectable_adjusted, needed_adjusted (the same at equal covariates;
    NaN where none are given), note.
    """
    bases = means[means["arm"] == base].set_index(["outcome", "horizon_days"])
    keys = ["outcome", "horizon_days"]
    known = {} if explained is None else explained.drop_duplicates(keys).set_index(keys)["rho2"].astype(float).to_dict()
    rows = []
    for row in means[means["arm"] != base].to_dict("records"):
        key = (row["outcome"], row["horizon_days"])
        reference, rho2 = bases.loc[key], known.get(key, np.nan)
        how = {"power": power, "level": level, "design_effect": reference["design_effect"]}
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
                "note": reference["note"],
            }
        )
    columns = ["outcome", "unit", "horizon_days", "arm", "cases", "base_cases", "base_mean", "detectable", "detectable_amount", "margin"]
    return pd.DataFrame(rows, columns=[*columns, "needed", "rho2", "detectable_adjusted", "needed_adjusted", "note"])


def _found(reference: pd.Series, cases: float, margin: float | None, how: dict[str, float], *, rho2: float) -> tuple[float, float]:
    """The detectable relative change and the cases needed for the margin, where covariates explain `rho2`."""
    detectable = relative_mde(reference["cv"], cases, reference["cases"], correlation=np.sqrt(rho2), **how)
    needed = cases_for(reference["cv"], margin or 0.0, correlation=np.sqrt(rho2), **how)
    return float(detectable), float(np.ceil(needed))
