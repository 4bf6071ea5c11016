"""Files that are read: regular, of bearable size, and the same from the first byte to the last."""

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collect_analysis.errors import DataError

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class OpenFile:
    """A file held open for reading: `name` as messages and the manifest write it, SHA-256 of its bytes."""

    handle: io.BufferedReader
    name: str
    content_hash: str
    size: int


@contextmanager
def held_still(path: Path, name: str, *, max_mb: int) -> Iterator[OpenFile]:
    """Open a regular file; leaving the block, refuse if it changed since it was opened.

    Raises
    ------
    DataError
        Not a regular file (a link, folder, pipe), no right to read, larger than `max_mb`, or changed, replaced or removed while it was read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise DataError(f"{name}: is not a regular file but a link; deliver the file itself") from None
        raise DataError(f"{name}: cannot be read ({error.strerror}); check the name and the rights") from None
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        os.close(descriptor)
        raise DataError(f"{name}: is not a regular file; deliver a file")
    with os.fdopen(descriptor, "rb") as handle:
        if before.st_size > max_mb * MEBIBYTE:
            raise DataError(f"{name}: is larger than {max_mb:,} MiB; split it, or raise `max_mb` in the mapping file knowingly")
        content_hash = _hash(handle)
        yield OpenFile(handle, name, content_hash, before.st_size)
        if _changed(path, before) or _hash(handle) != content_hash:
            raise DataError(f"{name}: changed while it was read; wait until it is delivered whole, then import it again")


def _hash(handle: io.BufferedReader) -> str:
    handle.seek(0)
    digest = hashlib.file_digest(handle, "sha256").hexdigest()
    handle.seek(0)
    return digest


def _changed(path: Path, before: os.stat_result) -> bool:
    try:
        after = os.stat(path, follow_symlinks=False)
    except OSError:
        return True
    return (before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns) != (
        after.st_dev,
        after.st_ino,
        after.st_size,
        after.st_mtime_ns,
    )
