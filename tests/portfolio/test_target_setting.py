"""Target setting end to end: what is told to whom, planted expectation, and the signed sheet that comes back as the target of R14."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from collect_analysis import cli
from collect_analysis.book.intake import import_source
from collect_analysis.book.store import Book, open_book, read_manifest
from collect_analysis.errors import DataError, DisclosureError, ParameterError
from collect_analysis.measures.kpi_table import Facts, kpi_table
from collect_analysis.measures.periods import Period
from collect_analysis.measures.recovery import targets
from collect_analysis.methods.evidence import Condition
from collect_analysis.portfolio.target_setting import figures, page as findings, page_decision, page_views
from collect_analysis.portfolio.target_setting.decision_fitness import verdict_of
from collect_analysis.portfolio.target_setting.page import Setting
from collect_analysis.portfolio.target_setting.parameters import TargetSetting
from collect_analysis.portfolio.target_sheet import COLUMNS, row_hash, verify
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import RunRecorder

NOW = datetime(2026, 7, 1, tzinfo=UTC)
JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
MAPPING = Path("parameters/sources/target_sheet.yml")


def parameters(**changes: Any) -> TargetSetting:
    values = {"name": "t", "book": "sample", "as_of": "2026-05-31", "period_start": "2026-06-01", "period_end": "2026-06-30", "draws": 1000}
    return validate(TargetSetting, {**values, **changes}, where="test")


@pytest.fixture(scope="module")
def may(sample_book: Path) -> Book:
    """The shop on the day before June."""
    return open_book("sample", as_of=date(2026, 5, 31), folder=sample_book)


@pytest.fixture(scope="module")
def june(may: Book) -> Setting:
    return findings.set_target(may, parameters())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period_start": "2026-05-01", "period_end": "2026-05-31"}, "not after as_of 2026-05-31; a target is set before its period"),
        ({"period_end": "2026-06-29"}, "not of whole months"),
        ({"period_end": "2026-09-30"}, "longer than a quarter"),
        ({"top_down_minor": 5, "top_down_role": "transferor"}, "both name a number from above"),
        ({"write_officers": True}, "needs `audience: team_leads`"),
        ({"ramp": [0.7, 0.5]}, "ramp must rise"),
        ({"frozen_on": "2026-06-15"}, "freeze the accounts before"),
        ({"strech": 1.1}, "did you mean 'stretch'"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)


def test_a_book_with_too_short_a_history_is_refused_with_what_is_missing(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2024, 11, 30), folder=sample_book)
    with pytest.raises(DataError, match="3 usable months before 2024-12-01"):
        findings.set_target(book, parameters(as_of="2024-11-30", period_start="2024-12-01", period_end="2024-12-31"))


def test_targets_of_officers_units_and_sub_functions_add_up_to_the_company_exactly(june: Setting) -> None:
    leaves = june.plan.leaves
    table = findings.scopes_of(june, officers=True)
    totals = table.groupby("scope_type")["target_minor"].sum()
    assert totals["company"] == totals["sub_function"] == totals["unit"] == june.plan.target
    staffed = set(table.loc[table["scope_type"] == "officer", "parent"])
    units = table[(table["scope_type"] == "unit") & table["scope_key"].isin(staffed)]
    assert totals["officer"] == units["target_minor"].sum()
    assert not leaves["officer_key"].duplicated(keep=False)[leaves["officer_key"] != "unassigned"].any()
    assert (leaves["target"] % 100_000 == 0).all()


def test_the_forecast_agrees_with_what_the_shop_was_made_to_expect(may: Book, june: Setting) -> None:
    # Table target holds the true expectation of June as its median, by unit; it knows the entries of June, the forecast does not.
    target = may.table("target")
    planted = may.frame(target.filter(target.kpi == "R1", target.period_start == JUNE.start, target.scope_type == "unit"))
    true = planted.set_index("scope_key")["p50"]
    ours = june.plan.units.set_index("unit_key")["expected"].reindex(true.index)
    assert np.log(ours.sum() / true.sum()) == pytest.approx(0, abs=0.1)
    assert np.corrcoef(np.log(ours), np.log(true))[0, 1] > 0.98


def test_the_chances_told_in_past_months_came_true_about_as_often(june: Setting) -> None:
    table = june.calibration.set_index(["scope_type", "kind", "chance"])
    for (scope, kind, chance), row in table.iterrows():
        # Months of one unit are alike: the interval is a little wider than Wilson's.
        assert row["low"] - 0.05 <= chance <= row["high"] + 0.05, (scope, kind, chance)


def test_a_team_has_less_luck_than_the_sum_of_its_officers(june: Setting) -> None:
    company = june.plan.forecast([]).iloc[0]
    assert company["p80"] < company["sum_p80"]
    chances = june.plan.forecast(["unit_key"])["p_reach"]
    assert june.plan.chance_of(0) == 1.0
    assert chances.between(0, 1).all()


def test_a_number_from_above_that_is_too_high_is_negotiated_with_its_gap(june: Setting) -> None:
    from dataclasses import replace

    high = replace(june.terms, top_down=june.plan.at_chance(0.01))
    verdict = verdict_of(june.plan, june.found, high)
    assert verdict.action == "renegotiate"
    assert "top_down_high" in verdict.reasons
    assert verdict.gap == pytest.approx(verdict.asked - june.plan.at_chance(0.2))
    easy = replace(june.terms, top_down=june.plan.at_chance(0.6))
    assert "top_down_high" not in verdict_of(june.plan, june.found, easy).reasons


def test_without_enough_history_no_target_is_told(may: Book, june: Setting) -> None:
    from dataclasses import replace

    short = replace(june, found=[Condition(name="target_history", met=False, details={"months": 5, "least": 8})])
    params = parameters()
    assert findings.scopes_of(short)[["target_minor", "p_reach"]].isna().all().all()
    assert findings.sheet_of(may, short, params).empty
    made = page_decision.decision_of(short, params, may, digest="0" * 64)
    assert made.grade == "none"
    assert made.forecast == {}
    assert "Load earlier month ends" in made.answer


def told(setting: Setting, book: Book, params: TargetSetting) -> list[str]:
    """Every table and sentence of the page."""
    record, lang = RunRecorder(params), params.lang
    scopes = record.table("scopes", findings.scopes_of(setting), people="accounts")
    rows, digest = findings.write_sheet(record, book, setting, params)
    made = page_decision.decision_of(setting, params, book, digest=digest)
    shown = [
        page_views.forecast(scopes, params, book), page_views.reconciliation(findings.reconciliation_of(setting), params, book),
        page_views.together(scopes, params, book), page_views.season(findings.season_of(setting), params), page_views.days(findings.days_of(setting), params),
        page_views.entries(findings.entries_of(setting), params, book), page_views.capacity(findings.capacity_of(setting), params, book),
        page_views.curves(setting.plan.curves, params), page_views.calibration(setting.calibration, params), page_views.fairness(setting.fairness, params),
        page_views.officers(findings.officers_of(record, setting, params), params, book), page_views.sheet(rows, digest, params, book),
    ]  # fmt: skip
    figures.against_target(page_views.against_target(scopes, params, book), lang=lang)
    figures.past_forecasts(page_views.figure_months(setting.backtest), lang=lang, currency=book.currency)
    conditions = [item.detail for item in page_decision.conditions(setting, params, book)]
    return [*(table.as_text() for table in shown), made.question, made.answer, made.confidence, *made.caveats, *conditions]


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_speaks_its_language_and_shows_no_officer_to_managers(june: Setting, may: Book, lang: str) -> None:
    text = "\n".join(told(june, may, parameters(lang=lang)))
    assert not any(mark in text for mark in ("{", "}", "nan", "None", "off-"))
    own, other = {"en": ("Chance to reach it", "Khả năng đạt"), "vi": ("Khả năng đạt", "Chance to reach it")}[lang]
    assert own in text
    assert other not in text


def test_officers_are_listed_for_team_leads_and_refused_to_managers(june: Setting, may: Book) -> None:
    assert "off-" in "\n".join(told(june, may, parameters(audience="team_leads")))
    with pytest.raises(DisclosureError):
        RunRecorder(parameters()).table("officers", findings.scopes_of(june, officers=True), people="accounts")


@pytest.fixture
def signed_book(sample_book: Path, may: Book, june: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shop beside the sheets of a team leads' run, not yet signed."""
    shutil.copytree(sample_book / "sample", tmp_path / "books" / "sample")
    run = tmp_path / "targets"
    run.mkdir()
    params = parameters(audience="team_leads", write_officers=True)
    findings.write_sheet(RunRecorder(params, str(run)), may, june, params)
    (run / "lists" / "target_sheet_officers.csv").rename(run / "target_sheet_officers.csv")
    monkeypatch.setenv("COLLECT_TARGETS", str(run))
    return tmp_path


