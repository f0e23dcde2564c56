"""The one SQLite connection behind the world, and the JSON form in which documents are stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from azureml_sandbox.world.schema import SCHEMA

Document = dict[str, Any]
"""A JSON object as it goes over the wire, unknown keys included."""


def dumps(document: object) -> str:
    """JSON text of a document."""
    return orjson.dumps(document).decode()


def loads(text: str) -> Document:
    """A document from its JSON text."""
    loaded: Document = orjson.loads(text)
    return loaded


class Database:
    """One connection in WAL mode, so that a loader may write while a server reads."""

    def __init__(self, path: Path) -> None:
        self.sql = sqlite3.connect(path, isolation_level=None, timeout=30.0, check_same_thread=False)
        self.sql.row_factory = sqlite3.Row
        for pragma in ("journal_mode = wal", "synchronous = normal", "foreign_keys = on"):
            self.sql.execute(f"pragma {pragma}")
        self.sql.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner transaction joins the outer one. Never await inside."""
        if self.sql.in_transaction:
            yield
            return
        self.sql.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.sql.execute("rollback")
            raise
        self.sql.execute("commit")

    def one(self, query: str, *values: object) -> sqlite3.Row | None:
        """The first row, if any."""
        row: sqlite3.Row | None = self.sql.execute(query, values).fetchone()
        return row

    def all(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Every row."""
        return self.sql.execute(query, values).fetchall()

    def document(self, query: str, *values: object) -> Document | None:
        """The column `document` of the first row, if any."""
        row = self.one(query, *values)
        return loads(row["document"]) if row is not None else None

    def run(self, query: str, *values: object) -> int:
        """Execute one statement; the number of rows it changed."""
        return self.sql.execute(query, values).rowcount
