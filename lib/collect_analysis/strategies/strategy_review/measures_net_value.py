"""What is left of each subject's cash after the cost of working it, summed by arm where the subjects live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.arms import arm_sums, subjects_of
from collect_analysis.measures.cohort import AMOUNT, Cohort, Outcome
from collect_analysis.measures.cohort_events import paid_within
from collect_analysis.measures.costs import commission_on, price_list, valid_on
from collect_analysis.measures.scopes import Directory
from collect_analysis.methods.trials.experiments import KEYS, SUMS

CASH, COST, NET = "cash", "cost", "net_value"
CONTACTS, OFFICERS, WORK, COMMISSION = "contact_cost", "officer_cost", "work_cost", "commission_cost"
PARTS = (CONTACTS, OFFICERS, COMMISSION)
# More of the work than this without a price, and the cost of the rest would be taken for the cost of all.
MOST_UNPRICED = 0.05
NO_CONTACTS = "the source has no contacts: what the work cost is unknown"
NO_TARIFF = "the book has no tariff: what the work cost is unknown"
UNPRICED = {
    CONTACTS: "no tariff prices {share:.1%} of the outbound contacts: what the work cost is unknown",
    OFFICERS: "no tariff prices {share:.1%} of the officers' time: what the work cost is unknown",
    COMMISSION: "no tariff prices {share:.1%} of the cash that agencies held: what it cost is unknown",
}
NO_CASH = "no outcome at this horizon is an amount of money: there is nothing to set a cost against"
NO_COST = "a supplied cohort has no contacts to price: declare `cost`, the dose or money outcome that holds what each subject cost"
COST_MISSING = "{missing} subjects have no {cost}: their cost is unknown, not nothing"


@dataclass(frozen=True, kw_only=True)
class NetValue:
    """Cash, cost and what is left per subject, as sums by arm (`experiments.arm_means` reads them).

    `sums`: outcomes cash, contact_cost, officer_cost, work_cost (both), commission_cost (those that occur), cost, net_value, all in minor units within
    `horizon_days` of assignment. `unpriced`: part -> share of that work without a price. Where money cannot be told, `sums` is empty and
    `reason` says why.
    """

    horizon_days: int
    sums: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*KEYS, "arm", *SUMS, "note"]))
    unpriced: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


def net_value(book: Book, cohort: Cohort, arms: Sequence[str], *, horizon_days: int, cost: str = "") -> NetValue:
    """What did each subject bring, cost and leave from the day of assignment to the horizon?

    Cost of a subject of the book: every outbound contact at the price of its channel; the officer's time on every contact (waiting before
    it, talking, after-call work) at the price of a minute in the officer's role; commission, and the tax on it, of cash that came in while an
    agency held the account; every price is the one valid on the day. Paid time that no contact took (breaks, training) belongs to no subject
    and is left out. `cost` names a dose or a money outcome that holds the cost instead: a supplied cohort has no contacts.
    Undefined, with a reason: no contacts, no tariff, more than 5 % of the work without a price, no cash, no declared cost, a cost missing.

    Raises
    ------
    DataError
        The cohort has no dose or money outcome named `cost`.
    """
    amount = _cash_outcome(cohort, horizon_days, cost)
    if amount is None:
        return NetValue(horizon_days=horizon_days, reason=NO_CASH)
    if cost:
        return _declared(book, cohort, arms, amount, cost)
    if cohort.supplied:
        return NetValue(horizon_days=horizon_days, reason=NO_COST)
    if not book.has("contact"):
        return NetValue(horizon_days=horizon_days, reason=NO_CONTACTS)
    if not book.has("tariff"):
        return NetValue(horizon_days=horizon_days, reason=NO_TARIFF)
    return _from_tariffs(book, cohort, arms, amount)


def _cash_outcome(cohort: Cohort, horizon_days: int, cost: str) -> Outcome | None:
    """Cash at the horizon: the book's, else the supplied money outcome that is not the cost."""
    money = [item for item in cohort.outcomes if item.unit == "minor" and item.name != cost and item.horizon_days == horizon_days]
    return next((item for item in money if item.name == AMOUNT), money[0] if money else None)


