"""What may leave a run: small rows keep nothing but public labels, and nothing that was hidden can be had back."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from collect_analysis.errors import DisclosureError
from collect_analysis.report import row_labels
from collect_analysis.report.recording import Decision, NoPeople, RunRecorder

ROW = {"value": 0.5, "low": 0.1, "high": 0.9, "numerator": 2, "denominator": 4, "cases": 4, "balance_minor": 7_000_000, "previous": 0.6,
       "previous_cases": 40, "change": -0.1, "change_low": -0.5, "change_high": 0.3, "target": 0.7, "target_gap": -0.2, "late": True,
       "standing": "missed"}  # fmt: skip


def recorder(**more: object) -> RunRecorder:
    asked = {"report": "kpi_period", "name": "shop", "lang": "en", "audience": "managers", "min_cell": 10, "as_json": dict} | more
    return RunRecorder(SimpleNamespace(**asked))


def told(rows: list[dict[str, object]], people: object = "cases") -> pd.DataFrame:
    return recorder().table("kpis", pd.DataFrame(rows), people=people)  # type: ignore[arg-type]


def test_a_small_row_keeps_nothing_but_its_labels() -> None:
    shown = told([{"kpi": "R1", "unit_key": "ag-a", **ROW}, {"kpi": "R1", "unit_key": "ag-b", **ROW, "cases": 40, "value": 0.4}])
    assert shown.loc[0, ["kpi", "unit_key"]].tolist() == ["R1", "ag-a"]
    assert shown.loc[0, list(ROW)].isna().all()
    assert shown.loc[0, "note"] == "suppressed: fewer than 10 cases"
    assert shown.loc[1, "value"] == 0.4


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


def test_a_column_that_names_rows_elsewhere_is_hidden_where_it_counts() -> None:
    """`better` says which way a KPI is good; among winners and losers it is how many officers gain."""
    shown = told([{"unit_key": "tele-1", "cases": 4, "better": 3}, {"unit_key": "tele-2", "cases": 40, "better": 3}])
    assert shown["better"].isna().tolist() == [True, False]
    assert told([{"kpi": "R1", "cases": 4, "better": "up"}])["better"].tolist() == ["up"]


WITHHELD = "suppressed: with it a small cell could be computed"


def test_a_total_less_its_visible_parts_tells_no_small_one() -> None:
    rows = [
        {"scope_type": kind, "scope_key": key, "cases": cases, "numerator": paid, "value": paid / cases}
        for kind, key, cases, paid in (
            ("company", "all", 483, 90),
            ("unit", "tele-1", 400, 80),
            ("unit", "tele-2", 80, 9),
            ("unit", "tele-3", 3, 1),
        )
    ]
    shown = told(rows)
    assert shown["cases"].fillna(0).tolist() == [483, 400, 0, 0]
    assert shown["note"].tolist() == ["", "", WITHHELD, "suppressed: fewer than 10 cases"]


def test_another_table_of_the_same_people_tells_it_neither() -> None:
    record = recorder()
    first = pd.DataFrame({"unit_key": ["tele-1", "tele-2", "tele-3"], "cases": [400, 80, 3], "collected_minor": [9_000, 5_000, 700]})
    assert record.table("cash", first, people="cases")["note"].tolist() == ["", "", "suppressed: fewer than 10 cases"]
    # The same money by product, and a total: 14,700 less 14,000 would be the 700 of three debtors.
    total = pd.DataFrame({"cases": [483], "collected_minor": [14_700]})
    assert record.table("total", total, people="cases")["note"].tolist() == [WITHHELD]
    again = pd.DataFrame({"unit_key": ["tele-1", "tele-3"], "accounts": [400, 3], "collected_minor": [9_000, 700]})
    assert record.table("again", again, people="accounts")["collected_minor"].fillna(0).tolist() == [9_000, 0]


def test_a_rate_times_its_denominator_is_a_numerator_that_adds_up() -> None:
    """No numerator is recorded; rate times cases is one."""
    rows = pd.DataFrame({"bucket": ["all", "1", "2", "3"], "cases": [500, 400, 95, 5], "value": [0.3, 0.2, 0.7, 0.7 * 0.95]})
    rows.loc[0, "value"] = (rows["cases"] * rows["value"])[1:].sum() / 500
    shown = recorder().table("rates", rows, people="cases")
    assert shown["value"].notna().tolist() == [True, True, False, False]


def test_a_sum_so_far_tells_no_small_step() -> None:
    days = pd.DataFrame({"date": ["2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04"], "payers": [40, 3, 50, 60]})
    days["collected_minor"] = [4_000.0, 350.0, 5_100.0, 6_200.0]
    days["cumulative_minor"] = days["collected_minor"].cumsum()
    shown = recorder().table("pace", days, people="payers")
    assert shown["collected_minor"].notna().tolist() != [True, False, True, True]
    visible = shown["cumulative_minor"].notna()
    # No two neighbours of the hidden day are both told.
    assert not (visible[0] and visible[2] and shown["collected_minor"].notna()[2])


def test_shares_of_one_leave_no_last_one() -> None:
    rows = pd.DataFrame({"arm": ["a", "b", "c"], "cases": [600, 392, 8], "share": [0.6, 0.392, 0.008]})
    assert recorder().table("arms", rows, people="cases")["share"].notna().tolist() == [True, False, False]


def test_people_whom_the_parts_leave_out_are_not_told_by_the_gap() -> None:
    rows = pd.DataFrame(
        {
            "scope_type": ["company", "portfolio", "portfolio"],
            "scope_key": ["all", "cards", "loans"],
            "cases": [500, 300, 197],
            "balance_minor": [5_000, 3_100, 1_870],
        }
    )
    shown = recorder().table("kpis", rows, people="cases")
    assert shown["balance_minor"].notna().tolist() == [True, True, False]


def test_measures_and_the_table_they_come_from_hide_the_same_rows() -> None:
    record = recorder()
    rows = pd.DataFrame(
        {
            "scope_type": ["company", "unit", "unit"],
            "scope_key": ["all", "a", "b"],
            "cases": [104, 100, 4],
            "value": [0.5, 0.49, 0.75],
            "kpi": "F1",
        }
    )
    record.measures("kpi", rows, people="cases", by=["scope_type", "scope_key"])
    shown = record.table("kpis", rows, people="cases")
    assert [item.value for item in record._measures] == [0.5, None, None]
    assert shown["value"].notna().tolist() == [True, False, False]


def record_small_rest(folder: Path) -> RunRecorder:
    record = RunRecorder(recorder().parameters, run_dir=str(folder))
    record.table("units", pd.DataFrame({"unit_key": ["a", "b"], "cases": [300, 197]}), people="cases")
    record.table("whole", pd.DataFrame({"cases": [500]}), people="cases")
    record.table("rest", pd.DataFrame({"unit_key": ["a", "b", "c"], "cases": [300, 197, 3]}), people="cases")
    record.decide(Decision(question="q", answer="a", confidence="c", grade="C"))
    return record


def test_what_is_shown_already_cannot_be_hidden_later_so_the_run_begins_again_with_more_hidden(tmp_path: Path) -> None:
    (tmp_path / ".scratch").mkdir()
    with pytest.raises(DisclosureError, match="run it again"):
        record_small_rest(tmp_path).finish()
    again = record_small_rest(tmp_path)
    again.finish()
    shown = {name: pd.read_csv(tmp_path / "tables" / f"{name}.csv")["cases"].fillna(0).tolist() for name in ("units", "whole", "rest")}
    assert shown == {"units": [300, 197], "whole": [0], "rest": [300, 197, 0]}


def test_a_run_that_tells_something_else_the_second_time_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".scratch").mkdir()
    with pytest.raises(DisclosureError, match="run it again"):
        record_small_rest(tmp_path).finish()
    again = RunRecorder(recorder().parameters, run_dir=str(tmp_path))
    with pytest.raises(DisclosureError, match="tell the same twice"):
        again.table("whole", pd.DataFrame({"cases": [500]}), people="cases")


def test_how_many_rows_are_hidden_is_recorded() -> None:
    record = recorder()
    record.table("kpis", pd.DataFrame({"bucket": ["all", "1", "2", "3"], "cases": [500, 400, 95, 5]}), people="cases")
    assert record.as_json()["hidden"] == {"rows": 4, "small": 1, "withheld": 1}
