"""Promises to pay: made before payments that come, before payments that do not, twice for one payment, and out of thin air."""

from dataclasses import dataclass

import numpy as np

from collect_analysis.book.sample import files, paying
from collect_analysis.book.sample.history import History
from collect_analysis.book.sample.posting import Postings
from collect_analysis.book.sample.workforce import UNIT_KIND, UNITS

# Share of intended payments that were promised first, by kind of unit: soft, tele, field, legal, agency.
PROMISED_SHARE = np.array([0.22, 0.50, 0.45, 0.0, 0.48])
MADE_BEFORE = (1, 10)
OVERLAP_SHARE = 0.10
# Cases of the promised amount and day against the payment that is meant.
EXACT, LOWER, EDGE_KEPT, EDGE_MISSED, PART_ONLY, LAST_DAY, DAY_LATE = range(7)
CASE_SHARES = (0.30, 0.36, 0.06, 0.04, 0.12, 0.08, 0.04)
THRESHOLD_TENTHS, GRACE_DAYS = 9, 3
KEPT, PARTLY, BROKEN, NOT_DUE = range(4)
STATES = ("kept", "partly", "broken", "not_due")
REPORTED = ("open", "kept", "broken")


@dataclass
class Promises:
    """Promises; `event` is the row of the contact they came from once contacts are in order."""

    account: np.ndarray
    made_day: np.ndarray
    due: np.ndarray
    amount: np.ndarray
    unit: np.ndarray
    officer: np.ndarray

    def __len__(self) -> int:
        """Number of promises."""
        return len(self.account)

    def with_more(self, other: "Promises") -> "Promises":
        """Both sets, the own ones first."""
        names = self.__dataclass_fields__
        return Promises(**{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names})

    def taken(self, index: np.ndarray) -> "Promises":
        """These promises."""
        return Promises(**{name: getattr(self, name)[index] for name in self.__dataclass_fields__})


def promises_before_payments(history: History, end: int, rng: np.random.Generator) -> Promises:
    """Promises that precede payments which came or were held back; some debtors promise the same money twice."""
    chunks = [history.payments.joined(), history.held_back.joined()]
    meant = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in ("account", "day", "amount", "unit", "officer", "since")}
    count = len(meant["day"])
    made = np.maximum(meant["day"] - rng.integers(MADE_BEFORE[0], MADE_BEFORE[1] + 1, count), meant["since"])
    chosen = (rng.random(count) < PROMISED_SHARE[UNIT_KIND[meant["unit"]]]) & (made < meant["day"])
    meant = {name: values[chosen] for name, values in meant.items()}
    made = made[chosen]
    case = rng.choice(len(CASE_SHARES), len(made), p=CASE_SHARES)
    due = meant["day"] + rng.integers(-2, 5, len(made))
    due = np.where(case == LAST_DAY, meant["day"] - GRACE_DAYS, np.where(case == DAY_LATE, meant["day"] - GRACE_DAYS - 1, due))
    amount = meant["amount"]
    lower = (amount * rng.uniform(0.7, 1.0, len(made)) / paying.ROUND_MINOR).astype(np.int64) * paying.ROUND_MINOR
    more = (amount / rng.uniform(0.3, 0.8, len(made)) / paying.ROUND_MINOR).astype(np.int64) * paying.ROUND_MINOR
    edge = amount * 10 // THRESHOLD_TENTHS
    promised = np.choose(case, [amount, np.maximum(lower, paying.ROUND_MINOR), edge, edge + 1, more, amount, amount])
    first = Promises(meant["account"], made, np.maximum(due, made + 1), promised, meant["unit"], meant["officer"])
    room = np.flatnonzero((first.made_day + 1 < meant["day"]) & (rng.random(len(made)) < OVERLAP_SHARE))
    second = first.taken(room)
    second.made_day = second.made_day + 1
    second.due = np.maximum(second.due, second.made_day) + rng.integers(1, 4, len(room))
    return _out_of_the_open_days(first.with_more(second), end)


def promises_on_contacts(
    account: np.ndarray, day: np.ndarray, unit: np.ndarray, officer: np.ndarray, original: np.ndarray, end: int, rng: np.random.Generator
) -> Promises:
    """Promises on contacts without a payment in mind."""
    amount = (
        np.maximum(np.round(original * rng.uniform(0.03, 0.09, len(account)) / paying.ROUND_MINOR), 5).astype(np.int64) * paying.ROUND_MINOR
    )
    return _out_of_the_open_days(Promises(account, day, day + rng.integers(3, 11, len(account)), amount, unit, officer), end)


def _out_of_the_open_days(promises: Promises, end: int) -> Promises:
    # In the last days of the book a promise is due but its grace is not over; none is placed there, so that every count is final.
    unsettled = (promises.due > end - GRACE_DAYS) & (promises.due <= end)
    promises.due = np.where(unsettled, promises.due + GRACE_DAYS, promises.due)
    return promises


def judge(promises: Promises, made_s: np.ndarray, postings: Postings, end: int) -> tuple[np.ndarray, np.ndarray]:
    """State of each promise and what was paid for it, at most what was promised, by one plain pass over the payments.

    The payments of an account are taken in order of value date and row. Each goes, whole, to one promise: of those made on or before its
    day, due at the earliest 3 days before it and not paid in full, the first that is not kept (90 %) yet, else the first; first means
    earliest due, then made, then row. A promise whose grace ends after `end` is not due.
    """
    order = np.lexsort((np.arange(len(promises)), made_s, promises.due, promises.account))
    of_account: dict[int, list[int]] = {}
    for row, account in zip(order.tolist(), promises.account[order].tolist(), strict=True):
        of_account.setdefault(account, []).append(row)
    made, until, promised = promises.made_day.tolist(), (promises.due + GRACE_DAYS).tolist(), promises.amount.tolist()
    paid = [0] * len(promises)
    counts = np.flatnonzero(postings.counts)
    for account, day, amount in zip(
        *(values[counts].tolist() for values in (postings.account, postings.day, postings.amount)), strict=True
    ):
        waiting = [row for row in of_account.get(account, ()) if made[row] <= day <= until[row] and paid[row] < promised[row]]
        if waiting:
            unkept = [row for row in waiting if paid[row] * 10 < promised[row] * THRESHOLD_TENTHS]
            paid[(unkept or waiting)[0]] += amount
    got = np.array(paid, dtype=np.int64)
    kept = got * 10 >= promises.amount * THRESHOLD_TENTHS
    state = np.where(promises.due + GRACE_DAYS > end, NOT_DUE, np.where(kept, KEPT, np.where(got > 0, PARTLY, BROKEN))).astype(np.int8)
    return state, np.minimum(got, promises.amount)


def promise_columns(
    promises: Promises, made_s: np.ndarray, event: np.ndarray, state: np.ndarray, accounts: object, officers: object, events: object
) -> dict[str, object]:
    """Table `promise`. What the source system reports is only roughly right: it forgets partial payments."""
    count = len(promises)
    reported = np.select([state == NOT_DUE, state == BROKEN], [0, 2], 1)
    return {
        "promise_key": files.serials("ptp-", count, width=7),
        "account_key": files.pick(accounts, promises.account),
        "made_ts": files.seconds(made_s),
        "due_date": files.days(promises.due),
        "amount_minor": files.whole(promises.amount),
        "n_instalments": files.whole(np.ones(count)),
        "unit_key": files.pick(UNITS, promises.unit),
        "officer_key": files.pick(officers, promises.officer),
        "event_key": events.take(files.whole(event)),  # type: ignore[attr-defined]
        "status_as_reported": files.pick(REPORTED, reported),
    }
