"""Time to payment and time to cure in words and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cohort import Cohort
from collect_analysis.methods.evidence import Condition, withheld
from collect_analysis.methods.rates.multiplicity import holm
from collect_analysis.methods.survival import competing
from collect_analysis.report import tables
from collect_analysis.report.texts import say
from collect_analysis.strategies.experiment import NOT_ANSWERABLE
from collect_analysis.strategies.parameters import DeclaredExperiment
from collect_analysis.strategies.strategy_review.figures_exits import incidence
from collect_analysis.strategies.strategy_review.measures_exits import Exits, cure_exits, payment_exits

NAIVE = "naive"
WAITING = ["event", "arm", *competing.WAITING_COLUMNS]
ENDS = ["event", "end", "arm", "cases", "events", "value", "low", "high", "note"]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What became of the subjects of each arm, and when: the recorded tables of one event.

    `curves` (of every end), `ends` (where each arm stood when last seen, with one minus Kaplan-Meier of the event as end `naive`), `waiting`
    (days waited for the event against the base arm). Empty with a `reason` where nothing can be read.
    """

    event: str
    reason: str
    curves: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["arm", "end", "time", "value", "low", "high"]))
    ends: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=ENDS))
    waiting: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=WAITING))


def payment_timing(book: Book, cohort: Cohort, params: DeclaredExperiment, found: Sequence[Condition]) -> Timing:
    """When did subjects first pay (or come to the supplied end)?"""
    return timing(payment_exits(book, cohort, params.arms, horizon_days=params.horizon_days), params, found)


def cure_timing(book: Book, cohort: Cohort, params: DeclaredExperiment, found: Sequence[Condition]) -> Timing:
    """When were overdue subjects cured?"""
    return timing(cure_exits(book, cohort, params.arms, horizon_days=params.horizon_days), params, found)


def timing(exits: Exits, params: DeclaredExperiment, found: Sequence[Condition]) -> Timing:
    """The tables of one event; no comparison where a condition refuses one."""
    present = set(exits.counts["arm"])
    if exits.reason or params.champion not in present:
        return Timing(event=exits.event, reason=exits.reason or NOT_ANSWERABLE)
    effects = dict(zip(exits.design["arm"].astype(str), exits.design["design_effect"].astype(float), strict=True))
    curves = competing.incidence_curves(exits.counts, group="arm", effects=effects)
    naive = competing.overstated(curves, exits.counts, group="arm", end=exits.event)
    ends = competing.ends_by(curves, exits.counts, group="arm")
    wrong = naive.merge(ends[ends["end"] == exits.event][["arm", "cases", "events"]], on="arm").assign(
        end=NAIVE, value=naive["naive"], note=""
    )
    ends = pd.concat([ends, wrong[["arm", "end", "cases", "events", "value", "note"]]], ignore_index=True)
    waiting = competing.waiting_difference(
        exits.counts, group="arm", base=params.champion, end=exits.event, horizon=exits.horizon_days, effects=effects
    )
    waiting = _with_pace(waiting, exits, params, effects)
    return Timing(
        event=exits.event,
        reason="",
        curves=curves,
        ends=ends.assign(event=exits.event)[ENDS],
        waiting=withheld(waiting.assign(event=exits.event)[WAITING], found, note=NOT_ANSWERABLE),
    )


def _with_pace(waiting: pd.DataFrame, exits: Exits, params: DeclaredExperiment, effects: Mapping[str, float]) -> pd.DataFrame:
    """The p-values of the comparison over the whole time in place of those of the days waited, each challenger against the champion."""
    p_values = []
    for arm in waiting["arm"]:
        pair = [params.champion, arm]
        counts, alone = (table[table["arm"].isin(pair)] for table in (exits.counts, exits.waiting))
        p_values.append(competing.pace_test(counts, alone, group="arm", end=exits.event, effects=effects).p_value)
    adjusted = holm(p_values) if p_values else np.array([])
    return waiting.assign(p_value=np.array(p_values, dtype=float), p_adjusted=adjusted)


def waiting_table(timings: Sequence[Timing]) -> pd.DataFrame:
    """Days waited for each event by challenger, against the champion; an event that cannot be read has a row with the reason."""
    rows = [
        item.waiting
        if not item.reason
        else pd.DataFrame([{"event": item.event, "arm": "", "base": "", "note": item.reason}]).reindex(columns=WAITING)
        for item in timings
    ]
    numbers = [name for name in WAITING if name not in ("event", "arm", "base", "note")]
    return pd.concat([row.astype(dict.fromkeys(numbers, float)) for row in rows], ignore_index=True)


def ends_table(timings: Sequence[Timing]) -> pd.DataFrame:
    """Where each arm stood when last seen, event by event: share of cases in each end, still open (`event_free`), and `naive`."""
    parts = [item.ends for item in timings if not item.reason]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=ENDS)


def incidence_figure(curves: pd.DataFrame, found: Timing, params: DeclaredExperiment):
    """The recorded curves of one event, an arm a line; why there are none otherwise."""
    return incidence(curves, event=found.event, reason=found.reason, arms=params.arms, horizon_days=params.horizon_days, lang=params.lang)


def show_waiting(table: pd.DataFrame, params: DeclaredExperiment) -> tables.ShownTable:
    """Days waited as a manager reads them."""
    columns = ["event", *_arm(params), "base_mean", "mean", "difference", "low", "high", "p_adjusted"]
    return tables.show(table.rename(columns={"value": "difference"}), lang=params.lang, columns=columns)


def show_ends(table: pd.DataFrame, params: DeclaredExperiment) -> tables.ShownTable:
    """One row per event and end, champion beside challenger: what became of the accounts."""
    if table.empty:
        return tables.show(pd.DataFrame({"note": [say("no_exits", params.lang)]}), lang=params.lang)
    base = table[table["arm"] == params.champion].set_index(["event", "end"])["value"]
    rows = table[table["arm"].isin(params.challengers)]
    keys = pd.MultiIndex.from_frame(rows[["event", "end"]])
    shown = rows.assign(base_mean=base.reindex(keys).to_numpy(), mean=rows["value"])
    shown = shown.assign(last=shown["end"].isin(["event_free", NAIVE]), naive=shown["end"] == NAIVE, own=shown["end"] != shown["event"])
    shown = shown.sort_values(["event", "arm", "naive", "last", "own", "end"], ascending=[False, *[True] * 5])
    shown = shown.rename(columns={"event": "awaited"})
    return tables.show(
        shown, lang=params.lang, columns=["awaited", "end", *_arm(params), "base_mean", "mean"], percent=["base_mean", "mean"]
    )


def _arm(params: DeclaredExperiment) -> list[str]:
    return ["arm"] if len(params.challengers) > 1 else []
