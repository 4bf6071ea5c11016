"""The command: exit codes, streams, and what is not imported for a refusal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from collect_analysis import cli
from collect_analysis.cli import options, output
from collect_analysis.errors import ParameterError

from tests.small_project import KIND, NOW, RECORD, RUN_ID_TIME, SLOT, SmallProject

FIRST, SECOND = f"{RUN_ID_TIME}-aaaaaaaa", f"{RUN_ID_TIME}-bbbbbbbb"
HEAVY = ("pandas", "numpy", "ibis", "duckdb", "scipy", "matplotlib", "seaborn", "papermill", "nbformat", "voila", "rich", "rfc3987_syntax")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    made = SmallProject(tmp_path)
    made.write_report()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("COLLECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLLECT_BOOKS", str(made.books))
    return made


@pytest.fixture
def collect(project: SmallProject, capsys: pytest.CaptureFixture[str]):
    """Run the command in this process: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return command


def test_a_run_prints_its_table_and_the_next_command(project: SmallProject, collect) -> None:
    code, out, err = collect("run", "parameters", "--now", NOW)
    assert code == 0
    header, row = out.splitlines()
    assert header.split() == ["report", "slot", "state", "seconds", "page"]
    assert row.split()[:3] == [f"{KIND}/shop", SLOT, "complete"]
    assert (project.root / row.split()[4]).is_file()
    assert err.splitlines()[0].startswith(f"[1/1] complete {KIND}/shop/{SLOT}")
    assert err.splitlines()[-1] == "next: collect serve"


def test_json_is_one_versioned_object_and_progress_goes_elsewhere(project: SmallProject, collect) -> None:
    project.write_notebook("raise ValueError('\\x1b[31mred')", RECORD)
    code, out, err = collect("run", "parameters", "--now", NOW, "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["command"], told["exit_code"]) == (1, 1, "run", 1)
    (run,) = told["runs"]
    assert (run["state"], run["page"], run["error"]["type"], run["error"]["cell"]) == ("failed", None, "ValueError", 2)
    assert "\x1b" not in err, "a terminal must not obey what a notebook says"
    assert "evidence: reports/.failed" in err


def test_w1_a_misspelt_key_is_refused_before_anything_heavy_is_imported(project: SmallProject) -> None:
    project.write_report(book=None, bok="tiny")
    script = "import sys, json; from collect_analysis.cli import _exit_code; code = _exit_code(sys.argv[1:]); print(code, *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "parameters"],
        capture_output=True,
        text=True,
        cwd=project.root,
        env=project.environment(),
        check=True,
    )
    code, *modules = done.stdout.split()
    assert code == "2"
    assert "unknown parameter 'bok'; did you mean 'book'?" in done.stderr
    assert not {module.split(".")[0] for module in modules} & set(HEAVY)
    assert not project.reports.exists()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"bok": "x"}, "did you mean 'book'?"),
        ({"min_cell": '"12"'}, "min_cell is '12': Input should be a valid integer"),
        ({"as_of": "2026-07-02"}, "as_of is 2026-07-02, after today (2026-07-01)"),
        ({"name": "../x"}, "name is '../x'"),
    ],
    ids=["key", "type", "future", "S4-name"],
)
def test_wrong_parameters_end_with_2_and_nothing_is_made(project: SmallProject, collect, values: dict, told: str) -> None:
    file = project.write_report(**values)
    before = sorted(project.root.rglob("*"))
    code, out, err = collect("run", str(file), "--now", NOW)
    assert (code, out) == (2, "")
    assert told in err
    assert sorted(project.root.rglob("*")) == before


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "%2e%2e", ".."])
def test_s4_a_file_that_is_not_there_ends_with_2(project: SmallProject, collect, name: str) -> None:
    before = sorted(project.root.parent.glob("*"))
    assert collect("run", name)[0] == 2
    assert sorted(project.root.parent.glob("*")) == before


@pytest.mark.parametrize(
    "arguments", [("run",), ("rum", "x"), ("run", "parameters", "--workers", "0"), ("run", "parameters", "--now", "yesterday")]
)
def test_wrong_use_ends_with_2(collect, arguments: tuple[str, ...]) -> None:
    assert collect(*arguments)[0] == 2


