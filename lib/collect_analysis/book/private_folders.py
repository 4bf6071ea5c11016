"""Folders for what is about persons and must not stay: only this user may enter, and whoever made one takes it away, killed or not.

They lie in `collect-work-<user>` of the temporary folder. Each is locked by its owner as long as it lives; the lock is the operating system's
and ends with the process however that dies. Whoever makes the next folder, or gives the next command, first removes those without an owner,
and ends what still runs in them.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from collect_analysis.book import processes
from collect_analysis.errors import WorkplaceError

_OWNER, _LOCK = ".owner", ".lock"


class PrivateFolder:
    """A folder of this process alone, gone when it is closed, when nobody uses it any more, or when the process has ended."""

    def __init__(self, purpose: str) -> None:
        """`purpose` is part of its name."""
        place = home()
        with _locked(place):
            _remove_ownerless(place)
            self.path = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=place))
            owner = os.open(self.path / _OWNER, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(owner, fcntl.LOCK_EX)
        self.close = weakref.finalize(self, _give_up, self.path, owner, os.getpid())


@contextmanager
def private_folder(purpose: str) -> Iterator[Path]:
    """A private folder for the time of a block."""
    folder = PrivateFolder(purpose)
    try:
        yield folder.path
    finally:
        folder.close()


def remove_ownerless() -> list[Path]:
    """Remove what killed processes left, and end what still runs in it. Returns the folders removed."""
    if not _place().is_dir():
        return []
    place = home()
    with _locked(place):
        return _remove_ownerless(place)


def _place() -> Path:
    return Path(tempfile.gettempdir()) / f"collect-work-{os.getuid()}"


def home() -> Path:
    """The folder of all private folders of this user, made if need be.

    Raises
    ------
    WorkplaceError
        It cannot be made, or is somebody else's: rows about persons must not be written into it.
    """
    place = _place()
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        state = place.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
            raise WorkplaceError(f"{place} belongs to somebody else; remove it, or set TMPDIR to a folder of your own")
        if stat.S_IMODE(state.st_mode) != 0o700:
            place.chmod(0o700)
    except OSError as error:
        raise WorkplaceError(
            f"{place}: cannot be made ({error.strerror}); free some space, or set TMPDIR to a folder you may write"
        ) from None
    return place


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """While a folder gets its owner nobody looks for ownerless ones."""
    with (place / _LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remove_ownerless(place: Path) -> list[Path]:
    removed = []
    for folder in sorted(path for path in place.iterdir() if path.is_dir() and not path.is_symlink()):
        with suppress(OSError), (folder / _OWNER).open("r+") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (folder / _OWNER).unlink()
        if (folder / _OWNER).exists():
            continue
        processes.end(partial(processes.marked, folder))
        shutil.rmtree(folder, ignore_errors=True)
        removed.append(folder)
    return removed


def _give_up(folder: Path, owner: int, made_by: int) -> None:
    # A child that was forked off inherits the object and not the folder.
    if os.getpid() != made_by:
        return
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.close(owner)
