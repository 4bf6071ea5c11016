"""Table `contact`: attempts by channel, what became of them, and the doses of the experiments."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from collect_analysis.book.sample import files
from collect_analysis.book.sample.assigning import CHALLENGER, CHAMPION, MINUTES, PAYER, TIMING, Assignments
from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.history import MonthWork
from collect_analysis.book.sample.placing import CHERRY
from collect_analysis.book.sample.plants import EXPERIMENTS
from collect_analysis.book.sample.workforce import FIRST_AGENCY, FIRST_FIELD, UNIT_KIND, UNITS
from collect_analysis.book.tables.work import CHANNELS, PARTIES, RESULTS

CALL, VOICEBOT, SMS, APP, EMAIL, LETTER, VISIT = range(7)
ANSWERED, NO_ANSWER, BUSY, VOICEMAIL, INVALID, ABANDONED, NO_AGENT, DELIVERED, FAILED, MET, NOT_MET = range(11)
DEBTOR, GUARANTOR, RELATIVE, THIRD_PARTY, UNKNOWN, NONE = range(6)
# Attempts a month by channel, for current accounts, early overdue, tele, field, legal, agency.
INTENSITY = np.array(
    [
        [0.0, 0.0, 0.1, 0.15, 0.0, 0.0, 0.0],
        [0.55, 0.5, 0.9, 0.35, 0.2, 0.0, 0.0],
        [1.28, 0.12, 0.25, 0.0, 0.0, 0.0, 0.0],
        [0.45, 0.0, 0.1, 0.0, 0.0, 0.03, 0.25],
        [0.2, 0.0, 0.0, 0.0, 0.0, 0.3, 0.0],
        [1.05, 0.0, 0.2, 0.0, 0.0, 0.0, 0.03],
    ]
)
CHERRY_TOP_CALLS, CHERRY_OTHER_CALLS = 8.0, 0.1
RULE_VISITS = 1.2
EXTRA_SMS_A_MONTH, EXTRA_SMS_DAYS = 0.45, 90
EXTRA_EARLY_CALLS_A_MONTH, EXTRA_EARLY_DAYS = 0.6, 30
INBOUND_A_MONTH = 0.03
# Chance that a call reaches the debtor, by stage; the evening is better than the morning.
REACH = np.array([0.0, 0.19, 0.14, 0.125, 0.11, 0.095, 0.09, 0.085])
HOURS = np.arange(8, 20)
HOUR_SHARE = np.array([7, 10, 11, 8, 5, 7, 9, 10, 9, 9, 8, 7]) / 100
HOUR_REACH = np.array([0.8, 0.85, 0.9, 0.95, 0.9, 0.9, 0.95, 1.0, 1.05, 1.25, 1.35, 1.3])
BY_PERSON = (CALL, VISIT)
FIELDS = {
    "account": np.int32, "day": np.int32, "second": np.int32, "channel": np.int8, "result": np.int8, "party": np.int8, "verified": bool,
    "talk": np.int16, "wait": np.int16, "wrap": np.int16, "unit": np.int8, "officer": np.int16, "inbound": bool, "fixed": bool,
    "promise": np.int32,
}  # fmt: skip


@dataclass
class Contacts:
    """Contact rows as arrays. `fixed` rows must stay; `promise` is the promise a row brought (-1: none); talk, wait, wrap -1: none."""

    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        """Number of contacts."""
        return len(self.columns["account"])

    def __getitem__(self, name: str) -> np.ndarray:
        """One column."""
        return self.columns[name]

    def taken(self, index: np.ndarray) -> "Contacts":
        """These rows."""
        return Contacts({name: values[index] for name, values in self.columns.items()})


def contacts(count: int, **given: np.ndarray | int | bool) -> Contacts:
    """Rows from the given columns; the others stand for an outbound call nobody answered."""
    plain: dict[str, np.ndarray | int | bool] = {
        "channel": CALL, "result": NO_ANSWER, "party": NONE, "verified": False, "talk": -1, "wait": -1, "wrap": -1, "officer": -1,
        "inbound": False, "fixed": False, "promise": -1,
    }  # fmt: skip
    filled = plain | given
    return Contacts({name: np.broadcast_to(np.asarray(filled[name], dtype=kind), (count,)).copy() for name, kind in FIELDS.items()})


def officer_seconds(rows: Contacts) -> np.ndarray:
    """Seconds each contact took of an officer: talk and wrap."""
    return np.maximum(rows["talk"], 0).astype(np.int64) + np.maximum(rows["wrap"], 0)


def joined(parts: list[Contacts]) -> Contacts:
    """All parts, one after the other; the parts are emptied on the way to spare memory."""
    out = {}
    for name in FIELDS:
        out[name] = np.concatenate([part.columns.pop(name) for part in parts])
    return Contacts(out)


class ContactMaker:
    """Makes the contacts of one month after the other."""

    def __init__(self, span: Span, assignments: Assignments, visit_month: np.ndarray, luck: np.ndarray, rng: np.random.Generator) -> None:
        self.span, self.assignments, self.visit_month, self.luck, self.rng = span, assignments, visit_month, luck, rng

    def month(self, work: MonthWork) -> Contacts:
        """Attempts and inbound contacts of a month."""
        kind = UNIT_KIND[work.unit]
        row = np.where((kind == 0) & (work.stage == 0), 0, kind + 1)
        parts = [self._attempts(work, channel, self._rate(work, row, channel), work.since, work.until) for channel in range(len(CHANNELS))]
        visited = self.visit_month[work.account] == work.month
        parts.append(self._attempts(work, VISIT, RULE_VISITS * visited, work.since, work.until, field=True))
        parts += self._extra(work, SMS, PAYER, EXTRA_SMS_A_MONTH, EXTRA_SMS_DAYS)
        parts += self._extra(work, CALL, TIMING, EXTRA_EARLY_CALLS_A_MONTH, EXTRA_EARLY_DAYS)
        parts.append(self._inbound(work))
        return joined(parts)

    def more_minutes(self, rows: Contacts) -> Contacts:
        """Second calls of the same day to challengers of exp-minutes, until they take the planned share more of the officers' minutes."""
        account, experiment, arm = rows["account"], self.assignments.experiment, self.assignments.arm
        inside = (experiment[account] == MINUTES) & (rows["officer"] >= 0)
        inside &= rows["day"] <= self.assignments.day[account] + EXPERIMENTS[MINUTES].horizon_days
        calls = inside & (arm[account] == CHALLENGER) & (rows["channel"] == CALL) & ~rows["inbound"]
        seconds, accounts = officer_seconds(rows), np.bincount(arm[experiment == MINUTES], minlength=2)
        champion = seconds[inside & (arm[account] == CHAMPION)].sum() / accounts[CHAMPION]
        challenger = seconds[inside & (arm[account] == CHALLENGER)].sum() / accounts[CHALLENGER]
        missing = (1 + EXPERIMENTS[MINUTES].minutes_effect) * champion - challenger
        share = missing * accounts[CHALLENGER] / seconds[calls].sum()
        again = rows.taken(np.flatnonzero(calls & (self.rng.random(len(rows)) < share)))
        again.columns["second"] = (self.rng.choice(HOURS, len(again)) * 3600 + self.rng.integers(0, 3600, len(again))).astype(np.int32)
        again.columns["promise"][:] = -1
        again.columns["fixed"][:] = False
        return again

    def _rate(self, work: MonthWork, row: np.ndarray, channel: int) -> np.ndarray:
        rate = INTENSITY[row, channel]
        if channel == CALL:
            cherry = np.where(work.top, CHERRY_TOP_CALLS, CHERRY_OTHER_CALLS)
            rate = np.where(work.unit == FIRST_AGENCY + CHERRY, cherry, rate)
        return rate

    def _extra(self, work: MonthWork, channel: int, experiment: int, rate: float, last_days: int) -> list[Contacts]:
        start = self.assignments.day[work.account]
        challenger = (self.assignments.experiment[work.account] == experiment) & (self.assignments.arm[work.account] == CHALLENGER)
        since, until = np.maximum(work.since, start), np.minimum(work.until, start + last_days - 1)
        if not (challenger & (since <= until)).any():
            return []
        days = np.maximum(until - since + 1, 0)
        return [self._attempts(work, channel, rate * challenger * days / 30, since, until, share=False)]

    def _attempts(
        self,
        work: MonthWork,
        channel: int,
        rate: np.ndarray,
        since: np.ndarray,
        until: np.ndarray,
        *,
        field: bool = False,
        share: bool = True,
    ) -> Contacts:
        length = int(self.span.last[work.month] - self.span.first[work.month]) + 1
        shown = np.clip((until - since + 1) / length, 0, 1) if share else 1.0
        row = np.repeat(np.arange(len(work.account)), self.rng.poisson(rate * shown))
        day = self.span.draw(self.span.work_weight, since[row], until[row], self.rng.random(len(row)))
        row, day = row[day >= 0], day[day >= 0]
        hour = self.rng.choice(len(HOURS), len(row), p=HOUR_SHARE)
        second = HOURS[hour] * 3600 + self.rng.integers(0, 3600, len(row))
        unit = work.unit[row]
        officer = np.where(np.isin(channel, BY_PERSON), work.officer[row], -1)
        if field:
            unit, officer = FIRST_FIELD + (self.luck[work.account[row], 2] * 3).astype(np.int8), np.full(len(row), -1)
        base: dict[str, Any] = {
            "account": work.account[row],
            "day": day,
            "second": second,
            "channel": channel,
            "unit": unit,
            "officer": officer,
        }
        return contacts(len(row), **base, **self._outcome(channel, work.stage[row], hour))

    def _outcome(self, channel: int, stage: np.ndarray, hour: np.ndarray) -> dict[str, np.ndarray]:
        uniform = self.rng.random(len(stage))
        if channel == CALL:
            reach = REACH[stage] * HOUR_REACH[hour]
            steps = np.stack([reach, reach + 0.045, reach + 0.05 + 0.5 * (1 - reach), reach + 0.05 + 0.62 * (1 - reach)], axis=1)
            case = (uniform[:, None] >= steps).sum(axis=1)
            rest = self.rng.choice([VOICEMAIL, INVALID, ABANDONED, NO_AGENT], len(stage), p=[0.72, 0.25, 0.018, 0.012])
            result = np.where(case == 4, rest, np.array([ANSWERED, ANSWERED, NO_ANSWER, BUSY, 0])[case])
            return self._spoken(result, case == 0)
        if channel == VOICEBOT:
            case = np.digitize(uniform, (0.05, 0.16, 0.75))
            return self._spoken(np.array([ANSWERED, ANSWERED, NO_ANSWER, VOICEMAIL])[case], case == 0) | {"wrap": np.full(len(stage), -1)}
        if channel == VISIT:
            met = uniform < 0.34
            return {"result": np.where(met, MET, NOT_MET), "party": np.where(met, DEBTOR, NONE), "verified": met}
        return {"result": np.where(uniform < 0.94, DELIVERED, FAILED)}

    def _spoken(self, result: np.ndarray, right_party: np.ndarray) -> dict[str, np.ndarray]:
        count = len(result)
        talk = np.where(
            right_party, np.exp(self.rng.normal(5.1, 0.5, count)), np.where(result == ANSWERED, self.rng.integers(5, 30, count), 0)
        )
        liable = np.where(self.rng.random(count) < 0.03, GUARANTOR, DEBTOR)
        return {
            "result": result,
            "party": np.where(right_party, liable, np.where(result == ANSWERED, UNKNOWN, NONE)),
            "verified": right_party,
            "talk": np.clip(talk, 0, 1800),
            "wait": self.rng.integers(10, 90, count),
            "wrap": np.where(result == ANSWERED, self.rng.integers(25, 70, count), self.rng.integers(8, 20, count)),
        }

    def _inbound(self, work: MonthWork) -> Contacts:
        rate = INBOUND_A_MONTH * (work.stage > 0) * np.where(UNIT_KIND[work.unit] == 4, 0.3, 1.0)
        found = self._attempts(work, CALL, rate, work.since, work.until)
        known = self.rng.random(len(found)) < 0.85
        found.columns |= {name: values.astype(FIELDS[name]) for name, values in self._spoken(np.full(len(found), ANSWERED), known).items()}
        found.columns["inbound"][:] = True
        return found

    def promised(self, account: np.ndarray, day: np.ndarray, unit: np.ndarray, officer: np.ndarray, promise: np.ndarray) -> Contacts:
        """The calls in which promises were made."""
        count = len(account)
        hour = self.rng.choice(len(HOURS), count, p=HOUR_SHARE)
        spoken = self._spoken(np.full(count, ANSWERED), np.ones(count, dtype=bool))
        second = HOURS[hour] * 3600 + self.rng.integers(0, 3600, count)
        return contacts(count, account=account, day=day, second=second, unit=unit, officer=officer, promise=promise, fixed=True, **spoken)


