"""A KPI validation, step by step: the KPIs of officers by month, what they are worth, and the tables of the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.book.policy import in_force, policy
from collect_analysis.book.store import Book
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.expected import observed_expected
from collect_analysis.measures.kpis import KPIS, Kpi
from collect_analysis.measures.periods import KpiWindows, months_of
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.profiling.record_tests import share_excess
from collect_analysis.officers.kpi_validation import decision, figures, measures as officer_months, measures_worth
from collect_analysis.officers.kpi_validation.parameters import KpiValidation
from collect_analysis.report import tables, texts
from collect_analysis.report.texts import say

NUMBERS = (
    "reliability", "month_reliability", "low", "high", "months_half", "months_good", "share", "share_low", "share_high", "predicts",
    "predicts_low", "predicts_high", "moves", "moves_low", "moves_high", "value", "split_half", "split_low", "split_high", "pooled", "inside",
)  # fmt: skip
NOT_ANSWERABLE = "not answerable: see the conditions that are not met"


@dataclass(frozen=True, kw_only=True)
class Study:
    """The KPIs of officers by month and what they are worth; `found`: conditions; `months`: the halves, as counted."""

    kpis: Sequence[Kpi]
    months: pd.DataFrame
    panel: pd.DataFrame
    reliability: pd.DataFrame
    control: pd.DataFrame
    prediction: pd.DataFrame
    overlaps: pd.DataFrame
    judged: pd.DataFrame
    found: list[Condition]

    @property
    def answerable(self) -> bool:
        """Whether a number may be said of any KPI."""
        return not refused(self.found)


def study(book: Book, params: KpiValidation) -> Study:
    """Counts the KPIs of every officer and month, and judges them."""
    kpis = officer_months.candidates(params.kpis)
    first, last = params.period_start, params.period_end
    windows = KpiWindows.of(policy("kpi_windows", on=last))
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=first, end=last)] if book.has("contact") else []
    months = officer_months.officer_months(book, first, last, kpis=kpis, windows=windows, limits=limits)
    table = officer_months.panel(months, kpis, least_cases=params.least_cases)
    expected = observed_expected(book, first, last.replace(day=1), reference_months=params.reference_months)
    outcome, teams = measures_worth.outcomes(expected), officer_months.teams(book, first, last)
    table = measures_worth.with_index(table, outcome, teams, least_cases=params.least_cases)
    reliability = measures_worth.reliability_table(
        table, pool_months=params.pool_months, half=params.least_reliability, good=params.good_reliability
    )
    better = {kpi: KPIS[kpi].better for kpi in reliability["kpi"]}
    control = measures_worth.control_table(table, outcome, draws=params.draws, seed=params.seed)
    prediction = measures_worth.prediction_table(table, outcome, better, draws=params.draws, seed=params.seed)
    overlaps = measures_worth.overlap_table(table, least=min(params.same, 0.8))
    found = decision.conditions(
        months=len(months_of(first, last)),
        reliability=reliability,
        missing=[kpi.id for kpi in kpis if kpi.id not in set(reliability["kpi"])],
        halves=int(reliability["split_half"].notna().sum()),
    )
    judged = decision.judged(reliability, control, prediction, overlaps, params.rules)
    if refused(found):
        judged, reliability, control, prediction, overlaps = (
            _silent(part) for part in (judged, reliability, control, prediction, overlaps)
        )
    return Study(
        kpis=kpis, months=months, panel=table, reliability=reliability, control=control, prediction=prediction, overlaps=overlaps,
        judged=judged, found=found,
    )  # fmt: skip


def _silent(table: pd.DataFrame) -> pd.DataFrame:
    """The rows without a number: where a condition refuses, nothing is claimed."""
    empty = table.copy()
    for name in [column for column in (*NUMBERS, "variance") if column in empty]:
        empty[name] = np.nan
    if "action" in empty:
        empty["action"], empty["reason"], empty["with"] = decision.UNKNOWN, "not_answerable", ""
    return empty.assign(note=NOT_ANSWERABLE)


def named(kpi: object, lang: str) -> str:
    """A KPI by its name and id."""
    return f"{KPIS[str(kpi)].name(lang)} ({kpi})"


def measured(judged: pd.DataFrame) -> pd.DataFrame:
    """The numbers recorded of each KPI: one row per KPI and property (reliability, share, predicts), with officers, unit and note."""
    parts = []
    for what, low, high, unit in (
        ("reliability", None, None, "ratio"),
        ("share", "share_low", "share_high", "share"),
        ("predicts", "predicts_low", "predicts_high", "ratio"),
    ):
        part = judged[["kpi", "officers", "note"]].assign(property=what, value=judged[what], unit=unit)
        parts.append(part.assign(low=judged[low] if low else np.nan, high=judged[high] if high else np.nan))
    return pd.concat(parts, ignore_index=True)


def verdict_table(judged: pd.DataFrame, params: KpiValidation) -> tables.ShownTable:
    """The verdict on each KPI: adopted ones first."""
    order = {action: place for place, action in enumerate(decision.VERDICTS)}
    rows = judged.assign(place=judged["action"].map(order)).sort_values(["place", "predicts"], ascending=[True, False], kind="stable")
    why = [_reason(row, params.lang) for row in rows.to_dict("records")]
    shown = rows.assign(kpi_name=[named(kpi, params.lang) for kpi in rows["kpi"]], kv_action=rows["action"], kv_reason=why)
    shown = shown.rename(columns={"reliability": "kv_pooled", "share": "kv_share"})
    columns = ["kpi_name", "kv_action", "kv_reason", "kv_pooled", "months_half", "kv_share", "predicts", "predicts_low", "predicts_high"]
    return tables.show(shown, lang=params.lang, columns=columns, percent=["kv_share"])


def _reason(row: dict[Any, Any], lang: str) -> str:
    text = texts.value("kv_reason", str(row["reason"]), lang)
    return f"{text} {named(row['with'], lang)}" if isinstance(row["with"], str) and row["with"] else text


def reliability_shown(reliability: pd.DataFrame, params: KpiValidation) -> tables.ShownTable:
    """Reliability by KPI, most reliable first."""
    rows = reliability.sort_values("value", ascending=False, kind="stable", ignore_index=True)
    shown = rows.assign(kpi_name=[named(kpi, params.lang) for kpi in rows["kpi"]]).rename(
        columns={
            "value": "kv_month",
            "low": "kv_month_low",
            "high": "kv_month_high",
            "cases": "kv_cases",
            "pooled": "kv_pooled",
            "split_half": "kv_halves",
        }
    )
    columns = [
        "kpi_name",
        "officers",
        "kv_cases",
        "kv_halves",
        "kv_month",
        "kv_month_low",
        "kv_month_high",
        "kv_pooled",
        "months_half",
        "months_good",
    ]
    return tables.show(shown, lang=params.lang, columns=columns)


def sources_drawn(control: pd.DataFrame, params: KpiValidation):
    """The figure of variance by source, KPIs with the largest officer's share first."""
    own = control[control["source"] == "person"].set_index("kpi")["inside"]
    order = {kpi: place for place, kpi in enumerate(own.sort_values(ascending=False, kind="stable").index)}
    rows = control.assign(place=control["kpi"].map(order)).sort_values("place", kind="stable")
    return figures.sources(rows.assign(label=[named(kpi, params.lang) for kpi in rows["kpi"]]), lang=params.lang)


