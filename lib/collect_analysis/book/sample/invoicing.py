"""Table `invoice_line`: what each agency bills for a month, one line per payment, with planted mistakes of four agencies.

Its randomness is a stream of its own and it only reads what is there: no other table changes with it. The right lines are worked out
here by plain arithmetic, apart from `measures.invoices`, so that the recomputation is tested against something that does not share its code.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from collect_analysis.book.sample import files, posting
from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.posting import Postings
from collect_analysis.book.sample.reference import TARIFFS
from collect_analysis.book.sample.workforce import AGENCIES

INVOICED_MONTHS, ISSUED_AFTER_DAYS = 12, 5
PARTS = 1_000_000
TIERS = np.array([row[3] for row in TARIFFS if row[1] == "commission"])
RATES = np.array([round(float(row[5] or 0) * PARTS) for row in TARIFFS if row[1] == "commission"])
TAX = next(round(float(row[5] or 0) * PARTS) for row in TARIFFS if row[1] == "tax")
OUTSIDER, FORGETFUL, EARLY, ROUNDER = (AGENCIES.index(key) for key in ("ag-b", "ag-d", "ag-e", "ag-f"))
PLANTED = {
    "ag-b": "bills payments on accounts it held before or after, and payments that were sent twice",
    "ag-d": "credits no reversal, and bills some payments twice on one invoice",
    "ag-e": "charges the second tier one month early, and leaves some payments out",
    "ag-f": "rounds the commission of every line up, and charges the tax twice on some lines",
}
EXTRA_SHARE, TWICE_SHARE, LEFT_OUT_SHARE, TAX_TWICE_SHARE = 0.05, 0.04, 0.03, 0.10
ROUND_UP_TO = 1_000
COLUMNS = ("agency", "month", "payment", "base", "rate", "commission", "tax")


def half_up(amount: np.ndarray, parts: np.ndarray | int) -> np.ndarray:
    """Round amount x parts / 1,000,000 to the unit, halves away from zero, so that a credit undoes its charge exactly."""
    whole = np.asarray(amount, dtype=np.int64) * parts
    return np.sign(whole) * ((2 * np.abs(whole) + PARTS) // (2 * PARTS))


@dataclass
class Invoices:
    """Lines in order of agency, month and payment; `found` is the money of each mistake by (agency, month, reason)."""

    columns: dict[str, np.ndarray]
    right: dict[tuple[int, int], int]
    found: dict[tuple[int, int, str], int] = field(default_factory=dict)


def make_invoices(postings: Postings, placements: dict[str, np.ndarray], span: Span, rng: np.random.Generator) -> Invoices:
    """Twelve monthly invoices of each agency, the last of the month before the last."""
    held, agency, age = _placement_of(postings, placements, span)
    month = span.month_of(postings.day)
    billed = (month >= span.months - 1 - INVOICED_MONTHS) & (month < span.months - 1)
    due = np.flatnonzero(billed & held & (postings.kind != posting.DUPLICATE))
    tier = np.searchsorted(TIERS, age, side="right") - 1
    lines = _lines(due, agency[due], month[due], postings.amount[due], RATES[tier[due]])
    keys = list(zip(lines["agency"].tolist(), lines["month"].tolist(), strict=True))
    right: dict[tuple[int, int], int] = {key: 0 for key in sorted(set(keys))}
    for key, money in zip(keys, (lines["commission"] + lines["tax"]).tolist(), strict=True):
        right[key] += money
    made = Invoices(columns=lines, right=right)
    _outside_placement(made, postings, placements, held, month, billed, rng)
    _sent_twice(made, np.flatnonzero(billed & held & (postings.kind == posting.DUPLICATE)), postings, agency, month, tier)
    _drop(made, _of(made, FORGETFUL) & (postings.kind[made.columns["payment"]] == posting.REVERSAL), "reversed")
    _billed_twice(made, rng)
    _early_tier(made, age)
    plain = postings.kind[made.columns["payment"]] == posting.GENUINE
    _drop(made, _of(made, EARLY) & plain & (age[made.columns["payment"]] < 2) & (rng.random(len(plain)) < LEFT_OUT_SHARE), "unbilled")
    _rounded_up(made, rng)
    order = np.lexsort((made.columns["payment"], made.columns["month"], made.columns["agency"]))
    made.columns = {name: values[order] for name, values in made.columns.items()}
    return made


def _placement_of(postings: Postings, placements: dict[str, np.ndarray], span: Span) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether a posting fell on a placement, with which agency, at which age; a reversal goes where the money it takes back went."""
    day, account = postings.day[postings.origin], postings.account
    start, to_day = span.first[placements["month"]], placements["to_day"]
    order = np.lexsort((start, placements["account"]))
    code = placements["account"][order].astype(np.int64) * 100_000 + start[order]
    last = np.searchsorted(code, account.astype(np.int64) * 100_000 + day, side="right") - 1
    row = order[np.maximum(last, 0)]
    held = (last >= 0) & (placements["account"][row] == account) & ((to_day[row] == 0) | (day < to_day[row]))
    return held, placements["agency"][row], np.where(held, span.month_of(day) - placements["month"][row], 0)