def load(folder: Path) -> Book:
    report = import_source(MAPPING, books=folder / "books", now=NOW)
    assert report.reasons == ()
    return open_book("sample", as_of=date(2026, 6, 30), folder=folder / "books")


def test_a_signed_sheet_comes_back_as_the_target_of_attainment_to_the_unit(signed_book: Path) -> None:
    rows = []
    for path in sorted((signed_book / "targets").glob("target_sheet*.csv")):
        sheet = pd.read_csv(path, dtype=str).assign(approver="director", signed_at="2026-05-31")
        verify(sheet.fillna(""))
        sheet.to_csv(path, index=False)
        rows.append(sheet)
    sheet = pd.concat(rows, ignore_index=True)
    assert set(sheet["version"]) == {"2"}
    book = load(signed_book)
    keys = ["scope_type", "scope_key"]
    attained = kpi_table(Facts(book, JUNE), grains=("company", "sub_function", "unit", "officer"), ids=("R1", "R14")).set_index(
        ["kpi", *keys]
    )
    signed = sheet.set_index(keys)["target_minor"].astype("int64")
    for key, target in signed.items():
        row = attained.loc[("R14", *key)]
        assert row["denominator"] == target, key
        assert row["numerator"] == attained.loc[("R1", *key), "value"], key
    assert len(signed) > 40


