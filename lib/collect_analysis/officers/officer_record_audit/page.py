"""An audit of the record of officers' work: its tables, by type, unit and officer, and in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.book.policy import in_force
from collect_analysis.book.presence import absent, delivered
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures import day_sheets
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.expected import observed_expected
from collect_analysis.measures.periods import Period, month_start
from collect_analysis.measures.record_audit import DAY_TYPES, Audit, audited, shortfalls
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.profiling.agreement import double_ratings_needed, fleiss_kappa, rater_spread
from collect_analysis.methods.profiling.record_tests import digit_test
from collect_analysis.officers import officer_index
from collect_analysis.officers.officer_record_audit import decision, figures, measures_assessments
from collect_analysis.officers.officer_record_audit.parameters import OfficerRecordAudit
from collect_analysis.report import tables, texts
from collect_analysis.report.texts import say

LEAST_TENURE_OFFICERS = 5
# What agreement is planned for when it is not known: assessors who mostly agree.
_PLANNED_KAPPA = 0.7


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was found: by type, unit and officer; `found`: conditions."""

    findings: pd.DataFrame
    officers: pd.DataFrame
    units: pd.DataFrame
    types: pd.DataFrame
    clock: pd.DataFrame
    digits: pd.DataFrame
    completeness: pd.DataFrame
    rated: dict[str, int]
    found: list[Condition]


def record_of(book: Book, params: OfficerRecordAudit) -> Record:
    """Looks for everything in the period, where the data live."""
    period = Period(params.period_start, params.period_end)
    rated = measures_assessments.assessed(book, period)
    missing = shortfalls(book, period)
    with _open(book, period, params) as audit:
        findings, clock, digits = audit.findings(), audit.clock_days(), audit.digits()
        complete = pd.DataFrame() if DAY_TYPES[0] in missing else day_sheets.completeness(book, period, audit.log)
    officers = decision.beyond_chance(findings[findings["officer_key"] != "unassigned"], "officer_key")
    units = decision.beyond_chance(findings, "unit_key")
    # Also where no critical failure was found yet, one may come: plan with one more of each.
    critical = (rated["failed"] + 1) / (rated["assessments"] + 2)
    needed = double_ratings_needed(_PLANNED_KAPPA, [1 - critical, critical])
    found = decision.conditions(
        contacts=int(findings.loc[findings["type"] == "clock", "trials"].sum()),
        sheets=int(complete["officer_days"].sum()) if len(complete) else 0,
        rated_twice=int(rated["rated_twice"]), assessed=int(rated["contacts"]), needed=needed, untestable=tuple(missing),
    )  # fmt: skip
    found.append(delivered(absent(book, ("contact", "unit_day", "promise", "payment"), period.month_starts), consequence="note"))
    return Record(
        findings=findings, officers=officers, units=units, types=decision.standings(findings, officers, missing), clock=clock, digits=digits,
        completeness=complete, rated=rated, found=found,
    )  # fmt: skip


@contextmanager
def _open(book: Book, period: Period, params: OfficerRecordAudit) -> Iterator[Audit]:
    limits = (
        [LegalLimits.of(version) for version in in_force("legal_limits", start=period.start, end=period.end)] if book.has("contact") else []
    )
    with audited(book, period, params.rules, limits) as audit:
        yield audit


def measured(types: pd.DataFrame) -> pd.DataFrame:
    """The count of every type as it is recorded: value (records found), numerator, denominator, expected as its own measure's note."""
    return types.assign(value=types["observed"], numerator=types["observed"], denominator=types["trials"], unit="count")[
        ["type", "value", "numerator", "denominator", "unit", "note"]
    ]


def types_shown(types: pd.DataFrame, params: OfficerRecordAudit, book: Book) -> tables.ShownTable:
    """Every type: how it stands, counts, what chance makes, money. What needs a person's eye first."""
    order = {
        name: place for place, name in enumerate((decision.REVIEW, decision.SYSTEM, decision.CHANCE, decision.CLEAN, decision.UNTESTABLE))
    }
    rows = types.assign(place=types["status"].map(order)).sort_values(["place", "review"], ascending=[True, False], kind="stable")
    shown = _headed(rows)
    columns = ["ra_type", "ra_status", "ra_review", "ra_seen", "ra_of", "ra_share", "ra_expected", "ra_money_minor"]
    return tables.show(shown, lang=params.lang, columns=columns, percent=["ra_share"], currency=book.currency)


