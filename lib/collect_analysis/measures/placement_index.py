"""Observed over expected with the model of expected recovery: by unit, by stratum, and whether the expectation fits where it is used.

Reads the cells of `placement_expected.expected_cells`; nothing here touches the book.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.measures.placement_expected import FOLDS, Cells
from collect_analysis.methods import rate_model
from collect_analysis.methods.multiplicity import holm
from collect_analysis.methods.profiling import NO_PEER, NOTHING_OBSERVED
from collect_analysis.methods.prognosis import one_thread
from collect_analysis.methods.rate_model import Floats, Rates

TENTHS = 10
# Factors whose pairs are tested: effects that multiply may miss how two of them go together.
PAIRED = 3
UNIT_COLUMNS = (
    "unit_key", "cases", "placed_minor", "coverage", "observed_minor", "expected_minor", "value", "low", "high", "se_log", "note",
)  # fmt: skip
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
    """What the model says: `units` (O/E), `strata` (O/E by level of every factor), `calibration` (of the pool), `tests` of it, `effects`."""

    units: pd.DataFrame
    strata: pd.DataFrame
    calibration: pd.DataFrame
    tests: pd.DataFrame
    effects: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """Cells with the rate read for each (NaN: none), the design of their combinations, and the covariance of each unit's effects."""

    cells: pd.DataFrame
    design: Floats
    names: list[tuple[str, str]]
    covariances: dict[str, Floats]
    unit: float


def expected_recovery(cells: Cells, *, level: float = 0.95) -> Expected:
    """Did a unit collect more or less than others would have of accounts like its own, overall and in every stratum, and can E be trusted?

    Formula: E(u) = Σ over its cells of balance x rate of the model fitted without unit u and without the customers of the cell's fold; index =
    O/E (KPI R5). Variance of O: squared misses of customers around E; of E: the sandwich covariance of the effects; added on the log scale.
    Calibration: the same model fitted on the other folds of all units, each at its own level, so that what is left is the misfit of the
    strata: observed over expected of the pool in every level, in tenths of the expected rate, in the two kinds of allocation and in pairs of
    the first factors. `tests` sums the squared standardised misses of the groups that the model has no effect for (tenths, allocation, pairs;
    chi-squared, Holm over tests), as Hosmer and Lemeshow do.

    Columns: UNIT_COLUMNS, STRATUM_COLUMNS, CALIBRATION_COLUMNS, TEST_COLUMNS; effects: factor, level, effect (rate relative to the first
    level of the factor; the row without factor is the rate of the first levels). coverage = share of the unit's balance whose levels others
    hold too. Undefined (NaN and note): no other unit with payments, or nothing observed.
    Source: indirect standardisation; Hosmer & Lemeshow, Communications in Statistics A9 (1980) 1043.
    """
    if cells.table.empty or not cells.table["sum_y"].sum() > 0:
        columns = (UNIT_COLUMNS, STRATUM_COLUMNS, CALIBRATION_COLUMNS, TEST_COLUMNS, ("factor", "level", "effect"))
        units, strata, calibration, tests, effects = (pd.DataFrame(columns=list(names)) for names in columns)
        return Expected(units=units, strata=strata, calibration=calibration, tests=tests, effects=effects)
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
    table["rate"], covariances = np.nan, {}
    for key in sorted(table["unit_key"].unique()):
        own = (table["unit_key"] == key).to_numpy()
        others = table[~own]
        if not others["sum_y"].sum() > 0:
            continue
        whole = _fit(design, others, unit)
        covariances[str(key)] = _covariance(whole, design, others)
        for fold in range(FOLDS):
            held = own & (table["fold"] == fold).to_numpy()
            seen = others[others["fold"] != fold]
            rates = _fit(design, seen, unit, start=whole) if seen["sum_y"].sum() > 0 else whole
            table.loc[held, "rate"] = rates.of(design)[table.loc[held, "combination"]]
    table["expected"] = table["rate"] * table["sum_x"]
    table["squares"] = _squares(table, table["rate"])
    return _Fitted(cells=table, design=design, names=names, covariances=covariances, unit=unit)


def _summed(table: pd.DataFrame, column: str | Floats, size: int) -> Floats:
    weights = table[column].to_numpy(dtype=float) if isinstance(column, str) else column
    return np.bincount(table["combination"], weights=weights, minlength=size).astype(np.float64)


def _fit(design: Floats, seen: pd.DataFrame, unit: float, *, start: Rates | None = None, exposure: str = "sum_x") -> Rates:
    size = len(design)
    return rate_model.fit_rates(design, _summed(seen, exposure, size), _summed(seen, "sum_y", size), unit=unit, start=start)


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
    return _intervals(pd.DataFrame(rows), level)[list(UNIT_COLUMNS)]


