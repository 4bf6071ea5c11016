"""What the measures are called with: one small shop and one supplied book, opened on any engine."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from collect_analysis.agencies import gates
from collect_analysis.book.policy import in_force, policy
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.measures import assignment, cohort, placements, record_audit, scopes
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.kpi_table import Facts, kpi_table
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.officers import officer_index
from collect_analysis.strategies import decision_log
from collect_analysis.strategies.quasi_experiment.measures_cut_off import CutOffRule
from collect_analysis.strategies.rule_value import measures as rule_value
from collect_analysis.strategies.rules import parse_rule
from collect_analysis.strategies.test_design import measures_history as history

AS_OF = date(2026, 6, 30)
ARMS = ("champion", "challenger")
SUPPLIED = "trial"
GRAINS = ("company", "portfolio", "sub_function", "unit", "officer")


class Opened:
    """A shop and a supplied book on the engine that runs, and what several measures are given."""

    def __init__(self, books: Path) -> None:
        self.book = open_book("sample", as_of=AS_OF, folder=books)
        self.other = supplied_book()
        self.arms = ARMS
        self.period = Period(date(2026, 6, 1), AS_OF)
        # Three months of reference instead of a year: what differs between engines differs there too.
        self.windows = replace(KpiWindows.of(policy("kpi_windows", on=AS_OF)), expected_months=3)
        versions = in_force("legal_limits", start=self.period.previous.start, end=AS_OF)
        # The law of the sample shop holds for all its days.
        self.limits = [replace(LegalLimits.of(version), valid_from=date(2020, 1, 1)) for version in versions[-1:]]
        self.facts = Facts(self.book, self.period, windows=self.windows, limits=self.limits)
        self.panel = placements.Panel(start=date(2025, 1, 1), end=AS_OF, horizon=5)
        self.conduct = gates.ConductWindow(start=date(2025, 7, 1), end=AS_OF)
        self.stack = ExitStack()

    def held(self, context: AbstractContextManager) -> Any:
        """What a measure lends, until the book is closed."""
        return self.stack.enter_context(context)

    def close(self) -> None:
        """Give everything back."""
        self.facts.close()
        self.stack.close()
        self.book._engine.close()
        self.other._engine.close()

    @cached_property
    def kpis(self) -> pd.DataFrame:
        return kpi_table(self.facts, grains=GRAINS)

    @cached_property
    def audit(self) -> record_audit.Audit:
        return self.held(record_audit.audited(self.book, self.period, record_audit.AuditRules(), self.limits))

    @cached_property
    def pooling(self) -> officer_index.Pooling:
        return officer_index.Pooling(last_month=date(2026, 6, 1), pool_months=2, history_months=2)

    @cached_property
    def directory(self) -> scopes.Directory:
        return scopes.Directory.of(self.book, AS_OF)

    @cached_property
    def cohort(self) -> cohort.Cohort:
        return cohort.open_cohort(self.book, "exp-payer", arms=ARMS, horizon_days=90, horizons=[30], dose_days=60)

    @cached_property
    def cash(self) -> cohort.Outcome:
        return self.cohort.outcome("cash_per_account", 90)

    @cached_property
    def payer(self) -> cohort.Outcome:
        return self.cohort.outcome("payer_rate", 90)

    @cached_property
    def numbers(self) -> list[cohort.Covariate]:
        return [item for item in self.cohort.covariates if item.name in ("paid_before", "bucket")]

    @cached_property
    def trial(self) -> cohort.Cohort:
        return cohort.open_cohort(self.other, SUPPLIED, arms=ARMS, horizon_days=90)

    @cached_property
    def assigned(self) -> Any:
        return self.cohort.table.select("subject_key", "cluster_key", "arm", "assigned_on")

    @cached_property
    def history(self) -> history.History:
        population = history.Population(source="stock", buckets=(1, 2, 3, 4))
        return history.open_history(self.book, population, horizon_days=60, months=4, covariates=["balance", "bucket", "score"])

    @cached_property
    def draw(self) -> assignment.Draw:
        plan = assignment.DrawPlan(
            experiment_id="next", salt="autumn", shares={"champion": 0.5, "challenger": 0.5}, strata=("bucket", "balance_band")
        )
        rows = self.history.current
        assert rows is not None
        return assignment.draw(self.book, rows, plan)

    @cached_property
    def log(self) -> decision_log.DecisionLog:
        return decision_log.open_log(self.book, horizon_days=90, experiment_id="exp-payer")

    @cached_property
    def rule(self) -> Any:
        rows = [{"when": {"paid_before": {"from": 1}}, "then": "challenger"}, {"then": {"champion": 0.7, "challenger": 0.3}}]
        return parse_rule("payers", rows).rows

    @cached_property
    def weighed(self) -> rule_value.Weighed:
        return rule_value.weigh(self.book, self.log, self.payer, {"payers": self.rule}, covariates=self.numbers)

    @cached_property
    def cut_off(self) -> CutOffRule:
        return CutOffRule(cutoff=20_000_000.0, belongs_to="above", treated_side="above", treated_arm="field_visit", control_arm="no_visit")


def supplied_book() -> Book:
    """A cohort and an agency table as a shop would supply them: odd money, missing cells, fractions that no binary number holds."""
    rng = np.random.default_rng(7)
    size = 400
    start = rng.choice([None, date(2025, 3, 1), date(2025, 5, 1)], size=8)
    cluster = np.arange(size) % 8
    subjects = pd.DataFrame(
        {
            "experiment_id": SUPPLIED, "subject_key": [f"s{n:04d}" for n in range(size)], "customer_key": [f"c{n // 2:04d}" for n in range(size)],
            "cluster_key": [f"branch-{n}" for n in cluster], "arm": rng.choice(ARMS, size=size),
            "assigned_on": [date(2025, 1 + int(month), 15) for month in rng.integers(0, 8, size)],
            "stratum": rng.choice(["north", "south"], size=size), "propensity": 0.5, "running_value": rng.normal(0, 1, size).round(3),
            "first_treated_on": [start[n] for n in cluster],
            "outcome_cash_minor": np.where(rng.random(size) < 0.4, rng.lognormal(13, 1, size), 0).astype("int64"),
            "outcome_score": (rng.random(size) * 0.1).round(3), "covariate_age": rng.integers(20, 70, size).astype(float),
            "dose_contacts": rng.poisson(3, size).astype(float),
        }
    )  # fmt: skip
    subjects.loc[::17, "covariate_age"] = np.nan
    periods = pd.DataFrame(
        {
            "unit_key": ["ag-a", "ag-b"] * 3, "unit_name": ["A", "B"] * 3,
            "period_start": [date(2025, month, 1) for month in (1, 1, 4, 4, 7, 7)],
            "period_end": [date(2025, month, day) for month, day in ((3, 31), (3, 31), (6, 30), (6, 30), (9, 30), (9, 30))],
            "opening_minor": [100, 200, 90, 210, None, 190], "placed_minor": [10, 20, 30, None, 50, 60], "placed_accounts": [1, 2, 3, 4, 5, 6],
            "collected_minor": [9, 8, 7, 6, 5, 4], "currency": "VND", "is_new": [False, True, None, None, False, False],
        }
    )  # fmt: skip
    for name in ("opening_minor", "placed_minor"):
        periods[name] = periods[name].astype("Int64")
    return book_from_frames({"cohort": subjects, "unit_period": periods}, as_of=AS_OF, roles=_roles())


def _roles() -> dict[str, dict[str, object]]:
    return {
        "cohort.outcome_cash_minor": {"kind": "money", "horizon_days": 90},
        "cohort.outcome_score": {"kind": "number", "horizon_days": 90},
        "cohort.covariate_age": {"measured": "before"},
    }