def control_shown(control: pd.DataFrame, params: KpiValidation) -> tables.ShownTable:
    """The officer's share with its interval, and the shares of the others."""
    wide = {kpi: part.set_index("source") for kpi, part in control.groupby("kpi", sort=False)}
    rows = [
        {
            "kpi_name": named(kpi, params.lang), "kv_share": part.loc["person", "inside"], "kv_share_low": part.loc["person", "low"],
            "kv_share_high": part.loc["person", "high"],
            **{f"kv_of_{name}": part["share"].get(name, np.nan) for name in ("person", "portfolio", "group", "month", "residual")},
            "note": part["note"].iloc[0],
        }
        for kpi, part in wide.items()
    ]  # fmt: skip
    table = pd.DataFrame(rows).sort_values("kv_share", ascending=False, kind="stable", ignore_index=True)
    return tables.show(table, lang=params.lang, percent=[name for name in table.columns if name.startswith("kv_")])


def prediction_drawn(judged: pd.DataFrame, params: KpiValidation):
    """The figure of prediction, strongest first."""
    rows = judged.sort_values("predicts", ascending=False, kind="stable", ignore_index=True)
    drawn = rows.assign(label=[named(kpi, params.lang) for kpi in rows["kpi"]], follows=rows["predicts_low"] > 0)
    return figures.prediction(drawn, lang=params.lang)


