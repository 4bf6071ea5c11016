"""What stands beside an officer's index and never in it: quality, breaches of hard rules, kept promises; and ratios by month."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.conduct import RULES, LegalLimits, judged_contacts
from collect_analysis.measures.contact import contacts_of, is_attempt, is_right_party
from collect_analysis.measures.gate_names import BREACHES, KEPT, QUALITY
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.promises import due_promises
from collect_analysis.measures.scopes import Directory, count_of, within

COUNT_COLUMNS = ("scope_key", "sub_function", "gate", "numerator", "denominator")
RATIO_COLUMNS = ("month", "officer_key", "sub_function", "kpi", "numerator", "denominator")


def gate_counts(book: Book, period: Period, *, by: str, windows: KpiWindows, limits: Sequence[LegalLimits]) -> pd.DataFrame:
    """What is counted for each gate of each officer or unit (`by`: officer_key or unit_key) in a period?

    Columns: scope_key, sub_function (of the unit), gate, numerator, denominator. critical_qa: assessments with a critical failure of
    assessments; hard_breaches: outbound contacts that broke a rule of severity `hard` of outbound contacts; kept_promises: promises kept of
    promises that fell due and are decided. A gate whose table the book lacks has no rows.
    """
    directory = Directory.of(book, period.end)
    parts: list[ir.Table] = []
    if book.has("qa"):
        qa = book.table("qa")
        qa = qa.filter(within(qa.assessed_on, period.start, period.end))
        parts.append(_counted(qa, directory, by, QUALITY, qa.critical_fail.cast("int64")))
    if book.has("contact") and limits:
        parts += [_counted(contacts, directory, by, BREACHES, contacts.hard) for contacts in _judged(book, period, limits)]
    frames = [book.frame(part) for part in parts]
    if book.has("promise") and book.has("payment"):
        with due_promises(book, period, windows) as due:
            decided = due.filter(due.state != "undecided")
            frames.append(book.frame(_counted(decided, directory, by, KEPT, (decided.state == "kept").cast("int64"))))
    if not frames:
        return pd.DataFrame(columns=list(COUNT_COLUMNS))
    table = pd.concat(frames, ignore_index=True)
    # Limits may change within the period: the contacts of each version were counted apart.
    keys = ["scope_key", "sub_function", "gate"]
    return table.groupby(keys, as_index=False)[["numerator", "denominator"]].sum().sort_values(keys, ignore_index=True)


def _judged(book: Book, period: Period, limits: Sequence[LegalLimits]) -> list[ir.Table]:
    """The outbound contacts under each version of the limits, with `hard`: whether one of its hard rules was broken (0 or 1)."""
    found = []
    for limit in limits:
        judged = judged_contacts(book, period, [limit])
        hard = [judged[rule.lower()] for rule in RULES if limit.severity[rule] == "hard"]
        broken = ibis.literal(False)
        for flag in hard:
            broken = broken | (flag.cast("int64").fill_null(0) > 0)
        found.append(judged.select("unit_key", "officer_key", hard=broken.cast("int64")))
    return found


def _counted(rows: ir.Table, directory: Directory, by: str, gate: str, counted: ir.IntegerValue) -> ir.Table:
    named = rows.mutate(counted_here=counted).filter(rows[by].notnull())
    units = directory.units.select(of_unit="unit_key", in_sub_function="sub_function")
    joined = named.left_join(units, [("unit_key", "of_unit")])
    sums = joined.group_by(scope_key=joined[by], sub_function=joined.in_sub_function).agg(
        numerator=joined.counted_here.sum().fill_null(0).cast("int64"), denominator=joined.count()
    )
    return sums.select("scope_key", "sub_function", "numerator", "denominator", gate=ibis.literal(gate))


def ratios_by_month(book: Book, period: Period, *, windows: KpiWindows) -> pd.DataFrame:
    """Kept promises (C8) and right-party contacts per attempt (C4) of every officer and month.

    Columns: month (first day), officer_key, sub_function, kpi (kept, right_party), numerator, denominator. A promise belongs to the month it
    fell due and to who took it; an attempt to the day and the officer who made it. Empty where the book has neither.
    """
    directory = Directory.of(book, period.end)
    frames = []
    if book.has("contact"):
        contacts = contacts_of(book, period.start, period.end)
        attempts = contacts.filter(is_attempt(contacts, windows), contacts.officer_key.notnull())
        month = attempts.local_ts.date().truncate("M").cast("date")
        frames.append(_monthly(book, attempts, directory, month, "right_party", is_right_party(attempts)))
    if book.has("promise") and book.has("payment"):
        with due_promises(book, period, windows) as due:
            decided = due.filter(due.state != "undecided", due.officer_key.notnull())
            month = decided.due_date.truncate("M").cast("date")
            frames.append(_monthly(book, decided, directory, month, "kept", decided.state == "kept"))
    if not frames:
        return pd.DataFrame(columns=list(RATIO_COLUMNS))
    return pd.concat(frames, ignore_index=True).sort_values(["kpi", "officer_key", "month"], ignore_index=True)[list(RATIO_COLUMNS)]


def _monthly(book: Book, rows: ir.Table, directory: Directory, month: ir.DateValue, kpi: str, met: ir.BooleanValue) -> pd.DataFrame:
    units = directory.units.select(of_unit="unit_key", in_sub_function="sub_function")
    marked = rows.mutate(in_month=month, met=met).left_join(units, [("unit_key", "of_unit")])
    sums = marked.group_by(month="in_month", officer_key="officer_key", sub_function="in_sub_function").agg(
        numerator=count_of(marked.met), denominator=marked.count()
    )
    return book.frame(sums).assign(kpi=kpi)


def cash_apart(book: Book, period: Period, held_minor: int) -> int:
    """Cash of the period less what the accounts held brought: money of accounts that nobody held (below 0 never)."""
    counted = cash(book)
    inside = counted.filter(within(counted.value_date, period.start, period.end))
    return int(str(book.scalar(inside.amount_minor.sum().fill_null(0).cast("int64")))) - held_minor
