"""Who holds a lease, and whether whoever held one on this machine is alive: the operating system tells by a lock."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

from azureml_replay.archive.lock import take
from azureml_replay.disk.handles import temporary_folder
from azureml_replay.errors import UserError
from azureml_replay.workspace.lease import LeaseHolder

KEPT_S = 86_400.0
"""Files of the dead are evidence for as long as a term may run, and are removed a day after they lived last."""


@contextmanager
def alive(*, elsewhere: bool = False) -> Iterator[LeaseHolder]:
    """A new holder. While the block lasts, and the process lives, a file of its name is locked.

    A block that ends well leaves none, as its lease was given back: a day's thousands took each call 0.6 s.
    `elsewhere`: others work for it on machines of which this one cannot tell whether they live. Raises UserError where
    the folder for such files is somebody else's.
    """
    machine = socket.gethostname()
    where = f"{machine} and others" if elsewhere else machine
    holder = LeaseHolder(str(uuid4()), f"{_user()}@{machine}", where)
    folder = _folder()
    _clear(folder)
    file = folder / holder.id
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        take(handle)
        yield holder
    finally:
        os.close(handle)
    with suppress(OSError):
        file.unlink()


@contextmanager
def alive_for(holder: LeaseHolder) -> Iterator[None]:
    """While the block lasts, and this process lives, the holder is not dead, though the process that began be gone.

    Raises UserError as `alive`. On another machine nobody asks for it.
    """
    if not _is_id(holder.id):
        yield
        return
    file = _folder() / f"{holder.id}.{os.getpid()}"
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        take(handle)
        yield
    finally:
        os.close(handle)
    with suppress(OSError):
        file.unlink()


def lives_on(holder: LeaseHolder) -> None:
    """Keeps the file of a call that lasts for days as evidence for another one; where it is gone, nothing."""
    with suppress(OSError, UserError):
        os.utime(_folder() / holder.id)


def is_dead(holder: LeaseHolder) -> bool:
    """True where a process of this machine and user held it and lives no more, nor does any that worked for it.

    False where nobody can tell.
    """
    if holder.machine != socket.gethostname() or not _is_id(holder.id):
        return False
    try:
        folder = _folder()
        return _is_free(folder / holder.id) and all(map(_is_free, folder.glob(f"{holder.id}.*")))
    except (OSError, UserError):
        return False


def _is_free(file: Path) -> bool:
    handle = os.open(file, os.O_RDWR)
    try:
        take(handle)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _folder() -> Path:
    """Of this user, on a disk of this machine: a lock on a shared disk may tell nothing of other machines."""
    user = str(os.getuid()) if hasattr(os, "getuid") else _user()
    folder = temporary_folder() / f"azureml-replay-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise UserError(f"{folder} belongs to somebody else: remove it, or set TMPDIR to a folder of your own")
    return folder


def _clear(folder: Path) -> None:
    before = time.time() - KEPT_S
    for file in folder.iterdir():
        with suppress(OSError):
            if file.stat().st_mtime < before and _is_free(file):
                file.unlink()


def _is_id(text: str) -> bool:
    """It becomes a file's name, and came from a workspace."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
