"""Is the record of activity complete and true: what an honest record never shows, and what it shows more often than chance.

Every type of finding is counted where the data live, per unit and officer, beside the records it was looked for in (`trials`) and what is to
be expected. `RULE` types are never right in a true and complete record: 0 is expected. `CHANCE` types come up by themselves now and then:
what is expected is stated by a model of the record (times of an officer's day without regard to each other; even digits of a clock).
`PEERS` types have no such model: expected is the company's share.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.engine import compensated_sum
from collect_analysis.book.presence import absent
from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.conduct import LegalLimits, judged_contacts
from collect_analysis.measures.contact import is_right_party
from collect_analysis.measures.periods import Period
from collect_analysis.measures.scopes import UNASSIGNED, count_of, within

Kind = Literal["rule", "chance", "peers"]
# Types in the order a page tells them, with the kind of what is expected of each.
CONTACT_TYPES: dict[str, Kind] = {
    "clock": "rule",
    "after_hours": "rule",
    "hour_edge": "chance",
    "overlap": "chance",
    "wrap_gap": "chance",
    "same_second": "chance",
    "visit_pair": "chance",
    "position_off": "peers",
    "short_rpc": "rule",
    "round_start": "chance",
    "round_talk": "chance",
}
TYPES: dict[str, Kind] = {
    **CONTACT_TYPES,
    "promise_without_rpc": "rule",
    "day_without_sheets": "rule",
    "event_while_absent": "rule",
    "present_without_event": "rule",
    "minutes_unbacked": "rule",
    "minutes_unlogged": "rule",
}
DAY_TYPES = ("day_without_sheets", "event_while_absent", "present_without_event", "minutes_unbacked", "minutes_unlogged")
KEYS = ("unit_key", "officer_key")
COLUMNS = ("type", *KEYS, "observed", "trials", "expected", "money_minor")
# A talk of a minute and more ends on a half minute once in 30 if nobody rounds.
_TALK_FROM, _TALK_STEP = 60, 30
_DAY, _EPOCH = 86_400, date(2000, 1, 1)
_BY_PERSON = ("call", "visit")
NO_POSITION = "the book carries no positions to compare"


@dataclass(frozen=True, kw_only=True)
class AuditRules:
    """From when on a record is odd: a right-party call shorter than `short_rpc_s`; two addresses visited within `visit_gap_min` minutes;
    minutes of a day's sheet that differ from its calls by more than `tolerance_min`. `money_days`: cash that many days after a record may
    be credited to it.
    """

    short_rpc_s: int = 10
    visit_gap_min: int = 5
    tolerance_min: int = 5
    money_days: int = 14


def seconds_of(moment: ir.TimestampColumn) -> ir.IntegerValue:
    """Whole seconds of a wall clock since 2000-01-01, the same on every engine."""
    days = moment.date().delta(ibis.literal(_EPOCH), unit="day")
    return (days * _DAY + moment.hour() * 3600 + moment.minute() * 60 + moment.second()).cast("int64")


def shortfalls(book: Book, period: Period) -> dict[str, str]:
    """Types that this book cannot be asked of the period, with the reason; `duplicate_position` always: the book carries no position.

    What one record shows stands though a month of it was not delivered; what two records say against each other needs all months of both.
    """
    why = dict.fromkeys(CONTACT_TYPES, absent(book, ("contact",)))
    why["promise_without_rpc"] = absent(book, ("promise", "contact"), period.month_starts)
    why |= dict.fromkeys(DAY_TYPES, absent(book, ("unit_day", "contact"), period.month_starts))
    return {**{name: reason for name, reason in why.items() if reason}, "duplicate_position": NO_POSITION}


@contextmanager
def audited(
    book: Book, period: Period, rules: AuditRules, limits: Sequence[LegalLimits], *, units: Sequence[str] = ()
) -> Iterator["Audit"]:
    """The log of the period with what each record is suspected of, kept where the data live while the block runs.

    Tests of times look at what officers recorded; of `units` that name no officer (agencies) they look at the unit as one.
    """
    with ExitStack() as kept:
        log = kept.enter_context(book.materialized(_log(book, period, units)))
        own = log.filter(log.mine)
        shares = book.frame(own.group_by(hour=own.local_ts.hour()).agg(n=own.count()))
        hours = dict.fromkeys(range(24), 0.0)
        hours |= {int(hour): int(n) / int(shares["n"].sum()) for hour, n in zip(shares["hour"], shares["n"], strict=True)}
        marked = kept.enter_context(book.materialized(_marked(book, log, period, rules, limits, hours)))
        yield Audit(book=book, period=period, rules=rules, log=marked)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """An open audit: `log` holds the contacts of the period with a flag, a trial and an expectation per type of `CONTACT_TYPES`."""

    book: Book
    period: Period
    rules: AuditRules
    log: ir.Table

    def findings(self) -> pd.DataFrame:
        """What was found of each type, by unit and officer?

        Columns: type, unit_key, officer_key (`unassigned` where nobody is named), observed, trials, expected, money_minor (promised amounts
        for promises, minutes at their price for day sheets, else cash of the accounts within `money_days` after the record, each payment once
        per type; NaN where the payments of the period are absent). Units and officers without a trial have no row. Sorted by type as in `TYPES`, unit, officer.
        """
        from collect_analysis.measures import day_sheets

        unasked = shortfalls(self.book, self.period)
        parts = [] if "clock" in unasked else [self._of_contacts()]
        parts += [] if "promise_without_rpc" in unasked else [self._of_promises()]
        parts += [] if DAY_TYPES[0] in unasked else [day_sheets.findings(self.book, self.period, self.log, self.rules)]
        table = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=list(COLUMNS))], ignore_index=True)
        company = table.groupby("type")[["observed", "trials"]].transform("sum")
        peers = table["type"].map(TYPES) == "peers"
        table["expected"] = table["expected"].astype(float).mask(peers, table["trials"] * company["observed"] / company["trials"])
        place = table["type"].map({name: place for place, name in enumerate(TYPES)})
        ordered = table.assign(place=place).sort_values(["place", *KEYS], ignore_index=True)
        return ordered[list(COLUMNS)]

    def _of_contacts(self) -> pd.DataFrame:
        log, sums = self.log, {}
        for name in CONTACT_TYPES:
            sums[f"{name}.observed"] = count_of(log[f"is_{name}"])
            sums[f"{name}.trials"] = count_of(log[f"may_{name}"])
            sums[f"{name}.expected"] = compensated_sum(log[f"by_chance_{name}"])
        wide = self.book.frame(log.group_by(*KEYS).agg(**sums))
        parts = [
            wide[list(KEYS)].assign(type=name, **{part: wide[f"{name}.{part}"] for part in ("observed", "trials", "expected")})
            for name in CONTACT_TYPES
        ]
        table = pd.concat(parts, ignore_index=True)
        table = table[table["trials"] > 0]
        if absent(self.book, ("payment",), self.period.month_starts):
            return table.assign(money_minor=float("nan"))
        money = self.book.frame(self._money())
        return table.merge(money, on=["type", *KEYS], how="left").fillna({"money_minor": 0})

    def _money(self) -> ir.Table:
        """Cash after the records found, each payment once per type, for the last record before it."""
        records = ibis.union(
            *[
                self.log.filter(self.log[f"is_{name}"]).select(
                    *KEYS, "event_key", "account_key", type=ibis.literal(name), day=lambda rows: rows.local_ts.date()
                )
                for name in CONTACT_TYPES
            ]
        )
        records = records.mutate(until=(records.day + ibis.interval(days=self.rules.money_days)).cast("date"))
        paid = payments(self.book).select("payment_key", "amount_minor", "value_date", on_account="account_key")
        pairs = records.inner_join(
            paid, [records.account_key == paid.on_account, paid.value_date >= records.day, paid.value_date <= records.until]
        )
        last = ibis.row_number().over(group_by=[pairs.type, pairs.payment_key], order_by=[pairs.day.desc(), pairs.event_key.desc()])
        chosen = pairs.mutate(place=last).filter(lambda rows: rows.place == 0)
        return chosen.group_by("type", *KEYS).agg(money_minor=chosen.amount_minor.sum().cast("int64"))

    def _of_promises(self) -> pd.DataFrame:
        """Promises on a day on which nobody reached the right party on the account."""
        promise, log = self.book.table("promise"), self.log
        made = promise.filter(within(promise.made_ts, self.period.start, self.period.end)).mutate(day=promise.made_ts.date())
        met = log.filter(log.right_party).select(met_account="account_key", met_day=log.local_ts.date()).distinct()
        joined = made.left_join(met, [made.account_key == met.met_account, made.day == met.met_day])
        alone = joined.met_account.isnull()
        rows = joined.select(**_named(joined), alone=alone, amount_minor=ibis.ifelse(alone, joined.amount_minor, 0))
        sums = rows.group_by(*KEYS).agg(
            observed=count_of(rows.alone), trials=rows.count(), money_minor=rows.amount_minor.sum().cast("int64")
        )
        return self.book.frame(sums).assign(type="promise_without_rpc", expected=0.0)

    def clock_days(self) -> pd.DataFrame:
        """On which unit's days was the local clock not that of the debtor's zone?

        Columns: unit_key, day, contacts (of the unit that day), wrong, minutes_off (mean, local ahead of the zone). Sorted by unit, day; only days
        with a wrong one.
        """
        log = self.log.mutate(day=self.log.local_ts.date())
        off = ibis.ifelse(log.is_clock, log.clock_off, 0)
        days = (
            log.mutate(off=off)
            .group_by("unit_key", "day")
            .agg(contacts=count_of(log.may_clock), wrong=count_of(log.is_clock), off=lambda rows: rows.off.sum().cast("int64"))
        )
        frame = self.book.frame(days.filter(days.wrong > 0)).sort_values(["unit_key", "day"], ignore_index=True)
        frame["minutes_off"] = frame["off"] / frame["wrong"] / 60
        return frame[["unit_key", "day", "contacts", "wrong", "minutes_off"]]

    def digits(self) -> pd.DataFrame:
        """How often does each last digit stand in what officers' records say?

        Columns: what (second: of the start; minute: of the start; talk: seconds of talks of a minute and more), digit (0-9), observed. Sorted.
        """
        own = self.log.filter(self.log.mine)
        talks = own.filter(own.talk_s >= _TALK_FROM)
        seen = {
            "second": own.select(digit=own.local_ts.second() % 10),
            "minute": own.select(digit=own.local_ts.minute() % 10),
            "talk": talks.select(digit=talks.talk_s % 10),
        }
        parts = [
            self.book.frame(rows.group_by(digit=rows.digit.cast("int64")).agg(observed=rows.count())).assign(what=what)
            for what, rows in seen.items()
        ]
        every = pd.MultiIndex.from_product([seen, range(10)], names=["what", "digit"])
        counted = pd.concat(parts, ignore_index=True).set_index(["what", "digit"])["observed"]
        return counted.reindex(every, fill_value=0).astype("int64").reset_index()


def _named(rows: ir.Table) -> dict[str, ir.StringValue]:
    return {name: ibis.coalesce(rows[name], UNASSIGNED) for name in KEYS}


def _log(book: Book, period: Period, units: Sequence[str]) -> ir.Table:
    """The contacts of the period with the columns an audit reads; `mine`: a call or visit of `actor`, an officer or one of `units`."""
    contact, account = book.table("contact"), book.table("account")
    rows = contact.filter(within(contact.local_ts, period.start, period.end))
    zones = account.select(on_account="account_key", zone="tz")
    rows = rows.left_join(zones, [("account_key", "on_account")])
    whole = rows.unit_key.isin(list(units)) if units else ibis.literal(False)
    actor = ibis.coalesce(rows.officer_key, ibis.ifelse(whole, rows.unit_key, ibis.null("string")))
    mine = actor.notnull() & rows.channel.isin(_BY_PERSON)
    return rows.select(
        "event_key", "account_key", "ts_utc", "local_ts", "direction", "channel", "talk_s", "contact_point_hash", "zone",
        **_named(rows),
        right_party=is_right_party(rows),
        wrap_s=rows.wrap_s.fill_null(0),
        geo_ok=rows.geo_ok,
        mine=mine,
        actor=actor,
        seconds_off=seconds_of(rows.local_ts) - seconds_of(rows.ts_utc),
        at=seconds_of(rows.ts_utc),
    )  # fmt: skip


def zone_seconds(zones: Sequence[str], start: date, end: date) -> dict[str, list[tuple[date, date, tuple[int, ...]]]]:
    """What each zone's clock is ahead of UTC: (first day, last day, seconds); on a day it is changed both values are right."""
    found: dict[str, list[tuple[date, date, tuple[int, ...]]]] = {}
    for zone in zones:
        spans: list[tuple[date, date, tuple[int, ...]]] = []
        day = start
        while day <= end:
            moments = (datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone)) for hour in (0, 23))
            offsets = tuple(dict.fromkeys(int(moment.utcoffset().total_seconds()) for moment in moments))  # type: ignore[union-attr]
            if spans and spans[-1][2] == offsets:
                spans[-1] = (spans[-1][0], day, offsets)
            else:
                spans.append((day, day, offsets))
            day += timedelta(days=1)
        found[zone] = spans
    return found


