"""A large shop for timing: what a KPI period reads, generated with NumPy straight to Parquet, sorted by account, then time.

It plants nothing and keeps only what the measures need: states that follow each other, contacts and payments within an account's life.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from collect_analysis.book.arrow_types import ARROW
from collect_analysis.book.store import Load, Manifest, write_manifest
from collect_analysis.book.tables import TABLES

AS_OF = date(2026, 6, 30)
MONTHS = 12
LOG_DAYS = 730
CHUNK = 200_000
PORTFOLIOS, TEAMS, AGENCIES, OFFICERS = 6, 20, 10, 40
UNITS = TEAMS + AGENCIES
STATUSES = np.array(["open", "paid_off", "settled", "written_off", "recalled", "sold"])
CHANNELS = np.array(["call", "voicebot", "sms", "visit", "app"])
RESULTS = np.array(["answered", "no_answer", "busy", "voicemail", "invalid", "delivered", "met", "not_met"])
PARTIES = np.array(["debtor", "guarantor", "relative", "third_party", "unknown", "none"])
_DAY = np.datetime64(AS_OF, "D")
_ENDS = (np.datetime64("2025-08", "M") + np.arange(MONTHS)).astype("datetime64[D]") - 1

Columns = dict[str, object]


def make_shop(folder: Path, *, accounts: int, seed: int = 1) -> None:
    """Write book `sample` into `folder`: `accounts` debts, 20 contacts, 3 payments and half a promise each."""
    folder.mkdir(parents=True)
    writers = {}
    rows: dict[str, int] = {}
    rng = np.random.default_rng(seed)
    starts = range(0, accounts, CHUNK)
    for name, table in _reference(rng):
        _write(folder, writers, rows, name, table)
    for start in starts:
        for name, table in _chunk(rng, start, min(CHUNK, accounts - start)):
            _write(folder, writers, rows, name, table)
    for writer in writers.values():
        writer.close()
    loads = tuple(
        Load(
            load_id=name,
            table=name,
            source="bench",
            origin="bench",
            content_hash=f"{name}-{accounts}-{seed}",
            file=f"{name}/part.parquet",
            rows_read=count,
            rows_kept=count,
        )
        for name, count in rows.items()
    )
    write_manifest(folder, Manifest(name="sample", synthetic=True, currency="VND", loads=loads))


def _write(folder: Path, writers: dict, rows: dict[str, int], name: str, columns: Columns) -> None:
    types = TABLES[name].engine_types()
    size = len(next(iter(columns.values())))  # type: ignore[arg-type]
    cells = {column: pa.array(columns[column]) if column in columns else pa.nulls(size, ARROW[kind]) for column, kind in types.items()}
    table = pa.table(cells).cast(pa.schema([(column, ARROW[kind]) for column, kind in types.items()]))
    if name not in writers:
        (folder / name).mkdir()
        writers[name] = pq.ParquetWriter(folder / name / "part.parquet", table.schema, compression="zstd")
    writers[name].write_table(table, row_group_size=250_000)
    rows[name] = rows.get(name, 0) + table.num_rows


def _names(prefix: str, numbers: np.ndarray, *, empty: np.ndarray | None = None) -> pa.Array:
    """`prefix` and eight digits; None where `empty`."""
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(pa.array(numbers, mask=empty).cast(pa.string()), 8, "0"), "")


def _of(known: pa.Array, index: np.ndarray, *, empty: np.ndarray | None = None) -> pa.Array:
    return known.take(pa.array(index, mask=empty) if empty is not None else pa.array(index))


def _chunk(rng: np.random.Generator, start: int, size: int) -> Iterator[tuple[str, Columns]]:
    number = start + np.arange(size)
    keys, customers = _names("a", number), _names("c", number * 17 // 20)
    unit = rng.integers(0, UNITS, size)
    officer = unit * OFFICERS + rng.integers(0, OFFICERS, size)
    opened = _DAY - rng.integers(0, LOG_DAYS, size)
    original = rng.lognormal(16, 1, size).astype(np.int64)
    yield (
        "account",
        {
            "account_key": keys,
            "customer_key": customers,
            "portfolio_code": _names("p", number % PORTFOLIOS),
            "product_code": pa.array(np.where(number % 3 == 0, "card", "cash_loan")),
            "debt_status": pa.array(["overdue"] * size),
            "open_date": opened,
            "original_minor": original,
            "currency": pa.array(["VND"] * size),
            "is_restructured": np.zeros(size, bool),
        },
    )
    yield "month_end", _ends(rng, keys, unit, officer, opened, original)
    holder = (keys, customers, unit, officer, opened)
    yield "contact", _contacts(rng, start, holder)
    yield "payment", _payments(rng, start, holder, original)
    yield "promise", _promises(rng, start, holder, original)
    yield "decision", _placements(rng, start, holder, original)
    yield "ticket", _tickets(rng, start, holder)


def _ends(rng, keys, unit, officer, opened, original) -> Columns:
    size = len(keys)
    bucket = np.zeros((size, MONTHS), np.int64)
    status = np.zeros((size, MONTHS), np.int8)
    balance = np.zeros((size, MONTHS), np.int64)
    reaged = np.zeros((size, MONTHS), bool)
    there = np.zeros((size, MONTHS), bool)
    now, owed, left = rng.integers(0, 8, size), original.copy(), np.zeros(size, bool)
    for month in range(MONTHS):
        known = opened <= _ENDS[month]
        move = rng.random(size)
        now = np.where(move < 0.35, np.minimum(now + 1, 20), np.where(move < 0.45, np.maximum(now - 1, 0), np.where(move < 0.49, 0, now)))
        owed = np.where(move > 0.8, owed * 9 // 10, owed)
        exits = (rng.random(size) < 0.03) & known & ~left
        status[:, month] = np.where(exits, rng.integers(1, 6, size), 0)
        there[:, month] = known & ~left
        bucket[:, month], balance[:, month] = now, np.where(exits, 0, owed)
        reaged[:, month] = (now == 0) & (move < 0.452)
        left |= exits
    account, month = np.nonzero(there)
    return {
        "account_key": _of(keys, account),
        "month_end": _ENDS[month],
        "status": pa.array(STATUSES).take(pa.array(status[account, month])),
        "bucket": bucket[account, month],
        "balance_minor": balance[account, month],
        "reaged": reaged[account, month],
        "unit_key": _names("u", np.arange(UNITS)).take(pa.array(unit[account])),
        "officer_key": _of(_names("o", np.arange(UNITS * OFFICERS)), officer[account], empty=unit[account] >= TEAMS),
    }


def _moments(rng, opened: np.ndarray, account: np.ndarray) -> np.ndarray:
    """A moment of the debtor's day within the life of each account."""
    life = (_DAY - opened).astype(np.int64)[account] + 1
    day = opened[account] + (rng.random(len(account)) * life).astype(np.int64)
    second = rng.integers(7 * 3600, 21 * 3600 + 900, len(account))
    return day.astype("datetime64[us]") + second.astype("timedelta64[s]")


