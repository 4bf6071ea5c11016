"""Arms of a randomised experiment compared from their sums: allocation, means and shares, ratios, several challengers.

A case is what was assigned (an account); a cluster is what is independent (a customer with all accounts). The sums run over clusters, so
that an interval is right whether a cluster holds one case or many: with one case each, everything below is the textbook two-sample formula.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import benjamini_hochberg, holm, simultaneous_level
from collect_analysis.methods.rates.rates import (
    interval_difference,
    interval_quotient,
    newcombe_difference,
    poisson_interval,
    relative_interval,
    wilson_interval,
)

Floats = NDArray[np.float64]
KEYS = ["outcome", "unit", "horizon_days"]
# What a table of sums holds per outcome and arm, beside KEYS and `arm`; see `arm_means`.
SUMS = ["clusters", "cases", "positive", "sum_y", "sum_y2", "sum_yy", "sum_yn", "sum_nn"]
_DIFFERENCE = ["value", "low", "high", "relative", "relative_low", "relative_high"]
# Of counted events: with fewer in an arm a normal interval is too narrow.
FEW_EVENTS = 10
NO_CASES = "no cases in this arm"
FEW_POSITIVE = "fewer than 2 cases with a result above zero: nothing to compare"
ONE_CLUSTER = "fewer than 2 independent cases: no interval"
NOTHING_BELOW = "nothing in the denominator of an arm"
BASE_NOT_POSITIVE = "mean of the base arm is not above zero: no relative effect"
BASE_NOT_TOLD = "mean of the base arm is not told from zero: no relative interval"


def sample_ratio_test(counts: Mapping[str, float], shares: Mapping[str, float]) -> dict[str, float]:
    """Were the cases allocated in the planned proportions?

    Formula: χ² = Σ (n - e)²/e with e = N·share/Σshares, k-1 degrees of freedom. Returns chi2, df, p_value.
    Undefined (NaN): no cases, or an arm planned a share of 0 or none at all. A p-value under 0.001 is a sample-ratio mismatch: the arms
    differ by more than chance, so something between assignment and data loses cases.
    Source: Pearson; threshold: Fabijan et al., KDD 2019.
    """
    observed = np.array([float(count) for count in counts.values()])
    planned = np.array([float(shares.get(arm, 0.0)) for arm in counts])
    if observed.sum() <= 0 or len(planned) < 2 or (planned <= 0).any():
        return {"chi2": float("nan"), "df": float("nan"), "p_value": float("nan")}
    found = stats.chisquare(observed, observed.sum() * planned / planned.sum())
    return {"chi2": float(found.statistic), "df": float(len(planned) - 1), "p_value": float(found.pvalue)}


def arm_means(sums: pd.DataFrame, *, level: float = CONFIDENCE, none_counts: bool = False) -> pd.DataFrame:
    """What is the mean outcome per case in each arm, and how sure is it?

    Formula: m = Σy/Σn over clusters; Var(m) = [Σy² - 2mΣyn + m²Σn²]/(Σn)² · G/(G-1), with one case per cluster s²/n. Interval: Student's t
    with G-1 degrees of freedom; for shares Wilson's with the effective number of cases, cases / design effect.

    Parameters
    ----------
    sums
        One row per outcome, horizon and arm: outcome, unit ("share" for a yes/no outcome), horizon_days, arm, clusters (G), cases (Σn),
        positive (cases with y > 0), sum_y, sum_y2 (squares of cases), sum_yy, sum_yn, sum_nn (products of clusters' sums), note (a reason
        why the row may not be used, else empty).
    none_counts
        Few cases above zero, or none, are an answer too (how an arm was worked, what must not happen): means of 0 stand.

    Returns
    -------
    The columns given and value, variance (of the mean), df, low, high, cv (of one case), design_effect (variance over that of independent
    cases), numerator, denominator; sorted by outcome, horizon, arm.

    Undefined (NaN and a note): no case, fewer than 2 clusters, fewer than 2 cases above zero (unless `none_counts`), or a note given.
    Source: Cochran, Sampling Techniques (1977) ch. 6; design effect in Wilson's interval: Korn & Graubard (1998).
    """
    table = sums.sort_values([*KEYS, "arm"], ignore_index=True).astype(dict.fromkeys(SUMS, float))
    n, groups = table["cases"], table["clusters"]
    table["note"] = reason_of(table, none_counts=none_counts)
    usable = table["note"] == ""
    mean, between = mean_and_variance(table)
    mean, between = mean.where(usable), between.where(usable)
    with np.errstate(divide="ignore", invalid="ignore"):
        single = ((table["sum_y2"] - n * mean**2).clip(lower=0) / (n - 1)).where(n > 1)
        # Every case alike: clusters cannot be told from independent cases, so count clusters only.
        effect = (between / (single / n)).where(single > 0, table["sum_nn"] / n)
    effect = effect.where(groups < n, 1.0)
    return with_intervals(table.assign(value=mean, variance=between, df=groups - 1, single=single, design_effect=effect), level=level)


def mean_and_variance(sums: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Σy/Σn per row of sums over clusters, and the variance of that mean: [Σy² - 2mΣyn + m²Σn²]/(Σn)² · G/(G-1)."""
    n, groups = sums["cases"], sums["clusters"]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums["sum_y"] / n
        spread = (sums["sum_yy"] - 2 * mean * sums["sum_yn"] + mean**2 * sums["sum_nn"]).clip(lower=0)
        return mean, spread / n**2 * groups / (groups - 1)


