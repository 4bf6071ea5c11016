"""An error that nobody foresaw: told in one sentence, its details kept where only this user may read them.

They may hold what was read from data, so neither the text of the error nor the traceback is shown.
"""

import os
import secrets
import traceback
from contextlib import suppress
from pathlib import Path

from collect_analysis.book.private_folders import home
from collect_analysis.errors import CollectError, RunError, WorkplaceError

KEPT = 20


def refusal_of(error: BaseException) -> CollectError:
    """The refusal that stands for an unexpected error.

    Memory, disk and rights are the workplace's fault (exit 5), everything else is ours (exit 1).
    """
    if isinstance(error, OSError) and error.strerror:
        return WorkplaceError(f"{error.filename or 'the disk'}: {error.strerror}; check the folder, its rights and the space left")
    kind, place, details = type(error).__name__, _place(error), _kept(error)
    if isinstance(error, MemoryError):
        return WorkplaceError(f"this machine has no memory left ({place}); end other programs or ask for less{details}")
    told = f"the command met an error that it does not know ({kind}, {place}); tell the developers{details}"
    return WorkplaceError(told) if isinstance(error, OSError) else RunError(told)


def _place(error: BaseException) -> str:
    """File and line where it happened."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else "nowhere"


def _kept(error: BaseException) -> str:
    """Where the details lie, as the end of a sentence; empty where they cannot be written. The last few are kept."""
    with suppress(OSError, CollectError):
        path = home() / f"error-{secrets.token_hex(4)}.txt"
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write("".join(traceback.format_exception(error)))
        for old in sorted(home().glob("error-*.txt"), key=lambda item: item.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
        return f"; the details are in {path}"
    return ""
