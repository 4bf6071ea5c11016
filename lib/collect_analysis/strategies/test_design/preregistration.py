"""The record that is signed before a test starts: what will be measured, on whom, how it will be judged; and its hash."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

SCHEMA = 1
EXPERIMENT_COLUMNS = (
    "experiment_id", "arm", "role", "share", "salt", "unit_of_assignment", "starts_on", "ends_on", "horizon_days", "primary_metric", "margin",
    "prereg_hash",
)  # fmt: skip


def canonical(record: Mapping[str, Any]) -> str:
    """The record as the one text that says the same: JSON with sorted keys, no spaces, no trailing line, undefined numbers refused.

    Raises
    ------
    ValueError
        A number is not finite: what is registered must be known.
    """
    return json.dumps({"schema": SCHEMA, **record}, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def record_hash(record: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical text; of the file `preregistration.json`, byte for byte."""
    return hashlib.sha256(canonical(record).encode()).hexdigest()


def is_registered(content: bytes, prereg_hash: str) -> bool:
    """Is this file the record that table `experiment` names? False where a single byte was changed since."""
    return hashlib.sha256(content).hexdigest() == prereg_hash


def experiment_rows(record: Mapping[str, Any], *, salt: str) -> pd.DataFrame:
    """The rows of table `experiment`, one per arm, columns EXPERIMENT_COLUMNS: what `collect import` reads back.

    The first arm is the champion. `record` holds experiment_id, arms (name, role, share), unit_of_assignment, starts_on, ends_on,
    horizon_days, primary_outcome and margin_relative.
    """
    shared = {name: record[name] for name in ("experiment_id", "unit_of_assignment", "starts_on", "ends_on", "horizon_days")}
    rows = [
        {
            **shared,
            **{key: arm[key] for key in ("arm", "role", "share")},
            "salt": salt,
            "primary_metric": record["primary_outcome"],
            "margin": record["margin_relative"],
            "prereg_hash": record_hash(record),
        }
        for arm in record["arms"]
    ]
    return pd.DataFrame(rows, columns=list(EXPERIMENT_COLUMNS))


def last_assignment(starts_on: date, months: int, *, entry: bool) -> date:
    """The last day of assignment: the first one where all are assigned at once, else the day before the months are over."""
    if not entry:
        return starts_on
    return (pd.Timestamp(starts_on) + pd.DateOffset(months=months) - pd.Timedelta(days=1)).date()
