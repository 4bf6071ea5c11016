"""Design `cut_off`: what a rule does to cases at the value at which it switches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.methods.causal import discontinuity_checks as checks
from collect_analysis.methods.causal.discontinuity import Bandwidths, Discontinuity, mse_bandwidths, sharp_discontinuity, split
from collect_analysis.methods.causal.discontinuity_points import binned_means, fitted_lines
from collect_analysis.methods.causal.fuzzy_discontinuity import FuzzyDiscontinuity, fuzzy_discontinuity, limits
from collect_analysis.methods.evidence import Condition, refused, withheld
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.report.conditions import refuse_unread
from collect_analysis.report.disclosure import suppress_small_cells
from collect_analysis.report.texts import formats, say, value
from collect_analysis.strategies.quasi_experiment import decision_cut_off as decided, figures
from collect_analysis.strategies.quasi_experiment.decision import Effect
from collect_analysis.strategies.quasi_experiment.measures_cut_off import CutOffCases, CutOffRule, cases_of_cohort, cases_of_ruleset
from collect_analysis.strategies.quasi_experiment.measures_rule_boundaries import boundaries, of_other_rules
from collect_analysis.strategies.quasi_experiment.parameters import QuasiExperiment
from collect_analysis.strategies.quasi_experiment.study import NOT_ANSWERABLE, Shown, Study

# The figure shows twice the bandwidth, so that a reader sees where the lines come from.
_SEEN = 2.0
_NEAR_BINS = 6
_EFFECTS = [
    "estimand",
    "value",
    "low",
    "high",
    "p_value",
    "se",
    "without_rule",
    "cases_below",
    "cases_above",
    "bandwidth",
    "bias_bandwidth",
    "note",
]
_CHOICES = ["check", "at", "value", "low", "high", "p_value", "unit", "note"]
_SHOWN = {
    "rules": Shown(columns=("rule_id", "segment", "at", "role")),
    "treated": Shown(columns=("side", "rule_says", "cases", "was_treated", "treated_share"), percent=("treated_share",)),
    "effects": Shown(
        columns=("estimand", "value", "low", "high", "p_value", "without_rule", "cases_below", "cases_above", "note"),
        by_unit=("value", "low", "high", "without_rule"),
    ),
    "parts": Shown(columns=("side", "running", "cases", "value"), by_unit=("value",)),
    "choices": Shown(columns=("check", "at", "value", "low", "high", "p_value", "note"), by_unit=("value", "low", "high")),
    "naive": Shown(columns=("comparison", "value", "low", "high", "note"), by_unit=("value", "low", "high")),
}


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What was measured and estimated; `known` are the cases whose outcome is known, `widths` None where nothing could be fitted."""

    cases: CutOffCases
    known: pd.DataFrame
    rules: pd.DataFrame
    found: Discontinuity
    fuzzy: FuzzyDiscontinuity | None
    widths: Bandwidths | None
    placebo: pd.DataFrame


def study(book: Book, params: QuasiExperiment) -> Study:
    """What does the rule do to cases at the cut-off?

    Raises
    ------
    DataError
        The book has no such cases, outcome or covariate.
    """
    rule = _rule(params)
    cases = _cases(book, params, rule)
    refuse_unread(cases.delivered, of=params.ruleset_id or params.experiment_id)
    rules = _rules(book, params, cases)
    others = [*params.other_cutoffs, *rules.loc[rules["role"] == "other", "at"]] if len(rules) else params.other_cutoffs
    read = _estimate(params, cases, rules, others)
    choices = _choices(read, params)
    conditions = _conditions(params, read, choices)
    return _told(book, params, read, choices, conditions)


def _rule(params: QuasiExperiment) -> CutOffRule:
    return CutOffRule(
        cutoff=float(params.cutoff or 0.0),
        belongs_to=params.cutoff_belongs_to,
        treated_side=params.treated_side,
        treated_arm=params.treated_arm,
        control_arm=params.control_arm,
        strata=tuple(params.strata),
    )


