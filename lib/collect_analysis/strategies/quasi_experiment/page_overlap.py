"""Design `overlap`: arms that a rule did not tell apart completely, compared at equal covariates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Covariate, Outcome
from collect_analysis.methods.causal import overlap as diagnostics, sensitivity
from collect_analysis.methods.causal.nuisance import Comparison, Model, Nuisance, cross_fitted
from collect_analysis.methods.evidence import Condition, refused, withheld
from collect_analysis.methods.trials.adjustment import Target, Weighing, doubly_robust, naive_effect, weigh
from collect_analysis.report.conditions import refuse_unread
from collect_analysis.report.disclosure import suppress_small_cells
from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot
from collect_analysis.report.texts import formats, label, say, value
from collect_analysis.strategies import adjusted
from collect_analysis.strategies.decision_log import DecisionLog, open_log
from collect_analysis.strategies.quasi_experiment.decision import Effect
from collect_analysis.strategies.quasi_experiment.decision_overlap import LotTest, OverlapFacts, lot_test, requirements
from collect_analysis.strategies.quasi_experiment.figures_overlap import covariate_name, overlap_and_balance
from collect_analysis.strategies.quasi_experiment.measures_overlap import Arms, over_by, read_arms
from collect_analysis.strategies.quasi_experiment.parameters import QuasiExperiment
from collect_analysis.strategies.quasi_experiment.study import NOT_ANSWERABLE, Shown, Study

# With few cases the answer hangs on how the folds fell; above this it does not, and dealing again only costs time.
_FEW = 20_000
_DEALS = 3
FEW_ALIKE = f"fewer than {100 * diagnostics.LEAST_OVERLAP:.0f} % of them have their like in the other arm"
_OTHER_TRIMS = (0.01, 0.10)
# Bars of too few cases are not shown, so that a small arm needs wider ones.
_COARSE, _FINE, _SMALL = 10, 20, 1_000
_GAPS = (0.10, 0.20, 0.30, 0.50)
_EFFECT = ["estimand", "value", "low", "high", "relative", "p_value", "e_value", "e_value_bound", "kept_share", "cases", "note"]
_CHOICE = ["check", "at", "value", "low", "high", "p_value", "cases", "note"]
_SHOWN = {
    "treated": Shown(
        columns=("arm", "role", "cases", "clusters", "kept", "kept_share", "effective", "largest"), percent=("kept_share", "largest")
    ),
    "effects": Shown(
        columns=("estimand", "value", "low", "high", "relative", "e_value", "e_value_bound", "kept_share", "note"),
        percent=("relative", "kept_share"),
        by_unit=("value", "low", "high"),
    ),
    "choices": Shown(columns=("check", "at", "value", "low", "high", "p_value", "note"), by_unit=("value", "low", "high")),
    "parts": Shown(
        columns=("covariate", "treated_mean", "untreated_mean", "difference_before", "difference_after"),
        by_unit=("treated_mean", "untreated_mean"),
    ),
    "naive": Shown(columns=("comparison", "value", "low", "high", "note"), by_unit=("value", "low", "high")),
}


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """The models of a comparison that may be fitted, and what they say of overlap."""

    comparison: Comparison
    nuisance: Nuisance
    weighing: Weighing


def study(book: Book, params: QuasiExperiment) -> Study:
    """What did the treated arm do for the cases that could have been in either arm?

    Raises
    ------
    DataError
        The book knows no such decisions, arm, outcome or covariate.
    """
    log, recent = _log(book, params)
    refuse_unread(log.cohort.delivered, of=log.cohort.experiment_id)
    outcome = log.cohort.outcome(params.outcome, params.horizon_days)
    declared = adjusted.covariates_of(log.cohort, params.covariates)
    early = [item for item in declared if item.measured == "before"]
    read = _read(book, log, outcome, early, params)
    constant = diagnostics.constant_covariates(read.comparison)
    comparison = read.comparison.without(set(constant))
    late = [item.name for item in declared if item.measured != "before"]
    facts = _facts(book, log, outcome, params, recent=recent, read=read, comparison=comparison, late=late, constant=constant)
    names = (params.treated_arm, params.control_arm)
    conditions = [*requirements(facts), *log.cohort.delivered, *diagnostics.arms_enough(comparison, arms=names)]
    whom = int(comparison.treated.sum()) if params.target == "treated" else len(comparison.treated)
    test = lot_test(comparison, unit=outcome.unit, target_cases=whom, margin=params.margin_relative)
    fit = None if _unfit(conditions) else _fit(comparison, params.model, params)
    if fit:
        conditions += _of_fit(fit, read, params, test)
    found = _told(fit, comparison, conditions, outcome, params, test, book.currency)
    return replace(found, parts=_balance(fit, {item.name: item.unit for item in early}, params))


def _log(book: Book, params: QuasiExperiment) -> tuple[DecisionLog, int | None]:
    """The decisions asked about whose horizon is over, and how many others were left out (None: days unknown)."""
    kind = "" if params.experiment_id else params.decision_kind or "segment"
    log = open_log(
        book,
        horizon_days=params.horizon_days,
        experiment_id=params.experiment_id,
        decision_kind=kind,
        ruleset_id=params.ruleset_id,
    )
    unknown = [arm for arm in (params.treated_arm, params.control_arm) if arm not in log.actions]
    if unknown:
        raise DataError(
            f"'{log.cohort.experiment_id}' has nobody in arm(s) {', '.join(unknown)}; its arms are {', '.join(log.actions)}. "
            "Name them in the report file as the source writes them"
        )
    table = log.cohort.table
    if params.strata:
        table = table.filter(table["stratum" if log.cohort.supplied else "product_code"].isin(list(params.strata)))
    table = table.filter(table["arm"].isin([params.treated_arm, params.control_arm]))
    cohort, recent = over_by(book, replace(log.cohort, table=table), params.horizon_days)
    return replace(log, cohort=cohort), recent


def _read(book: Book, log: DecisionLog, outcome: Outcome, early: Sequence[Covariate], params: QuasiExperiment) -> Arms:
    readable = {name: column for name, (column, _) in log.columns.items() if name not in log.late}
    return read_arms(
        book,
        log.cohort,
        outcome,
        early,
        treated_arm=params.treated_arm,
        control_arm=params.control_arm,
        also_read=readable,
        seed=params.seed,
    )


def _facts(
    book: Book,
    log: DecisionLog,
    outcome: Outcome,
    params: QuasiExperiment,
    *,
    recent: int | None,
    read: Arms,
    comparison: Comparison,
    late: list[str],
    constant: list[str],
) -> OverlapFacts:
    pair = [params.treated_arm, params.control_arm]
    flaws = arms.flaws(book, log.cohort, pair, [outcome]).iloc[0]
    return OverlapFacts(
        outcome=outcome.name,
        days=outcome.horizon_days,
        subjects=read.subjects,
        read=len(read.comparison.treated) + read.no_outcome,
        no_outcome=read.no_outcome,
        impossible=int(flaws["negative"] + max(flaws["not_yes_no"] - flaws["missing"], 0)),
        twice=read.twice,
        recent=recent,
        adjusted_for=comparison.names,
        late=late,
        constant=constant,
        filled=read.filled,
    )


def _unfit(conditions: Sequence[Condition]) -> bool:
    """Whether there is nothing to fit: too few cases or results, or no covariate."""
    return any(item.name.startswith(("comparison_arms", "comparison_outcomes", "comparison_adjusted")) for item in refused(conditions))


def _fit(comparison: Comparison, model: Model, params: QuasiExperiment) -> _Fit:
    deals = _DEALS if model == "linear" and len(comparison.treated) <= _FEW else 1
    nuisance = cross_fitted(comparison, model=model, repeats=deals, seed=params.seed)
    weighing = weigh(comparison.treated, nuisance.propensity, target=params.target, trim=params.trim)
    return _Fit(comparison=comparison, nuisance=nuisance, weighing=weighing)


def _of_fit(fit: _Fit, read: Arms, params: QuasiExperiment, test: LotTest) -> list[Condition]:
    ruled = diagnostics.ruled_share(read.comparison.treated, read.read, target=params.target, seed=params.seed)
    known = [share for share in (ruled, read.certain_share) if np.isfinite(share)]
    overlap = diagnostics.overlap_enough(
        fit.weighing, ruled=max(known, default=float("nan")), trim=params.trim, needed=test.needed, lot=test.lot
    )
    if refused(overlap):
        return overlap
    return [*overlap, diagnostics.balanced(diagnostics.balance_table(fit.comparison, fit.weighing))]


def _told(
    fit: _Fit | None,
    comparison: Comparison,
    conditions: list[Condition],
    outcome: Outcome,
    params: QuasiExperiment,
    test: LotTest,
    currency: str,
) -> Study:
    answerable = fit is not None and not refused(conditions)
    effects = _effects(fit, params) if fit is not None and answerable else _no_effects(params, comparison)
    answer = effects.iloc[0]
    return Study(
        conditions=tuple(_named(item, outcome, params.lang) for item in conditions),
        design="adjusted",
        treated=_treated(fit, comparison, params),
        effects=effects,
        points=_points(fit, params),
        choices=_choices(fit, answer, params) if fit is not None and answerable else pd.DataFrame(columns=_CHOICE),
        naive=_naive(comparison, answer, conditions),
        answer=Effect(
            **{name: float(answer[name]) for name in ("value", "low", "high", "p_value")},
            base=float(answer["base_mean"]),
            cases=int(answer["cases"]),
        ),
        outcome=outcome.name,
        unit=outcome.unit,
        currency=currency,
        labels=outcome.label,
        shown=_SHOWN,
        test=_words(answer, outcome, test, params, currency),
        measured=len(comparison.treated),
    )


def _named(item: Condition, outcome: Outcome, lang: str) -> Condition:
    """The condition with its outcome and covariates called as a page calls them."""
    details = dict(item.details)
    if "outcome" in details:
        details["outcome"] = outcome.label.get(lang, value("outcome", outcome.name, lang))
    if "covariate" in details:
        details["covariate"] = covariate_name(str(details["covariate"]), lang)
    if "covariates" in details:
        details["covariates"] = [covariate_name(str(name), lang) for name in details["covariates"]]  # type: ignore[attr-defined]
    return replace(item, details=details)


def _effects(fit: _Fit, params: QuasiExperiment) -> pd.DataFrame:
    """The answer for the declared target, then for the other one where the arms overlap there too."""
    targets: list[Target] = ["treated", "everybody"] if params.target == "treated" else ["everybody", "treated"]
    rows = []
    for target in targets:
        row = doubly_robust(fit.comparison, fit.nuisance, target=target, trim=params.trim).iloc[0]
        weighing = weigh(fit.comparison.treated, fit.nuisance.propensity, target=target, trim=params.trim)
        bound = sensitivity.e_value_of_interval(row["ratio"], row["ratio_low"], row["ratio_high"])
        strength = {"e_value": float(sensitivity.e_value(row["ratio"])), "e_value_bound": bound}
        rows.append({**row, "estimand": f"effect_on_{target}", "kept_share": weighing.kept_share, **strength})
    table = pd.DataFrame(rows)
    unlike = table["kept_share"] < diagnostics.LEAST_OVERLAP
    claims = [name for name in table.columns if name in _EFFECT and name not in ("estimand", "kept_share", "cases", "note")]
    table.loc[unlike, claims] = np.nan
    table.loc[unlike, "note"] = FEW_ALIKE
    return table[[*_EFFECT, "base_mean"]]


def _no_effects(params: QuasiExperiment, comparison: Comparison) -> pd.DataFrame:
    row = {"estimand": f"effect_on_{params.target}", "cases": len(comparison.treated), "note": NOT_ANSWERABLE}
    return pd.DataFrame([row]).reindex(columns=[*_EFFECT, "base_mean"])


def _treated(fit: _Fit | None, comparison: Comparison, params: QuasiExperiment) -> pd.DataFrame:
    weighing = fit.weighing if fit else weigh(comparison.treated, np.full(len(comparison.treated), 0.5), target=params.target, trim=0.0)
    table = diagnostics.weight_table(comparison, weighing)
    table.insert(0, "arm", [params.treated_arm, params.control_arm])
    if not fit:
        table[["kept", "kept_share", "effective", "largest"]] = np.nan
    return table


def _points(fit: _Fit | None, params: QuasiExperiment) -> pd.DataFrame:
    """What the figure draws: shares of each arm by propensity, bins of too few cases left out, and each covariate's difference."""
    columns = ["panel", "name", "low", "high", "value", "after", "cases", "note"]
    if fit is None:
        return pd.DataFrame(columns=columns)
    smaller = min(int(fit.comparison.treated.sum()), int((~fit.comparison.treated).sum()))
    bins = diagnostics.overlap_table(fit.comparison.treated, fit.nuisance.propensity, bins=_COARSE if smaller < _SMALL else _FINE)
    sides = {"treated": params.treated_arm, "untreated": params.control_arm}
    shares = [
        bins[["low", "high"]].assign(panel="propensity", name=arm, cases=bins[side], value=bins[f"{side}_share"], note="")
        for side, arm in sides.items()
    ]
    shown = suppress_small_cells(pd.concat(shares, ignore_index=True), min_cell=params.min_cell)
    # The bounds of a bin are no result; hiding them would only take the bin out of order.
    shown[["low", "high"]] = pd.concat(shares, ignore_index=True)[["low", "high"]]
    balance = diagnostics.balance_table(fit.comparison, fit.weighing)
    differences = pd.DataFrame(
        {
            "panel": "balance", "name": balance["covariate"], "value": balance["difference_before"], "after": balance["difference_after"],
            "cases": len(fit.comparison.treated), "note": "",
        }
    )  # fmt: skip
    return pd.concat([shown, differences], ignore_index=True).reindex(columns=columns)


