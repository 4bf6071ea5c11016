"""How partners serve: cash passed on (Q9), recalls obeyed (Q8), complaints and disputes answered (Q6), deliveries without an error.

Definitions that the KPI dictionary holds are read from where it reads them (`obligations`, `service`, `conduct`); here are their rows by
partner, and the times behind them.
"""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.agencies.activity import BOOK, COLUMNS, mean_of_counts, quantile_of_counts
from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures import obligations, scopes, service as tickets
from collect_analysis.measures.cash import payments
from collect_analysis.measures.conduct import LegalLimits, judged_contacts
from collect_analysis.measures.flow import month_ends
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.placements import Panel, of_panel, payments_on
from collect_analysis.measures.scopes import Directory, count_of, within
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import ratio_interval, wilson_interval

# In the order of a page, with the unit each is told in.
MEASURES = {
    "remittance_days_mean": "days",
    "remittance_days_p90": "days",
    "remitted_in_time": "share",
    "recalls_in_time": "share",
    "contacts_after_recall": "per_10000",
    "days_to_stop": "days",
    "answered_in_time": "share",
    "complaint_days_mean": "days",
    "complaint_days_p90": "days",
    "dispute_days_mean": "days",
    "dispute_days_p90": "days",
    "file_error_rate": "share",
}
PER_10K = 10_000
NO_REMITTANCE = "the book does not record when agencies pass cash on (payment.remitted_on)"
NO_SOURCE = "the book does not say who took the cash (payment.source)"
NO_RECALLS = "the book does not record when a recall was asked for (decision.end_requested_ts)"
NO_TICKETS = "the book has no tickets"
NO_LIMITS = "no limits on contacts were given to judge by"
NO_FEEDS = "the book does not say which unit sent a delivery (feed_manifest.source)"
_NONE = {
    "remittance_days_mean": "no cash passed on", "remittance_days_p90": "no cash passed on", "remitted_in_time": "no cash fell due",
    "recalls_in_time": "no recall fell due", "contacts_after_recall": "no outbound contact", "days_to_stop": "no contact after a recall",
    "answered_in_time": "no ticket closed or overdue", "complaint_days_mean": "no complaint closed", "complaint_days_p90": "no complaint closed",
    "dispute_days_mean": "no dispute closed", "dispute_days_p90": "no dispute closed", "file_error_rate": "no delivery of this unit",
}  # fmt: skip


def service(
    book: Book, panel: Panel, *, windows: KpiWindows | None = None, limits: Sequence[LegalLimits] = (), level: float = CONFIDENCE
) -> pd.DataFrame:
    """How well does each partner keep what it owes besides recovery?

    remittance_days_mean, remittance_days_p90 (days): from value date to the day passed on, of payments with source `agency` on accounts of the
    panel while placed, passed on by `as_of`; remitted_in_time (share of money): Q9; recalls_in_time (share): Q8; contacts_after_recall (per
    10,000 outbound contacts) and days_to_stop (days from the end of a recalled placement to the last contact after it, of placements with one):
    the rule RECALL of `limits`; answered_in_time (share of tickets): Q6, open overdue ones in the denominator; complaint_days_*,
    dispute_days_* (days from opening to closing, of those opened in the period and closed by `as_of`); file_error_rate (share of deliveries not
    loaded in time and whole, of deliveries whose source is the unit). The period is the panel's, of whole months.

    Columns: see `partner_activity.COLUMNS`; one row per unit of the panel and measure, source `book`, sorted. Undefined (NaN, the reason in
    note): nothing to divide by, or the book does not carry what is needed: then every unit has the note and no number.

    Raises
    ------
    ParameterError
        The panel is not of whole months.
    """
    windows, period = windows or KpiWindows(), Period(panel.start, panel.end)
    base = of_panel(book, panel)
    units = sorted(book.frame(base.select("unit_key").distinct())["unit_key"])
    directory = Directory.of(book, period.end)
    parts = {
        **_remittances(book, base, directory, period, windows, level),
        **_recalls(book, directory, period, windows, level),
        **_after_recall(book, period, limits, level),
        **_answers(book, directory, period, windows, level),
        **_turnaround(book, period, level),
        "file_error_rate": _deliveries(book, period, units, level),
    }
    return _laid_out(units, parts)


# What a measure is for each unit, or the sentence why the book cannot tell it.
Part = pd.DataFrame | str


