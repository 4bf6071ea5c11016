"""Money an agency claims or passes on: payers who paid already, cash remitted late or not at all, postings that bypass the agency."""

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.agencies.integrity_rows import as_share, not_asked
from collect_analysis.book.presence import absent
from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.obligations import remittance_facts
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.placements import payments_on
from collect_analysis.measures.scopes import Directory, count_of, within
from collect_analysis.methods.profiling.peer_tests import log_observed_expected

NO_SOURCE = "the book does not say which cash agencies took (payment.source)"
NO_REMITTANCE = "the book does not say when agencies pass cash on (payment.remitted_on)"
_REMITTED = ("remitted_late", "not_remitted", "few_remitted")
# Agreements that were bringing money before the account was placed.
_STANDING = ("active", "kept")


def parts(book: Book, held: ir.Table, period: Period, windows: KpiWindows, *, claim_days: int) -> list[pd.DataFrame]:
    """Rows of the tests old_money, remitted_late, not_remitted and few_remitted; `held`: placements that ran in the period."""
    if why := absent(book, ("payment",), period.month_starts):
        return not_asked(("old_money", *_REMITTED), why)
    paid = payments_on(book, held).filter(
        lambda rows: within(rows.value_date, period.start, period.end), lambda rows: rows.amount_minor > 0
    )
    old = _old_money(book, held, paid, claim_days)
    taken = payments(book).filter(lambda rows: rows.source == "agency")
    if not book.scalar(taken.count()):
        return [old, *not_asked(_REMITTED, NO_SOURCE)]
    few = as_share(book.frame(_through_agency(taken, paid)), "few_remitted")
    if not book.scalar(count_of(taken.remitted_on.notnull())):
        return [old, few, *not_asked(_REMITTED[:2], NO_REMITTANCE)]
    return [old, few, _late(book, period, windows), _missing(book, taken, held, period, windows)]


def _old_money(book: Book, held: ir.Table, paid: ir.Table, claim_days: int) -> pd.DataFrame:
    """Placements with cash in the period, and those of them that were paying, promised or agreed before they were placed."""
    credited = paid.group_by(of_decision="decision_key").agg(money=lambda rows: rows.amount_minor.sum().cast("int64"))
    rows = held.inner_join(credited, [held.decision_key == credited.of_decision]).drop("of_decision")
    before = _already(book, rows, claim_days).distinct()
    joined = rows.left_join(before, [rows.decision_key == before.old_key])
    is_old = joined.old_key.notnull()
    cells = joined.group_by("unit_key", "stratum").agg(
        observed=count_of(is_old), trials=joined.count(), money=ibis.ifelse(is_old, joined.money, 0).sum().cast("int64")
    )
    frame = book.frame(cells).sort_values(["unit_key", "stratum"], ignore_index=True)
    if frame.empty:
        return pd.DataFrame()
    compared = log_observed_expected(frame)
    part = as_share(compared, "old_money")
    money = frame.groupby("unit_key")["money"].sum().reindex(part["unit_key"]).to_numpy(float)
    own = {name: compared[name].to_numpy(float) for name in ("estimate", "se", "expected")}
    return part.assign(money_minor=money, **own)


def _already(book: Book, rows: ir.Table, claim_days: int) -> ir.Table:
    """Keys of placements whose account had paid in the days before, had a promise open, or an agreement running."""
    placed = rows.select("decision_key", "account_key", "from_date")
    earliest = (placed.from_date - ibis.interval(days=claim_days)).cast("date")
    counted = payments(book).select(on_account="account_key", value_date="value_date")
    payers = placed.mutate(earliest=earliest).inner_join(counted, [("account_key", "on_account")])
    found = [payers.filter(payers.value_date < payers.from_date, payers.value_date >= payers.earliest).select(old_key="decision_key")]
    if book.has("promise"):
        promise = book.table("promise").select(on_account="account_key", made_ts="made_ts", due="due_date")
        open_ones = placed.inner_join(promise, [("account_key", "on_account")])
        day = open_ones.made_ts.date()
        found.append(open_ones.filter(day < open_ones.from_date, open_ones.due >= open_ones.from_date).select(old_key="decision_key"))
    if book.has("arrangement"):
        agreed = book.table("arrangement").select(on_account="account_key", begun="from_date", over="to_date", status="status")
        running = placed.inner_join(agreed.filter(agreed.status.isin(_STANDING)), [("account_key", "on_account")])
        still = running.over.isnull() | (running.over >= running.from_date)
        found.append(running.filter(running.begun < running.from_date, still).select(old_key="decision_key"))
    return ibis.union(*found) if len(found) > 1 else found[0]


def _through_agency(taken: ir.Table, paid: ir.Table) -> ir.Table:
    """Postings on placed accounts, and those of them that came through the agency."""
    own = taken.select(taken_key="payment_key")
    joined = paid.left_join(own, [paid.payment_key == own.taken_key])
    return joined.group_by("unit_key").agg(observed=count_of(joined.taken_key.notnull()), trials=joined.count())


def _late(book: Book, period: Period, windows: KpiWindows) -> pd.DataFrame:
    """Agency cash whose days ran out in the period, and what of it was not passed on by then (the definition of Q9, by posting)."""
    rows = remittance_facts(book, Directory.of(book, period.end), period, windows)
    late = rows.in_time_minor < rows.due_minor
    sums = rows.group_by("unit_key").agg(
        observed=count_of(late), trials=rows.count(), money=ibis.ifelse(late, rows.due_minor, 0).sum().cast("int64")
    )
    frame = book.frame(sums)
    return as_share(frame, "remitted_late").assign(money_minor=frame["money"].to_numpy(float))


def _missing(book: Book, taken: ir.Table, held: ir.Table, period: Period, windows: KpiWindows) -> pd.DataFrame:
    """Agency cash that was due within the period and has not been passed on at all."""
    last: date = period.end - timedelta(days=windows.remit_days)
    due = taken.filter(within(taken.value_date, period.start, last)).select(due_key="payment_key", passed="remitted_on")
    on = payments_on(book, held)
    rows = on.inner_join(due, [on.payment_key == due.due_key])
    lost = rows.passed.isnull()
    sums = rows.group_by("unit_key").agg(
        observed=count_of(lost), trials=rows.count(), money=ibis.ifelse(lost, rows.amount_minor, 0).sum().cast("int64")
    )
    frame = book.frame(sums)
    return as_share(frame, "not_remitted").assign(money_minor=frame["money"].to_numpy(float))
