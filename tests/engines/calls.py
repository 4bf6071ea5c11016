"""How each measure is called for the comparison of engines. A new public function of `measures/` that takes a book gets a line here."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from collect_analysis import measures
from collect_analysis.agencies import (
    activity as partner_activity,
    batch_triangle,
    factors as placement_factors,
    gates as partners,
    integrity,
    integrity_money,
    integrity_promises,
    invoices,
    placement_balance,
    recording_gaps,
    unit_periods,
    units as panel_units,
)
from collect_analysis.agencies.agency_evaluation import measures_expected, measures_service, measures_sturdiness
from collect_analysis.agencies.placement_plan import measures_flow, measures_recalls
from collect_analysis.measures import (
    account_months,  # fmt: skip
    arms,
    assignment,
    attribution,
    balance,
    bases,
    cash,
    cohort_events,
    conduct,
    costs,
    day_sheets,
    economics,
    expected,
    flow,
    held,
    kpi_table,
    pace,
    pace_days,
    placements,
    promises,
    ratios,
    record_audit,
    recovery,
    segments,
    transitions,
)
from collect_analysis.measures.kpis import KPIS
from collect_analysis.measures.periods import Period
from collect_analysis.measures.table_measures import TABLE_MEASURES, table_of
from collect_analysis.officers import officer_gates, officer_index
from collect_analysis.officers.incentive_scheme import measures as scheme_inputs
from collect_analysis.officers.kpi_validation import measures as officer_months
from collect_analysis.officers.officer_record_audit import measures_assessments
from collect_analysis.portfolio.kpi_period import measures_identities
from collect_analysis.portfolio.pace import measures_outlook
from collect_analysis.portfolio.target_setting import measures as target_inputs, measures_capacity, measures_inflow
from collect_analysis.strategies import adjusted, decision_log
from collect_analysis.strategies.drivers import measures as factors
from collect_analysis.strategies.quasi_experiment import measures_cut_off, measures_overlap, measures_roll_out, measures_rule_boundaries
from collect_analysis.strategies.rule_value import measures as rule_value
from collect_analysis.strategies.strategy_review import measures_exits, measures_net_value, measures_recovery, measures_tails
from collect_analysis.strategies.test_design import measures_history
from collect_analysis.strategies.test_monitor import measures_fidelity, measures_looks

from tests.engines.books import ARMS, AS_OF, GRAINS, SUPPLIED, Opened

LIMITS = partners.GateLimits(complaints_per_10k=50, breaches_per_1000=1, critical_qa_share=0.05, third_party_per_1000=0.1)
RECALLED = measures_recalls.RecallRule(quiet_days=45, oldest_months=5, cooldown_months=2)
YEAR = {"start": date(2025, 7, 1), "end": AS_OF}
MONTH = {"start": date(2026, 6, 1), "end": AS_OF}
ROLL_OUT = {"cluster": "region", "days_past_due": 30, "outcome": "payer_rate"}
_ON_COHORT = ("book", "cohort", "arms")

Call = Callable[[Opened], Any]


def _starts(o: Opened) -> dict[str, date]:
    return measures_roll_out.starts_of_rules(o.book, "early-offer-sample", cluster="region", rule_id="REGION-{cluster}")


NEXT = Period(date(2026, 7, 1), date(2026, 7, 31))
MONTHS = (date(2026, 4, 1), date(2026, 6, 1))
EXPECTED = {"reference_months": 3, "cap_quantile": 0.995}
TARGETS = {"reference_months": 3, "level_months": 2, "history_months": 6, "cap_quantile": 0.995}

PRINTED_KPI = next(kpi.id for kpi in KPIS.values() if kpi.kind == "table" and kpi.measure == "contact.by_hour")
# What the dictionary prints as a table joins by itself.
PRINTED: dict[str, Call] = {name: lambda o, build=measure.build: build(o.facts) for name, measure in TABLE_MEASURES.items()}  # type: ignore[misc]
CALLS: dict[str, Call] = {
    **PRINTED,
    "table_measures.table_of": lambda o: table_of(o.facts, PRINTED_KPI),
    "account_months.whole": lambda o: account_months.whole(o.book, account_months.window_of(o.book, *MONTHS, reference_months=6)),
    "account_months.window_of": lambda o: account_months.window_of(o.book, *MONTHS, reference_months=6),
    "adjusted.adjusted_comparison": lambda o: adjusted.adjusted_comparison(
        o.book, o.cohort, o.payer, o.numbers, base="champion", arms=ARMS
    ),
    "adjusted.explained": lambda o: adjusted.explained(o.book, o.cohort, [o.cash, o.payer], o.numbers, arms=ARMS),
    "adjusted.flat_covariates": lambda o: adjusted.flat_covariates(o.book, o.cohort, ARMS, o.numbers),
    "adjusted.missing_covariates": lambda o: adjusted.missing_covariates(o.other, o.trial, ARMS, o.trial.covariates),
    "arms.arm_facts": lambda o: arms.arm_facts(o.book, o.cohort),
    "arms.arm_sums": lambda o: [
        arms.arm_sums(o.book, o.cohort, ARMS, (*o.cohort.outcomes, *o.cohort.doses)),
        arms.arm_sums(o.other, o.trial, ARMS, (*o.trial.outcomes, *o.trial.doses), by_stratum=True),
    ],
    "arms.flaws": lambda o: arms.flaws(o.other, o.trial, ARMS, o.trial.outcomes),
    "arms.open_horizons": lambda o: arms.open_horizons(o.book, o.cohort, ARMS),
    "arms.ratio_sums": lambda o: arms.ratio_sums(o.book, o.cohort, ARMS, over="balance", horizon_days=90),
    "arms.reached_shares": lambda o: arms.reached_shares(o.book, o.cohort, ARMS, o.cohort.doses[0].name),
    "arms.shared_subjects": lambda o: arms.shared_subjects(o.book, o.cohort, ARMS),
    "arms.strata_facts": lambda o: arms.strata_facts(o.book, o.cohort, ARMS),
    "assignment.drawn_again": lambda o: assignment.drawn_again(o.book, o.cohort, ARMS),
    "assignment.arm_counts": lambda o: assignment.arm_counts(o.book, o.draw),
    "assignment.balance_sums": lambda o: assignment.balance_sums(o.book, o.draw),
    "assignment.draw": lambda o: o.draw,
    "assignment.in_several_arms": lambda o: assignment.in_several_arms(o.book, o.draw),
    "assignment.list_batches": lambda o: [batch.to_pandas() for batch in assignment.list_batches(o.book, o.draw)],
    "assignment.strata_table": lambda o: assignment.strata_table(o.book, o.draw),
    "attribution.attribution": lambda o: attribution.attribution(o.book, o.facts["contacts"], o.period, o.windows),
    "batch_triangle.batch_triangle": lambda o: batch_triangle.batch_triangle(o.book, o.panel),
    "balance.balance": lambda o: balance.balance(o.book, o.cohort, ARMS),
    "bases.contacts_around": lambda o: bases.contacts_around(o.book, o.period, o.windows),
    "cash.collected_by_hand": lambda o: cash.collected_by_hand(o.book, **YEAR),
    "cash.kept_cash": lambda o: cash.kept_cash(o.book),
    "cash.postings": lambda o: cash.postings(o.book, **YEAR),
    "cash.repeated_postings": lambda o: cash.repeated_postings(o.book, **YEAR),
    "cohort.open_cohort": lambda o: [o.cohort, o.trial],
    "cohort_events.cash_delivered": lambda o: cohort_events.cash_delivered(o.book, o.assigned, 90),
    "cohort_events.months_read": lambda o: cohort_events.months_read(o.book, o.assigned, 90),
    "conduct.breaches_by_rule": lambda o: conduct.breaches_by_rule(o.book, o.facts["breaches"], o.limits, by_unit=True),
    "cut_off.cases_of_cohort": lambda o: measures_cut_off.cases_of_cohort(
        o.other,
        SUPPLIED,
        measures_cut_off.CutOffRule(cutoff=0.0, belongs_to="above", treated_side="above"),
        outcome="score",
        horizon_days=90,
    ),
    "cut_off.cases_of_ruleset": lambda o: measures_cut_off.cases_of_ruleset(
        o.book, "visits-sample", o.cut_off, running="balance", outcome="payer_rate", horizon_days=90, covariates=["bucket"]
    ),
    "decision_log.open_log": lambda o: [
        o.log,
        decision_log.open_log(o.book, horizon_days=90, decision_kind="placement", end=date(2025, 12, 31), only_drawn=True),
    ],
    "economics.commission": lambda o: economics.commission(o.book, o.panel, age=5),
    "economics.priced": lambda o: economics.priced(o.book, placements.payments_on(o.book, placements.of_panel(o.book, o.panel))),
    "index_sturdiness.bootstrapped": lambda o: measures_sturdiness.bootstrapped(
        o.book, o.panel, placements.stratum_sums(o.book, o.panel, age=5), age=5, allocation=placements.JUDGMENTAL, seed=1
    ),
    "index_sturdiness.largest_payments": lambda o: measures_sturdiness.largest_payments(
        o.book, o.panel, placements.stratum_sums(o.book, o.panel, age=5), age=5, allocation=placements.JUDGMENTAL
    ),
    "invoices.billed": lambda o: invoices.billed(o.book, **YEAR),
    "invoices.earned": lambda o: invoices.earned(o.book, **YEAR),
    "invoices.tariff_rows": lambda o: invoices.tariff_rows(o.book),
    "invoices.unit_names": lambda o: invoices.unit_names(o.book),
    "exits.cure_exits": lambda o: measures_exits.cure_exits(o.book, o.cohort, ARMS, horizon_days=90),
    "exits.payment_exits": lambda o: measures_exits.payment_exits(o.book, o.cohort, ARMS, horizon_days=90),
    "factors.subjects": lambda o: factors.subjects(
        o.book,
        o.cohort,
        factors.factors_of(o.cohort, ["paid_before", "bucket", "months_since_payment", "product_code"]),
        champion=ARMS[0],
        challenger=ARMS[1],
        outcome=o.payer,
        seed=1,
    ),
    "fidelity.crossings": lambda o: measures_fidelity.crossings(o.book, o.cohort, ARMS, treatments={}, days=60),
    "fidelity.losses": lambda o: measures_fidelity.losses(o.book, o.cohort, ARMS, outcome_column=o.payer.column, days=60),
    "fidelity.weekly_doses": lambda o: measures_fidelity.weekly_doses(o.book, o.cohort, ARMS, days=60),
    "flow.roll_matrix": lambda o: flow.roll_matrix(o.book, o.facts["pairs"], top_bucket=7, few=10),
    "costs.priced_logs": lambda o: costs.priced_logs(o.book),
    "held.attempted": lambda o: held.attempted(o.book, o.period.start, o.period.end, o.windows),
    "held.contacts": lambda o: held.contacts(o.book, o.period.start, o.period.end),
    "held.followed": lambda o: held.followed(o.book, o.period.opening, o.period.end),
    "held.open_accounts": lambda o: held.open_accounts(o.book, o.period.opening, o.period.end),
    "held.overdue": lambda o: held.overdue(o.book, o.period.opening, o.period.end),
    "held.scheduled_days": lambda o: held.scheduled_days(o.book, o.period.start, o.period.end),
    "history.arm_as_now": lambda o: measures_history.arm_as_now(o.book, o.cohort, champion=ARMS[0]),
    "history.bucket_sums": lambda o: measures_history.bucket_sums(
        o.book, o.history.cohort, o.history.cohort.outcomes, assignment.hash_buckets(o.history.cohort.table["cluster_key"], "salt") % 10
    ),
    "history.check_filters": lambda o: measures_history.check_filters(
        o.book, measures_history.Population(source="stock", products=("card",), buckets=(2,))
    ),
    "history.gaps_of": lambda o: measures_history.gaps_of(o.book),
    "history.monthly_sums": lambda o: measures_history.monthly_sums(o.book, o.history),
    "history.open_history": lambda o: o.history,
    "history.products_of": lambda o: measures_history.products_of(
        o.book, o.history.cohort, o.history.cohort.outcomes, [item for item in o.history.cohort.covariates if item.name != "score"]
    ),
    "history.supplied_history": lambda o: measures_history.supplied_history(o.other, o.trial, arm=ARMS[0], covariates=["age"]),
    "kpi_table.by_bucket": lambda o: kpi_table.by_bucket(o.facts, top_bucket=5),
    "kpi_table.compared": lambda o: kpi_table.compared(o.facts, grains=("company",), ids=("F1", "R1", "R14", "C1", "C8", "Q1")),
    "kpi_table.kpi_table": lambda o: o.kpis,
    "kpi_table.lacking": lambda o: kpi_table.lacking(o.facts, ("contact", "cohort")),
    "kpi_table.missing_for": lambda o: {number: kpi_table.missing_for(o.facts, kpi) for number, kpi in KPIS.items() if kpi.base},
    "looks.entries": lambda o: measures_looks.entries(o.book, o.cohort, ARMS),
    "looks.look_sums": lambda o: measures_looks.look_sums(
        o.book, o.cohort, ARMS, [o.cash, o.payer], days=[date(2026, 4, 30), date(2026, 5, 31), AS_OF], horizon_days=90
    ),
    "net_value.net_value": lambda o: measures_net_value.net_value(o.book, o.cohort, ARMS, horizon_days=90),
    "next_flow.held_now": lambda o: measures_flow.held_now(o.book),
    "next_flow.recent_flow": lambda o: measures_flow.recent_flow(o.book, o.panel, months=6),
    "overlap.over_by": lambda o: measures_overlap.over_by(o.book, o.cohort, 90),
    "overlap.read_arms": lambda o: measures_overlap.read_arms(
        o.book, o.cohort, o.payer, o.numbers, treated_arm=ARMS[1], control_arm=ARMS[0], seed=1
    ),
    "pace.pace": lambda o: pace.pace(o.book, o.period, target_minor=1e9),
    "pace.working_days": lambda o: pace.working_days(o.book, o.period),
    "panel_units.noted_units": lambda o: panel_units.noted_units(o.book, replace(o.panel, units=("ag-a", "tele-1"))),
    "panel_units.payments_before": lambda o: panel_units.payments_before(o.book, o.panel),
    "panel_units.refuse_mixed_currencies": lambda o: panel_units.refuse_mixed_currencies(o.book),
    "partner_activity.activity": lambda o: partner_activity.activity(o.book, o.panel, windows=o.windows),
    "partner_service.service": lambda o: measures_service.service(o.book, o.panel, windows=o.windows, limits=o.limits),
    "partners.breaches": lambda o: partners.breaches(o.book, o.conduct, o.limits),
    "partners.gates": lambda o: partners.gates(
        o.book, o.panel, partners.breaches(o.book, o.conduct, o.limits), window=o.conduct, limits=LIMITS
    ),
    "partners.register": lambda o: partners.register(o.book),
    "placement_balance.drawn_balance": lambda o: placement_balance.drawn_balance(o.book, o.panel),
    "placement_expected.expected_cells": lambda o: (
        measures_expected.expected_cells(o.book, o.panel, age=5, factors=placement_factors.FACTORS, seed=1).table
    ),
    "placements.shared": lambda o: placements.shared(o.book, **YEAR),
    "placements.draws": lambda o: placements.draws(o.book, o.panel),
    "placements.inventory": lambda o: placements.inventory(o.book, o.panel),
    "placements.shares_now": lambda o: placements.shares_now(o.book, o.panel, months=6),
    "placements.stratum_sums": lambda o: placements.stratum_sums(o.book, o.panel, age=5),
    "placements.unusable": lambda o: placements.unusable(o.book, o.panel),
    "promises.promise_states": lambda o: promises.promise_states(o.book, o.period.previous, o.windows),
    "promises.states_of": lambda o: promises.states_of(o.book, o.facts["due"]),
    "ratios.ratio_table": lambda o: ratios.ratio_table(
        o.book, o.facts["cash"], [kpi for kpi in KPIS.values() if kpi.base == "cash"], grains=GRAINS
    ),
    "recalls.quiet_untold": lambda o: measures_recalls.quiet_untold(o.book, RECALLED),
    "recalls.recall_batches": lambda o: [batch.to_pandas() for batch in measures_recalls.recall_batches(o.book, o.panel, RECALLED)],
    "recalls.recalls": lambda o: measures_recalls.recalls(o.book, o.panel, RECALLED),
    "recording_gaps.silent_months": lambda o: recording_gaps.silent_months(o.book, o.panel),
    "recovery.targets": lambda o: recovery.targets(o.book, o.period, grains=GRAINS),
    "recovery_curve.cumulative_recovery": lambda o: measures_recovery.cumulative_recovery(o.book, o.cohort, ARMS),
    "roll_out.panel_of_book": lambda o: measures_roll_out.panel_of_book(o.book, starts=_starts(o), **ROLL_OUT),
    "roll_out.panel_of_cohort": lambda o: measures_roll_out.panel_of_cohort(
        o.other, SUPPLIED, outcome="score", horizon_days=90, period="month"
    ),
    "roll_out.starts_of_rules": _starts,
    "rule_boundaries.boundaries": lambda o: measures_rule_boundaries.boundaries(o.book, "balance", products=[], first=None, last=AS_OF),
    "rule_value.row_facts": lambda o: rule_value.row_facts(o.book, o.log, o.payer, o.rule),
    "rule_value.values": lambda o: rule_value.values(o.book, o.weighed),
    "rule_value.weigh": lambda o: o.weighed,
    "segments.segment_sums": lambda o: segments.segment_sums(
        o.book, o.cohort, ARMS, o.payer, segments.declared_segments(o.cohort, ["bucket"], {"bucket": [3, 13]})
    ),
    "tails.tail_sums": lambda o: measures_tails.tail_sums(o.book, o.cohort, ARMS, o.cash, seed=1),
    "unit_periods.read": lambda o: unit_periods.read(o.other, start=date(2025, 1, 1), end=date(2025, 9, 30)),
    "capacity.officer_tenure": lambda o: measures_capacity.officer_tenure(o.book, MONTHS[1]),
    "capacity.unit_facts": lambda o: measures_capacity.unit_facts(o.book, AS_OF),
    "capacity.unit_months": lambda o: measures_capacity.unit_months(o.book, *MONTHS, windows=o.windows),
    "day_sheets.completeness": lambda o: day_sheets.completeness(o.book, o.period, o.audit.log),
    "day_sheets.findings": lambda o: day_sheets.findings(o.book, o.period, o.audit.log, o.audit.rules),
    "expected.expected_of_stock": lambda o: expected.expected_of_stock(o.book, date(2026, 6, 1), reference_months=6),
    "expected.calibration_table": lambda o: expected.calibration_table(o.book, *MONTHS, **EXPECTED),
    "expected.expected_by_account_cell": lambda o: expected.expected_by_account_cell(o.book, MONTHS[1], **EXPECTED),
    "expected.ladder_table": lambda o: expected.ladder_table(o.book, *MONTHS, **EXPECTED),
    "integrity.facts": lambda o: integrity.facts(
        o.book, integrity.IntegrityRules(period=Period(date(2026, 4, 1), AS_OF)), windows=o.windows, limits=o.limits
    ),
    "integrity.units_of": lambda o: integrity.units_of(o.book, integrity.IntegrityRules(period=Period(date(2026, 4, 1), AS_OF))),
    "integrity_money.parts": lambda o: integrity_money.parts(o.book, placements.placed(o.book, **YEAR), o.period, o.windows, claim_days=30),
    "integrity_promises.parts": lambda o: integrity_promises.parts(o.book, o.period, ["ag-a", "ag-b"], o.windows, days=3),
    "inflow.days_with_cash": lambda o: measures_inflow.days_with_cash(o.book, *YEAR.values()),
    "inflow.inflow": lambda o: measures_inflow.inflow(o.book, *MONTHS),
    "officer_gates.cash_apart": lambda o: officer_gates.cash_apart(o.book, o.period, 0),
    "officer_gates.gate_counts": lambda o: officer_gates.gate_counts(
        o.book, o.period, by="officer_key", windows=o.windows, limits=o.limits
    ),
    "officer_gates.ratios_by_month": lambda o: officer_gates.ratios_by_month(o.book, o.period, windows=o.windows),
    "officer_index.monthly": lambda o: officer_index.monthly(o.book, o.pooling, factors=("bucket", "product"), **EXPECTED),
    "officer_index.pooled_targets": lambda o: officer_index.pooled_targets(o.book, o.period, grain="unit"),
    "pace.cells": lambda o: pace.cells(o.book, pace.Cut(date(2026, 6, 20)), large_minor=50_000_000),
    "pace.daily_cash": lambda o: pace.daily_cash(o.book, **YEAR),
    "pace.large_ticket": lambda o: pace.large_ticket(o.book, **YEAR, quantile=0.99),
    "pace_days.calendar_days": lambda o: pace_days.calendar_days(o.book, **MONTH),
    "pace_outlook.outlook": lambda o: measures_outlook.outlook(o.book, history_months=24, reference_months=3),
    "record_audit.audited": lambda o: o.audit.findings(),
    "record_audit.shortfalls": lambda o: record_audit.shortfalls(o.book, o.period),
    "target_inputs.next_version": lambda o: target_inputs.next_version(o.book, o.period),
    "target_inputs.read_inputs": lambda o: target_inputs.read_inputs(o.book, NEXT, windows=o.windows, **TARGETS),
    "target_inputs.ticket_cap": lambda o: target_inputs.ticket_cap(o.book, *MONTHS, quantile=0.995),
    "target_inputs.top_down_of": lambda o: target_inputs.top_down_of(o.book, o.period, role="board"),
    "assessments.assessed": lambda o: measures_assessments.assessed(o.book, Period(**YEAR)),
    "assessments.patterns": lambda o: measures_assessments.patterns(o.book, Period(**YEAR)),
    "assessments.strictness": lambda o: measures_assessments.strictness(o.book, Period(**YEAR)),
    "officer_months.month_edges": lambda o: officer_months.month_edges(o.book, *MONTHS),
    "officer_months.officer_months": lambda o: officer_months.officer_months(
        o.book, MONTHS[1], MONTHS[1], kpis=[KPIS["C3"], KPIS["C8"], KPIS["W4"]], windows=o.windows, limits=o.limits
    ),
    "officer_months.short_conversations": lambda o: officer_months.short_conversations(o.book, *MONTHS, seconds=10),
    "officer_months.teams": lambda o: officer_months.teams(o.book, *MONTHS),
    "scheme_inputs.lasting_cures": lambda o: scheme_inputs.lasting_cures(o.book, Period(**YEAR), months=2),
    "scheme_inputs.officer_months": lambda o: scheme_inputs.officer_months(
        o.book, o.pooling, factors=("bucket", "product"), windows=o.windows, limits=o.limits, **EXPECTED
    ),
    "scheme_inputs.taken_back": lambda o: scheme_inputs.taken_back(o.book, Period(**YEAR)),
    "identities.identities": lambda o: measures_identities.identities(o.facts, o.kpis),
    "transitions.tet_months": lambda o: transitions.tet_months(o.book, o.period),
}


def needs_a_book() -> set[str]:
    """Public functions of `measures/` that take a book and return numbers."""
    found = set()
    for module in pkgutil.walk_packages(measures.__path__, f"{measures.__name__}."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if function.__module__ != module.name or name.startswith("_"):
                continue
            signature = inspect.signature(function)
            kinds = {str(parameter.annotation) for parameter in signature.parameters.values()}
            # What returns an expression is part of a measure, and compared through it or through the fact relations.
            if "ibis" not in str(signature.return_annotation) and any("store.Book" in kind or "kpi_table.Facts" in kind for kind in kinds):
                found.add(f"{module.name.removeprefix(f'{measures.__name__}.')}.{name}")
    return found