def _clock(book: Book, log: ir.Table, period: Period) -> tuple[ir.BooleanValue, ir.IntegerValue]:
    """Whether local time differs from the zone's, and by how many seconds; where the zone is not known, from the commonest of the log."""
    counts = book.frame(log.group_by("zone", "seconds_off").agg(n=log.count()))
    if counts.empty:
        return ibis.literal(False), ibis.literal(0)
    usual = int(str(counts.groupby("seconds_off")["n"].sum().sort_index().idxmax()))
    day, zones = log.local_ts.date(), sorted(counts["zone"].dropna().unique())
    right, ahead = [], []
    for zone, spans in zone_seconds(zones, period.start, period.end).items():
        for first, last, seconds in spans:
            here = (log.zone == zone) & (day >= ibis.literal(first)) & (day <= ibis.literal(last))
            right.append((here, log.seconds_off.isin(list(seconds))))
            ahead.append((here, ibis.literal(seconds[0], "int64")))
    otherwise, commonest = log.seconds_off == usual, ibis.literal(usual, "int64")
    wrong = ~(ibis.cases(*right, else_=otherwise) if right else otherwise)
    return wrong, log.seconds_off - (ibis.cases(*ahead, else_=commonest) if ahead else commonest)


def _marked(
    book: Book, log: ir.Table, period: Period, rules: AuditRules, limits: Sequence[LegalLimits], hours: Mapping[int, float]
) -> ir.Table:
    """The log with `is_<type>` (found), `may_<type>` (looked for) and `by_chance_<type>` (expected of this record)."""
    wrong_clock, ahead = _clock(book, log, period)
    late = judged_contacts(book, period, limits).filter(lambda rows: rows.hours == 1).select(late_key="event_key") if limits else None
    rows = log.mutate(wrong_clock=wrong_clock, clock_off=ahead)
    if late is not None:
        rows = rows.left_join(late, [("event_key", "late_key")]).mutate(is_late=lambda joined: joined.late_key.notnull()).drop("late_key")
    else:
        rows = rows.mutate(is_late=ibis.literal(False))
    officer = ibis.window(group_by=[rows.actor, rows.mine], order_by=[rows.at, rows.event_key])
    visits = ibis.window(group_by=[rows.actor, rows.mine, rows.channel], order_by=[rows.at, rows.event_key])
    same_day = ibis.window(group_by=[rows.actor, rows.mine, rows.local_ts.date()])
    visit_day = ibis.window(group_by=[rows.actor, rows.mine, rows.channel, rows.local_ts.date()])
    second = ibis.window(group_by=[rows.actor, rows.mine, rows.at], order_by=rows.event_key)
    rows = rows.mutate(
        gap=rows.at.lead().over(officer) - rows.at,
        visit_gap=rows.at.lead().over(visits) - rows.at,
        elsewhere=rows.contact_point_hash.lead().over(visits) != rows.contact_point_hash,
        others=rows.event_key.count().over(same_day) - 1,
        other_visits=rows.event_key.count().over(visit_day) - 1,
        in_second=ibis.row_number().over(second),
        clock_s=rows.local_ts.hour() * 3600 + rows.local_ts.minute() * 60 + rows.local_ts.second(),
    )
    # How dense the starts of an officer's other contacts are at this hour, per second.
    dense = ibis.cases(*[(rows.local_ts.hour() == hour, share / 3600) for hour, share in sorted(hours.items())], else_=0.0)
    rows = rows.mutate(rate=dense * rows.others, visit_rate=dense * rows.other_visits, talked=rows.talk_s.fill_null(0))
    return rows.select(
        "event_key", "account_key", "local_ts", "channel", "talk_s", "wrap_s", "mine", "right_party", "direction", *KEYS,
        "clock_off", **_flags(rows, rules, limits),
    )  # fmt: skip


