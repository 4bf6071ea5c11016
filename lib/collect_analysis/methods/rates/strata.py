"""Arms compared within strata whose cases were assigned with different probabilities, and put together by the strata's sizes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.trials.experiments import KEYS, SUMS, mean_and_variance, reason_of, sample_ratio_test, with_intervals

LONE_STRATUM = "stratum {stratum} has fewer than 2 independent cases in this arm"


def post_stratified_means(sums: pd.DataFrame, *, level: float = CONFIDENCE, none_counts: bool = False) -> pd.DataFrame:
    """What would the mean of each arm be if every stratum had in it the share that it has in all arms together?

    Formula: m = Σ W·m_s with W = cases of stratum s in all arms / all cases, Var(m) = Σ W²·Var(m_s), degrees of freedom by Satterthwaite from
    G_s - 1. The difference of two such means is the sum of the within-stratum differences weighted by W: where probabilities of assignment
    differ between strata a plain difference of means would compare strata, not arms.

    Parameters
    ----------
    sums
        As `experiments.arm_means` takes them, one row per outcome, horizon, arm and `stratum`; `none_counts` as there.

    Returns
    -------
    As `experiments.arm_means`, a row per outcome, horizon and arm. sum_y and positive are those of the weighted mean and payer rate times
    the cases; cv is that of one case over all strata; design_effect what clusters and strata cost together.
    Undefined (NaN and a note): a stratum with fewer than 2 clusters in the arm, fewer than 2 cases above zero in the arm, a note given.
    Source: Imbens & Rubin, Causal Inference (2015) ch. 9; Miratrix, Sekhon & Yu, JRSS B 75 (2013) 369.
    """
    table = sums.sort_values([*KEYS, "arm", "stratum"], ignore_index=True).astype(dict.fromkeys(SUMS, float))
    table["mean"], table["between"] = mean_and_variance(table)
    of_stratum = table.groupby([*KEYS, "stratum"])["cases"].transform("sum")
    total = table.groupby(KEYS)["cases"].transform("sum")
    table["weight"] = of_stratum / total
    rows = [_one_arm(own, none_counts=none_counts) for _, own in table.groupby([*KEYS, "arm"], sort=True)]
    return with_intervals(pd.DataFrame(rows), level=level)


def _one_arm(own: pd.DataFrame, *, none_counts: bool) -> dict[str, object]:
    weight, n, groups = own["weight"], own["cases"], own["clusters"]
    cases = float(n.sum())
    raw = {name: float(own[name].sum()) for name in SUMS}
    first = {name: own[name].iloc[0] for name in (*KEYS, "arm")}
    note = reason_of(pd.DataFrame([{**first, **raw, "note": own["note"].iloc[0]}]), none_counts=none_counts).iloc[0]
    lone = own.loc[(groups < 2) & (weight > 0), "stratum"]
    note = note or (LONE_STRATUM.format(stratum=lone.iloc[0]) if len(lone) else "")
    if note:
        empty = dict.fromkeys(("value", "variance", "df", "single", "design_effect"), np.nan)
        return {**first, **raw, **empty, "note": note}
    mean = float((weight * own["mean"]).sum())
    parts = weight**2 * own["between"]
    variance = float(parts.sum())
    spread = (own["sum_y2"] - n * own["mean"] ** 2).clip(lower=0) / (n - 1).clip(lower=1)
    single = float((weight * (spread + (own["mean"] - mean) ** 2)).sum())
    squares = float((parts**2 / (groups - 1)).sum())
    return {
        **first,
        **raw,
        "sum_y": mean * cases,
        "positive": float((weight * own["positive"] / n).sum()) * cases,
        "note": "",
        "value": mean,
        "variance": variance,
        "df": variance**2 / squares if squares > 0 else float((groups - 1).sum()),
        "single": single,
        "design_effect": variance * cases / single if single > 0 else raw["sum_nn"] / cases,
    }


def stratified_ratio_test(counts: pd.DataFrame) -> dict[str, float]:
    """Were the cases allocated in the planned proportions within every stratum?

    Formula: the sum over strata of `experiments.sample_ratio_test`'s χ² and degrees of freedom. Columns: stratum, arm, clusters, share
    (planned within the stratum). Returns chi2, df, p_value; undefined (NaN) where one stratum's is.
    """
    chi2 = df = 0.0
    for _, own in counts.groupby("stratum"):
        arms = own["arm"].astype(str)
        found = sample_ratio_test(dict(zip(arms, own["clusters"], strict=True)), dict(zip(arms, own["share"], strict=True)))
        chi2, df = chi2 + found["chi2"], df + found["df"]
    return {"chi2": chi2, "df": df, "p_value": float(stats.chi2.sf(chi2, df))}


def stratum_weights(counts: pd.DataFrame) -> Mapping[tuple[str, str], float]:
    """What each case of (stratum, arm) must count so that a plain mean over the arm is the post-stratified one.

    Formula: (N_s / N) / (n_sa / n_a): mean 1 within an arm. Columns: stratum, arm, cases. Undefined (missing): no case in the cell.
    """
    stratum, arm = counts.groupby("stratum")["cases"].transform("sum"), counts.groupby("arm")["cases"].transform("sum")
    weight = stratum / counts["cases"].sum() * arm / counts["cases"].where(counts["cases"] > 0)
    keys = zip(counts["stratum"].astype(str), counts["arm"].astype(str), strict=True)
    return {key: float(value) for key, value in zip(keys, weight, strict=True) if value == value}
