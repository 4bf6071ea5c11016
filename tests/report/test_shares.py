"""Shares that cannot be are found among all recorded numbers, whatever made them, and stop the page."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from collect_analysis.measures.kpis import KPIS
from collect_analysis.report.disclosure import NoPeople
from collect_analysis.report.recording import Decision, RunRecorder
from collect_analysis.report.shares import BEYOND, WHOLES, Shares

PARAMETERS = SimpleNamespace(report="kpi_period", name="d", lang="en", audience="managers", min_cell=5, as_json=dict)
FAIR = {"value": 0.25, "low": 0.2, "high": 0.3, "numerator": 25, "denominator": 100}
WHOLE = NoPeople("whole scopes")


def faults(where: str = "kpi", *, unit: str = "share", kpi: str = "", **row: object) -> list[str]:
    shares = Shares()
    shares.look(where, pd.DataFrame([{**FAIR, **row}]), unit=unit, kpi=kpi)
    return [broken.fault for broken in shares.broken]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({}, []),
        ({"value": 1.52, "high": 1.6}, ["outside", "limits"]),
        ({"value": -0.01, "low": -0.1}, ["outside", "limits"]),
        ({"value": 0.25, "low": 0.26}, ["limits"]),
        ({"value": 0.25, "high": 0.24}, ["limits"]),
        ({"high": 1.2}, ["limits"]),
        ({"numerator": 101}, ["part"]),
        ({"previous": 2.5}, ["outside"]),
        ({"numerator": -1}, ["part"]),
        ({"value": np.nan, "low": np.nan, "high": np.nan, "numerator": 2, "denominator": 0}, []),
        ({"low": np.nan, "high": np.nan, "numerator": np.nan, "denominator": np.nan}, []),
        ({"value": 1 + 1e-12, "high": 1 + 1e-12, "numerator": 100, "denominator": 100}, []),
    ],
)
def test_a_share_lies_in_its_limits_and_a_part_in_its_whole(row: dict[str, float], found: list[str]) -> None:
    assert faults(**row) == found


def test_what_is_no_share_is_left_alone() -> None:
    assert faults(unit="minor", value=250.0, low=300.0) == []
    assert faults(unit="ratio", value=1.4, high=2.0) == []


@pytest.mark.parametrize("kpi", ["F2", "R2", "R3", "R14", "R17", "C11"])
def test_a_kpi_that_may_exceed_its_whole_says_so_in_its_record(kpi: str) -> None:
    assert KPIS[kpi].outside[0]
    assert faults(kpi=kpi, value=1.04, high=1.1, numerator=104) == []
    # Its limits still stand around its value.
    assert faults(kpi=kpi, value=1.04, high=1.01, numerator=104) == ["limits"]


@pytest.mark.parametrize("kpi", ["F1-balance", "R9", "R11", "C8", "C9", "F5", "Q6"])
def test_every_other_kpi_that_is_a_share_is_held_to_it(kpi: str) -> None:
    assert faults(kpi=kpi, value=2.5, high=2.6, numerator=250) == ["outside", "limits"]


def test_the_record_of_a_kpi_does_not_contradict_itself() -> None:
    for kpi in KPIS.values():
        assert kpi.unit == "share" or not kpi.outside[0]
        assert not (kpi.outside[0] and (kpi.part or kpi.interval == "cases"))
        assert bool(kpi.outside[0]) == bool(kpi.outside[1])


def test_the_unit_of_a_row_goes_before_that_of_the_table() -> None:
    table = pd.DataFrame([{**FAIR, "unit": "minor", "value": 7.0, "high": 9.0}, {**FAIR, "unit": "share", "value": 7.0, "high": 9.0}])
    shares = Shares()
    shares.look("rows", table)
    assert (shares.seen, [broken.fault for broken in shares.broken]) == (1, ["outside", "limits"])


def test_a_value_that_is_its_numerator_over_its_denominator_is_a_share_without_a_word() -> None:
    table = pd.DataFrame({"unit_key": ["u"], "numerator": [152.0], "denominator": [100.0], "value": [1.52]})
    shares = Shares()
    shares.look("attributed", table)
    assert [broken.fault for broken in shares.broken] == ["outside"]
    other = Shares()
    other.look("prices", table.assign(value=3.0))
    assert (other.seen, other.broken) == (0, [])


def test_columns_called_shares_are_shares() -> None:
    shares = Shares()
    shares.look("segments", pd.DataFrame({"random_share": [0.2, 1.3], "placed_share": [0.4, 0.6]}))
    assert [(broken.column, broken.numbers) for broken in shares.broken] == [("random_share", (1.3,))]


def test_shares_of_one_whole_add_up_and_hidden_ones_are_not_guessed() -> None:
    rows = pd.DataFrame(
        {"version": ["count"] * 3, "from_bucket": [1] * 3, "to": ["1", "2", "paid_off"], "value": [0.5, 0.3, 0.2], "numerator": [5, 3, 2]}
    )
    for value, found in ((0.2, []), (0.4, ["whole"]), (np.nan, [])):
        shares = Shares()
        rows.loc[2, "value"] = value
        shares.look("roll_matrix", rows)
        assert [broken.fault for broken in shares.broken] == found


def test_the_first_is_told_with_table_labels_and_numbers() -> None:
    shares = Shares()
    table = pd.DataFrame(
        [{**FAIR, "kpi": "R9", "scope_type": "unit", "scope_key": "t1"}, {**FAIR, "kpi": "R11", "scope_type": "unit", "scope_key": "t2"}]
    )
    shares.look("kpi", table.assign(value=[0.25, 1.52], high=[0.3, 1.6]), unit="share")
    assert (shares.broken[0].where, shares.broken[0].labels, shares.broken[0].numbers) == ("kpi", "R11 unit t2", (1.52,))


def recorded(folder: Path, **row: object) -> list[dict[str, object]]:
    record = RunRecorder(PARAMETERS, str(folder))
    table = pd.DataFrame([{**FAIR, "cases": 100, "kpi": "R9"}, {**FAIR, "cases": 100, "kpi": "R11", **row}])
    record.measures("kpi", table, people="cases", unit="share")
    record.decide(Decision(question="?", answer="!", confidence="", grade="D"))
    record.finish()
    checks: list[dict[str, object]] = json.loads((folder / "results.json").read_text(encoding="utf-8"))["checks"]
    return checks


def test_a_page_with_a_share_that_cannot_be_is_not_for_decision(tmp_path: Path) -> None:
    (check,) = recorded(tmp_path, value=1.52, high=1.6)
    assert (check["passed"], check["blocking"]) == (False, True)
    assert str(check["detail"]).startswith("2 of 2 recorded shares cannot be; the first: kpi, R11 (value): 1.52 lies outside 0 to 1.")


def test_a_sound_page_says_nothing_of_it(tmp_path: Path) -> None:
    assert recorded(tmp_path) == []


def test_what_is_hidden_is_neither_judged_nor_told(tmp_path: Path) -> None:
    assert recorded(tmp_path, value=1.52, high=1.6, cases=3) == []


def test_a_table_is_held_to_it_as_a_measure_is(tmp_path: Path) -> None:
    record = RunRecorder(PARAMETERS, str(tmp_path))
    record.table("channel_mix", pd.DataFrame({"unit_key": ["u"], "numerator": [3], "denominator": [2], "value": [1.5]}), people=WHOLE)
    (check,) = record.as_json()["checks"]  # type: ignore[misc]
    assert "channel_mix, u (value): 1.5 lies outside 0 to 1" in check["detail"]  # type: ignore[index]


def test_every_exception_is_of_a_name_that_is_recorded_and_says_why() -> None:
    sources = [*Path("notebooks").glob("*.ipynb"), *Path("lib/collect_analysis/reporting").rglob("*.py")]
    said = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.name != "shares.py")
    for name in {key.partition(".")[0] for key in BEYOND} | set(WHOLES):
        assert f'"{name}"' in said or f'\\"{name}\\"' in said, name
    assert all(BEYOND.values())


def test_a_whole_of_which_a_small_row_was_taken_out_is_no_fault() -> None:
    keys = {"product_code": "card", "vintage": "2024", "from_bucket": "1"}
    counts = {"0": 746, "2": 140, "3": 4}
    cells = pd.DataFrame([{**keys, "to": to, "numerator": n, "denominator": 890, "value": n / 890} for to, n in counts.items()])
    shares = Shares()
    shares.look("transitions", cells[cells["numerator"] > 10].reset_index(drop=True), before=cells)
    assert not shares.broken
    wrong = cells.assign(value=cells["value"] * 0.99)
    shares.look("transitions", wrong, before=wrong)
    assert [broken.fault for broken in shares.broken] == ["whole"]