def _cases(book: Book, params: QuasiExperiment, rule: CutOffRule) -> CutOffCases:
    asked = {"outcome": params.outcome, "horizon_days": params.horizon_days, "covariates": params.covariates}
    if params.experiment_id:
        return cases_of_cohort(book, params.experiment_id, rule, **asked)  # type: ignore[arg-type]
    return cases_of_ruleset(book, params.ruleset_id, rule, running=params.running, **asked)  # type: ignore[arg-type]


def _rules(book: Book, params: QuasiExperiment, cases: CutOffCases) -> pd.DataFrame:
    """Every boundary that the book's rules have on the running variable; `role` says whether it is the rule asked about."""
    if not params.ruleset_id:
        return pd.DataFrame(columns=["rule_id", "segment", "at", "role"])
    found = boundaries(book, params.running, products=params.strata, first=cases.first_decided, last=cases.last_decided)
    segments = [arm for arm in (params.treated_arm, params.control_arm) if arm] or sorted(set(found["segment"]))
    others = of_other_rules(found, ruleset_id=params.ruleset_id, segments=segments)
    own = ~found.set_index(["ruleset_id", "rule_id", "at"]).index.isin(others.set_index(["ruleset_id", "rule_id", "at"]).index)
    return found.assign(role=np.where(own, "asked", "other"))


def _estimate(params: QuasiExperiment, cases: CutOffCases, rules: pd.DataFrame, others: Sequence[float]) -> _Read:
    where = _where(params)
    known = cases.frame[cases.frame["outcome"].notna()].reset_index(drop=True)
    # Overridden on purpose: then the side of the rule is what is compared first, and who was treated comes in below.
    asked = known.drop(columns="treated", errors="ignore") if params.overridden else known
    found = sharp_discontinuity(asked, **where, treated_side=params.treated_side, other_cutoffs=others)
    row = found.effects.iloc[0]
    widths = Bandwidths(row["bandwidth"], row["bias_bandwidth"]) if np.isfinite(row["bandwidth"]) else _widths(known, where, found)
    fuzzy = (
        fuzzy_discontinuity(known, **where, treated_side=params.treated_side, bandwidths=widths) if params.overridden and widths else None
    )
    early = [item.name for item in cases.covariates if item.measured == "before"]
    placebo = pd.concat([_placebo(cases.frame.assign(outcome=cases.covariate(name)), name, where) for name in early] or [_no_placebo()])
    return _Read(cases=cases, known=known, rules=rules, found=found, fuzzy=fuzzy, widths=widths, placebo=placebo)


def _widths(known: pd.DataFrame, where: dict, found: Discontinuity) -> Bandwidths | None:
    """How near the cut-off a test would draw lots, where the cases are many enough to say although something else refuses the effect."""
    supply = {"running_varies", "outcome_varies", "both_sides_filled", "cases_per_side"}
    return None if any(item.name in supply for item in refused(found.conditions)) else mse_bandwidths(*split(known, **where))


def _where(params: QuasiExperiment) -> dict:
    return {"cutoff": float(params.cutoff or 0.0), "cutoff_belongs_to": params.cutoff_belongs_to}


def _placebo(frame: pd.DataFrame, name: str, where: dict) -> pd.DataFrame:
    known = frame.dropna(subset=["outcome"])
    if known.empty:
        return _no_placebo()
    return checks.covariate_placebo(known["running"], {name: known["outcome"]}, **where)


def _no_placebo() -> pd.DataFrame:
    return checks.covariate_placebo([], {}, cutoff=0.0, cutoff_belongs_to="above")


