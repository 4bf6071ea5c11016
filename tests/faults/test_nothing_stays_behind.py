"""What a run writes beside its results, and what it starts, is gone when it has ended, however it ended: by itself, killed, or its runner."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from collect_analysis.book import processes
from collect_analysis.book.engines.duckdb import DuckDBEngine
from collect_analysis.book.private_folders import PrivateFolder, private_folder, remove_ownerless
from collect_analysis.errors import WorkplaceError

from tests.small_project import HANGING, KILLED, RECORD, SmallProject, is_gone

NOW = "2026-07-01T08:00:00+07:00"
# An engine with little memory sorts rows that do not fit: they lie in its temporary files when the cell ends.
SPILL = """
import os, pathlib, tempfile
from collect_analysis.book.engines.duckdb import DuckDBEngine
engine = DuckDBEngine(memory_limit="64MB", threads=1)
rows = engine._backend.raw_sql("select 'acc-' || i::varchar as account_key, random() as n from range(4000000) t(i) order by n")
first = rows.fetchone()
spilled = sum(path.stat().st_size for path in pathlib.Path(tempfile.gettempdir()).rglob("*") if path.is_file())
assert spilled > 10_000_000, spilled
pathlib.Path(run_dir, "spilled").write_text(str(spilled))
"""
# Programs in sessions of their own, one of them without our environment and orphaned.
PROGRAMS = """
import pathlib, subprocess, sys, time
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
own = subprocess.Popen(sleeper, start_new_session=True)
twice = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True, env={}, stdout=-3).pid)"
orphan = int(subprocess.run([sys.executable, "-c", twice, *sleeper], stdout=subprocess.PIPE, text=True, check=True).stdout)
pathlib.Path(run_dir).joinpath("pids").write_text(f"{own.pid} {orphan}")
"""
pytestmark = pytest.mark.fault


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    made = SmallProject(tmp_path)
    (tmp_path / "tmp").mkdir()
    made.write_report()
    return made


def run(project: SmallProject, *arguments: str) -> subprocess.CompletedProcess[str]:
    return project.collect("run", "parameters", "--now", NOW, *arguments, TMPDIR=str(project.root / "tmp"))


def start(project: SmallProject) -> subprocess.Popen[str]:
    return project.start("run", "parameters", "--now", NOW, TMPDIR=str(project.root / "tmp"))


def left(project: SmallProject) -> list[Path]:
    """What lies in the temporary folder: nothing but the lock of the place itself."""
    return [path for path in (project.root / "tmp").rglob("*") if path.is_file() and path.name != ".lock"]


def written(project: SmallProject, name: str, process: subprocess.Popen[str] | None = None) -> str:
    """The content of a file of the run folder, once it is there."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for path in project.reports.rglob(name):
            if text := path.read_text():
                return text
        if process and process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"no {name}: {process.communicate() if process else ''}")


@pytest.mark.parametrize(("end", "code"), [(RECORD, 0), ("raise ValueError('x')", 1), (KILLED, 1)], ids=["well", "failed", "killed"])
def test_c3_rows_spilled_by_the_engine_are_gone_after_the_run(project: SmallProject, end: str, code: int) -> None:
    project.write_notebook(SPILL, end)
    done = run(project)
    assert done.returncode == code, done.stderr
    assert int(written(project, "spilled")) > 10_000_000
    assert left(project) == []


def test_c3_after_a_kill_of_the_runner_the_next_command_removes_what_it_left(project: SmallProject) -> None:
    project.write_notebook(SPILL, HANGING)
    project.write_report("second")
    process = start(project)
    written(project, "spilled", process)
    (home,) = (project.root / "tmp").glob("collect-work-*")
    assert {path.stat().st_mode & 0o777 for path in home.iterdir() if path.is_dir()} | {home.stat().st_mode & 0o777} == {0o700}
    other = project.collect("list", TMPDIR=str(project.root / "tmp"))
    assert (other.returncode, process.poll()) == (0, None)
    assert left(project), "a living owner's folder is left alone"
    process.kill()
    process.communicate(timeout=10)
    assert project.collect("list", TMPDIR=str(project.root / "tmp")).returncode == 0
    assert left(project) == []
    assert not list((project.root / "tmp").glob("collect-shared-*"))