def with_intervals(table: pd.DataFrame, *, level: float) -> pd.DataFrame:
    """Means as `arm_means` returns them, from value, variance, df, single (variance of one case), design_effect, sum_y, cases and note."""
    usable, share = table["note"] == "", table["unit"] == "share"
    n, y, mean = table["cases"], table["sum_y"], table["value"]
    half = stats.t.ppf((1 + level) / 2, table["df"]) * np.sqrt(table["variance"])
    low, high = wilson_interval(y / table["design_effect"], n / table["design_effect"], level=level)
    return table.assign(
        low=np.where(share, np.where(usable, low, np.nan), mean - half),
        high=np.where(share, np.where(usable, high, np.nan), mean + half),
        cv=np.sqrt(table["single"]) / mean.where(mean > 0),
        design_effect=table["design_effect"].where(usable),
        numerator=y.where(usable),
        denominator=n,
    ).drop(columns="single")


def reason_of(sums: pd.DataFrame, *, none_counts: bool = False) -> pd.Series:
    """Why a row of sums gives no mean; empty where it does. A reason given with the sums comes first."""
    given = sums["note"].fillna("") if "note" in sums.columns else pd.Series("", index=sums.index)
    signed = (sums["sum_y2"] > 0) & (sums["unit"] == "count")
    few = (sums["positive"] < 2) & ~signed & (not none_counts)
    reasons = np.select(
        [given != "", sums["cases"] <= 0, sums["clusters"] < 2, few],
        [given, NO_CASES, ONE_CLUSTER, FEW_POSITIVE],
        default="",
    )
    return pd.Series(reasons, index=sums.index)


def at_horizon(table: pd.DataFrame, days: int) -> pd.DataFrame:
    """The rows of means or effects that are read at one horizon; fresh index."""
    return table[table["horizon_days"] == days].reset_index(drop=True)


def compare_arms(means: pd.DataFrame, *, base: str, level: float = CONFIDENCE) -> pd.DataFrame:
    """By how much does each arm differ from the base arm, in its own unit and relative to it?

    Formula: effect = m - m0. Means: variances unequal, Student's t with Welch's degrees of freedom. Shares: Newcombe's interval, p-value of
    the pooled two-proportion test, both on effective numbers of cases. Relative effect R = effect / m0: Fieller's interval for means, the
    quotient of the two Wilson intervals for shares; either holds 0 exactly where the absolute interval does (`rates.relative_interval`,
    `rates.interval_quotient`). Several arms: `p_adjusted` by Holm within outcome and horizon.

    Parameters
    ----------
    means
        What `arm_means` returns.
    base
        The arm compared with.

    Returns
    -------
    outcome, unit, horizon_days, arm, base, cases, base_cases, mean, base_mean, value (effect), low, high, se, df, p_value, p_adjusted,
    relative, relative_se (delta method, for what pools relative effects), relative_low, relative_high, method, note; one row per outcome,
    horizon and arm other than the base.

    Undefined (NaN and the reason in note): either mean is. Relative effect: base mean not above zero; its interval: base mean not told from
    zero.
    Source: Welch (1947); Newcombe (1998) method 10; Fieller (1954); Donner & Zou (2012); Holm (1979).
    """
    arms = means[means["arm"] != base]
    pairs = arms.merge(means[means["arm"] == base], on=KEYS, suffixes=("", "_base"), validate="many_to_one")
    share = pairs["unit"] == "share"
    m, m0, v, v0 = (pairs[column].astype(float) for column in ("value", "value_base", "variance", "variance_base"))
    with np.errstate(divide="ignore", invalid="ignore"):
        df = (v + v0) ** 2 / (v**2 / pairs["df"] + v0**2 / pairs["df_base"])
        t = stats.t.ppf((1 + level) / 2, df)
        p_value = 2 * stats.t.sf(np.abs((m - m0) / np.sqrt(v + v0)), df)
        relative = ((m - m0) / m0).where(m0 > 0)
        relative_se = ((v + (m / m0) ** 2 * v0) ** 0.5 / m0).where(m0 > 0)
    relative_low, relative_high = relative_interval(m - m0, v + v0, m0, v0, -v0, t)
    low, high, p_share, ratio_low, ratio_high = _share_difference(pairs, level)
    table = pairs[[*KEYS, "arm"]].assign(
        base=base,
        cases=pairs["cases"],
        base_cases=pairs["cases_base"],
        mean=m,
        base_mean=m0,
        value=m - m0,
        low=np.where(share, low, m - m0 - t * np.sqrt(v + v0)),
        high=np.where(share, high, m - m0 + t * np.sqrt(v + v0)),
        se=np.sqrt(v + v0),
        df=df,
        p_value=np.where(share, p_share, p_value),
        p_adjusted=np.nan,
        relative=relative,
        relative_se=relative_se,
        relative_low=np.where(share, ratio_low - 1, relative_low),
        relative_high=np.where(share, ratio_high - 1, relative_high),
        method=np.where(share, "newcombe", "welch"),
        note=pairs["note"].where(pairs["note"] != "", pairs["note_base"]),
    )
    no_base = (table["note"] == "") & table["relative"].isna()
    table["note"] = table["note"].mask(no_base, BASE_NOT_POSITIVE)
    vague = (table["note"] == "") & table["low"].notna() & table["relative_low"].isna()
    table["note"] = table["note"].mask(vague, BASE_NOT_TOLD)
    table["p_adjusted"] = table.groupby(["outcome", "horizon_days"], dropna=False)["p_value"].transform(holm)
    return table.sort_values([*KEYS, "arm"], ignore_index=True)