def _declared(book: Book, cohort: Cohort, arms: Sequence[str], amount: Outcome, cost: str) -> NetValue:
    doses = {item.name: item.column for item in cohort.doses}
    money = {item.name: item.column for item in cohort.outcomes if item.unit == "minor" and item.horizon_days == amount.horizon_days}
    known = {**doses, **money}
    if cost not in known:
        raise DataError(
            f"experiment '{cohort.experiment_id}' has no dose or money outcome '{cost}' to read a cost from; it has "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    table = subjects_of(cohort, arms)
    missing = int(str(book.scalar(table[known[cost]].isnull().sum()) or 0))
    if missing:
        return NetValue(horizon_days=amount.horizon_days, reason=COST_MISSING.format(missing=missing, cost=cost))
    spent = table[known[cost]].round().cast("int64")
    table = table.mutate(**{f"net__{CASH}": table[amount.column].cast("int64"), f"net__{COST}": spent})
    return NetValue(horizon_days=amount.horizon_days, sums=_sums(book, cohort, table, arms, amount.horizon_days, parts=()))


def _from_tariffs(book: Book, cohort: Cohort, arms: Sequence[str], amount: Outcome) -> NetValue:
    days = amount.horizon_days
    subjects = subjects_of(cohort, arms)
    who = subjects.select("subject_key", "cluster_key", "arm", "assigned_on")
    work, paid = _priced_work(book, who, days), _charged_cash(book, who, days)
    with book.materialized(work) as worked, book.materialized(paid) as charged:
        unpriced = _unpriced(book, worked, charged)
        lacking = {part: share for part, share in unpriced.items() if share > MOST_UNPRICED}
        if lacking:
            part = max(lacking, key=lambda name: lacking[name])
            reason = UNPRICED[part].format(share=lacking[part])
            return NetValue(horizon_days=days, reason=reason, unpriced=unpriced)
        spent = worked.group_by("subject_key").aggregate(
            **{CONTACTS: ibis._.contact_minor.sum().cast("int64"), OFFICERS: (ibis._.officer_times_60.sum() / 60).round().cast("int64")}
        )
        fees = charged.group_by("account_key").aggregate(**{COMMISSION: ibis._.cost_minor.sum().cast("int64")})
        table = subjects.left_join(spent, "subject_key").drop("subject_key_right")
        table = table.left_join(fees, table["subject_key"] == fees["account_key"])
        costs = {f"net__{part}": table[part].fill_null(0) for part in PARTS}
        table = table.mutate(**costs, **{f"net__{CASH}": table[amount.column]})
        table = table.mutate(**{f"net__{WORK}": table[f"net__{CONTACTS}"] + table[f"net__{OFFICERS}"]})
        table = table.mutate(**{f"net__{COST}": table[f"net__{WORK}"] + table[f"net__{COMMISSION}"]})
        sums = _sums(book, cohort, table, arms, days, parts=(CONTACTS, OFFICERS, WORK, COMMISSION))
    return NetValue(horizon_days=days, sums=sums, unpriced=unpriced)


def _sums(book: Book, cohort: Cohort, table: ir.Table, arms: Sequence[str], days: int, *, parts: Sequence[str]) -> pd.DataFrame:
    """Sums of cash, cost parts that occur, cost and net; net is the subject's own difference, so that its interval counts how both move."""
    table = table.mutate(**{f"net__{NET}": (table[f"net__{CASH}"] - table[f"net__{COST}"]).cast("int64")})
    named = [Outcome(name=name, column=f"net__{name}", unit="minor", horizon_days=days) for name in (CASH, *parts, COST, NET)]
    sums = arm_sums(book, replace(cohort, table=table), arms, named)
    nothing = [part for part in parts if not sums.loc[sums["outcome"] == part, "sum_y2"].any()]
    return sums[~sums["outcome"].isin(nothing)].reset_index(drop=True)


def _priced_work(book: Book, who: ir.Table, days: int) -> ir.Table:
    """Every contact of a subject within the horizon with its price.

    Columns: subject_key, out (outbound), contact_priced, contact_minor, seconds (of an officer), officer_priced, officer_times_60
    (their price).
    """
    contact = book.table("contact").select(
        "account_key",
        "local_ts",
        "direction",
        "channel",
        "officer_key",
        seconds=ibis._.talk_s.fill_null(0) + ibis._.wait_s.fill_null(0) + ibis._.wrap_s.fill_null(0),
    )
    joined = who.inner_join(contact, who["subject_key"] == contact["account_key"])
    joined = joined.mutate(on_day=joined["local_ts"].date())
    since = joined["on_day"].delta(joined["assigned_on"], unit="day")
    joined = joined.filter(since >= 0, since <= days)
    event, minute = price_list(book, "channel_event"), price_list(book, "officer_minute")
    event = event.select(event_item="priced", since="since", before="before", event_price="price")
    minute = minute.select(minute_item="priced", since="since", before="before", minute_price="price")
    officer = book.table("officer").select(who_works="officer_key", role_from="valid_from", role_to="valid_to", role="role")
    keep = ["subject_key", "direction", "on_day", "officer_key", "seconds"]
    priced = joined.left_join(
        event, (joined["direction"] == "out") & (joined["channel"] == event["event_item"]) & valid_on(joined["on_day"], event)
    ).select(*keep, "event_price")
    in_role = (priced["officer_key"] == officer["who_works"]) & (officer["role_from"] <= priced["on_day"])
    in_role = in_role & (officer["role_to"].isnull() | (priced["on_day"] < officer["role_to"]))
    known = priced.left_join(officer, in_role).select(*keep, "event_price", "role")
    known = known.left_join(minute, (known["role"] == minute["minute_item"]) & valid_on(known["on_day"], minute))
    seconds = known["officer_key"].notnull().ifelse(known["seconds"], 0)
    return known.select(
        "subject_key",
        out=known["direction"] == "out",
        contact_priced=known["event_price"].notnull(),
        contact_minor=known["event_price"].fill_null(0),
        seconds=seconds,
        officer_priced=known["minute_price"].notnull(),
        # Price times seconds, whole: the sum is exact whatever the order of rows; minutes are taken afterwards.
        officer_times_60=(seconds * known["minute_price"].fill_null(0)).cast("int64"),
    )


def _charged_cash(book: Book, who: ir.Table, days: int) -> ir.Table:
    """Cash of the subjects within the horizon while on placement, with commission and tax (`costs.commission_on`)."""
    paid = paid_within(book, who, days)
    dated = paid.inner_join(who.select("subject_key", "assigned_on"), "subject_key")
    dated = dated.select(
        account_key=dated["subject_key"],
        value_date=dated["assigned_on"] + dated["day"].as_interval("D"),
        amount_minor=dated["amount_minor"],
    )
    return commission_on(book, dated, Directory.of(book, book.as_of).units, until=book.as_of)


def _unpriced(book: Book, work: ir.Table, charged: ir.Table) -> dict[str, float]:
    """Which share of outbound contacts, of officers' seconds and of cash with agencies has no price? 0 where there is none of it."""
    done = book.frame(
        work.aggregate(
            contacts=work["out"].sum().fill_null(0),
            contacts_free=(work["out"] & ~work["contact_priced"]).sum().fill_null(0),
            seconds=work["seconds"].sum().fill_null(0),
            seconds_free=work["seconds"].sum(where=~work["officer_priced"]).fill_null(0),
        )
    ).iloc[0]
    money = charged.filter(charged["chargeable"])
    cash = book.frame(
        money.aggregate(all=money["amount_minor"].sum().fill_null(0), free=money["amount_minor"].sum(where=~money["priced"]).fill_null(0))
    ).iloc[0]
    pairs = {CONTACTS: ("contacts_free", "contacts"), OFFICERS: ("seconds_free", "seconds")}
    shares = {part: float(done[free]) / float(done[whole]) if done[whole] else 0.0 for part, (free, whole) in pairs.items()}
    return {**shares, COMMISSION: float(cash["free"]) / float(cash["all"]) if cash["all"] else 0.0}