def test_an_unsigned_sheet_is_a_draft_and_measures_nobody(signed_book: Path, may: Book) -> None:
    before = targets(may, JUNE, grains=("company", "unit"))
    book = load(signed_book)
    pd.testing.assert_frame_equal(targets(book, JUNE, grains=("company", "unit")), before)
    table = book.table("target")
    drafts = book.frame(table.filter(table.status == "draft").group_by("status").agg(rows=table.filter(table.status == "draft").count()))
    assert drafts["status"].tolist() == ["draft"]


def test_who_may_not_sign_signs_nothing(signed_book: Path) -> None:
    path = signed_book / "targets" / "target_sheet.csv"
    pd.read_csv(path, dtype=str).assign(approver="somebody", signed_at="2026-05-31").to_csv(path, index=False)
    with pytest.raises(DataError, match="somebody"):
        import_source(MAPPING, books=signed_book / "books", now=NOW)


def sign(path: Path, *, approver: str = "director", signed_at: str = "2026-05-31") -> pd.DataFrame:
    rows = pd.read_csv(path, dtype=str, keep_default_na=False).assign(approver=approver, signed_at=signed_at)
    rows.to_csv(path, index=False)
    return rows


def collect_import(folder: Path, mapping: Path = MAPPING) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["import", str(mapping), "--books", str(folder / "books"), "--now", NOW.isoformat()])
    return int(ended.value.code or 0)


def targets_in(folder: Path) -> int:
    manifest = read_manifest(folder / "books" / "sample")
    return sum(load.rows_kept for load in manifest.active_loads if load.source.startswith("target_"))


def test_c5_a_signed_sheet_goes_through_the_command(signed_book: Path) -> None:
    rows = sum(len(sign(path)) for path in (signed_book / "targets").glob("target_sheet*.csv"))
    assert collect_import(signed_book) == 0
    assert targets_in(signed_book) == rows


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda rows: rows.assign(target_minor=["1", *rows["target_minor"][1:]], hash=["0000tampered0000", *rows["hash"][1:]]),
         "rows were changed after they were proposed (first: company all)"),
        (lambda rows: rows.assign(target_minor=["1", *rows["target_minor"][1:]]), "were changed after they were proposed"),
        (lambda rows: rows.assign(gates=""), "were changed after they were proposed"),
        (lambda rows: rows.assign(signed_at=""), "have an approver without a day"),
        (lambda rows: rows.assign(signed_at="soon"), "are signed on no day that has come"),
        (lambda rows: rows.assign(signed_at="2026-07-15"), "are signed on no day that has come"),
        (lambda rows: rows.assign(weight="50.0000", hash=[row_hash(row) for row in rows.assign(weight="50.0000").to_dict("records")]),
         "do not make 100"),
    ],
    ids=["tampered", "target", "rules", "no-day", "odd-day", "future", "weights"],
)  # fmt: skip
def test_c5_a_sheet_that_is_not_what_was_signed_ends_the_import_with_4(
    signed_book: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[pd.DataFrame], pd.DataFrame], told: str
) -> None:
    path = signed_book / "targets" / "target_sheet.csv"
    rows = spoil(sign(path))
    rows.to_csv(path, index=False)
    assert collect_import(signed_book) == 4
    assert told in capsys.readouterr().err
    assert targets_in(signed_book) == 0


