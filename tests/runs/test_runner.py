import json
import os
from pathlib import Path

import pytest
from collect_analysis.errors import DataError
from collect_analysis.runs import page
from collect_analysis.runs.child import kept_environment
from collect_analysis.runs.runner import Outcome, StopRequest, require_books

from tests.small_project import HANGING, KILLED, KIND, RECORD, RUN_ID_TIME, SLOT, SmallProject, is_gone

RECORDER = """
from collect_analysis.methods.evidence import Grade
from collect_analysis.report import kinds
from collect_analysis.report.recording import Decision, RunRecorder
params = kinds.from_notebook("kpi_period", globals())
record = RunRecorder(params, run_dir)
record.measure("kept_rate", 0.75, people=40, numerator=30, denominator=40, unit="share", kpi="C8")
record.decide(Decision(question="Keep the target?", answer="Keep it.", confidence="high", grade="C"))
print(record.finish())
"""


def one(project: SmallProject, **options) -> Outcome:
    (outcome,) = project.run(**options)
    return outcome


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    made = SmallProject(tmp_path)
    made.write_report()
    return made


def test_a_report_is_run_verified_and_published(project: SmallProject) -> None:
    project.write_notebook(RECORDER)
    outcome = one(project)
    assert (outcome.state, outcome.error) == ("complete", None)
    folder = outcome.folder
    assert folder == project.reports / KIND / "shop" / SLOT / outcome.run_id
    assert outcome.run_id.startswith(RUN_ID_TIME)
    assert os.readlink(project.current()) == outcome.run_id
    assert {path.name for path in folder.iterdir()} == {"notebook.ipynb", "page.html", "results.json", "run.json"}
    run = json.loads((folder / "run.json").read_text())
    assert (run["state"], run["error"], run["inputs"]["book"], run["inputs"]["synthetic"]) == ("complete", None, "tiny", True)
    assert run["parameters"]["period_end"] == "2026-06-30"
    assert set(run["files"]) == {"notebook.ipynb", "page.html", "results.json"}
    assert json.loads((folder / "results.json").read_text())["measures"][0]["value"] == 0.75
    assert "Keep it." in (folder / "page.html").read_text()
    assert str(project.root) not in (folder / "notebook.ipynb").read_text(), "opened by hand it would write into the published run"
    assert not list((project.reports / ".staging").glob("2*"))


def test_same_inputs_give_the_same_bytes_and_each_run_its_own_folder(project: SmallProject) -> None:
    first, second = one(project), one(project)
    assert second.run_id == f"{first.run_id}-2"
    assert (first.folder / "results.json").read_bytes() == (second.folder / "results.json").read_bytes()
    assert os.readlink(project.current()) == second.run_id


def test_a_run_whose_first_tables_tell_a_small_row_begins_again_and_tells_it_nowhere(project: SmallProject) -> None:
    """Total and parts are shown before the third part is known to be small: 500 less 300 less 197 are three accounts."""
    told = """
import pandas as pd
whole = record.table("whole", pd.DataFrame({"cases": [500]}), people="cases")
units = record.table("units", pd.DataFrame({"unit_key": ["a", "b"], "cases": [300, 197]}), people="cases")
rest = record.table("rest", pd.DataFrame({"unit_key": ["a", "b", "c"], "cases": [300, 197, 3]}), people="cases")
"""
    head, tail = RECORDER.split("record.measure")
    project.write_notebook(head, told, "record.measure" + tail)
    outcome = one(project)
    assert (outcome.state, outcome.error) == ("complete", None)
    shown = {path.stem: path.read_text() for path in (outcome.folder / "tables").iterdir()}
    assert "300" in shown["units"]
    assert "300" in shown["rest"]
    assert "500" not in shown["whole"]
    assert {path.name for path in outcome.folder.iterdir()} == {"notebook.ipynb", "page.html", "results.json", "run.json", "tables"}
    assert json.loads((outcome.folder / "results.json").read_text())["hidden"] == {"rows": 7, "small": 1, "withheld": 1}


