"""What the treatment does where a cut-off rule was overridden: fuzzy regression discontinuity. Cases as in `discontinuity`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.errors import DataError
from collect_analysis.methods.causal.discontinuity import Bandwidths, Side, Where, jump, mse_bandwidths, split
from collect_analysis.methods.causal.local_polynomial import fit_weights
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.rates.levels import CONFIDENCE

# Under this first-stage F the normal interval of a ratio is no interval: Staiger & Stock, Econometrica 65 (1997) 557.
MIN_STRENGTH = 10.0


@dataclass(frozen=True, kw_only=True)
class FuzzyDiscontinuity:
    """Effect on those who follow the rule, with how many more were treated because of it.

    `effects` has the rows and columns of `Discontinuity.effects`. `followed` is the jump of the share treated (robust row: estimate, low,
    high), `strength` its F.
    """

    effects: pd.DataFrame
    followed: pd.Series
    strength: float
    condition: Condition


def fuzzy_discontinuity(
    cases: pd.DataFrame,
    *,
    cutoff: float,
    cutoff_belongs_to: Where,
    treated_side: Where = "above",
    bandwidths: Bandwidths | None = None,
    level: float = CONFIDENCE,
) -> FuzzyDiscontinuity:
    """What does the treatment do to cases at the cut-off that get it because of the rule, and would not without it?

    Formula: τ = jump of the outcome / jump of the share treated (local Wald ratio). Error by the delta method: the jump of
    z = (outcome - τ·treated) / (jump of the share treated), on the same weights and neighbours; conventionally that jump is 0, and with the
    curvature taken off it is what the bias moves τ by. Bandwidths are those of the outcome's own jump unless given.
    `treated` (0/1) must be known of every case. Nobody may do the opposite of the rule because of the rule.
    Undefined (NaN + note): first-stage F under 10, or the share treated jumps the wrong way.
    Raises DataError: `treated` missing, or as `discontinuity.split`. Whether cases are comparable `sharp_discontinuity` says.
    Source: Calonico, Cattaneo & Titiunik, Econometrica 82 (2014) 2295, section 3.2; Hahn, Todd & van der Klaauw, Econometrica 69 (2001) 201.
    """
    if "treated" not in cases.columns or cases["treated"].isna().any():
        unknown = len(cases) if "treated" not in cases.columns else int(cases["treated"].isna().sum())
        raise DataError(f"cases.treated: unknown of {unknown} of {len(cases)} cases; record what was really done, or leave those cases out")
    where = {"cutoff": cutoff, "cutoff_belongs_to": cutoff_belongs_to}
    treated = cases["treated"].astype(float)
    outcome = split(cases, **where)  # type: ignore[arg-type]
    widths = bandwidths or mse_bandwidths(*outcome)
    sign = 1.0 if treated_side == "above" else -1.0
    first = jump(*split(cases.assign(outcome=treated), **where), widths, level=level, sign=sign)  # type: ignore[arg-type]
    reduced = jump(*outcome, widths, level=level, sign=sign)
    strength = _strength(first.iloc[1])
    condition = _followed(first.iloc[1], strength)
    if not condition.met:
        return FuzzyDiscontinuity(effects=_undefined(reduced, condition), followed=first.iloc[1], strength=strength, condition=condition)
    step = float(first["estimate"].iloc[0])
    ratio = float(reduced["estimate"].iloc[0]) / step
    linear = cases.assign(outcome=(cases["outcome"].astype(float) - ratio * treated) / step)
    effects = jump(*split(linear, **where), widths, level=level, sign=sign)  # type: ignore[arg-type]
    for column in ("estimate", "low", "high"):
        effects[column] += ratio
    with np.errstate(divide="ignore", invalid="ignore"):
        effects["p_value"] = 2 * stats.norm.sf(np.abs(effects["estimate"] / effects["standard_error"]))
    return FuzzyDiscontinuity(effects=effects, followed=first.iloc[1], strength=strength, condition=condition)


def limits(below: Side, above: Side, widths: Bandwidths) -> tuple[float, float]:
    """The mean outcome just below and just above the cut-off: the two ends of the local linear fits."""
    ends = [float(fit_weights(side.x, order=1, bandwidth=widths.main, coefficient=0) @ side.y) for side in (below, above)]
    return ends[0], ends[1]


def _strength(row: pd.Series) -> float:
    """F of the first stage; without any spread around a jump (everybody follows) it is unbounded."""
    estimate, error = float(row["estimate"]), float(row["standard_error"])
    if error > 0:
        return (estimate / error) ** 2
    return float("inf") if estimate else 0.0


def _followed(row: pd.Series, strength: float) -> Condition:
    details = {"jump_share": float(row["estimate"]), "strength": strength if np.isfinite(strength) else 1e6, "least": MIN_STRENGTH}
    return Condition(name="rule_followed", met=bool(strength >= MIN_STRENGTH and row["estimate"] > 0), details=details)


def _undefined(reduced: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    numbers = ["estimate", "standard_error", "low", "high", "p_value"]
    reason = f"first-stage F {condition.details['strength']:.1f}, under {MIN_STRENGTH:g} or the wrong way"
    return reduced.assign(**dict.fromkeys(numbers, np.nan), note=reason)
