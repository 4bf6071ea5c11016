"""The signed record: one text, one hash, and rows that an import reads back."""

import hashlib
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from collect_analysis.book.store import open_book
from collect_analysis.strategies.test_design import preregistration

PROJECT = Path(__file__).resolve().parents[2]
RECORD = {
    "experiment_id": "e1",
    "unit_of_assignment": "customer",
    "arms": [{"arm": "champion", "role": "champion", "share": 0.9}, {"arm": "new", "role": "challenger", "share": 0.1}],
    "starts_on": "2026-07-01",
    "ends_on": "2026-09-30",
    "horizon_days": 90,
    "primary_outcome": "payer_rate",
    "margin_relative": 0.05,
    "hypothesis": "Tin nhắn ngắn hơn",
}


def test_the_hash_is_that_of_the_file_whatever_the_order_of_the_keys() -> None:
    text = preregistration.canonical(RECORD)
    assert json.loads(text) == {"schema": 1, **RECORD}
    digest = preregistration.record_hash(RECORD)
    assert digest == hashlib.sha256(text.encode()).hexdigest()
    assert preregistration.record_hash(dict(reversed(RECORD.items()))) == digest
    assert preregistration.is_registered(text.encode(), digest)
    assert not preregistration.is_registered(text.replace("0.05", "0.04").encode(), digest)


def test_a_number_that_is_not_known_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        preregistration.canonical({"margin_relative": float("nan")})


def test_assignment_ends_on_the_day_it_starts_or_with_its_months() -> None:
    assert preregistration.last_assignment(date(2026, 7, 1), 3, entry=True) == date(2026, 9, 30)
    assert preregistration.last_assignment(date(2026, 7, 1), 3, entry=False) == date(2026, 7, 1)


def test_an_import_reads_the_rows_of_table_experiment_back(tmp_path: Path) -> None:
    rows = preregistration.experiment_rows(RECORD, salt="summer")
    (tmp_path / "in").mkdir()
    rows.to_csv(tmp_path / "in" / "experiment.csv", index=False)
    # The mapping as the documents show it.
    document = (PROJECT / "parameters" / "sources" / "README.md").read_text(encoding="utf-8")
    (mapping,) = re.findall(r"```yaml\n(source: registered_tests\n.*?)```", document, re.DOTALL)
    source = tmp_path / "registered_tests.yml"
    source.write_text(mapping, encoding="utf-8")
    environment = {"COLLECT_REGISTERED": str(tmp_path / "in"), "COLLECT_BOOKS": str(tmp_path / "books"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "collect_analysis.cli", "import", str(source), "--now", "2026-07-01T00:00:00+00:00"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
    book = open_book("shop", as_of=date(2026, 7, 1), folder=tmp_path / "books")
    read = book.frame(book.table("experiment").order_by("arm"))
    assert list(read["arm"]) == ["champion", "new"]
    assert list(read["share"]) == [0.9, 0.1]
    assert set(read["prereg_hash"]) == {preregistration.record_hash(RECORD)}
    assert set(read["primary_metric"]) == {"payer_rate"}