@pytest.mark.slow
def test_w2_a_matrix_in_parallel_equals_the_matrix_in_series(project: SmallProject, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = SmallProject(tmp_path_factory.mktemp("serial"))
    for each in (project, other):
        each.write_report(for_each={"lang": ["en", "vi"], "seed": [1, 2]})
    parallel, serial = project.run(workers=2), other.run(workers=1)
    names = ["shop-en-1", "shop-en-2", "shop-vi-1", "shop-vi-2"]
    assert [outcome.run.name for outcome in parallel] == names
    assert {outcome.state for outcome in (*parallel, *serial)} == {"complete"}
    assert len({outcome.folder for outcome in parallel}) == 4
    assert [(item.folder / "results.json").read_bytes() for item in parallel] == [
        (item.folder / "results.json").read_bytes() for item in serial
    ]
    assert [item.run_id for item in parallel] == [item.run_id for item in serial]


def test_a_failing_run_is_kept_apart_and_the_others_go_on(project: SmallProject) -> None:
    project.write_notebook('if lang == "en":\n    raise KeyError("x<b>")', RECORD)
    project.write_report(for_each={"lang": ["en", "vi"]})
    failed, complete = project.run()
    assert (failed.state, complete.state) == ("failed", "complete")
    assert failed.error == {"cell": 2, "type": "KeyError", "message": "'x<b>'"}
    assert failed.folder == project.reports / ".failed" / KIND / "shop-en" / SLOT / failed.run_id
    run = json.loads((failed.folder / "run.json").read_text())
    assert (run["state"], run["error"]) == ("failed", failed.error)
    assert "KeyError" in (failed.folder / "notebook.ipynb").read_text()
    assert not (project.reports / KIND / "shop-en").exists()


def test_a_refusal_of_the_library_shows_with_its_own_class_and_words(project: SmallProject) -> None:
    project.write_notebook("from collect_analysis.errors import DataError\nraise DataError(['no payments; add a source', 'no units'])")
    assert one(project).error == {"cell": 2, "type": "DataError", "message": "no payments; add a source\nno units"}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(("import sys\nsys.exit(0)", RECORD), "ended without record.finish()", id="early-exit"),
        pytest.param((RECORD, "import sys\nsys.exit(0)"), "cell 3 of the notebook shows SystemExit", id="exit-after-finish"),
        pytest.param((RECORDER.replace("record.decide", "print"),), "no decision was recorded", id="no-decision"),
        pytest.param(("1 + 1",), "ended without record.finish()", id="nothing-recorded"),
    ],
)
def test_f2_a_notebook_that_does_not_reach_its_end_has_failed(project: SmallProject, cells: tuple[str, ...], expected: str) -> None:
    project.write_notebook(*cells)
    outcome = one(project)
    assert outcome.state == "failed"
    assert expected in outcome.error["message"]
    assert not project.current().exists()


def test_an_error_that_a_tag_lets_pass_is_still_a_failure(project: SmallProject) -> None:
    project.write_notebook("raise ValueError('x')", RECORD)
    path = project.root / "notebooks" / f"{KIND}.ipynb"
    content = json.loads(path.read_text())
    content["cells"][1]["metadata"]["tags"] = ["raises-exception"]
    path.write_text(json.dumps(content))
    assert (one(project).state, project.current().exists()) == ("failed", False)


@pytest.mark.fault
def test_r1_a_killed_kernel_fails_the_run_and_the_next_one_succeeds(project: SmallProject) -> None:
    good = one(project)
    project.write_notebook(RECORD, KILLED)
    outcome = one(project)
    assert (outcome.state, outcome.error["type"], outcome.error["cell"]) == ("failed", "KernelDied", 3)
    assert os.readlink(project.current()) == good.run_id
    executed = json.loads((outcome.folder / "notebook.ipynb").read_text())
    assert {cell["metadata"]["papermill"]["status"] for cell in executed["cells"]} == {"completed"}, (
        "papermill says so; we do not believe it"
    )
    project.write_notebook(RECORD)
    after = one(project, now="2026-07-01T09:00:00+07:00")
    assert os.readlink(project.current()) == after.run_id


@pytest.mark.fault
@pytest.mark.parametrize("hang", [HANGING, "while True:\n    pass"], ids=["sleeping", "busy"])
def test_r5_a_hanging_run_is_stopped_at_its_deadline(project: SmallProject, hang: str) -> None:
    project.write_notebook("import os, pathlib\npathlib.Path(run_dir, 'pid').write_text(str(os.getpid()))", hang)
    outcome = one(project, run_seconds=15)
    assert (outcome.state, outcome.error["type"], outcome.error["cell"]) == ("failed", "Deadline", 3)
    assert is_gone(int((outcome.folder / "pid").read_text()), seconds=2)


