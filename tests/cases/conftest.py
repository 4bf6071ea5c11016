"""Fixtures of the tests on the small shared cases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cases.case_book import CaseBook


@pytest.fixture
def case(shared_cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], CaseBook]:
    """A case by the name of its folder."""
    return lambda name: CaseBook(shared_cases / name, tmp_path, monkeypatch)