def with_rare_events(effects: pd.DataFrame, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """The effects on counted events with an interval that holds where an arm has few of them, or none.

    Where an arm has fewer than 10 events: exact Poisson limits of both means, put together as `rates.interval_difference` does; method
    poisson. A normal interval would be too narrow there, and with no event in either arm there would be none. Takes and returns what
    `compare_arms` returns (of means with `none_counts`).
    """
    events = {name: effects[f"{name}mean"].astype(float) * effects[f"{name}cases"] for name in ("", "base_")}
    rare = (effects["unit"] == "count") & (pd.concat(events, axis=1).min(axis=1) < FEW_EVENTS) & effects["value"].notna()
    own = effects[rare]
    if own.empty:
        return effects
    bounds = {name: poisson_interval(events[name][rare], own[f"{name}cases"], level=level) for name in events}
    _, low, high = interval_difference(own["mean"], *bounds[""], own["base_mean"], *bounds["base_"])
    table = effects.copy()
    table.loc[rare, ["low", "high"]] = np.column_stack([low, high])
    table.loc[rare, "method"] = "poisson"
    return table


def read_out(means: pd.DataFrame, *, base: str, outcome: str, horizon_days: int, level: float = CONFIDENCE) -> pd.DataFrame:
    """Which effects were asked about before the test, which only looked at afterwards, and what of them stands?

    Two families. Confirmatory: the primary `outcome` at its `horizon_days`, every arm; p-values by Holm (no false effect among them with
    probability `level`), intervals that hold together (Bonferroni). Exploratory: everything else; p-values by Benjamini-Hochberg over all of
    it (of the effects that stand a share 1 - `level` is false), each interval on its own.
    Takes what `arm_means` returns; columns as `compare_arms` and family (confirmatory, exploratory), level (of one interval).
    """
    table = compare_arms(means, base=base, level=level)
    primary = (table["outcome"] == outcome) & (table["horizon_days"] == horizon_days)
    each = simultaneous_level(level, int(table.loc[primary, "p_value"].notna().sum()))
    if each != level:
        chosen = means[(means["outcome"] == outcome) & (means["horizon_days"] == horizon_days)]
        together = compare_arms(chosen, base=base, level=each)
        bounds = ["low", "high", "relative_low", "relative_high"]
        table.loc[primary, bounds] = together[bounds].to_numpy()
    table["family"] = np.where(primary, "confirmatory", "exploratory")
    table["level"] = np.where(primary, each, level)
    table.loc[~primary, "p_adjusted"] = benjamini_hochberg(table.loc[~primary, "p_value"]) if (~primary).any() else np.nan
    return table


def _share_difference(pairs: pd.DataFrame, level: float) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Newcombe's bounds of the difference of shares, the p-value of the pooled test, and the bounds of their quotient, on effective numbers."""
    x, n = pairs["sum_y"] / pairs["design_effect"], pairs["cases"] / pairs["design_effect"]
    x0, n0 = pairs["sum_y_base"] / pairs["design_effect_base"], pairs["cases_base"] / pairs["design_effect_base"]
    _, low, high = newcombe_difference(x, n, x0, n0, level=level)
    with np.errstate(divide="ignore", invalid="ignore"):
        own, base = x / n, x0 / n0
        pooled = (x + x0) / (n + n0)
        z = (own - base) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n0))
    quotient = interval_quotient(own, *wilson_interval(x, n, level=level), base, *wilson_interval(x0, n0, level=level))
    return low, high, 2 * stats.norm.sf(np.abs(z)), *quotient