@pytest.mark.fault
def test_r5_a_hanging_cell_is_stopped_at_its_own_limit(project: SmallProject) -> None:
    project.write_notebook(HANGING)
    outcome = one(project, cell_seconds=1)
    assert (outcome.error["type"], outcome.error["cell"]) == ("CellTimeout", 2)
    assert "longer than 1 s" in outcome.error["message"]


@pytest.mark.fault
def test_r41_a_huge_output_is_cut_with_a_mark(project: SmallProject) -> None:
    project.write_notebook("print('x' * 20_000_000)\nprint('more')", RECORD)
    outcome = one(project)
    assert outcome.state == "complete"
    text = (outcome.folder / "notebook.ipynb").read_text()
    assert len(text) < 5_000_000
    assert text.count("[output cut at 4,000,000 characters]") == 1


def test_r25_a_book_replaced_during_the_run_fails_it(project: SmallProject) -> None:
    changed = "{'text': 'moved'}"
    project.write_notebook(
        RECORD,
        f"path = pathlib.Path({str(project.books / 'tiny' / 'book.json')!r})\n"
        f"path.write_text(json.dumps({{**json.loads(path.read_text()), 'roles': {{'note': {changed}}}}}))",
    )
    outcome = one(project)
    assert outcome.state == "failed"
    assert "book 'tiny' changed while the report ran" in outcome.error["message"]


def test_a_page_that_cannot_be_drawn_fails_the_run(project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path, run: dict) -> None:
        raise ZeroDivisionError("no page")

    monkeypatch.setattr(page, "render_page", broken)
    outcome = one(project)
    assert (outcome.state, outcome.error["type"], outcome.error["message"]) == ("failed", "ZeroDivisionError", "no page")
    assert not project.current().exists()


def test_s12_s13_a_kernel_sees_no_secret_of_the_environment(project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary-4711"
    for name in (
        "COLLECT_PAGES_TOKEN",
        "COLLECT_PSEUDONYM_KEY",
        "COLLECT_PG_URL",
        "DB_PASSWORD",
        "JUPYTER_TOKEN",
        "PYTHON_KEY",
        "AWS_SECRET",
    ):
        monkeypatch.setenv(name, canary)
    project.write_notebook(RECORD, "import os\nprint(json.dumps(dict(os.environ)))")
    outcome = one(project)
    executed = json.loads((outcome.folder / "notebook.ipynb").read_text())
    seen = json.loads("".join(executed["cells"][-1]["outputs"][0]["text"]))
    assert canary not in json.dumps(seen)
    assert (seen["COLLECT_BOOKS"], seen["COLLECT_POLICY"]) == (str(project.books), str(project.root / "parameters" / "policy"))
    assert not [path for path in project.reports.rglob("*") if path.is_file() and canary in path.read_text(errors="replace")]


def test_s12_only_the_allow_list_is_kept() -> None:
    given = {
        "PATH": "p",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "2",
        "PYTHONPATH": "x",
        "SSH_AUTH_SOCK": "s",
        "HTTP_PROXY": "h",
        "JUPYTER_TOKEN": "t",
    }
    assert kept_environment(given) == {"PATH": "p", "LC_ALL": "C", "OMP_NUM_THREADS": "2", "PYTHONPATH": "x"}


def test_a_stop_request_ends_the_running_run_and_starts_no_other(project: SmallProject) -> None:
    project.write_notebook('if lang == "vi":\n    import time\n    time.sleep(1e6)', RECORD)
    project.write_report(for_each={"lang": ["en", "vi"], "seed": [1, 2]})
    stop = StopRequest()

    def after_two(outcome: Outcome) -> None:
        stop.signal = 15 if outcome.run.name == "shop-en-2" else stop.signal

    outcomes = project.run(stop=stop, on_finish=after_two)
    assert [outcome.state for outcome in outcomes] == ["complete", "complete", "interrupted", "interrupted"]
    assert outcomes[2].note == outcomes[3].note == "not started"


def test_a_missing_book_is_refused_before_anything_starts(project: SmallProject) -> None:
    project.write_report("other", book="absent")
    with pytest.raises(DataError, match=r"other\.yml: book 'absent' is not in .*--skip-absent"):
        require_books(project.plan(), project.books)
    assert not project.reports.exists()


def test_a_damaged_book_is_refused_before_anything_starts(project: SmallProject) -> None:
    (project.books / "tiny" / "book.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        require_books(project.plan(), project.books)
