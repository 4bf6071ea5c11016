"""A KPI period as it is read: its tables, by scope and in words; a section the book has no data for says so."""

from collections.abc import Iterable

import pandas as pd

from collect_analysis.book.policy import in_force
from collect_analysis.book.presence import NO_ROWS
from collect_analysis.book.store import Book
from collect_analysis.measures import attribution, cash, conduct, flow, pace, promises
from collect_analysis.measures.attribution import UNATTRIBUTED
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.kpi_table import Facts, by_bucket, lacking
from collect_analysis.measures.kpis import KPIS, dictionary
from collect_analysis.measures.periods import Period
from collect_analysis.measures.scopes import UNASSIGNED
from collect_analysis.portfolio.kpi_period.parameters import KpiPeriod
from collect_analysis.report import tables, texts
from collect_analysis.report.kpi_windows import in_words
from collect_analysis.report.scope_names import scope_names
from collect_analysis.report.texts import say

GRAINS = ("company", "portfolio", "sub_function", "unit")
# The first table of the page, in the order of a review: money, accounts, contact, promises, work, conduct.
HEADLINE = (
    "R1", "R14", "R9", "R10", "R3", "R2", "R7", "F1", "F5", "F6", "C1", "C2", "C4", "C6", "C7", "C8", "C9",
    "C12", "W1", "W4-rpc", "Q1", "Q2", "Q6",
)  # fmt: skip
# Columns of the tables by scope: one KPI each.
SCOPE_COLUMNS = {
    "collected_minor": "R1", "collected_on_day_minor": "R1-day", "attainment": "R14", "payer_rate": "R9", "roll_forward": "F1", "cure": "F5", "reach": "C6",
    "right_party_rate": "C4", "kept_rate": "C8", "cost_rate": "R7", "breaches_per_1000": "Q1",
}  # fmt: skip
PERCENT = ("attainment", "payer_rate", "roll_forward", "cure", "reach", "right_party_rate", "kept_rate", "cost_rate")
# An account stays with its portfolio: only units and what they belong to are told money by the day, too.
MOVING = ("sub_function", "unit")
OFFICER_COLUMNS = ("collected_minor", "attainment", "payer_rate", "right_party_rate", "kept_rate")
BUCKET_RATES = {"roll_forward": "F1", "stabilised": "F3", "roll_back": "F4", "cure": "F5", "exits": "F6"}


def limits_of(book: Book, period: Period) -> list[LegalLimits]:
    """The contact limits of the period and the one before; none for a book without contacts, which needs none."""
    if not book.has("contact"):
        return []
    return [LegalLimits.of(version) for version in in_force("legal_limits", start=period.previous.start, end=period.end)]


def grains_of(params: KpiPeriod) -> tuple[str, ...]:
    """The scopes that this audience is told about."""
    return (*GRAINS, "officer") if params.audience == "team_leads" else GRAINS


def told(table: pd.DataFrame, params: KpiPeriod) -> pd.DataFrame:
    """The rows this report tells: all of them, or the portfolios and units that the report file names; the company always."""
    keep = pd.Series(True, index=table.index)
    for scope_type, names in (("portfolio", params.portfolios), ("unit", params.units)):
        if names:
            keep &= (table["scope_type"] != scope_type) | table["scope_key"].isin(names)
    return table[keep].reset_index(drop=True)


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """The rows recorded as measures: the company's headline first; officers only stand in the table, which fewer people read."""
    place = table["kpi"].map({kpi: place for place, kpi in enumerate(HEADLINE)}).fillna(len(HEADLINE))
    grain = table["scope_type"].map({name: place for place, name in enumerate(GRAINS)})
    order = (
        pd.DataFrame({"grain": grain, "place": place, "scope_key": table["scope_key"]})
        .dropna()
        .sort_values(["grain", "place", "scope_key"])
    )
    return table.loc[order.index].reset_index(drop=True)


