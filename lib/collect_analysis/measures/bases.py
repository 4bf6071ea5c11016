"""The relations of a period: by which function each is made, what that is given, and what it needs of the book. One place for all."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta

import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures import (
    arrangements,
    attribution,
    batches,
    conduct,
    contact,
    costs,
    cures,
    flow,
    groups,
    messages,
    obligations,
    productivity,
    promises,
    quality,
    recovery,
    service,
)  # fmt: skip
from collect_analysis.measures.cash import kept_cash
from collect_analysis.measures.periods import KpiWindows, Period, month_end
from collect_analysis.measures.scopes import Directory, accounts_of, holders, units_on


@dataclass(frozen=True)
class Base:
    """A relation: `build` is called with what `given` names, and with nothing else.

    `given` names values of the period (book, period, windows, limits, opening, end) and other relations. `needs` names the tables without
    which it is empty of meaning, or columns as `table.column` that a source may not fill; `priced`: those that a tariff of the book prices,
    too; `limits`: it needs legal limits. `ends` says from which month end to which it reads where it needs them: by default the one before
    the period. Who held an account is told by its scope, which is no need: without month ends nobody held any. One that is not `kept` says
    little more than another one that is: it is computed where it is read.
    """

    build: Callable[..., ir.Table | AbstractContextManager[ir.Table] | Directory]
    given: str
    needs: tuple[str, ...] = ()
    priced: tuple[str, ...] = ()
    limits: bool = False
    ends: Callable[[Period, KpiWindows], tuple[date, date]] = lambda period, windows: (period.opening, period.opening)
    kept: bool = True


def _pairs(period: Period, windows: KpiWindows) -> tuple[date, date]:
    return period.opening, period.end


def _entries(period: Period, windows: KpiWindows) -> tuple[date, date]:
    return month_end(period.opening, -1), month_end(period.end, -1)


def _cures(period: Period, windows: KpiWindows) -> tuple[date, date]:
    return month_end(period.opening, -windows.sustained_months), period.end


def contacts_around(book: Book, period: Period, windows: KpiWindows) -> ir.Table:
    """The contacts of the period, and of the days before it to which cash of its first days may be attributed."""
    return contact.contacts_of(book, period.start - timedelta(days=windows.attribution_days), period.end)


def _overdue_flow(pairs: ir.Table) -> ir.Table:
    return flow.flow_facts(flow.overdue(pairs))


def _same(relation: ir.Table) -> ir.Table:
    return relation


def _breaches(book: Book, period: Period, limits: tuple[conduct.LegalLimits, ...], contacts: ir.Table, directory: Directory) -> ir.Table:
    return conduct.breach_facts(conduct.judged_contacts(book, period, limits, contacts=contacts), directory)


# What fact relations are made from.
SOURCES: dict[str, Base] = {
    "accounts": Base(accounts_of, "book"),
    "units": Base(units_on, "book end"),
    "directory": Base(Directory, "accounts units"),
    "ends": Base(flow.month_ends, "book opening end"),
    "contacts": Base(contacts_around, "book period windows"),
    "money": Base(kept_cash, "book"),
}
# The fact relations that KPIs are counted on.
BASES: dict[str, Base] = {
    "holders": Base(holders, "ends directory period", ("month_end",)),
    "pairs": Base(flow.month_pairs, "ends directory period", ("month_end",), ends=_pairs),
    "flow": Base(_overdue_flow, "pairs", ("month_end",), ends=_pairs),
    "net_flow": Base(flow.net_flow_facts, "ends directory period", ("month_end",), ends=_pairs),
    "current": Base(cures.current_facts, "pairs", ("month_end",), ends=_pairs, kept=False),
    "cures": Base(cures.cure_facts, "book directory period windows", ("month_end",), ends=_cures),
    "entries": Base(cures.entry_facts, "book contacts directory period windows money", ("month_end", "payment", "contact"), ends=_entries),
    "groups": Base(groups.group_facts, "book directory period windows", ("month_end", "month_end.reg_group"), ends=_pairs),
    "cash": Base(recovery.cash_facts, "book holders directory period money", ("payment",)),
    "day_cash": Base(recovery.day_cash_facts, "book holders ends directory period money", ("payment",)),
    "money_age": Base(recovery.money_age_facts, "book holders directory period windows money", ("payment",)),
    "placed": Base(recovery.placed_facts, "book directory period windows money", ("decision", "payment")),
    "net_placed": Base(
        batches.net_placed_facts, "book directory period windows money", ("decision", "payment", "tariff"), priced=("contact",)
    ),
    "cost": Base(costs.cost_facts, "book day_cash contacts directory period money", ("payment", "tariff"), priced=("contact", "unit_day")),
    "arrangements": Base(arrangements.arrangement_facts, "book holders directory period windows", ("arrangement",)),
    "settlements": Base(arrangements.settlement_facts, "book holders directory period", ("arrangement",)),
    "waivers": Base(arrangements.waiver_facts, "book cash holders directory period", ("payment", "arrangement")),
    "plans": Base(arrangements.plan_facts, "book holders directory period", ("payment", "arrangement", "arrangement.n_instalments")),
    "reach": Base(contact.reach_facts, "book holders contacts period windows", ("month_end", "contact")),
    "promising": Base(_same, "reach", ("month_end", "contact", "promise"), kept=False),
    "work": Base(contact.work_facts, "contacts directory period windows", ("contact",)),
    "attempts": Base(contact.attempt_facts, "work", ("contact",), kept=False),
    "calls": Base(contact.call_facts, "work", ("contact",), kept=False),
    "messages": Base(messages.message_facts, "book contacts directory period windows money", ("contact", "payment")),
    "due": Base(promises.due_promises, "book period windows money", ("promise", "payment")),
    "promises": Base(promises.promise_facts, "due directory", ("promise", "payment")),
    "attributed": Base(attribution.attribution_facts, "book contacts work directory period windows money", ("contact", "payment")),
    "hours": Base(productivity.hour_facts, "book contacts directory period windows", ("unit_day",)),
    "occupancy": Base(productivity.waiting_days, "hours windows", ("unit_day",), kept=False),
    "caseload": Base(productivity.caseload_facts, "book holders hours period windows", ("month_end", "unit_day"), kept=False),
    "paid_hours": Base(productivity.paid_hour_facts, "attributed hours", ("contact", "payment", "unit_day"), kept=False),
    "breaches": Base(_breaches, "book period limits contacts directory", ("contact",), limits=True),
    "complaints": Base(service.complaint_facts, "book holders reach work directory period", ("month_end", "contact", "ticket")),
    "closed_complaints": Base(service.finding_facts, "book holders directory period", ("ticket", "ticket.upheld"), kept=False),
    "disputes": Base(service.dispute_facts, "book holders directory period", ("month_end", "ticket"), kept=False),
    "open_disputes": Base(service.open_dispute_facts, "book holders directory period", ("ticket",), kept=False),
    "tickets": Base(service.ticket_facts, "book holders directory period windows", ("ticket",)),
    "quality": Base(quality.quality_facts, "book directory period", ("qa",)),
    "recalls": Base(obligations.recall_facts, "book directory period windows", ("decision", "decision.end_requested_ts")),
    "remittances": Base(obligations.remittance_facts, "book directory period windows", ("payment", "payment.remitted_on")),
    # R14 has no relation of its own: the target stands against R1.
    "target": Base(_same, "cash", ("payment", "target"), kept=False),
}
RELATIONS = {**SOURCES, **BASES}
