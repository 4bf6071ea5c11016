"""What no command ends in: a traceback. An exception that nobody foresaw becomes a refusal that says where its details lie."""

import hashlib
import os
import tempfile
import traceback
from pathlib import Path

from collect_analysis.errors import CollectError, InternalError, WorkplaceError

MOST_SAID = 160
DETAILS = "internal-errors"


def refusal_of(error: Exception, *, about: str, folder: Path | None = None) -> CollectError:
    """An exception as a refusal: our own as it is, one of the disk or the memory as the workplace's, any other as an internal error.

    The traceback of an internal error is written below `folder` (else, or where that cannot be written, the temporary folder), readable by its
    owner alone: a message may quote a cell. `about` says what was being done.
    """
    if isinstance(error, CollectError):
        return error
    if isinstance(error, OSError):
        place = error.filename or "the disk"
        return WorkplaceError(f"{about}: {place}: {error.strerror or error}; check the folder, its rights and the space left")
    if isinstance(error, MemoryError):
        return WorkplaceError(f"{about}: not enough memory; close other programs, or split the file")
    said = (str(error).splitlines() or [""])[0][:MOST_SAID]
    details = _written(error, [folder] if folder else [])
    where = f"details in {details}" if details else "the details could not be written"
    return InternalError(f"{about}: internal error, {type(error).__name__}: {said}; {where}, send them to who maintains the workbench")


def _written(error: Exception, folders: list[Path]) -> Path | None:
    """The file with the traceback; the same error again gives the same file."""
    told = "".join(traceback.format_exception(error))
    name = f"{type(error).__name__}-{hashlib.sha256(told.encode(errors='backslashreplace')).hexdigest()[:12]}.txt"
    for folder in [*folders, Path(tempfile.gettempdir()) / f"collect-{os.getuid()}"]:
        path = folder / DETAILS / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(told)
        except OSError:
            continue
        return path
    return None
