"""Table `payment`: postings in one or two parts, postings that bounce, postings sent twice."""

from dataclasses import dataclass

import numpy as np

from collect_analysis.book.sample import files, paying
from collect_analysis.book.sample.assigning import TIMING, Assignments
from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.history import History
from collect_analysis.book.sample.plants import PLANTS
from collect_analysis.book.sample.workforce import FIRST_AGENCY

CHANNELS = ("bank_transfer", "auto_debit", "counter", "wallet", "agency_remittance")
TRANSFER, AUTO, COUNTER, WALLET, REMITTANCE = range(5)
SOURCES = ("transferor", "amc", "agency", "auto")
SPLIT_SHARE, SPLIT_GAP = 0.12, (3, 9)
UTC_OFFSET_S = 7 * 3600
GENUINE, BOUNCED, REVERSAL, DUPLICATE = range(4)


@dataclass
class Postings:
    """Postings in order of account and day; `origin` is the row a reversal or a duplicate refers to (its own row otherwise)."""

    account: np.ndarray
    day: np.ndarray
    amount: np.ndarray
    unit: np.ndarray
    officer: np.ndarray
    kind: np.ndarray
    origin: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Rows that are money: neither bounced, nor a reversal, nor a duplicate."""
        return self.kind == GENUINE


def make_postings(history: History, span: Span, assignments: Assignments, rng: np.random.Generator) -> Postings:
    """Split some payments, add those that bounce with their reversals, and send some twice."""
    paid = history.payments.joined()
    rows = {name: paid[name] for name in ("account", "day", "amount", "unit", "officer")}
    rows = _split(rows, paid["outcome"], span, assignments, rng)
    genuine = len(rows["account"])
    kind = np.full(genuine, GENUINE, dtype=np.int8)
    bounced, back_days = _bounced(history, rows, round(PLANTS.reversal_share * genuine), rng)
    back = {name: values.copy() for name, values in bounced.items()}
    back["day"], back["amount"] = back_days, -bounced["amount"]
    copied = rng.choice(genuine, round(PLANTS.duplicate_share * genuine), replace=False)
    again = {name: values[copied] for name, values in rows.items()}
    number = len(back_days)
    joined = {name: np.concatenate([rows[name], bounced[name], back[name], again[name]]) for name in rows}
    kind = np.concatenate(
        [kind, *(np.full(n, code, dtype=np.int8) for n, code in ((number, BOUNCED), (number, REVERSAL), (len(copied), DUPLICATE)))]
    )
    origin = np.concatenate([np.arange(genuine + number), genuine + np.arange(number), copied])
    order = np.lexsort((kind, joined["day"], joined["account"]))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return Postings(**{name: values[order] for name, values in joined.items()}, kind=kind[order], origin=place[origin[order]])


def _split(
    rows: dict[str, np.ndarray], outcome: np.ndarray, span: Span, assignments: Assignments, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    count = len(outcome)
    share, gap = rng.uniform(0.3, 0.7, count), rng.integers(SPLIT_GAP[0], SPLIT_GAP[1] + 1, count)
    second = np.round(rows["amount"] * share / paying.ROUND_MINOR).astype(np.int64) * paying.ROUND_MINOR
    first = rows["amount"] - second
    later = rows["day"] + gap
    fits = later <= span.last[span.month_of(rows["day"])]
    # No payment is cut in two by the day of an assignment or by the early days of exp-timing.
    fits &= ((rows["day"] >= assignments.stock_day) == (later >= assignments.stock_day)) & (
        assignments.experiment[rows["account"]] != TIMING
    )
    # Only payments that leave the debt open are paid in parts; an exit has one day.
    fits &= np.isin(outcome, (paying.PART, paying.HOLD)) & (np.minimum(first, second) >= paying.LEAST_MINOR)
    chosen = np.flatnonzero(fits & (rng.random(count) < SPLIT_SHARE))
    out = {name: np.concatenate([values, values[chosen]]) for name, values in rows.items()}
    out["amount"] = np.concatenate([rows["amount"], second[chosen]])
    out["amount"][chosen] = first[chosen]
    out["day"] = np.concatenate([rows["day"], later[chosen]])
    return out


def _bounced(
    history: History, rows: dict[str, np.ndarray], count: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Payments that are taken back within three days of the same month, so that no month end shows them."""
    amounts = rng.choice(rows["amount"], count)
    out: dict[str, list[int]] = {name: [] for name in ("account", "day", "amount", "unit", "officer")}
    back: list[int] = []
    while len(back) < count:
        work = history.work[rng.integers(len(history.work))]
        row = rng.integers(len(work.account))
        low, high = int(work.since[row]), int(work.until[row])
        if high - low < 1 or work.stage[row] == 0:
            continue
        day = int(rng.integers(low, high))
        out["account"].append(int(work.account[row]))
        out["day"].append(day)
        out["amount"].append(min(int(amounts[len(back)]), int(work.balance[row])))
        out["unit"].append(int(work.unit[row]))
        out["officer"].append(int(work.officer[row]))
        back.append(min(day + int(rng.integers(0, 4)), high))
    return {name: np.array(values, dtype=rows[name].dtype) for name, values in out.items()}, np.array(back, dtype=np.int64)


def payment_columns(postings: Postings, accounts: object, span: Span, late_day: int, rng: np.random.Generator) -> dict[str, object]:
    """Table `payment`. On the day of the late feed everything is posted a day later."""
    count = len(postings.account)
    draw = rng.random((3, count))
    origin = postings.origin
    channel = np.digitize(draw[0], (0.52, 0.64, 0.8))
    channel = np.where((postings.unit >= FIRST_AGENCY) & (draw[1] < 0.4), REMITTANCE, channel)[origin]
    source = np.select([channel == REMITTANCE, channel == AUTO], [2, 3], (draw[2] < 0.35).astype(int))[origin]
    posted = postings.day * 86_400 + (7 * 3600 + draw[1] * 14 * 3600).astype(np.int64)
    posted = np.where(postings.kind == DUPLICATE, posted[origin] + 60 + (draw[2] * 3000).astype(np.int64), posted)
    posted += np.where(postings.day == late_day, 86_400, 0) - UTC_OFFSET_S
    keys = files.serials("pay-", count, width=8)
    back = np.where(postings.kind == REVERSAL, origin, -1)
    return {
        "payment_key": keys,
        "account_key": files.pick(accounts, postings.account),
        "amount_minor": files.whole(postings.amount),
        "currency": files.constant("VND", count),
        "value_date": files.days(postings.day),
        "posted_utc": files.seconds(posted),
        "channel": files.pick(CHANNELS, channel),
        "source": files.pick(SOURCES, source),
        "reference": files.pick(files.serials("ref-", count, width=8), origin),
        "reversal_of": keys.take(files.whole(np.maximum(back, 0), empty=back < 0)),
        "eligible": files.flags(postings.kind != DUPLICATE),
    }
