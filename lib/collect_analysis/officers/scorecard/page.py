"""A scorecard as it is read: bands of officers and units, how reliable the figures are, the gates beside them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.book.policy import in_force, policy
from collect_analysis.book.store import Book
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.expected import calibration_table
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.officers import officer_gates, officer_index
from collect_analysis.officers.officer_index import FULL, INDICES, OFFICER_KEYS, PAYERS, UNIT_KEYS
from collect_analysis.officers.scorecard import decision
from collect_analysis.officers.scorecard.decision import ScorecardRules, ScorecardVerdict
from collect_analysis.officers.scorecard.parameters import Scorecard
from collect_analysis.report import tables, texts
from collect_analysis.report.disclosure import SUPPRESSED
from collect_analysis.report.scope_names import code_labels, scope_names
from collect_analysis.report.texts import say

NO_CLAIM = "not answerable: see the conditions that are not met"
_CLAIMS = ("value", "low", "high", "p_above", "payer_value", "payer_low", "payer_high")
_OFFICER_COLUMNS = (
    "officer_key", "unit_key", "sub_function", "band", "value", "low", "high", "p_above", "raw", "se", "reliability", "cases", "months",
    "collected_minor", "target_minor", "attainment", "capped_minor", "expected_minor", "payers", "expected_payers", "payer_value", "payer_low",
    "payer_high", "tenure_months", "tenure_index", "tenure_value", "critical_qa", "hard_breaches", "kept_promises", "gate", "gate_factor", "note",
)  # fmt: skip
_UNIT_COLUMNS = (
    "unit_key", "sub_function", "band", "value", "low", "high", "p_above", "raw", "se", "reliability", "cases", "months", "collected_minor",
    "target_minor", "attainment", "expected_minor", "officers", "officers_above", "officers_below", "critical_qa", "hard_breaches",
    "kept_promises", "gate", "gate_factor", "note",
)  # fmt: skip
_HIDDEN = ("raw", "se", "collected_minor", "attainment", "capped_minor", "payers", "payer_value", "payer_low", "payer_high", "tenure_value")
_BAND_ORDER = {band: place for place, band in enumerate(decision.BANDS)}


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything a scorecard rests on: tables of officers and units, reliability, calibration, gates, conditions, verdict.

    `officers` is whole, whoever reads the page: `officer_table` decides what is told.
    """

    rules: ScorecardRules
    officers: pd.DataFrame
    units: pd.DataFrame
    reliability: pd.DataFrame
    calibration: pd.DataFrame
    tenure: pd.DataFrame
    gates: pd.DataFrame
    conditions: list[Condition]
    verdict: ScorecardVerdict
    apart_minor: int


def judge(book: Book, params: Scorecard) -> Card:
    """Measures observed against expected, tells how reliable it is, and puts officers and units into bands.

    Raises
    ------
    DataError
        The book has no month ends or payments, or does not reach the months asked for.
    """
    pooling, period = params.pooling, params.pooling.pooled
    rules = ScorecardRules.of(policy("scorecard", on=params.period_end))
    windows = KpiWindows.of(policy("kpi_windows", on=params.period_end))
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=period.start, end=period.end)]
    months = officer_index.monthly(
        book, pooling, factors=params.factors, reference_months=params.reference_months, cap_quantile=params.cap_quantile
    )
    ratios = officer_gates.ratios_by_month(book, pooling.history, windows=windows)
    reliability = _told(
        officer_index.reliability_table(months, ratios, pooling, wanted=rules.least_reliability, least_cases=params.min_cell), params
    )
    calibration = calibration_table(
        book, period.start, pooling.last_month, factors=params.factors, reference_months=params.reference_months,
        cap_quantile=params.cap_quantile,
    )  # fmt: skip
    curve = officer_index.tenure_curve(months, least_officers=rules.least_tenure_officers)
    counted = {by: officer_gates.gate_counts(book, period, by=by, windows=windows, limits=limits) for by in ("officer_key", "unit_key")}
    gates = {by: decision.gate_table(counts, rules) for by, counts in counted.items()}
    targets = {grain: officer_index.pooled_targets(book, period, grain=grain) for grain in ("officer", "unit")}
    found = decision.conditions(
        reliability, calibration, kpi=f"index_{params.index}", months=int(months["month"].nunique()), pool_months=params.pool_months,
        targets=len(targets["officer"]) + len(targets["unit"]), rules=rules,
    )  # fmt: skip
    barred = bool(refused(found))
    officers = _officers(months, params, rules, reliability, curve, gates["officer_key"], targets["officer"], barred=barred)
    units = _units(months, params, rules, gates["unit_key"], targets["unit"], officers, barred=barred)
    held = months[pd.to_datetime(months["month"]) >= pd.Timestamp(period.start)]
    return Card(
        rules=rules,
        officers=officers,
        units=units,
        reliability=reliability,
        calibration=calibration.assign(cases=calibration["accounts"]),
        tenure=curve,
        gates=_told(gates["unit_key"].rename(columns={"scope_key": "unit_key"}), params),
        conditions=found,
        verdict=decision.verdict(officers, units, refused=barred),
        apart_minor=officer_gates.cash_apart(book, period, int(held["cash_minor"].sum())),
    )


