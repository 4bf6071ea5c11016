"""The processes of a run: which there are, what memory they use, and that none outlives it.

Read from `/proc`; where there is none (not on Linux) nothing is found, and nothing is ended but what its parent knows.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

# Stands in the environment of every process of a run and names its private folder, whoever started the process and in which session.
MARK = "COLLECT_RUN"
# How many bytes a run may use, told to it so that its engine spills before it is stopped.
MEMORY = "COLLECT_MEMORY"
_PROC = Path("/proc")
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER
_PARENT, _RESIDENT = 1, 1
_END_SECONDS, _LOOK_EVERY = 5.0, 0.02


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends: none of them can leave this process' family."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)


def descendants(of: int) -> list[int]:
    """The living processes below a process."""
    children: dict[int, list[int]] = {}
    for pid in _all():
        stat = _stat(pid)
        if stat and stat[0] != "Z":
            children.setdefault(int(stat[_PARENT]), []).append(pid)
    found, waiting = [], list(children.get(of, []))
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def marked(folder: Path) -> list[int]:
    """The living processes of this user whose mark names `folder` or one below it."""
    wanted = os.fsencode(f"{MARK}={folder}")
    found = []
    for pid in _all():
        with suppress(OSError):
            environment = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
            if any(item == wanted or item.startswith(wanted + b"/") for item in environment):
                found.append(pid)
    return [pid for pid in found if pid != os.getpid() and (stat := _stat(pid)) and stat[0] != "Z"]


def end(which: Callable[[], list[int]]) -> list[int]:
    """Kill the processes that `which` finds, and those they start meanwhile, until it finds none. Returns those killed."""
    killed: list[int] = []
    until = time.monotonic() + _END_SECONDS
    while (found := which()) and time.monotonic() < until:
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed += [pid for pid in found if pid not in killed]
        time.sleep(_LOOK_EVERY)
    return killed


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory that processes hold, in bytes; what several share is counted once for each."""
    pages = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):
            pages += int((_PROC / str(pid) / "statm").read_text().split()[_RESIDENT])
    return pages * os.sysconf("SC_PAGE_SIZE")


def machine_bytes() -> int:
    """Memory of this machine, or of the container it is, in bytes."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path(name).read_text()))
    return min(found)


def _all() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]
    except OSError:
        return []


def _stat(pid: int) -> list[str] | None:
    """State, parent and the rest of what the kernel says of a process; its name may hold blanks and brackets."""
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