def _flags(rows: ir.Table, rules: AuditRules, limits: Sequence[LegalLimits]) -> dict[str, ir.Value]:
    gap, talked, whole = rows.gap, rows.talked, rows.talked + rows.wrap_s
    spoken = rows.mine & (rows.channel == "call") & (talked > 0)
    call, visit = rows.mine & (rows.channel == "call"), rows.mine & (rows.channel == "visit")
    visit_gap = rules.visit_gap_min * 60

    def meets(rate: ir.Value, seconds: ir.Value | float) -> ir.FloatingValue:
        """Chance that another contact of the day starts within so many seconds, if each has a time of its own."""
        return 1 - (-rate * seconds).exp()

    edges = sorted({item.hour * 3600 + item.minute * 60 + item.second for limit in limits for item in (limit.opens, limit.closes)})
    # As many as in any second of the hour that lies inside the limit.
    near = [edge for edge in edges if limits]
    out = rows.direction == "out"
    inside = ibis.literal(False)
    for edge in near:
        inside = inside | ((rows.clock_s > edge - 3600) & (rows.clock_s < edge + 3600))
    # Of contacts in one second the first is not the odd one: pairs count once.
    found: dict[str, tuple[ir.Value, ir.Value, ir.Value]] = {
        "clock": (rows.wrong_clock, ibis.literal(True), ibis.literal(0.0)),
        "after_hours": (rows.is_late, out, ibis.literal(0.0)),
        "hour_edge": (out & rows.clock_s.isin(near) if near else ibis.literal(False), out, ibis.ifelse(inside & out, 1 / 3600, 0.0)),
        "overlap": (spoken & (gap < talked), spoken, meets(rows.rate, talked)),
        "wrap_gap": (spoken & (gap >= talked) & (gap < whole), spoken, meets(rows.rate, whole) - meets(rows.rate, talked)),
        "same_second": (rows.mine & (rows.in_second > 0), rows.mine, meets(rows.rate, 1.0) / 2),
        "visit_pair": (
            visit & (rows.visit_gap < visit_gap) & rows.elsewhere.fill_null(True), visit, meets(rows.visit_rate, float(visit_gap))
        ),
        "position_off": (visit & ~rows.geo_ok.fill_null(True), visit & rows.geo_ok.notnull(), ibis.literal(0.0)),
        "short_rpc": (call & rows.right_party & (talked < rules.short_rpc_s), call & rows.right_party, ibis.literal(0.0)),
        "round_start": (rows.mine & (rows.clock_s % 60 == 0), rows.mine, ibis.literal(1 / 60)),
        "round_talk": (
            spoken & (talked >= _TALK_FROM) & (talked % _TALK_STEP == 0), spoken & (talked >= _TALK_FROM), ibis.literal(1 / _TALK_STEP)
        ),
    }  # fmt: skip
    columns: dict[str, ir.Value] = {}
    for name, (seen, trial, chance) in found.items():
        columns[f"is_{name}"] = seen.fill_null(False)
        columns[f"may_{name}"] = trial.fill_null(False)
        columns[f"by_chance_{name}"] = ibis.ifelse(trial.fill_null(False), chance, 0.0).cast("float64")
    return columns