def _laid_out(units: Sequence[str], parts: dict[str, Part]) -> pd.DataFrame:
    rows = []
    numbers = ("numerator", "denominator", "value", "low", "high")
    for unit in units:
        for measure, kind in MEASURES.items():
            part = parts[measure]
            own = part if isinstance(part, str) else part[part["unit_key"] == unit]
            told = {name: np.nan if len(own) == 0 or isinstance(own, str) else float(own[name].iloc[0]) for name in numbers}
            note = part if isinstance(part, str) else _NONE[measure] if np.isnan(told["value"]) else ""
            rows.append({"unit_key": unit, "measure": measure, "unit": kind, "source": BOOK, "note": note, **told})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _remittances(book: Book, base: ir.Table, directory: Directory, period: Period, windows: KpiWindows, level: float) -> dict[str, Part]:
    names = ("remittance_days_mean", "remittance_days_p90", "remitted_in_time")
    taken = payments(book).filter(lambda rows: rows.source == "agency")
    if not book.scalar(count_of(book.table("payment").source.notnull())):
        return dict.fromkeys(names, NO_SOURCE)
    if not book.scalar(count_of(taken.remitted_on.notnull())):
        return dict.fromkeys(names, NO_REMITTANCE)
    passed = taken.filter(taken.remitted_on.notnull()).select(
        paid="payment_key", days=lambda rows: rows.remitted_on.delta(rows.value_date, unit="day").cast("int64")
    )
    on = (
        payments_on(book, base)
        .filter(lambda rows: within(rows.value_date, period.start, period.end))
        .inner_join(passed, [("payment_key", "paid")])
    )
    counts = book.frame(on.group_by("unit_key", "days").agg(n=on.count()))
    facts = obligations.remittance_facts(book, directory, period, windows)
    return {
        "remittance_days_mean": _by_unit(counts, mean=True, level=level),
        "remittance_days_p90": _by_unit(counts, mean=False, level=level),
        "remitted_in_time": _money_share(book, facts, level),
    }


def _money_share(book: Book, facts: ir.Table, level: float) -> pd.DataFrame:
    """Share of money in time, the interval over customers."""
    customer = facts.group_by("unit_key", "cluster_key").agg(
        y=facts.in_time_minor.sum().cast("int64"), x=facts.due_minor.sum().cast("int64")
    )
    sums = book.frame(
        customer.group_by("unit_key").agg(
            count=customer.count(), sum_y=customer.y.sum().cast("int64"), sum_x=customer.x.sum().cast("int64"),
            sum_yy=sum_of_products(customer.y, customer.y), sum_xx=sum_of_products(customer.x, customer.x),
            sum_xy=sum_of_products(customer.x, customer.y),
        )
    )  # fmt: skip
    low, high = ratio_interval(**{name: sums[name] for name in ("count", "sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy")}, level=level)
    table = sums[["unit_key"]].assign(numerator=sums["sum_y"].astype(float), denominator=sums["sum_x"].astype(float))
    table["value"] = table["numerator"] / table["denominator"].where(table["denominator"] > 0)
    return table.assign(low=np.clip(low, 0, 1), high=np.clip(high, 0, 1))


def _recalls(book: Book, directory: Directory, period: Period, windows: KpiWindows, level: float) -> dict[str, Part]:
    decision = book.table("decision")
    asked = count_of((decision.kind == "placement") & decision.end_requested_ts.notnull())
    if not book.scalar(asked):
        return {"recalls_in_time": NO_RECALLS}
    facts = obligations.recall_facts(book, directory, period, windows)
    sums = facts.group_by("unit_key").agg(numerator=facts.in_time.sum().cast("int64"), denominator=facts.fell_due.sum().cast("int64"))
    return {"recalls_in_time": _share(book.frame(sums), level)}


