"""SQLite under an archive: transactions, paging, and errors in the user's words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from azureml_replay.archive.canonical import number_of, root_of
from azureml_replay.archive.cells import sound
from azureml_replay.archive.lock import USE_A_LOCAL_DISK, can_lock
from azureml_replay.archive.sums import Connection
from azureml_replay.disk.handles import handle_is_left, too_many_files
from azureml_replay.errors import IntegrityError, ReplayError, UserError
from azureml_replay.instants import Instant
from azureml_replay.json_text import spaced

T = TypeVar("T")

PAGE = 500
"""Rows read at once, by pages of keys: with an open cursor nobody could write meanwhile, nor the WAL be emptied."""

_HINTS = {
    sqlite3.SQLITE_FULL: "the disk is full: make room and run the command again",
    sqlite3.SQLITE_READONLY: "it cannot be written: check the permissions of the folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check the permissions of the folder",
    sqlite3.SQLITE_BUSY: "another program keeps it locked: close it and run the command again",
    sqlite3.SQLITE_IOERR: "reading or writing failed: check the disk",
}
_NO_LOCKS = {
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
}
"""Codes with which a file system ends that cannot lock files or share memory. ENOLCK itself is SQLITE_BUSY."""
_DAMAGED = {
    0,  # a text that is not UTF-8: Python says so, with no code
    sqlite3.SQLITE_ERROR,  # no such table or column, malformed JSON
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_NOTADB,
}
"""Codes that sound statements over sound tables never end with."""
_OURS = "syntax error"
"""No archive, whatever it holds, makes a statement of ours unreadable."""


def now() -> Instant:
    """The present moment, for times that people read."""
    return Instant.of(datetime.now(UTC))


def storable(text: str) -> str:
    """A text of the command line as a column holds it: bytes that are no UTF-8, as names of files may have, escaped."""
    return text.encode(errors="backslashreplace").decode()


class Database:
    """Queries over one connection to `archive.db`; Archive and TargetLedger inherit from this class and share one."""

    def __init__(self, folder: Path, db: Connection) -> None:
        self.folder = folder
        self._db = db

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written inside is one transaction, all or nothing: each takes 0.1 ms. Nothing is awaited there."""
        with self._transaction():
            self._db.together = True
            try:
                yield
            finally:
                self._db.together = False

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Write all or nothing. `durable`: on the disk when this returns, so that a power cut cannot lose it.

        Inside of `together` it is part of that.
        """
        if self._db.together:
            if durable:
                raise RuntimeError("what has to be on the disk at once is no part of a longer transaction")
            yield
            return
        self._guarded(self._db.prepare)
        if durable:
            self._execute("pragma synchronous = full")
        try:
            self._execute("begin immediate")
            try:
                yield
                self._guarded(lambda: self._db.sums.write(self._db))
                self._execute("commit")
            except BaseException:
                self._db.sums.forget()
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
        finally:
            if durable:
                self._execute("pragma synchronous = normal")

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as problem:
            raise self._explained(problem) from problem

    def _executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        try:
            self._db.executemany(sql, rows)
        except sqlite3.Error as problem:
            raise self._explained(problem) from problem

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows, looked at by `_look`. Raises IntegrityError for a damaged one."""
        cursor = self._execute(sql, values)
        rows = self._guarded(cursor.fetchall)
        if rows:
            self._look(sql, cursor, rows)
        return rows

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:  # noqa: ANN401  # sqlite3 rows are untyped
        """The first row, or None; as `_all`."""
        cursor = self._execute(sql, values)
        row = self._guarded(cursor.fetchone)
        if row is not None:
            self._look(sql, cursor, (row,))
        return row

    def _look(self, sql: str, cursor: sqlite3.Cursor, rows: Sequence[Any]) -> None:
        """The boundary: what comes from here is of the types that its columns have. `check` looks by itself."""
        sound(sql, [column[0] for column in cursor.description or ()], rows, f"archive {self.folder}")

    def _among(self, sql: str, keys: Sequence[str], more: str = "", values: Sequence[Any] = ()) -> list[Any]:
        """The rows of many keys at once: `sql` ends in `in`. Nothing is asked where there is no key."""
        those = f"{sql} (select value from json_each(?1)) {more}"  # noqa: S608
        return self._all(those, (spaced(keys), *values)) if keys else []

    def _pages(self, sql: str, values: Sequence[Any], after: Sequence[Any], size: int = PAGE) -> Iterator[Any]:
        """Rows in the order of their first columns, which are the key: `sql` ends in `> (?, …) order by … limit ?`."""
        while True:
            rows = self._all(sql, (*values, *after, size))
            yield from rows
            if len(rows) < size:
                return
            after = rows[-1][: len(after)]

    def _stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """Rows of an open cursor, not looked at: for who holds a transaction that writes nothing, and checks."""
        cursor = self._execute(sql, values)
        while rows := self._guarded(lambda: cursor.fetchmany(PAGE)):
            yield from rows

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """All that is read inside is of one moment, while others may write."""
        self._execute("begin")
        try:
            yield
        finally:
            self._db.rollback()

    def _kept_root(self, owner: int | None) -> str:
        """In digits; of nothing where nothing was ever summed."""
        row = self._one("select sum from root where target = ?", (owner,))
        return root_of(max(number_of(row[0]), 0) if row else 0)

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as problem:
            raise self._explained(problem) from problem

    def _explained(self, problem: sqlite3.Error) -> ReplayError | sqlite3.Error:
        return _explained(problem, self.folder)


def connected(folder: Path, *, write: bool) -> Connection:
    """A connection to the `archive.db` of a folder. Raises UserError, IntegrityError."""
    try:
        return _connect(folder / "archive.db", write=write)
    except sqlite3.Error as problem:
        raise _explained(problem, folder) from problem


def _explained(problem: sqlite3.Error, folder: Path) -> ReplayError | sqlite3.Error:
    refined = getattr(problem, "sqlite_errorcode", 0)
    code = refined & 0xFF
    if code in _DAMAGED and _OURS not in str(problem):
        return IntegrityError(f"archive {folder} is damaged ({problem})")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR) and not handle_is_left():
        return UserError(too_many_files())
    if refined in _NO_LOCKS or (code == sqlite3.SQLITE_BUSY and not can_lock(folder)):
        return UserError(f"archive {folder}: {USE_A_LOCAL_DISK} ({problem})")
    if code in _HINTS:
        return UserError(f"archive {folder}: {_HINTS[code]} ({problem})")
    return problem


def uri_of(path: Path, *, write: bool) -> str:
    """A database as SQLite opens or attaches it."""
    mode = "mode=rw" if write else "mode=ro"
    if not write and not os.access(path.parent, os.W_OK) and not path.with_name("archive.db-wal").exists():
        mode = "immutable=1"  # on a read-only medium SQLite cannot make the files that coordinate with a writer
    return f"{path.resolve().as_uri()}?{mode}"


def _connect(path: Path, *, write: bool) -> Connection:
    db = Connection(uri_of(path, write=write), uri=True, isolation_level=None, timeout=10)
    if write:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        db.execute("pragma recursive_triggers = on")  # `insert or replace` tells of the row that it replaces
    return db
