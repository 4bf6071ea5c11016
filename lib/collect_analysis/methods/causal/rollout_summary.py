"""The effects of a staggered roll-out taken together: overall, by time since the start, by cohort, by period."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.causal.rollout import Rollout, by_cluster

Floats = NDArray[np.float64]
Summary = Literal["simple", "event_time", "cohort", "period"]

# Two-point weights with mean 0, variance 1 and third moment 1: Mammen, Annals of Statistics 21 (1993) 255.
_MAMMEN_LOW, _MAMMEN_HIGH = (1 - np.sqrt(5)) / 2, (1 + np.sqrt(5)) / 2
_MAMMEN_LOW_SHARE = (np.sqrt(5) + 1) / (2 * np.sqrt(5))
# Weights drawn at a time, so that a hundred thousand units need no more memory than a hundred.
_DRAWN_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class _Row:
    summary: str
    at: float
    estimate: float
    influence: Floats
    note: str = ""


def summarise(rollout: Rollout, *, by: Summary, rng: np.random.Generator, draws: int = 999) -> pd.DataFrame:
    """What did the change do on the whole, by time since the start, by cohort, or by calendar period?

    Formula: `event_time` and `period` rows and `simple` weight ATT(g,t) by the size of the cohort (weights of its units); a `cohort` row
    is the plain mean over its treated periods. The overall row is the mean of the rows with event time >= 0, the mean of the periods, the mean of the cohorts
    weighted by size, or (`simple`) all treated cells weighted by size. SE from the influence function, the estimated weights included;
    `bootstrap_error` (interquartile range / 1.349) and the simultaneous band from a multiplier bootstrap over clusters.
    Columns: summary (event_time | cohort | period | overall), at (its value; NaN overall), estimate, standard_error, p_value, bootstrap_error, low,
    high (this row alone), band_low, band_high (all rows of this table but the overall one at once), note.
    Undefined (NaN + note): a row of undefined cells; cells without controls are left out and counted in the note.
    Raises ParameterError: unknown `by`; DataError: no cohort starts within the panel. Source: Callaway & Sant'Anna (2021) sections 3 and 4.
    """
    if by not in ("simple", "event_time", "cohort", "period"):
        raise ParameterError(f"unknown summary '{by}'; choose one of simple, event_time, cohort, period.")
    if rollout.effects.empty:
        raise DataError("panel: no unit starts after the first period; there is no effect to summarise.")
    rows = [] if by == "simple" else _rows(rollout, by)
    overall = _overall(rollout, by, rows)
    parts = by_cluster(np.column_stack([row.influence for row in (*rows, overall)]), rollout.clusters)
    errors = np.sqrt((parts**2).sum(axis=0))
    drawn = _bootstrap(parts, rng=rng, draws=draws)
    together, alone = _critical(drawn[:, :-1], errors[:-1], rollout.level), _critical(drawn[:, -1:], errors[-1:], rollout.level)
    critical = np.append(np.full(len(rows), together), alone)
    table = pd.DataFrame(
        [(row.summary, row.at, row.estimate, row.note) for row in (*rows, overall)], columns=["summary", "at", "estimate", "note"]
    )
    table["standard_error"] = errors
    with np.errstate(divide="ignore", invalid="ignore"):
        table["p_value"] = 2 * stats.norm.sf(np.abs(table["estimate"] / errors))
    table["bootstrap_error"] = np.subtract(*np.quantile(drawn, [0.75, 0.25], axis=0)) / (2 * stats.norm.ppf(0.75))
    half = stats.norm.ppf((1 + rollout.level) / 2) * errors
    table["low"], table["high"] = table["estimate"] - half, table["estimate"] + half
    table["band_low"], table["band_high"] = table["estimate"] - critical * errors, table["estimate"] + critical * errors
    order = ["summary", "at", "estimate", "standard_error", "p_value", "bootstrap_error", "low", "high", "band_low", "band_high", "note"]
    return table[order]


def _rows(rollout: Rollout, by: str) -> list[_Row]:
    """One row per event time (those before the start too, as checks), cohort or period."""
    effects = rollout.effects
    after = (effects["event_time"] >= 0).to_numpy()
    keys = effects[by].to_numpy()
    wanted = np.unique(keys if by == "event_time" else keys[after])
    return [_weighted(rollout, (keys == at) & (after | (by == "event_time")), by, float(at), by_size=by != "cohort") for at in wanted]


def _weighted(rollout: Rollout, cells: NDArray[np.bool_], summary: str, at: float, *, by_size: bool) -> _Row:
    """Mean of cells, weighted by the size of their cohorts or plain; the sizes are estimates, and their error counts too."""
    effects = rollout.effects
    defined = cells & effects["estimate"].notna().to_numpy()
    left_out = int(cells.sum() - defined.sum())
    if not defined.any():
        return _Row(summary, at, float("nan"), np.full(len(rollout.cohorts), np.nan), effects.loc[cells, "note"].iloc[0])
    values, cohorts = effects["estimate"].to_numpy()[defined], effects["cohort"].to_numpy()[defined]
    members = (rollout.cohorts[:, None] == cohorts[None, :]) * rollout.weights[:, None]
    sizes = members.sum(axis=0) if by_size else np.ones(len(values))
    estimate = float(values @ sizes / sizes.sum())
    influence = rollout.influence[:, defined] @ (sizes / sizes.sum())
    if by_size:
        influence = influence + members @ (values - estimate) / sizes.sum()
    notes = [f"{left_out} cells without controls are left out"] if left_out else []
    if np.isnan(influence).any():
        notes += [note for note in effects.loc[defined, "note"] if note][:1]
    return _Row(summary, at, estimate, influence, "; ".join(notes))


def _overall(rollout: Rollout, by: str, rows: list[_Row]) -> _Row:
    if by == "simple":
        return _weighted(rollout, (rollout.effects["event_time"] >= 0).to_numpy(), "overall", np.nan, by_size=True)
    used = [row for row in rows if (by != "event_time" or row.at >= 0)]
    known = [row for row in used if np.isfinite(row.estimate)]
    if not known:
        return _Row("overall", np.nan, np.nan, np.full(len(rollout.cohorts), np.nan), used[0].note if used else "no treated period")
    values = np.array([row.estimate for row in known])
    members = np.column_stack([rollout.cohorts == row.at for row in known]) * rollout.weights[:, None]
    sizes = members.sum(axis=0) if by == "cohort" else np.ones(len(known))
    estimate = float(values @ sizes / sizes.sum())
    influence = np.column_stack([row.influence for row in known]) @ (sizes / sizes.sum())
    if by == "cohort":
        influence = influence + members @ (values - estimate) / sizes.sum()
    notes = [] if len(known) == len(used) else [f"{len(used) - len(known)} rows are left out"]
    if np.isnan(influence).any():
        notes += [row.note for row in known if row.note][:1]
    return _Row("overall", np.nan, estimate, influence, "; ".join(notes))


def _bootstrap(parts: Floats, *, rng: np.random.Generator, draws: int) -> Floats:
    """Errors of every row in each of `draws` re-weighted samples of clusters (draws x rows)."""
    at_once = max(1, _DRAWN_AT_ONCE // max(1, len(parts)))
    batches = []
    for first in range(0, draws, at_once):
        low = rng.random((min(at_once, draws - first), len(parts))) < _MAMMEN_LOW_SHARE
        batches.append(np.where(low, _MAMMEN_LOW, _MAMMEN_HIGH) @ parts)
    return np.vstack(batches)


def _critical(drawn: Floats, errors: Floats, level: float) -> float:
    """How many standard errors cover all rows at once with `level`, in the bootstrap."""
    usable = np.isfinite(errors) & (errors > 0)
    if not usable.any():
        return float("nan")
    largest = np.abs(drawn[:, usable] / errors[usable]).max(axis=1)
    return float(np.quantile(largest, level))