def _conditions(params: QuasiExperiment, read: _Read, choices: pd.DataFrame) -> list[Condition]:
    cases = read.cases
    missing = cases.frame["outcome"].isna()
    gap = _placebo(cases.frame.assign(outcome=missing.astype(float)), "missing", _where(params)) if missing.any() else _no_placebo()
    facts = decided.CutOffFacts(
        total=cases.total,
        clusters=cases.clusters,
        kept=len(cases.frame),
        without_running=cases.left_out["no_running"],
        open_horizon=cases.left_out["open_horizon"],
        missing=int(missing.sum()),
        missing_jump_p=float(gap["p_value"].iloc[0]) if len(gap) else float("nan"),
        impossible=cases.impossible,
        recorded=bool(params.treated_arm),
        late=[item.name for item in cases.covariates if item.measured != "before"],
    )
    own = read.rules[read.rules["role"] == "asked"]
    found = [
        *read.found.conditions,
        *read.cases.delivered,
        *decided.supply(facts),
        *decided.switches_here(own, float(params.cutoff or 0.0)),
    ]
    if read.fuzzy:
        found.append(read.fuzzy.condition)
    if len(read.placebo):
        found.append(checks.covariates_continuous(checks.held_together(read.placebo)))
    if not refused(found):
        found.append(decided.choices_agree(choices, float(_answer(read)["estimate"].iloc[0])))
    return found


def _answer(read: _Read) -> pd.DataFrame:
    return read.fuzzy.effects if read.fuzzy else read.found.effects


def _choices(read: _Read, params: QuasiExperiment) -> pd.DataFrame:
    """The jump on the side of the rule at other bandwidths and without the closest cases; `at` a number."""
    columns = ["check", "at", "estimate", "low", "high", "p_value", "note"]
    if read.widths is None:
        return pd.DataFrame(columns=columns)
    options = {**_where(params), "treated_side": params.treated_side}
    widths = checks.bandwidth_sensitivity(read.known, **options)
    parts = [widths[widths["at"] != 1]]
    if params.donut_radii:
        parts.append(checks.donut(read.known, **options, radii=params.donut_radii))
    table = pd.concat(parts, ignore_index=True)[columns]
    if read.fuzzy is None:
        return table
    # Among those who follow the rule every jump is as many times larger as fewer follow it.
    followed = float(read.fuzzy.followed["estimate"]) or float("nan")
    return table.assign(**{name: table[name] / followed for name in ("estimate", "low", "high")})


def _told(book: Book, params: QuasiExperiment, read: _Read, choices: pd.DataFrame, conditions: list[Condition]) -> Study:
    outcome = read.cases.outcome
    effects = withheld(_effects(read, params), conditions, note=NOT_ANSWERABLE)
    if refused(conditions):
        effects["without_rule"] = np.nan
    answer = effects.iloc[0]
    naive = _naive(read, params, answer)
    return Study(
        conditions=tuple(conditions),
        design="quasi_experiment",
        rules=read.rules.assign(at=[_place(at, book, params) for at in read.rules["at"]]),
        treated=_treated(read.cases, params),
        effects=effects,
        points=_points(read, params, draw_lines=not refused(conditions)),
        parts=_near(read, params, book),
        choices=withheld(_written(read, choices, params, book), conditions, note=NOT_ANSWERABLE),
        naive=withheld(naive, conditions, note=NOT_ANSWERABLE),
        answer=Effect(
            **{name: float(answer[name]) for name in ("value", "low", "high", "p_value")},
            base=float(answer["without_rule"]),
            cases=int(answer["cases_below"] + answer["cases_above"]),
        ),
        outcome=outcome.name,
        unit=outcome.unit,
        currency=book.currency,
        labels=outcome.label,
        shown=_SHOWN,
        test=_test(read, params, book, answer),
        measured=read.cases.total,
    )


def _effects(read: _Read, params: QuasiExperiment) -> pd.DataFrame:
    """The answer first: conventional estimate, robust interval; then, where the rule was overridden, what it is made of."""
    base = float("nan")
    if read.widths is not None:
        ends = limits(*split(read.known, **_where(params)), read.widths)
        base = ends[0] if params.treated_side == "above" else ends[1]
    whole = [("side_of_the_rule" if read.fuzzy else "at_the_cutoff", read.found.effects, base)]
    if read.fuzzy:
        whole.insert(0, ("followers", read.fuzzy.effects, float("nan")))
    rows = []
    for name, table, without in whole:
        plain, robust = table.iloc[0], table.iloc[1]
        same = {key: robust[key] for key in ("low", "high", "p_value", "cases_below", "cases_above", "bandwidth", "bias_bandwidth", "note")}
        rows.append({"estimand": name, "value": plain["estimate"], "se": plain["standard_error"], "without_rule": without, **same})
    return pd.DataFrame(rows)[_EFFECTS]