def gaming_shown(judged: pd.DataFrame, params: KpiValidation) -> tables.ShownTable:
    """What of each KPI an officer writes, and whether it moves without cash."""
    rows = judged.assign(
        kpi_name=[named(kpi, params.lang) for kpi in judged["kpi"]], kv_word=judged["word"],
        kv_alone=np.where(judged["moves"].isna(), "unknown", np.where(judged["moves_low"] > 0, "with_cash", "without_cash")),
    )  # fmt: skip
    rows = rows.rename(columns={name: f"kv_{name}" for name in ("moves", "moves_low", "moves_high")})
    return tables.show(rows, lang=params.lang, columns=["kpi_name", "kv_word", "kv_moves", "kv_moves_low", "kv_moves_high", "kv_alone"])


def signs(book: Book, case: Study, params: KpiValidation) -> pd.DataFrame:
    """Signs that a KPI is being played: each with what was seen, of how many, and what chance would make.

    Columns: sign, observed, trials, value, expected, p_value, beyond, note. stuffing: officers whose promises grew while fewer were kept, of those
    tested (expected: 5 in 100 families of tests name one); waivers, settlements, restructures at month end; payments just after a month end
    (chance: half of those around it); right-party calls that are too short (an honest one hardly ever is).
    """
    edges = officer_months.month_edges(book, params.period_start, params.period_end)
    parts = [
        share_excess(pd.DataFrame([row]), chance=float(row["chance"])).assign(sign=f"edge_{row['what']}")
        for row in edges.to_dict("records")
    ]
    stuffed = measures_worth.stuffing_table(case.months)
    told = {
        "sign": "stuffing",
        "observed": int(stuffed["beyond"].sum()),
        "trials": len(stuffed),
        "expected": 0.05,
        "beyond": bool(stuffed["beyond"].any()),
    }
    short = officer_months.short_conversations(book, params.period_start, params.period_end, seconds=params.short_rpc_s)
    brief = {"sign": "short_rpc", "observed": int(short["observed"].sum()), "trials": int(short["trials"].sum()), "expected": 0.0}
    brief["beyond"] = bool(short["observed"].sum() > 0)
    rest = pd.DataFrame([told, brief])
    rest["value"] = rest["observed"] / rest["trials"].where(rest["trials"] > 0)
    table = pd.concat([rest, *parts], ignore_index=True)
    table["note"] = np.where(table["trials"] > 0, "", "nothing to test")
    table["beyond"] = table["beyond"].astype(bool)
    return table[["sign", "observed", "trials", "value", "expected", "beyond", "note"]]


def signs_shown(found: pd.DataFrame, params: KpiValidation) -> tables.ShownTable:
    """The signs in words."""
    rows = found.assign(kv_sign=found["sign"]).rename(
        columns={"observed": "kv_seen", "trials": "kv_of", "value": "kv_seen_share", "expected": "kv_expected"}
    )
    rows["kv_beyond"] = rows["beyond"]
    return tables.show(
        rows,
        lang=params.lang,
        columns=["kv_sign", "kv_seen", "kv_of", "kv_seen_share", "kv_expected", "kv_beyond"],
        percent=["kv_seen_share"],
    )


def overlaps_shown(overlaps: pd.DataFrame, params: KpiValidation) -> tables.ShownTable | tables.Absent:
    """Pairs of KPIs that say about the same."""
    if overlaps.empty:
        return tables.Absent(say("kv_no_overlap", params.lang))
    rows = overlaps.assign(
        kpi_name=[named(kpi, params.lang) for kpi in overlaps["kpi"]], kv_other=[named(kpi, params.lang) for kpi in overlaps["other"]]
    )
    return tables.show(rows.rename(columns={"value": "kv_rank"}), lang=params.lang, columns=["kpi_name", "kv_other", "kv_rank", "officers"])
