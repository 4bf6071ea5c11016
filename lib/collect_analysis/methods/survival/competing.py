"""One end of interest among several that exclude each other, compared between groups, from counts of exits (see `survival`).

Cases of one customer end together, so that standard errors of independent cases are too small: `effects` (group -> design effect, variance
over that of independent cases) widens them. Source: Rao & Scott, Annals of Statistics 12 (1984) 46, first-order correction.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import holm
from collect_analysis.methods.survival.survival import (
    CENSORED,
    cumulative_incidence,
    kaplan_meier,
    log_rank,
    restricted_time,
    restricted_time_difference,
)

END_COLUMNS = ["end", "cases", "events", "value", "low", "high", "note"]
WAITING_COLUMNS = ["base", "horizon", "base_mean", "mean", "value", "low", "high", "se", "p_value", "p_adjusted", "note"]


def incidence_curves(exits: pd.DataFrame, *, group: str, effects: Mapping[str, float], level: float = CONFIDENCE) -> pd.DataFrame:
    """Which share of each group has come to each end by each time, in full: from time 0 on, standard errors widened by `effects`.

    Columns: group, end, time, at_risk, events, value, standard_error, low, high (complementary log-log), event_free, note; as
    `survival.cumulative_incidence`, with a row at time 0 (value 0) for every curve. Raises DataError as that.
    """
    curves = cumulative_incidence(exits, by=(group,), level=level)
    if curves.empty:
        return curves
    error = curves["standard_error"] * np.sqrt(curves[group].map(dict(effects)).fillna(1.0).astype(float))
    value = curves["value"].astype(float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reach = stats.norm.ppf((1 + level) / 2) * error / np.abs((1 - value) * np.log1p(-value))
        low, high = 1 - (1 - value) ** np.exp(-reach), 1 - (1 - value) ** np.exp(reach)
    curves = curves.assign(standard_error=error, low=low, high=high)
    start = (
        curves[curves["time"] > 0]
        .drop_duplicates([group, "end"])
        .assign(time=0.0, events=0, value=0.0, standard_error=0.0, low=0.0, high=0.0, event_free=1.0, note="")
    )
    start = start[~_keys(start, group).isin(_keys(curves[curves["time"] == 0], group))]
    return pd.concat([start, curves], ignore_index=True).sort_values([group, "end", "time"], ignore_index=True)


def _keys(table: pd.DataFrame, group: str) -> pd.Series:
    return table[group].astype(str) + "\x00" + table["end"].astype(str)


def ends_by(curves: pd.DataFrame, exits: pd.DataFrame, *, group: str) -> pd.DataFrame:
    """Which share of each group had come to each end when it was last seen, and how many cases is that?

    Needs the tables of `incidence_curves` and the exits behind it. Columns: group, end (the ends, then `event_free`), cases, events, value
    (share), low, high (NaN for `event_free`), note. The shares of a group sum to 1. Undefined (NaN + note): an end that never came.
    """
    cases = exits.groupby(group)["count"].sum()
    last = curves.sort_values("time").drop_duplicates([group, "end"], keep="last")
    events = exits[~exits["end"].isin(CENSORED)].groupby([group, "end"])["count"].sum()
    rows = last.assign(events=[int(events.get((row[group], row["end"]), 0)) for row in last.to_dict("records")])
    rest = last.drop_duplicates(group).assign(end="event_free", low=np.nan, high=np.nan, note="")
    rest = rest.assign(value=rest["event_free"], events=rest[group].map(cases) - rest[group].map(events.groupby(level=0).sum()))
    table = pd.concat([rows.sort_values([group, "end"]), rest.sort_values(group)], ignore_index=True)
    table = table.assign(cases=table[group].map(cases)).sort_values(group, kind="stable", ignore_index=True)
    return table[[group, *END_COLUMNS]]


def overstated(curves: pd.DataFrame, exits: pd.DataFrame, *, group: str, end: str) -> pd.DataFrame:
    """By how much does one minus Kaplan-Meier overstate an end when other ends compete?

    Formula: 1 - KM with the other ends taken for censoring, against the cumulative incidence of `incidence_curves`, both when last seen. The
    first answers "if nothing else could happen", which is nobody's case.
    Columns: group, value (cumulative incidence), naive (one minus Kaplan-Meier), overstated (naive - value).
    """
    others = tuple(sorted(set(exits["end"]) - {end}))
    naive = kaplan_meier(exits, censored=others, by=(group,)).drop_duplicates(group, keep="last").set_index(group)["value"]
    own = curves[curves["end"] == end].drop_duplicates(group, keep="last")
    table = own[[group, "value"]].assign(naive=1 - own[group].map(naive).fillna(1.0).astype(float))
    return table.assign(overstated=table["naive"] - table["value"]).reset_index(drop=True)


def waiting_difference(
    exits: pd.DataFrame, *, group: str, base: str, end: str, horizon: float, effects: Mapping[str, float], level: float = CONFIDENCE
) -> pd.DataFrame:
    """How long does a case wait for the end on average, counting the whole horizon where it never comes, and by how much less or more?

    Formula: horizon - area under the cumulative incidence of `end` (restricted mean time to the end); difference of two groups with the
    standard errors added in squares. Below 0: the group gets there sooner.
    Columns: group, base, horizon, base_mean, mean, value (difference, units of time), low, high, se, p_value (two-sided, normal),
    p_adjusted (the same; several groups: Holm), note. Undefined (NaN + note): a group's follow-up stops before the horizon.
    Raises DataError: `base` is not a group. Source: Andersen, Statistics in Medicine 32 (2013) 5278.
    """
    times = restricted_time(exits, horizon=horizon, by=(group,), level=level)
    times = times[times["end"] == end]
    widened = times["standard_error"] * np.sqrt(times[group].map(dict(effects)).fillna(1.0).astype(float))
    table = restricted_time_difference(times.assign(standard_error=widened), group=group, base=base, level=level)
    table = table.assign(
        base=base,
        base_mean=horizon - table["base_value"],
        mean=horizon - table["value"],
        # The area gained is time not waited: signs and bounds turn.
        value=-table["difference"],
        low=-table["high"],
        high=-table["low"],
        se=table["standard_error"],
        p_adjusted=holm(table["p_value"]) if len(table) else np.nan,
    )
    return table[[group, *WAITING_COLUMNS]]


@dataclass(frozen=True, kw_only=True)
class PaceTest:
    """Do the groups come to the end at the same pace? `method`: gray (counting that other ends take cases away) or cause_specific."""

    statistic: float
    degrees_of_freedom: int
    p_value: float
    method: str


def pace_test(exits: pd.DataFrame, waiting: pd.DataFrame, *, group: str, end: str, effects: Mapping[str, float]) -> PaceTest:
    """Is the cumulative incidence of an end the same in all groups, over the whole time?

    Formula: log-rank test of `waiting`, where a case that left by another end stays at risk until its last possible day: with every such day
    known (censoring complete) this is the test of subdistributions. Where `waiting` is empty: log-rank test of the end with the others taken
    for censoring, which compares how fast those still there come to it. The statistic is divided by the mean design effect.
    Undefined (NaN): no case ever came to the end. Raises DataError: fewer than two groups.
    Source: Gray, Annals of Statistics 16 (1988) 1141; Fine & Gray, JASA 94 (1999) 496, section 3.1.
    """
    complete = not waiting.empty
    table = waiting if complete else exits
    others = tuple(sorted(set(table["end"]) - {end}))
    test = log_rank(table, group=group, censored=others)
    spread = float(np.mean([effects.get(str(name), 1.0) for name in test.groups[group]]))
    statistic = test.statistic / spread
    return PaceTest(
        statistic=statistic,
        degrees_of_freedom=test.degrees_of_freedom,
        p_value=float(stats.chi2.sf(statistic, test.degrees_of_freedom)),
        method="gray" if complete else "cause_specific",
    )
