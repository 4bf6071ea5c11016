"""The KPI table of a period: every KPI of the dictionary in every scope, from one pass per fact relation."""

import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures import conduct, contact, flow, recovery
from collect_analysis.measures.bases import BASES
from collect_analysis.measures.cash import kept_cash
from collect_analysis.measures.kpis import KPIS, Kpi
from collect_analysis.measures.kpis import counted as counted_kpis
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.ratios import VALUE_COLUMNS, ratio_table
from collect_analysis.measures.scopes import COMPANY, GRAINS, Directory
from collect_analysis.methods.rates import interval_difference

COLUMNS = (*VALUE_COLUMNS, "definition")
COMPARED = (*COLUMNS, "previous", "change", "change_low", "change_high", "target", "target_gap", "better", "previous_cases")
NO_ROWS = "the book has no rows in "
NO_VALUES = "the book has no values in "


class Facts:
    """The fact relations of a period, by name (see `BASES`), each built when first asked for, kept where the data live, shared by all KPIs.

    `windows`: of the definitions (default: as proposed); `limits`: on contacts, for both periods. `previous` holds those of the period
    before; both read the log once. The relations live as long as this object; `close` gives
    the space back earlier.
    """

    def __init__(
        self, book: Book, period: Period, *, windows: KpiWindows | None = None, limits: Sequence[conduct.LegalLimits] = ()
    ) -> None:
        self.book: Book = book
        self.period: Period = period
        self.windows: KpiWindows = windows or KpiWindows()
        self.limits: Sequence[conduct.LegalLimits] = limits
        self._stack = ExitStack()
        weakref.finalize(self, self._stack.close)
        self._built: dict[str, ir.Table] = {}
        self._shared: dict[str, ir.Table] = {}
        self._held: dict[str, bool] = {}
        self._first = period.previous
        # The period before lives on what its parent keeps.
        self._parent: Facts | None = None

    @cached_property
    def previous(self) -> "Facts":
        """The fact relations of the period before."""
        before = Facts(self.book, self.period.previous, windows=self.windows, limits=self.limits)
        before._shared, before._first, before._stack, before._parent = self._shared, self._first, self._stack, self
        before._held = self._held
        return before

    def close(self) -> None:
        """Give back the space of everything built."""
        self._stack.close()

    @cached_property
    def directory(self) -> Directory:
        """Accounts, and units as they stood at the end of the period."""
        live = Directory.of(self.book, self.period.end)
        units = self._stack.enter_context(self.book.materialized(live.units))
        return Directory(self._once("accounts", lambda: live.accounts), units)

    @property
    def ends(self) -> ir.Table:
        """Month ends of both periods, from the one before the first."""
        return self._once("ends", lambda: flow.month_ends(self.book, self._first.opening, self.period.end))

    @property
    def contacts(self) -> ir.Table:
        """Contacts of both periods, from the first day to which cash of the first may be attributed."""
        since = self._first.start - timedelta(days=self.windows.attribution_days)
        return self._once("contacts", lambda: contact.contacts_of(self.book, since, self.period.end))

    @property
    def money(self) -> ir.Table:
        """Money collected, of all days: what most relations look up."""
        return self._once("money", lambda: kept_cash(self.book))

    def holds(self, name: str) -> bool:
        """Whether the book has rows in a table, or values in a column written `table.column`."""
        table, _, column = name.partition(".")
        if not self.book.has(table):
            return False
        if not column:
            return True
        if name not in self._held:
            values = self.book.table(table)
            self._held[name] = self.book.scalar(values[column].notnull().any()) is True
        return self._held[name]

    def _once(self, name: str, build: Callable[[], ir.Table]) -> ir.Table:
        if name not in self._shared:
            self._shared[name] = self._stack.enter_context(self.book.materialized(build()))
        return self._shared[name]

    def __getitem__(self, name: str) -> ir.Table:
        if name not in self._built:
            base = BASES[name]
            source = base.build(self)
            if not isinstance(source, AbstractContextManager):
                source = self.book.materialized(source) if base.kept else nullcontext(source)
            self._built[name] = self._stack.enter_context(source)
        return self._built[name]


