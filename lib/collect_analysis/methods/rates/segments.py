"""The effect in each of a few declared segments: does it differ between them by more than chance, and how far is each to be believed?"""

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.methods.profiling.shrinkage import NormalUnits, heterogeneity
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import holm

INTERACTION_COLUMNS = [
    "segment", "arm", "levels", "scale", "value", "low", "high", "q", "df", "p_value", "between_sd", "note",
]  # fmt: skip
ONE_LEVEL = "fewer than 2 levels have an effect: nothing to compare"


def shrunk_effects(effects: pd.DataFrame, *, margin: float, level: float = CONFIDENCE) -> pd.DataFrame:
    """What is the effect in each level of a segment, once it is known that the best of several looks better than it is?

    Model: the levels' true effects scatter normally about an overall one (`shrinkage.NormalUnits`); the estimate of a level is drawn towards
    it, the more the less certain it is. Scale: the log of mean/base mean where every level has a relative effect, so that "8 % more" is the
    same effect in a rich and in a poor segment; else the outcome's own unit. The scatter's prior scale is the overall effect, the `margin`
    worth having or the overall standard error, whichever is largest: levels may differ by as much as there is to differ about.
    p_adjusted: Holm over all levels of all segments and arms, the family that was declared.

    Needs one row per segment, level and arm with the columns of `experiments.compare_arms`; returns them with scale (relative or absolute),
    p_adjusted, shrunk, shrunk_low, shrunk_high (on that scale). Undefined (NaN): the level has no effect, or fewer than 2 levels have.
    Source: Efron & Morris, JASA 70 (1975) 311; Gelman et al., Bayesian Data Analysis, 3rd ed., 5.4; Holm (1979).
    """
    table = effects.assign(scale="relative", shrunk=np.nan, shrunk_low=np.nan, shrunk_high=np.nan)
    table["p_adjusted"] = holm(table["p_value"]) if len(table) else np.nan
    for _, part in table.groupby(["segment", "arm"], sort=True):
        scale, x, se = _on_scale(part)
        table.loc[part.index, "scale"] = scale
        if len(x) < 2:
            continue
        units = NormalUnits(x, se, prior_sd=_prior_sd(part, scale, x, se, margin)).table(level=level)
        values = units[["value", "low", "high"]].to_numpy()
        table.loc[x.index, ["shrunk", "shrunk_low", "shrunk_high"]] = np.expm1(values) if scale == "relative" else values
    return table


def interaction_tests(effects: pd.DataFrame, *, margin: float, level: float = CONFIDENCE) -> pd.DataFrame:
    """Does the effect differ between the levels of each segment by more than chance?

    Formula: Cochran's Q of the levels' effects about their precision-weighted mean, chi-squared with levels - 1 degrees of freedom, on the
    scale of `shrunk_effects`. Levels count as independent: a customer with accounts in two of them is a small exception.
    Columns: segment, arm, levels (with an effect), scale, value, low, high (the overall effect), q, df, p_value, between_sd (posterior mean of
    the levels' standard deviation; of log ratios where the scale is relative), note. Undefined (NaN + note): fewer than 2 levels.
    Source: Cochran, Biometrics 10 (1954) 101.
    """
    rows = []
    z = stats.norm.ppf((1 + level) / 2)
    for (segment, arm), part in effects.groupby(["segment", "arm"], sort=True):
        scale, x, se = _on_scale(part)
        row: dict[str, object] = {"segment": segment, "arm": arm, "levels": len(x), "scale": scale}
        if len(x) < 2:
            rows.append({**row, "df": 0, "note": ONE_LEVEL})
            continue
        found = heterogeneity(x, se)
        bounds = np.array([found.pooled, found.pooled - z * found.pooled_se, found.pooled + z * found.pooled_se])
        value, low, high = np.expm1(bounds) if scale == "relative" else bounds
        between = NormalUnits(x, se, prior_sd=_prior_sd(part, scale, x, se, margin)).between_sd
        numbers = {"value": value, "low": low, "high": high, "q": found.q, "df": found.df, "p_value": found.p_value}
        rows.append({**row, **numbers, "between_sd": between, "note": ""})
    return pd.DataFrame(rows, columns=INTERACTION_COLUMNS)


def _on_scale(part: pd.DataFrame) -> tuple[str, pd.Series, pd.Series]:
    """Scale, effects and standard errors of the levels that have an effect."""
    known = part[part["value"].notna() & (part["se"] > 0)]
    ratio, error = 1 + known["relative"].astype(float), known["relative_se"].astype(float)
    if not ((ratio > 0) & error.notna()).all():
        return "absolute", known["value"].astype(float), known["se"].astype(float)
    # The log of the ratio has the error of the ratio over the ratio.
    return "relative", pd.Series(np.log(ratio), index=known.index), error / ratio


def _prior_sd(part: pd.DataFrame, scale: str, x: pd.Series, se: pd.Series, margin: float) -> float:
    found = heterogeneity(x, se)
    worth = np.log1p(margin) if scale == "relative" else margin * abs(float(part["base_mean"].mean()))
    return max(abs(found.pooled), worth, found.pooled_se)
