"""Conduct: outbound contacts in breach of a limit (Q1), also those that only the sum over units shows."""

from collections.abc import Sequence
from datetime import date, time

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.contact import CONNECTED, REACHED_SOMEBODY
from collect_analysis.measures.legal_limits import RULES, LegalLimits
from collect_analysis.measures.periods import Period
from collect_analysis.measures.scopes import Directory, within
from collect_analysis.methods.rates.rates import rate_table, wilson_interval

_COUNT_UNITS = {"attempt": None, "delivered": REACHED_SOMEBODY, "connected": CONNECTED}


def judged_contacts(book: Book, period: Period, limits: Sequence[LegalLimits], *, contacts: ir.Table | None = None) -> ir.Table:
    """Which outbound contacts of the period broke which rule? Each is judged by the limits of its day.

    One row per outbound contact: event_key, account_key, unit_key, officer_key, a flag per rule (freq_day, hours, recall, party), freq_day_in_unit
    (the daily limit is broken by this unit's contacts alone) and breach (any rule).
    """
    log = book.table("contact") if contacts is None else contacts
    slices = [_judged(book, log, limit, period) for limit in limits]
    return ibis.union(*slices) if len(slices) > 1 else slices[0]


def _judged(book: Book, contact: ir.Table, limits: LegalLimits, period: Period) -> ir.Table:
    last = period.end if limits.valid_to is None else min(period.end, limits.valid_to - date.resolution)
    out = contact.filter(contact.direction == "out", within(contact.local_ts, max(period.start, limits.valid_from), last))
    second = out.local_ts.hour() * 3600 + out.local_ts.minute() * 60 + out.local_ts.second()
    late = (second < _seconds(limits.opens)) | (second > _seconds(limits.closes))
    counted = out.channel.isin(limits.day_channels)
    results = _COUNT_UNITS[limits.day_counts]
    if results:
        counted = counted & out.result.isin(results)
    rows = out.select(
        "event_key", "account_key", "unit_key", "officer_key", "local_ts",
        person=out.customer_key if limits.day_scope == "debtor" else out.account_key,
        counted=counted,
        hours=late & out.channel.isin(limits.hour_channels),
        party=out.party_role.isin(limits.forbidden_parties),
    )  # fmt: skip
    too_many, after = _too_many(rows, limits.most_per_day), _after_placement(book, rows, limits.end_reasons)
    joined = rows.left_join(too_many, [("event_key", "many_key")]).left_join(after, [("event_key", "late_key")])
    flags = {
        "freq_day": joined.many_key.notnull(),
        "freq_day_in_unit": joined.in_unit.fill_null(False),
        "hours": joined.hours,
        "recall": joined.late_key.notnull(),
        "party": joined.party,
    }
    breach = flags["freq_day"] | flags["hours"] | flags["recall"] | flags["party"]
    whole = {name: flag.cast("int64") for name, flag in {**flags, "breach": breach}.items()}
    return joined.select("event_key", "account_key", "unit_key", "officer_key", **whole)


def _too_many(rows: ir.Table, most: int) -> ir.Table:
    """Counted contacts with `most` counted ones before them on the same day; `in_unit`: even counting those of their unit alone."""
    counted = rows.filter(rows.counted).mutate(day=rows.local_ts.date())
    # Few debtors have so many on a day: only those are put in order.
    daily = counted.group_by("person", "day").agg(times=counted.count())
    busy = counted.semi_join(daily.filter(daily.times > most), ["person", "day"])
    order = [busy.local_ts, busy.event_key]
    place = ibis.row_number().over(group_by=[busy.person, busy.day], order_by=order)
    own = ibis.row_number().over(group_by=[busy.person, busy.day, busy.unit_key], order_by=order)
    numbered = busy.select(many_key="event_key", place=place, in_unit=own >= most)
    return numbered.filter(numbered.place >= most).drop("place")


def _after_placement(book: Book, rows: ir.Table, reasons: Sequence[str]) -> ir.Table:
    """Contacts by a unit after its placement ended for one of the reasons, while no other placement with it runs."""
    decision = book.table("decision")
    placement = decision.filter(decision.kind == "placement", decision.unit_key.notnull())
    placement = placement.select(on_account="account_key", with_unit="unit_key", begun="from_date", ended="to_date", reason="end_reason")
    over = placement.filter(placement.ended.notnull(), placement.reason.isin(list(reasons)))
    same = (rows.account_key == over.on_account) & (rows.unit_key == over.with_unit)
    after = rows.inner_join(over, same).filter(lambda pair: pair.local_ts.date() >= pair.ended)
    after = after.select("event_key", "account_key", "unit_key", "local_ts").distinct()
    running = placement.select(run_account="on_account", run_unit="with_unit", run_from="begun", run_to="ended")
    pairs = after.inner_join(running, (after.account_key == running.run_account) & (after.unit_key == running.run_unit))
    day = pairs.local_ts.date()
    allowed = pairs.filter(day >= pairs.run_from, pairs.run_to.isnull() | (day < pairs.run_to)).select("event_key").distinct()
    return after.anti_join(allowed, "event_key").select(late_key="event_key")


def breach_facts(judged: ir.Table, directory: Directory) -> ir.Table:
    """Outbound contacts and those in breach, per account, unit and officer: scopes of the actor, outbound, breach, a count per rule."""
    names = ("breach", "freq_day", "freq_day_in_unit", "hours", "recall", "party")
    counted = judged.group_by("account_key", "unit_key", "officer_key").agg(
        outbound=judged.count(), **{name: judged[name].sum().cast("int64") for name in names}
    )
    return directory.describe(counted)


def breaches_by_rule(book: Book, facts: ir.Table, limits: Sequence[LegalLimits], *, by_unit: bool = False) -> pd.DataFrame:
    """Which rule was broken how often, and how often could no single unit have seen it?

    `facts` is the table of `breach_facts`. Columns: unit_key (if `by_unit`), rule_id, severity, numerator (contacts in breach),
    across_units (of them, visible only over all units; FREQ_DAY), denominator (outbound contacts), value, low, high (per contact, Wilson),
    note. One row per rule, also where it was kept.
    """
    keys = ["unit_key"] if by_unit else []
    sums = {
        name: facts[name].sum().fill_null(0).cast("int64")
        for name in ("outbound", "freq_day", "freq_day_in_unit", "hours", "recall", "party")
    }
    frame = book.frame(facts.group_by(keys).agg(**sums) if keys else facts.agg(**sums))
    parts = []
    for rule in RULES:
        name = rule.lower()
        across = frame["freq_day"] - frame["freq_day_in_unit"] if rule == "FREQ_DAY" else 0
        part = frame[keys].assign(
            rule_id=rule, severity=limits[-1].severity[rule], numerator=frame[name], across_units=across, denominator=frame["outbound"]
        )
        parts.append(part)
    table = rate_table(pd.concat(parts, ignore_index=True), undefined="no outbound contact")
    table["low"], table["high"] = wilson_interval(table["numerator"], table["denominator"])
    return table.sort_values(keys, kind="stable", ignore_index=True) if keys else table


def _seconds(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second
