"""The child process of a run as its parent sees it: a clean environment, a leash, a deadline, and how it ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from collect_analysis.book.places import SHARED
from collect_analysis.reporting import notebook_files
from collect_analysis.reporting.publish import LOG, OUTCOME, SCRATCH
from collect_analysis.reporting.run_files import NOTEBOOK, RUN

GRACE_SECONDS = 5
LOOK_EVERY = 0.05
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


class Child:
    """The worker executing the notebook of one run folder.

    Its IPython folder is empty and its own, so that nobody's start-up files change a number; hashing is not randomised for the same reason.
    `shared`: where the runs of a batch keep what they all count.
    """

    def __init__(self, folder: Path, *, books: Path, policy: Path, run_seconds: float, shared: Path | None = None) -> None:
        self._folder = folder
        self._scratch = folder / SCRATCH
        self._scratch.mkdir()
        self._run_seconds = run_seconds
        self._deadline = time.monotonic() + run_seconds
        self._late = False
        environment = {
            "PYTHONHASHSEED": "0",
            **kept_environment(os.environ),
            "COLLECT_BOOKS": str(books.resolve()),
            "COLLECT_POLICY": str(policy.resolve()),
            "IPYTHONDIR": str(self._scratch / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(self._scratch),
            **({SHARED: str(shared.resolve())} if shared else {}),
        }
        command = [sys.executable, "-m", "collect_analysis.reporting.worker", str(folder)]
        with (folder / LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def is_over(self) -> bool:
        """Whether it ended, by itself or because its time was up."""
        if self._process.poll() is not None:
            return True
        self._late = time.monotonic() > self._deadline
        if self._late:
            self.kill()
        return self._late

    def kill(self) -> None:
        """End it and its kernel now."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Let go of what it used: sockets of a killed kernel, what was told already, a log that says nothing."""
        if self._process.stdin:
            self._process.stdin.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        for path in self._folder.iterdir():
            if path.is_socket() or path.name == OUTCOME or (path.name == LOG and not path.stat().st_size):
                path.unlink()

    def error(self) -> dict[str, Any] | None:
        """Why it did not execute every cell; None if it did."""
        code = self._process.returncode
        if self._late:
            message = f"the run took longer than {self._run_seconds:g} s and was stopped; raise --deadline or ask for less"
            return {"cell": self._running_cell(), "type": "Deadline", "message": message}
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
    with tempfile.TemporaryDirectory(prefix="collect-") as name:
        folder = Path(name)
        (folder / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
        (folder / RUN).write_text(json.dumps({"parameters": {}, "limits": {"cell_seconds": seconds}}), encoding="utf-8")
        child = Child(folder, books=books, policy=policy, run_seconds=seconds)
        while not child.is_over():
            time.sleep(LOOK_EVERY)
        error = child.error()
        child.close()
    return f"{error['type']}: {error['message']}" if error else None
