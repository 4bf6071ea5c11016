"""What a change did that was rolled out branch by branch: difference in differences with staggered starts.

Every function reads a *panel*: one row per unit and period with columns `unit`, `period` (number), `outcome`, `first_treated` (the
period the unit started in; missing = never), where units move together (officers of one branch) `cluster`, and where larger units are
to count more `weight` (above 0, one per unit). Each unit has every period.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Controls = Literal["never_treated", "not_yet_treated"]

MIN_PRE_PERIODS = 3
MIN_CLUSTERS = 6
PRETREND_LEVEL = 0.05
# A joint test of more differences than a tenth of the clusters rejects too often: then the last periods before the start are tested.
_CLUSTERS_PER_DIFFERENCE = 10
_MOST_LEADS = 6
_FEW = f"fewer than {MIN_CLUSTERS} clusters a side: no standard error; judge by a randomisation test"


@dataclass(frozen=True, kw_only=True)
class WaldTest:
    """Are several differences all 0? NaN where their covariance cannot be inverted."""

    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Effects per cohort and period, with what each unit contributes to them.

    `effects` has columns cohort, period, event_time (period - cohort), estimate, standard_error, low, high, treated_units, control_units,
    note. Rows with event_time < 0 are checks, not effects: each compares with the period before. `influence` (units x rows) is each
    unit's part in the error of each row, `cohorts` (units,) its start (inf = never), `clusters` (units,) its cluster's number, `weights`
    (units,) how much it counts.
    """

    effects: pd.DataFrame
    influence: Floats
    cohorts: Floats
    clusters: NDArray[np.intp]
    weights: Floats
    pretrend: WaldTest
    conditions: tuple[Condition, ...]
    level: float


@dataclass(frozen=True)
class Panel:
    """A balanced panel as a matrix of outcomes (units x periods), with each unit's start, cluster and weight."""

    outcome: Floats
    periods: Floats
    starts: Floats
    clusters: NDArray[np.intp]
    weights: Floats


@dataclass(frozen=True)
class Cell:
    """One comparison: the change of `cohort` from period index `base` to `now` against that of the controls."""

    cohort: float
    now: int
    base: int
    treated: Mask
    control: Mask


def read_panel(panel: pd.DataFrame) -> Panel:
    """Turn a panel table into a matrix, or say everything that is wrong with it.

    A start after the last period counts as never. Raises DataError: missing columns, repeated or missing rows, a missing outcome, a unit
    with two starts, two clusters or two weights, a weight not above 0, a start that is no period of the panel.
    """
    absent = [name for name in ("unit", "period", "outcome", "first_treated") if name not in panel.columns]
    if absent or panel.empty:
        wrong = f"no column {', '.join(absent)}" if absent else "no rows"
        raise DataError(f"panel: {wrong}; one row per unit and period is needed.")
    start = panel["first_treated"].astype(float)
    table = panel.assign(first_treated=start.where(start <= panel["period"].max(), np.inf))
    if "cluster" not in table.columns:
        table["cluster"] = table["unit"]
    if "weight" not in table.columns:
        table["weight"] = 1.0
    problems = _panel_problems(table)
    if problems:
        raise DataError(problems)
    units = table.groupby("unit", sort=True)[["first_treated", "cluster", "weight"]].first()
    outcome = table.pivot_table(index="unit", columns="period", values="outcome", aggfunc="first").astype(float)
    clusters = np.unique(units["cluster"].to_numpy(), return_inverse=True)[1]
    starts, weights = (units[name].to_numpy(dtype=float) for name in ("first_treated", "weight"))
    return Panel(outcome.to_numpy(), outcome.columns.to_numpy(dtype=float), starts, clusters, weights)