def headline(shown: pd.DataFrame, params: KpiPeriod, book: Book) -> tables.ShownTable:
    """The company's KPIs: value and interval, the period before, the target, and what of it is beyond chance."""
    company = shown[(shown["scope_type"] == "company") & shown["kpi"].isin(HEADLINE) & ~_not_in_book(shown)]
    order = {kpi: place for place, kpi in enumerate(HEADLINE)}
    company = company.sort_values("kpi", key=lambda column: column.map(order), ignore_index=True)
    named = company.assign(kpi_name=_names(company["kpi"], params.lang))
    columns = ["kpi_name", "value", "low", "high", "target", "target_standing", "previous", "change_standing"]
    units = ["value", "low", "high", "previous", "target"]
    return tables.show(named, lang=params.lang, columns=columns, by_unit=units, currency=book.currency, compact=True)


def by_scope(shown: pd.DataFrame, scope_type: str, params: KpiPeriod, book: Book) -> tables.ShownTable | tables.Absent:
    """One row per portfolio, sub-function, unit or officer, one column per KPI."""
    rows = shown[(shown["scope_type"] == scope_type) & ~_absent(shown)]
    chosen = {name: KPIS[kpi] for name, kpi in SCOPE_COLUMNS.items() if scope_type != "officer" or name in OFFICER_COLUMNS}
    chosen = {name: kpi for name, kpi in chosen.items() if kpi.id != "R1-day" or scope_type in MOVING}
    wide = _wide(rows, "scope_key", "kpi", "value")
    table = pd.DataFrame(
        {name: wide[kpi.id] for name, kpi in chosen.items() if kpi.id in wide and wide[kpi.id].notna().any()}, index=wide.index
    )
    table = table.dropna(how="all")
    if set(table.index) <= {UNASSIGNED}:
        return tables.Absent(say("kpi_nothing_by_scope", params.lang))
    attained = rows[rows["kpi"] == "R14"].set_index("scope_key")
    if "attainment" in table:
        after = list(table.columns).index("attainment") + 1
        table.insert(after, "attainment_low", attained["low"].reindex(table.index))
        table.insert(after + 1, "attainment_high", attained["high"].reindex(table.index))
    label = {"portfolio": "portfolio_code", "officer": "officer_key", "unit": "unit_name"}.get(scope_type, scope_type)
    names = scope_names(book, params.lang)
    table.insert(0, label, [names(scope_type, key) for key in table.index])
    return tables.show(table.reset_index(drop=True), lang=params.lang, percent=PERCENT, currency=book.currency)


def by_officer(shown: pd.DataFrame, params: KpiPeriod, book: Book) -> tables.ShownTable | tables.Absent:
    """One row per officer, for team leads; else why there is none."""
    if params.audience != "team_leads":
        return tables.Absent(say("kpi_officers_not_here", params.lang))
    return by_scope(shown, "officer", params, book)


def missed_targets(missed: pd.DataFrame, shown: pd.DataFrame, params: KpiPeriod, book: Book) -> tables.ShownTable | tables.Absent:
    """Who missed which target beyond chance, named; or that nobody did, or that there was no target to miss."""
    if missed.empty:
        return tables.Absent(say("kpi_none_missed" if shown["target"].notna().any() else "kpi_no_target", params.lang))
    names = scope_names(book, params.lang)
    scope = [names(kind, key) for kind, key in zip(missed["scope_type"], missed["scope_key"], strict=True)]
    named = missed.assign(scope=scope, kpi_name=_names(missed["kpi"], params.lang))
    columns = ["scope", "kpi_name", "value", "low", "high", "target", "shortfall", "short_minor"]
    units = ["value", "low", "high", "target"]
    return tables.show(named, lang=params.lang, columns=columns, by_unit=units, percent=["shortfall"], currency=book.currency)


