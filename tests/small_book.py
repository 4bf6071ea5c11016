"""A small book written as text: the rows a test is about, everything else filled in."""

from datetime import date
from io import StringIO

import pandas as pd
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.book.tables import TABLES

LONG_AGO = "2020-01-01"
FILLED: dict[str, dict[str, str]] = {
    "account": {"portfolio_code": "cards", "product_code": "card", "debt_status": "overdue", "open_date": LONG_AGO, "original_minor": "0",
                "currency": "VND", "is_restructured": "false"},
    "month_end": {"status": "open", "bucket": "1", "balance_minor": "0"},
    "payment": {"currency": "VND", "eligible": "true"},
    "contact": {"direction": "out", "channel": "call", "result": "no_answer", "party_role": "none", "verified": "false"},
    "decision": {"kind": "placement", "decided_utc": LONG_AGO},
    "unit": {"valid_from": LONG_AGO, "unit_type": "team", "sub_function": "tele"},
    "officer": {"valid_from": LONG_AGO, "active": "true"},
    "unit_day": {"scheduled_min": "480", "logged_min": "0", "talk_min": "0", "wrap_min": "0", "wait_min": "0"},
    "ticket": {"type": "complaint", "owner_side": "amc"},
    "target": {"scope_type": "company", "scope_key": "all", "version": "1", "status": "approved", "kpi": "R1"},
    "tariff": {"tariff_id": "t", "tier_from": "0", "valid_from": LONG_AGO, "currency": "VND"},
    "calendar": {},
    "arrangement": {},
    "legal_stage": {"seq": "1", "stage": "filed"},
    "qa": {},
    "promise": {},
}  # fmt: skip
# Where a key says nothing new, it is numbered; a debtor is named after the account.
NUMBERED = {"payment": "payment_key", "contact": "event_key", "promise": "promise_key", "decision": "decision_key", "ticket": "ticket_key",
            "arrangement": "arrangement_key", "qa": "qa_key"}  # fmt: skip


def frame_of(name: str, text: str) -> pd.DataFrame:
    """Rows of canonical table `name` from comma-separated text; absent columns are filled from `FILLED`, empty cells stay empty."""
    rows = pd.read_csv(StringIO(text), skipinitialspace=True, dtype=str, keep_default_na=False)
    rows.columns = rows.columns.str.strip()
    rows = rows.map(str.strip)
    for column, value in FILLED[name].items():
        if column not in rows:
            rows[column] = value
    if name in NUMBERED and NUMBERED[name] not in rows:
        rows[NUMBERED[name]] = [f"{name}-{number:03d}" for number in range(len(rows))]
    if "customer_key" in TABLES[name].column_names and "customer_key" not in rows:
        rows["customer_key"] = "debtor of " + rows["account_key"]
    if name == "contact" and "ts_utc" not in rows:
        rows["ts_utc"] = rows["local_ts"]
    if name == "unit" and "name" not in rows:
        rows["name"] = rows["unit_key"]
    return pd.DataFrame({column: _typed(rows[column], TABLES[name][column].type) for column in rows.columns})


def _typed(cells: pd.Series, kind: str) -> pd.Series:
    known = cells.where(cells != "", None)
    if kind == "date":
        return pd.to_datetime(known).dt.date
    if kind == "timestamp":
        return pd.to_datetime(known, format="ISO8601")
    if kind in ("integer", "money"):
        return known.astype("Int64")
    if kind == "number":
        return known.astype(float)
    if kind == "flag":
        return known.map({"true": True, "false": False})
    return known


def book_of(tables: dict[str, str], *, as_of: date) -> Book:
    """A book of these tables (text as `frame_of` reads it), as known on `as_of`."""
    return book_from_frames({name: frame_of(name, text) for name, text in tables.items()}, as_of=as_of)
