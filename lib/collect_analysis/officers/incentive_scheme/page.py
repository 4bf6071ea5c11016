"""The simulation of a pay scheme as it is read: cost, who wins and loses, cliffs, luck, gaming, and what smaller changes would mend."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.book.policy import in_force, policy
from collect_analysis.book.store import Book
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.gate_names import BREACHES
from collect_analysis.measures.periods import KpiWindows, Period, month_end
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.officers.incentive_scheme import decision, decision_cost, measures as scheme_inputs
from collect_analysis.officers.incentive_scheme.decision import Judged, SchemeVerdict
from collect_analysis.officers.incentive_scheme.decision_history import History, work_of
from collect_analysis.officers.incentive_scheme.parameters import IncentiveScheme
from collect_analysis.officers.incentive_scheme.schemes import Gate, Scheme, Work
from collect_analysis.report import conditions, tables, texts
from collect_analysis.report.scope_names import scope_names
from collect_analysis.report.texts import formats, say

TODAY, PROPOSED, CHANGED = "today", "proposed", "changed"
# Attainments at which the pay curve is drawn.
CURVE = np.round(np.arange(0.4, 1.801, 0.005), 3)
_TERMS = (
    "basis", "pay_per_point_minor", "threshold", "start_points", "slope", "accelerator", "cap", "slabs", "team_share", "gates", "pool_months",
    "clawback_days", "holdback_share", "account_cap", "credit", "expectation", "moved_credit", "waivers_deducted",
)  # fmt: skip
_SHARES = ("threshold", "cap", "team_share", "holdback_share")


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything the page is made of. Where a condition refuses, `judged` is empty and the tables hold the reason."""

    book: Book
    params: IncentiveScheme
    history: History
    conditions: list[Condition]
    judged: dict[str, Judged]
    works: dict[str, Work]
    verdict: SchemeVerdict
    officers: pd.DataFrame
    singles: pd.DataFrame
    groups: pd.DataFrame

    @property
    def why_not(self) -> str:
        """Why there is no answer, in the language of the page."""
        return " ".join(conditions.sentences(refused(self.conditions), self.params.lang))


def simulate(book: Book, params: IncentiveScheme) -> Case:
    """Reads the history, pays both schemes on it, tries to game them, and judges the proposed one.

    Raises
    ------
    DataError
        The book has no month ends or payments, or does not reach the months asked for.
    """
    today, proposed = params.today.scheme(), params.proposed.scheme()
    history = read_history(book, params, [today, proposed])
    found = decision.conditions(history, [today, proposed])
    if refused(found):
        none = {name: pd.DataFrame() for name in ("officers", "singles", "groups")}
        refusal = SchemeVerdict(action="refuse")
        return Case(book=book, params=params, history=history, conditions=found, judged={}, works={}, verdict=refusal, **none)
    schemes = {TODAY: today, PROPOSED: proposed}
    works = {name: work_of(history, scheme) for name, scheme in schemes.items()}
    judged = {
        name: decision.judged(history, scheme, params.moves, params.rules, seed=params.seed, level=params.level)
        for name, scheme in schemes.items()
    }
    verdict = decision.verdict(history, judged[PROPOSED], params.moves, params.rules, seed=params.seed, level=params.level)
    if verdict.changed is not None:
        judged[CHANGED] = verdict.changed
        works[CHANGED] = work_of(history, verdict.changed.scheme)
    return Case(
        book=book,
        params=params,
        history=history,
        conditions=found,
        judged=judged,
        works=works,
        verdict=verdict,
        officers=decision_cost.by_officer(today, proposed, works[TODAY], works[PROPOSED]),
        singles=decision.change_table(history, judged[PROPOSED], params.moves, params.rules),
        groups=decision_cost.luck_by_group(proposed, works[PROPOSED], seed=params.seed),
    )


