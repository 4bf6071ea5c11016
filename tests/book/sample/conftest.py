"""The sample shop as plain frames and its truth."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def folder(sample_book: Path) -> Path:
    return sample_book / "sample"


@pytest.fixture(scope="session")
def truth(folder: Path) -> dict:
    return json.loads((folder / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def frame(folder: Path) -> Callable[[str], pd.DataFrame]:
    """Reads a table once; tests do not change what it returns."""
    held: dict[str, pd.DataFrame] = {}

    def read(table: str) -> pd.DataFrame:
        if table not in held:
            held[table] = pd.read_parquet(folder / table)
        return held[table]

    return read


@pytest.fixture(scope="session")
def cash(frame: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """Postings that are money: eligible, no reversal, not reversed."""
    payment = frame("payment")
    taken_back = payment["reversal_of"].dropna()
    money = payment[payment["eligible"] & payment["reversal_of"].isna() & ~payment["payment_key"].isin(taken_back)].copy()
    money["value_date"] = pd.to_datetime(money["value_date"])
    return money