def group_time_effects(panel: pd.DataFrame, *, controls: Controls = "not_yet_treated", level: float = CONFIDENCE) -> Rollout:
    """What did the change do to each cohort of starters, in each period?

    Formula: ATT(g,t) = mean change of cohort g from its last untreated period g-1 to t, minus the mean change of the controls over the
    same periods (units that never start, or have not started by t). Before the start: change from t-1 to t. No covariates; means are
    weighted where units have weights. SE from the influence function, summed within clusters.
    Population: units untreated in the first period. Undefined (NaN + note): no controls; the SE of a cohort in one cluster, and every
    SE with fewer than six clusters a side; effects (event_time >= 0) where a condition refuses: no controls at all, fewer than two
    clusters a side, no cohort with three periods before its start, or trends that differed before it (joint test below 5 %: of all
    differences before a start, or where clusters are fewer than ten times those, of the last up to six periods before it, all cohorts
    together, F-test).
    Raises DataError as `read_panel`; ParameterError: unknown `controls`.
    Source: Callaway & Sant'Anna, Journal of Econometrics 225 (2021) 200.
    """
    data = untreated_at_first(read_panel(panel))
    cells = list(comparisons(data, controls))
    effects = pd.DataFrame([_effect_row(data, cell) for cell in cells], columns=_EFFECT_COLUMNS)
    influence = np.column_stack([np.zeros((len(data.starts), 0)), *(_influence(data, cell) for cell in cells)])
    sides = _clusters_a_side(data, cells)
    if min(sides) < MIN_CLUSTERS:
        influence = np.full_like(influence, np.nan)
        effects["note"] = effects["note"].where(effects["note"] != "", _FEW)
    pretrend = _pretrend(effects, influence, data)
    conditions = _conditions(data, sides, pretrend, already_treated=panel["unit"].nunique() - len(data.starts))
    unmet = refused(conditions)
    if unmet:
        effect = effects["event_time"].to_numpy() >= 0
        effects["estimate"] = effects["estimate"].mask(effect)
        effects["note"] = effects["note"].mask(effect, f"not answerable: {', '.join(item.name for item in unmet)}")
        influence[:, effect] = np.nan
    error = np.sqrt((by_cluster(influence, data.clusters) ** 2).sum(axis=0))
    half = stats.norm.ppf((1 + level) / 2) * error
    effects = effects.assign(standard_error=error, low=effects["estimate"] - half, high=effects["estimate"] + half)
    return Rollout(
        effects=effects[[*_EFFECT_COLUMNS[:4], "standard_error", "low", "high", *_EFFECT_COLUMNS[4:]]],
        influence=influence,
        cohorts=data.starts,
        clusters=data.clusters,
        weights=data.weights,
        pretrend=pretrend,
        conditions=conditions,
        level=level,
    )


def untreated_at_first(panel: Panel) -> Panel:
    """The units that were seen before they started: without a period before the start there is no change to compare."""
    kept = panel.starts > panel.periods[0]
    return Panel(panel.outcome[kept], panel.periods, panel.starts[kept], panel.clusters[kept], panel.weights[kept])


def comparisons(panel: Panel, controls: Controls) -> Iterator[Cell]:
    """Each cohort in each period but the first, with the units that serve as its controls then."""
    if controls not in ("never_treated", "not_yet_treated"):
        raise ParameterError(f"unknown controls '{controls}'; choose never_treated or not_yet_treated.")
    for cohort in np.unique(panel.starts[np.isfinite(panel.starts)]):
        treated = panel.starts == cohort
        before = int(np.searchsorted(panel.periods, cohort)) - 1
        for now in range(1, len(panel.periods)):
            untreated = panel.starts > panel.periods[now] if controls == "not_yet_treated" else np.isinf(panel.starts)
            yield Cell(float(cohort), now, min(before, now - 1), treated, untreated & ~treated)


def cell_estimate(panel: Panel, cell: Cell) -> float:
    """Difference in differences of one comparison; NaN without controls."""
    if not cell.control.any():
        return float("nan")
    change = panel.outcome[:, cell.now] - panel.outcome[:, cell.base]
    return _mean(panel, change, cell.treated) - _mean(panel, change, cell.control)


