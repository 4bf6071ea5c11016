"""Does an agency's behaviour or claimed money look gamed: what is counted for each test, per agency.

Every test of `TESTS` is one row per unit: `peers` tests compare an estimate with that of the other units, `chance` tests a count with what a
stated model of an honest record makes, `rule` tests count what a true record never shows. Judgement is in `integrity_verdict`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.agencies import integrity_money, integrity_promises
from collect_analysis.agencies.activity import attempts_on, worked
from collect_analysis.agencies.integrity_rows import as_share, not_asked
from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.presence import absent, require
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.periods import KpiWindows, Period, month_end, month_start
from collect_analysis.measures.placements import payments_on, placed, without_month
from collect_analysis.measures.record_audit import AuditRules, audited, shortfalls
from collect_analysis.measures.scopes import count_of, within
from collect_analysis.methods.profiling.peer_tests import log_rate_ratio

Kind = Literal["peers", "chance", "rule"]
# Tests in the order a page tells them, with the kind of each.
TESTS: dict[str, Kind] = {
    "cherry_picking": "peers",
    "hoarding": "peers",
    "unverified": "peers",
    "old_money": "peers",
    "remitted_late": "peers",
    "not_remitted": "rule",
    "few_remitted": "peers",
    "burst": "peers",
    "after_hours": "peers",
    "same_second": "chance",
    "duplicate_event": "rule",
    "round_start": "chance",
    "round_talk": "chance",
    "backdated": "rule",
    "promise_after_payment": "peers",
    "promise_without_rpc": "rule",
}
# Where less than the peers have is what is asked about.
FEWER = ("few_remitted",)
COLUMNS = (
    "test", "unit_key", "kind", "observed", "trials", "cases", "expected", "estimate", "se", "value", "low", "high", "unit", "money_minor",
    "note",
)  # fmt: skip
_OF_RECORDS = ("same_second", "round_start", "round_talk", "after_hours", "promise_without_rpc")
NO_VERIFIED = "the book does not say which contacts are backed by a recording or system log"
# An expected value leans on the strata's own experience once they hold about so many accounts.
_LEANING = 50


@dataclass(frozen=True, kw_only=True)
class IntegrityRules:
    """What the tests look at: placements held in `period` by `units` (empty: all that hold any).

    `reference_months`: placements made in so many months up to the end of the period say what accounts are worth. `top_share`: the share of
    each month's placements by expected value that cherry-picking is about. `audit_dates`: days of audits known beforehand; a burst is the
    `burst_days` before them, or, where no audit is named, the last `burst_days` of each month. `claim_days`: a payment so many days before a
    placement, or before a promise, was there already.
    """

    period: Period
    units: tuple[str, ...] = ()
    reference_months: int = 24
    top_share: float = 0.1
    dormant_days: int = 30
    audit_dates: tuple[date, ...] = ()
    burst_days: int = 3
    claim_days: int = 30
    promise_days: int = 3

    def burst_windows(self) -> list[tuple[date, date]]:
        """First and last day of each stretch before an audit or a month end, within the period."""
        if self.audit_dates:
            return [(day - timedelta(days=self.burst_days), day - timedelta(days=1)) for day in sorted(self.audit_dates)]
        ends = [month_end(self.period.start, number) for number in range(self.period.months)]
        return [(end - timedelta(days=self.burst_days - 1), end) for end in ends]


def facts(book: Book, rules: IntegrityRules, *, windows: KpiWindows, limits: Sequence[LegalLimits] = ()) -> pd.DataFrame:
    """What is there for each test of each unit?

    Columns: see COLUMNS. observed of trials; cases: what the test rests on; expected: by chance (chance tests) or in the peers' strata
    (old_money); estimate, se: on the log scale units are compared on (peers tests); value with low and high in `unit` (share, ratio);
    money_minor: money at stake, NaN where no money hangs on it; note: why the test cannot be asked. One row per test and unit that held
    placements in the period, sorted as `TESTS`, then unit.

    Tests (peers unless said): cherry_picking: attempts per account-day in the `top_share` of each month's placements by expected value,
    over the rate in the rest; expected value is the balance times the cash rate of the other units on the placement stratum. hoarding:
    active placements untouched for more than `dormant_days`, of those held as long. unverified: attempts without recording or system log.
    old_money: placements with cash that had paid, promised or agreed a plan before they were placed, against the others in the same strata.
    remitted_late: agency cash not passed on within the days of the contract; not_remitted (rule): not at all, though due; few_remitted:
    postings on placed accounts that came through the agency, fewer being odd. burst: attempts in the days before an audit or month end.
    after_hours: outbound contacts outside lawful hours. same_second, round_start, round_talk (chance), promise_without_rpc (rule):
    `record_audit`, the unit as one where it names no officer. duplicate_event (rule): one account and channel at one second, again.
    backdated (rule): promised for a day before it was made, or made before the day of the contact it names. promise_after_payment: the money
    promised had come in the `promise_days` before.

    Raises
    ------
    DataError
        No unit held a placement in the period, or `units` names one that did not.
    """
    held, units = _held(book, rules), units_of(book, rules)
    unheld = sorted(set(rules.units) - set(units))
    if not units or unheld:
        require(book, ("decision",), asks="the check of agencies")
        named = f"unit(s) {', '.join(unheld)}" if unheld else "no unit"
        raise DataError(
            f"{named} held a placement from {rules.period.start} to {rules.period.end}; choose a period and units with placements"
        )
    parts = [
        *_of_activity(book, held, rules, windows),
        *integrity_money.parts(book, held, rules.period, windows, claim_days=rules.claim_days),
        *_of_records(book, rules, units, limits),
        *integrity_promises.parts(book, rules.period, units, windows, days=rules.promise_days),
    ]
    return _laid_out(units, {str(part["test"].iloc[0]): part for part in parts if len(part)})


def units_of(book: Book, rules: IntegrityRules) -> list[str]:
    """Which of the units asked about held placements in the period? Sorted."""
    return sorted(book.frame(_held(book, rules).select("unit_key").distinct())["unit_key"])


def _held(book: Book, rules: IntegrityRules) -> ir.Table:
    """Placements that ran in the period, with their stratum without the month."""
    start = month_start(rules.period.end, 1 - rules.reference_months)
    base = placed(book, start=start, end=rules.period.end, units=rules.units)
    running = base.filter(base.to_date.isnull() | (base.to_date > ibis.literal(rules.period.start)))
    return running.mutate(stratum=without_month(running.stratum))


def _of_activity(book: Book, held: ir.Table, rules: IntegrityRules, windows: KpiWindows) -> list[pd.DataFrame]:
    period = rules.period
    if why := absent(book, ("contact",), period.month_starts):
        return not_asked(("cherry_picking", "hoarding", "unverified", "burst", "duplicate_event"), why)
    with book.materialized(_valued(book, held, rules)) as valued:
        with book.materialized(worked(book, valued, windows, start=period.start, end=period.end)) as rows:
            picked = book.frame(_sides(rows))
        with book.materialized(attempts_on(book, held.select(*held.columns), windows)) as made:
            idle = book.frame(_idle(held, made, rules))
            counted = book.frame(_attempts(held, made, rules))
    # Without money nobody knows which accounts are worth more.
    why = absent(book, ("payment",))
    first = not_asked(["cherry_picking"], why) if why else [_cherry_picking(picked)]
    return [*first, as_share(idle, "hoarding"), *_of_attempts(book, counted), _duplicates(book, period)]


def _valued(book: Book, held: ir.Table, rules: IntegrityRules) -> ir.Table:
    """Placements held in the period with `top`: among the most valuable of their month, by what other units got from such accounts."""
    start = month_start(rules.period.end, 1 - rules.reference_months)
    base = placed(book, start=start, end=rules.period.end)
    base = base.mutate(stratum=without_month(base.stratum))
    paid = payments_on(book, base).group_by(of_decision="decision_key").agg(paid=lambda rows: rows.amount_minor.sum().cast("int64"))
    joined = base.left_join(paid, [("decision_key", "of_decision")])
    rows = joined.select(*base.columns, paid=joined.paid.fill_null(0))
    own = rows.group_by("unit_key", "stratum").agg(y=rows.paid.sum().cast("int64"), x=rows.balance_minor.sum().cast("int64"))
    in_stratum, of_unit = ibis.window(group_by=own.stratum), ibis.window(group_by=own.unit_key)
    all_y, all_x = own.y.sum().over(ibis.window()), own.x.sum().over(ibis.window())
    rest_y, rest_x = all_y - own.y.sum().over(of_unit), all_x - own.x.sum().over(of_unit)
    y, x = own.y.sum().over(in_stratum) - own.y, own.x.sum().over(in_stratum) - own.x
    # Accounts of small strata are worth what all accounts of other units are, until the stratum has experience of its own.
    least = rest_x.cast("float64") / rows.count().as_scalar().cast("float64") * _LEANING
    overall = rest_y.cast("float64") / ibis.greatest(rest_x, 1).cast("float64")
    rate = (y.cast("float64") + overall * least) / (x.cast("float64") + least)
    rates = own.select(of_unit="unit_key", of_stratum="stratum", rate=ibis.coalesce(rate, 0.0))
    priced = rows.inner_join(rates, [rows.unit_key == rates.of_unit, rows.stratum == rates.of_stratum])
    priced = priced.mutate(worth=priced.balance_minor.cast("float64") * priced.rate)
    month = ibis.window(group_by=priced.batch_month)
    place = ibis.row_number().over(group_by=priced.batch_month, order_by=[priced.worth.desc(), priced.decision_key])
    priced = priced.mutate(place=place, many=priced.decision_key.count().over(month))
    top = (priced.place < (priced.many.cast("float64") * rules.top_share).ceil()).cast("int64")
    chosen = priced.select(top_key="decision_key", top=top)
    return held.inner_join(chosen, [held.decision_key == chosen.top_key]).drop("top_key")


def _sides(rows: ir.Table) -> ir.Table:
    """Sums over customers of attempts (y) and account-days (x), of the top placements (_1) and of the rest (_0); placements on each side."""
    customer = rows.group_by("unit_key", "top", "customer_key").agg(
        y=rows.attempts_declared.sum().cast("int64"), x=rows.days.sum().cast("int64"), k=rows.count()
    )
    sums: dict[str, ir.Scalar] = {}
    for side in (1, 0):
        own = customer.top == side
        y, x = ibis.ifelse(own, customer.y, 0), ibis.ifelse(own, customer.x, 0)
        sums |= {
            f"n_{side}": count_of(own), f"sum_y_{side}": y.sum().cast("int64"), f"sum_x_{side}": x.sum().cast("int64"),
            f"sum_yy_{side}": sum_of_products(y, y), f"sum_xx_{side}": sum_of_products(x, x), f"sum_xy_{side}": sum_of_products(x, y),
            f"placements_{side}": ibis.ifelse(own, customer.k, 0).sum().cast("int64"),
        }  # fmt: skip
    return customer.group_by("unit_key").agg(**sums)


def _cherry_picking(sides: pd.DataFrame) -> pd.DataFrame:
    estimate, se = log_rate_ratio(sides)
    seen, rest = sides["sum_y_1"].astype(float), sides["sum_y_0"].astype(float)
    return pd.DataFrame(
        {
            "test": "cherry_picking", "unit_key": sides["unit_key"], "observed": seen, "trials": seen + rest,
            "cases": np.minimum(sides["placements_1"], sides["placements_0"]).astype(float), "estimate": estimate, "se": se,
            "value": np.exp(estimate), "low": np.exp(estimate - 1.96 * se), "high": np.exp(estimate + 1.96 * se), "unit": "ratio",
        }
    )  # fmt: skip


def _idle(held: ir.Table, made: ir.Table, rules: IntegrityRules) -> ir.Table:
    """Placements active at the end of the period and held longer than the dormant days; those without an attempt in them."""
    end = rules.period.end
    since = end - timedelta(days=rules.dormant_days)
    active = held.filter(held.to_date.isnull() | (held.to_date > ibis.literal(end)), held.from_date <= ibis.literal(since))
    recent = made.filter(within(made.day, since, end)).select(touched="decision_key").distinct()
    joined = active.left_join(recent, [("decision_key", "touched")])
    return joined.group_by("unit_key").agg(observed=count_of(joined.touched.isnull()), trials=joined.count())


def _attempts(held: ir.Table, made: ir.Table, rules: IntegrityRules) -> ir.Table:
    """Attempts of the period by unit: all, those in the days before audits or month ends, those without a recording or log."""
    inside = made.filter(within(made.day, rules.period.start, rules.period.end))
    of_unit = held.select(placement="decision_key", unit_key="unit_key")
    rows = inside.inner_join(of_unit, [inside.decision_key == of_unit.placement])
    hurried = ibis.literal(False)
    for first, last in rules.burst_windows():
        hurried = hurried | within(rows.day, first, last)
    return rows.group_by("unit_key").agg(trials=rows.count(), burst=count_of(hurried), unverified=count_of(rows.verified == 0))


def _of_attempts(book: Book, counted: pd.DataFrame) -> list[pd.DataFrame]:
    burst = as_share(counted.rename(columns={"burst": "observed"}), "burst")
    if not book.holds("contact.verified_log"):
        return [burst, *not_asked(["unverified"], NO_VERIFIED)]
    return [burst, as_share(counted.rename(columns={"unverified": "observed"}), "unverified")]


def _duplicates(book: Book, period: Period) -> pd.DataFrame:
    contact = book.table("contact")
    rows = contact.filter(within(contact.local_ts, period.start, period.end), contact.unit_key.notnull())
    same = rows.group_by("unit_key", "account_key", "local_ts", "channel", "direction").agg(times=rows.count())
    sums = same.group_by("unit_key").agg(observed=(same.times - 1).sum().cast("int64"), trials=same.times.sum().cast("int64"))
    return as_share(book.frame(sums), "duplicate_event")


def _of_records(book: Book, rules: IntegrityRules, units: Sequence[str], limits: Sequence[LegalLimits]) -> list[pd.DataFrame]:
    """The tests that officers' records are asked too, of the agencies' whole record."""
    if why := absent(book, ("contact",), rules.period.month_starts):
        return not_asked(_OF_RECORDS, why)
    with audited(book, rules.period, AuditRules(), limits, units=units) as audit:
        found = audit.findings()
    unasked = shortfalls(book, rules.period)
    # Where no money is known none is at stake: without payments nobody knows how much.
    sums = found.groupby(["type", "unit_key"], as_index=False)[["observed", "trials", "expected", "money_minor"]].sum(min_count=1)
    parts = []
    for name in _OF_RECORDS:
        if name in unasked:
            parts += not_asked([name], unasked[name])
            continue
        own = sums[sums["type"] == name]
        part = as_share(own, name).assign(money_minor=own["money_minor"].to_numpy(float))
        parts.append(part.assign(expected=own["expected"].to_numpy(float)) if TESTS[name] == "chance" else part)
    return parts


def _laid_out(units: Sequence[str], parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per test and unit, also where nothing was found or the test cannot be asked."""
    rows = []
    for test, kind in TESTS.items():
        part = parts.get(test)
        base = pd.DataFrame({"unit_key": list(units)})
        if part is None or "unit_key" not in part:
            rows.append(base.assign(test=test, kind=kind, note="" if part is None else part["note"].iloc[0]))
            continue
        rows.append(base.merge(part.drop(columns="test"), on="unit_key", how="left", validate="one_to_one").assign(test=test, kind=kind))
    table = pd.concat(rows, ignore_index=True).reindex(columns=list(COLUMNS))
    counts = ["observed", "trials", "cases"]
    silent = table["note"].fillna("") != ""
    table[counts] = table[counts].astype(float).fillna(0.0).mask(silent)
    numbers = ["expected", "estimate", "se", "value", "low", "high", "money_minor"]
    return table.astype(dict.fromkeys(numbers, float)).assign(
        note=table["note"].fillna(""), unit=table["unit"].astype(object).fillna("share")
    )
