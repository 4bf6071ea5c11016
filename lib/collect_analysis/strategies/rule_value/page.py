"""The value of proposed rules, step by step: what they say, whether the log can answer, what they would bring, whom they would change."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.errors import ParameterError
from collect_analysis.measures import arms, lot
from collect_analysis.measures.balance import balance
from collect_analysis.measures.cohort import Outcome
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import simultaneous_level
from collect_analysis.methods.targeting.policy_value import contrast_table, effective, estimate_table
from collect_analysis.report.conditions import refuse_unread
from collect_analysis.report.texts import EVERYONE
from collect_analysis.strategies import fitness
from collect_analysis.strategies.adjusted import covariates_of
from collect_analysis.strategies.decision_log import DecisionLog, open_log
from collect_analysis.strategies.rule_value import decision, decision_fitness, measures as rule_value
from collect_analysis.strategies.rule_value.measures import Weighed
from collect_analysis.strategies.rule_value.parameters import RuleValue
from collect_analysis.strategies.rules import Rule, everyone, misfits, parse_rule

NOT_ANSWERABLE = "not answerable: see the conditions that are not met"
DECIDING = "doubly_robust"
# Of each family of comparisons together.


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Rules beside the log they are judged on, and what the log can bear.

    `rules`: the proposed ones, then "everybody gets X"; `found`: conditions of the log; `by_rule`: of each rule (empty where the log itself
    cannot answer); `base`: the rule they are held against, empty for what was done.
    """

    log: DecisionLog
    outcome: Outcome
    rules: Mapping[str, Rule]
    weighed: Weighed
    found: Sequence[Condition]
    by_rule: Mapping[str, Sequence[Condition]]
    proposed: Sequence[str]
    base: str = ""

    @property
    def conditions(self) -> list[Condition]:
        """What the page says: conditions of the log, then those of the proposed rules as one, then what the base lacks."""
        lacking = [item for item in self.of_base if not item.met]
        merged = decision_fitness.merged({name: self.by_rule[name] for name in self.proposed})
        unmet = {item.name for item in lacking}
        return [*self.found, *(item for item in merged if item.name not in unmet or not item.met), *_apart(lacking, merged)]

    @property
    def of_base(self) -> Sequence[Condition]:
        """The conditions of the rule that the proposed ones are held against; none for what was done."""
        return self.by_rule[self.base] if self.base else ()

    def of_comparison(self, rule: str) -> list[Condition]:
        """All that a comparison of this rule with the base rests on."""
        return [*self.found, *self.by_rule[rule], *self.of_base]

    def answerable(self, rule: str) -> bool:
        """Whether a number may be said of this rule."""
        return not refused([*self.found, *self.by_rule[rule]])


def _apart(lacking: Sequence[Condition], told: Sequence[Condition]) -> list[Condition]:
    """What the base lacks, without what is said of the proposed rules already: one line per check."""
    said = {item.name for item in told if not item.met}
    return [item for item in lacking if item.name not in said]


@dataclass(frozen=True)
class Tables:
    """What was found, as recorded: `value_tables`, `change_tables`, `planned_tests`."""

    estimates: pd.DataFrame
    contrasts: pd.DataFrame
    changes: pd.DataFrame
    tests: pd.DataFrame


def rules_of(params: RuleValue) -> dict[str, Rule]:
    """The proposed rules, then those that give everybody the same action, the baseline first.

    Beside those that the report file names, every action that a row of a proposed rule gives for certain: whether choosing whom brings more
    than giving it to everybody is asked of each rule.
    """
    proposed = {name: parse_rule(name, rows) for name, rows in params.rules.items()}
    given = [action for rule in proposed.values() for row in rule.rows for action, share in row.chances.items() if share == 1]
    same = dict.fromkeys([*([params.baseline] if params.baseline else []), *params.everyone, *sorted(given)])
    return proposed | {f"{EVERYONE}{action}": everyone(action, name=f"{EVERYONE}{action}") for action in same}


def base_of(params: RuleValue) -> str:
    """What the proposed rules are judged against: the rule that gives everybody the baseline; empty: what was done."""
    return f"{EVERYONE}{params.baseline}" if params.baseline else ""