def _by_stratum(fitted: _Fitted, factors: tuple[str, ...], level: float) -> pd.DataFrame:
    rows = [
        {"unit_key": key, "factor": factor, "level": name, **_index(part, fitted, str(key))}
        for factor in factors
        for (key, name), part in fitted.cells.groupby(["unit_key", factor], sort=True)
    ]
    table = _intervals(pd.DataFrame(rows), level)
    # Many strata: each says something only where it still does after all of a unit's are counted.
    table["p_value"] = 2 * stats.norm.sf(np.abs(np.log(table["value"].where(table["value"] > 0)) / table["se_log"]))
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
        "variance_o": np.nan,
        "variance_e": np.nan,
    }
    if key in fitted.covariances:
        slope = fitted.design[part["combination"]].T @ part["expected"].to_numpy()
        row |= {"expected": float(part["expected"].sum()), "variance_o": float(part["squares"].sum())}
        row["variance_e"] = float(slope @ fitted.covariances[key] @ slope)
    return row


def _intervals(table: pd.DataFrame, level: float) -> pd.DataFrame:
    observed, expected = table["observed"].where(table["observed"] > 0), table["expected"].where(table["expected"] > 0)
    table["value"] = table["observed"] / expected
    table["se_log"] = np.sqrt(table["variance_o"] / observed**2 + table["variance_e"] / expected**2)
    z = stats.norm.ppf((1 + level) / 2)
    table["low"], table["high"] = table["value"] * np.exp(-z * table["se_log"]), table["value"] * np.exp(z * table["se_log"])
    table["note"] = np.where(expected.isna(), NO_PEER, np.where(observed.isna(), NOTHING_OBSERVED, ""))
    return table.rename(columns={"observed": "observed_minor", "expected": "expected_minor"})


def _calibrated(fitted: _Fitted, factors: tuple[str, ...], units: pd.DataFrame, level: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Observed over expected of the pool in every group, and the effects of the model on all placements."""
    # Each unit at its own level: what is left is the misfit of the strata, not who is better.
    own_level = fitted.cells["unit_key"].map(dict(zip(units["unit_key"], units["value"], strict=True))).fillna(1.0)
    table = fitted.cells.assign(exposure=fitted.cells["sum_x"] * own_level)
    whole = _fit(fitted.design, table, fitted.unit, exposure="exposure")
    table["rate"] = np.nan
    for fold in range(FOLDS):
        held, seen = table["fold"] == fold, table[table["fold"] != fold]
        rates = _fit(fitted.design, seen, fitted.unit, start=whole, exposure="exposure") if seen["sum_y"].sum() > 0 else whole
        table.loc[held, "rate"] = rates.of(fitted.design)[table.loc[held, "combination"]]
    table["expected"] = table["rate"] * table["exposure"]
    table["squares"] = _squares(table, table["rate"] * own_level)
    ordered = table["rate"].sort_values(kind="stable")
    reached = table.loc[ordered.index, "expected"].cumsum() / table["expected"].sum()
    table["expected_rate"] = np.minimum((reached * TENTHS).astype(int), TENTHS - 1) + 1
    table["expected_rate"] = table["expected_rate"].map("{:02d}".format)
    pairs = {f"{a} & {b}": table[a] + " & " + table[b] for a, b in combinations(factors[:PAIRED], 2)}
    table = table.assign(**pairs)
    parts = [_pool(table, name, level) for name in (*factors, "allocation", "expected_rate", *pairs)]
    effects = pd.DataFrame(fitted.names, columns=["factor", "level"]).assign(effect=np.exp(whole.effects))
    return pd.concat(parts, ignore_index=True)[list(CALIBRATION_COLUMNS)], effects


def _pool(table: pd.DataFrame, factor: str, level: float) -> pd.DataFrame:
    sums = table.groupby(factor, as_index=False)[["accounts", "sum_y", "expected", "squares"]].sum()
    sums = sums.rename(columns={factor: "level", "accounts": "cases", "sum_y": "observed_minor", "expected": "expected_minor"})
    error = np.sqrt(sums["squares"].where(sums["squares"] > 0))
    sums["value"] = sums["observed_minor"] / sums["expected_minor"].where(sums["expected_minor"] > 0)
    half = stats.norm.ppf((1 + level) / 2) * error / sums["expected_minor"]
    sums["low"], sums["high"] = (sums["value"] - half).clip(lower=0), sums["value"] + half
    return sums.assign(factor=factor, z=(sums["observed_minor"] - sums["expected_minor"]) / error)


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