def attribution_table(shown: pd.DataFrame, params: KpiPeriod, book: Book) -> tables.ShownTable:
    """Cash by unit of the contact before it, named."""
    if "unit_key" not in shown:
        return tables.show(shown, lang=params.lang)
    names = scope_names(book, params.lang)
    unit = [texts.value("unit_key", key, params.lang) if key == UNATTRIBUTED else names("unit", key) for key in shown["unit_key"]]
    table = shown.assign(unit_name=unit, payments=shown["cases"], attributed_minor=shown["numerator"], share=shown["value"])
    columns = ["unit_name", "payments", "attributed_minor", "share"]
    return tables.show(table, lang=params.lang, columns=columns, percent=["share"], currency=book.currency)


def rule_table(shown: pd.DataFrame, params: KpiPeriod) -> tables.ShownTable:
    """Breaches by rule of the whole company."""
    if "rule_id" not in shown:
        return tables.show(shown, lang=params.lang)
    table = shown.rename(columns={"numerator": "breaches", "denominator": "contacts"})
    return tables.show(table, lang=params.lang, columns=["rule_id", "severity", "breaches", "across_units", "contacts"])


def breach_table(shown: pd.DataFrame, params: KpiPeriod, book: Book) -> tables.ShownTable | tables.Absent:
    """Breaches by unit, one column per rule, units without any left out."""
    if "rule_id" not in shown:
        return tables.show(shown, lang=params.lang)
    names = scope_names(book, params.lang)
    wide = _wide(shown, "unit_key", "rule_id", "numerator").reindex(columns=list(conduct.RULES))
    broken = wide[(wide > 0).any(axis=1)]
    if broken.empty:
        return tables.Absent(say("kpi_no_breach", params.lang))
    contacts = shown.drop_duplicates("unit_key").set_index("unit_key")["denominator"].reindex(broken.index)
    table = broken.rename(columns={rule: f"breaches_{rule.lower()}" for rule in conduct.RULES}).assign(contacts=contacts)
    table.insert(0, "unit_name", [names("unit", key) for key in broken.index])
    return tables.show(table.reset_index(drop=True), lang=params.lang)


def hard_breaches(by_rule: pd.DataFrame) -> int:
    """Contacts in breach of a rule of law or contract."""
    return int(by_rule.loc[by_rule["severity"] == "hard", "numerator"].sum()) if "severity" in by_rule else 0


def attained(shown: pd.DataFrame, params: KpiPeriod, book: Book) -> pd.DataFrame:
    """Target attainment of company, sub-functions and units, named, for the figure; missed ones flagged."""
    rows = shown[(shown["kpi"] == "R14") & shown["scope_type"].isin(["company", "sub_function", "unit"]) & shown["value"].notna()]
    names = scope_names(book, params.lang)
    label = [names(kind, key) for kind, key in zip(rows["scope_type"], rows["scope_key"], strict=True)]
    return rows.assign(label=label, missed=rows["target_standing"] == "missed").reset_index(drop=True)


def matrix(facts: Facts, params: KpiPeriod) -> pd.DataFrame:
    """The roll matrix (`flow.roll_matrix`), or why there is none."""
    why = _missing(facts, "month_end", pairs=True)
    return flow.roll_matrix(facts.book, facts["pairs"], top_bucket=params.top_bucket, few=params.few_accounts) if why is None else why


def buckets(facts: Facts, params: KpiPeriod) -> pd.DataFrame:
    """The flow rates by bucket (`kpi_table.by_bucket`), or why there are none."""
    why = _missing(facts, "month_end", pairs=True)
    return by_bucket(facts, top_bucket=params.top_bucket) if why is None else why


