"""One writer at a time. The operating system holds the lock, so that a killed owner leaves none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from azureml_replay.errors import UserError

if sys.platform == "win32":
    import msvcrt

    def take(handle: int) -> None:
        """Locks an open file for this process. Raises OSError where another one has it locked."""
        os.lseek(handle, 1 << 30, os.SEEK_SET)  # a locked byte cannot be read: lock one after the owner's number
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def take(handle: int) -> None:
        """Locks an open file for this process. Raises OSError where another one has it locked."""
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """Holds `archive.lock` until `release` or the end of the process. Raises UserError where it is held already."""

    def __init__(self, folder: Path) -> None:
        self._handle = os.open(folder / "archive.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            take(self._handle)
        except OSError as problem:
            owner = os.pread(self._handle, 20, 0).decode("ascii", "replace") if sys.platform != "win32" else ""
            os.close(self._handle)
            who = f" (process {owner})" if owner else ""
            raise UserError(f"archive {folder} is in use by another command{who}: wait until it has ended") from problem
        os.ftruncate(self._handle, 0)
        os.write(self._handle, str(os.getpid()).encode())

    def release(self) -> None:
        """Let the lock go. The file stays: removing it would race with the next owner."""
        os.close(self._handle)
