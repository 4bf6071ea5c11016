"""The child process of one run: executes the notebook of a run folder with papermill, in place, and says how it ended.

`python -m collect_analysis.runs.worker FOLDER` reads FOLDER/run.json and FOLDER/notebook.ipynb. It ends 0 if every cell was executed;
else it leaves `outcome.json` (cell, type, message) and ends 1. Standard input is the leash: when it closes, the kernel and this process are
killed.
"""

import sys

# jsonschema imports it if it is there; it costs 1.7 s and no notebook format needs it.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
from contextlib import suppress  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import papermill  # noqa: E402
from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: E402
from papermill.clientwrap import PapermillNotebookClient  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402
from papermill.log import logger  # noqa: E402
from traitlets.config import Config  # noqa: E402

from collect_analysis.book import processes  # noqa: E402
from collect_analysis.report import notebook_files  # noqa: E402
from collect_analysis.report.notebook_files import FIGURE_MIME, SVG_MIME  # noqa: E402
from collect_analysis.report.run_folder import SCRATCH, WITHHOLD  # noqa: E402
from collect_analysis.runs.publish import LOG, OUTCOME  # noqa: E402
from collect_analysis.runs.run_files import NOTEBOOK, RUN  # noqa: E402

MOST_OUTPUT, MOST_ERROR = 4_000_000, 20_000
CUT = f"\n[output cut at {MOST_OUTPUT:,} characters]\n"
START_SECONDS = 120
# Messages that end in the executed notebook.
SHOWN = frozenset({"stream", "display_data", "execute_result", "update_display_data"})


class LeashedClient(PapermillNotebookClient):
    """papermill's client that knows its cell, bounds what a cell may show, and dies with the runner."""

    at = -1

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shown: dict[int, int] = {}

    def execute_cell(self, cell: Any, cell_index: int) -> Any:
        """Execute one cell, remembering which."""
        LeashedClient.at = cell_index
        return super().execute_cell(cell, cell_index)

    def process_message(self, msg: dict, cell: Any, cell_index: int) -> Any:
        """Take one message; what goes over the bound is cut, once, with a mark. Widgets are not shown and not kept."""
        kind = msg["msg_type"]
        if kind.startswith("comm"):
            return None
        if kind == "error":
            return super().process_message({**msg, "content": shorter_error(msg["content"])}, cell, cell_index)
        if kind not in SHOWN:
            return super().process_message(msg, cell, cell_index)
        content = without_drawing(msg["content"])
        before = self._shown.get(cell_index, 0)
        self._shown[cell_index] = before + size(content)
        if self._shown[cell_index] <= MOST_OUTPUT:
            return super().process_message({**msg, "content": content}, cell, cell_index)
        if before > MOST_OUTPUT:
            return None
        start = str(content.get("text", ""))[: MOST_OUTPUT - before]
        cut = {"msg_type": "stream", "header": {**msg["header"], "msg_type": "stream"}, "content": {"name": "stdout", "text": start + CUT}}
        return super().process_message({**msg, **cut}, cell, cell_index)


def without_drawing(content: dict[str, Any]) -> dict[str, Any]:
    """What a cell shows, without the drawing of a recorded figure: the page reads that from its file, whatever its size."""
    data = content.get("data")
    if not isinstance(data, dict) or FIGURE_MIME not in data or size(content) <= MOST_OUTPUT:
        return content
    return {**content, "data": {mime: value for mime, value in data.items() if mime != SVG_MIME}}


def size(content: dict[str, Any]) -> int:
    """Characters of what a cell shows."""
    return len(content["text"]) if "text" in content else len(json.dumps(content.get("data"), default=str))


def shorter_error(content: dict[str, Any]) -> dict[str, Any]:
    """An error whose text and traceback a person can read."""
    lines = [str(line)[:MOST_ERROR] for line in content["traceback"]]
    kept = lines if sum(map(len, lines)) <= MOST_ERROR else lines[-1:]
    return {**content, "evalue": str(content["evalue"])[:MOST_ERROR], "traceback": kept}