def _after_recall(book: Book, period: Period, limits: Sequence[LegalLimits], level: float) -> dict[str, Part]:
    names = ("contacts_after_recall", "days_to_stop")
    if not (limits and book.has("contact")):
        return dict.fromkeys(names, NO_LIMITS)
    judged = judged_contacts(book, period, limits)
    sums = judged.group_by("unit_key").agg(numerator=judged.recall.sum().cast("int64"), denominator=judged.count())
    rate = _share(book.frame(sums), level)
    rate[["value", "low", "high"]] *= PER_10K
    late = judged.filter(judged.recall == 1).select("event_key", "account_key", "unit_key")
    days = book.table("contact").select(of_event="event_key", day=lambda rows: rows.local_ts.date())
    late = late.inner_join(days, [("event_key", "of_event")])
    reasons = sorted({reason for limit in limits for reason in limit.end_reasons})
    decision = book.table("decision")
    ended = decision.filter(decision.kind == "placement", decision.to_date.notnull(), decision.end_reason.isin(reasons))
    ended = ended.select("decision_key", on_account="account_key", with_unit="unit_key", over="to_date")
    pairs = late.inner_join(ended, [("account_key", "on_account"), ("unit_key", "with_unit")]).filter(lambda pair: pair.day >= pair.over)
    latest = pairs.group_by("event_key", "unit_key", "account_key", "day").agg(over=pairs.over.max())
    stops = latest.group_by("unit_key", "account_key", "over").agg(last=latest.day.max())
    stops = stops.mutate(days=stops.last.delta(stops.over, unit="day").cast("int64"))
    counts = book.frame(stops.group_by("unit_key", "days").agg(n=stops.count()))
    return {"contacts_after_recall": rate, "days_to_stop": _by_unit(counts, mean=True, level=level)}


def _answers(book: Book, directory: Directory, period: Period, windows: KpiWindows, level: float) -> dict[str, Part]:
    if not book.has("ticket"):
        return {"answered_in_time": NO_TICKETS}
    held = scopes.holders(month_ends(book, period.opening, period.end), directory, period)
    facts = tickets.ticket_facts(book, held, directory, period, windows)
    sums = facts.group_by("unit_key").agg(numerator=facts.in_time.sum().cast("int64"), denominator=facts.judged.sum().cast("int64"))
    return {"answered_in_time": _share(book.frame(sums), level)}


def _turnaround(book: Book, period: Period, level: float) -> dict[str, Part]:
    if not book.has("ticket"):
        return dict.fromkeys(("complaint_days_mean", "complaint_days_p90", "dispute_days_mean", "dispute_days_p90"), NO_TICKETS)
    ticket = book.table("ticket")
    closed = ticket.filter(
        ticket.unit_key.notnull(), ticket.type.isin(["complaint", "dispute"]), within(ticket.opened_ts, period.start, period.end),
        ticket.closed_ts.notnull(), ticket.closed_ts.date() <= ibis.literal(book.as_of),
    )  # fmt: skip
    days = closed.closed_ts.date().delta(closed.opened_ts.date(), unit="day").cast("int64")
    counts = book.frame(closed.group_by("unit_key", "type", days=days).agg(n=closed.count()))
    parts: dict[str, Part] = {}
    for kind in ("complaint", "dispute"):
        own = counts[counts["type"] == kind]
        parts[f"{kind}_days_mean"] = _by_unit(own, mean=True, level=level)
        parts[f"{kind}_days_p90"] = _by_unit(own, mean=False, level=level)
    return parts


def _deliveries(book: Book, period: Period, units: Sequence[str], level: float) -> Part:
    feed = book.table("feed_manifest")
    own = feed.filter(feed.source.isin(list(units)), within(feed.business_date, period.start, period.end))
    wrong = (own.status != "loaded") | (own.rows != own.control_rows) | (own.amount_minor != own.control_minor)
    counts = book.frame(own.group_by(unit_key="source").agg(numerator=count_of(wrong), denominator=own.count()))
    return _share(counts, level) if len(counts) else NO_FEEDS


def _share(counts: pd.DataFrame, level: float) -> pd.DataFrame:
    table = counts.astype({"numerator": float, "denominator": float})
    table["value"] = table["numerator"] / table["denominator"].where(table["denominator"] > 0)
    table["low"], table["high"] = wilson_interval(table["numerator"], table["denominator"], level=level)
    return table


def _by_unit(counts: pd.DataFrame, *, mean: bool, level: float) -> pd.DataFrame:
    """Mean or 90th percentile of days, by unit, from how many cases took how many days."""
    rows = []
    for unit, part in counts.sort_values("days").groupby("unit_key"):
        found = (
            mean_of_counts(part["days"], part["n"], level=level)
            if mean
            else quantile_of_counts(part["days"], part["n"], share=0.9, level=level)
        )
        rows.append({"unit_key": unit, **found})
    return pd.DataFrame(rows, columns=["unit_key", "numerator", "denominator", "value", "low", "high"])