def _balance(fit: _Fit | None, units: Mapping[str, str], params: QuasiExperiment) -> pd.DataFrame:
    """What each covariate is on average in both arms, and how far apart they are before and after weighting."""
    if fit is None:
        return pd.DataFrame(columns=list(_SHOWN["parts"].columns))
    table = diagnostics.balance_table(fit.comparison, fit.weighing)
    yes_no = np.isin(fit.comparison.covariates, (0.0, 1.0)).all(axis=0)
    names = [covariate_name(str(name), params.lang) for name in table["covariate"]]
    own = [units.get(str(name), "count") for name in table["covariate"]]
    return table.assign(covariate=names, unit=np.where(yes_no, "share", own))


def _choices(fit: _Fit, answer: pd.Series, params: QuasiExperiment) -> pd.DataFrame:
    """The answer with the other model, other trims, without each covariate; and how much a hidden driver must do to explain it."""
    rows: list[tuple[str, str, pd.DataFrame]] = []
    other: Model = "boosting" if params.model == "linear" else "linear"
    cases, trim, target = fit.comparison, params.trim, params.target
    rows.append(
        ("model", value("model", other, params.lang), doubly_robust(cases, _fit(cases, other, params).nuisance, target=target, trim=trim))
    )
    rows += [
        ("trim", formats.share(bound, params.lang), doubly_robust(cases, fit.nuisance, target=target, trim=bound))
        for bound in _OTHER_TRIMS
        if bound != trim
    ]
    for name in params.covariates:
        own = {column for column in cases.names if column == name or column.startswith(f"{name}: ")}
        if own and len(own) < len(cases.names):
            fewer = _fit(cases.without(own), params.model, params)
            rows.append(
                (
                    "left_out",
                    covariate_name(name, params.lang),
                    doubly_robust(fewer.comparison, fewer.nuisance, target=target, trim=trim),
                )
            )
    tables = [row.assign(check=check, at=at) for check, at, row in rows]
    drivers = sensitivity.driver_table(answer["value"], answer["low"], answer["high"], base_mean=answer["base_mean"], gaps=_GAPS)
    hidden = pd.DataFrame(
        {
            "check": "hidden_driver", "at": [formats.share(gap, params.lang, digits=0) for gap in drivers["gap"]],
            "value": drivers["outcome_change"], "cases": answer["cases"], "note": "",
        }
    )  # fmt: skip
    return pd.concat([*tables, hidden], ignore_index=True).reindex(columns=_CHOICE)


