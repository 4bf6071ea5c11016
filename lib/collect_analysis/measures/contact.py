"""The contact funnel: accounts attempted and reached (C1, C2, C6, C7) by holder, attempts and what became of them (C3-C5) by actor; calls in
and out (C16); when people are reached (C14).
"""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import FACT_SCOPES, Directory, count_of, within
from collect_analysis.methods.rates.rates import rate_table

CONNECTED = ("answered", "met")
REACHED_SOMEBODY = (*CONNECTED, "delivered")
COLUMNS = (
    "event_key", "account_key", "customer_key", "local_ts", "direction", "channel", "result", "party_role", "verified", "unit_key",
    "officer_key", "opened", "clicked",
)  # fmt: skip
RIGHT_PARTIES = ("debtor", "guarantor")
# The dialler reached a person, and nobody on our side spoke.
SILENT = ("abandoned", "no_agent")


def is_right_party(contact: ir.Table) -> ir.BooleanColumn:
    """Whether a contact reached the debtor or a guarantor, identity verified: a right-party contact."""
    return contact.result.isin(CONNECTED) & contact.party_role.isin(RIGHT_PARTIES) & contact.verified


def is_attempt(contact: ir.Table, windows: KpiWindows) -> ir.BooleanColumn:
    """Whether a contact is an outbound attempt to speak with the debtor."""
    return (contact.direction == "out") & contact.channel.isin(windows.attempt_channels)


def contacts_of(book: Book, start: date, end: date) -> ir.Table:
    """The contacts of these days of the debtors' calendars, with the columns that facts are made of."""
    contact = book.table("contact")
    return contact.filter(within(contact.local_ts, start, end)).select(*COLUMNS)


def reach_facts(book: Book, held: ir.Table, contacts: ir.Table, period: Period, windows: KpiWindows) -> ir.Table:
    """Which assigned accounts were attempted, reached, and promised? `held` is the table of `scopes.holders`,
    `contacts` that of `contacts_of`.

    One row per account assigned in the period, scopes of its holder. Columns: assigned, attempts, attempted, reached, contacted, promised,
    right_party (0 or 1 but for attempts and right_party, which count); promised counts accounts that were also reached.
    """
    contact = contacts.filter(within(contacts.local_ts, period.start, period.end))
    attempt = is_attempt(contact, windows)
    touched = contact.group_by(touched_account="account_key").agg(
        attempts=count_of(attempt),
        right_party=count_of(is_right_party(contact)),
        contacted=contact.result.isin(REACHED_SOMEBODY).max().cast("int64"),
    )
    promise = book.table("promise")
    promised = promise.filter(within(promise.made_ts, period.start, period.end)).select(promiser="account_key").distinct()
    joined = held.left_join(touched, [("account_key", "touched_account")]).left_join(promised, [("account_key", "promiser")])
    right_party = touched.right_party.fill_null(0)
    reached = (right_party > 0).cast("int64")
    return joined.select(
        held.account_key,
        *[held[name] for name in FACT_SCOPES],
        assigned=ibis.literal(1, "int64"),
        attempts=touched.attempts.fill_null(0),
        attempted=(touched.attempts.fill_null(0) > 0).cast("int64"),
        reached=reached,
        right_party=right_party,
        contacted=touched.contacted.fill_null(0),
        promised=((reached == 1) & promised.promiser.notnull()).cast("int64"),
    )


def work_facts(contacts: ir.Table, directory: Directory, period: Period, windows: KpiWindows) -> ir.Table:
    """What did each unit and officer do on each account? One pass over the log for all that is counted by who acted.

    One row per account, unit and officer with a contact. Columns: the scopes of the actor, account_key, attempts, answered_attempts and
    right_party_attempts (of them), right_party (of all contacts), calls, and of them the columns of `call_facts`.
    """
    contact = contacts.filter(within(contacts.local_ts, period.start, period.end))
    attempt, met = is_attempt(contact, windows), is_right_party(contact)
    call, inward, outward = contact.channel == "call", contact.direction == "in", contact.direction == "out"
    answered, silent = contact.result.isin(CONNECTED), contact.result.isin(SILENT)
    counted = contact.group_by("account_key", "unit_key", "officer_key").agg(
        attempts=count_of(attempt),
        answered_attempts=count_of(attempt & answered),
        right_party_attempts=count_of(attempt & met),
        right_party=count_of(met),
        calls=count_of(call),
        inbound_offered=count_of(call & inward),
        inbound_answered=count_of(call & inward & answered),
        inbound_abandoned=count_of(call & inward & (contact.result == "abandoned")),
        answered=count_of(call & answered),
        taken=count_of(call & outward & (answered | silent)),
        silent=count_of(call & outward & silent),
    )
    return directory.describe(counted)


def attempt_facts(work: ir.Table) -> ir.Table:
    """What became of the attempts of each unit and officer?

    `work` is the table of `work_facts`. One row per account, unit and officer with an attempt. Columns: scopes of the actor, attempts,
    answered, right_party.
    """
    attempts = work.filter(work.attempts > 0)
    return attempts.select(*FACT_SCOPES, "attempts", answered="answered_attempts", right_party="right_party_attempts")


def call_facts(work: ir.Table) -> ir.Table:
    """What became of the calls, in and out (C16)?

    `work` is the table of `work_facts`. One row per account, unit and officer with a call. Columns: scopes of who took or made it,
    inbound_offered, inbound_answered, inbound_abandoned, answered (both directions), taken (outbound calls a person took), silent (of them,
    nobody on our side spoke).
    """
    columns = ("inbound_offered", "inbound_answered", "inbound_abandoned", "answered", "taken", "silent")
    return work.filter(work.calls > 0).select(*FACT_SCOPES, *columns)


def by_hour(book: Book, contacts: ir.Table, period: Period, windows: KpiWindows) -> pd.DataFrame:
    """At which hour of which weekday do attempts reach the right party (C14)? Hours of the debtor's own clock.

    Columns: weekday (1 Monday to 7 Sunday), hour, numerator (right-party contacts), denominator (attempts), value, low, high (Wilson), cases
    (attempts), note. One row per cell with an attempt, sorted. It describes: who was called when was not drawn at random.
    """
    inside = contacts.filter(within(contacts.local_ts, period.start, period.end))
    attempts = inside.filter(is_attempt(inside, windows))
    timed = attempts.mutate(weekday=attempts.local_ts.date().day_of_week.index() + 1, hour=attempts.local_ts.hour())
    counted = timed.group_by("weekday", "hour").agg(numerator=count_of(is_right_party(timed)), denominator=timed.count())
    found = book.frame(counted)
    table = rate_table(found.assign(cases=found["denominator"]), undefined="no attempt")
    columns = ["weekday", "hour", "numerator", "denominator", "value", "low", "high", "cases", "note"]
    return table.sort_values(["weekday", "hour"], ignore_index=True)[columns].astype({"weekday": "int64", "hour": "int64"})