def read_history(book: Book, params: IncentiveScheme, schemes: Sequence[Scheme]) -> History:
    """What officers did; breaches are counted only where a gate asks for them, cures only where something is held back for them."""
    period = params.pooling.history
    windows = KpiWindows.of(policy("kpi_windows", on=params.period_end))
    gated = any(gate.measure == BREACHES for scheme in schemes for gate in scheme.gates)
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=period.start, end=period.end)] if gated else []
    panel = scheme_inputs.officer_months(
        book, params.pooling, factors=params.factors, reference_months=params.reference_months, cap_quantile=params.cap_quantile,
        windows=windows, limits=limits,
    )  # fmt: skip
    held = Period(min(panel["month"]), month_end(params.period_end)) if len(panel) else period
    months = sorted({scheme.holdback_months for scheme in schemes if scheme.holdback_share})
    lasting = {number: scheme_inputs.lasting_cures(book, held, months=number) for number in months}
    return History(panel=panel, taken_back=scheme_inputs.taken_back(book, held), lasting=lasting)


def checks(case: Case) -> list[Condition]:
    """The conditions, worded."""
    return conditions.worded([_named_gates(item, case.params.lang) for item in case.conditions], case.params.lang)


def _named_gates(item: Condition, lang: str) -> Condition:
    names = item.details.get("gates")
    if not isinstance(names, tuple):
        return item
    named = [texts.value("scheme_gate", str(name), lang) for name in names]
    return Condition(name=item.name, met=item.met, consequence=item.consequence, details={**item.details, "gates": named})