def _contacts(rng, start, holder) -> Columns:
    keys, customers, unit, officer, opened = holder
    account = np.repeat(np.arange(len(keys)), 20)
    moment = _moments(rng, opened, account)
    moment = moment[np.lexsort((moment, account))]
    size = len(account)
    channel = rng.choice(5, size, p=[0.5, 0.2, 0.2, 0.05, 0.05])
    machine = np.isin(channel, [1, 2, 4])
    result = np.where(machine & (channel != 1), 5, np.where(channel == 3, rng.integers(6, 8, size), rng.integers(0, 5, size)))
    answered = np.isin(result, [0, 6])
    party = np.where(answered, rng.choice(5, size, p=[0.6, 0.05, 0.15, 0.1, 0.1]), 5)
    return {
        "event_key": _names("e", start * 20 + np.arange(size)),
        "account_key": _of(keys, account),
        "customer_key": _of(customers, account),
        "ts_utc": moment - np.timedelta64(7, "h"),
        "local_ts": moment,
        "direction": pa.array(np.array(["out", "in"])).take(pa.array((rng.random(size) < 0.03).astype(np.int8))),
        "channel": pa.array(CHANNELS).take(pa.array(channel)),
        "result": pa.array(RESULTS).take(pa.array(result)),
        "party_role": pa.array(PARTIES).take(pa.array(party)),
        "verified": answered & (rng.random(size) < 0.9),
        "unit_key": _names("u", np.arange(UNITS)).take(pa.array(unit[account])),
        "officer_key": _of(_names("o", np.arange(UNITS * OFFICERS)), officer[account], empty=machine | (unit[account] >= TEAMS)),
    }


