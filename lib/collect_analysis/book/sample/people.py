"""Who owes what: customers, their debts, and when each debt enters the book."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collect_analysis.book.sample import files
from collect_analysis.book.sample.days import Span

PRODUCTS = ("card", "cash_loan", "overdraft", "consumer_loan")
PRODUCT_SHARES = (0.45, 0.33, 0.10, 0.12)
MEDIAN_BALANCE = np.array([18e6, 26e6, 12e6, 9e6])
BALANCE_SD = 0.6
CARD, CASH_LOAN = 0, 1
PORTFOLIOS = ("retail_cards", "retail_loans", "written_off")
DEBT_STATUSES = ("overdue", "npl", "off_balance")
REGIONS = (
    "hni", "hcm", "hpg", "dng", "cto", "bdg", "dni", "vtu", "bni", "qnh", "tha", "nan",
    "hti", "qbi", "hue", "qna", "kha", "ldg", "dlk", "lan", "tgi", "agi", "kgi", "cmu",
)  # fmt: skip
CITY_WEIGHT = {"hni": 2.5, "hcm": 3.0}
# Share of the accounts that are there when the first month opens; the others enter evenly, a little more each month.
OPENING_SHARE = 0.31
ENTRY_GROWTH = 0.25
# Kinds of entry: early overdue, middle, non-performing, off balance.
ENTRY_MIX = (0.50, 0.22, 0.15, 0.13)
ENTRY_DPD = ((1, 6), (31, 90), (91, 180), (181, 900))
OPENING_MIX = (0.09, 0.08, 0.05, 0.07, 0.22, 0.27, 0.22)
OPENING_DPD = ((0, 0), (1, 30), (31, 90), (91, 180), (181, 360), (361, 720), (721, 1400))
SECOND_ACCOUNTS = 0.115
SCORE_EDGES = (575.0, 625.0)
ROUND_MINOR = 1_000
ENTITIES = ("parent_bank", "parent_consumer")


@dataclass(frozen=True)
class People:
    """Static facts, one element per account; accounts stand in the order they entered. `luck` (three uniforms) settles team and officer."""

    customer: np.ndarray
    customers: int
    product: np.ndarray
    region: np.ndarray
    debt_status: np.ndarray
    open_day: np.ndarray
    entry_month: np.ndarray
    entry_dpd: np.ndarray
    original: np.ndarray
    score: np.ndarray
    frailty: np.ndarray
    restructured: np.ndarray
    luck: np.ndarray

    @property
    def count(self) -> int:
        """Number of accounts."""
        return len(self.customer)

    @property
    def score_band(self) -> np.ndarray:
        """0 low, 1 middle, 2 high, by the score on entry."""
        return np.searchsorted(SCORE_EDGES, self.score, side="right").astype(np.int8)

    @property
    def portfolio(self) -> np.ndarray:
        """Index into `PORTFOLIOS`."""
        return np.where(self.debt_status == 2, 2, np.where(self.product == CARD, 0, 1)).astype(np.int8)


def make_people(count: int, span: Span, rng: np.random.Generator) -> People:
    """Draw `count` accounts: about one customer in eight owes two debts; regions belong to customers."""
    entry_month = _entry_months(count, span.months)
    first, last = span.first[np.maximum(entry_month, 0)], span.last[np.maximum(entry_month, 0)]
    entered = rng.integers(first, last + 1)
    before = span.start - 1 - (rng.random(count) ** 1.5 * 900).astype(np.int64)
    opening = entry_month < 0
    entry_dpd = _entry_dpd(opening, rng)
    # A debt of the opening stock became ours after it fell overdue, at the earliest on its first day overdue.
    open_day = np.where(opening, np.maximum(before, span.start - np.maximum(entry_dpd, 30)), entered)
    order = np.argsort(open_day, kind="stable")
    customers = round(count * (1 - SECOND_ACCOUNTS))
    second = rng.choice(customers, count - customers, replace=False)
    customer = rng.permutation(np.concatenate([np.arange(customers), second]))
    weights = np.array([CITY_WEIGHT.get(code, 1.0) for code in REGIONS])
    region = rng.choice(len(REGIONS), customers, p=weights / weights.sum()).astype(np.int8)[customer]
    product = rng.choice(len(PRODUCTS), count, p=PRODUCT_SHARES).astype(np.int8)
    balance = MEDIAN_BALANCE[product] * np.exp(rng.normal(0.0, BALANCE_SD, count))
    frailty = np.exp(rng.normal(-0.03125, 0.25, count))
    return People(
        customer=customer.astype(np.int32),
        customers=customers,
        product=product,
        region=region,
        debt_status=_debt_status(entry_dpd)[order],
        open_day=open_day[order].astype(np.int64),
        entry_month=entry_month[order].astype(np.int16),
        entry_dpd=entry_dpd[order].astype(np.int32),
        original=np.maximum(np.round(balance / ROUND_MINOR), 1_000).astype(np.int64) * ROUND_MINOR,
        score=np.clip(np.round(rng.normal(600, 60, count), 1), 300, 850),
        frailty=frailty,
        restructured=rng.random(count) < 0.03,
        luck=rng.random((count, 3)),
    )


def _entry_months(count: int, months: int) -> np.ndarray:
    opening = round(count * OPENING_SHARE)
    weight = np.linspace(1.0, 1.0 + ENTRY_GROWTH, months)
    edges = np.round(np.cumsum(weight) / weight.sum() * (count - opening)).astype(np.int64)
    sizes = np.diff(np.concatenate([[0], edges]))
    return np.concatenate([np.full(opening, -1), np.repeat(np.arange(months), sizes)])


def _entry_dpd(opening: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = np.where(
        opening, rng.choice(len(OPENING_MIX), len(opening), p=OPENING_MIX), rng.choice(len(ENTRY_MIX), len(opening), p=ENTRY_MIX)
    )
    bounds = np.where(opening[:, None], np.array(OPENING_DPD)[kind], np.array(ENTRY_DPD)[np.minimum(kind, 3)])
    return rng.integers(bounds[:, 0], bounds[:, 1] + 1)


def _debt_status(dpd: np.ndarray) -> np.ndarray:
    return np.select([dpd <= 90, dpd <= 360], [0, 1], 2).astype(np.int8)


def account_keys(count: int) -> pa.Array:
    """Keys of all accounts."""
    return files.serials("acc-", count, width=7)


def customer_keys(count: int) -> pa.Array:
    """Keys of all customers."""
    return files.serials("cus-", count, width=7)


def account_columns(people: People) -> dict[str, object]:
    """Table `account`."""
    count = people.count
    return {
        "account_key": account_keys(count),
        "customer_key": files.pick(customer_keys(people.customers), people.customer),
        "portfolio_code": files.pick(PORTFOLIOS, people.portfolio),
        "product_code": files.pick(PRODUCTS, people.product),
        "debt_status": files.pick(DEBT_STATUSES, people.debt_status),
        "open_date": files.days(people.open_day),
        "original_minor": files.whole(people.original),
        "currency": files.constant("VND", count),
        "region_code": files.pick(REGIONS, people.region),
        "tz": files.constant("Asia/Ho_Chi_Minh", count),
        "origin_channel": files.pick(("branch", "online", "partner"), np.digitize(people.luck[:, 0], (0.55, 0.85))),
        "score_at_entry": files.real(people.score),
        "is_restructured": files.flags(people.restructured),
        "legal_entity": files.pick(ENTITIES, (people.product == 3).astype(np.int8)),
    }