def _lines(payment: np.ndarray, agency: np.ndarray, month: np.ndarray, base: np.ndarray, rate: np.ndarray) -> dict[str, np.ndarray]:
    commission = half_up(base, rate)
    values = (agency.astype(np.int64), month, payment, base, rate, commission, half_up(commission, TAX))
    return dict(zip(COLUMNS, values, strict=True))


def _of(made: Invoices, agency: int) -> np.ndarray:
    return made.columns["agency"] == agency


def _note(made: Invoices, agency: np.ndarray, month: np.ndarray, money: np.ndarray, reason: str) -> None:
    for place, when, amount in zip(agency.tolist(), month.tolist(), money.tolist(), strict=True):
        made.found[place, when, reason] = made.found.get((place, when, reason), 0) + amount


def _add(made: Invoices, more: dict[str, np.ndarray], reason: str) -> None:
    _note(made, more["agency"], more["month"], more["commission"] + more["tax"], reason)
    made.columns = {name: np.concatenate([made.columns[name], more[name]]) for name in COLUMNS}


def _drop(made: Invoices, dropped: np.ndarray, reason: str) -> None:
    lines = made.columns
    _note(made, lines["agency"][dropped], lines["month"][dropped], -(lines["commission"] + lines["tax"])[dropped], reason)
    made.columns = {name: values[~dropped] for name, values in lines.items()}


