"""Every KPI of the dictionary on a few rows that can be followed by hand: the note of each example is the calculation."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from collect_analysis.book.policy import in_force, policy
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.kpi_table import Facts, kpi_table
from collect_analysis.measures.kpis import KPIS, dictionary, kpis
from collect_analysis.measures.kpis.record import Kpi
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.table_measures import TABLE_MEASURES, table_of

from tests.small_book import book_of

FOLDER = Path(__file__).parent
EXAMPLES = sorted(FOLDER.glob("*/example.yml"))
GRAINS = ("company", "unit", "officer")


def example(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def facts_of(content: dict[str, Any]) -> Facts:
    period = Period(content["period"]["start"], content["period"]["end"])
    windows = KpiWindows.of(policy("kpi_windows", on=period.end))
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=period.previous.start, end=period.end)]
    return Facts(book_of(content["tables"], as_of=content["as_of"]), period, windows=windows, limits=limits)


def without_example(records: dict[str, Kpi], folder: Path) -> set[str]:
    return set(records) - {path.parent.name for path in folder.glob("*/example.yml")}


def check(kpi: Kpi, content: dict[str, Any]) -> None:
    """Hold the KPI against the numbers of its example."""
    assert isinstance(content["as_of"], date)
    assert len(content["note"].split()) >= 5
    facts = facts_of(content)
    if kpi.kind == "table":
        check_table(table_of(facts, kpi.id), content["expected"])
        return
    table = kpi_table(facts, grains=GRAINS, ids=[kpi.id]).set_index(["scope_type", "scope_key"])
    for row in content["expected"]:
        found = table.loc[(row["scope_type"], row["scope_key"])]
        assert found["numerator"] == row["numerator"]
        if row["denominator"] is None:
            assert found["value"] == row["numerator"]
            continue
        assert found["denominator"] == row["denominator"]
        if row["denominator"] == 0:
            assert found["value"] != found["value"]
            assert found["note"] == kpi.undefined
        else:
            assert found["value"] == pytest.approx(row["numerator"] / row["denominator"] * kpi.scale, rel=1e-12)
    assert table["definition"].str.fullmatch(rf"{kpi.id}@[0-9a-f]{{8}}").all()
    defined = table["value"].notna() & table["low"].notna()
    assert (table.loc[defined, "low"] <= table.loc[defined, "value"]).all()
    assert (table.loc[defined, "value"] <= table.loc[defined, "high"]).all()


def check_table(table: pd.DataFrame, expected: list[dict[str, Any]]) -> None:
    for row in expected:
        chosen = pd.Series(True, index=table.index)
        for name, value in row["where"].items():
            chosen &= table[name] == value
        (found,) = table[chosen].to_dict("records")
        for name, value in row.items():
            if name == "where":
                continue
            if value is None:
                assert pd.isna(found[name])
                assert found["note"]
            else:
                assert found[name] == pytest.approx(value, rel=1e-9)


def test_every_kpi_has_a_worked_example() -> None:
    assert without_example(KPIS, FOLDER) == set()
    assert {path.parent.name for path in EXAMPLES} <= set(KPIS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_kpi_is_what_the_hand_calculation_says(path: Path) -> None:
    check(KPIS[path.parent.name], example(path))


def test_every_table_of_the_dictionary_leads_to_its_function() -> None:
    assert {kpi.measure for kpi in KPIS.values() if kpi.kind == "table"} == set(TABLE_MEASURES)


TOY = Kpi(
    id="X1",
    names=("Paying share of reached", "Tỷ lệ trả trên hồ sơ đã tiếp cận"),
    formula=("attempts / accounts assigned", "số lần tác nghiệp / số hồ sơ được giao"),
    population=("accounts assigned", "hồ sơ được giao"),
    grain=("scope x period", "phạm vi x kỳ"),
    numerator=("attempts", "số lần tác nghiệp"),
    denominator=("accounts assigned", "số hồ sơ được giao"),
    unit="per_account",
    better="context",
    base="reach",
    counted=("attempts",),
    over=("assigned",),
    undefined="no account assigned",
    source="a house of its own",
)
TOY_EXAMPLE = """
note: Two attempts on a, none on b, 2 / 2 = 1 attempt per account assigned.
as_of: 2026-06-30
period: {start: 2026-06-01, end: 2026-06-30}
tables:
  month_end: |
    account_key, month_end, unit_key
    a, 2026-05-31, t1
    b, 2026-05-31, t1
  contact: |
    account_key, local_ts
    a, 2026-06-01 09:00:00
    a, 2026-06-02 09:00:00
expected:
  - {scope_type: company, scope_key: all, numerator: 2, denominator: 2}
"""


def test_a_ratio_kpi_is_one_record_and_one_worked_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KPIS, "X1", TOY)
    assert without_example(KPIS, FOLDER) == {"X1"}
    (tmp_path / "X1").mkdir()
    (tmp_path / "X1" / "example.yml").write_text(TOY_EXAMPLE)
    assert without_example({"X1": TOY}, tmp_path) == set()
    check(TOY, example(tmp_path / "X1" / "example.yml"))
    # With nothing else it is counted in the whole table, told in the dictionary, and takes part in everything that goes through the records.
    table = kpi_table(facts_of(example(tmp_path / "X1" / "example.yml")), grains=("company",))
    assert table.loc[table["kpi"] == "X1", "value"].tolist() == [1.0]
    assert dictionary(KpiWindows(), lang="vi", ids=("X1",))["name"].tolist() == [TOY.names[1]]
    assert TOY in kpis()