def test_c5_a_sheet_with_a_row_left_out_or_without_its_hashes_is_refused(signed_book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = signed_book / "targets" / "target_sheet.csv"
    rows = sign(path)
    rows[rows["scope_type"] != "unit"].head(len(rows)).to_csv(path, index=False)
    fewer = rows.drop(index=rows.index[rows["scope_type"] == "unit"][0])
    fewer.to_csv(path, index=False)
    assert collect_import(signed_book) == 4
    assert "unit targets of" in capsys.readouterr().err
    rows.drop(columns="hash").to_csv(path, index=False)
    assert collect_import(signed_book) == 3
    assert "hash" in capsys.readouterr().err
    assert targets_in(signed_book) == 0


def test_c5_officers_must_add_up_to_their_units_across_files(signed_book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (signed_book / "targets").glob("target_sheet*.csv"):
        sign(path)
    officers = signed_book / "targets" / "target_sheet_officers.csv"
    rows = pd.read_csv(officers, dtype=str, keep_default_na=False)
    rows.iloc[1:].to_csv(officers, index=False)
    assert collect_import(signed_book) == 4
    assert "officer targets of" in capsys.readouterr().err


def test_c5_a_signed_workbook_is_verified_as_well(signed_book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = signed_book / "targets"
    text = MAPPING.read_text(encoding="utf-8").replace("source: target_sheet\n", "source: target_book\n")
    mapping = signed_book / "target_book.yml"
    workbook = text.replace('files: "target_sheet*.csv"', "files: target_sheet.xlsx")
    mapping.write_text(workbook.replace('format: {kind: csv, decimal: "."}', "format: {kind: excel, sheet: targets}"), encoding="utf-8")
    book = openpyxl.load_workbook(run / "target_sheet.xlsx")
    page = book["targets"]
    for row in page.iter_rows(min_row=2):
        row[COLUMNS.index("approver")].value, row[COLUMNS.index("signed_at")].value = "director", "2026-05-31"
    book.save(run / "target_sheet.xlsx")
    assert collect_import(signed_book, mapping) == 0, capsys.readouterr().err
    loaded = targets_in(signed_book)
    assert loaded > 0
    page.cell(row=2, column=COLUMNS.index("target_minor") + 1).value += 1
    book.save(run / "target_sheet.xlsx")
    assert collect_import(signed_book, mapping) == 4
    assert "changed after they were proposed (first: company" in capsys.readouterr().err
    assert targets_in(signed_book) == loaded


def test_the_workbook_is_read_back_as_the_text_file_is(signed_book: Path) -> None:
    run = signed_book / "targets"
    text = MAPPING.read_text(encoding="utf-8")
    excel = text.replace("source: target_sheet\n", "source: target_book\n").replace(
        'files: "target_sheet*.csv"', "files: target_sheet.xlsx"
    )
    mapping = signed_book / "target_book.yml"
    mapping.write_text(excel.replace('format: {kind: csv, decimal: "."}', "format: {kind: excel, sheet: targets}"), encoding="utf-8")
    for path in run.glob("*.csv"):
        if path.name != "target_sheet.csv":
            path.unlink()
    import_source(mapping, books=signed_book / "books", now=NOW)
    book = open_book("sample", as_of=date(2026, 6, 30), folder=signed_book / "books")
    table = book.table("target")
    found = book.frame(table.filter(table.status == "draft").select("scope_type", "scope_key", "value", "p50", "p80"))
    sheet = pd.read_csv(run / "target_sheet.csv", dtype=str)
    both = sheet.merge(found, on=["scope_type", "scope_key"], how="outer", validate="one_to_one")
    assert len(both) == len(sheet) == len(found)
    for ours, theirs in (("target_minor", "value"), ("p50_minor", "p50"), ("p80_minor", "p80")):
        assert (both[ours].astype(float) == both[theirs]).all()