def _some(pool: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the pool, one at least where it is not empty."""
    return np.sort(rng.choice(pool, min(len(pool), max(1, round(share * len(pool)))), replace=False)) if len(pool) else pool


def _outside_placement(
    made: Invoices,
    postings: Postings,
    placements: dict[str, np.ndarray],
    held: np.ndarray,
    month: np.ndarray,
    billed: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Payments while no agency held the account, billed by one that holds or held it at another time."""
    known = np.unique(placements["account"][placements["agency"] == OUTSIDER])
    may = billed & ~held & (postings.kind == posting.GENUINE) & np.isin(postings.account, known)
    for when in np.unique(made.columns["month"]).tolist():
        own = int((_of(made, OUTSIDER) & (made.columns["month"] == when)).sum())
        pool = np.flatnonzero(may & (month == when))
        chosen = _some(pool, EXTRA_SHARE * own / max(len(pool), 1), rng)
        count = len(chosen)
        rate = np.full(count, RATES[0])
        _add(made, _lines(chosen, np.full(count, OUTSIDER), month[chosen], postings.amount[chosen], rate), "outside_placement")


def _sent_twice(made: Invoices, doubles: np.ndarray, postings: Postings, agency: np.ndarray, month: np.ndarray, tier: np.ndarray) -> None:
    mine = doubles[agency[doubles] == OUTSIDER]
    _add(made, _lines(mine, agency[mine], month[mine], postings.amount[mine], RATES[tier[mine]]), "not_eligible")


def _billed_twice(made: Invoices, rng: np.random.Generator) -> None:
    for when in np.unique(made.columns["month"]).tolist():
        pool = np.flatnonzero(_of(made, FORGETFUL) & (made.columns["month"] == when))
        chosen = _some(pool, TWICE_SHARE, rng)
        _add(made, {name: made.columns[name][chosen] for name in COLUMNS}, "double_billed")


def _early_tier(made: Invoices, age: np.ndarray) -> None:
    lines = made.columns
    early = np.flatnonzero(_of(made, EARLY) & (age[lines["payment"]] == TIERS[1] - 1))
    before = (lines["commission"] + lines["tax"])[early]
    lines["rate"][early] = RATES[1]
    lines["commission"][early] = half_up(lines["base"][early], RATES[1])
    lines["tax"][early] = half_up(lines["commission"][early], TAX)
    after = (lines["commission"] + lines["tax"])[early]
    _note(made, lines["agency"][early], lines["month"][early], after - before, "wrong_rate")


def _rounded_up(made: Invoices, rng: np.random.Generator) -> None:
    lines = made.columns
    mine = np.flatnonzero(_of(made, ROUNDER))
    right = lines["commission"][mine]
    lines["commission"][mine] = -(-right // ROUND_UP_TO) * ROUND_UP_TO
    again = rng.random(len(mine)) < TAX_TWICE_SHARE
    lines["tax"][mine[again]] *= 2
    where = lines["agency"][mine], lines["month"][mine]
    _note(made, *where, lines["commission"][mine] - right, "commission_arithmetic")
    _note(made, *where, lines["tax"][mine] - half_up(right, TAX), "tax_arithmetic")


def _invoice_names(made: Invoices, span: Span) -> list[str]:
    months = [span.name(month).replace("-", "") for month in range(span.months)]
    pairs = zip(made.columns["agency"].tolist(), made.columns["month"].tolist(), strict=True)
    return [f"inv-{AGENCIES[agency]}-{months[month]}" for agency, month in pairs]


def invoice_columns(made: Invoices, span: Span) -> dict[str, object]:
    """Table `invoice_line`."""
    lines, names = made.columns, _invoice_names(made, span)
    count = len(names)
    _, first, place, size = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
    total = np.zeros(len(size), dtype=np.int64)
    np.add.at(total, place, lines["commission"] + lines["tax"])
    payments = files.serials("pay-", int(lines["payment"].max()) + 1 if count else 0, width=8)
    return {
        "invoice_id": pa.array(names),
        "line_no": files.whole(np.arange(count) - first[place] + 1),
        "unit_key": files.pick(AGENCIES, lines["agency"]),
        "period_start": files.days(span.first[lines["month"]]),
        "period_end": files.days(span.last[lines["month"]]),
        "issued_on": files.days(span.last[lines["month"]] + ISSUED_AFTER_DAYS),
        "payment_key": payments.take(files.whole(lines["payment"])),
        "base_minor": files.whole(lines["base"]),
        "rate": files.real(lines["rate"] / PARTS),
        "commission_minor": files.whole(lines["commission"]),
        "tax_minor": files.whole(lines["tax"]),
        "invoice_total_minor": files.whole(total[place]),
        "currency": files.constant("VND", count),
    }


def of_invoices(made: Invoices, span: Span) -> dict[str, object]:
    """Section `invoices` of the truth: what is right, what was billed, and the money of every planted mistake, per invoice."""
    lines = made.columns
    billed: dict[tuple[int, int], int] = {key: 0 for key in made.right}
    for agency, month, money in zip(
        lines["agency"].tolist(), lines["month"].tolist(), (lines["commission"] + lines["tax"]).tolist(), strict=True
    ):
        billed[agency, month] = billed.get((agency, month), 0) + money
    invoices = {}
    for agency, month in sorted(billed):
        reasons = {name: money for (a, m, name), money in sorted(made.found.items()) if (a, m) == (agency, month) and money != 0}
        name = f"inv-{AGENCIES[agency]}-{span.name(month).replace('-', '')}"
        invoices[name] = {"billed_minor": billed[agency, month], "right_minor": made.right.get((agency, month), 0), "differences": reasons}
    clean = [key for key in AGENCIES if key not in PLANTED]
    return {"invoices": {"rounding": "per line, half up", "clean": clean, "planted": dict(PLANTED), "by_invoice": invoices}}
