"""Three answers on what drives an outcome: what predicts it, what we can change, where the challenger works. Each from its own data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.measures.lot import by_lot
from collect_analysis.methods.evidence import Condition, Grade, grade, refused
from collect_analysis.methods.profiling import prognosis
from collect_analysis.methods.rates.multiplicity import holm
from collect_analysis.methods.targeting import policy_tree, uplift
from collect_analysis.strategies import experiment, fitness
from collect_analysis.strategies.drivers import decision, measures
from collect_analysis.strategies.drivers.measures import Subjects
from collect_analysis.strategies.drivers.parameters import Drivers
from collect_analysis.strategies.experiment import deciding_effect

LEVER_COLUMNS = ["experiment_id", "arm", "base", "outcome", "unit", "horizon_days", "cases", "base_mean", "mean", "value", "low", "high"]
LEVER_COLUMNS += ["relative", "relative_low", "relative_high", "p_value", "p_adjusted", "grade", "unmet", "note"]


@dataclass(frozen=True, kw_only=True)
class Read:
    """The subjects of the test, the factors that may be used, the conditions that say which may not, and what the outcome lacks."""

    subjects: Subjects
    factors: pd.DataFrame
    conditions: list[Condition]
    lacking: str = ""


@dataclass(frozen=True, kw_only=True)
class Prognosis:
    """What predicts: how the two parts were made, and the tables of `methods.prognosis`, empty where the outcome cannot be predicted."""

    conditions: list[Condition]
    parts: pd.DataFrame
    scores: pd.DataFrame
    calibration: pd.DataFrame
    importance: pd.DataFrame
    effects: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class Works:
    """Where it works: the tables of `methods.uplift` and `methods.policy_tree` on the judging half, without numbers where refused."""

    conditions: list[Condition]
    action: decision.Action
    ranking: pd.DataFrame
    curve: pd.DataFrame
    groups: pd.DataFrame
    rules: pd.DataFrame
    clauses: pd.DataFrame
    policies: pd.DataFrame
    rule_rows: list[dict[str, object]] = field(default_factory=list)


def read(book: Book, cohort: Cohort, params: Drivers) -> Read:
    """The subjects with their declared factors; factors that may not be used are named and gone."""
    declared = measures.factors_of(cohort, list(params.factors))
    outcome = cohort.outcome(params.primary_outcome, params.horizon_days)
    known = [item for item in declared if item.measured == "before"]
    found = measures.subjects(
        book, cohort, known, champion=params.champion, challenger=params.challenger, outcome=outcome, seed=params.seed
    )
    flags = {name: decision.Flags(actionable=item.actionable, lawful=item.lawful) for name, item in params.factors.items()}
    table = decision.factor_table(declared, flags, protected=params.protected, x=found.x)
    used = [str(name) for name in table["factor"][table["used"]]]
    return Read(
        subjects=found.with_factors(used),
        factors=table,
        conditions=decision.factor_conditions(table),
        lacking=cohort.lacking(book, "payment"),
    )


def predict(taken: Read, params: Drivers) -> Prognosis:
    """What predicts the outcome under the champion? Learned on the earlier accounts, judged on the later ones (else on a half by hash)."""
    champion = taken.subjects.of(~taken.subjects.treated)
    judged, first_day = decision.later_part(champion, params.later_share)
    found = decision.prognosis_conditions(champion, judged, first_day)
    parts = _parts(champion, judged, params)
    if taken.lacking:
        parts = parts.assign(numerator=np.nan, value=np.nan, note=taken.lacking)
    if refused([*taken.conditions, *found]):
        nothing = pd.DataFrame(columns=["factor", "value", "low", "high"])
        groups = pd.DataFrame(columns=["group", "cases", "predicted", "value", "low", "high", "numerator", "denominator"])
        scores = pd.DataFrame(columns=["measure", "value", "low", "high", "cases", "note"])
        effects = pd.DataFrame(columns=["factor", "place", "at", "category", "value", "low", "high"])
        return Prognosis(conditions=found, parts=parts, scores=scores, calibration=groups, importance=nothing, effects=effects)
    yes = (champion.y > 0).astype(int)
    rng = np.random.default_rng(params.seed)
    learned, later = champion.of(~judged), champion.of(judged)
    model = prognosis.fit_prognosis(learned.x, yes[~judged], seed=params.seed)
    probability = model.predict(later.x)
    flags = taken.factors.set_index("factor")[["actionable", "lawful"]]
    importance = prognosis.permutation_importance(model, later.x, yes[judged], later.cluster, rng=rng)
    return Prognosis(
        conditions=found,
        parts=parts,
        scores=prognosis.judge_prognosis(yes[judged], probability, later.cluster),
        calibration=prognosis.calibration_table(yes[judged], probability),
        importance=importance.join(flags, on="factor"),
        effects=prognosis.partial_effects(learned.x, yes[~judged], learned.cluster, later.x, rng=rng, seed=params.seed),
    )


def _parts(champion: Subjects, judged: np.ndarray, params: Drivers) -> pd.DataFrame:
    """Who was learned from and who was judged: part, arm, first_assigned, last_assigned, cases, numerator, value (share above zero)."""
    rows = []
    for part, chosen in (("learning", ~judged), ("judging", judged)):
        own = champion.of(chosen)
        days, yes, cases = own.day[~np.isnan(own.day)], int((own.y > 0).sum()), len(own.y)
        ends = [_date(days.min()), _date(days.max())] if len(days) else [None, None]
        dates = {"first_assigned": ends[0], "last_assigned": ends[1]}
        rows.append(
            {"part": part, "arm": params.champion, **dates, "cases": cases, "numerator": yes, "value": yes / cases if cases else np.nan}
        )
    return pd.DataFrame(rows)


def _date(day: float) -> date:
    return date(1970, 1, 1) + timedelta(days=int(day))


def conditions_of_test(book: Book, cohort: Cohort, taken: Read, params: Drivers) -> list[Condition]:
    """What the third answer rests on: all that a strategy review asks of a test, and what learning from it asks beside."""
    test = _review_conditions(book, cohort, params)
    own = decision.uplift_conditions(taken.subjects, randomised=by_lot(test), champion=params.champion, challenger=params.challenger)
    return [*test, *own]


def _review_conditions(book: Book, cohort: Cohort, params: Drivers) -> list[Condition]:
    means = experiment.means_of(book, cohort, params, cohort.outcomes)
    return experiment.conditions_of(book, cohort, params, means=means, doses=experiment.doses_of(book, cohort, params))


def levers_of(book: Book, params: Drivers) -> pd.DataFrame:
    """What did each lever that was given by lot change? The report's own test and those it names, each under its own conditions.

    Columns: experiment_id, arm, base, outcome, unit, horizon_days, cases, base_mean, mean, value, low, high, relative, relative_low,
    relative_high, p_value, p_adjusted (Holm over the levers), grade, unmet (conditions, by name), note.
    """
    own = [params, *(_as_params(params, lever) for lever in params.levers if lever.experiment_id != params.experiment_id)]
    table = pd.concat([_lever(book, item) for item in own], ignore_index=True)
    known = table["p_value"].notna().to_numpy()
    table["p_adjusted"] = np.nan
    table.loc[known, "p_adjusted"] = holm(table.loc[known, "p_value"].to_numpy(dtype=float))
    return table[LEVER_COLUMNS]


def _as_params(params: Drivers, lever) -> Drivers:
    """The report's parameters as they would be for another experiment."""
    return params.model_copy(
        update={
            "experiment_id": lever.experiment_id,
            "champion": lever.champion or params.champion,
            "challengers": [lever.challenger or params.challenger],
            "primary_outcome": lever.primary_outcome or params.primary_outcome,
            "horizon_days": lever.horizon_days or params.horizon_days,
            "covariates": lever.covariates,
            "planned_shares": lever.planned_shares,
            "randomised": lever.randomised,
            "preregistration": lever.preregistration,
            "lot_document": lever.lot_document,
            "dose": "",
            "min_dose_difference": 0.0,
        }
    )


