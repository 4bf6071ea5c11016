"""Fixtures of the tests of the book."""

from pathlib import Path

import pytest

from tests.book.payments_source import Payments


@pytest.fixture
def payments(tmp_path: Path) -> Payments:
    return Payments(tmp_path)