def _told(table: pd.DataFrame, params: Scorecard) -> pd.DataFrame:
    """The rows of the sub-functions and units that the report file names; all where it names none."""
    keep = pd.Series(True, index=table.index)
    for column, names in (("sub_function", params.sub_functions), ("unit_key", params.units)):
        if names and column in table:
            keep &= table[column].isin(names)
    return table[keep].reset_index(drop=True)


def _officers(
    months: pd.DataFrame, params: Scorecard, rules: ScorecardRules, reliability: pd.DataFrame, curve: pd.DataFrame, gates: pd.DataFrame,
    targets: pd.DataFrame, *, barred: bool,
) -> pd.DataFrame:  # fmt: skip
    sums = officer_index.pooled(months, params.pooling.pooled, by=OFFICER_KEYS)
    payer = officer_index.shrunken(sums, index=PAYERS, level=rules.level)
    table = officer_index.shrunken(sums, index=params.index, level=rules.level)
    table = table.assign(**{f"payer_{name}": payer[name] for name in ("value", "low", "high")})
    led = reliability[reliability["kpi"] == f"index_{params.index}"].set_index("sub_function")["pooled"]
    table = _told(table, params)
    reliable = table["sub_function"].map(led).astype(float)
    table = decision.banded(table, rules, reliability=reliable, few=table["expected_payers"] < rules.least_expected_payers)
    table["tenure_index"] = officer_index.tenure_expected(table["tenure_months"], curve)
    table["tenure_value"] = table["value"] / table["tenure_index"]
    table = _with_targets(table, targets, "officer_key")
    table = _with_gates(table, gates, "officer_key")
    return _withheld(table, barred)[list(_OFFICER_COLUMNS)]


def _units(
    months: pd.DataFrame, params: Scorecard, rules: ScorecardRules, gates: pd.DataFrame, targets: pd.DataFrame, officers: pd.DataFrame,
    *, barred: bool,
) -> pd.DataFrame:  # fmt: skip
    sums = officer_index.pooled(months, params.pooling.pooled, by=UNIT_KEYS)
    table = _told(officer_index.believed_units(sums, level=rules.level, prior_sd=rules.prior_sd), params)
    table = decision.banded(table, rules, reliability=table["reliability"], few=table["expected_payers"] < rules.least_expected_payers)
    table["expected_minor"] = table[INDICES[FULL][1]]
    counts = officers.groupby("unit_key").agg(
        officers=("officer_key", "size"),
        officers_above=("band", lambda band: (band == decision.ABOVE).sum()),
        officers_below=("band", lambda band: (band == decision.BELOW).sum()),
    )
    table = table.join(counts.astype(float), on="unit_key")
    small = table["officers"].fillna(0) < params.min_cell
    table[["officers_above", "officers_below"]] = table[["officers_above", "officers_below"]].mask(small)
    table = _with_gates(_with_targets(table, targets, "unit_key"), gates, "unit_key")
    return _withheld(table, barred)[list(_UNIT_COLUMNS)]


def _with_targets(table: pd.DataFrame, targets: pd.DataFrame, key: str) -> pd.DataFrame:
    table = table.merge(targets.rename(columns={"scope_key": key}), on=key, how="left", validate="many_to_one")
    table["collected_minor"] = table["cash_minor"].astype(float)
    table["attainment"] = table["collected_minor"] / table["target_minor"].where(table["target_minor"] > 0).astype(float)
    return table


def _with_gates(table: pd.DataFrame, gates: pd.DataFrame, key: str) -> pd.DataFrame:
    stands = decision.standing(gates, list(dict.fromkeys(table[key])))
    return table.merge(stands.rename(columns={"scope_key": key}), on=key, how="left", validate="many_to_one")


