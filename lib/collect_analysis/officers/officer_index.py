"""Observed over expected of officers and units: pooled over months, shrunken by how little each figure says, with its reliability.

Everything here is relative to colleagues of the same sub-function: expected sums are scaled to what the sub-function got, month by month, so 1
is what colleagues get out of comparable accounts. Amounts of officers are capped, amounts of units are not.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.expected import observed_expected
from collect_analysis.measures.periods import Period, month_end, month_start
from collect_analysis.measures.recovery import targets
from collect_analysis.measures.scopes import UNASSIGNED
from collect_analysis.methods.profiling.reliability import Reliability, intraclass, parts_for, spearman_brown, split_half
from collect_analysis.methods.profiling.shrinkage import NormalUnits, gamma_poisson
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.officers.pooling import Pooling

# Which sums an index is made of: what came in, what was expected, the variance around it.
MONEY, PAYERS, FULL = "money", "payers", "full"
INDICES = {
    MONEY: ("capped_minor", "expected_minor", "variance_minor"),
    PAYERS: ("payers", "expected_payers", "variance_payers"),
    FULL: ("cash_minor", "expected_cash_minor", "variance_cash_minor"),
}
OFFICER_KEYS, UNIT_KEYS = ("officer_key", "unit_key", "sub_function"), ("unit_key", "sub_function")
NOTHING_EXPECTED = "nothing was expected of these accounts"
ALONE = "no colleague in this sub-function to compare with"
# Months since hire at which bands of tenure begin.
TENURE_FROM = (0, 3, 6, 12, 24, 36)
_SUMMED = ("accounts", "opening_minor", *(column for columns in INDICES.values() for column in columns))


def monthly(book: Book, pooling: Pooling, *, factors: Sequence[str], reference_months: int, cap_quantile: float) -> pd.DataFrame:
    """Observed and expected by month, unit and officer (`expected.observed_expected`), scaled within sub-functions.

    Months of the history that the book does not reach are left out; `pooling` then has fewer of them.
    """
    first = pooling.history.start
    opened = book.scalar(book.table("month_end").month_end.min())
    if opened is not None:
        first = min(max(first, month_start(date.fromisoformat(str(opened)[:10]), 1)), pooling.pooled.start)
    return observed_expected(
        book,
        first,
        pooling.last_month,
        factors=factors,
        reference_months=reference_months,
        cap_quantile=cap_quantile,
        calibrate_within=("sub_function",),
    )


def pooled(months: pd.DataFrame, period: Period, *, by: Sequence[str]) -> pd.DataFrame:
    """The sums of the months of a period by officer or unit; `cases` is the mean number of accounts held.

    Columns: by, months (with accounts), cases, opening_minor, the sums of `INDICES`, tenure_months (in the last month; officers only).
    An officer who changed unit within the period has a row per unit.
    """
    inside = months[
        (pd.to_datetime(months["month"]) >= pd.Timestamp(period.start)) & (pd.to_datetime(months["month"]) <= pd.Timestamp(period.end))
    ]
    if "officer_key" in by:
        inside = inside[inside["officer_key"] != UNASSIGNED]
    inside = inside[inside["unit_key"] != UNASSIGNED]
    sums = {name: (name, "sum") for name in _SUMMED}
    table = inside.groupby(list(by), as_index=False).agg(months=("month", "nunique"), tenure_months=("tenure_months", "max"), **sums)
    table["cases"] = np.round(table["accounts"] / table["months"]).astype("int64")
    return table.drop(columns="accounts").sort_values(list(by), ignore_index=True)


def shrunken(table: pd.DataFrame, *, index: str, level: float) -> pd.DataFrame:
    """What is each officer's true index, given how all officers of the sub-function scatter?

    Formula: cash counts as O·E/V events where E²/V were expected (variance of the index = θ·V/E², as of a count): the Gamma-Poisson posterior
    (`methods.shrinkage.gamma_poisson`) of each sub-function. Adds raw (O/E), se (standard error if the true index is 1), value, low, high,
    p_above (probability that it is over 1), note. Undefined (NaN and note): nothing expected; alone in the sub-function.
    """
    got, hoped, variance = INDICES[index]
    parts = []
    for _, group in table.groupby("sub_function", sort=True):
        part = group.assign(value=np.nan, low=np.nan, high=np.nan, p_above=np.nan, between=np.nan, note="")
        known = (part[hoped] > 0) & (part[variance] > 0)
        part["raw"] = part[got] / part[hoped].where(known)
        part["se"] = np.sqrt(part[variance]) / part[hoped].where(known)
        if known.sum() >= 2:
            o, e, v = (part.loc[known, name].to_numpy(dtype=float) for name in (got, hoped, variance))
            fit = gamma_poisson(o * e / v, e**2 / v, level=level)
            part.loc[known, fit.table.columns] = fit.table.to_numpy()
            part["between"] = fit.variance
        part["note"] = np.where(~known, NOTHING_EXPECTED, "" if known.sum() >= 2 else ALONE)
        parts.append(part)
    return (
        pd.concat(parts).sort_index() if parts else table.assign(value=[], low=[], high=[], p_above=[], between=[], note=[], raw=[], se=[])
    )


def believed_units(table: pd.DataFrame, *, level: float, prior_sd: float) -> pd.DataFrame:
    """What is each unit's true index among the units of its sub-function?

    Log indices with relative errors sqrt(V)/E, shrunk towards their centre (`methods.shrinkage.NormalUnits`: few units, so the spread between
    them is averaged over, not fixed). Adds raw, se, value, low, high, p_above (over 1), reliability (share of the scatter that lies between
    units: τ² / (τ² + mean s²)), note. Undefined (NaN and note): nothing expected or collected; no other unit in the sub-function.
    """
    got, hoped, variance = INDICES[FULL]
    parts = []
    for _, group in table.groupby("sub_function", sort=True):
        part = group.assign(value=np.nan, low=np.nan, high=np.nan, p_above=np.nan, reliability=np.nan)
        known = (part[hoped] > 0) & (part[got] > 0) & (part[variance] > 0)
        part["raw"] = part[got] / part[hoped].where(part[hoped] > 0)
        part["se"] = np.sqrt(part[variance]) / part[hoped].where(known)
        if known.sum() >= 2:
            units = NormalUnits(np.log(part.loc[known, "raw"]), part.loc[known, "se"], prior_sd=prior_sd)
            posterior = units.table(level=level)
            part.loc[known, ["value", "low", "high"]] = np.exp(posterior[["value", "low", "high"]].to_numpy())
            part.loc[known, "p_above"] = posterior["p_above"].to_numpy()
            noise = float((part.loc[known, "se"] ** 2).mean())
            part.loc[known, "reliability"] = units.between_sd**2 / (units.between_sd**2 + noise)
        part["note"] = np.where(~known, NOTHING_EXPECTED, "" if known.sum() >= 2 else ALONE)
        parts.append(part)
    return pd.concat(parts).sort_index()


def reliability_table(
    months: pd.DataFrame, others: pd.DataFrame, pooling: Pooling, *, wanted: float, least_cases: int, level: float = CONFIDENCE
) -> pd.DataFrame:
    """How far does each KPI of one month, and of the months pooled, tell something lasting of an officer?

    Of every sub-function and KPI: the money and payer index, the raw rate (cash over balance), and the ratios of `others` (month, officer_key,
    sub_function, kpi, numerator, denominator). One month: ICC over months, what lifts a month for all taken away (`reliability.intraclass`);
    pooled: stepped up by Spearman-Brown; split_half: odd against even months, stepped to the pooled months. Officer-months with fewer than
    `least_cases` in the denominator (accounts, attempts, promises) are left out. Columns: kpi, sub_function, officers, months (mean per
    officer), value, low, high (one month), pooled, split_half, months_needed (months of pooling for `wanted`), reliable (pooled is at least
    `wanted`), note. Sorted. Undefined (NaN and note): too few officers or no spread; months_needed where no number of months would do.
    """
    held = months[(months["officer_key"] != UNASSIGNED) & (months["accounts"] >= least_cases)]
    own = [
        held.assign(kpi=kpi, numerator=held[top], denominator=held[bottom])
        for kpi, top, bottom in (
            ("index_money", "capped_minor", "expected_minor"),
            ("index_payers", "payers", "expected_payers"),
            ("raw_rate", "cash_minor", "opening_minor"),
        )
    ]
    columns = ["month", "officer_key", "sub_function", "kpi", "numerator", "denominator"]
    told = others[others["denominator"] >= least_cases] if len(others) else others
    ratios = pd.concat([part[columns] for part in (*own, told) if len(part)], ignore_index=True)
    rows = [
        {"kpi": kpi, "sub_function": sub_function, **_reliable(part, pooling, wanted=wanted, level=level)}
        for (kpi, sub_function), part in ratios.groupby(["kpi", "sub_function"], sort=True)
    ]
    return pd.DataFrame(rows)


def _reliable(part: pd.DataFrame, pooling: Pooling, *, wanted: float, level: float) -> dict[str, object]:
    sums = part.groupby(["officer_key", "month"])[["numerator", "denominator"]].sum()
    ratio = (sums["numerator"] / sums["denominator"].where(sums["denominator"] > 0)).unstack("month")  # noqa: PD010 - keys are unique
    found: Reliability = intraclass(ratio, level=level)
    order = {month: place for place, month in enumerate(sorted(part["month"].unique()))}
    halves = [
        part[part["month"].map(order) % 2 == parity].groupby("officer_key")[["numerator", "denominator"]].sum().astype(float)
        for parity in (0, 1)
    ]
    rates = [half["numerator"] / half["denominator"].where(half["denominator"] > 0) for half in halves]
    keys = rates[0].index.union(rates[1].index)
    split = split_half(*(rate.reindex(keys) for rate in rates), level=level)
    pooled_value = float(spearman_brown(found.value, pooling.pool_months))
    return {
        "officers": found.subjects,
        "months": found.occasions,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "pooled": pooled_value,
        "split_half": float(spearman_brown(split.value, pooling.pool_months / max(len(order), 1))),
        "months_needed": float(parts_for(found.value, wanted=wanted)),
        "reliable": bool(pooled_value >= wanted),
        "note": found.note,
    }


def tenure_curve(months: pd.DataFrame, *, least_officers: int) -> pd.DataFrame:
    """What do joiners of so many months get out of comparable accounts, against all colleagues?

    Index of money by band of months since hire, over all officer-months of the history. Columns: tenure_from (months), tenure_to (NaN: no end),
    cases (officers), officer_months, value (O/E), low, high (95 %), note. A band with fewer than `least_officers` has no value: it says more of
    these few than of joiners. Those who left before are in the months they worked. Empty where no month of hire is known.
    """
    known = months[(months["officer_key"] != UNASSIGNED) & months["tenure_months"].notna() & (months["tenure_months"] >= 0)]
    edges = [*TENURE_FROM, np.inf]
    band = np.digitize(known["tenure_months"], TENURE_FROM) - 1
    rows = []
    for place, part in known.groupby(band):
        got, hoped, variance = (float(part[name].sum()) for name in INDICES[MONEY])
        officers = part["officer_key"].nunique()
        few = officers < least_officers or hoped <= 0
        value, half = (np.nan, np.nan) if few else (got / hoped, 1.96 * np.sqrt(variance) / hoped)
        end = edges[int(str(place)) + 1]
        rows.append(
            {"tenure_from": edges[int(str(place))], "tenure_to": end if np.isfinite(end) else np.nan, "cases": officers,
             "officer_months": len(part), "value": value, "low": value - half, "high": value + half,
             "note": f"fewer than {least_officers} officers" if few else ""}
        )  # fmt: skip
    columns = ["tenure_from", "tenure_to", "cases", "officer_months", "value", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns)


def tenure_expected(tenure_months: pd.Series, curve: pd.DataFrame) -> pd.Series:
    """The index of comparable tenure for each officer; NaN where tenure or the band's value is unknown."""
    place = np.digitize(tenure_months.fillna(-1), TENURE_FROM) - 1
    of_band = dict(zip(curve["tenure_from"], curve["value"], strict=True))
    return pd.Series(
        [of_band.get(TENURE_FROM[item], np.nan) if item >= 0 else np.nan for item in place], index=tenure_months.index, dtype=float
    )


def pooled_targets(book: Book, period: Period, *, grain: str) -> pd.DataFrame:
    """The money targets (R1) of the months of a period, added up; only of scopes that have one in every month. Columns: scope_key, target_minor."""
    if not book.has("target"):
        return pd.DataFrame({"scope_key": pd.Series(dtype=object), "target_minor": pd.Series(dtype=float)})
    firsts = [month_start(period.start, place) for place in range(period.months)]
    signed = pd.concat([targets(book, Period(first, month_end(first)), grains=(grain,)) for first in firsts], ignore_index=True)
    table = (
        signed[signed["kpi"] == "R1"].groupby("scope_key", as_index=False).agg(months=("target", "size"), target_minor=("target", "sum"))
    )
    return table.loc[table["months"] == period.months, ["scope_key", "target_minor"]].reset_index(drop=True)
