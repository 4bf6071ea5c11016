"""Observed over expected with the model of expected recovery: by unit, by stratum, and whether the expectation fits where it is used.

Reads the cells of `placement_expected.expected_cells`; nothing here touches the book.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.agencies.agency_evaluation.measures_expected import FOLDS, Cells
from collect_analysis.methods.profiling import rate_model
from collect_analysis.methods.profiling.profiling import NO_PEER, NOTHING_OBSERVED, counted
from collect_analysis.methods.profiling.prognosis import one_thread
from collect_analysis.methods.profiling.rate_model import Floats, Rates
from collect_analysis.methods.rates.count_ratios import ratio_p_value, scores
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import holm

TENTHS = 10
# Factors whose pairs are tested: effects that multiply may miss how two of them go together.
PAIRED = 3
UNIT_COLUMNS = (
    "unit_key", "cases", "placed_minor", "coverage", "observed_minor", "expected_minor", "value", "low", "high", "se_log", "fit", "fit_low",
    "fit_high", "fit_share", "fit_p_value", "fit_p_adjusted", "note",
)  # fmt: skip
FIT_COLUMNS = ("unit_key", "stratum", "cases", "observed_minor", "expected_minor", "own_share", "value", "low", "high")
STRATUM_COLUMNS = (
    "unit_key", "factor", "level", "cases", "observed_minor", "expected_minor", "value", "low", "high", "p_value", "note",
)  # fmt: skip
CALIBRATION_COLUMNS = ("factor", "level", "cases", "observed_minor", "expected_minor", "value", "low", "high", "z")
TEST_COLUMNS = (
    "factor", "groups", "chi2", "df", "p_value", "p_adjusted", "worst_level", "cases", "observed_minor", "expected_minor", "value", "low",
    "high",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the model says: `units` (O/E), `strata` (O/E by level of every factor), `calibration` (of the pool), `tests` of it, `fit` (of the
    expectation of each unit in the strata it holds), `effects`.
    """

    units: pd.DataFrame
    strata: pd.DataFrame
    calibration: pd.DataFrame
    tests: pd.DataFrame
    fit: pd.DataFrame
    effects: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """Cells with the rate read for each (NaN: none), the design of their combinations, the covariance of each unit's effects, and how the
    others did in its strata (FIT_COLUMNS).
    """

    cells: pd.DataFrame
    design: Floats
    names: list[tuple[str, str]]
    covariances: dict[str, Floats]
    fit: pd.DataFrame
    unit: float


def expected_recovery(cells: Cells, *, level: float = CONFIDENCE) -> Expected:
    """Did a unit collect more or less than others would have of accounts like its own, overall and in every stratum, and can E be trusted?

    Formula: E(u) = Σ over its cells of balance x rate of the model fitted without unit u and without the customers of the cell's fold; index =
    O/E (KPI R5). Variance of O: squared misses of customers around E; of E: the sandwich covariance of the effects; added on the log scale.
    Calibration: the same model fitted on the other folds of all units, each at its own level, so that what is left is the misfit of the
    strata: observed over expected of the pool in every level, in tenths of the expected rate, in the two kinds of allocation, in placement
    strata and in pairs of the first factors. `tests` sums the squared standardised misses of the groups that the model has no effect for
    (tenths, allocation, placement strata, pairs; chi-squared, Holm over tests), as Hosmer and Lemeshow do.

    Of each unit (`fit`): what the other units collected in its strata over what the same model, fitted without it, expects of them, each of
    them at its own level, strata weighted by what was expected of the unit. Where that is not 1, the expectation is wrong for what the unit
    holds, and so is its index, however well the pool fits: the misfit of strata that one unit holds looks like its own level. fit_p_adjusted
    is Holm's over units; fit_share is the share of what is expected of the unit that lies in strata of which others hold something.

    Columns: UNIT_COLUMNS, STRATUM_COLUMNS, CALIBRATION_COLUMNS, TEST_COLUMNS, FIT_COLUMNS; effects: factor, level, effect (rate relative to the first
    level of the factor; the row without factor is the rate of the first levels). coverage = share of the unit's balance whose levels others
    hold too. Undefined (NaN and note): no other unit with payments, or nothing observed.
    Source: indirect standardisation; Hosmer & Lemeshow, Communications in Statistics A9 (1980) 1043.
    """
    if cells.table.empty or not cells.table["sum_y"].sum() > 0:
        columns = (UNIT_COLUMNS, STRATUM_COLUMNS, CALIBRATION_COLUMNS, TEST_COLUMNS, FIT_COLUMNS, ("factor", "level", "effect"))
        units, strata, calibration, tests, fit, effects = (pd.DataFrame(columns=list(names)) for names in columns)
        return Expected(units=units, strata=strata, calibration=calibration, tests=tests, fit=fit, effects=effects)
    with one_thread():
        fitted = _fitted(cells)
        units = _by_unit(fitted, cells.factors, level)
        calibration, effects = _calibrated(fitted, cells.factors, units, level)
        strata = _by_stratum(fitted, cells.factors, level)
    return Expected(
        units=units,
        strata=strata,
        calibration=calibration,
        tests=_tests(calibration, cells.factors),
        fit=fitted.fit[list(FIT_COLUMNS)],
        effects=effects,
    )


