"""The attack on published runs finds what can be subtracted where it is left open, and nothing in what the recorder lets out."""

from types import SimpleNamespace

import pandas as pd
import pytest
from collect_analysis.report.recording import RunRecorder

from tests.reports.subtraction import Attack, Published

SMALL, WITHHELD = "suppressed: fewer than 10 cases", "suppressed: with it a small cell could be computed"
KPIS = [f"R{number}" for number in range(1, 8)]


def company_and_units() -> pd.DataFrame:
    """Seven KPIs of a company and its three units; one unit has three accounts behind one of the KPIs."""
    rows = []
    for place, kpi in enumerate(KPIS):
        parts = {"tele-1": 400 + place, "tele-2": 80 + 3 * place, "tele-3": 3 if kpi == "R4" else 20 + 2 * place}
        money = {unit: 1_000_000.0 * count + 37 * place for unit, count in parts.items()}
        rows.append(
            {"kpi": kpi, "scope_type": "company", "scope_key": "all", "cases": sum(parts.values()), "paid_minor": sum(money.values())}
        )
        rows += [{"kpi": kpi, "scope_type": "unit", "scope_key": unit, "cases": parts[unit], "paid_minor": money[unit]} for unit in parts]
    return pd.DataFrame(rows)


def hidden(table: pd.DataFrame, rows: pd.Series, note: str) -> pd.DataFrame:
    before = table["note"] if "note" in table else pd.Series("", index=table.index)
    table = table.assign(note=before.mask(rows, note), **{name: table[name].astype(float).mask(rows) for name in ("cases", "paid_minor")})
    return table


def recorded(*tables: tuple[str, pd.DataFrame]) -> Published:
    asked = {"report": "kpi_period", "name": "shop", "lang": "en", "audience": "managers", "min_cell": 10, "as_json": dict}
    record = RunRecorder(SimpleNamespace(**asked))
    return Published.of({name: record.table(name, table, people="cases") for name, table in tables})


def test_a_single_hidden_part_is_had_back_with_its_money() -> None:
    table = company_and_units()
    small = table["cases"] == 3
    claims = Attack(Published.of({"kpis": hidden(table, small, SMALL)})).claims()
    row = int(small.idxmax())
    assert {claim.cell: claim.value for claim in claims} == pytest.approx(
        {("kpis", row, "cases"): 3, ("kpis", row, "paid_minor"): table.loc[row, "paid_minor"]}
    )


def test_two_hidden_parts_are_not_had_back_unless_another_table_tells_one() -> None:
    table = company_and_units()
    small, beside = table["cases"] == 3, (table["kpi"] == "R4") & (table["scope_key"] == "tele-2")
    page = hidden(hidden(table, small, SMALL), beside, WITHHELD)
    assert not Attack(Published.of({"kpis": page})).claims()
    tele = table[table["scope_key"] == "tele-2"].rename(columns={"scope_key": "unit_key"}).drop(columns="scope_type")
    assert Attack(Published.of({"kpis": page, "tele": tele.assign(note="")})).claims()


def test_what_the_recorder_lets_out_tells_no_small_row() -> None:
    table = company_and_units()
    tele = table[table["scope_type"] == "unit"].rename(columns={"scope_key": "unit_key"}).drop(columns="scope_type").reset_index(drop=True)
    totals = table[table["scope_type"] == "company"].drop(columns=["scope_type", "scope_key"]).reset_index(drop=True)
    published = recorded(("kpis", table), ("units", tele), ("totals", totals))
    assert sum(int(rows.sum()) for rows in published.small.values()) == 2
    assert not Attack(published).claims()