def missing_for(facts: Facts, kpi: Kpi) -> str:
    """Why a KPI cannot be counted in this book; empty where it can."""
    base = BASES[kpi.base]
    why = absent_of(facts, base.needs)
    return why or ("no legal limits were given" if base.limits and not facts.limits else "")


def absent_of(facts: Facts, needs: Sequence[str]) -> str:
    """Which of these tables, or columns as `table.column`, the book does not hold, as a sentence; empty where it holds all."""
    tables = [name for name in needs if "." not in name and not facts.holds(name)]
    if tables:
        return f"{NO_ROWS}{', '.join(tables)}"
    columns = [name for name in needs if "." in name and not facts.holds(name)]
    return f"{NO_VALUES}{', '.join(columns)}" if columns else ""


def kpi_table(
    facts: Facts, *, grains: Sequence[str] = ("company", "portfolio", "sub_function", "unit"), ids: Sequence[str] = ()
) -> pd.DataFrame:
    """What is each KPI worth in the period, for the company and each portfolio, sub-function, unit (and officer, if asked)?

    Columns: kpi, scope_type, scope_key, value, low, high (95 %), numerator, denominator, cases, unit, note, definition (id and hash). Money
    is in minor units. `ids` names the KPIs (all if empty). Sorted by KPI as in the dictionary, grain, scope. A KPI whose tables the book
    lacks has one row for the company, undefined, with the reason in `note`. KPIs with a table of their own are not in it: see `table_measures`.

    Raises
    ------
    ParameterError
        An id is not in the dictionary, or has a table of its own.
    """
    wanted = counted_kpis(*ids)
    absent = {kpi.id: missing_for(facts, kpi) for kpi in wanted}
    parts = [_empty_row(kpi, absent[kpi.id]) for kpi in wanted if absent[kpi.id]]
    counted = [kpi for kpi in wanted if not absent[kpi.id] and kpi.base != "target"]
    attain = "R14" in absent and not absent["R14"]
    if attain and KPIS["R1"] not in counted:
        counted.append(KPIS["R1"])
    for base in dict.fromkeys(kpi.base for kpi in counted):
        parts.append(_counted_on(facts, base, [kpi for kpi in counted if kpi.base == base], grains))
    if attain:
        plan = recovery.targets(facts.book, facts.period, grains=grains)
        collected = next(part for part in parts if "R1" in set(part["kpi"]))
        attained = recovery.attainment(collected[collected["kpi"] == "R1"], plan, unit=KPIS["R14"].unit, undefined=KPIS["R14"].undefined)
        parts.append(attained[list(VALUE_COLUMNS)])
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return _in_order(table[table["kpi"].isin(absent)], facts.windows)


def _counted_on(facts: Facts, base: str, kpis: Sequence[Kpi], grains: Sequence[str]) -> pd.DataFrame:
    """The KPIs of one fact relation. Where reports share, the first of them counts all of it in all scopes for the others."""
    shared = facts.book.shared
    if shared is None or not set(grains) <= set(GRAINS):
        return ratio_table(facts.book, facts[base], kpis, grains=grains)
    every = [kpi for kpi in KPIS.values() if kpi.base == base and kpi.kind != "table"]
    what = {
        "base": base, "start": facts.period.start, "end": facts.period.end, "windows": asdict(facts.windows),
        "limits": [repr(each) for each in facts.limits], "kpis": [kpi.definition(facts.windows) for kpi in every],
    }  # fmt: skip
    table = shared.table(what, lambda: ratio_table(facts.book, facts[base], every, grains=GRAINS))
    mine = table["kpi"].isin([kpi.id for kpi in kpis]) & table["scope_type"].isin(list(grains))
    return table[mine].reset_index(drop=True)