def _each(case: Case, make: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """One table per scheme, one below the other, with column `scheme`; or the reason why there is none."""
    parts = [make(name).assign(scheme=name) for name in case.judged]
    return pd.concat(parts, ignore_index=True) if parts else _absent(case)


def _absent(case: Case) -> pd.DataFrame:
    return pd.DataFrame({"note": [case.why_not]})


def cost_by_month(case: Case) -> pd.DataFrame:
    """Cost of each month under each scheme (`scheme_cost.cost_by_month`)."""
    return _each(case, lambda name: decision_cost.cost_by_month(case.judged[name].scheme, case.works[name], seed=case.params.seed))


def summary(case: Case) -> pd.DataFrame:
    """Each scheme in one row: scheme, value, low, high (next quarter, minor units), unit, the columns of `scheme_cost.spread`."""

    def row(name: str) -> pd.DataFrame:
        value, low, high = case.judged[name].quarter
        spread = decision_cost.spread(case.judged[name].scheme, case.works[name])
        return pd.DataFrame([{"value": value, "low": low, "high": high, "unit": "minor", **spread}])

    return _each(case, row)


def summary_shown(table: pd.DataFrame, case: Case) -> tables.ShownTable | tables.Absent:
    """The schemes side by side."""
    money = ["mean_minor", "p10_minor", "median_minor", "p90_minor"]
    named = table.rename(columns={"value": "quarter_minor", "low": "quarter_low_minor", "high": "quarter_high_minor"})
    columns = ["scheme", "quarter_minor", "quarter_low_minor", "quarter_high_minor", *money, "nothing_share", "gini"]
    return shown(named, case, columns, percent=["nothing_share"])


def winners(case: Case) -> pd.DataFrame:
    """Winners and losers by unit (`scheme_cost.by_unit`)."""
    return _absent(case) if case.officers.empty else decision_cost.by_unit(case.officers).assign(note="")


def winners_shown(table: pd.DataFrame, case: Case) -> tables.ShownTable | tables.Absent:
    """Units by name."""
    if "unit_key" not in table:
        return tables.Absent(case.why_not)
    names = scope_names(case.book, case.params.lang)
    named = table.assign(unit_name=[names("unit", key) for key in table["unit_key"]], officers=table["cases"], gain_minor=table["value"])
    return shown(named, case, ["unit_name", "officers", "better", "worse", "today_minor", "proposed_minor", "gain_minor"])


def by_skill(case: Case) -> pd.DataFrame:
    """Pay by fifth of the true index (`scheme_cost.by_skill`)."""
    return _absent(case) if case.officers.empty else decision_cost.by_skill(case.officers)


def skill_shown(table: pd.DataFrame, case: Case) -> tables.ShownTable | tables.Absent:
    """The fifths as they are read."""
    if "fifth" not in table:
        return tables.Absent(case.why_not)
    # A rank is a name, not an amount.
    named = table.assign(fifth=table["fifth"].astype(str), officers=table["cases"], gain_minor=table["value"])
    return shown(named, case, ["fifth", "officers", "true_index", "today_minor", "proposed_minor", "gain_minor"])


def officer_rows(case: Case) -> pd.DataFrame:
    """A row per officer, by unit and key, never by pay; for managers the reason why there is none."""
    if case.params.audience != "team_leads":
        return pd.DataFrame({"note": [say("scheme_officers_hidden", case.params.lang)]})
    return _absent(case) if case.officers.empty else case.officers.sort_values(["unit_key", "officer_key"], ignore_index=True)


def officers_shown(table: pd.DataFrame, case: Case) -> tables.ShownTable | tables.Absent:
    """Officers with the name of their unit."""
    if "officer_key" not in table:
        return tables.Absent(str(table["note"].iloc[0]))
    names = scope_names(case.book, case.params.lang)
    named = table.assign(unit_name=[names("unit", key) for key in table["unit_key"]], gated_months=table["gated"])
    columns = ["officer_key", "unit_name", "today_minor", "proposed_minor", "gain_minor", "gated_months"]
    return shown(named, case, columns)


def pay_curve(case: Case) -> pd.DataFrame:
    """What an officer earns in a month by own attainment, the team at 1 and no gate failed. Columns: scheme, attainment, value (minor units)."""
    return _each(case, lambda name: pd.DataFrame({"attainment": CURVE, "value": case.judged[name].scheme.pay(CURVE, 1.0, 1.0)}))


def cliff_table(case: Case) -> pd.DataFrame:
    """Jumps and bends of each scheme (`scheme_cost.cliffs`)."""
    return _each(case, lambda name: case.judged[name].cliffs.rename(columns={"kind": "cliff_kind"}))


def luck_table(case: Case) -> pd.DataFrame:
    """How much of pay is luck under each scheme. Columns: scheme, value (share), unit, and the fields of `scheme_cost.Luck`."""

    def row(name: str) -> pd.DataFrame:
        found = case.judged[name].luck
        money = {item: getattr(found, item) for item in ("average_minor", "average_low_minor", "average_high_minor", "at_full_minor")}
        return pd.DataFrame([{"value": found.share, "unit": "share", **money}])

    return _each(case, row)


def luck_shown(table: pd.DataFrame, case: Case) -> tables.ShownTable | tables.Absent:
    """Luck of each scheme."""
    named = table.rename(columns={"value": "luck_share"})
    columns = ["scheme", "luck_share", "at_full_minor", "average_minor", "average_low_minor", "average_high_minor"]
    return shown(named, case, columns, percent=["luck_share"])


def luck_by_group(case: Case) -> pd.DataFrame:
    """Luck by sub-function under the proposed scheme (`scheme_cost.luck_by_group`)."""
    return case.groups if len(case.groups) else _absent(case)


def luck_by_pooling(case: Case) -> pd.DataFrame:
    """Luck by months pooled under the proposed scheme (`scheme_cost.luck_by_pooling`)."""
    if PROPOSED not in case.judged:
        return _absent(case)
    return decision_cost.luck_by_pooling(case.judged[PROPOSED].scheme, case.works[PROPOSED], seed=case.params.seed)


def games(case: Case) -> pd.DataFrame:
    """Every way of gaming under each scheme (`scheme_gaming.exploitability`), with `value` = the exploitability score, a share of pay."""
    return _each(case, lambda name: case.judged[name].games.rename(columns={"channel": "game", "share": "value"}).assign(unit="share"))


def games_shown(table: pd.DataFrame, case: Case) -> tables.ShownTable | tables.Absent:
    """Ways of gaming by scheme."""
    named = table.rename(columns={"value": "exploitability", "cost_minor": "game_cost_minor"})
    columns = ["game", "scheme", "exploitability", "officers_share", "per_officer_minor", "game_cost_minor"]
    ordered = named if "game" not in named else named.sort_values("game", key=_order, kind="stable")
    return shown(ordered, case, columns, percent=["exploitability", "officers_share"])


def _order(column: pd.Series) -> pd.Series:
    return column.map({name: place for place, name in enumerate(dict.fromkeys(column))})


def single_changes(case: Case) -> pd.DataFrame:
    """What each single change would do to the weakest way of gaming (`scheme_verdict.change_table`)."""
    if not case.judged:
        return _absent(case)
    names = {
        "change": "scheme_change",
        "channel": "game",
        "before": "exploitability_before",
        "share": "exploitability",
        "enough": "within_limit",
    }
    return case.singles.rename(columns={**names, "cost_minor": "game_cost_minor"})


def terms(case: Case) -> pd.DataFrame:
    """The terms of each scheme side by side. Columns: term, today_terms, proposed_terms, changed_terms (where there is one)."""
    columns = {f"{name}_terms": [_term(found.scheme, term, case) for term in _TERMS] for name, found in case.judged.items()}
    return pd.DataFrame({"term": list(_TERMS), **columns}) if columns else _absent(case)


def _term(scheme: Scheme, name: str, case: Case) -> str:
    lang, value = case.params.lang, getattr(scheme, name)
    if name == "slabs":
        steps = [f"{formats.share(slab.start, lang, digits=0)}: {formats.number(slab.points, lang)}" for slab in value]
        return "; ".join(steps) or formats.UNDEFINED
    if name == "gates":
        return "; ".join(_gate(gate, lang) for gate in value) or formats.UNDEFINED
    if scheme.slabs and name in ("threshold", "start_points", "slope", "accelerator", "cap"):
        return formats.UNDEFINED
    if name.endswith("_minor"):
        return formats.money(value, case.book.currency, lang)
    if name in _SHARES:
        return formats.share(value, lang, digits=0)
    if isinstance(value, bool):
        return say("yes" if value else "no", lang)
    if isinstance(value, (int, float)):
        return formats.number(value, lang, digits=0 if float(value).is_integer() else 2)
    return texts.value(f"scheme_{name}", str(value), lang)


def _gate(gate: Gate, lang: str) -> str:
    name = texts.value("scheme_gate", gate.measure, lang)
    numbers = {
        item: formats.number(getattr(gate, item), lang, digits=0 if getattr(gate, item).is_integer() else 2) for item in ("full", "none")
    }
    return say("scheme_gate_written", lang, gate=name, **numbers, floor=formats.share(gate.floor, lang, digits=0))


def shown(table: pd.DataFrame, case: Case, columns: Sequence[str], percent: Sequence[str] = ()) -> tables.ShownTable | tables.Absent:
    """A recorded table as it is read; the reason where it has none of its columns."""
    if not set(columns) <= set(table.columns):
        return tables.Absent(str(table["note"].iloc[0]) if "note" in table and len(table) else say("scheme_nothing", case.params.lang))
    if table.empty:
        return tables.Absent(say("scheme_nothing", case.params.lang))
    whole = table.assign(**{name: table[name].astype(float).round() for name in columns if name.endswith("_minor")})
    return tables.show(whole, lang=case.params.lang, columns=columns, currency=case.book.currency, percent=percent)


def recorded(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """The rows that are measures: those of a table with column `key`; none where the table holds a reason."""
    kept = [name for name in ("scheme", "game", "value", "low", "high", "unit") if name in table]
    return table[kept] if key in table else pd.DataFrame(columns=["scheme", "game", "value", "unit"])


def as_luck(table: pd.DataFrame) -> pd.DataFrame:
    """Luck by sub-function under the names it is read by."""
    return table.assign(officers=table["cases"], luck_share=table["value"]) if "value" in table else table


def terms_shown(table: pd.DataFrame, case: Case) -> tables.ShownTable | tables.Absent:
    """The terms, one column per scheme."""
    return shown(table, case, ["term", *(f"{name}_terms" for name in case.judged or [TODAY])])
