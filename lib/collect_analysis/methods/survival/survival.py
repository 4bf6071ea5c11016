"""Time until something ends (payment, cure, recall, write-off), from counts per day rather than from persons.

Every function reads *exits*: one row per time and end, with columns `time` (number, since time zero), `end` (text: how it ended, or
`censored` where it was still open when last seen) and `count` (cases). An engine makes that table by one grouping of any number of cases;
`exit_counts` makes it from a small table of cases. `by` names columns that split the cases into groups.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
CENSORED = ("censored",)
EVENT_FREE = "event_free"


def exit_counts(cases: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """How many cases ended when, and how?

    Columns needed: time, end and those of `by`, one row per case. Columns: by, time, end, count (int), sorted.
    Raises DataError: as every function of this module, for a time below 0 or missing, or an end that is missing.
    """
    _check(cases.assign(count=1), by)
    return cases.groupby([*by, "time", "end"], as_index=False).size().rename(columns={"size": "count"})


def kaplan_meier(
    exits: pd.DataFrame, *, censored: Collection[str] = CENSORED, by: Sequence[str] = (), level: float = CONFIDENCE
) -> pd.DataFrame:
    """Which share of cases is still without the event at each time?

    Formula: S(t) = Π over s <= t of (1 - d(s)/n(s)), every end not in `censored` being an event; SE by Greenwood; interval log(-log).
    Where another end takes cases away for good, one minus this curve overstates the event: use `cumulative_incidence`.
    Columns: by, time (those with an event), at_risk, events, value (share), standard_error, low, high, note.
    Undefined (NaN): the SE once everybody has had the event. Raises DataError.
    Source: Kaplan & Meier, JASA 53 (1958) 457; Kalbfleisch & Prentice (2002) section 1.4 for the interval.
    """
    parts = []
    for key, risk in _groups(exits, censored, by):
        left = risk.at_risk - risk.all_events
        with np.errstate(divide="ignore", invalid="ignore"):
            greenwood = np.cumsum(risk.all_events / (risk.at_risk * left))
            error = risk.event_free * np.sqrt(greenwood)
        table = _with_interval(risk.event_free, error, level)
        table["note"] = np.where(left > 0, "", "nobody is left")
        columns = {"time": risk.time, "at_risk": risk.at_risk, "events": risk.all_events}
        parts.append(pd.DataFrame({**key, **columns, **table}))
    return _stacked(parts, [*by, "time"])


def cumulative_incidence(
    exits: pd.DataFrame, *, censored: Collection[str] = CENSORED, by: Sequence[str] = (), level: float = CONFIDENCE
) -> pd.DataFrame:
    """Which share of cases has come to each end by each time, when the ends exclude each other?

    Formula (Aalen-Johansen): F_k(t) = Σ over s <= t of S(s-)·d_k(s)/n(s); SE by the delta method on the multinomial counts of each time;
    interval complementary log-log. The ends and `event_free` sum to 1 at every time.
    Columns: by, end, time (those with any event), at_risk, events, value (share), standard_error, low, high, event_free (share), note.
    Undefined (NaN): SE and interval before the first case of that end. Raises DataError.
    Source: Aalen & Johansen, Scandinavian Journal of Statistics 5 (1978) 141; Marubini & Valsecchi (1995) section 10.4 for the SE.
    """
    parts = []
    for key, risk in _groups(exits, censored, by):
        for end in risk.ends:
            value = risk.incidence(end)
            seen = value > 0
            error = np.where(seen, np.sqrt(np.clip(risk.incidence_variance(end), 0, None)), np.nan)
            table = _with_interval(value, error, level)
            table["event_free"] = risk.event_free
            table["note"] = np.where(seen, "", "no such end so far")
            columns = {"end": end, "time": risk.time, "at_risk": risk.at_risk, "events": risk.events[end]}
            parts.append(pd.DataFrame({**key, **columns, **table}))
    return _stacked(parts, [*by, "end", "time"])


def restricted_time(
    exits: pd.DataFrame, *, horizon: float, censored: Collection[str] = CENSORED, by: Sequence[str] = (), level: float = CONFIDENCE
) -> pd.DataFrame:
    """Of the time up to a horizon, how much does a case spend on average after each end, and how much before any?

    Formula: area under F_k from 0 to the horizon for each end, and under S for end `event_free` (restricted mean survival time); SE by
    the delta method, for the latter Greenwood's. The values of a group sum to the horizon. "After cure" is the days gained by curing early.
    Columns: by, end, horizon, value (units of time), standard_error, low, high, note.
    Undefined (NaN + note): follow-up of a group stops before the horizon while cases are open.
    Raises DataError; ParameterError: horizon not above 0.
    Source: Andersen, Statistics in Medicine 32 (2013) 5278; Royston & Parmar, Statistics in Medicine 30 (2011) 2409.
    """
    if not horizon > 0:
        raise ParameterError(f"horizon must be above 0, not {horizon:g}.")
    rows = []
    for key, risk in _groups(exits, censored, by):
        known = risk.last_time >= horizon or (risk.time.size > 0 and risk.event_free[-1] == 0)
        note = "" if known else f"follow-up ends at {risk.last_time:g}, before the horizon of {horizon:g}"
        for end in (*risk.ends, EVENT_FREE):
            value, variance = risk.area(end, horizon) if known else (np.nan, np.nan)
            rows.append({**key, "end": end, "horizon": horizon, "value": value, "standard_error": np.sqrt(variance), "note": note})
    table = pd.DataFrame(rows)
    half = stats.norm.ppf((1 + level) / 2) * table["standard_error"]
    table["low"], table["high"] = table["value"] - half, table["value"] + half
    return table[[*by, "end", "horizon", "value", "standard_error", "low", "high", "note"]].sort_values([*by, "end"], ignore_index=True)


def restricted_time_difference(times: pd.DataFrame, *, group: str, base: str, level: float = CONFIDENCE) -> pd.DataFrame:
    """By how much does the average time after each end differ from the base group's?

    Formula: difference of two independent values of `restricted_time`, SE = √(SE² + SE0²). Needs that table, split by `group` alone.
    Columns: group, end, horizon, value, base_value, difference, standard_error, low, high, p_value (two-sided), note.
    Raises DataError: `base` is not a group. Source: Royston & Parmar (2011).
    """
    if base not in set(times[group]):
        raise DataError(f"{group}: no group '{base}' to compare with; there are {', '.join(sorted(map(str, times[group].unique())))}.")
    columns = ["end", "value", "standard_error", "note"]
    bases = times.loc[times[group] == base, columns].rename(columns=lambda name: name if name == "end" else f"base_{name}")
    table = times.loc[times[group] != base].merge(bases, on="end", how="inner", validate="many_to_one")
    table["difference"] = table["value"] - table["base_value"]
    table["standard_error"] = np.hypot(table["standard_error"], table["base_standard_error"])
    half = stats.norm.ppf((1 + level) / 2) * table["standard_error"]
    table["low"], table["high"] = table["difference"] - half, table["difference"] + half
    with np.errstate(divide="ignore", invalid="ignore"):
        table["p_value"] = 2 * stats.norm.sf(np.abs(table["difference"] / table["standard_error"]))
    table["note"] = table["note"].where(table["note"] != "", table["base_note"])
    order = [group, "end", "horizon", "value", "base_value", "difference", "standard_error", "low", "high", "p_value", "note"]
    return table[order].sort_values([group, "end"], ignore_index=True)


@dataclass(frozen=True, kw_only=True)
class LogRank:
    """Do the groups reach the event at the same pace? `groups` has columns group, cases, observed, expected."""

    statistic: float
    degrees_of_freedom: int
    p_value: float
    groups: pd.DataFrame


def log_rank(exits: pd.DataFrame, *, group: str, censored: Collection[str] = CENSORED) -> LogRank:
    """Do groups reach the event at the same pace over the whole time?

    Formula: chi² of Σ_t (d_g - n_g·d/n) with the hypergeometric covariance, groups - 1 degrees of freedom.
    Undefined (NaN): no event, or fewer than two groups ever at risk together. Raises DataError: fewer than two groups.
    Source: Mantel, Cancer Chemotherapy Reports 50 (1966) 163. Check: 6-MP against placebo -> 16.79.
    """
    parts = dict((key[group], risk) for key, risk in _groups(exits, censored, (group,)))
    if len(parts) < 2:
        raise DataError(f"{group}: {len(parts)} group; a log-rank test compares at least two.")
    times = np.unique(np.concatenate([risk.time for risk in parts.values()]))
    at_risk = np.array([risk.at_risk_at(times) for risk in parts.values()])
    events = np.array([risk.events_at(times) for risk in parts.values()])
    n, d = at_risk.sum(axis=0), events.sum(axis=0)
    share = at_risk / n
    expected = (share * d).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(n > 1, d * (n - d) / (n - 1), 0.0)
    covariance = np.diag((spread * share).sum(axis=1)) - (spread * share) @ share.T
    excess = (events.sum(axis=1) - expected)[:-1]
    freedom = len(parts) - 1
    regular = np.linalg.matrix_rank(covariance) == freedom
    statistic = float(excess @ np.linalg.solve(covariance[:-1, :-1], excess)) if regular else float("nan")
    cases = [risk.cases for risk in parts.values()]
    groups = pd.DataFrame({group: list(parts), "cases": cases, "observed": events.sum(axis=1), "expected": expected})
    return LogRank(statistic=statistic, degrees_of_freedom=freedom, p_value=float(stats.chi2.sf(statistic, freedom)), groups=groups)


class _Risk:
    """Counts of one group at its event times: who is at risk, who comes to which end. Censored at a time count as at risk then."""

    def __init__(self, exits: pd.DataFrame, ends: Sequence[str], censored: Collection[str]) -> None:
        counts = exits.pivot_table(index="time", columns="end", values="count", aggfunc="sum", fill_value=0).sort_index()
        leaving = counts.sum(axis=1).to_numpy(dtype=float)
        all_at_risk = leaving[::-1].cumsum()[::-1]
        happened = counts.drop(columns=[end for end in counts.columns if end in censored]).sum(axis=1).to_numpy(dtype=float) > 0
        self.exit_time, self.exit_at_risk = counts.index.to_numpy(dtype=float), all_at_risk
        self.cases, self.last_time = int(leaving.sum()), float(self.exit_time[-1])
        self.time, self.at_risk = self.exit_time[happened], all_at_risk[happened]
        none = np.zeros(len(counts))
        self.ends = tuple(ends)
        self.events = {end: (counts[end].to_numpy(dtype=float) if end in counts else none)[happened] for end in ends}
        self.all_events = np.sum([*self.events.values(), np.zeros(happened.sum())], axis=0)
        self.hazard = self.all_events / self.at_risk
        self.event_free = np.cumprod(1 - self.hazard)
        self.before = np.concatenate([[1.0], self.event_free[:-1]])[: len(self.time)]

    def at_risk_at(self, times: Floats) -> Floats:
        """At risk at any time: those who had not left before."""
        return np.append(self.exit_at_risk, 0.0)[np.searchsorted(self.exit_time, times)]

    def events_at(self, times: Floats) -> Floats:
        """Events of any end at each of `times`."""
        events = np.zeros(len(times))
        events[np.searchsorted(times, self.time)] = self.all_events
        return events

    def cause_hazard(self, end: str) -> Floats:
        """Hazard of one end; of all ends for the event-free curve."""
        return self.hazard if end == EVENT_FREE else self.events[end] / self.at_risk

    def incidence(self, end: str) -> Floats:
        """Aalen-Johansen curve at the event times."""
        return np.cumsum(self.before * self.cause_hazard(end))

    def _variance_terms(self, end: str) -> tuple[Floats, Floats, Floats]:
        """Per event time, what multiplies 1, -2·D and D² in the variance, D being what the curve gains after that time."""
        own = self.cause_hazard(end)
        with np.errstate(divide="ignore", invalid="ignore"):
            # With nobody left the curve gains nothing more (D = 0): that time adds no variance through D.
            ratio = np.where(self.hazard < 1, self.hazard / (1 - self.hazard), 0.0)
        return own * (1 - own) / self.at_risk, own / self.at_risk, ratio / self.at_risk

    def incidence_variance(self, end: str) -> Floats:
        """Variance of `incidence` at each event time, in one pass: sums over s <= t of terms in F(t) - F(s)."""
        first, cross, square = self._variance_terms(end)
        curve, before = self.incidence(end), self.before
        return (
            np.cumsum(before**2 * first + 2 * before * cross * curve + square * curve**2)
            - 2 * curve * np.cumsum(before * cross + square * curve)
            + curve**2 * np.cumsum(square)
        )

    def area(self, end: str, horizon: float) -> tuple[float, float]:
        """Area up to the horizon under the curve of an end, or under the event-free one; and its variance."""
        inside = self.time < horizon
        time, curve = self.time[inside], self.incidence(end)[inside]
        width = np.diff(np.append(time, horizon))
        after = np.cumsum((curve * width)[::-1])[::-1]
        gained = after - curve * (horizon - time)
        first, cross, square = (term[inside] for term in self._variance_terms(end))
        reach = self.before[inside] * (horizon - time)
        variance = float(np.sum(reach**2 * first - 2 * reach * cross * gained + square * gained**2))
        area = float(after[0]) if after.size else 0.0
        return (horizon - area if end == EVENT_FREE else area), max(variance, 0.0)


def _groups(exits: pd.DataFrame, censored: Collection[str], by: Sequence[str]) -> Iterator[tuple[dict[str, object], _Risk]]:
    """Key and risk table of each group, every group with the same ends."""
    _check(exits, by)
    ends = sorted(set(exits["end"]) - set(censored))
    if not by:
        yield {}, _Risk(exits, ends, censored)
        return
    for key, part in exits.groupby(list(by), sort=True):
        yield dict(zip(by, key, strict=True)), _Risk(part, ends, censored)


def _check(exits: pd.DataFrame, by: Sequence[str]) -> None:
    absent = [name for name in ("time", "end", "count", *by) if name not in exits.columns]
    if absent:
        raise DataError(f"exits: no column {', '.join(absent)}; there are {', '.join(map(str, exits.columns))}.")
    if exits.empty:
        raise DataError("exits: no rows. Choose a period or a group that has cases.")
    rules = {
        "time": (~(exits["time"] >= 0), "are below 0 or missing", "Time runs from time zero; an end before it is an error of dates."),
        "end": (exits["end"].isna() | (exits["end"] == EVENT_FREE), f"are missing or '{EVENT_FREE}'", "Name the end, or 'censored'."),
        "count": (~(exits["count"] >= 0), "are below 0 or missing", "Count cases."),
        **{name: (exits[name].isna(), "are missing", "Name the group of every case.") for name in by},
    }
    problems = [
        f"exits.{name}: {int(wrong.sum())} of {len(exits)} rows {what} (first: row {int(np.flatnonzero(wrong)[0]) + 1}). {fix}"
        for name, (wrong, what, fix) in rules.items()
        if wrong.any()
    ]
    if problems:
        raise DataError(problems)


def _with_interval(value: Floats, error: Floats, level: float) -> dict[str, Floats]:
    """Value, SE and the interval on the scale log(-log), which stays inside 0-1."""
    z = stats.norm.ppf((1 + level) / 2)
    # At a share of 1 the scale has no end: the bounds meet the value, however large the power.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reach = z * error / np.abs(value * np.log(value))
        low, high = value ** np.exp(reach), value ** np.exp(-reach)
    return {"value": value, "standard_error": error, "low": low, "high": high}


def _stacked(parts: list[pd.DataFrame], order: list[str]) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"at_risk": "int64", "events": "int64"}).sort_values(order, ignore_index=True)