def _treated(cases: CutOffCases, params: QuasiExperiment) -> pd.DataFrame:
    table = cases.sides.rename(columns={"treated": "was_treated"})
    table.insert(1, "rule_says", table["side"] == params.treated_side)
    return table.assign(treated_share=table["was_treated"] / table["cases"].where(table["cases"] > 0))


def _points(read: _Read, params: QuasiExperiment, *, draw_lines: bool) -> pd.DataFrame:
    columns = ["series", "side", "running", "value", "cases", "note"]
    where = _where(params)
    if read.known["running"].nunique() < 2:
        return pd.DataFrame(columns=columns)
    far = float((read.known["running"] - where["cutoff"]).abs().max())
    width = min(_SEEN * read.widths.main, far) if read.widths else far
    bins = binned_means(read.known, **where, width=width, min_cases=params.min_cell)
    shown = suppress_small_cells(bins.assign(note=""), min_cell=params.min_cell)
    lines = [fitted_lines(*split(read.known, **where), read.widths, cutoff=where["cutoff"])] if read.widths and draw_lines else []
    return pd.concat([shown, *lines], ignore_index=True).reindex(columns=columns)


def _near(read: _Read, params: QuasiExperiment, book: Book) -> pd.DataFrame:
    """The dots of the figure inside the bandwidth, as numbers."""
    if read.widths is None:
        return pd.DataFrame(columns=["side", "running", "cases", "value", "note"])
    bins = binned_means(read.known, **_where(params), width=read.widths.main, min_cases=params.min_cell, bins=_NEAR_BINS)
    shown = suppress_small_cells(bins.assign(note=""), min_cell=params.min_cell)
    return shown.assign(running=[_place(_rounded(at), book, params) for at in shown["running"]])[
        ["side", "running", "cases", "value", "note"]
    ]


def _rounded(at: float) -> float:
    """A place as it is read: whole where it is large."""
    return round(at, 3) if abs(at) < 1000 else round(at)


def _written(read: _Read, choices: pd.DataFrame, params: QuasiExperiment, book: Book) -> pd.DataFrame:
    """The other choices and the placebos as they are recorded, `at` in words."""
    places = [
        say("bandwidth_times", params.lang, times=formats.number(at, params.lang, digits=2))
        if check == "bandwidth"
        else _place(at, book, params)
        for check, at in zip(choices["check"], choices["at"], strict=True)
    ]
    own = choices.assign(at=places, unit=read.cases.outcome.unit)
    names = [value("covariate", name, params.lang) for name in read.placebo["covariate"]]
    units = {item.name: item.unit for item in read.cases.covariates}
    placebo = read.placebo.assign(check="placebo", at=names, unit=[units[name] for name in read.placebo["covariate"]])
    return pd.concat([part.rename(columns={"estimate": "value"}).reindex(columns=_CHOICES) for part in (own, placebo)], ignore_index=True)


def _naive(read: _Read, params: QuasiExperiment, answer: pd.Series) -> pd.DataFrame:
    """All treated against all others, then both sides near the cut-off without their slopes, then the answer."""
    columns = ["comparison", "value", "low", "high", "note"]
    parts = [_compared(read.cases.sums, "treated_against_others")]
    if read.widths is not None:
        near = checks.sums_inside(read.known, **_where(params), treated_side=params.treated_side, width=read.widths.main)
        outcome = read.cases.outcome
        near = near.assign(outcome=outcome.name, unit=outcome.unit, horizon_days=outcome.horizon_days, note="")
        parts.append(_compared(near, "sides_near_the_cutoff"))
    parts.append(pd.DataFrame([answer]).assign(comparison="answer").reindex(columns=columns))
    return pd.concat([part[columns] for part in parts if len(part)], ignore_index=True)


