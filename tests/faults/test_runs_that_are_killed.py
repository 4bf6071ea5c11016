"""What a kill, an interruption or a full disk leaves: the page managers see stays, the evidence is kept, the next run works."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from collect_analysis.report.notebook_files import running_cell

from tests.small_project import HANGING, KILLED, KIND, RECORD, SLOT, SmallProject, is_gone

LATER = "2026-07-01T09:00:00+07:00"
FIRST = "2026-07-01T08:00:00+07:00"
PID = "import os, pathlib\npathlib.Path(run_dir, 'pid').write_text(str(os.getpid()))"
HANGING_CELL = 4
pytestmark = pytest.mark.fault


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    made = SmallProject(tmp_path, RECORD, PID, HANGING)
    made.write_report()
    made.published("20260701T000000Z-aaaaaaaa")
    return made


def kernel_of(project: SmallProject, process: subprocess.Popen[str]) -> int:
    """The kernel's process id, once it hangs in its last cell."""
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        for path in (project.reports / ".staging").glob("*/pid"):
            with contextlib.suppress(ValueError):  # being written
                if running_cell(json.loads((path.parent / "notebook.ipynb").read_text())) == HANGING_CELL:
                    return int(path.read_text())
        time.sleep(0.05)
    pytest.fail(f"the run did not start: {process.communicate(timeout=10)}")


def page(project: SmallProject) -> bytes:
    return (project.current() / "page.html").read_bytes()


def failures(project: SmallProject) -> list[dict]:
    folder = project.reports / ".failed" / KIND / "shop" / SLOT
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/run.json"))]


def succeeds(project: SmallProject) -> bool:
    project.write_notebook(RECORD)
    done = project.collect("run", "parameters", "--now", LATER)
    return done.returncode == 0 and os.readlink(project.current()).startswith("20260701T020000Z")


def test_r1_a_kernel_killed_from_outside_ends_the_command_with_1(project: SmallProject) -> None:
    before = page(project)
    process = project.start("run", "parameters", "--now", FIRST)
    os.kill(kernel_of(project, process), signal.SIGKILL)
    start = time.monotonic()
    _, told = process.communicate(timeout=60)
    assert time.monotonic() - start < 15
    assert process.returncode == 1
    assert "KernelDied: the kernel was killed" in told
    assert page(project) == before
    assert [run["error"]["type"] for run in failures(project)] == ["KernelDied"]
    assert succeeds(project)


def test_r2_a_killed_runner_leaves_no_kernel_and_the_next_start_tidies(project: SmallProject) -> None:
    before = page(project)
    process = project.start("run", "parameters", "--now", FIRST)
    kernel = kernel_of(project, process)
    process.kill()
    process.communicate(timeout=10)
    assert is_gone(kernel, seconds=10)
    assert page(project) == before
    assert failures(project) == []
    assert succeeds(project)
    assert [(run["state"], run["error"]["type"]) for run in failures(project)] == [("failed", "RunnerLost")]
    assert not list((project.reports / ".staging").glob("2*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["R3-term", "R4-int"])
def test_r3_r4_an_interrupted_command_keeps_the_run_as_interrupted(project: SmallProject, number: signal.Signals, code: int) -> None:
    before = page(project)
    process = project.start("run", "parameters", "--now", FIRST)
    kernel = kernel_of(project, process)
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == code
    assert "interrupted" in told
    assert is_gone(kernel, seconds=2)
    assert page(project) == before
    assert [run["state"] for run in failures(project)] == ["interrupted"]


def test_r14_a_second_command_finds_the_slot_busy(project: SmallProject) -> None:
    process = project.start("run", "parameters", "--now", FIRST)
    kernel_of(project, process)
    second = project.collect("run", "parameters", "--now", LATER, "--json")
    assert second.returncode == 5
    assert [run["state"] for run in json.loads(second.stdout)["runs"]] == ["busy"]
    assert len(list((project.reports / ".staging").glob("2*"))) == 1
    process.terminate()
    process.communicate(timeout=30)


def test_a_killed_worker_is_told_as_such(project: SmallProject) -> None:
    process = project.start("run", "parameters", "--now", FIRST)
    kernel = kernel_of(project, process)
    worker = int(Path("/proc", str(kernel), "stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 1
    (run,) = failures(project)
    assert (run["error"]["type"], run["error"]["cell"]) == ("WorkerDied", HANGING_CELL)
    assert "ended by signal 9" in run["error"]["message"]
    assert is_gone(kernel, seconds=10)


def limited(most_bytes: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def test_r7_r9_a_run_that_cannot_be_written_fails_and_publishes_nothing(project: SmallProject) -> None:
    before = page(project)
    project.write_notebook("print('x' * 100_000)", RECORD)
    done = subprocess.run(
        project.command("run", "parameters", "--now", FIRST),
        capture_output=True, text=True, cwd=project.root, env=project.environment(PYTHONDONTWRITEBYTECODE="1"), check=False,
        timeout=60, preexec_fn=limited(50_000),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert page(project) == before
    assert succeeds(project)


def test_a_failing_report_does_not_stop_the_others_and_the_command_says_1(project: SmallProject) -> None:
    project.write_notebook(f"if lang == 'vi':\n    {KILLED.replace(chr(10), '; ')}", RECORD)
    project.write_report(for_each={"lang": ["vi", "en"]})
    done = project.collect("run", "parameters", "--now", FIRST, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert [(run["name"], run["state"]) for run in told["runs"]] == [("shop-vi", "failed"), ("shop-en", "complete")]
    assert told["exit_code"] == 1
