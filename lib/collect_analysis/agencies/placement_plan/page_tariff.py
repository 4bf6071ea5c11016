"""The commission tariff beside a plan of placements: its edges, what waiting for them pays, whether somebody's cash waits."""

from dataclasses import dataclass

import pandas as pd

from collect_analysis.agencies import invoices
from collect_analysis.agencies.placement_plan import decision_tiers
from collect_analysis.agencies.placement_plan.page import Basis
from collect_analysis.book.store import Book
from collect_analysis.methods.evidence import Condition
from collect_analysis.report import tables
from collect_analysis.report.conditions import worded
from collect_analysis.report.texts import say


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """The commission tariff of the units: `steps` at its edges, `bunching` of cash there, the `conditions` on both."""

    steps: pd.DataFrame
    bunching: pd.DataFrame
    conditions: list[Condition]


def tariff_of(book: Book, basis: Basis) -> Tariff:
    """Where the rate rises with age, what waiting for it pays, and whether somebody's cash waits."""
    rows = invoices.tariff_rows(book)
    faults, steps = decision_tiers.tariff_faults(rows), decision_tiers.tier_steps(rows)
    found = decision_tiers.bunching(basis.sums, steps)
    conditions = decision_tiers.tariff_conditions(faults, found, names=basis.page.names)
    return Tariff(steps=steps, bunching=found, conditions=worded(conditions, basis.page.lang))


def steps_shown(table: pd.DataFrame, basis: Basis) -> tables.ShownTable | tables.Absent:
    """Every edge at which the rate changes, and what a partner gains by letting a payment of a million arrive after it."""
    if table.empty:
        return tables.Absent(say("plan_no_edges", basis.page.lang))
    shown = table.assign(
        plan_tier=table["tier_from"], plan_rate_before=table["rate_before"], plan_rate_after=table["rate_after"],
        plan_cliff_minor=table["cliff"],
    )  # fmt: skip
    columns = ["tariff_id", "plan_tier", "plan_rate_before", "plan_rate_after", "plan_cliff_minor"]
    rates = ["plan_rate_before", "plan_rate_after"]
    return tables.show(shown, lang=basis.page.lang, columns=columns, percent=rates, currency=basis.page.currency)


def bunching_shown(table: pd.DataFrame, basis: Basis) -> tables.ShownTable | tables.Absent:
    """Each partner's cash in the first month of a higher tier against the last month of the lower one, beside the others'."""
    if table.empty:
        return tables.Absent(say("plan_no_edges", basis.page.lang))
    shown = table.assign(
        plan_tier=table["tier_from"], plan_last_minor=table["before_minor"], plan_first_minor=table["after_minor"], plan_jump=table["ratio"],
        plan_jump_peers=table["peers"], plan_finding=table["finding"],
    )  # fmt: skip
    columns = [
        "unit_name",
        "plan_tier",
        "plan_last_minor",
        "plan_first_minor",
        "plan_jump",
        "plan_jump_peers",
        "p_adjusted",
        "plan_finding",
    ]
    return tables.show(shown, lang=basis.page.lang, columns=columns, currency=basis.page.currency)