def test_a_refusal_under_json_is_json_too(collect) -> None:
    code, out, _ = collect("run", "absent.yml", "--json")
    told = json.loads(out)
    assert (code, told["exit_code"], told["error"]["type"], told["schema"]) == (2, 2, "ParameterError", 1)


def test_a_missing_book_ends_with_3_and_starts_nothing(project: SmallProject, collect) -> None:
    project.write_report("other", book="absent")
    code, _, err = collect("run", "parameters", "--now", NOW)
    assert code == 3
    assert "book 'absent' is not in" in err
    assert not project.reports.exists()


def test_skip_absent_lists_the_report_and_does_not_change_the_exit_code(project: SmallProject, collect) -> None:
    project.write_report("shop", book="absent")
    code, out, _ = collect("run", "parameters", "--now", NOW, "--skip-absent")
    assert code == 0
    assert "skipped: book 'absent' not imported" in out


def test_a_dry_run_says_what_would_be_done_and_does_nothing(project: SmallProject, collect) -> None:
    project.write_report("gone", book="absent")
    project.write_report("both", for_each={"lang": ["en", "vi"]})
    code, out, _ = collect("run", "parameters", "--now", NOW, "--dry-run", "--skip-absent", "--json")
    told = json.loads(out)
    assert code == 0
    assert {run["name"]: run["state"] for run in told["runs"]} == {
        "both-en": "would run",
        "both-vi": "would run",
        "shop": "would run",
        "gone": "skipped: book 'absent' not imported",
    }
    assert not project.reports.exists()


def test_r33_a_reports_folder_that_cannot_be_written_ends_with_5(project: SmallProject, collect) -> None:
    (project.root / "file").write_text("")
    code, _, err = collect("run", "parameters", "--now", NOW, "--reports", str(project.root / "file" / "reports"))
    assert code == 5
    assert "file/reports" in err


def test_outside_a_project_the_command_says_so_with_5(
    collect, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    code, _, err = collect("list")
    assert code == 5
    assert "no folder from here upwards holds `parameters/`" in err


def test_the_reports_folder_may_lie_anywhere(project: SmallProject, collect, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("far") / "reports"
    project.reports = folder
    project.published(FIRST)
    assert FIRST in collect("list", "--reports", str(folder))[1]


def test_list_show_and_compare_read_what_was_published(project: SmallProject, collect) -> None:
    project.published(FIRST, value=0.5)
    project.published(SECOND, value=0.75, parameters={"lang": "vi", "audience": "managers"})
    assert [line.split()[-2] for line in collect("list")[1].splitlines()[1:]] == [SECOND]
    assert [run["run_id"] for run in json.loads(collect("list", "--all", "--json")[1])["runs"]] == [FIRST, SECOND]

    code, out, _ = collect("show", FIRST)
    assert code == 0
    assert "Keep it." in out
    assert "kept_rate C8  0.5" in out
    told = json.loads(collect("show", f"{KIND}/shop", "--json")[1])
    assert (told["run"]["run_id"], told["results"]["measures"][0]["value"], told["current"]) == (SECOND, 0.75, True)

    code, out, err = collect("compare", FIRST, SECOND)
    assert code == 0
    assert out.splitlines()[1].split() == ["kept_rate", "C8", "0.5", "0.75", "0.25", "share"]
    assert "parameters: lang en -> vi" in err
    assert "data: the same" in err
    assert json.loads(collect("compare", FIRST, SECOND, "--json")[1])["measures"][0]["difference"] == 0.25


def test_an_unknown_run_ends_with_2(collect) -> None:
    assert collect("show", "../x")[0] == 2


def test_an_empty_list_is_no_error(collect) -> None:
    code, out, err = collect("list", "--json")
    assert (code, json.loads(out)["runs"], err) == (0, [], "")


def test_the_sample_command_says_what_it_would_make(project: SmallProject, collect) -> None:
    code, out, _ = collect("sample", "--accounts", "3000", "--seed", "7", "--as-of", "2026-06-30", "--dry-run", "--json")
    told = json.loads(out)
    assert (code, told["accounts"], told["seed"], told["as_of"], told["folder"]) == (
        0,
        3000,
        7,
        "2026-06-30",
        str(project.books / "sample"),
    )
    assert not (project.books / "sample").exists()


def test_the_sample_command_refuses_a_wrong_day(collect) -> None:
    assert collect("sample", "--as-of", "30/06/2026")[0] == 2
    assert collect("sample", "--as-of", "2026-02-31")[0] == 2


def test_serve_hands_over_the_token_of_the_environment(project: SmallProject, collect, monkeypatch: pytest.MonkeyPatch) -> None:
    from collect_analysis.runs import pages

    seen: dict = {}
    monkeypatch.setattr(pages, "serve", lambda reports, **given: seen.update(reports=reports, **given))
    monkeypatch.setenv("COLLECT_PAGES_TOKEN", "t" * 20)
    assert collect("serve", "--port", "0", "--now", NOW)[0] == 0
    assert (seen["reports"], seen["host"], seen["port"], seen["token"]) == (project.reports, "127.0.0.1", 0, "t" * 20)
    assert seen["clock"]().isoformat() == NOW


def test_now_is_taken_as_told_and_a_time_without_zone_is_local() -> None:
    assert options.moment(NOW).isoformat() == NOW
    assert options.moment("2026-07-01").tzinfo is not None
    with pytest.raises(ParameterError, match="--now is 'soon'; write it as"):
        options.moment("soon")


def test_the_clock_is_read_in_one_place_of_the_command() -> None:
    package = Path(cli.__file__).parent
    reading = [
        path.name
        for path in package.glob("*.py")
        if any(call in path.read_text() for call in ("datetime.now(", "date.today(", "time.time("))
    ]
    assert reading == ["options.py"]


def test_help_names_every_command(project: SmallProject) -> None:
    done = project.collect("--help")
    assert done.returncode == 0
    commands = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()]
    assert commands == ["compare", "doctor", "import", "list", "new", "run", "sample", "serve", "show"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (1234567, "1,234,567"), (1032680.4, "1,032,680"), (0.0416666666667, "0.0416667"), (-64109.1, "-64109.1"), (0, "0")],
)
def test_numbers_are_told_readably(value: float | None, text: str) -> None:
    assert output.number(value) == text