def compared(
    facts: Facts, *, grains: Sequence[str] = ("company", "portfolio", "sub_function", "unit"), ids: Sequence[str] = ()
) -> pd.DataFrame:
    """How does each KPI stand against the period before and against its target?

    As `kpi_table`, and: previous (the value in the period of equal length before, by the same definition), change, change_low, change_high
    (current less previous, 95 %, from the two intervals as if independent: debtors stay, so the true interval is rather narrower), target
    (highest approved version for this period), target_gap (value less target), better (higher, lower, context), previous_cases.
    """
    now, before = kpi_table(facts, grains=grains, ids=ids), kpi_table(facts.previous, grains=grains, ids=ids)
    keys = ["kpi", "scope_type", "scope_key"]
    old = before[[*keys, "value", "low", "high", "cases"]].rename(
        columns={"value": "previous", "low": "previous_low", "high": "previous_high", "cases": "previous_cases"}
    )
    table = now.merge(old, on=keys, how="left", validate="one_to_one")
    bounds = [table[f"{when}{edge}"] for when in ("", "previous_") for edge in ("low", "high")]
    change, low, high = interval_difference(table["value"], bounds[0], bounds[1], table["previous"], bounds[2], bounds[3])
    table = table.assign(change=change, change_low=low, change_high=high)
    has_plan = facts.book.has("target")
    plan = recovery.targets(facts.book, facts.period, grains=grains) if has_plan else pd.DataFrame(columns=[*keys, "target"])
    table = table.merge(plan[[*keys, "target"]], on=keys, how="left", validate="one_to_one")
    # Attainment is a share of its target already: its goal is the whole of it.
    attained = (table["kpi"] == "R14") & table["denominator"].notna()
    table["target"] = table["target"].astype(float).mask(attained, 1.0)
    table["target_gap"] = table["value"] - table["target"]
    table["better"] = table["kpi"].map({kpi.id: kpi.better for kpi in KPIS.values()})
    return table[list(COMPARED)]


def by_bucket(facts: Facts, *, top_bucket: int) -> pd.DataFrame:
    """The flow rates F1-F6 by bucket at the start, buckets from `top_bucket` on as one; columns as `kpi_table`, scope_type `bucket`."""
    flows = flow.flow_facts(flow.capped(facts["pairs"], top_bucket))
    rates = [kpi for kpi in KPIS.values() if kpi.base == "flow" and not kpi.id.startswith(("F12", "R12"))]
    table = ratio_table(facts.book, flows, rates, grains=("bucket",))
    net = ratio_table(facts.book, flow.capped(facts["net_flow"], top_bucket), [KPIS["F2"]], grains=("bucket",))
    cure_of_current = table["kpi"].str.startswith(("F4", "F5")) & (table["scope_key"] == "0")
    table.loc[cure_of_current, ["value", "low", "high"]] = np.nan
    table.loc[cure_of_current, "note"] = "a current account cannot improve"
    return _in_order(pd.concat([table, net], ignore_index=True), facts.windows)


def _empty_row(kpi: Kpi, why: str) -> pd.DataFrame:
    row = {"kpi": kpi.id, "scope_type": "company", "scope_key": COMPANY, "cases": 0, "unit": kpi.unit, "note": why}
    numbers = dict.fromkeys(("value", "low", "high", "numerator", "denominator"), np.nan)
    return pd.DataFrame([{**row, **numbers}])[list(VALUE_COLUMNS)]


def _in_order(table: pd.DataFrame, windows: KpiWindows) -> pd.DataFrame:
    place = {kpi: position for position, kpi in enumerate(KPIS)}
    grain = {name: position for position, name in enumerate((*GRAINS, "bucket"))}
    definitions = {name: KPIS[name].definition(windows) for name in table["kpi"].unique()}
    ordered = table.assign(definition=table["kpi"].map(definitions), place=table["kpi"].map(place), grain=table["scope_type"].map(grain))
    return ordered.sort_values(["place", "grain", "scope_key"], ignore_index=True)[list(COLUMNS)]
