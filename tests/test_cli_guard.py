"""Whatever happens inside, a command ends with a sentence and an exit code, and what it read is not in the sentence."""

import errno
import hashlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from collect_analysis import cli
from collect_analysis.cli import collect

from tests.small_project import SmallProject

ARGUMENTS = {
    "run": ["parameters"],
    "list": [],
    "show": ["x"],
    "compare": ["x", "y"],
    "import": ["x.yml"],
    "sample": [],
    "doctor": [],
    "serve": [],
    "new": ["kind", "x"],
}
READ = "account acc-4711 owes"


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    return int(end.value.code or 0)


def test_every_command_is_looked_at() -> None:
    assert set(ARGUMENTS) == set(collect.commands)


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyError(READ), 1),
        (RecursionError(READ), 1),
        (UnicodeDecodeError("utf-8", READ.encode(), 0, 1, READ), 1),
        (MemoryError(READ), 5),
        (OSError(errno.ENOSPC, "No space left on device", "/somewhere"), 5),
        (OSError(READ), 5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_unexpected_error_is_one_sentence_an_exit_code_and_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, error: Exception, code: int
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(collect.commands[name], "callback", fail)
    assert ended(name, *ARGUMENTS[name]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert "acc-4711" not in said.err
    assert "Traceback" not in said.err
    details = re.search(r"the details are in (\S+)", said.err)
    if not (isinstance(error, OSError) and error.strerror):
        assert details is not None
        path = Path(details[1])
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert "acc-4711" in path.read_text()
        assert "Traceback" in path.read_text()


def test_under_json_it_is_json_too_and_the_details_do_not_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collect.commands["list"], "callback", lambda **_: 1 / 0)
    for _ in range(25):
        assert ended("list", "--json") == 1
        told = json.loads(capsys.readouterr().out)
    assert (told["exit_code"], told["error"]["type"]) == (1, "RunError")
    assert len(list((tmp_path / "tmp").rglob("error-*.txt"))) == 20


def test_where_the_details_cannot_be_kept_the_sentence_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collect.commands["list"], "callback", lambda **_: 1 / 0)
    (tmp_path / "tmp" / f"collect-work-{os.getuid()}").write_text("no folder")
    assert ended("list") == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_terminal_that_does_not_know_vietnamese_gets_escapes_and_no_error(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    project.write_report()
    folder = project.published()
    path = folder / "results.json"
    path.write_text(path.read_text().replace("Keep it.", "Giữ nguyên."))
    run = json.loads((folder / "run.json").read_text())
    run["files"]["results.json"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "run.json").write_text(json.dumps(run))
    done = subprocess.run(
        project.command("show", folder.name), capture_output=True, cwd=project.root, check=False,
        env=project.environment(PYTHONIOENCODING="latin-1"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Gi\\u1eef nguy\xean." in done.stdout
