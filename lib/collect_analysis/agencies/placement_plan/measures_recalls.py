"""Recalls: which accounts on placement should come back, which are left although the rule names them, and why."""

from collections.abc import Iterator
from datetime import timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from collect_analysis.agencies.placement_policy import RecallRule
from collect_analysis.book.presence import absent
from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.contact import is_right_party
from collect_analysis.measures.periods import month_start, months_from
from collect_analysis.measures.placements import Panel, months_between, of_panel, open_debts

OLD, QUIET = "old", "quiet"
# Why an account is left with its partner although the rule names it; the first that applies.
HELD_BACK = ("promise", "arrangement", "legal", "dispute")
STAYS = "stays"
RECALL_COLUMNS = ("unit_key", "verdict", "reason", "cases", "open_cases", "balance_minor")
# By so many days into a month its first rows have come.
_FEED_DAYS = timedelta(days=7)


def quiet_untold(book: Book, rule: RecallRule) -> str:
    """Why nobody can say which accounts are quiet: payments or contacts of those days are absent; empty where it can be told."""
    return absent(book, ("payment", "contact"), months_from(book.as_of - timedelta(days=rule.quiet_days), book.as_of - _FEED_DAYS))


def judged_placements(book: Book, panel: Panel, rule: RecallRule, *, quiet: bool = True) -> ir.Table:
    """Every placement of the panel that runs on `as_of`, with what the rule says of it.

    old: at least `oldest_months` calendar months since the month of placement. quiet: placed at least `quiet_days` ago, and in the last
    `quiet_days` neither cash on the account nor a right-party contact by the unit. Held back: a promise not yet due, an active arrangement,
    a court step without end, an open dispute or complaint. `quiet`: whether that can be told (`quiet_untold`); if not, nobody is quiet.
    Columns: account_key, unit_key, balance_minor (when placed), from_date, months (on placement), verdict (recall | left | stays),
    reason (old, quiet; for `left` one of HELD_BACK; empty for stays).
    """
    base = of_panel(book, panel)
    running = base.filter(base.to_date.isnull()).select(
        "decision_key", "account_key", "unit_key", "balance_minor", "from_date", "batch_month"
    )
    today, since = ibis.literal(book.as_of), ibis.literal(book.as_of - timedelta(days=rule.quiet_days))
    paid, reached = _paid(book, since), _reached(book, since)
    joined = running.left_join(paid, [("account_key", "payer")]).left_join(reached, [("account_key", "reached"), ("unit_key", "by_unit")])
    for name, accounts in _held_back(book).items():
        joined = joined.left_join(accounts, [("account_key", f"{name}_account")])
    months = months_between(today, joined.batch_month)
    old = months >= rule.oldest_months
    silent = (joined.from_date <= since) & joined.payer.isnull() & joined.reached.isnull()
    due = ibis.cases((old, OLD), (silent & ibis.literal(quiet), QUIET), else_="")
    kept = ibis.cases(*((joined[f"{name}_account"].notnull(), name) for name in HELD_BACK), else_="")
    told = joined.select("account_key", "unit_key", "balance_minor", "from_date", months=months, due=due, kept=kept)
    verdict = ibis.cases((told.due == "", STAYS), (told.kept != "", "left"), else_="recall")
    reason = ibis.cases((told.due == "", ""), (told.kept != "", told.kept), else_=told.due)
    return told.select("account_key", "unit_key", "balance_minor", "from_date", "months", verdict=verdict, reason=reason)


def recalls(book: Book, panel: Panel, rule: RecallRule, *, quiet: bool = True) -> pd.DataFrame:
    """How many accounts come back from each unit, how many are left although the rule names them, and why?

    Columns: unit_key, verdict (recall, left, stays), reason, cases (accounts), open_cases (those whose debt is open: only they make room),
    balance_minor (when placed); sorted. See `judged_placements`. Empty where nothing is on placement.
    """
    table = judged_placements(book, panel, rule, quiet=quiet)
    keys = ["unit_key", "verdict", "reason"]
    sums = table.group_by(keys).agg(cases=table.count(), balance_minor=table.balance_minor.sum().cast("int64"))
    still = open_debts(book, table)
    counts = book.frame(still.group_by(keys).agg(open_cases=still.count()))
    found = book.frame(sums).merge(counts, on=keys, how="left", validate="one_to_one")
    found["open_cases"] = found["open_cases"].fillna(0).astype("int64")
    return found.sort_values(keys, ignore_index=True)[list(RECALL_COLUMNS)]


def recall_batches(book: Book, panel: Panel, rule: RecallRule, *, quiet: bool = True) -> Iterator[pa.RecordBatch]:
    """The accounts to recall as rows for an operational list: account_key, unit_key, reason, from_date, months, place_again_from; sorted."""
    table = judged_placements(book, panel, rule, quiet=quiet)
    rows = table.filter(table.verdict == "recall").select(
        "account_key", "unit_key", "reason", "from_date", "months",
        place_again_from=ibis.literal(month_start(book.as_of, rule.cooldown_months)),
    )  # fmt: skip
    yield from book.batches(rows.order_by(["unit_key", "account_key", "from_date"]))


def _paid(book: Book, since: ir.DateScalar) -> ir.Table:
    money = payments(book)
    return money.filter(money.value_date > since).select(payer="account_key").distinct()


def _reached(book: Book, since: ir.DateScalar) -> ir.Table:
    contact = book.table("contact")
    rows = contact.filter(is_right_party(contact), contact.local_ts.date() > since, contact.unit_key.notnull())
    return rows.select(reached="account_key", by_unit="unit_key").distinct()


def _held_back(book: Book) -> dict[str, ir.Table]:
    """The accounts with a reason to stay, by name of the reason."""
    today = ibis.literal(book.as_of)
    promise, arrangement = book.table("promise"), book.table("arrangement")
    legal, ticket = book.table("legal_stage"), book.table("ticket")
    running = (arrangement.status == "active") & (arrangement.to_date.isnull() | (arrangement.to_date >= today))
    disputed = ticket.type.isin(["dispute", "complaint"]) & ticket.account_key.notnull()
    closed = ticket.closed_ts.notnull() & (ticket.closed_ts.date() <= today)
    found = {
        "promise": promise.filter(promise.due_date >= today),
        "arrangement": arrangement.filter(running),
        "legal": legal.filter(legal.to_date.isnull() | (legal.to_date > today)),
        "dispute": ticket.filter(disputed, ~closed),
    }
    return {name: table.select(**{f"{name}_account": table.account_key}).distinct() for name, table in found.items()}
