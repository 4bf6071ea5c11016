"""`collect doctor`, and where a command finds what it needs."""

import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from collect_analysis import cli
from collect_analysis.book import places
from collect_analysis.cli import checkup
from collect_analysis.errors import WorkplaceError

from tests.conftest import PROJECT
from tests.small_project import NOW, RECORD, SmallProject


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


def test_doctor_tells_settings_with_their_origin_and_masks_secrets(project: SmallProject, collect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLECT_PAGES_TOKEN", "canary-4711-canary")
    (project.root / "requirements.lock").write_text(
        "click==0.0.1 \\\n    --hash=sha256:00\nabsent-on-this-platform==1.0 ; sys_platform == 'win32'\n"
    )
    code, out, _ = collect("doctor", "--reports", str(project.reports), "--json")
    told = json.loads(out)
    assert {item["name"]: item["origin"] for item in told["settings"]} == {
        "reports": "--reports",
        "books": "COLLECT_BOOKS",
        "policy": "project",
        "data": "project",
    }
    assert told["secrets"] == {
        "COLLECT_PAGES_TOKEN": "set",
        "COLLECT_TEAM_LEADS_TOKEN": "not set",
        "COLLECT_PSEUDONYM_KEY": "not set",
    }
    assert "canary" not in out
    findings = {item["name"]: item for item in told["findings"]}
    assert (findings["kernel"]["well"], findings["book tiny"]["well"], findings["versions"]["well"]) == (True, True, False)
    assert "1 of 1 differ (first: click is" in findings["versions"]["seen"]
    assert code == told["exit_code"] == 5


def test_doctor_finds_a_damaged_book_and_a_missing_package(project: SmallProject) -> None:
    (project.books / "tiny" / "book.json").write_text("{")
    (finding,) = checkup.present_books(project.books)
    assert (finding.well, finding.name) == (False, "book tiny")
    lock = project.root / "requirements.lock"
    lock.write_text("no-such-package==1.0 \\\n    --hash=sha256:00\n")
    assert "no-such-package 1.0 is missing" in checkup.versions(lock).seen


def test_d5_doctor_reads_every_policy(project: SmallProject) -> None:
    (project.place.policy / "scorecard.yml").write_text(
        "topic: scorecard\nversions: [{valid_from: 2026-01-01, source: x, values: {level: 2}}]\n"
    )
    finding = checkup.sound_policies(project.place.policy)
    assert (finding.well, "policy scorecard has no 'least_reliability'" in finding.seen) == (False, True)
    assert checkup.sound_policies(PROJECT / "parameters" / "policy").well


def test_d5_a_pin_for_another_python_or_system_is_none_of_ours(project: SmallProject) -> None:
    lock = project.root / "requirements.lock"
    here = version("click")
    lock.write_text(
        f"click=={here} ; python_full_version >= '3.11' \\\n    --hash=sha256:00\n"
        "click==0.0.1 ; python_full_version < '3.11' \\\n    --hash=sha256:00\n"
        "pywinpty==3.1.2 ; os_name == 'nt' \\\n    --hash=sha256:00\n"
        "click[extra]==0.0.2 ; sys_platform == 'win32' or (implementation_name == 'pypy' and python_version > '3') \\\n    --hash=sha256:00\n"
    )
    finding = checkup.versions(lock)
    assert (finding.well, finding.seen) == (True, "1 as in requirements.lock")


def test_d5_this_environment_is_well_by_its_own_lock() -> None:
    finding = checkup.versions(PROJECT / "requirements.lock")
    assert finding.well, finding.seen


def test_d5_a_scheduler_runs_a_report_from_anywhere_with_every_folder_set(
    project: SmallProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    file = project.write_report()
    project.write_notebook("import os; rules = os.environ['COLLECT_RULES']; assert rules.endswith('somewhere'), rules", RECORD)
    folders = {
        "COLLECT_POLICY": str(project.place.policy),
        "COLLECT_NOTEBOOKS": str(project.place.notebooks),
        "COLLECT_RULES": str(elsewhere / "somewhere"),
    }
    done = subprocess.run(
        project.command("run", str(file), "--now", NOW), capture_output=True, text=True, cwd=elsewhere, env=project.environment(**folders),
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert project.current().is_dir()


def test_d5_without_notebooks_named_those_of_the_checkout_are_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("COLLECT_NOTEBOOKS", "COLLECT_RULES"):
        monkeypatch.delenv(name, raising=False)
    assert places.notebooks_folder() == PROJECT / "notebooks"
    assert places.rules_folder() == PROJECT / "parameters" / "rules"
    monkeypatch.setattr(places, "_CHECKOUT", tmp_path)
    with pytest.raises(WorkplaceError, match="COLLECT_NOTEBOOKS"):
        places.notebooks_folder()