def _payments(rng, start, holder, original) -> Columns:
    keys, _, _, _, opened = holder
    account = np.repeat(np.arange(len(keys)), 3)
    day = np.sort(_moments(rng, opened, account).astype("datetime64[D]").reshape(-1, 3), axis=1).ravel()
    size = len(account)
    number = start * 3 + np.arange(size)
    back = (rng.random(size) < 0.01) & (np.arange(size) % 3 == 2)
    amount = (original[account] * rng.uniform(0.005, 0.1, size)).astype(np.int64) + 1
    return {
        "payment_key": _names("y", number),
        "account_key": _of(keys, account),
        "amount_minor": np.where(back, -np.roll(amount, 1), amount),
        "currency": pa.array(["VND"] * size),
        "value_date": day,
        "reversal_of": _names("y", np.maximum(number - 1, 0), empty=~back),
        "eligible": rng.random(size) < 0.99,
    }


def _promises(rng, start, holder, original) -> Columns:
    keys, _, unit, officer, opened = holder
    account = np.sort(rng.integers(0, len(keys), len(keys) // 2))
    size = len(account)
    made = _moments(rng, opened, account)
    return {
        "promise_key": _names("r", start + np.arange(size)),
        "account_key": _of(keys, account),
        "made_ts": made,
        "due_date": made.astype("datetime64[D]") + rng.integers(1, 15, size),
        "amount_minor": (original[account] * rng.uniform(0.01, 0.08, size)).astype(np.int64) + 1,
        "unit_key": _names("u", np.arange(UNITS)).take(pa.array(unit[account])),
        "officer_key": _of(_names("o", np.arange(UNITS * OFFICERS)), officer[account], empty=unit[account] >= TEAMS),
    }


def _placements(rng, start, holder, original) -> Columns:
    keys, customers, unit, _, opened = holder
    account = np.nonzero(unit >= TEAMS)[0]
    size = len(account)
    ended = rng.random(size) < 0.3
    end = np.minimum(opened[account] + rng.integers(30, 400, size), _DAY)
    return {
        "decision_key": _names("d", start + np.arange(size)),
        "account_key": _of(keys, account),
        "customer_key": _of(customers, account),
        "kind": pa.array(["placement"] * size),
        "decided_utc": opened[account].astype("datetime64[us]"),
        "unit_key": _names("u", np.arange(UNITS)).take(pa.array(unit[account])),
        "from_date": opened[account],
        "to_date": pa.array(end, mask=~ended),
        "end_reason": pa.array(np.where(rng.random(size) < 0.5, "recalled", "returned"), mask=~ended),
        "balance_minor": original[account],
    }


def _tickets(rng, start, holder) -> Columns:
    keys, _, unit, _, opened = holder
    account = np.sort(rng.integers(0, len(keys), max(len(keys) // 100, 1)))
    size = len(account)
    moment = _moments(rng, opened, account)
    closed = moment + rng.integers(1, 400, size).astype("timedelta64[h]")
    return {
        "ticket_key": _names("k", start + np.arange(size)),
        "account_key": _of(keys, account),
        "unit_key": _of(_names("u", np.arange(UNITS)), unit[account], empty=rng.random(size) < 0.3),
        "type": pa.array(np.where(rng.random(size) < 0.5, "complaint", "request")),
        "owner_side": pa.array(np.where(rng.random(size) < 0.5, "amc", "agency")),
        "opened_ts": moment,
        "due_ts": moment + np.timedelta64(7, "D"),
        "closed_ts": pa.array(closed, mask=closed > np.datetime64("2026-06-30T23:59:59")),
    }


def _reference(rng: np.random.Generator) -> Iterator[tuple[str, Columns]]:
    unit = np.arange(UNITS)
    since = np.full(UNITS, np.datetime64("2020-01-01"))
    function = np.where(unit >= TEAMS, "agency", np.where(unit % 4 == 3, "field", np.where(unit % 2, "soft", "tele")))
    yield (
        "unit",
        {
            "unit_key": _names("u", unit),
            "valid_from": since,
            "name": _names("u", unit),
            "unit_type": pa.array(np.where(unit >= TEAMS, "agency", "team")),
            "sub_function": pa.array(function),
            "tariff_id": pa.array(np.where(unit >= TEAMS, "agency", ""), mask=unit < TEAMS),
        },
    )
    officer = np.arange(TEAMS * OFFICERS)
    keys = _names("o", officer)
    yield (
        "officer",
        {
            "officer_key": keys,
            "valid_from": np.full(len(officer), np.datetime64("2020-01-01")),
            "unit_key": _names("u", officer // OFFICERS),
            "role": pa.array(["collector"] * len(officer)),
            "active": np.ones(len(officer), bool),
        },
    )
    day = np.datetime64("2026-03-01") + np.arange(122)
    who, when = (cells.ravel() for cells in np.meshgrid(officer, day, indexing="ij"))
    size = len(who)
    yield (
        "unit_day",
        {
            "unit_key": _names("u", who // OFFICERS),
            "officer_key": _of(keys, who),
            "date": when,
            "scheduled_min": np.full(size, 480),
            "logged_min": rng.integers(300, 480, size),
            "talk_min": rng.integers(60, 200, size),
            "wrap_min": rng.integers(10, 60, size),
            "wait_min": rng.integers(10, 120, size),
        },
    )
    scopes = [("company", "all"), *(("portfolio", f"p{n:08d}") for n in range(PORTFOLIOS)), *(("unit", f"u{n:08d}") for n in unit)]
    yield (
        "target",
        {
            "scope_type": pa.array([kind for kind, _ in scopes]),
            "scope_key": pa.array([key for _, key in scopes]),
            "period_start": np.full(len(scopes), np.datetime64("2026-06-01")),
            "period_end": np.full(len(scopes), np.datetime64("2026-06-30")),
            "kpi": pa.array(["R1"] * len(scopes)),
            "version": np.ones(len(scopes), np.int64),
            "value": np.full(len(scopes), 1e9),
            "status": pa.array(["approved"] * len(scopes)),
        },
    )
    yield "tariff", _tariff()


def _tariff() -> Columns:
    rows = [
        ("house", "channel_event", str(channel), 0.0, price, None)
        for channel, price in zip(CHANNELS, (900, 300, 200, 60_000, 50), strict=True)
    ]
    rows += [("house", "officer_minute", "collector", 0.0, 1_200, None)]
    rows += [("agency", "commission", "collected", tier, None, rate) for tier, rate in ((0.0, 0.18), (6.0, 0.25), (12.0, 0.3))]
    rows += [("house", "tax", "commission", 0.0, None, 0.1)]
    names = ("tariff_id", "kind", "item", "tier_from", "amount_minor", "rate")
    columns: Columns = {name: pa.array(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}
    return {**columns, "valid_from": np.full(len(rows), np.datetime64("2020-01-01")), "currency": pa.array(["VND"] * len(rows))}