def open_decisions(book: Book, params: RuleValue) -> DecisionLog:
    """The decisions the report file names.

    Raises
    ------
    ParameterError
        A rule asks a column that is not there or of another kind, or names an action that nobody ever took; all problems at once.
    DataError
        The book has no such decisions.
    """
    log = open_log(
        book,
        horizon_days=params.horizon_days,
        experiment_id=params.experiment_id,
        decision_kind=params.decision_kind,
        ruleset_id=params.ruleset_id,
        start=params.period_start,
        end=params.period_end,
        only_drawn=params.only_drawn,
    )
    kinds = {name: kind for name, (_, kind) in log.columns.items()}
    known = {*log.actions, *log.cohort.planned}
    named = {*params.rules, *(f"{EVERYONE}{action}" for action in (params.baseline, *params.everyone))}
    # What a proposed rule gives is asked of that rule, not once more of "everybody gets it".
    rules = [rule for name, rule in rules_of(params).items() if name in named]
    problems = [item for rule in rules for item in misfits(rule, columns=kinds, actions=known)]
    if problems:
        raise ParameterError(problems)
    return log


def judge(book: Book, log: DecisionLog, params: RuleValue) -> Judged:
    """Weighs the decisions under every rule and judges whether the log can answer."""
    refuse_unread(log.cohort.delivered, of=log.cohort.experiment_id)
    rules = rules_of(params)
    outcome = log.cohort.outcome(params.primary_outcome, params.horizon_days)
    declared = covariates_of(log.cohort, params.covariates)
    usable = [item for item in declared if item.measured == "before"]
    weighed = rule_value.weigh(
        book,
        log,
        outcome,
        {name: rule.rows for name, rule in rules.items()},
        covariates=usable,
        folds=params.folds,
        seed=params.seed,
        max_weight=params.max_weight or None,
    )
    late = [item.name for item in declared if item.measured != "before"]
    found = decision_fitness.log_conditions(
        _facts(book, log, outcome), preregistration=params.preregistration, learnt_here=params.learnt_here, late_covariates=late
    )
    found += _drawn_alike(book, log, min_cell=params.min_cell)
    found += log.cohort.delivered
    by_rule = {name: _of_rule(name, rule, log, weighed, answerable=not refused(found)) for name, rule in rules.items()}
    return Judged(
        log=log, outcome=outcome, rules=rules, weighed=weighed, found=found, by_rule=by_rule, proposed=tuple(params.rules),
        base=base_of(params),
    )  # fmt: skip


def _drawn_alike(book: Book, log: DecisionLog, *, min_cell: int) -> list[Condition]:
    """Did chance decide as the logged probabilities say: are those who got each action alike in what was known before?

    Among the decisions that were drawn, within strata where these tell the probabilities apart. Where they do not, it cannot be tested, which
    is said; nothing is said where fewer than two actions were drawn.
    """
    propensity = log.cohort.table["propensity"]
    drawn = replace(log.cohort, table=log.cohort.table.filter((propensity > 0) & (propensity < 1)).cache())
    actions = [action for action in log.actions if action in set(book.frame(drawn.table.select("arm").distinct())["arm"])]
    if len(actions) < 2:
        return []
    facts, strata = arms.arm_facts(book, drawn), arms.strata_facts(book, drawn, actions)
    if not _differs(facts):
        whole = balance(book, drawn, actions, min_cell=min_cell)
        return [*lot.mixed(whole), *lot.drawn_alike(whole)]
    if strata.empty or _differs(strata):
        return lot.drawn_alike(None)
    return lot.drawn_alike(balance(book, drawn, actions, min_cell=min_cell, strata=sorted(set(strata["stratum"]))))


def _differs(facts: pd.DataFrame) -> bool:
    """Whether the logged probability differs within a row."""
    return bool((facts["propensity_high"] - facts["propensity_low"] > fitness.SAME_PROPENSITY).any())


def _of_rule(name: str, rule: Rule, log: DecisionLog, weighed: Weighed, *, answerable: bool) -> list[Condition]:
    before = decision_fitness.known_before(rule, log.late)
    if not answerable:
        return [before]
    return [before, *decision_fitness.rule_conditions(name, weighed.sums[name], weighed.chances[name], weighed.averages[name])]


def _facts(book: Book, log: DecisionLog, outcome: Outcome) -> decision_fitness.LogFacts:
    actions, propensity = list(log.actions), log.cohort.table["propensity"]
    drawn = ((propensity > 0) & (propensity < 1)).fill_null(False)
    counts = book.frame(log.cohort.table.aggregate(impossible=(propensity <= 0).fill_null(False).sum(), drawn=drawn.sum())).iloc[0]
    return decision_fitness.LogFacts(
        facts=arms.arm_facts(book, log.cohort),
        flaws=arms.flaws(book, log.cohort, actions, [outcome]),
        impossible=int(counts["impossible"]),
        drawn=int(counts["drawn"]),
        open_share=arms.open_horizons(book, log.cohort, actions)[outcome.horizon_days],
        horizon_days=outcome.horizon_days,
        outcome=outcome.name,
        later=log.later,
        undrawn=log.undrawn,
    )


