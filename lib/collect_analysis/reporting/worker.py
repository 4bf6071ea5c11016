"""The child process of one run: executes the notebook of a run folder with papermill, in place, and says how it ended.

`python -m collect_analysis.reporting.worker FOLDER` reads FOLDER/run.json and FOLDER/notebook.ipynb. It ends 0 if every cell was executed;
else it leaves `outcome.json` (cell, type, message) and ends 1. Standard input is the leash: when it closes, the kernel and this process are
killed.
"""

import sys

# jsonschema imports it if it is there; it costs 1.7 s and no notebook format needs it.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import papermill  # noqa: E402
from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: E402
from papermill.clientwrap import PapermillNotebookClient  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402
from papermill.log import logger  # noqa: E402
from traitlets.config import Config  # noqa: E402

from collect_analysis.reporting import notebook_files  # noqa: E402
from collect_analysis.reporting.publish import OUTCOME  # noqa: E402
from collect_analysis.reporting.run_files import NOTEBOOK, RUN  # noqa: E402

MOST_OUTPUT = 4_000_000
CUT = f"\n[output cut at {MOST_OUTPUT:,} characters]\n"
START_SECONDS = 120


class LeashedClient(PapermillNotebookClient):
    """papermill's client that knows its cell, bounds what a cell may print, and dies with the runner."""

    at = -1

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._printed: dict[int, int] = {}

    def execute_cell(self, cell: Any, cell_index: int) -> Any:
        """Execute one cell, remembering which."""
        LeashedClient.at = cell_index
        return super().execute_cell(cell, cell_index)

    def output(self, outs: list, msg: dict, display_id: str, cell_index: int) -> Any:
        """Take one output; what goes over the bound is cut, once, with a mark."""
        printed = self._printed.get(cell_index, 0)
        self._printed[cell_index] = printed + len(json.dumps(msg["content"], default=str))
        if self._printed[cell_index] <= MOST_OUTPUT or msg["msg_type"] in ("error", "clear_output"):
            return super().output(outs, msg, display_id, cell_index)
        if printed > MOST_OUTPUT:
            return None
        start = str(msg["content"].get("text", ""))[: MOST_OUTPUT - printed]
        cut = {**msg, "msg_type": "stream", "content": {"name": "stdout", "text": start + CUT}}
        return super().output(outs, cut, display_id, cell_index)


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
            os.killpg(group, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


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
    run = json.loads(Path(RUN).read_text(encoding="utf-8"))
    papermill_engines.register("leashed", LeashedEngine)
    try:
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
    except Exception as error:
        ended = outcome(error, cell_seconds=run["limits"]["cell_seconds"])
        Path(OUTCOME).write_text(json.dumps(ended, ensure_ascii=False), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
