"""Design `roll_out`: what a change did that reached branches or regions one after the other."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.methods.causal import rollout_checks as checks
from collect_analysis.methods.causal.rollout import Controls, Rollout, group_time_effects
from collect_analysis.methods.causal.rollout_summary import summarise
from collect_analysis.methods.evidence import Condition, refused, withheld
from collect_analysis.report.texts import formats, say, value
from collect_analysis.strategies.quasi_experiment import decision_roll_out as decided, figures
from collect_analysis.strategies.quasi_experiment.decision import Effect
from collect_analysis.strategies.quasi_experiment.measures_roll_out import (
    RolloutPanel,
    panel_of_book,
    panel_of_cohort,
    period_name,
    starts_of_rules,
)
from collect_analysis.strategies.quasi_experiment.parameters import QuasiExperiment
from collect_analysis.strategies.quasi_experiment.study import NOT_ANSWERABLE, Shown, Study

_EFFECTS = ["estimand", "at", "value", "low", "high", "p_value", "se", "note"]
_CHOICES = ["check", "at", "value", "low", "high", "p_value", "note"]
_VALUES = ("value", "low", "high")
_SHOWN = {
    "rules": Shown(columns=("started", "clusters_named")),
    "treated": Shown(columns=("started", "clusters", "cases", "periods_before", "periods_after")),
    "effects": Shown(columns=("estimand", "at", "value", "low", "high", "p_value", "note"), by_unit=_VALUES),
    "parts": Shown(columns=("started", "period", "value", "low", "high", "note"), by_unit=_VALUES),
    "choices": Shown(columns=tuple(_CHOICES), by_unit=_VALUES),
    "naive": Shown(columns=("comparison", "value", "low", "high", "note"), by_unit=_VALUES),
}


@dataclass(frozen=True, kw_only=True)
class _Read:
    """The panel, the effects in it, their summaries (None: no cluster starts), and the test by shuffled starts."""

    panel: RolloutPanel
    used: pd.DataFrame
    rollout: Rollout
    summaries: dict[str, pd.DataFrame]
    lots: checks.RandomisationTest


def study(book: Book, params: QuasiExperiment) -> Study:
    """What did the change do to those that started, against those that had not yet?

    Raises
    ------
    DataError
        The book has no such panel, or a cluster has several starts.
    """
    starts = _starts(book, params)
    panel = _panel(book, params, starts)
    read = _estimate(panel, params)
    conditions = _conditions(read)
    return _told(book, params, read, conditions, starts)


def _starts(book: Book, params: QuasiExperiment) -> dict[str, date]:
    if params.ruleset_id:
        return starts_of_rules(book, params.ruleset_id, cluster=params.cluster, rule_id=params.rule_id)
    return dict(params.starts)


def _panel(book: Book, params: QuasiExperiment, starts: dict[str, date]) -> RolloutPanel:
    strata = tuple(params.strata)
    if params.experiment_id:
        asked = {"outcome": params.outcome, "horizon_days": params.horizon_days}
        return panel_of_cohort(book, params.experiment_id, **asked, period=params.period, strata=strata)  # type: ignore[arg-type]
    return panel_of_book(
        book, cluster=params.cluster, starts=starts, days_past_due=params.days_past_due, outcome=params.outcome, strata=strata
    )


def _estimate(panel: RolloutPanel, params: QuasiExperiment) -> _Read:
    used = panel.panel if params.weighted_by_cases else panel.panel.drop(columns="weight")
    rollout = group_time_effects(used, controls=params.controls)
    ways = ("cohort", "event_time", "simple") if len(rollout.effects) else ()
    summaries = {way: summarise(rollout, by=way, rng=np.random.default_rng(params.seed)) for way in ways}  # type: ignore[arg-type]
    lots = checks.randomisation_test(used, rng=np.random.default_rng(params.seed), controls=params.controls, draws=params.draws)
    return _Read(panel=panel, used=used, rollout=rollout, summaries=summaries, lots=lots)


def _conditions(read: _Read) -> list[Condition]:
    answer = read.summaries["cohort"].iloc[-1] if read.summaries else pd.Series({"low": np.nan, "high": np.nan})
    facts = decided.RolloutFacts(
        clusters=int(read.panel.panel["unit"].nunique()),
        gaps=read.panel.left_out["gaps"],
        cases=int(read.panel.panel["cases"].sum()),
        unusable=sum(count for reason, count in read.panel.left_out.items() if reason != "gaps"),
        starts_within=read.panel.starts_within,
        low=float(answer["low"]),
        high=float(answer["high"]),
        lots_p=read.lots.p_value,
    )
    return [*read.rollout.conditions, *read.panel.delivered, *decided.requirements(facts)]


def _told(book: Book, params: QuasiExperiment, read: _Read, conditions: list[Condition], starts: dict[str, date]) -> Study:
    outcome = read.panel.outcome
    effects = withheld(_effects(read), conditions, note=NOT_ANSWERABLE)
    answer = effects.iloc[0]
    base = float("nan") if refused(conditions) else _base(read, outcome.unit)
    # Too few clusters for an error: the shuffled starts judge.
    p_value = answer["p_value"] if np.isfinite(answer["p_value"]) or refused(conditions) else read.lots.p_value
    naive = _naive(read, answer)
    numbers = {name: float(answer[name]) for name in _VALUES}
    return Study(
        conditions=tuple(conditions),
        design="quasi_experiment",
        rules=_rules(read, starts, params),
        treated=_treated(read),
        effects=effects,
        parts=_parts(read),
        points=_points(read),
        choices=withheld(_choices(read, params), conditions, note=NOT_ANSWERABLE),
        naive=withheld(naive, conditions, note=NOT_ANSWERABLE),
        answer=Effect(**numbers, p_value=float(p_value), base=base, cases=int(read.panel.panel["unit"].nunique())),
        outcome=outcome.name,
        unit=outcome.unit,
        currency=book.currency,
        labels=outcome.label,
        shown=_SHOWN,
        test=_test(book, params, read, answer, base),
        measured=int(read.panel.panel["cases"].sum()),
    )


def _named(read: _Read, number: float) -> str:
    return period_name(number, read.panel.period)


def _effects(read: _Read) -> pd.DataFrame:
    """The answer first (mean over starters), then the mean over time since the start, over all treated cells, and each start's own."""
    if not read.summaries:
        return pd.DataFrame([{"estimand": "starters", "at": "", "note": NOT_ANSWERABLE}]).reindex(columns=_EFFECTS)
    rows = [_row("starters", "", read.summaries["cohort"].iloc[-1])]
    rows += [_row("since_start", "", read.summaries["event_time"].iloc[-1]), _row("all_cells", "", read.summaries["simple"].iloc[-1])]
    own = read.summaries["cohort"].iloc[:-1]
    return pd.DataFrame([*rows, *(_row("one_start", _named(read, row["at"]), row) for _, row in own.iterrows())])[_EFFECTS]