@pytest.mark.parametrize(("end", "code"), [(RECORD, 0), ("raise ValueError('x')", 1), (KILLED, 1)], ids=["well", "failed", "killed"])
def test_e3_a_program_in_a_session_of_its_own_does_not_outlive_the_run(project: SmallProject, end: str, code: int) -> None:
    project.write_notebook(PROGRAMS, end)
    done = run(project)
    assert done.returncode == code, done.stderr
    assert all(is_gone(int(pid), seconds=2) for pid in written(project, "pids").split())


def test_e3_a_stopped_run_leaves_no_program_either(project: SmallProject) -> None:
    project.write_notebook(PROGRAMS, HANGING)
    process = start(project)
    pids = [int(pid) for pid in written(project, "pids", process).split()]
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert all(is_gone(pid, seconds=2) for pid in pids)


def test_e3_when_runner_and_worker_are_killed_the_next_command_ends_the_programs(project: SmallProject) -> None:
    project.write_notebook(PROGRAMS, HANGING)
    process = start(project)
    own, orphan = (int(pid) for pid in written(project, "pids", process).split())
    workers = processes.descendants(process.pid)
    os.kill(process.pid, signal.SIGSTOP)
    for pid in workers:
        if pid not in (own, orphan):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate(timeout=10)
    project.collect("list", TMPDIR=str(project.root / "tmp"))
    assert is_gone(own, seconds=2)
    # Without our environment, orphaned and with every process above it killed at once, nothing tells whose it was.
    os.kill(orphan, signal.SIGKILL)


def test_e3_a_run_that_takes_too_much_memory_is_stopped_and_says_so(project: SmallProject) -> None:
    project.write_notebook("import time\nheld = []\nwhile True:\n    held.append(bytearray(40_000_000))\n    time.sleep(0.05)", RECORD)
    done = run(project, "--memory", "0.6", "--json")
    assert done.returncode == 1, done.stderr
    (told,) = json.loads(done.stdout)["runs"]
    assert (told["error"]["type"], told["error"]["cell"]) == ("MemoryLimit", 2)
    used, most = re.findall(r"([0-9.]+) GB", told["error"]["message"])
    assert 0.6 <= float(used) < 1.6
    assert most == "0.6"
    assert "raise --memory" in told["error"]["message"]


@pytest.mark.parametrize(("told", "mebibytes"), [("", 2861.0), ("1000000000", 476.8), ("64000000000", 2861.0)])
def test_e3_the_engine_spills_before_its_run_is_stopped(monkeypatch: pytest.MonkeyPatch, told: str, mebibytes: float) -> None:
    monkeypatch.setenv("COLLECT_MEMORY", told)
    engine = DuckDBEngine()
    (setting,) = engine._backend.raw_sql("select current_setting('memory_limit')").fetchone()
    number, unit = setting.split()
    assert float(number) * {"MiB": 1, "GiB": 1024}[unit] == pytest.approx(mebibytes, rel=0.05)
    engine.close()


def test_e3_the_log_of_a_run_is_bounded(project: SmallProject) -> None:
    project.write_notebook("import os\nfor _ in range(300):\n    os.write(1, b'x' * 100_000)\nos.write(1, b'the end')", "raise ValueError")
    assert run(project).returncode == 1
    (log,) = project.reports.rglob("worker.log")
    assert log.stat().st_size <= 4_000_000 + 100
    assert b"[log cut here]" in log.read_bytes()


def test_a_private_folder_is_for_its_user_alone_and_goes_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.umask(0)
    try:
        with private_folder("test") as folder:
            assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
            assert remove_ownerless() == []
            assert folder.is_dir()
    finally:
        os.umask(before)
    assert not folder.exists()
    owner = PrivateFolder("test")
    path = owner.path
    del owner
    assert not path.exists()


def test_a_folder_whose_owner_was_killed_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "import os; from collect_analysis.book.private_folders import PrivateFolder as P; p = P('x'); print(p.path, flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    path = Path(done.stdout.strip())
    assert path.is_dir()
    with private_folder("next"):
        assert not path.exists()


def test_somebody_elses_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"collect-work-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(WorkplaceError, match="belongs to somebody else"), private_folder("test"):
        pass
    assert list((tmp_path / "theirs").iterdir()) == []
