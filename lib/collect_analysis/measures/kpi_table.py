"""The KPI table of a period: every KPI of the dictionary in every scope, from one pass per fact relation."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import date
from functools import cached_property

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.kept import Kept
from collect_analysis.book.presence import absent
from collect_analysis.book.recipes import Recipe
from collect_analysis.book.store import Book
from collect_analysis.measures import conduct, flow, recovery
from collect_analysis.measures.bases import BASES, RELATIONS
from collect_analysis.measures.costs import priced_logs
from collect_analysis.measures.kpis import KPIS, Kpi, counted as counted_kpis
from collect_analysis.measures.periods import KpiWindows, Period, months_of
from collect_analysis.measures.ratios import VALUE_COLUMNS, ratio_table
from collect_analysis.measures.scopes import COMPANY, GRAINS
from collect_analysis.methods.rates.rates import interval_difference

COLUMNS = (*VALUE_COLUMNS, "definition")
COMPARED = (*COLUMNS, "previous", "change", "change_low", "change_high", "target", "target_gap", "better", "previous_cases")


@dataclass(frozen=True, eq=False)
class Facts:
    """The relations of a period, by name (see `RELATIONS`), each made when first asked for and kept where the data live.

    `windows`: of the definitions (default: as proposed); `limits`: on contacts, for both periods. A relation is found by its recipe: by the
    function that makes it and by all that this is given. So `previous`, the period before, keeps its relations in the same place, and no
    order of asking makes one of them stand for another. They live as long as `kept`, which others may
    share (`kept_in`); `close` gives the space back earlier.
    """

    book: Book
    period: Period
    _: KW_ONLY
    windows: KpiWindows = field(default_factory=KpiWindows)
    limits: Sequence[conduct.LegalLimits] = ()
    kept_in: Kept | None = None

    @cached_property
    def kept(self) -> Kept:
        """Where the relations live: a place of their own, if they were given none."""
        return self.kept_in or Kept(self.book)

    @cached_property
    def previous(self) -> "Facts":
        """The relations of the period before."""
        return replace(self, period=self.period.previous, kept_in=self.kept)

    def close(self) -> None:
        """Give back the space of everything made."""
        self.kept.close()

    def __getitem__(self, name: str) -> ir.Table:
        relation: ir.Table = self.kept.made(self.recipe(name))
        return relation

    def recipe(self, name: str) -> Recipe:
        """How a relation of this period is made: its function, given values of the period and the recipes of other relations."""
        made = self._given(name)
        if not isinstance(made, Recipe):
            raise KeyError(name)
        return made

    def _given(self, name: str) -> object:
        if name not in self._known:
            base = RELATIONS[name]
            self._known[name] = Recipe(base.build, tuple(map(self._given, base.given.split())), stored=base.kept)
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, object]:
        """What relations are given by name: the values of the period, then every recipe that was asked for."""
        period = self.period
        values = {"book": self.book, "period": period, "windows": self.windows, "limits": tuple(self.limits)}
        return {**values, "opening": period.opening, "end": period.end}


def missing_for(facts: Facts, kpi: Kpi) -> str:
    """Why a KPI cannot be counted in this period; empty where it can."""
    base = BASES[kpi.base]
    priced = sorted(set(base.priced) & priced_logs(facts.book)) if base.priced else ()
    why = lacking(facts, (*base.needs, *kpi.needs, *priced), ends=base.ends(facts.period, facts.windows))
    return why or ("no legal limits were given" if base.limits and not facts.limits else "")


def lacking(facts: Facts, needs: Sequence[str], *, ends: tuple[date, date] | None = None) -> str:
    """What does the book lack of these tables (or columns, as `table.column`) in the period, as a sentence; empty where it lacks nothing.

    `ends`: the first and the last month end that are read (default: the one before the period).
    """
    period = facts.period
    first, last = ends or (period.opening, period.opening)
    others = [name for name in needs if name != "month_end"]
    stood = ["month_end"] if "month_end" in needs else []
    inside, read = months_of(period.start, period.end), months_of(first, last)
    return absent(facts.book, needs) or absent(facts.book, others, inside) or absent(facts.book, stood, read)


def kpi_table(
    facts: Facts, *, grains: Sequence[str] = ("company", "portfolio", "sub_function", "unit"), ids: Sequence[str] = ()
) -> pd.DataFrame:
    """What is each KPI worth in the period, for the company and each portfolio, sub-function, unit (and officer, if asked)?

    Columns: kpi, scope_type, scope_key, value, low, high (95 %), numerator, denominator, cases, unit, note, definition (id and hash). Money
    is in minor units. `ids` names the KPIs (all if empty). Sorted by KPI as in the dictionary, grain, scope. A KPI whose tables the book
    lacks, or holds nothing of in a month of the period, has one row for the company, undefined, with the reason in `note`. KPIs with a
    table of their own are not in it: see `table_measures`.

    Raises
    ------
    ParameterError
        An id is not in the dictionary, or has a table of its own.
    """
    wanted = counted_kpis(*ids)
    reasons = {kpi.id: missing_for(facts, kpi) for kpi in wanted}
    parts = [_empty_row(kpi, reasons[kpi.id]) for kpi in wanted if reasons[kpi.id]]
    counted = [kpi for kpi in wanted if not reasons[kpi.id] and kpi.base != "target"]
    attain = "R14" in reasons and not reasons["R14"]
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
    return _in_order(table[table["kpi"].isin(reasons)], facts.windows)


def _counted_on(facts: Facts, base: str, kpis: Sequence[Kpi], grains: Sequence[str]) -> pd.DataFrame:
    """The KPIs of one fact relation. Where reports share, the first of them counts all of it in all scopes for the others."""
    if facts.book.shared is None or not set(grains) <= set(GRAINS):
        return ratio_table(facts.book, facts[base], kpis, grains=grains)
    every = tuple(kpi for kpi in KPIS.values() if kpi.base == base and kpi.kind != "table")
    table = facts.kept.table(Recipe(_in_every_scope, (facts.book, facts.recipe(base), every)))
    mine = table["kpi"].isin([kpi.id for kpi in kpis]) & table["scope_type"].isin(list(grains))
    return table[mine].reset_index(drop=True)


def _in_every_scope(book: Book, facts: ir.Table, kpis: Sequence[Kpi]) -> pd.DataFrame:
    return ratio_table(book, facts, kpis, grains=GRAINS)


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
    """The flow rates F1-F6 by bucket at the start, buckets from `top_bucket` on as one; columns as `kpi_table`, scope_type `bucket`.

    Undefined (NaN and note): curing of a current account; rolling from, and flow out of, the last bucket, beyond which none is told apart
    (page `portfolio_flow` has the same states).
    """
    flows = flow.flow_facts(flow.joined(facts["pairs"], top_bucket))
    rates = [kpi for kpi in KPIS.values() if kpi.base == "flow" and not kpi.id.startswith(("F12", "R12"))]
    table = ratio_table(facts.book, flows, rates, grains=("bucket",))
    net = ratio_table(facts.book, flow.capped(facts["net_flow"], top_bucket), [KPIS["F2"]], grains=("bucket",))
    cure_of_current = table["kpi"].str.startswith(("F4", "F5")) & (table["scope_key"] == "0")
    table.loc[cure_of_current, ["value", "low", "high"]] = np.nan
    table.loc[cure_of_current, "note"] = "a current account cannot improve"
    table = pd.concat([table, net], ignore_index=True)
    beyond = table["kpi"].str.startswith(("F1", "F2")) & (table["scope_key"] == str(top_bucket))
    table.loc[beyond, ["value", "low", "high"]] = np.nan
    table.loc[beyond, "note"] = "the last bucket is open-ended: no worse one is told apart"
    return _in_order(table, facts.windows)


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