def _naive(comparison: Comparison, answer: pd.Series, conditions: Sequence[Condition]) -> pd.DataFrame:
    raw = naive_effect(comparison).assign(comparison="raw_difference")
    own = pd.DataFrame([answer]).assign(comparison="answer")
    columns = ["comparison", "value", "low", "high", "cases", "note"]
    table = pd.concat([raw.reindex(columns=columns), own.reindex(columns=columns)], ignore_index=True)
    return withheld(table, conditions, note=NOT_ANSWERABLE)


def _words(answer: pd.Series, outcome: Outcome, test: LotTest, params: QuasiExperiment, currency: str) -> Mapping[str, object]:
    """The words of the confidence and of the proper test."""
    lang = params.lang
    base = formats.with_unit(float(answer["base_mean"]), outcome.unit, lang, currency=currency)
    words = {
        "treated": params.treated_arm,
        "control": params.control_arm,
        "needed": formats.number(test.needed, lang),
        "cases": formats.number(test.cases, lang),
        "lot": formats.share(test.lot, lang),
        "drawn": formats.number(test.lot * test.cases, lang),
        "margin": formats.share(params.margin_relative, lang),
        "without": say("without_treatment", lang, base=base, relative=formats.share(float(answer["relative"]), lang)),
        "covariates": ", ".join(covariate_name(name, lang) for name in params.covariates),
    }
    strength = {name: formats.number(float(answer[name]), lang, digits=2) for name in ("e_value", "e_value_bound")}
    reached = "hidden_bound" if answer["e_value_bound"] > 1 else "hidden_none"
    words["hidden"] = say(reached, lang, **strength) if np.isfinite(answer["e_value"]) else ""
    return {**words, "how": say("lot_enough" if test.enough else "lot_too_few", lang, **words)}


def effect_figure(found: Study, params: QuasiExperiment) -> Any:
    """Propensities of both arms, mirrored, and the balance of the covariates before and after weighting."""
    low = params.trim if params.target == "everybody" else 0.0
    return overlap_and_balance(
        found.points,
        arms=(params.treated_arm, params.control_arm),
        trim=(low, 1 - params.trim),
        most=diagnostics.MOST_IMBALANCE,
        lang=params.lang,
    )


def choices_figure(found: Study, params: QuasiExperiment) -> Any:
    """The raw difference, the answer, and the answer under other choices, one line each."""
    lang = params.lang
    others = found.choices[found.choices["check"] != "hidden_driver"]
    names = [f"{value('check', str(row['check']), lang)}: {row['at']}" for row in others.to_dict("records")]
    naive = found.naive.assign(label=[value("comparison", str(name), lang) for name in found.naive["comparison"]])
    naive = naive.assign(answer=naive["comparison"] == "answer")
    table = pd.concat([naive, others.assign(label=names, answer=False)], ignore_index=True)
    axes = interval_plot(table, label="label", xlabel="", lang=lang, highlight="answer")
    style.outcome_axis(axes.xaxis, found.unit, label("value", lang), currency=found.currency, lang=lang)
    return axes