def two_part(means: pd.DataFrame, *, base: str) -> pd.DataFrame:
    """Does an effect on an amount sit in how many pay, or in how much a payer pays?

    Formula: m1·π1 - m0·π0 = (π1-π0)·(m1+m0)/2 + (m1-m0)·(π1+π0)/2 with π = positive / cases, m = amount per positive case; exact.
    The second part is descriptive: who pays is decided after assignment, so payers of two arms are not comparable.

    Returns
    -------
    outcome, unit, horizon_days, arm, part (payer_rate, amount_per_payer, total), base_mean (π0, m0, π0·m0), mean, value (contribution in
    the outcome's unit), relative (contribution / base mean of the outcome), note. Only money (unit "minor") has parts.
    Undefined (NaN and note): as the means.
    """
    amounts = means[means["unit"] == "minor"]
    pairs = amounts[amounts["arm"] != base].merge(amounts[amounts["arm"] == base], on=KEYS, suffixes=("", "_base"), validate="many_to_one")
    note = pairs["note"].where(pairs["note"] != "", pairs["note_base"])
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, rate0 = pairs["positive"] / pairs["cases"], pairs["positive_base"] / pairs["cases_base"]
        amount, amount0 = pairs["sum_y"] / pairs["positive"], pairs["sum_y_base"] / pairs["positive_base"]
    total, total0 = rate * amount, rate0 * amount0
    parts = {
        "payer_rate": (rate0, rate, (rate - rate0) * (amount + amount0) / 2),
        "amount_per_payer": (amount0, amount, (amount - amount0) * (rate + rate0) / 2),
        "total": (total0, total, total - total0),
    }
    tables = [
        pairs[[*KEYS, "arm"]].assign(part=part, base_mean=before, mean=after, value=value, relative=value / total0, note=note)
        for part, (before, after, value) in parts.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    table.loc[table["note"] != "", ["base_mean", "mean", "value", "relative"]] = np.nan
    return table.sort_values([*KEYS, "arm"], kind="stable", ignore_index=True)


def compare_ratios(sums: pd.DataFrame, *, base: str, level: float = CONFIDENCE) -> pd.DataFrame:
    """By how much does a ratio of two sums differ between arms (money per agent minute)?

    Formula: r = Σy/Σx, Var(r) by the delta method over clusters (`rates.ratio_interval`); effect r - r0, variances added; relative effect
    R = r/r0 - 1 with Fieller's interval; normal bounds.

    Parameters
    ----------
    sums
        One row per arm: arm, clusters, sum_y, sum_x, sum_yy, sum_xx, sum_xy.

    Returns
    -------
    arm, mean, base_mean (the ratios), value (difference), low, high, relative, relative_low, relative_high, note. Empty without sums.
    Undefined (NaN and a note): nothing in a denominator, fewer than 2 clusters.
    """
    if sums.empty:
        return pd.DataFrame(columns=["arm", "mean", "base_mean", *_DIFFERENCE, "note"])
    x, y, count = sums["sum_x"].astype(float), sums["sum_y"].astype(float), sums["clusters"].astype(float)
    defined = (x > 0) & (count > 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (y / x).where(defined)
        squares = (sums["sum_yy"] - 2 * ratio * sums["sum_xy"] + ratio**2 * sums["sum_xx"]).clip(lower=0)
        variance = (squares / x**2 * count / (count - 1)).where(defined)
    table = pd.DataFrame({"arm": sums["arm"], "mean": ratio, "variance": variance})
    reference = table[table["arm"] == base].iloc[0]
    arms = table[table["arm"] != base].sort_values("arm", ignore_index=True)
    r, v, r0, v0 = arms["mean"], arms["variance"], reference["mean"], reference["variance"]
    z = stats.norm.ppf((1 + level) / 2)
    base_usable = pd.notna(r0) and r0 != 0
    relative = r / r0 - 1 if base_usable else r * np.nan
    relative_low, relative_high = relative_interval(r - r0, v + v0, r0, v0, -v0, z)
    return pd.DataFrame(
        {
            "arm": arms["arm"],
            "mean": r,
            "base_mean": r0,
            "value": r - r0,
            "low": r - r0 - z * np.sqrt(v + v0),
            "high": r - r0 + z * np.sqrt(v + v0),
            "relative": relative,
            "relative_low": relative_low,
            "relative_high": relative_high,
            "note": np.select([r.isna() | pd.isna(r0), relative.isna()], [NOTHING_BELOW, BASE_NOT_POSITIVE], default=""),
        }
    )