def _withheld(table: pd.DataFrame, barred: bool) -> pd.DataFrame:
    if not barred:
        return table
    empty = table.assign(note=NO_CLAIM, band=decision.UNRELIABLE)
    present = [name for name in (*_CLAIMS, "tenure_value") if name in empty]
    empty[present] = np.nan
    return empty


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Officers by band, then sub-function, unit, key: never by the index, which would be a ranking."""
    order = table["band"].map(
        {"below": 0, "above": 1} | {band: place + 2 for band, place in _BAND_ORDER.items() if band not in ("above", "below")}
    )
    keys = ["order", "sub_function", "unit_key", "officer_key"]
    return table.assign(order=order).sort_values(keys, ignore_index=True).drop(columns="order")


def without_small(table: pd.DataFrame, *, min_cell: int) -> pd.DataFrame:
    """The table without figures that rest on fewer than `min_cell` accounts, also those the recorder does not know."""
    small = table["cases"] < min_cell
    if not small.any():
        return table
    shown = table.copy()
    for column in [name for name in _HIDDEN if name in shown]:
        shown[column] = shown[column].astype(float).mask(small)
    shown["band"] = shown["band"].mask(small, decision.TOO_FEW)
    return shown


def told_units(card: Card, params: Scorecard) -> pd.DataFrame:
    """The units as they are recorded: by sub-function, small ones without figures."""
    return without_small(card.units.sort_values(["sub_function", "unit_key"], ignore_index=True), min_cell=params.min_cell)


def told_officers(card: Card, params: Scorecard) -> pd.DataFrame:
    """The officers as they are recorded for team leads: by band, small ones without figures; for others none."""
    table = without_small(in_order(card.officers), min_cell=params.min_cell)
    return table if params.audience == "team_leads" else table.head(0)


def band_counts(card: Card, params: Scorecard) -> pd.DataFrame:
    """How many officers of each sub-function are in which band? A sub-function with fewer than `min_cell` officers is not told.

    Columns: sub_function, officers, a column per band, reliability (of the pooled index), note. Sorted.
    """
    counted = card.officers.groupby("sub_function")["band"].value_counts().unstack(fill_value=0)  # noqa: PD010 - counts, no repeated cell
    counted = counted.reindex(columns=list(decision.BANDS), fill_value=0).astype(float)
    counted.insert(0, "officers", counted.sum(axis=1))
    few = counted["officers"] < params.min_cell
    counted[list(decision.BANDS)] = counted[list(decision.BANDS)].mask(few, axis=0)
    table = counted.rename_axis(None, axis=1).reset_index()
    table["reliability"] = table["sub_function"].map(card.officers.groupby("sub_function")["reliability"].first())
    table["note"] = np.where(few.to_numpy(), SUPPRESSED.format(min_cell=params.min_cell), "")
    return table.sort_values("sub_function", ignore_index=True)


def bands_shown(shown: pd.DataFrame, params: Scorecard) -> tables.ShownTable | tables.Absent:
    """Bands by sub-function; a band that nobody is in is left out."""
    if shown.empty:
        return tables.Absent(say("scorecard_no_officers", params.lang))
    counts = [band for band in decision.BANDS if shown[band].fillna(0).sum() > 0 or band in ("above", "below")]
    named = shown.rename(columns={band: f"band_{band}" for band in counts})
    columns = ["sub_function", "officers", *(f"band_{band}" for band in counts), "reliability"]
    return tables.show(named, lang=params.lang, columns=columns)


def unit_table(shown: pd.DataFrame, params: Scorecard, book: Book) -> tables.ShownTable | tables.Absent:
    """One row per unit: money, target, what its accounts led to expect, its index and its gates."""
    if shown.empty:
        return tables.Absent(say("scorecard_no_units", params.lang))
    columns = ["unit_name", "collected_minor", "attainment", "raw", "index_shrunken", "low", "high", "band", "gate_status"]
    if shown["officers_above"].notna().any():
        columns += ["officers", "officers_above", "officers_below"]
    # That a unit stands alone is said by its band already.
    named = _named(shown.assign(note=shown["note"].mask(shown["note"] == officer_index.ALONE, "")), params, book)
    return tables.show(named, lang=params.lang, columns=columns, percent=["attainment"], currency=book.currency, scaled=True)


def officer_table(shown: pd.DataFrame, params: Scorecard, book: Book) -> tables.ShownTable | tables.Absent | None:
    """One row per officer, by band, for team leads; for others the figure says why there is none."""
    if params.audience != "team_leads":
        return None
    if shown.empty:
        return tables.Absent(say("scorecard_no_officers", params.lang))
    columns = [
        "officer_key", "unit_name", "band", "accounts", "attainment", "raw", "index_shrunken", "low", "high", "payer_value", "tenure_months",
        "tenure_value", "gate_status",
    ]  # fmt: skip
    shown = shown.assign(accounts=shown["cases"])
    return tables.show(_named(shown, params, book), lang=params.lang, columns=columns, percent=["attainment"], currency=book.currency)


def gate_shown(shown: pd.DataFrame, params: Scorecard, book: Book) -> tables.ShownTable | tables.Absent:
    """The gates of the units: what was counted, the limit, the status."""
    if shown.empty:
        return tables.Absent(say("scorecard_no_gates", params.lang))
    named = _named(shown.assign(scorecard_gate=shown["gate"], gate=shown["status"]), params, book)
    columns = ["unit_name", "scorecard_gate", "numerator", "denominator", "value", "low", "high", "limit", "gate_status"]
    return tables.show(named, lang=params.lang, columns=columns, percent=["value", "limit"], currency=book.currency)


def _named(table: pd.DataFrame, params: Scorecard, book: Book) -> pd.DataFrame:
    names = scope_names(book, params.lang)
    named = table.assign(unit_name=[names("unit", key) for key in table["unit_key"]], gate_status=table["gate"])
    return named.assign(index_shrunken=named["value"])


def reliability_shown(shown: pd.DataFrame, params: Scorecard) -> tables.ShownTable | tables.Absent:
    """How reliable each figure is, in one month and pooled."""
    named = shown.assign(scorecard_kpi=shown["kpi"]) if len(shown) else shown
    columns = ["scorecard_kpi", "sub_function", "officers", "value", "low", "high", "pooled", "split_half", "months_needed", "reliable"]
    return tables.show(named, lang=params.lang, columns=columns) if len(shown) else tables.Absent(say("scorecard_no_officers", params.lang))


def tenure_shown(shown: pd.DataFrame, params: Scorecard) -> tables.ShownTable | tables.Absent:
    """What joiners get, by months since hire."""
    if shown.empty:
        return tables.Absent(say("scorecard_no_tenure", params.lang))
    named = _with_span(shown, params.lang).assign(officers=shown["cases"])
    return tables.show(named, lang=params.lang, columns=["tenure", "officers", "officer_months", "value", "low", "high"])


def _with_span(table: pd.DataFrame, lang: str) -> pd.DataFrame:
    spans = [
        say("scorecard_tenure_from", lang, start=int(start))
        if pd.isna(end)
        else say("scorecard_tenure", lang, start=int(start), end=int(end))
        for start, end in zip(table["tenure_from"], table["tenure_to"], strict=True)
    ]
    return table.assign(tenure=spans)


def calibration_shown(shown: pd.DataFrame, params: Scorecard, book: Book) -> tables.ShownTable:
    """Observed against expected by kind of account."""
    products = code_labels(book, "product_code", params.lang)
    levels = [
        products.get(level, level) if factor == "product" else level_name(factor, level, params.lang)
        for factor, level in zip(shown["factor"], shown["level"], strict=True)
    ]
    named = shown.assign(account_factor=shown["factor"], account_level=levels)
    columns = ["account_factor", "account_level", "accounts", "payer_ratio", "expected_minor", "value", "low", "high"]
    return tables.show(named, lang=params.lang, columns=columns, currency=book.currency, scaled=True)


def level_name(factor: str, level: str, lang: str) -> str:
    """What a level of a factor of accounts is called: codes by their names, ranges of months and buckets as they are."""
    if level.startswith("entered "):
        standing, _, sub_function = level.removeprefix("entered ").rpartition(" ")
        names = texts.value("account_standing", standing, lang), texts.value("sub_function", sub_function, lang)
        return say("scorecard_entered", lang, standing=names[0], where=names[1])
    column = {"product": "product_code", "portfolio": "portfolio_code", "sub_function": "sub_function"}.get(factor, "account_level")
    return texts.value(column, level.lstrip("0") or "0" if factor == "bucket" and level.isdigit() else level, lang)


def units_drawn(shown: pd.DataFrame, params: Scorecard, book: Book) -> pd.DataFrame:
    """Units for the figure, named; those credibly apart flagged."""
    named = _named(shown, params, book)
    drawn = named[named["value"].notna()]
    return drawn.assign(label=drawn["unit_name"], apart=shown.loc[drawn.index, "band"].isin(["above", "below"])).reset_index(drop=True)


def measured(card: Card) -> pd.DataFrame:
    """How many officers are in each band: band, value, denominator (all officers told), unit."""
    counts = card.verdict.counts
    rows = [
        {"band": band, "value": float(counts[band]), "denominator": float(sum(counts.values())), "unit": "count"} for band in decision.BANDS
    ]
    return pd.DataFrame(rows)