def _fitted(cells: Cells) -> _Fitted:
    table = cells.table.copy()
    table[["sum_x", "sum_y", "sum_xx", "sum_xy", "sum_yy"]] = table[["sum_x", "sum_y", "sum_xx", "sum_xy", "sum_yy"]].astype(float)
    groups = table.groupby(list(cells.factors), sort=True)
    table["combination"] = groups.ngroup()
    levels = table.drop_duplicates("combination").sort_values("combination")[list(cells.factors)].reset_index(drop=True)
    design, names = rate_model.design_of(levels)
    # A typical payment: cash per customer with cash is not known from sums, the root mean square over the mean is close enough.
    unit = float(table["sum_yy"].sum() / table["sum_y"].sum())
    table["rate"], covariances, fits = np.nan, {}, []
    for key in sorted(table["unit_key"].unique()):
        own = (table["unit_key"] == key).to_numpy()
        others = table[~own]
        if not others["sum_y"].sum() > 0:
            continue
        whole = _fit(design, others, unit)
        covariances[str(key)] = _covariance(whole, design, others)
        rate = np.full(len(table), np.nan)
        for fold in range(FOLDS):
            held, seen = (table["fold"] == fold).to_numpy(), others[others["fold"] != fold]
            rates = _fit(design, seen, unit) if seen["sum_y"].sum() > 0 else whole
            rate[held] = rates.of(design)[table["combination"]][held]
        table.loc[own, "rate"] = rate[own]
        fits.append(_fit_in_strata(table.assign(rate=rate), str(key)))
    table["expected"] = table["rate"] * table["sum_x"]
    table["squares"] = _squares(table, table["rate"])
    fit = pd.concat(fits, ignore_index=True) if fits else pd.DataFrame(columns=[*FIT_COLUMNS, "squares"])
    return _Fitted(cells=table, design=design, names=names, covariances=covariances, fit=fit, unit=unit)