def rule_rows(book: Book, case: Judged) -> pd.DataFrame:
    """Whom each row of the proposed rules decides: rule and `measures.rule_value.row_facts`."""
    parts = [
        rule_value.row_facts(book, case.log, case.outcome, case.rules[name].rows).assign(rule=name, unit=case.outcome.unit)
        for name in case.proposed
    ]
    return pd.concat(parts, ignore_index=True)


def log_strength(case: Judged) -> pd.DataFrame:
    """How much does the log tell about each rule? rule, cases, effective_cases, effective_payers, mean (weight), largest (mean weight of a
    cell), agreeing (share of the decisions that were as the rule would have it), note.
    """
    rows = []
    for name, sums in case.weighed.sums.items():
        weight = sums["sum_w"].sum()
        logged = not any(item.name == "propensities_logged" and not item.met for item in case.found)
        agreeing = sums.merge(case.weighed.chances[name], on=["row", "action"], how="left")
        same = float((agreeing["n"] * agreeing["probability"].fillna(0.0)).sum() / sums["n"].sum())
        rows.append(
            {
                "rule": name,
                "cases": int(sums["n"].sum()),
                "agreeing": same,
                "effective_cases": effective(weight, float(sums["sum_ww"].sum())) if logged else np.nan,
                "effective_payers": decision_fitness.effective_payers(sums) if logged else np.nan,
                "mean_weight": weight / sums["n"].sum() if logged else np.nan,
            }
        )
    return pd.DataFrame(rows)


def value_tables(book: Book, case: Judged, params: RuleValue) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What would each rule bring, and how do they compare? (`policy_value.estimate_table`, `contrast_table`, with unit, horizon_days, note.)

    Rules that the log cannot answer keep their rows without a number. What was done keeps its own. Compared in two families, each with
    intervals that hold together (Bonferroni) and p-values by Holm: `confirmatory`, each proposed rule with what is done today;
    `exploratory`, with every "everybody gets X" and with the other proposed rules.
    """
    points, spread = rule_value.values(book, case.weighed)
    estimates = estimate_table(points, spread)
    silent = pd.Series([bool(rule) and not case.answerable(str(rule)) for rule in estimates["rule"]])
    numbers = [column for column in estimates.columns if column not in ("rule", "estimator")]
    estimates.loc[silent, numbers] = np.nan
    estimates = estimates.assign(cases=case.weighed.cases, note=np.where(silent, NOT_ANSWERABLE, ""))
    parts = []
    for family, pairs in _families(case).items():
        asked = [(a, b) for a, b in pairs if case.answerable(a) and (not b or case.answerable(b))]
        level = simultaneous_level(CONFIDENCE, len(asked))
        known = contrast_table(points, spread, asked, estimator=DECIDING, level=level).assign(level=level)
        rest = pd.DataFrame([pair for pair in pairs if pair not in asked], columns=["rule", "against"])
        parts.append((pd.concat([known, rest], ignore_index=True) if len(rest) else known).assign(family=family))
    contrasts = pd.concat([part for part in parts if len(part)], ignore_index=True)
    contrasts = contrasts.assign(note=np.where(contrasts["value"].isna(), NOT_ANSWERABLE, ""))
    return _of_outcome(estimates, case.outcome), _of_outcome(contrasts, case.outcome)


def _families(case: Judged) -> dict[str, list[tuple[str, str]]]:
    """Which rule is compared with which: with what is done today; with what is simpler, and with each other."""
    simple = [(name, rule) for name in case.proposed for rule in case.rules if rule not in case.proposed and rule != case.base]
    return {
        "confirmatory": [(name, case.base) for name in case.proposed],
        "exploratory": [*simple, *itertools.combinations(case.proposed, 2)],
    }


def _of_outcome(table: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    return table.assign(outcome=outcome.name, unit=outcome.unit, horizon_days=outcome.horizon_days)


def change_tables(case: Judged, params: RuleValue) -> pd.DataFrame:
    """Who would get another action than today under each proposed rule (`decision.changes`)."""
    parts = []
    for name in case.proposed:
        taken = case.weighed.sums[name][["row", "action", "n"]]
        today = taken.assign(action=params.baseline) if params.baseline else taken
        parts.append(decision.changes(name, today, case.weighed.chances[name]))
    return pd.concat(parts, ignore_index=True)


def planned_tests(case: Judged, facts: pd.DataFrame, changes: pd.DataFrame, params: RuleValue) -> pd.DataFrame:
    """The test of each proposed rule, row by row (`decision.design_test`)."""
    parts = [
        decision.design_test(
            name,
            facts[facts["rule"] == name],
            changes[changes["rule"] == name],
            unit=case.outcome.unit,
            margin=params.margin_relative,
            weeks=params.test_weeks,
        )
        for name in case.proposed
    ]
    return pd.concat(parts, ignore_index=True)