def _headed(rows: pd.DataFrame) -> pd.DataFrame:
    names = {
        "type": "ra_type", "status": "ra_status", "review": "ra_review", "observed": "ra_seen", "trials": "ra_of", "value": "ra_share",
        "expected": "ra_expected", "money_minor": "ra_money_minor",
    }  # fmt: skip
    return rows.rename(columns=names).reset_index(drop=True)


def chance_drawn(types: pd.DataFrame, params: OfficerRecordAudit):
    """The figure of found over expected, for types that chance makes too; interval of a count (exact Poisson)."""
    rows = types[(types["kind"] == "chance") & (types["expected"] > 0)].reset_index(drop=True)
    seen, expected = rows["observed"].to_numpy(float), rows["expected"].to_numpy(float)
    low, high = stats.chi2.ppf(0.025, 2 * seen) / 2, stats.chi2.ppf(0.975, 2 * seen + 2) / 2
    drawn = rows.assign(
        label=[texts.value("ra_type", name, params.lang) for name in rows["type"]], ratio=seen / expected,
        low=np.where(seen > 0, low, 0.0) / expected, high=high / expected, beyond=rows["p_value"] < 0.05,
    )  # fmt: skip
    # A type of which chance makes next to none would stretch the axis beyond reading; the table has it.
    return figures.against_chance(drawn[drawn["expected"] >= 1].reset_index(drop=True), lang=params.lang)


def units_shown(units: pd.DataFrame, params: OfficerRecordAudit, book: Book) -> tables.ShownTable | tables.Absent:
    """Units with more of a type than is expected of them."""
    # Gaps of the sheets have a section of their own.
    told = units["beyond"] & ~units["type"].isin(decision.GAPS)
    rows = units[told].sort_values(["observed"], ascending=False, kind="stable")
    if rows.empty:
        return tables.Absent(say("ra_nothing_beyond", params.lang))
    shown = _headed(rows).assign(unit_name=[_unit(book, params).get(key, key) for key in rows["unit_key"]])
    columns = ["ra_type", "unit_name", "ra_seen", "ra_of", "ra_share", "ra_expected", "ra_money_minor"]
    return tables.show(shown, lang=params.lang, columns=columns, percent=["ra_share"], currency=book.currency)


def officers_told(officers: pd.DataFrame, params: OfficerRecordAudit) -> pd.DataFrame:
    """The rows of officers for those who lead them; for others how many officers of each unit and type there are."""
    # What a system did is held against nobody.
    rows = officers[officers["beyond"] & ~officers["type"].isin(decision.OF_SYSTEMS)]
    if params.audience == "team_leads":
        return rows.drop(columns=["p_value", "note"]).sort_values(
            ["type", "observed"], ascending=[True, False], kind="stable", ignore_index=True
        )
    grouped = rows.groupby(["type", "unit_key"], as_index=False, sort=True)
    return grouped.agg(
        officers=("officer_key", "nunique"), observed=("observed", "sum"), money_minor=("money_minor", lambda money: money.sum(min_count=1))
    )


def officers_shown(told: pd.DataFrame, params: OfficerRecordAudit, book: Book) -> tables.ShownTable | tables.Absent:
    """Officers (team leads) or counts of officers by unit (others) whose records a person should look at."""
    if told.empty:
        return tables.Absent(say("ra_nobody_beyond", params.lang))
    shown = _headed(told).assign(unit_name=[_unit(book, params).get(key, key) for key in told["unit_key"]])
    single = ["officer_key", "ra_seen", "ra_of", "ra_expected"] if "officer_key" in shown else ["officers", "ra_seen"]
    return tables.show(shown, lang=params.lang, columns=["ra_type", "unit_name", *single, "ra_money_minor"], currency=book.currency)


def _unit(book: Book, params: OfficerRecordAudit) -> dict[str, str]:
    unit = book.table("unit")
    names = book.frame(unit.group_by("unit_key").agg(name=unit.name.max()))
    return {**dict(zip(names["unit_key"], names["name"], strict=True)), "unassigned": texts.value("unit_key", "unassigned", params.lang)}


def clock_shown(clock: pd.DataFrame, params: OfficerRecordAudit, book: Book) -> tables.ShownTable | tables.Absent:
    """Days on which a unit's clock was wrong."""
    if clock.empty:
        return tables.Absent(say("ra_clock_right", params.lang))
    shown = clock.assign(unit_name=[_unit(book, params).get(key, key) for key in clock["unit_key"]]).rename(
        columns={"day": "ra_day", "contacts": "ra_contacts", "wrong": "ra_wrong", "minutes_off": "ra_minutes_off"}
    )
    return tables.show(shown, lang=params.lang, columns=["unit_name", "ra_day", "ra_contacts", "ra_wrong", "ra_minutes_off"])