SOURCE = """
source: letters
book: letters
currency: USD
synthetic: false
location: {variable: COLLECT_DATA}
files: letters.csv
format: {kind: csv}
tables:
  cohort:
    columns:
      subject_key: {from: id}
      arm: {from: arm}
      experiment_id: {value: letters}
    outcomes: {paid: {from: paid, kind: binary, horizon_days: 90, label: {en: Paid, vi: "Đã trả"}}}
"""


@pytest.fixture
def source(project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLLECT_DATA", str(project.root))
    (project.root / "letters.csv").write_text("id,arm,paid\ns-1,a,1\ns-2,b,0\n")
    file = project.root / "parameters" / "sources" / "letters.yml"
    file.parent.mkdir()
    file.write_text(SOURCE)
    return file


def test_import_loads_once_and_says_what_it_read(source: Path, collect) -> None:
    code, out, err = collect("import", "parameters/sources", "--now", NOW)
    assert code == 0, err
    assert out.splitlines()[1].split() == ["letters", "letters", "loaded", "cohort", "2", "2", "0"]
    again = json.loads(collect("import", str(source), "--now", NOW, "--json")[1])
    assert (again["schema"], again["exit_code"], [item["state"] for item in again["imports"]]) == (1, 0, ["unchanged"])


def test_import_refuses_every_wrong_mapping_before_loading_any(project: SmallProject, source: Path, collect) -> None:
    (source.parent / "wrong.yml").write_text(SOURCE.replace("currency", "curency"))
    code, out, err = collect("import", "parameters/sources", "--now", NOW)
    assert (code, out) == (2, "")
    assert "wrong.yml" in err
    assert not (project.books / "letters").exists()


def test_import_ends_with_3_where_data_are_bad_and_loads_the_other_sources(project: SmallProject, source: Path, collect) -> None:
    (source.parent / "absent.yml").write_text(SOURCE.replace("letters", "absent"))
    code, out, _ = collect("import", "parameters/sources", "--now", NOW, "--json")
    told = json.loads(out)
    assert (code, told["exit_code"], [item["state"] for item in told["imports"]]) == (3, 3, ["loaded"])
    assert "COLLECT_DATA" in told["errors"][0]["problems"][0]
    code, out, _ = collect("import", "parameters/sources", "--now", NOW, "--json", "--skip-absent")
    assert (code, [item["state"] for item in json.loads(out)["imports"]]) == (0, ["absent", "unchanged"])
