"""One writer at a time. The operating system holds the lock, so that a killed owner leaves none."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from azureml_replay.disk.outputs import NO_LINK, private_opener
from azureml_replay.errors import UserError

NAME = "archive.lock"
USE_A_LOCAL_DISK = "this folder cannot lock files or share memory, as network shares may not: use a local disk"
_UNABLE = {errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, getattr(errno, "ENOTSUP", errno.EOPNOTSUPP)}
"""Numbers of the system's errors of file systems without locks; any other means that somebody holds it."""

if sys.platform == "win32":
    import msvcrt

    def take(handle: int) -> None:
        """Locks an open file for this process. Raises OSError where another one has it locked."""
        os.lseek(handle, 1 << 30, os.SEEK_SET)  # a locked byte cannot be read: lock one after the owner's number
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _try(_: int) -> None:
        """SQLite locks by other calls there, which every file system has."""

else:
    import fcntl

    def take(handle: int) -> None:
        """Locks an open file for this process. Raises OSError where another one has it locked."""
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _try(handle: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as SQLite locks


def can_lock(folder: Path) -> bool:
    """False where the file system cannot lock as SQLite does. Asked after an error: it may let the archive go."""
    problem = _problem(folder, _try)
    return problem is None or problem.errno not in _UNABLE


def is_held(folder: Path) -> bool:
    """True while a command works on the archive. Asked only where one seems to be at work: it takes the lock to see."""
    problem = _problem(folder, take)
    return problem is not None and problem.errno not in _UNABLE


def _problem(folder: Path, lock: Callable[[int], None]) -> OSError | None:
    """What keeps the archive's file from being locked so; None where nothing does, or it is not there to be asked."""
    try:
        handle = os.open(folder / NAME, os.O_RDWR)
    except OSError:
        return None
    try:
        lock(handle)
    except OSError as problem:
        return problem
    finally:
        os.close(handle)
    return None


class Lock:
    """Holds `archive.lock` until `release` or the end of the process. Raises UserError where it is held already."""

    def __init__(self, folder: Path) -> None:
        self._handle = private_opener(folder / NAME, os.O_RDWR | os.O_CREAT | NO_LINK)
        try:
            take(self._handle)
        except OSError as problem:
            os.lseek(self._handle, 0, os.SEEK_SET)
            owner = os.read(self._handle, 20).decode("ascii", "replace")
            os.close(self._handle)
            if problem.errno in _UNABLE:
                raise UserError(f"archive {folder}: {USE_A_LOCAL_DISK} ({problem.strerror})") from problem
            who = f" (process {owner})" if owner else ""
            raise UserError(f"archive {folder} is in use by another command{who}: wait until it has ended") from problem
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, str(os.getpid()).encode())

    def release(self) -> None:
        """Let the lock go. The file stays: removing it would race with the next owner."""
        os.close(self._handle)
