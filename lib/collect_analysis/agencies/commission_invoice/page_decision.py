"""What to do with partners' invoices, in the language of the page: pay, pay the undisputed part, return."""

import pandas as pd

from collect_analysis.agencies.commission_invoice.page import Invoices
from collect_analysis.agencies.commission_invoice.parameters import CommissionInvoice
from collect_analysis.agencies.invoice_check import PAY, PAY_UNDISPUTED, RETURN
from collect_analysis.book.store import Book
from collect_analysis.methods.evidence import grade
from collect_analysis.report import texts
from collect_analysis.report.conditions import causes
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say

_NAMED = 6


def decision_of(book: Book, held: Invoices, params: CommissionInvoice) -> Decision:
    """The check as the decision somebody signs: which invoices are paid, which in part, which go back."""
    lang = params.lang
    start, end = formats.day(params.period_start, lang), formats.day(params.period_end, lang)
    question = say("invoice_question", lang, start=start, end=end)
    if not held.answerable:
        answer = say("invoice_answer_refused", lang, why=causes(held.found, lang))
        return Decision(question=question, answer=answer, confidence=say("invoice_no_confidence", lang), grade="none")
    table = held.checked.invoices
    return Decision(
        question=question,
        answer=_answer(table, book, params),
        confidence=say("invoice_confidence", lang, rounding=texts.value("invoice_rounding", params.rounding, lang)),
        grade=grade("raw", held.found),
        caveats=_caveats(held, book, params),
        forecast={},
        action={
            name: _listed(table[table["verdict"] == verdict], verdict, held, book, params)
            for name, verdict in _ACTIONS
            if (table["verdict"] == verdict).any()
        },
    )


_ACTIONS = (("invoice_do_return", RETURN), ("invoice_do_undisputed", PAY_UNDISPUTED), ("invoice_do_pay", PAY))


def _answer(table: pd.DataFrame, book: Book, params: CommissionInvoice) -> str:
    lang = params.lang
    counts = {name: int((table["verdict"] == name).sum()) for name in (PAY, PAY_UNDISPUTED, RETURN)}
    good = table[table["problem"] == ""]
    money = {
        name: formats.money(float(good[f"{name}_minor"].sum()), book.currency, lang) for name in ("billed", "recomputed", "difference")
    }
    now = table[table["verdict"].isin([PAY, PAY_UNDISPUTED])]
    undisputed = formats.money(float(_payable(now).sum()), book.currency, lang)
    if counts[PAY] == len(table):
        return say("invoice_answer_right", lang, invoices=len(table), undisputed=undisputed)
    parts = [say("invoice_answer_counts", lang, right=counts[PAY], part=counts[PAY_UNDISPUTED], back=counts[RETURN], undisputed=undisputed)]
    return " ".join([*parts, say("invoice_answer_money", lang, **money)])


def _payable(table: pd.DataFrame) -> pd.Series:
    """What is paid now: all that was billed where the verdict is to pay, else the undisputed part."""
    return table["billed_minor"].astype(float).where(table["verdict"] == PAY, table["undisputed_minor"])


def _caveats(held: Invoices, book: Book, params: CommissionInvoice) -> tuple[str, ...]:
    lang, table = params.lang, held.checked.invoices
    caveats = [say("invoice_caveat_heard", lang)]
    under = float(table["underbilled_minor"].fillna(0).sum())
    if under < 0:
        caveats.append(say("invoice_caveat_under", lang, money=formats.money(-under, book.currency, lang)))
    if (table["verdict"] == RETURN).any():
        caveats.append(say("invoice_caveat_return", lang, share=formats.share(params.return_share, lang, digits=0)))
    if params.tolerance_minor:
        caveats.append(say("invoice_caveat_tolerance", lang, money=formats.money(params.tolerance_minor, book.currency, lang)))
    renamed = {key: names for key, names in held.renamed.items() if key in set(table["unit_key"])}
    if renamed:
        told = "; ".join(" → ".join(names) for _, names in sorted(renamed.items()))
        caveats.append(say("invoice_caveat_renamed", lang, names=told))
    return tuple(caveats)


def _listed(table: pd.DataFrame, verdict: str, held: Invoices, book: Book, params: CommissionInvoice) -> list[str]:
    """Invoices that go back one by one with the reason; what is paid by partner, the largest dispute first."""
    if verdict == RETURN:
        return _returned(table, book, params)
    sums = table.assign(payable=_payable(table)).groupby("unit_key", as_index=False)
    rows = sums.agg(invoices=("invoice_id", "size"), payable=("payable", "sum"), disputed=("disputed_minor", "sum"))
    told = []
    for row in rows.sort_values(["disputed", "unit_key"], ascending=[False, True], kind="stable").to_dict("records"):
        money = {name: formats.money(row[name], book.currency, params.lang) for name in ("payable", "disputed")}
        key = "invoice_pay_part" if verdict == PAY_UNDISPUTED else "invoice_pay_whole"
        told.append(say(key, params.lang, unit=held.names.get(row["unit_key"], row["unit_key"]), invoices=row["invoices"], **money))
    return told


def _returned(table: pd.DataFrame, book: Book, params: CommissionInvoice) -> list[str]:
    rows = []
    for row in table.sort_values(["disputed_minor", "invoice_id"], ascending=[False, True], kind="stable").head(_NAMED).to_dict("records"):
        money = formats.money(row["disputed_minor"], book.currency, params.lang)
        why = (
            texts.value("invoice_problem", row["problem"], params.lang)
            if row["problem"]
            else say("invoice_disputed", params.lang, money=money)
        )
        rows.append(f"{row['invoice_id']}: {why}")
    rest = len(table) - _NAMED
    return [*rows, *([say("invoice_and_more", params.lang, invoices=rest)] if rest > 0 else [])]
