"""KPIs that are no ratio of sums: each is a table with a function of its own, and this is where the dictionary's names lead."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from collect_analysis.errors import ParameterError
from collect_analysis.measures import batches, contact, expected, groups, landing, productivity, ramp, sustained_cure, transitions, waiting
from collect_analysis.measures.kpi_table import Facts, lacking
from collect_analysis.measures.kpis import kpis
from collect_analysis.measures.periods import Period, month_start


@dataclass(frozen=True)
class TableMeasure:
    """How the table is computed from the facts of a period, and the tables (or columns, as `table.column`) it needs."""

    build: Callable[[Facts], pd.DataFrame]
    needs: tuple[str, ...]


def _expected(facts: Facts) -> pd.DataFrame:
    """Expected recovery by month, unit and officer, with observed over expected (R4, R5)."""
    last = month_start(facts.period.end)
    table = expected.observed_expected(facts.book, facts.period.start, last, reference_months=facts.windows.expected_months)
    value = table["capped_minor"] / table["expected_minor"].where(table["expected_minor"] > 0)
    return table.assign(value=value, note=value.isna().map({True: "nothing was expected", False: ""}))


def _cure_curve(facts: Facts) -> pd.DataFrame:
    months, end = facts.windows.sustained_months, facts.period.end
    followed = transitions.Transitions(facts.book, transitions.Scope(Period(month_start(end, 1 - 2 * months), end), top_bucket=1))
    return sustained_cure.curve(sustained_cure.after_cure(followed, follow=months), by=[])


TABLE_MEASURES: dict[str, TableMeasure] = {
    "batches.top_share": TableMeasure(lambda f: batches.top_share(f.book, f["placed"]), ("decision", "payment")),
    "contact.by_hour": TableMeasure(lambda f: contact.by_hour(f.book, f["contacts"], f.period, f.windows), ("contact",)),
    "sustained_cure.curve": TableMeasure(_cure_curve, ("month_end",)),
    "expected.observed_expected": TableMeasure(_expected, ("month_end", "payment")),
    "groups.group_migration": TableMeasure(lambda f: groups.group_migration(f.book, f["groups"]), ("month_end", "month_end.reg_group")),
    "landing.landing": TableMeasure(lambda f: landing.landing(f.book, f.period, f.windows), ("payment",)),
    "productivity.capacity": TableMeasure(
        lambda f: productivity.capacity(f.book, f["holders"], f["hours"], f.windows), ("month_end", "unit_day", "contact")
    ),
    "ramp.ramp": TableMeasure(lambda f: ramp.ramp(f.book, f.period, f.windows), ("month_end", "payment", "officer")),
    "waiting.time_to_contact": TableMeasure(
        lambda f: waiting.time_to_contact(f.book, f["contacts"], f.period, f.windows), ("decision", "contact")
    ),
}


def table_of(facts: Facts, kpi_id: str) -> pd.DataFrame:
    """The table of a KPI that is no ratio of sums, for the period of `facts`; its columns are those of the function it names.

    A book that lacks what it needs gives a table of one `note` that says so.

    Raises
    ------
    ParameterError
        No such KPI, or it is a ratio of sums: ask `kpi_table.kpi_table` for it.
    DataError
        As the function it names.
    """
    (kpi,) = kpis(kpi_id)
    if kpi.kind != "table":
        raise ParameterError(f"{kpi_id} is a {kpi.kind} counted on {kpi.computed}; ask kpi_table.kpi_table for it")
    measure = TABLE_MEASURES[kpi.measure]
    why = lacking(facts, measure.needs)
    return pd.DataFrame({"note": [why]}) if why else measure.build(facts)