def bucket_table(shown: pd.DataFrame, params: KpiPeriod) -> tables.ShownTable:
    """The flow rates by bucket at the start, buckets in rows; the last one holds all from there on."""
    if "scope_key" not in shown:
        return tables.show(shown, lang=params.lang)
    keys = sorted(shown["scope_key"].unique(), key=int)
    wide = _wide(shown, "scope_key", "kpi", "value").reindex(keys)
    accounts = shown[shown["kpi"] == "F1"].set_index("scope_key")["denominator"].reindex(keys)
    names = [f"{key}+" if int(key) == params.top_bucket else key for key in keys]
    table = pd.DataFrame({"bucket": names, "accounts": accounts.to_numpy()})
    for name, kpi in BUCKET_RATES.items():
        table[name] = wide[kpi].to_numpy()
    return tables.show(table, lang=params.lang, percent=list(BUCKET_RATES))


def pace_of(facts: Facts, kpis: pd.DataFrame) -> pd.DataFrame:
    """Cumulative cash by working day (`pace.pace`), or why there is none; the target is the company's."""
    why = _missing(facts, "payment")
    plan = kpis[(kpis["kpi"] == "R1") & (kpis["scope_type"] == "company")]["target"].dropna()
    return pace.pace(facts.book, facts.period, target_minor=float(plan.iloc[0]) if len(plan) else None) if why is None else why


def attributed_cash(facts: Facts) -> pd.DataFrame:
    """Cash by unit of the contact before it, with the residual (`attribution.attribution`), or why there is none."""
    why = _missing(facts, "payment", "contact")
    return attribution.attribution(facts.book, facts["contacts"], facts.period, facts.windows) if why is None else why


def promises_due(facts: Facts) -> pd.DataFrame:
    """How the promises falling due stand (`promises.promise_states`), or why there are none."""
    why = _missing(facts, "promise", "payment")
    return promises.states_of(facts.book, facts["due"]) if why is None else why


def rules(facts: Facts, *, by_unit: bool = False) -> pd.DataFrame:
    """Breaches by rule (`conduct.breaches_by_rule`), or why there are none."""
    why = _missing(facts, "contact")
    return conduct.breaches_by_rule(facts.book, facts["breaches"], facts.limits, by_unit=by_unit) if why is None else why


def postings(facts: Facts) -> pd.DataFrame:
    """What became of every posting (`cash.postings`), or why there are none."""
    why = _missing(facts, "payment")
    return cash.postings(facts.book, start=facts.period.start, end=facts.period.end) if why is None else why


def definitions(facts: Facts, lang: str) -> pd.DataFrame:
    """The whole dictionary with the windows of the period (`kpis.dictionary`); numerator and denominator are words: counted, counted_over."""
    return dictionary(facts.windows, lang=lang).rename(columns={"numerator": "counted", "denominator": "counted_over"})


def definition_table(shown: pd.DataFrame, lang: str) -> tables.ShownTable:
    """Every KPI with its formula, its windows and the id and hash of its definition; the recorded table holds the rest."""
    worded = shown.assign(windows=[in_words(text, lang) for text in shown["windows"]])
    return tables.show(worded, lang=lang, columns=["kpi", "name", "formula", "credit", "windows", "definition"])


def _missing(facts: Facts, *names: str, pairs: bool = False) -> pd.DataFrame | None:
    """A table of one note where the book lacks a table in the period; `pairs`: every month end from the one before it on is read."""
    why = lacking(facts, names, ends=(facts.period.opening, facts.period.end) if pairs else None)
    return pd.DataFrame({"note": [why]}) if why else None


def _absent(table: pd.DataFrame) -> pd.Series:
    return table["note"].str.startswith(NO_ROWS)


def _not_in_book(table: pd.DataFrame) -> pd.Series:
    """What the book holds nothing of at all; what it lacks in a month (named in brackets) is told, with the reason."""
    return _absent(table) & ~table["note"].str.contains("(", regex=False)


def _wide(table: pd.DataFrame, index: str, columns: str, values: str) -> pd.DataFrame:
    # A repeated cell must fail here; pivot_table would average it.
    return table.pivot(index=index, columns=columns, values=values)  # noqa: PD010


def _names(ids: Iterable[str], lang: str) -> list[str]:
    return [f"{KPIS[kpi].name(lang)} ({kpi})" for kpi in ids]
