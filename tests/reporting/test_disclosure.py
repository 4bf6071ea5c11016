"""What may leave a run: small rows keep nothing but public labels, and nothing that was hidden can be had back."""

from types import SimpleNamespace

import pandas as pd
import pytest
from collect_analysis.errors import DisclosureError
from collect_analysis.reporting import row_labels
from collect_analysis.reporting.disclosure import NoPeople, without_small_cells
from collect_analysis.reporting.results import RunRecorder

ROW = {"value": 0.5, "low": 0.1, "high": 0.9, "numerator": 2, "denominator": 4, "cases": 4, "balance_minor": 7_000_000, "previous": 0.6,
       "previous_cases": 40, "change": -0.1, "change_low": -0.5, "change_high": 0.3, "target": 0.7, "target_gap": -0.2, "late": True,
       "standing": "missed"}  # fmt: skip


def recorder(**more: object) -> RunRecorder:
    asked = {"report": "kpi_period", "name": "shop", "lang": "en", "audience": "managers", "min_cell": 10, "as_json": dict} | more
    return RunRecorder(SimpleNamespace(**asked))


def told(rows: list[dict[str, object]], people: object = "cases") -> pd.DataFrame:
    return without_small_cells(pd.DataFrame(rows), people, min_cell=10, name="kpis")  # type: ignore[arg-type]


def test_a_small_row_keeps_nothing_but_its_labels() -> None:
    shown = told([{"kpi": "R1", "unit_key": "ag-a", **ROW}, {"kpi": "R1", "unit_key": "ag-b", **ROW, "cases": 40}])
    assert shown.loc[0, ["kpi", "unit_key"]].tolist() == ["R1", "ag-a"]
    assert shown.loc[0, list(ROW)].isna().all()
    assert shown.loc[0, "note"] == "suppressed: fewer than 10 cases"
    assert shown.loc[1, "value"] == 0.5


def test_a_small_period_before_hides_itself_and_the_change() -> None:
    shown = told([{**ROW, "cases": 40, "previous_cases": 4}])
    assert shown.loc[0, ["previous", "previous_cases", "change", "change_low", "change_high"]].isna().all()
    assert shown.loc[0, ["value", "target_gap"]].tolist() == [0.5, -0.2]


def test_any_of_several_counts_hides_the_row() -> None:
    rows = [{"arm": "new", "cases": 400, "base_cases": 9, "value": 0.1}, {"arm": "old", "cases": 400, "base_cases": 0, "value": 0.1}]
    assert told(rows, ("cases", "base_cases"))["value"].isna().tolist() == [True, False]


def test_a_row_that_nobody_counted_is_hidden() -> None:
    shown = told([{"cases": None, "value": 0.5}, {"cases": None, "value": None}])
    assert shown["note"].tolist() == ["suppressed: nobody counted how many people are behind it", ""]


def test_a_table_of_too_few_people_is_hidden_whole() -> None:
    assert told([{"value": 0.5}, {"value": 0.1}], 9)["value"].isna().all()
    assert told([{"value": 0.5}], 10)["value"].notna().all()


def test_who_records_says_who_is_counted() -> None:
    table = pd.DataFrame({"unit_key": ["ag-a"], "cases": [40], "value": [0.5]})
    with pytest.raises(TypeError, match="people"):
        recorder().table("kpis", table)  # type: ignore[call-arg]
    with pytest.raises(DisclosureError, match="no column payers"):
        recorder().table("kpis", table, people="payers")
    with pytest.raises(DisclosureError, match=r"rests on no people|resting on no people but has column\(s\) cases"):
        recorder().table("kpis", table, people=NoPeople("it is a secret"))
    with pytest.raises(DisclosureError, match="gives no reason"):
        recorder().table("kpis", table.drop(columns="cases"), people=NoPeople(" "))


def test_a_hidden_label_is_told_only_where_it_is_a_public_code() -> None:
    rows = [
        {"scope_type": "portfolio", "scope_key": "vip-clients-of-the-director", **ROW},
        {"scope_type": "unit", "scope_key": "field-1", **ROW},
        {"scope_type": "bucket", "scope_key": "3", **ROW},
        {"scope_type": "portfolio", "scope_key": "vip-clients-of-the-director", **ROW, "cases": 40},
    ]
    assert told(rows)["scope_key"].tolist() == ["withheld-1", "field-1", "3", "vip-clients-of-the-director"]


@pytest.mark.parametrize(
    "label",
    [
        "NGUYEN VAN AN 0912345678",
        "pf-0912.345.678",
        "+84 912 345 678",
        "an.nguyen@example.com",
        "079123456789",
        "Trần Thị Bích",
        "le_van_c",
    ],
)
def test_a_label_that_looks_like_a_person_is_never_told(label: str) -> None:
    assert row_labels.looks_personal(label)
    table = pd.DataFrame({"portfolio_code": [label, "cards-2024"], "cases": [400, 300], "value": [0.5, 0.4]})
    record = recorder()
    shown = record.table("portfolios", table, people="cases")
    assert shown["portfolio_code"].tolist() == ["masked-1", "cards-2024"]
    record.measures("share", table, people="cases", by=["portfolio_code"])
    assert label not in str(record.as_json())


@pytest.mark.parametrize(
    "label",
    [
        "cards-2024",
        "2026-06-30",
        "15.344.841 VND",
        "first-181_360-large-high",
        "exp-small-challenger",
        "20260630",
        "Hanoi to Hue",
    ],
)
def test_an_ordinary_code_is_no_person(label: str) -> None:
    assert not row_labels.looks_personal(label)