def _lever(book: Book, params: Drivers) -> pd.DataFrame:
    cohort = open_cohort(book, params.experiment_id, arms=params.arms, horizon_days=params.horizon_days)
    found = _review_conditions(book, cohort, params)
    effects = deciding_effect(book, cohort, params, found)
    unmet = ", ".join(item.name for item in found if not item.met and item.consequence != "note")
    design = experiment.plan_of(params).design
    return effects.assign(experiment_id=params.experiment_id, grade=grade(design, found), unmet=unmet)


def effect_of_all(levers: pd.DataFrame, params: Drivers) -> pd.Series:
    """What giving the challenger to everybody changes: the report's own lever, all who were assigned, as the strategy review estimates it."""
    own = levers[(levers["experiment_id"] == params.experiment_id) & (levers["arm"] == params.challenger)]
    return own.iloc[0]


def learn_and_judge(book: Book, cohort: Cohort, taken: Read, found: Sequence[Condition], params: Drivers, *, levers: pd.DataFrame) -> Works:
    """Where does the challenger work? Learned on one half of the customers, judged on the other; a refusing condition leaves no number.

    Whether it works for everybody is no question of the half: that is the effect of the report's own lever (`effect_of_all`).
    """
    everything = [*taken.conditions, *found]
    if refused(everything):
        return _nothing(everything)
    subjects, seed = taken.subjects, params.seed
    rng = np.random.default_rng(seed)
    learning, judging = subjects.of(~subjects.judging), subjects.of(subjects.judging)
    chance = _chance(book, cohort, params, subjects)
    learned = uplift.learn_uplift(
        learning.x, learning.y, learning.treated, np.full(len(learning.y), chance), learning.cluster, rng=rng, seed=seed
    )
    tree = policy_tree.learn_policy_tree(
        learning.x, learned.scores - params.least_effect, depth=params.tree_depth, min_leaf=min(params.min_leaf, len(learning.y))
    )
    if_treated, if_not = learned.outcomes(judging.x)
    scores = uplift.effect_scores(judging.y, judging.treated, np.full(len(judging.y), chance), if_treated, if_not)
    untreated = if_not + (1 - judging.treated) * (judging.y - if_not) / (1 - chance)
    predicted = learned.predict(judging.x)
    net = scores - params.least_effect
    qini = uplift.qini(scores, predicted, judging.cluster, rng=rng)
    slope = uplift.heterogeneity_test(scores, predicted, judging.cluster)
    values = policy_tree.policy_values(untreated, net, tree.treats(judging.x), judging.cluster)
    last, everybody = values[values["policy"] == "tree"].iloc[0], effect_of_all(levers, params)
    action = decision.choose(
        everything,
        qini_low=float(qini["low"]),
        effect=(float(everybody["low"]) - params.least_effect, float(everybody["high"]) - params.least_effect),
        over_all_low=float(last["over_all_low"]),
        over_none_low=float(last["over_none_low"]),
    )
    rule = decision.as_rule(tree, name=params.experiment_id, champion=params.champion, challenger=params.challenger)
    return Works(
        conditions=everything,
        action=action,
        ranking=_ranking(qini, slope),
        curve=uplift.qini_curve(scores, predicted, judging.cluster),
        groups=uplift.uplift_calibration(scores, predicted, judging.cluster),
        rules=_rule_table(tree, policy_tree.rule_effects(tree, judging.x, scores, judging.cluster), params),
        clauses=_clause_table(tree),
        policies=values,
        rule_rows=decision.written_rows(rule),
    )


