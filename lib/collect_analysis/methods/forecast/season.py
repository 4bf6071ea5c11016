"""How much more, or less, a month brings because of its days: working days, salary days, the lunar new year."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize

from collect_analysis.methods.forecast.completion import fit_curve, months_of

Floats = NDArray[np.float64]
# What a day may be, one at a time; the lunar new year wins over the others because money stands still then.
PARTS: dict[str, tuple[str, ...]] = {
    "working_days": ("free_day",),
    "salary_days": ("salary_day",),
    "lunar_new_year": ("before_new_year", "at_new_year", "after_new_year"),
}
NEW_YEAR_WINDOWS = {"before_new_year": (-14, -1), "at_new_year": (0, 6), "after_new_year": (7, 20)}
EFFECTS = tuple(name for names in PARTS.values() for name in names)
_STEPS, _SETTLED, _LEAST_SPREAD = 50, 1e-10, 1e-6


@dataclass(frozen=True, kw_only=True)
class DayEffects:
    """Log effects of the kinds of day (`EFFECTS`) on the cash of a day, shrunk towards none, with their standard errors."""

    effect: dict[str, float]
    se: dict[str, float]
    days: int


@dataclass(frozen=True, kw_only=True)
class SeasonFit:
    """How much of the days' shape moves the total of a month (`moves`, by part of `PARTS`: 0 none, 1 all of it).

    `covariance` of those; `left` the spread of a month about its expectation when the season is known (log scale), with `freedom` degrees.
    """

    days: DayEffects
    moves: dict[str, float]
    covariance: Floats
    left: float
    freedom: float


def day_kinds(days: pd.DataFrame) -> pd.DataFrame:
    """Which kind is each day of? Columns read: date, working_day, salary_window, tet_offset (unknown: no lunar new year near).

    Columns: date, month (first day), one 0/1 column per kind of `EFFECTS`.
    """
    stamps = pd.to_datetime(days["date"])
    offset = days["tet_offset"].astype(float)
    table = pd.DataFrame({"date": stamps.dt.date, "month": stamps.dt.to_period("M").dt.start_time.dt.date})
    table["free_day"] = (~days["working_day"].astype(bool)).astype(float)
    table["salary_day"] = days["salary_window"].fillna(False).astype(bool).astype(float)
    for name, (first, last) in NEW_YEAR_WINDOWS.items():
        table[name] = offset.between(first, last).astype(float)
    return table


def day_effects(days: pd.DataFrame) -> DayEffects:
    """By how much do free days, salary days and days around the lunar new year differ, within their month?

    The weights of `completion.fit_curve` (given the cash of a month, shares of its days; no level of a month matters), for the kinds of day
    of this module. `days`: one row per day of whole months with `date`, `month`, `cash` (0 or more) and the columns of `EFFECTS`.
    Undefined: with no cash every effect is 0 and its standard error NaN.
    """
    table = days[["month", "date", *EFFECTS]].assign(working_day=days["free_day"] == 0, tet=None, cash_minor=days["cash"])
    if not days["cash"].sum() > 0:
        return DayEffects(effect=dict.fromkeys(EFFECTS, 0.0), se=dict.fromkeys(EFFECTS, float("nan")), days=len(days))
    curve = fit_curve(months_of(table))
    spread = np.sqrt(np.diag(curve.covariance))
    return DayEffects(
        effect=dict(zip(curve.features, map(float, curve.beta), strict=True)),
        se=dict(zip(curve.features, map(float, spread), strict=True)),
        days=len(days),
    )


def month_parts(days: pd.DataFrame, effects: DayEffects) -> pd.DataFrame:
    """What would each part of the calendar do to the total of a month, if every day's effect moved money and did not only shift it?

    Formula: log of the mean weight of its days with the part over that without it, the parts before it in `PARTS` in both: a new year that
    falls on salary days moves more. Columns: month, one per part of `PARTS`. Sorted by month.
    """
    table, log_weight = days[["month"]].copy(), np.zeros(len(days))
    for part, names in PARTS.items():
        log_weight = log_weight + sum(days[name].to_numpy(dtype=float) * effects.effect[name] for name in names)
        table[part] = np.exp(log_weight)
    means = table.groupby("month", as_index=False)[list(PARTS)].mean().sort_values("month", ignore_index=True)
    logs = np.log(means[list(PARTS)].to_numpy())
    means[list(PARTS)] = np.diff(logs, axis=1, prepend=0.0)
    return means


def relative_parts(parts: pd.DataFrame, log_ratio: pd.Series, *, window: int, least: int = 3) -> pd.DataFrame:
    """By how much did each month differ from the months before it, and how differently was its calendar made?

    Formula: a forecast made before month t rests on the level of the `window` months before it; so `log_ratio` and every part are told less
    their mean over those months. `parts`: as `month_parts` gives it; `log_ratio`: log(actual / expected by frozen rates), by month.
    Columns: month, log_ratio, one per part. The first `least` months are left out: nothing is known before them.
    """
    table = parts.assign(log_ratio=parts["month"].map(log_ratio)).dropna(subset=["log_ratio"]).reset_index(drop=True)
    columns = ["log_ratio", *PARTS]
    before = table[columns].rolling(window, min_periods=least).mean().shift(1)
    table[columns] = table[columns] - before
    return table.dropna(subset=["log_ratio"]).reset_index(drop=True)[["month", *columns]]


def fit_season(months: pd.DataFrame, effects: DayEffects, *, prior_sd: float = 0.5) -> SeasonFit:
    """How much of the calendar's shape moves the total of a month?

    A salary day may only decide on which day of the month people pay; the days before a lunar new year bring money that comes once a year.
    Formula: log_ratio = sum of moves x part + e, both as `relative_parts` gives them; moves lie from 0 to 1 and have a normal prior with
    mean 0 and `prior_sd`, which is the shrinkage: a part that hardly varied in the history keeps no factor. The spread of e decides how far
    the history may speak, and the fit decides the spread: a few rounds settle both.
    Undefined: with fewer than 4 months every move is 0 and `left` is the spread of the ratios (NaN with fewer than 2).
    """
    names = list(PARTS)
    design, ratio = months[names].to_numpy(dtype=float), months["log_ratio"].to_numpy(dtype=float)
    prior = np.eye(len(names)) / prior_sd**2
    covariance = np.linalg.inv(prior)
    moves, used = np.zeros(len(names)), 0.0
    left = float(np.sqrt((ratio**2).sum() / (len(ratio) - 1))) if len(ratio) > 1 else float("nan")
    for _ in range(_STEPS if len(ratio) >= 4 else 0):
        information = design.T @ design / max(left, _LEAST_SPREAD) ** 2
        covariance = np.linalg.inv(information + prior)
        moves = _bounded(design, ratio, max(left, _LEAST_SPREAD), prior_sd)
        used = float(np.trace(covariance @ information))
        found = float(np.sqrt(((ratio - design @ moves) ** 2).sum() / max(len(ratio) - used, 1.0)))
        settled, left = abs(found - left) < _SETTLED, found
        if settled:
            break
    named = dict(zip(names, map(float, moves), strict=True))
    return SeasonFit(
        days=effects,
        moves=named,
        covariance=np.asarray(covariance, dtype=np.float64),
        left=left,
        freedom=max(len(ratio) - max(used, 1.0), 1.0),
    )


def season_factors(months: pd.DataFrame, fit: SeasonFit) -> pd.DataFrame:
    """What factor does each month have on its expectation without season, and how sure is it?

    `months`: month and the parts relative to the months that the rates were read from. Columns: month, season (product of the parts), one
    column per part, season_sd (log scale, of the fitted moves). Sorted as given.
    """
    names = list(PARTS)
    relative = months[names].to_numpy(dtype=float)
    logs = relative * np.array([fit.moves[name] for name in names])
    table = months[["month"]].reset_index(drop=True).assign(season=np.exp(logs.sum(axis=1)))
    for place, name in enumerate(names):
        table[name] = np.exp(logs[:, place])
    return table.assign(season_sd=np.sqrt(np.einsum("ij,jk,ik->i", relative, fit.covariance, relative)))


def _bounded(design: Floats, ratio: Floats, spread: float, prior_sd: float) -> Floats:
    """Ridge regression with every coefficient from 0 to 1."""
    width = design.shape[1]
    stacked = np.vstack([design / spread, np.eye(width) / prior_sd])
    aim = np.concatenate([ratio / spread, np.zeros(width)])
    return optimize.lsq_linear(stacked, aim, bounds=(0.0, 1.0), method="bvls", tol=1e-12).x