def _row(estimand: str, at: str, row: pd.Series) -> dict[str, object]:
    numbers = {"value": row["estimate"], "se": row["standard_error"], **{name: row[name] for name in ("low", "high", "p_value", "note")}}
    return {"estimand": estimand, "at": at, **numbers}


def _parts(read: _Read) -> pd.DataFrame:
    """Every start in every period; rows before the start compare with the period before and are checks."""
    table = read.rollout.effects
    started = [_named(read, number) for number in table["cohort"]]
    named = table.assign(started=started, period=[_named(read, number) for number in table["period"]], value=table["estimate"])
    return named[["started", "period", "event_time", "value", "standard_error", "low", "high", "treated_units", "control_units", "note"]]


def _points(read: _Read) -> pd.DataFrame:
    columns = ["at", "value", "low", "high", "note"]
    if not read.summaries:
        return pd.DataFrame(columns=columns)
    return read.summaries["event_time"].iloc[:-1].rename(columns={"estimate": "value"})[columns]


def _treated(read: _Read) -> pd.DataFrame:
    """A row per start, then those that never started: clusters, cases, periods seen before and after."""
    panel = read.panel.panel
    keyed = panel.assign(start=panel["first_treated"].where(panel["first_treated"] <= panel["period"].max(), np.inf).fillna(np.inf))
    rows = []
    for start in np.unique(keyed["start"].to_numpy(dtype=float)):
        part = keyed[keyed["start"] == start]
        periods = np.sort(part["period"].unique())
        rows.append(
            {
                "started": _named(read, float(start)) if np.isfinite(start) else "never",
                "clusters": int(part["unit"].nunique()),
                "cases": int(part["cases"].sum()),
                "periods_before": int((periods < start).sum()),
                "periods_after": int((periods >= start).sum()),
            }
        )
    return pd.DataFrame(rows)


def _rules(read: _Read, starts: dict[str, date], params: QuasiExperiment) -> pd.DataFrame:
    """Which regions or units started when, as the rules or the report file say; clusters of a supplied cohort are not named."""
    if params.experiment_id:
        return pd.DataFrame(columns=["started", "clusters_named"])
    table = pd.DataFrame({"started": list(starts.values()), "name": list(starts)}).sort_values(["started", "name"])
    never = sorted(set(read.panel.panel["unit"]) - set(starts))
    named = table.groupby("started")["name"].agg(", ".join).rename("clusters_named").reset_index()
    last = pd.DataFrame({"started": ["never"], "clusters_named": [", ".join(never)]}) if never else named.iloc[:0]
    return pd.concat([named.astype({"started": str}), last], ignore_index=True)


