"""Fixtures every test may use: the shared data folder, a small sample shop, and the rule that nothing is skipped unseen."""

import os
from datetime import date
from pathlib import Path

import pytest

# Names in COLLECT_REQUIRE (comma-separated: data, browser, postgres) turn "skipped because it is not here" into a failure.
REQUIRED = frozenset(filter(None, os.environ.get("COLLECT_REQUIRE", "").split(",")))
PROJECT = Path(__file__).resolve().parent.parent
SAMPLE_ACCOUNTS = 20_000
SAMPLE_SEED = 1
SAMPLE_AS_OF = date(2026, 6, 30)


def skip_or_fail(name: str, reason: str) -> None:
    """Skip, saying why; fail instead where `name` is required."""
    if name in REQUIRED:
        pytest.fail(f"{reason} (COLLECT_REQUIRE names '{name}')")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets."""
    folder = Path(os.environ.get("COLLECT_DATA", PROJECT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        skip_or_fail("data", f"no data sets in {folder}; set COLLECT_DATA")
    return folder


@pytest.fixture(autouse=True)
def _in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