def _mean(panel: Panel, values: Floats, side: Mask) -> float:
    """Mean of one side, each unit with its weight."""
    return float(np.average(values[side], weights=panel.weights[side]))


def by_cluster(influence: Floats, clusters: NDArray[np.intp]) -> Floats:
    """Parts of units summed within clusters; the variance of an estimate is the sum of their squares."""
    sums = np.zeros((int(clusters.max(initial=-1)) + 1, influence.shape[1]))
    np.add.at(sums, clusters, influence)
    return sums


_EFFECT_COLUMNS = ["cohort", "period", "event_time", "estimate", "treated_units", "control_units", "note"]


def _effect_row(panel: Panel, cell: Cell) -> tuple[float, float, float, float, int, int, str]:
    period = float(panel.periods[cell.now])
    note = "no unit is untreated in this period" if not cell.control.any() else ""
    if not note and not _spread_known(panel, cell):
        note = "all units of the cohort or of its controls are one cluster: no standard error"
    counts = int(cell.treated.sum()), int(cell.control.sum())
    return cell.cohort, period, period - cell.cohort, cell_estimate(panel, cell), *counts, note


def _spread_known(panel: Panel, cell: Cell) -> bool:
    return all(len(np.unique(panel.clusters[side])) > 1 for side in (cell.treated, cell.control))


def _influence(panel: Panel, cell: Cell) -> Floats:
    """Part of each unit in the error of one comparison."""
    if not cell.control.any() or not _spread_known(panel, cell):
        return np.full(len(panel.starts), np.nan)
    change = panel.outcome[:, cell.now] - panel.outcome[:, cell.base]
    parts = []
    for side in (cell.treated, cell.control):
        weights = side * panel.weights
        parts.append(weights * (change - _mean(panel, change, side)) / weights.sum())
    return parts[0] - parts[1]