def _fit_in_strata(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """What the other units collected in every stratum that unit `key` holds, over what its own model expects of them at their levels."""
    table = table.assign(expected=table["rate"] * table["sum_x"])
    own, others = table[table["unit_key"] == key], table[table["unit_key"] != key]
    sums = others.groupby("unit_key")[["sum_y", "expected"]].transform("sum")
    level = (sums["sum_y"] / sums["expected"].where(sums["expected"] > 0)).fillna(0.0)
    others = others.assign(expected=others["expected"] * level, squares=_squares(others, others["rate"] * level))
    strata = others.groupby("stratum", as_index=False)[["accounts", "sum_y", "expected", "squares"]].sum()
    held = own.groupby("stratum", as_index=False)["expected"].sum()
    held = held.assign(own_share=held["expected"] / held["expected"].sum()).drop(columns="expected")
    strata = held.merge(strata, on="stratum", how="left", validate="one_to_one").fillna(0.0)
    strata = strata[strata["expected"] > 0]
    known = {"observed": strata["sum_y"], "expected": strata["expected"], "var_observed": strata["squares"], "var_expected": 0.0}
    bounds = counted(pd.DataFrame(known))
    strata = strata.rename(columns={"sum_y": "observed_minor", "expected": "expected_minor", "accounts": "cases"})
    ratio = strata["observed_minor"] / strata["expected_minor"]
    named = strata.assign(unit_key=key, cases=strata["cases"].astype("int64"), value=ratio, low=bounds["low"], high=bounds["high"])
    return named[[*FIT_COLUMNS, "squares"]]


def _summed(table: pd.DataFrame, column: str | Floats, size: int) -> Floats:
    weights = table[column].to_numpy(dtype=float) if isinstance(column, str) else column
    return np.bincount(table["combination"], weights=weights, minlength=size).astype(np.float64)


def _fit(design: Floats, seen: pd.DataFrame, unit: float, *, exposure: str = "sum_x") -> Rates:
    size = len(design)
    return rate_model.fit_rates(design, _summed(seen, exposure, size), _summed(seen, "sum_y", size), unit=unit)


def _squares(table: pd.DataFrame, rate: pd.Series | Floats) -> pd.Series:
    """Sum over a cell's customers of squared misses of the rate."""
    return (table["sum_yy"] - 2 * rate * table["sum_xy"] + rate**2 * table["sum_xx"]).clip(lower=0)


def _covariance(rates: Rates, design: Floats, seen: pd.DataFrame) -> Floats:
    squares = _squares(seen, rates.of(design)[seen["combination"]]).to_numpy()
    size = len(design)
    return rate_model.effect_covariance(rates, design, _summed(seen, "sum_x", size), _summed(seen, squares, size))


def _by_unit(fitted: _Fitted, factors: tuple[str, ...], level: float) -> pd.DataFrame:
    rows = []
    for key, part in fitted.cells.groupby("unit_key", sort=True):
        others = fitted.cells[fitted.cells["unit_key"] != key]
        shared = np.logical_and.reduce([part[name].isin(others[name].unique()).to_numpy() for name in factors])
        coverage = float(part.loc[shared, "sum_x"].sum() / part["sum_x"].sum())
        rows.append({"unit_key": key, "placed_minor": part["sum_x"].sum(), "coverage": coverage, **_index(part, fitted, str(key))})
    table = _intervals(pd.DataFrame(rows), level)
    return table.merge(_fit_of_units(fitted.fit, level), on="unit_key", how="left", validate="one_to_one")[list(UNIT_COLUMNS)]


def _fit_of_units(fit: pd.DataFrame, level: float) -> pd.DataFrame:
    """Of each unit the ratio in its strata, weighted by what was expected of it there, with an interval and a test of 1."""
    weight = fit["own_share"] / fit.groupby("unit_key")["own_share"].transform("sum") / fit["expected_minor"]
    parts = fit[["unit_key", "own_share"]].assign(observed=weight * fit["observed_minor"], var_observed=weight**2 * fit["squares"])
    sums = parts.groupby("unit_key", as_index=False).sum().assign(expected=1.0, var_expected=0.0)
    table = counted(sums, level=level).rename(columns={"observed": "fit", "low": "fit_low", "high": "fit_high", "own_share": "fit_share"})
    table["fit_p_value"] = ratio_p_value(table["observed_count"], table["expected_count"])
    table["fit_p_adjusted"] = holm(table["fit_p_value"])
    return table[["unit_key", "fit", "fit_low", "fit_high", "fit_share", "fit_p_value", "fit_p_adjusted"]]


def _by_stratum(fitted: _Fitted, factors: tuple[str, ...], level: float) -> pd.DataFrame:
    rows = [
        {"unit_key": key, "factor": factor, "level": name, **_index(part, fitted, str(key))}
        for factor in factors
        for (key, name), part in fitted.cells.groupby(["unit_key", factor], sort=True)
    ]
    table = _intervals(pd.DataFrame(rows), level)
    # Many strata: each says something only where it still does after all of a unit's are counted.
    table["p_value"] = ratio_p_value(table["observed_count"], table["expected_count"], size=table["expected_size"])
    table["p_value"] = table.groupby("unit_key")["p_value"].transform(holm)
    order = {name: place for place, name in enumerate(factors)}
    table["place"] = table["factor"].map(order)
    return table.sort_values(["unit_key", "place", "level"], ignore_index=True)[list(STRATUM_COLUMNS)]


def _index(part: pd.DataFrame, fitted: _Fitted, key: str) -> dict[str, float]:
    """Observed and expected of some cells of one unit, and the variances of both."""
    row = {
        "cases": int(part["accounts"].sum()),
        "observed": float(part["sum_y"].sum()),
        "expected": np.nan,
        "var_observed": np.nan,
        "var_expected": np.nan,
    }
    if key in fitted.covariances:
        slope = fitted.design[part["combination"]].T @ part["expected"].to_numpy()
        row |= {"expected": float(part["expected"].sum()), "var_observed": float(part["squares"].sum())}
        row["var_expected"] = float(slope @ fitted.covariances[key] @ slope)
    return row


def _intervals(table: pd.DataFrame, level: float) -> pd.DataFrame:
    observed, expected = table["observed"].where(table["observed"] > 0), table["expected"].where(table["expected"] > 0)
    table["value"] = table["observed"] / expected
    table["se_log"] = np.sqrt(table["var_observed"] / observed**2 + table["var_expected"] / expected**2)
    table["note"] = np.where(expected.isna(), NO_PEER, np.where(observed.isna(), NOTHING_OBSERVED, ""))
    return counted(table, level=level).rename(columns={"observed": "observed_minor", "expected": "expected_minor"})


def _calibrated(fitted: _Fitted, factors: tuple[str, ...], units: pd.DataFrame, level: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Observed over expected of the pool in every group, and the effects of the model on all placements."""
    # Each unit at its own level: what is left is the misfit of the strata, not who is better.
    own_level = fitted.cells["unit_key"].map(dict(zip(units["unit_key"], units["value"], strict=True))).fillna(1.0)
    table = fitted.cells.assign(exposure=fitted.cells["sum_x"] * own_level)
    whole = _fit(fitted.design, table, fitted.unit, exposure="exposure")
    table["rate"] = np.nan
    for fold in range(FOLDS):
        held, seen = table["fold"] == fold, table[table["fold"] != fold]
        rates = _fit(fitted.design, seen, fitted.unit, exposure="exposure") if seen["sum_y"].sum() > 0 else whole
        table.loc[held, "rate"] = rates.of(fitted.design)[table.loc[held, "combination"]]
    table["expected"] = table["rate"] * table["exposure"]
    table["squares"] = _squares(table, table["rate"] * own_level)
    ordered = table["rate"].sort_values(kind="stable")
    reached = table.loc[ordered.index, "expected"].cumsum() / table["expected"].sum()
    table["expected_rate"] = np.minimum((reached * TENTHS).astype(int), TENTHS - 1) + 1
    table["expected_rate"] = table["expected_rate"].map("{:02d}".format)
    pairs = {f"{a} & {b}": table[a] + " & " + table[b] for a, b in combinations(factors[:PAIRED], 2)}
    table = table.assign(**pairs)
    parts = [_pool(table, name, level) for name in (*factors, "allocation", "expected_rate", "stratum", *pairs)]
    effects = pd.DataFrame(fitted.names, columns=["factor", "level"]).assign(effect=np.exp(whole.effects))
    return pd.concat(parts, ignore_index=True)[list(CALIBRATION_COLUMNS)], effects


def _pool(table: pd.DataFrame, factor: str, level: float) -> pd.DataFrame:
    sums = table.groupby(factor, as_index=False)[["accounts", "sum_y", "expected", "squares"]].sum()
    sums = sums.rename(columns={factor: "level", "accounts": "cases", "sum_y": "observed_minor", "expected": "expected_minor"})
    sums["value"] = sums["observed_minor"] / sums["expected_minor"].where(sums["expected_minor"] > 0)
    known = {"observed": sums["observed_minor"], "expected": sums["expected_minor"], "var_observed": sums["squares"], "var_expected": 0.0}
    bounds = counted(pd.DataFrame(known), level=level)
    return sums.assign(factor=factor, low=bounds["low"], high=bounds["high"], z=scores(bounds["observed_count"], bounds["expected_count"]))


def _tests(calibration: pd.DataFrame, factors: tuple[str, ...]) -> pd.DataFrame:
    """One test per grouping that the model has no effect for; the group furthest out is named."""
    levels = calibration[calibration["factor"].isin(factors)].groupby("factor")["level"].nunique()
    rows = []
    # In the levels of its own factors a fitted model agrees with what it was fitted on; only other groups can contradict it.
    for factor, part in calibration[~calibration["factor"].isin(factors)].groupby("factor", sort=False):
        names = str(factor).split(" & ")
        # The model has one effect per level: of a pair it leaves (a - 1)(b - 1) groups free, of other groups all but one.
        free = int(np.prod([levels[name] - 1 for name in names])) if len(names) > 1 else len(part) - 1
        known = part.dropna(subset=["z"])
        if free < 1 or known.empty:
            continue
        chi2, worst = float((known["z"] ** 2).sum()), known.iloc[int(known["z"].abs().argmax())]
        found = {name: worst[name] for name in ("cases", "observed_minor", "expected_minor", "value", "low", "high")}
        p_value = float(stats.chi2.sf(chi2, free))
        rows.append(
            {"factor": factor, "groups": len(part), "chi2": chi2, "df": free, "p_value": p_value, "worst_level": worst["level"], **found}
        )
    table = pd.DataFrame(rows, columns=[name for name in TEST_COLUMNS if name != "p_adjusted"])
    return table.assign(p_adjusted=holm(table["p_value"]) if len(table) else np.nan)[list(TEST_COLUMNS)]
