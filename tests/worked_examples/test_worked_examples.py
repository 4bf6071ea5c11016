"""Every KPI of the dictionary on a few rows that can be followed by hand: the note of each example is the calculation."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from collect_analysis.book.policy import in_force, policy
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.kpi_table import Facts, kpi_table
from collect_analysis.measures.kpis import KPIS
from collect_analysis.measures.periods import KpiWindows, Period

from tests.small_book import book_of

FOLDER = Path(__file__).parent
EXAMPLES = sorted(FOLDER.glob("*/example.yml"))
GRAINS = ("company", "unit", "officer")


def example(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_every_kpi_has_a_worked_example() -> None:
    assert {path.parent.name for path in EXAMPLES} == set(KPIS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_kpi_is_what_the_hand_calculation_says(path: Path) -> None:
    content = example(path)
    kpi = KPIS[path.parent.name]
    period = Period(content["period"]["start"], content["period"]["end"])
    windows = KpiWindows.of(policy("kpi_windows", on=period.end))
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=period.previous.start, end=period.end)]
    book = book_of(content["tables"], as_of=content["as_of"])
    facts = Facts(book, period, windows=windows, limits=limits)
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
    assert isinstance(content["as_of"], date)
    assert table["definition"].str.fullmatch(rf"{kpi.id}@[0-9a-f]{{8}}").all()
    defined = table["value"].notna() & table["low"].notna()
    assert (table.loc[defined, "low"] <= table.loc[defined, "value"]).all()
    assert (table.loc[defined, "value"] <= table.loc[defined, "high"]).all()