def _pretrend(effects: pd.DataFrame, influence: Floats, panel: Panel) -> WaldTest:
    """Joint test that every change before a start was that of the controls."""
    checks = ((effects["event_time"] < 0) & effects["estimate"].notna()).to_numpy()
    estimate, parts = effects["estimate"].to_numpy()[checks], by_cluster(influence[:, checks], panel.clusters)
    clusters, freedom = len(parts), int(checks.sum())
    if freedom * _CLUSTERS_PER_DIFFERENCE > clusters:
        leads = _leads(effects[checks], panel, most=min(_MOST_LEADS, clusters // 6))
        estimate, parts, freedom = leads @ estimate, parts @ leads.T, len(leads)
    covariance = parts.T @ parts
    if not freedom or np.isnan(covariance).any() or np.linalg.matrix_rank(covariance) < freedom:
        return WaldTest(statistic=float("nan"), degrees_of_freedom=freedom, p_value=float("nan"))
    statistic = float(estimate @ np.linalg.solve(covariance, estimate))
    if freedom == int(checks.sum()):
        return WaldTest(statistic=statistic, degrees_of_freedom=freedom, p_value=float(stats.chi2.sf(statistic, freedom)))
    # Few clusters: Hotelling's test, which knows that the covariance is itself estimated, around the means of each cohort.
    known = clusters - len(np.unique(panel.starts))
    ratio = statistic * (known / clusters) * (known - freedom + 1) / (known * freedom)
    p_value = float(stats.f.sf(ratio, freedom, known - freedom + 1)) if known >= freedom else float("nan")
    return WaldTest(statistic=statistic, degrees_of_freedom=freedom, p_value=p_value)


def _leads(checks: pd.DataFrame, panel: Panel, *, most: int) -> Floats:
    """Weights that make the last periods before a start, all cohorts together, out of single differences (leads x differences)."""
    times = np.unique(checks["event_time"].to_numpy())[::-1][:most]
    sizes = np.array([panel.weights[panel.starts == cohort].sum() for cohort in checks["cohort"]])
    rows = [np.where(checks["event_time"].to_numpy() == time, sizes, 0.0) for time in times]
    return np.array([row / row.sum() for row in rows]).reshape(len(times), len(checks))


def _clusters_a_side(panel: Panel, cells: list[Cell]) -> tuple[int, int]:
    """Clusters that start, and clusters that serve as controls after some start."""
    control = np.zeros(len(panel.starts), dtype=bool)
    for cell in cells:
        if panel.periods[cell.now] >= cell.cohort:
            control |= cell.control
    return len(np.unique(panel.clusters[np.isfinite(panel.starts)])), len(np.unique(panel.clusters[control]))


def _conditions(panel: Panel, sides: tuple[int, int], pretrend: WaldTest, *, already_treated: int) -> tuple[Condition, ...]:
    treated, control = sides
    cohorts = np.unique(panel.starts[np.isfinite(panel.starts)])
    before = [int((panel.periods < cohort).sum()) for cohort in cohorts]
    short = [count for count in before if count < MIN_PRE_PERIODS]
    sides_known = {"treated": treated, "control": control, "least": MIN_CLUSTERS}
    both = Condition(name="both_sides", met=treated >= 2 and control >= 2, details=sides_known)
    if not both.met:
        return (both,)
    return (
        both,
        Condition(name="clusters_enough", met=min(sides) >= MIN_CLUSTERS, consequence="downgrade", details=sides_known),
        Condition(
            name="periods_before",
            met=not short,
            consequence="refuse" if len(short) == len(cohorts) else "downgrade",
            details={"short": len(short), "cohorts": len(cohorts), "fewest": min(before, default=0), "least": MIN_PRE_PERIODS},
        ),
        _same_trend(pretrend),
        Condition(name="seen_before", met=not already_treated, consequence="note", details={"units": already_treated}),
    )


def _same_trend(pretrend: WaldTest) -> Condition:
    tested = bool(np.isfinite(pretrend.p_value))
    details = {"p_value": pretrend.p_value, "differences": pretrend.degrees_of_freedom}
    if not tested:
        return Condition(name="trend_tested", met=False, consequence="downgrade", details=details)
    return Condition(name="same_trend", met=pretrend.p_value >= PRETREND_LEVEL, details=details)


def _panel_problems(table: pd.DataFrame) -> list[str]:
    """Everything that keeps the table from being a balanced panel, a sentence each."""
    periods, units = table["period"].nunique(), table["unit"].nunique()
    finite = table["first_treated"].replace(np.inf, np.nan).dropna()
    rules: list[tuple[pd.Series, str, str]] = [
        (table[["unit", "period"]].isna().any(axis=1), "have no unit or no period", "Fill both."),
        (table.duplicated(["unit", "period"]), "repeat a unit and period", "Sum them to one row first."),
        (~table["outcome"].astype(float).abs().lt(np.inf), "have no outcome", "Leave out units with gaps, or fill what is truly 0."),
        (~(table["weight"].astype(float) > 0), "have a weight that is not above 0", "Leave out units without cases."),
        (table["first_treated"].isin(finite[~finite.isin(table["period"])]), "start in a period the panel lacks", "Give a period of it."),
    ]
    problems = [
        f"panel: {int(wrong.sum())} of {len(table)} rows {what} (first: unit {table.loc[wrong, 'unit'].iloc[0]}). {fix}"
        for wrong, what, fix in rules
        if wrong.any()
    ]
    for name in ("first_treated", "cluster", "weight"):
        values = table.groupby("unit")[name].nunique(dropna=False)
        several = values.index[values > 1]
        if len(several):
            problems.append(f"panel: {len(several)} of {units} units have several {name} (first: {several[0]}). Keep one.")
    counts = table.groupby("unit")["period"].nunique()
    if (counts < periods).any():
        first = counts.index[counts < periods][0]
        problems.append(
            f"panel: {int((counts < periods).sum())} of {units} units lack a period (first: {first}, {counts[first]} of {periods}). "
            "Leave out units with gaps, or add the rows that are truly 0."
        )
    return problems