def _choices(read: _Read, params: QuasiExperiment) -> pd.DataFrame:
    """The answer with other controls, other weights, and without each start; the shuffled starts; the test of the trends before."""
    lang, other = params.lang, "never_treated" if params.controls == "not_yet_treated" else "not_yet_treated"
    plain, weighed = read.panel.panel.drop(columns="weight"), read.panel.panel
    rows = [("controls", value("controls", other, lang), _answer(read.used, params, controls=other))]
    rows.append(
        (
            "weights",
            say("weights_equal" if params.weighted_by_cases else "weights_cases", lang),
            _answer(plain if params.weighted_by_cases else weighed, params),
        )
    )
    cohorts = sorted(set(read.rollout.cohorts[np.isfinite(read.rollout.cohorts)]))
    for cohort in cohorts if len(cohorts) > 1 else []:
        rows.append(("without_start", _named(read, cohort), _answer(read.used[read.used["first_treated"] != cohort], params)))
    tested = read.rollout.pretrend
    differences = say("differences_count", lang, count=tested.degrees_of_freedom)
    rows.append(
        (
            "lots",
            say("draws_count", lang, count=formats.number(read.lots.draws, lang)),
            {"value": read.lots.estimate, "p_value": read.lots.p_value},
        )
    )
    rows.append(("trend_before", differences, {"p_value": tested.p_value}))
    return pd.DataFrame([{"check": check, "at": at, "note": "", **numbers} for check, at, numbers in rows]).reindex(columns=_CHOICES)


def _answer(panel: pd.DataFrame, params: QuasiExperiment, *, controls: str = "") -> dict[str, object]:
    """The mean over starters under another choice; undefined where that choice leaves nothing to compare."""
    chosen: Controls = controls or params.controls  # type: ignore[assignment]
    rollout = group_time_effects(panel, controls=chosen)
    if rollout.effects.empty:
        return {"note": NOT_ANSWERABLE}
    row = _row("", "", summarise(rollout, by="cohort", rng=np.random.default_rng(params.seed), draws=99).iloc[-1])
    return {name: row[name] for name in ("value", "low", "high", "p_value", "note")}


def _naive(read: _Read, answer: pd.Series) -> pd.DataFrame:
    """Before and after, starters against the others, the usual regression; then the answer."""
    usual = checks.two_way_fixed_effects(read.used)
    rows = [
        {"comparison": "before_and_after", **checks.before_and_after(read.used)},
        {"comparison": "starters_against_others", **checks.starters_and_others(read.used)},
        {"comparison": "two_way", "value": usual.estimate, "low": usual.low, "high": usual.high},
        {"comparison": "answer", **{name: answer[name] for name in _VALUES}},
    ]
    return pd.DataFrame(rows).assign(note="")


def _base(read: _Read, unit: str) -> float:
    """What the treated cells would have had without the change; only where a ratio to it means something."""
    if unit not in ("share", "minor"):
        return float("nan")
    panel = read.used
    treated = panel[panel["first_treated"] <= panel["period"]]
    effect = float(read.summaries["simple"]["estimate"].iloc[-1]) if read.summaries else float("nan")
    weights = treated["weight"] if "weight" in treated else np.ones(len(treated))
    return float(np.average(treated["outcome"], weights=weights)) - effect if len(treated) else float("nan")


def _test(book: Book, params: QuasiExperiment, read: _Read, answer: pd.Series, base: float) -> dict[str, object]:
    """The words of the proper test: the order of starts drawn by lot."""
    lang, panel = params.lang, read.panel.panel
    clusters, never = int(panel["unit"].nunique()), int(panel.loc[panel["first_treated"].isna(), "unit"].nunique())
    needed = decided.clusters_for(float(answer["se"]), clusters, params.margin_relative * abs(base))
    words = {
        "left": formats.number(never, lang),
        "needed": formats.number(needed, lang),
        "margin": formats.share(params.margin_relative, lang),
    }
    unit = read.panel.outcome.unit
    written = {
        "base": formats.with_unit(base, unit, lang, currency=book.currency),
        "relative": formats.share(float(answer["value"]) / base, lang),
    }
    return {
        **words,
        "clusters": formats.number(clusters, lang),
        "starters": formats.number(clusters - never, lang),
        "without": say("without_rule", lang, **written) if np.isfinite(base) else "",
        "order": say("lots_among_rest" if never >= 2 * decided.CLUSTERS_A_SIDE else "lots_switch_off", lang, **words),
        "how": say("clusters_size", lang, **words) if np.isfinite(needed) else "",
        "lots_p": formats.number(read.lots.p_value, lang, digits=3),
    }


def effect_figure(found: Study, params: QuasiExperiment) -> Any:
    """The effect by time since the start; what lies before it should be nothing."""
    return figures.event_study_plot(
        found.points, unit=found.unit, currency=found.currency, lang=params.lang, period=params.period if params.experiment_id else "month"
    )


def choices_figure(found: Study, params: QuasiExperiment) -> Any:
    """The answer and the other choices, one line each."""
    drawn = found.choices[found.choices["check"].isin(["controls", "weights", "without_start"])]
    return figures.choices_plot(drawn, found.naive, unit=found.unit, currency=found.currency, lang=params.lang)
