"""The fact relations that KPIs are counted on: how each is built, and what it needs of the book. One place for all."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir

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
from collect_analysis.measures.scopes import holders

# The relations of one period, `kpi_table.Facts`: it reads this list, so that it cannot be named here.
Facts = Any


@dataclass(frozen=True)
class Base:
    """A fact relation: how it is built, the tables without which it is empty of meaning, whether it needs legal limits.

    `needs` names tables, or columns as `table.column` that a source may not fill. One that is not `kept` says little more than another one
    that is: it is computed where it is read.
    """

    build: Callable[[Facts], ir.Table | AbstractContextManager[ir.Table]]
    needs: tuple[str, ...]
    limits: bool = False
    kept: bool = True


def _breaches(f: Facts) -> ir.Table:
    return conduct.breach_facts(conduct.judged_contacts(f.book, f.period, f.limits, contacts=f.contacts), f.directory)


BASES: dict[str, Base] = {
    "holders": Base(lambda f: holders(f.ends, f.directory, f.period), ("month_end",)),
    "pairs": Base(lambda f: flow.month_pairs(f.ends, f.directory, f.period), ("month_end",)),
    "flow": Base(lambda f: flow.flow_facts(flow.overdue(f["pairs"])), ("month_end",)),
    "net_flow": Base(lambda f: flow.net_flow_facts(f.ends, f.directory, f.period), ("month_end",)),
    "current": Base(lambda f: cures.current_facts(f["pairs"]), ("month_end",), kept=False),
    "cures": Base(lambda f: cures.cure_facts(f.book, f.directory, f.period, f.windows), ("month_end",)),
    "entries": Base(
        lambda f: cures.entry_facts(f.book, f.contacts, f.directory, f.period, f.windows, f.money), ("month_end", "payment", "contact")
    ),
    "groups": Base(lambda f: groups.group_facts(f.book, f.directory, f.period, f.windows), ("month_end", "month_end.reg_group")),
    "cash": Base(lambda f: recovery.cash_facts(f.book, f["holders"], f.directory, f.period, f.money), ("month_end", "payment")),
    "money_age": Base(
        lambda f: recovery.money_age_facts(f.book, f["holders"], f.directory, f.period, f.windows, f.money), ("month_end", "payment")
    ),
    "placed": Base(lambda f: recovery.placed_facts(f.book, f.directory, f.period, f.windows, f.money), ("decision", "payment")),
    "net_placed": Base(
        lambda f: batches.net_placed_facts(f.book, f.directory, f.period, f.windows, f.money), ("decision", "payment", "tariff")
    ),
    "cost": Base(
        lambda f: costs.cost_facts(f.book, f["cash"], f.contacts, f.directory, f.period, f.money), ("month_end", "payment", "tariff")
    ),
    "arrangements": Base(
        lambda f: arrangements.arrangement_facts(f.book, f["holders"], f.directory, f.period, f.windows), ("month_end", "arrangement")
    ),
    "settlements": Base(lambda f: arrangements.settlement_facts(f.book, f["holders"], f.directory, f.period), ("month_end", "arrangement")),
    "waivers": Base(
        lambda f: arrangements.waiver_facts(f.book, f["cash"], f["holders"], f.directory, f.period), ("month_end", "payment", "arrangement")
    ),
    "plans": Base(
        lambda f: arrangements.plan_facts(f.book, f["holders"], f.directory, f.period),
        ("month_end", "payment", "arrangement", "arrangement.n_instalments"),
    ),
    "reach": Base(lambda f: contact.reach_facts(f.book, f["holders"], f.contacts, f.period, f.windows), ("month_end", "contact")),
    "promising": Base(lambda f: f["reach"], ("month_end", "contact", "promise"), kept=False),
    "work": Base(lambda f: contact.work_facts(f.contacts, f.directory, f.period, f.windows), ("contact",)),
    "attempts": Base(lambda f: contact.attempt_facts(f["work"]), ("contact",), kept=False),
    "calls": Base(lambda f: contact.call_facts(f["work"]), ("contact",), kept=False),
    "messages": Base(
        lambda f: messages.message_facts(f.book, f.contacts, f.directory, f.period, f.windows, f.money), ("contact", "payment")
    ),
    "due": Base(lambda f: promises.due_promises(f.book, f.period, f.windows, f.money), ("promise", "payment")),
    "promises": Base(lambda f: promises.promise_facts(f["due"], f.directory), ("promise", "payment")),
    "attributed": Base(
        lambda f: attribution.attribution_facts(f.book, f.contacts, f["work"], f.directory, f.period, f.windows, f.money),
        ("contact", "payment"),
    ),
    "hours": Base(lambda f: productivity.hour_facts(f.book, f.contacts, f.directory, f.period, f.windows), ("unit_day",)),
    "occupancy": Base(lambda f: productivity.waiting_days(f["hours"], f.windows), ("unit_day",), kept=False),
    "caseload": Base(
        lambda f: productivity.caseload_facts(f.book, f["holders"], f["hours"], f.period, f.windows), ("month_end", "unit_day"), kept=False
    ),
    "paid_hours": Base(lambda f: productivity.paid_hour_facts(f["attributed"], f["hours"]), ("contact", "payment", "unit_day"), kept=False),
    "breaches": Base(_breaches, ("contact",), limits=True),
    "complaints": Base(
        lambda f: service.complaint_facts(f.book, f["holders"], f["reach"], f.directory, f.period), ("month_end", "contact", "ticket")
    ),
    "closed_complaints": Base(
        lambda f: service.finding_facts(f.book, f["holders"], f.directory, f.period), ("month_end", "ticket", "ticket.upheld"), kept=False
    ),
    "disputes": Base(lambda f: service.dispute_facts(f.book, f["holders"], f.directory, f.period), ("month_end", "ticket"), kept=False),
    "open_disputes": Base(
        lambda f: service.open_dispute_facts(f.book, f["holders"], f.directory, f.period), ("month_end", "ticket"), kept=False
    ),
    "tickets": Base(lambda f: service.ticket_facts(f.book, f["holders"], f.directory, f.period, f.windows), ("month_end", "ticket")),
    "quality": Base(lambda f: quality.quality_facts(f.book, f.directory, f.period), ("qa",)),
    "recalls": Base(
        lambda f: obligations.recall_facts(f.book, f.directory, f.period, f.windows), ("decision", "decision.end_requested_ts")
    ),
    "remittances": Base(
        lambda f: obligations.remittance_facts(f.book, f.directory, f.period, f.windows), ("payment", "payment.remitted_on")
    ),
    # R14 has no relation of its own: the target stands against R1.
    "target": Base(lambda f: f["cash"], ("month_end", "payment", "target"), kept=False),
}