def _chance(book: Book, cohort: Cohort, params: Drivers, subjects: Subjects) -> float:
    """The probability of the challenger among the two arms: as planned or logged, else as it came out."""
    shares = fitness.planned_shares(experiment.plan_of(params), arms.arm_facts(book, cohort))
    planned = shares[params.challenger] / (shares[params.challenger] + shares[params.champion])
    return planned if 0 < planned < 1 else float(subjects.treated.mean())


def _ranking(qini: dict, slope: dict) -> pd.DataFrame:
    """The three statements on the judging half: effect of treating all, Qini coefficient, slope of the heterogeneity test."""
    cases = float(slope["cases"])
    overall = {"measure": "effect", "value": slope["effect"], "low": slope["effect_low"], "high": slope["effect_high"], "p_value": np.nan}
    order = {"measure": "qini", **{key: qini[key] for key in ("value", "low", "high", "note")}, "p_value": np.nan}
    test = {"measure": "heterogeneity", **{key: slope[key] for key in ("value", "low", "high", "p_value", "note")}}
    return pd.DataFrame([{**row, "cases": cases} for row in ({**overall, "note": ""}, order, test)])


def _rule_table(tree: policy_tree.PolicyTree, effects: pd.DataFrame, params: Drivers) -> pd.DataFrame:
    arms_of = [params.challenger if treat else params.champion for treat in effects["treat"]]
    return effects.drop(columns="treat").assign(arm=arms_of)[["rule", "arm", "cases", "value", "low", "high"]]


def _clause_table(tree: policy_tree.PolicyTree) -> pd.DataFrame:
    """The conditions of the rule table, one per row: rule, factor, from (inclusive), to (exclusive), codes, missing."""
    rows = [
        {"rule": place, "factor": item.factor, "from": item.low, "to": item.high, "codes": ", ".join(item.codes), "missing": item.unknown}
        for place, rule in enumerate(tree.rules, 1)
        for item in rule.clauses
    ]
    return pd.DataFrame(rows, columns=["rule", "factor", "from", "to", "codes", "missing"])


def _nothing(found: list[Condition]) -> Works:
    """Rows without numbers, each with the reason."""
    note = experiment.NOT_ANSWERABLE

    def empty(columns: str, **first: list) -> pd.DataFrame:
        table = pd.DataFrame(first)
        return table.reindex(columns=[*first, *columns.split()]).assign(note=note)

    bounds = "value low high cases"
    pairs = " ".join(f"{name} {name}_low {name}_high" for name in ("over_none", "over_all"))
    return Works(
        conditions=found,
        action="refuse",
        ranking=empty(f"{bounds} p_value", measure=["effect", "qini", "heterogeneity"]),
        curve=empty(f"{bounds} random", treated=[]),
        groups=empty(f"cases predicted {bounds.removesuffix(' cases')}", group=[]),
        rules=empty(f"arm {bounds}", rule=[]),
        clauses=pd.DataFrame(columns=["rule", "factor", "from", "to", "codes", "missing"]),
        policies=empty(f"treated {bounds} {pairs}", policy=["none", "all", "tree"]),
    )


def graded(found: Sequence[Condition], params: Drivers) -> Grade:
    """How far the third answer may be trusted."""
    return grade(experiment.plan_of(params).design, found)
