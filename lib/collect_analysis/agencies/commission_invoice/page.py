"""A check of commission invoices: its tables, and the list of lines a partner is asked about."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from collect_analysis.agencies import invoice_check, invoices
from collect_analysis.agencies.commission_invoice.parameters import CommissionInvoice
from collect_analysis.agencies.invoice_check import Checked
from collect_analysis.book.store import Book
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.report import tables
from collect_analysis.report.recording import RunRecorder
from collect_analysis.report.texts import say

LIST, NO_REASON = "disputed_lines", "no_difference"


@dataclass(frozen=True, kw_only=True)
class Invoices:
    """What was found: the check, the conditions it rests on, the partners' names and what they were called before."""

    checked: Checked
    found: list[Condition]
    names: dict[str, str]
    renamed: dict[str, tuple[str, ...]]

    @property
    def answerable(self) -> bool:
        """Whether the recomputed amounts may be told."""
        return not refused(self.found)


def invoices_of(book: Book, params: CommissionInvoice) -> Invoices:
    """Bills and earnings of the period, held against each other."""
    held = invoice_check.check(book, start=params.period_start, end=params.period_end, policy=params.policy)
    named = invoices.unit_names(book)
    return Invoices(
        checked=held.result, found=held.found, names=dict(zip(named["unit_key"], named["name"], strict=True)),
        renamed={key: tuple(names) for key, names in zip(named["unit_key"], named["names"], strict=True) if len(names) > 1},
    )  # fmt: skip


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """The difference of every invoice as it is recorded: value = numerator (billed - recomputed) in minor units, denominator recomputed."""
    note = [f"not checked: {problem}" if problem else "" for problem in table["problem"]]
    return table.assign(
        value=table["difference_minor"], numerator=table["difference_minor"], denominator=float("nan"), unit="minor", note=note
    )[["invoice_id", "unit_key", "value", "numerator", "denominator", "unit", "note"]]


def invoices_shown(table: pd.DataFrame, held: Invoices, params: CommissionInvoice, book: Book) -> tables.ShownTable | tables.Absent:
    """Every invoice: billed, recomputed, difference, undisputed, what to do. Those to act on first."""
    if table.empty:
        return tables.Absent(say("invoice_none", params.lang))
    order = table["verdict"].map({invoice_check.RETURN: 0, invoice_check.PAY_UNDISPUTED: 1, invoice_check.PAY: 2}).fillna(3)
    rows = table.assign(place=order).sort_values(["place", "unit_key", "period_start"], kind="stable", ignore_index=True)
    shown = rows.assign(
        unit_name=_named(rows, held), invoice_verdict=rows["verdict"], invoice_problem=rows["problem"], invoice_lines=rows["lines"],
        invoice_billed_minor=rows["billed_minor"], invoice_recomputed_minor=rows["recomputed_minor"],
        invoice_gap_minor=rows["difference_minor"], invoice_undisputed_minor=rows["undisputed_minor"],
    )  # fmt: skip
    columns = ["invoice_id", "unit_name", "invoice_verdict", "invoice_lines", "invoice_billed_minor", "invoice_recomputed_minor"]
    columns += ["invoice_gap_minor", "invoice_undisputed_minor", *(["invoice_problem"] if (rows["problem"] != "").any() else [])]
    return tables.show(shown, lang=params.lang, columns=columns, currency=book.currency)


def reasons_shown(table: pd.DataFrame, held: Invoices, params: CommissionInvoice, book: Book) -> tables.ShownTable | tables.Absent:
    """The differences by partner and reason."""
    if not held.answerable:
        return tables.Absent(say("invoice_withheld", params.lang))
    table = _with_all(table, held, found=0, difference_minor=0, reason=NO_REASON)
    shown = table.assign(
        unit_name=_named(table, held),
        invoice_reason=table["reason"],
        invoice_found=table["found"],
        invoice_gap_minor=table["difference_minor"],
    )
    return tables.show(
        shown, lang=params.lang, columns=["unit_name", "invoice_reason", "invoice_found", "invoice_gap_minor"], currency=book.currency
    )


def tiers_shown(table: pd.DataFrame, held: Invoices, params: CommissionInvoice, book: Book) -> tables.ShownTable | tables.Absent:
    """Billed and owed by partner, tier and rate billed."""
    if table.empty:
        return tables.Absent(say("invoice_withheld" if not held.answerable else "invoice_none", params.lang))
    tier = [say("invoice_no_tier", params.lang) if pd.isna(value) else f"{value:g}" for value in table["tier_from"]]
    shown = table.assign(
        unit_name=_named(table, held), invoice_tier=tier, invoice_rate=table["rate"], invoice_lines=table["billed_lines"],
        invoice_base_minor=table["base_minor"], invoice_right_base_minor=table["right_base_minor"],
        invoice_gap_minor=table["difference_minor"],
    )  # fmt: skip
    columns = [
        "unit_name",
        "invoice_tier",
        "invoice_rate",
        "invoice_lines",
        "invoice_base_minor",
        "invoice_right_base_minor",
        "invoice_gap_minor",
    ]
    return tables.show(shown, lang=params.lang, columns=columns, percent=["invoice_rate"], currency=book.currency)


def uninvoiced_shown(table: pd.DataFrame, held: Invoices, params: CommissionInvoice, book: Book) -> tables.ShownTable | tables.Absent:
    """What partners earned on days that no invoice of theirs covers."""
    if not held.answerable:
        return tables.Absent(say("invoice_withheld", params.lang))
    table = _with_all(table, held, payments=0, base_minor=0, earned_minor=0)
    shown = table.assign(
        unit_name=_named(table, held), invoice_payments=table["payments"], invoice_right_base_minor=table["base_minor"],
        invoice_recomputed_minor=table["earned_minor"],
    )  # fmt: skip
    columns = ["unit_name", "invoice_payments", "invoice_right_base_minor", "invoice_recomputed_minor"]
    return tables.show(shown, lang=params.lang, columns=columns, currency=book.currency)


def write_lines(record: RunRecorder, held: Invoices, params: CommissionInvoice) -> pd.DataFrame:
    """The list of lines, payments and credits in dispute, by name: file, rows, sha256, written. Its rows stay in the run folder."""
    parts = held.checked.parts.sort_values(["invoice_id", "reason", "line_no", "payment_key"], kind="stable")
    found = record.operational_list(LIST, _batches(parts), write=params.write_lines)
    return pd.DataFrame([{"file": f"lists/{LIST}.csv", "rows": found.rows, "sha256": found.sha256, "written": params.write_lines}])


def _with_all(table: pd.DataFrame, held: Invoices, **nothing: object) -> pd.DataFrame:
    """The table with a row that says nothing was found for each partner that has none: nothing found is an answer."""
    missing = sorted({*held.checked.invoices["unit_key"]} - {*table["unit_key"]})
    added = pd.DataFrame([{"unit_key": key, **nothing} for key in missing], columns=table.columns)
    both = pd.concat([part for part in (table, added) if len(part)]) if len(table) or missing else table
    return both.sort_values("unit_key", kind="stable", ignore_index=True)


def _batches(parts: pd.DataFrame) -> Iterator[pa.RecordBatch]:
    rows = parts.assign(line_no=parts["line_no"].astype("Int64"))
    yield from pa.Table.from_pandas(rows.astype("string").fillna(""), preserve_index=False).to_batches()


def _named(table: pd.DataFrame, held: Invoices) -> list[str]:
    return [held.names.get(key, key) for key in table["unit_key"]]