def completeness_shown(table: pd.DataFrame, params: OfficerRecordAudit, book: Book) -> tables.ShownTable | tables.Absent:
    """How much of the day sheets and of the log of calls agrees, by unit."""
    if table.empty:
        return tables.Absent(say("ra_no_sheets", params.lang))
    shown = table.assign(unit_name=[_unit(book, params).get(key, key) for key in table["unit_key"]]).rename(
        columns={"officer_days": "ra_days", "declared_min": "ra_declared", "handled_min": "ra_handled", "value": "ra_agree",
                 "visits": "ra_visits", "declared_visits": "ra_declared_visits"}
    )  # fmt: skip
    shown["ra_handled"] = shown["ra_handled"].round()
    columns = ["unit_name", "ra_days", "ra_declared", "ra_handled", "ra_agree", "ra_declared_visits", "ra_visits"]
    return tables.show(shown, lang=params.lang, columns=columns, percent=["ra_agree"])


def digit_table(digits: pd.DataFrame) -> pd.DataFrame:
    """Digits with their shares, and per kind the test against even ones: what, digit, observed, share, p_value."""
    parts = []
    for what, part in digits.groupby("what", sort=False):
        test = digit_test(part.sort_values("digit")["observed"])
        total = part["observed"].sum()
        parts.append(part.assign(share=part["observed"] / total if total else np.nan, p_value=test["p_value"], what=what))
    return pd.concat(parts, ignore_index=True)


def agreement_table(book: Book, params: OfficerRecordAudit, rated: dict[str, int]) -> pd.DataFrame:
    """Do assessors agree, and are they alike strict?

    Columns: what (critical: critical failure; score: band of the score; strictness), value (Fleiss' kappa; for strictness the share of the variance
    of scores that is the assessor's), low, high, observed (agreement), largest (points by which one assessor's mean differs), p_value, cases, note.
    """
    period = Period(params.period_start, params.period_end)
    seen = measures_assessments.patterns(book, period)
    repeated = seen.loc[seen.index.repeat(seen["cases"])] if len(seen) else seen
    rows = []
    for what, columns in (("critical", ["passed", "failed"]), ("score", [name for name in seen.columns if name.startswith("band_")])):
        found = fleiss_kappa(repeated[columns].to_numpy())
        rows.append(
            {
                "what": what,
                "value": found.kappa,
                "low": found.low,
                "high": found.high,
                "observed": found.observed,
                "cases": found.cases,
                "note": found.note,
            }
        )
    spread = rater_spread(measures_assessments.strictness(book, period), group="unit_key", rater="assessor")
    rows.append({"what": "strictness", "value": spread["share"], "p_value": spread["p_value"], "largest": spread["largest"], "cases": int(rated["assessments"]),
                 "note": "" if np.isfinite(spread["share"]) else "fewer than two assessors of a unit"})  # fmt: skip
    columns = ["what", "value", "low", "high", "observed", "largest", "p_value", "cases", "note"]
    return pd.DataFrame(rows).reindex(columns=columns)


def agreement_shown(table: pd.DataFrame, params: OfficerRecordAudit) -> tables.ShownTable:
    """Agreement in words."""
    rows = table.rename(columns={"what": "ra_agreement", "value": "ra_kappa", "low": "ra_kappa_low", "high": "ra_kappa_high", "observed": "ra_observed",
                                 "largest": "ra_largest", "cases": "ra_assessed"})  # fmt: skip
    columns = ["ra_agreement", "ra_assessed", "ra_kappa", "ra_kappa_low", "ra_kappa_high", "ra_observed", "ra_largest", "p_value"]
    return tables.show(rows, lang=params.lang, columns=columns, percent=["ra_observed"])


def tenure_table(book: Book, params: OfficerRecordAudit) -> pd.DataFrame:
    """What officers of each time since hire get out of comparable accounts (`officer_index.tenure_curve`), or why it cannot be told."""
    last = params.period_end.replace(day=1)
    try:
        months = observed_expected(book, month_start(last, 1 - params.ramp_months), last, reference_months=params.reference_months)
    except DataError as error:
        nothing = {name: [np.nan] for name in ("tenure_from", "tenure_to", "cases", "officer_months", "value", "low", "high")}
        return pd.DataFrame({**nothing, "note": [str(error)]})
    return officer_index.tenure_curve(months, least_officers=LEAST_TENURE_OFFICERS)