def _compared(sums: pd.DataFrame, name: str) -> pd.DataFrame:
    if set(sums["arm"]) != {"treated", "untreated"}:
        return pd.DataFrame(columns=["comparison", "value", "low", "high", "note"])
    return compare_arms(arm_means(sums), base="untreated").assign(comparison=name)


def _running_unit(params: QuasiExperiment) -> str:
    return "minor" if params.ruleset_id and params.running == "balance" else "count"


def _place(at: float, book: Book, params: QuasiExperiment) -> str:
    """A value of the running variable as it is read: money where it is money."""
    if _running_unit(params) == "minor":
        return formats.money(at, book.currency, params.lang)
    digits = 0 if float(at).is_integer() else formats.digits_for([abs(float(at))], 3, least=1)
    return formats.number(float(at), params.lang, digits=digits)


def _test(read: _Read, params: QuasiExperiment, book: Book, answer: pd.Series) -> dict[str, object]:
    """The words of the proper test: lots drawn among the cases near the cut-off."""
    lang, needed, monthly = params.lang, float("nan"), float("nan")
    width = read.widths.main if read.widths else float("nan")
    if read.widths is not None:
        near = checks.sums_inside(read.known, **_where(params), treated_side=params.treated_side, width=width)
        untreated = near.loc[near["arm"] == "untreated", ["cases", "sum_y", "sum_y2"]].iloc[0]
        sums = {str(name): float(number) for name, number in untreated.items()}
        needed = decided.needed_for_test(sums, unit=read.cases.outcome.unit, margin=params.margin_relative)
        monthly = decided.monthly(int(near["cases"].sum()), read.cases.first_decided, read.cases.last_decided)
    words = {
        "needed": formats.number(needed, lang),
        "monthly": formats.number(monthly, lang),
        "margin": formats.share(params.margin_relative, lang),
    }
    relative = float(answer["value"]) / float(answer["without_rule"]) if answer["without_rule"] else float("nan")
    base = {"base": formats.with_unit(float(answer["without_rule"]), read.cases.outcome.unit, lang, currency=book.currency)}
    cutoff = _place(float(params.cutoff or 0.0), book, params)
    reach = _place(_rounded(width), book, params) if np.isfinite(width) else ""
    return {
        **words,
        "cutoff": cutoff,
        "width": reach or formats.UNDEFINED,
        "where": say("lots_within", lang, width=reach, cutoff=cutoff) if reach else say("lots_both_sides", lang, cutoff=cutoff),
        "near": formats.number(float(answer["cases_below"] + answer["cases_above"]), lang),
        "whom": say("whom_followers" if read.fuzzy else "whom_all", lang),
        "without": say("without_rule", lang, **base, relative=formats.share(relative, lang)) if np.isfinite(relative) else "",
        "how": say("test_size", lang, **words) if np.isfinite(needed) else "",
        "pace": say("test_pace", lang, **words) if np.isfinite(monthly) else "",
    }


def effect_figure(found: Study, params: QuasiExperiment) -> Any:
    """Mean outcome by distance from the cut-off, and the lines whose ends the effect is."""
    name = found.labels.get(params.lang, value("outcome", found.outcome, params.lang))
    running = value("running", params.running, params.lang) if params.ruleset_id else say("axis_running", params.lang)
    return figures.cut_off_plot(
        found.points,
        cutoff=float(params.cutoff or 0.0),
        unit=found.unit,
        running_unit=_running_unit(params),
        currency=found.currency,
        lang=params.lang,
        xlabel=running,
        ylabel=name,
    )


def choices_figure(found: Study, params: QuasiExperiment) -> Any:
    """The answer and the other choices, one line each."""
    drawn = found.choices[found.choices["check"] != "placebo"]
    return figures.choices_plot(drawn, found.naive, unit=found.unit, currency=found.currency, lang=params.lang)
