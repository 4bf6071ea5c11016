"""What a planned test can detect and what it needs: sizes, splits, months, looks, from what history says of the outcome."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from collect_analysis.methods.rates.levels import CONFIDENCE, ERROR, POWER
from collect_analysis.methods.trials.experiments import KEYS, SUMS, arm_means
from collect_analysis.methods.trials.power import NOT_EVEN_ALL, cases_for, relative_mde
from collect_analysis.methods.trials.sequential import Spending, boundaries, first_crossing

Floats = NDArray[np.float64]
WEEKS_PER_MONTH = 365.25 / 12 / 7
PLANNED = ["outcome", "unit", "horizon_days", "value", "cv", "design_effect", "correlation", "note"]


def design_effect(cluster_size: ArrayLike, icc: ArrayLike) -> Floats:
    """By how much does the variance grow when whole clusters (an officer's accounts) are assigned?

    Formula: 1 + (m - 1)·ICC. Source: Kish, Survey Sampling (1965). Check: m 400, ICC 0.01 -> 4.99.
    """
    return 1 + (np.asarray(cluster_size, dtype=float) - 1) * np.asarray(icc, dtype=float)


def cluster_facts(means: pd.DataFrame) -> pd.DataFrame:
    """How alike are the accounts of one cluster, and what does that cost?

    Formula: ICC = (deff - 1)/(m' - 1) with m' = Σn²/Σn, the size of the cluster an account sees; deff of `experiments.arm_means`.
    Columns: outcome, groups, cases, size (mean), seen_size (m'), icc, design_effect. Undefined (NaN): every cluster has one account.
    """
    seen = means["sum_nn"] / means["cases"].where(means["cases"] > 0)
    several = (seen - 1).where(seen > 1 + 1e-9)
    table = means[["outcome", "cases"]].assign(
        groups=means["clusters"],
        size=means["cases"] / means["clusters"].where(means["clusters"] > 0),
        seen_size=seen,
        icc=(means["design_effect"] - 1) / several,
        design_effect=means["design_effect"],
    )
    return table.reset_index(drop=True)


def pooled_means(sums: pd.DataFrame) -> pd.DataFrame:
    """Mean, coefficient of variation and design effect of each outcome over all past cohorts together (`experiments.arm_means`).

    Cohorts whose horizon is not over (a note) are left out. A customer in several cohorts counts as several.
    """
    usable = sums[sums["note"].fillna("") == ""]
    if usable.empty:
        return arm_means(usable.assign(arm="history"))
    return arm_means(usable.groupby(KEYS, as_index=False)[SUMS].sum().assign(arm="history", note=""))


def history_table(sums: pd.DataFrame, *, amount: str, payers: str) -> pd.DataFrame:
    """What did each past cohort pay: how many, how much per account, how unevenly among payers?

    Columns: arm (the cohort), cases, clusters, numerator, denominator, value (payer rate), low, high, amount (per account, minor units),
    per_payer (minor units), cv_payers, note. `amount` and `payers` name the outcomes of `sums` that are money and yes/no; either may be
    missing. Undefined (NaN): fewer than 2 payers. Check: payers 100, 200, 300 -> mean 200, CV 0.5.
    """
    means = arm_means(sums)
    rate = means[means["outcome"] == payers].set_index("arm")
    money = means[means["outcome"] == amount].set_index("arm").astype({"positive": float, "sum_y": float, "sum_y2": float})
    table = (rate if len(rate) else money)[["cases", "clusters", "note"]].copy()
    for name in ("numerator", "denominator", "value", "low", "high"):
        table[name] = rate[name].reindex(table.index) if len(rate) else np.nan
    paid = money["positive"].where(money["positive"] >= 2)
    per_payer = money["sum_y"] / paid
    spread = ((money["sum_y2"] - paid * per_payer**2).clip(lower=0) / (paid - 1)) ** 0.5
    table["amount"] = money["value"].reindex(table.index)
    table["per_payer"], table["cv_payers"] = per_payer.reindex(table.index), (spread / per_payer).reindex(table.index)
    return table.rename_axis("arm").reset_index()


def explained(products: Mapping[tuple[str, str], float], outcome: str, covariates: Sequence[str]) -> float:
    """How closely do the covariates together go with the outcome: the multiple correlation ρ, 0 to 1?

    Formula: ρ² = c'S⁻¹c / Var(y) from sums of products of "1", the outcome and the covariates; the variance of an adjusted comparison falls
    by 1 - ρ². Undefined (NaN): the outcome does not vary. A covariate that does not vary explains nothing.
    Source: Deng, Xu, Kohavi & Walker, WSDM 2013 (CUPED).
    """

    def centred(a: str, b: str) -> float:
        cross = products.get((a, b), products.get((b, a), np.nan))
        return cross - _total(products, a) * _total(products, b) / products[("1", "1")]

    spread = centred(outcome, outcome)
    if not spread > 0:
        return float("nan")
    used = [name for name in covariates if centred(name, name) > 1e-12 * max(abs(products.get((name, name), 0.0)), 1e-300)]
    if not used:
        return 0.0
    scale = np.sqrt([centred(name, name) for name in used])
    matrix = np.array([[centred(a, b) for b in used] for a in used]) / np.outer(scale, scale)
    with_outcome = np.array([centred(name, outcome) for name in used]) / (scale * np.sqrt(spread))
    weights, *_ = np.linalg.lstsq(matrix, with_outcome, rcond=1e-9)
    return float(np.sqrt(np.clip(weights @ with_outcome, 0.0, 1.0)))


def _total(products: Mapping[tuple[str, str], float], name: str) -> float:
    return products.get(("1", name), products.get((name, "1"), np.nan))


def looks_inflation(looks: int, *, spending: Spending = "obrien_fleming", power: float = POWER, alpha: float = ERROR) -> float:
    """How much larger must a test be that is looked at `looks` times and may stop early, to keep its power?

    Formula: (drift / (z(1-α/2) + z(power)))², drift the expected z at the end that the looks' boundaries pass with probability `power`.
    1 for a single look. Source: Jennison & Turnbull, Group Sequential Methods (2000) ch. 2 and 7 (spending functions).
    """
    if looks <= 1:
        return 1.0
    fractions = np.arange(1, looks + 1) / looks
    bounds = boundaries(fractions, spending=spending, alpha=alpha)["z"].to_numpy()
    plain = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    drift = optimize.brentq(lambda value: first_crossing(bounds, fractions, drift=value).sum() - power, plain * 0.9, plain * 1.6)
    return float((drift / plain) ** 2)


def plan_table(
    planned: pd.DataFrame,
    *,
    cases: float,
    share: float,
    base_share: float,
    margin: float,
    power: float = POWER,
    level: float = CONFIDENCE,
    inflation: float = 1.0,
    treated_effect: float = 1.0,
) -> pd.DataFrame:
    """What can a test of `cases` accounts detect, without and with covariates known before, and what would the margin need?

    Parameters
    ----------
    planned
        What history says, columns PLANNED: value (mean per account), cv, design_effect (customers with several accounts), correlation (of
        the outcome with what the covariates explain).
    cases
        Accounts in the whole test.
    share, base_share
        Shares of the smallest challenger and of the champion.
    margin
        Smallest relative rise worth having.
    inflation
        What planned looks cost (`looks_inflation`).
    treated_effect
        Design effect where whole officers are treated, in place of that of customers if larger.

    Returns
    -------
    Two rows per outcome, adjusted False and True: outcome, unit, horizon_days, adjusted, arm_cases, base_cases, history_mean, cv,
    design_effect, correlation, detectable (relative), detectable_amount (in the outcome's unit), margin, accounts_needed (in the whole test,
    rounded up), enough (detectable <= margin), note.
    """
    rows = []
    for row in planned.to_dict("records"):
        effect = max(float(row["design_effect"]), treated_effect) if row["design_effect"] == row["design_effect"] else np.nan
        for adjusted in (False, True):
            rho = float(row["correlation"]) if adjusted else 0.0
            how = {"unit": row["unit"], "power": power, "level": level, "design_effect": effect * inflation, "correlation": rho}
            found = float(relative_mde(row["cv"], cases * share, cases * base_share, **how))
            needed = float(cases_for(row["cv"], margin, share=share, base_share=base_share, **how))
            rows.append(
                {
                    **{key: row[key] for key in KEYS},
                    "adjusted": adjusted,
                    "arm_cases": float(np.floor(cases * share)),
                    "base_cases": float(np.floor(cases * base_share)),
                    "history_mean": row["value"],
                    "cv": row["cv"],
                    "design_effect": effect,
                    "correlation": rho,
                    "detectable": found,
                    "detectable_amount": found * abs(row["value"]),
                    "margin": margin,
                    "accounts_needed": float(np.ceil(needed)),
                    "margin_found": bool(found <= margin),
                    "note": row["note"] or (NOT_EVEN_ALL if np.isnan(found) else ""),
                }
            )
    return pd.DataFrame(rows)


def grid(
    planned: pd.DataFrame,
    sizes: Sequence[float],
    *,
    per_month: float,
    share: float,
    base_share: float,
    margin: float,
    at_once: float = 0.0,
    **how: float,
) -> pd.DataFrame:
    """What would tests of other sizes detect, and how long does each take to fill?

    Columns: outcome, unit, horizon_days, cases (in the whole test), enrol_weeks ( `at_once` on the first day, the rest at
    `per_month`; NaN where nobody counts entries), detectable, detectable_adjusted, margin, enough (either is within the margin). `how` goes to `plan_table`.
    """
    parts = []
    for size in sorted(set(sizes)):
        table = plan_table(planned, cases=size, share=share, base_share=base_share, margin=margin, **how)
        plain, adjusted = (table[table["adjusted"] == flag].reset_index(drop=True) for flag in (False, True))
        parts.append(
            plain[[*KEYS, "detectable", "margin"]].assign(
                cases=size,
                enrol_weeks=weeks_to_enrol(size, per_month, at_once=at_once),
                detectable_adjusted=adjusted["detectable"],
                margin_found=plain["margin_found"] | adjusted["margin_found"],
            )
        )
    columns = [*KEYS, "cases", "enrol_weeks", "detectable", "detectable_adjusted", "margin", "margin_found"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return _in_order(pd.concat(parts, ignore_index=True)[columns], planned)


def weeks_to_enrol(cases: float, per_month: float, *, at_once: float = 0.0) -> float:
    """How many weeks until `cases` accounts are in the test, `at_once` of them on its first day, the rest entering at `per_month`?

    0 where the first day gives them all. Undefined (NaN): more are needed and nobody enters, or nobody counted entries.
    """
    rest = cases - at_once
    if rest <= 0:
        return 0.0
    return float(rest / per_month * WEEKS_PER_MONTH) if per_month > 0 else float("nan")


def splits(planned: pd.DataFrame, small_shares: Sequence[float], *, cases: float, margin: float, **how: float) -> pd.DataFrame:
    """What does an unequal split of two arms cost?

    Columns: outcome, unit, horizon_days, small_share, detectable, accounts_needed (in the whole test), times (as many as an equal split
    needs: 1/(4·s·(1-s)) for a small margin, more for a large one), margin. Check: 90/10 needs 2.78 times the accounts of 50/50.
    """

    def of(small: float) -> pd.DataFrame:
        table = plan_table(planned, cases=cases, share=small, base_share=1 - small, margin=margin, **how)
        return table.loc[~table["adjusted"], [*KEYS, "detectable", "accounts_needed", "margin"]].reset_index(drop=True)

    even = of(0.5)["accounts_needed"]
    parts = [of(small).assign(small_share=small) for small in sorted(set(small_shares), reverse=True)]
    found = pd.concat([part.assign(times=part["accounts_needed"] / even) for part in parts], ignore_index=True)
    return _in_order(found[[*KEYS, "small_share", "detectable", "accounts_needed", "times", "margin"]], planned)


def _in_order(table: pd.DataFrame, planned: pd.DataFrame) -> pd.DataFrame:
    """The rows by outcome as planned (the primary one first), else as they are."""
    place = table["outcome"].map({name: number for number, name in enumerate(planned["outcome"])})
    return table.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)