def contact_columns(
    rows: Contacts, customer: np.ndarray, accounts: object, customers: object, officers: object, shift_s: np.ndarray
) -> dict[str, object]:
    """Table `contact` of rows in order; `shift_s` is what the local clock was wrong by."""
    count = len(rows)
    local = rows["day"].astype(np.int64) * 86_400 + rows["second"] + shift_s
    spoken = rows["talk"] >= 0
    by_agency = UNIT_KIND[rows["unit"]] == 4
    odd = (rows["account"].astype(np.int64) * 7 + rows["second"]) % 10
    point = rows["account"].astype(np.int64) * 2 + (odd >= 8)
    message = np.isin(rows["channel"], (SMS, APP, EMAIL, LETTER))
    points = files.serials("cp-", 2 * len(customer), width=8)
    return {
        "event_key": files.serials("evt-", count, width=9),
        "account_key": files.pick(accounts, rows["account"]),
        "customer_key": files.pick(customers, customer[rows["account"]]),
        "ts_utc": files.seconds(local - shift_s - 7 * 3600),
        "local_ts": files.seconds(local),
        "direction": files.pick(("out", "in"), rows["inbound"]),
        "channel": files.pick(CHANNELS, rows["channel"]),
        "result": files.pick(RESULTS, rows["result"]),
        "party_role": files.pick(PARTIES, rows["party"]),
        "verified": files.flags(rows["verified"]),
        "talk_s": files.whole(rows["talk"], empty=~spoken),
        "wait_s": files.whole(rows["wait"], empty=rows["wait"] < 0),
        "wrap_s": files.whole(rows["wrap"], empty=rows["wrap"] < 0),
        "unit_key": files.pick(UNITS, rows["unit"]),
        "officer_key": files.pick(officers, rows["officer"]),
        "campaign": files.pick(tuple(f"list-{key}" for key in UNITS), rows["unit"]),
        "contact_point_hash": files.pick(points, np.where(rows["channel"] == APP, -1, point)),
        "template": files.pick(("reminder", "statement", "offer"), np.where(message, odd % 3, -1)),
        "geo_ok": files.flags(odd != 3, empty=rows["channel"] != VISIT),
        "verified_log": files.flags(~by_agency | (odd >= 3)),
    }
