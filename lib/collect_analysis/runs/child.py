"""The child process of a run as its parent sees it: a clean environment, a leash, bounds on time, memory and log, and how it ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from collect_analysis.book import processes
from collect_analysis.book.private_folders import private_folder
from collect_analysis.report import notebook_files
from collect_analysis.report.run_folder import SCRATCH
from collect_analysis.runs.publish import LOG, OUTCOME
from collect_analysis.runs.run_files import NOTEBOOK, RUN

GRACE_SECONDS = 5
LOOK_EVERY, BOUNDS_EVERY = 0.05, 0.5
MOST_LOG = 4_000_000
LOG_CUT = b"\n[log cut here]\n"
LAST_WORDS = 500
# What a kernel may see of the environment. What may be a password, a token or a key is not on it, whatever its first letters.
KEPT = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "MPLBACKEND"})
KEPT_PREFIXES = ("LC_", "PYTHON", "JUPYTER_", "OMP", "OPENBLAS", "MKL")
NEVER = ("TOKEN", "PASSWORD", "SECRET", "KEY")


def kept_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a kernel may see."""
    return {
        name: value
        for name, value in environment.items()
        if (name in KEPT or name.startswith(KEPT_PREFIXES)) and not any(word in name.upper() for word in NEVER)
    }


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a run may use before it is stopped: seconds, and bytes of memory (None: as many as there are)."""

    seconds: float
    memory_bytes: int | None = None


class Child:
    """The worker executing the notebook of one run folder.

    Its IPython folder is empty and its own, so that nobody's start-up files change a number; hashing is not randomised for the same reason.
    `read`: environment variable -> the folder it names to the notebook, wherever the command was given. `temporary`: a private folder for
    whatever the run writes beside its results; it and everything that still runs in it is gone afterwards.
    """

    def __init__(self, folder: Path, *, read: Mapping[str, Path | None], bounds: Bounds, temporary: Path) -> None:
        self._folder = folder
        self._scratch = folder / SCRATCH
        self._scratch.mkdir()
        self._temporary = temporary.resolve() / folder.name
        self._temporary.mkdir(mode=0o700, exist_ok=True)
        self._bounds = bounds
        self._deadline = time.monotonic() + bounds.seconds
        self._next_look = 0.0
        self._stopped: dict[str, Any] | None = None
        environment = {
            "PYTHONHASHSEED": "0",
            **kept_environment(os.environ),
            **{name: str(place.resolve()) for name, place in read.items() if place},
            "IPYTHONDIR": str(self._scratch / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(self._scratch),
            "TMPDIR": str(self._temporary),
            processes.MARK: str(self._temporary),
            **({processes.MEMORY: str(bounds.memory_bytes)} if bounds.memory_bytes else {}),
        }
        command = [sys.executable, "-m", "collect_analysis.runs.worker", str(folder)]
        # At its end, wherever that is: a log cut short goes on where it was cut.
        with (folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def is_over(self) -> bool:
        """Whether it ended, by itself or because it used more time or memory than it may."""
        if self._process.poll() is not None:
            return True
        now = time.monotonic()
        if now > self._deadline:
            told = f"the run took longer than {self._bounds.seconds:g} s and was stopped; raise --deadline or ask for less"
            self._stop("Deadline", told)
        elif now > self._next_look:
            self._next_look = now + BOUNDS_EVERY
            self._cut_log()
            self._look_at_memory()
        return self._stopped is not None

    def _look_at_memory(self) -> None:
        most = self._bounds.memory_bytes
        used = processes.resident_bytes([self._process.pid, *processes.descendants(self._process.pid)]) if most else 0
        if most and used > most:
            told = (
                f"the run used {_gigabytes(used)} of memory, more than the {_gigabytes(most)} it may use, and was stopped; "
                "raise --memory, run fewer at a time (--workers), or ask for less"
            )
            self._stop("MemoryLimit", told)

    def _stop(self, kind: str, message: str) -> None:
        self._stopped = {"cell": self._running_cell(), "type": kind, "message": message}
        self.kill()

    def _cut_log(self) -> None:
        """Keep the beginning of a log that grows without bound."""
        log = self._folder / LOG
        with suppress(OSError):
            if log.stat().st_size > MOST_LOG:
                os.truncate(log, MOST_LOG // 2)
                with log.open("ab") as end:
                    end.write(LOG_CUT)

    def kill(self) -> None:
        """End it and everything it started now."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Let go of what it used: processes that it left behind, temporary files, sockets of a killed kernel, what was told already, a log
        that says nothing.
        """
        if self._process.stdin:
            self._process.stdin.close()
        processes.end(partial(processes.marked, self._temporary))
        self._cut_log()
        shutil.rmtree(self._temporary, ignore_errors=True)
        shutil.rmtree(self._scratch, ignore_errors=True)
        for path in self._folder.iterdir():
            if path.is_socket() or path.name == OUTCOME or (path.name == LOG and not path.stat().st_size):
                path.unlink()

    def error(self) -> dict[str, Any] | None:
        """Why it did not execute every cell; None if it did."""
        code = self._process.returncode
        if self._stopped:
            return self._stopped
        if code == 0:
            return None
        try:
            told: dict[str, Any] = json.loads((self._folder / OUTCOME).read_text(encoding="utf-8"))
            return told
        except (OSError, ValueError):
            how = f"by signal {-code}" if code < 0 else f"with code {code}"
            message = f"the process that executes the notebook ended {how}. {self._last_words()}".strip()
            return {"cell": self._running_cell(), "type": "WorkerDied", "message": message}

    def _running_cell(self) -> int | None:
        try:
            return notebook_files.running_cell(json.loads((self._folder / NOTEBOOK).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def _last_words(self) -> str:
        text = (self._folder / LOG).read_text(encoding="utf-8", errors="replace").strip()
        return text[-LAST_WORDS:]


def try_kernel(*, books: Path, policy: Path, seconds: float = 60) -> str | None:
    """Does a notebook run here, the way reports do? None, or what went wrong."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "execution_count": None, "metadata": {"tags": [tag]}, "outputs": [], "source": text, "id": tag}
        for tag, text in (("parameters", "run_dir = None"), ("probe", "assert run_dir"))
    ]
    notebook = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    with private_folder("doctor") as own:
        folder = own / "run"
        folder.mkdir()
        (own / "temporary").mkdir()
        (folder / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
        (folder / RUN).write_text(json.dumps({"parameters": {}, "limits": {"cell_seconds": seconds}}), encoding="utf-8")
        read = {"COLLECT_BOOKS": books, "COLLECT_POLICY": policy}
        child = Child(folder, read=read, bounds=Bounds(seconds=seconds), temporary=own / "temporary")
        while not child.is_over():
            time.sleep(LOOK_EVERY)
        error = child.error()
        child.close()
    return f"{error['type']}: {error['message']}" if error else None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