class LeashedEngine(NBClientEngine):
    """papermill's engine over sockets in files (no TCP port to clash on), with a kernel that is killed and not asked when done."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, execution_timeout: int, **_: Any) -> None:
        """Execute the notebook."""
        client = LeashedClient(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=START_SECONDS,
            timeout=execution_timeout,
            # After a cell has ended what it printed may still be on its way; that is no reason to fail it.
            iopub_timeout=execution_timeout,
            shutdown_kernel="immediate",
            config=Config(KernelManager={"transport": "ipc"}),
            log=logger,
        )
        hold_leash(client)
        client.execute()


def hold_leash(client: Any) -> None:
    """Kill the kernel (a process group of its own) and this process when standard input closes: the runner is gone, or wants it so."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        group = getattr(getattr(client.km, "provisioner", None), "pgid", None)
        if group:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        end_family()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def end_family() -> None:
    """Kill whatever this process, its kernel or anything below started, in whichever session."""
    processes.end(lambda: processes.descendants(os.getpid()))


def outcome(error: Exception, *, cell_seconds: int) -> dict[str, Any]:
    """How a notebook ended: the code cell (from 1, as in its source), the class of the error, and its text."""
    notebook = json.loads(Path(NOTEBOOK).read_text(encoding="utf-8"))
    if isinstance(error, PapermillExecutionError):
        shown = notebook_files.first_error(notebook)
        return {"cell": shown.cell if shown else None, "type": error.ename, "message": error.evalue}
    cell = len(notebook_files.code_cells({"cells": notebook["cells"][: LeashedClient.at + 1]})) or None
    if isinstance(error, DeadKernelError):
        return {"cell": cell, "type": "KernelDied", "message": "the kernel was killed; most often the machine had no memory left"}
    if isinstance(error, CellTimeoutError):
        return {
            "cell": cell,
            "type": "CellTimeout",
            "message": f"the cell took longer than {cell_seconds} s; raise --cell-timeout or ask for less",
        }
    return {"cell": cell, "type": type(error).__name__, "message": str(error)}


def main(folder: Path) -> int:
    """Execute the notebook of a run folder; 0 if every cell was executed."""
    os.chdir(folder)
    processes.adopt_orphans()
    # Where memory runs out, the system should end a run and not the command that looks after it.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    run = json.loads(Path(RUN).read_text(encoding="utf-8"))
    papermill_engines.register("leashed", LeashedEngine)
    source, plan = Path(NOTEBOOK).read_bytes(), Path(SCRATCH, WITHHOLD)
    try:
        for last in (False, True):
            try:
                execute(run)
                return 0
            except Exception as error:
                if last or not plan.is_file():
                    ended = outcome(error, cell_seconds=run["limits"]["cell_seconds"])
                    Path(OUTCOME).write_text(json.dumps(ended, ensure_ascii=False), encoding="utf-8")
                    return 1
                begin_again(source)
    finally:
        end_family()
    return 1


def execute(run: dict[str, Any]) -> None:
    """Execute the notebook of the current folder, in place."""
    papermill.execute_notebook(
        NOTEBOOK,
        NOTEBOOK,
        parameters={**run["parameters"], "run_dir": str(Path.cwd())},
        engine_name="leashed",
        kernel_name="python3",
        progress_bar=False,
        cwd=".",
        execution_timeout=run["limits"]["cell_seconds"],
    )


def begin_again(source: bytes) -> None:
    """Take away all that the first try wrote, for what it showed first told small rows that came later (`report/withholding.py`)."""
    for path in Path().iterdir():
        if path.is_dir() and path.name != SCRATCH:
            shutil.rmtree(path)
        elif path.is_file() and path.name not in {RUN, LOG}:
            path.unlink()
    Path(NOTEBOOK).write_bytes(source)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
