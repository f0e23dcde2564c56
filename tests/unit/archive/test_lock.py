"""The lock of an archive: held by one, impossible on some file systems, and made by other calls on Windows."""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import sqlite3
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from azureml_replay.archive import database, lock
from azureml_replay.archive.archive import Archive
from azureml_replay.errors import UserError
from unit.archive.full import SOURCE

NO_LOCKS = OSError(errno.ENOLCK, "No locks available")


def raising(problem: OSError) -> object:
    def call(*_: object) -> None:
        raise problem

    return call


def test_a_file_system_without_locks_is_not_another_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", raising(NO_LOCKS))

    with pytest.raises(UserError, match="use a local disk"):
        Archive.create(tmp_path / "archive", SOURCE)


def problem(name: str) -> sqlite3.OperationalError:
    found = sqlite3.OperationalError("some words of SQLite's")
    found.sqlite_errorcode = getattr(sqlite3, name)  # type: ignore[misc]
    return found


@pytest.mark.parametrize("name", ["SQLITE_IOERR_SHMMAP", "SQLITE_IOERR_LOCK", "SQLITE_PROTOCOL", "SQLITE_NOLFS"])
def test_sqlite_without_locks_or_shared_memory(tmp_path: Path, name: str) -> None:
    assert "use a local disk" in str(database._explained(problem(name), tmp_path))


def test_a_busy_database_is_somebody_elses_where_locks_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite calls `no locks available` busy, too."""
    (tmp_path / "archive.lock").touch()
    assert "another program" in str(database._explained(problem("SQLITE_BUSY"), tmp_path))

    monkeypatch.setattr(fcntl, "lockf", raising(NO_LOCKS))
    assert "use a local disk" in str(database._explained(problem("SQLITE_BUSY"), tmp_path))


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as Windows would load it, with locks in memory: a locked byte refuses the next one."""
    held: set[tuple[int, int]] = set()

    def locking(handle: int, mode: int, count: int) -> None:
        assert (mode, count) == (2, 1)
        place = os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR)
        if place in held:
            raise PermissionError(errno.EACCES, "Permission denied")
        held.add(place)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))  # type: ignore[arg-type]
    spec = importlib.util.spec_from_file_location("lock_of_windows", lock.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_windows_locks_a_byte_behind_the_owners_number(tmp_path: Path, windows: ModuleType) -> None:
    """Which may be read, as a locked byte may not."""
    windows.Lock(tmp_path)

    assert (tmp_path / "archive.lock").read_text() == str(os.getpid())
    with pytest.raises(UserError, match=rf"in use by another command \(process {os.getpid()}\)"):
        windows.Lock(tmp_path)
    assert windows.can_lock(tmp_path)
