"""A folder that holds what a workspace held, and what has reached a target. OPEN THIRD.

`archive.db` is plan, progress, resume and report in one SQLite file; `docs/concepts/archive-format.md` writes it down.
Everything is synchronous and streams: no call needs more memory than a page of rows or one chunk of points.
Every method may raise UserError (disk full, permissions) and IntegrityError (damaged).
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from azureml_replay import redact
from azureml_replay.archive.checking import Checking
from azureml_replay.archive.content import Content
from azureml_replay.archive.database import connected, now, storable
from azureml_replay.archive.elsewhere import put_objects, refuse_links
from azureml_replay.archive.examinations import Examinations
from azureml_replay.archive.histories import Histories
from azureml_replay.archive.imports import Imports
from azureml_replay.archive.listing import Listing
from azureml_replay.archive.lock import Lock, is_held
from azureml_replay.archive.merging.folding import Folds
from azureml_replay.archive.merging.parts import Parting
from azureml_replay.archive.objects import BELOW
from azureml_replay.archive.older_digests import RENEWED_BY, OlderDigests
from azureml_replay.archive.overview import Overview
from azureml_replay.archive.roots import Roots
from azureml_replay.archive.schema import APPLICATION_ID, FORMAT_VERSION, MIGRATIONS
from azureml_replay.archive.sessions import Sessions
from azureml_replay.archive.studio import Studio
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.archive.timeline import Timeline
from azureml_replay.disk.outputs import NO_LINK, private_opener, refuse_long
from azureml_replay.errors import IntegrityError, UserError
from azureml_replay.terminal.hints import hint
from azureml_replay.version import __version__
from azureml_replay.workspace.place import Place

_OURS = ("archive.", "artifacts")
"""Beginnings of the names of an archive's own files."""


class Archive(
    Listing,
    Content,
    Histories,
    Checking,
    Roots,
    Overview,
    Sessions,
    Imports,
    Studio,
    Examinations,
    OlderDigests,
    Timeline,
    Folds,
    Parting,
):
    """The base classes are its parts: what was listed, what runs hold, their bytes, reading. `ledger`: for a target."""

    source: Place
    redacts_more: bool = False
    """True where globs were added since it was opened: what was brought before may hold what they take out."""

    def __init__(self, folder: Path, *, write: bool) -> None:
        """Not to be called: `create` and `open` make archives."""
        self._lock = Lock(folder) if write else None
        try:
            self._write = write
            super().__init__(folder, connected(folder, write=write))
        except BaseException:
            self._release()
            raise

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        source: Place,
        *,
        redact: Sequence[str] = (),
        objects: str | os.PathLike[str] | None = None,
    ) -> Archive:
        """Make an archive of `source`, or open the one that is there. `redact` adds globs that stay with the archive.

        `objects`: a folder on another disk, in which the bytes of files are to lie; it is remembered.

        Raises UserError for an archive of another workspace or of a newer version, one in use, or a folder that holds
        something else; IntegrityError for a damaged one.
        """
        refuse_long(Path(folder), BELOW)
        refuse_links(Path(folder))
        _prepare(Path(folder))
        archive = cls(Path(folder), write=True)
        try:
            archive._found(source)
            archive._check_source(source)
            if objects is not None:
                put_objects(Path(folder), Path(objects))
            archive._add_globs(redact)
        except BaseException:
            archive.close()
            raise
        return archive

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, write: bool = True) -> Archive:
        """Open the archive that is there. Without `write` nothing is written, and another process may write meanwhile.

        An archive of an older version is brought forward first, with or without `write`. Raises UserError where there
        is none, or it is in use or of a newer version; IntegrityError where it is damaged.
        """
        refuse_links(Path(folder))
        _check_header(Path(folder))
        archive = cls(Path(folder), write=write)
        try:
            older = archive._read_setup()
        except BaseException:
            archive.close()
            raise
        if not older:
            return archive
        archive.close()
        cls.open(folder).close()
        return cls.open(folder, write=False)

    @property
    def id(self) -> str:
        """Twelve hex digits made from the source and the moment at which this archive was begun."""
        (created,) = self._one("select created from archive")
        return hashlib.blake2b(f"{self.source.key} {created}".encode(), digest_size=6).hexdigest()

    def ledger(self, target: Place) -> TargetLedger:
        """The record of what has reached one target; empty for a target that was never written to."""
        return TargetLedger(self.folder, self._db, target)

    def targets(self) -> list[Place]:
        """Every workspace that this archive was replayed into, in the order of first use."""
        return [Place(*row) for row in self._all("select kind, key, name from target order by id")]

    @property
    def in_use(self) -> bool:
        """True while another command writes. Asked only where one seems to be at work."""
        return is_held(self.folder)

    def close(self) -> None:
        """Close the archive, so that another process can write."""
        self._db.close()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def log_command(self, argv: Sequence[str]) -> None:
        """Keep a command line, without secrets. NOT repeatable: appends."""
        with self._transaction():
            line = storable(shlex.join(redact.arguments(argv)))
            self._execute("insert into command_log (at, command) values (?, ?)", (str(now()), line))

    def _found(self, source: Place) -> None:
        """Make the tables of a new archive, and those of newer versions, each migration with its own row."""
        if not self._one("select 1 from sqlite_schema"):
            self._execute(f"pragma application_id = {APPLICATION_ID}")
            with self._transaction(durable=True):
                for number in range(1, FORMAT_VERSION + 1):
                    self._migrate(number)
                row = (FORMAT_VERSION, source.kind, source.key, source.name, str(now()), __version__, redact.VERSION)
                self._execute(
                    "insert into archive (id, format_version, kind, key, name, created, tool_version, redaction) "
                    "values (1, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
                self._sum_all()
        self._read_setup()

    def _read_setup(self) -> bool:
        """True where the archive is of an older version and still has to be brought forward."""
        version = self._format()
        if version is None:
            raise UserError(
                f"{self.folder}/archive.db holds no archive: another program made it, or the first extract never began"
            )
        if version > FORMAT_VERSION:
            raise UserError(
                f"archive {self.folder} has format {version}, this version reads up to {FORMAT_VERSION}: "
                "upgrade azureml-job-replayer"
            )
        if version < FORMAT_VERSION and not self._write:
            return True
        self._refuse_triggers()
        self._bring_forward(version)
        self.source = Place(*self._one("select kind, key, name from archive"))
        if self._write:
            self._db.watch()
        return False

    def _format(self) -> int | None:
        """The version of the archive's format; None where the file holds no archive."""
        if self._one("pragma application_id")[0] != APPLICATION_ID:
            return None
        if not self._one("select 1 from sqlite_schema where name = 'archive'"):
            return None
        row = self._one("select format_version from archive")
        return row and int(row[0])

    def _refuse_triggers(self) -> None:
        """What another program left in the file may undo whatever is written: SQLite obeys it without a word."""
        if found := self._one("select name from sqlite_schema where type = 'trigger'"):
            raise IntegrityError(
                f"archive {self.folder} is damaged: trigger {found[0]} was added to archive.db, "
                "and would change what is written"
            )

    def _bring_forward(self, version: int) -> None:
        for number in range(version + 1, FORMAT_VERSION + 1):
            with self._transaction(durable=True):
                self._migrate(number)
                self._execute("update archive set format_version = ?", (number,))
                if number == FORMAT_VERSION:
                    self._sum_all()

    def _migrate(self, number: int) -> None:
        for statement in MIGRATIONS[number - 1].split(";"):
            self._execute(statement)
        if number == RENEWED_BY:
            self._renew_digests()
        self._execute("insert into migration values (?, ?, ?)", (number, str(now()), __version__))

    def _check_source(self, source: Place) -> None:
        if source != self.source:
            raise UserError(
                f"archive {self.folder} holds the workspace {self.source}, not {source}: name another folder"
            )

    def _add_globs(self, globs: Sequence[str]) -> None:
        known = {glob for (glob,) in self._all("select glob from redact_glob")}
        if new := sorted({storable(glob) for glob in globs} - known):
            with self._transaction():
                self._executemany("insert into redact_glob values (?)", ((glob,) for glob in new))
            self.expect_again()
            self.redacts_more = True

    def _release(self) -> None:
        if self._lock:
            self._lock.release()


def _prepare(folder: Path) -> None:
    """Make the folder and an empty `archive.db`, both readable by their owner only."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = [entry.name for entry in folder.iterdir() if not entry.name.startswith(_OURS)]
        database = folder / "archive.db"
        if database.exists():
            _check_header(folder)
        elif others:
            raise UserError(f"{folder} holds other things ({others[0]}, …) and no archive: give an empty folder")
        else:
            folder.chmod(0o700)
            os.close(private_opener(database, os.O_RDWR | os.O_CREAT | NO_LINK))
    except OSError as problem:
        raise UserError(f"archive {folder} cannot be made: {problem.strerror}") from problem


def _check_header(folder: Path) -> None:
    database = folder / "archive.db"
    try:
        with database.open("rb") as file:
            header = file.read(16)
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise UserError(
            f"{folder} is not an archive: it has no archive.db. "
            f"`{hint('extract', '--source', 'source.json', '--archive', folder)}` makes one"
        ) from problem
    except OSError as problem:
        raise UserError(f"archive {folder} cannot be read: {problem.strerror}") from problem
    if header and header != b"SQLite format 3\0":
        raise IntegrityError(f"archive {folder} is damaged: archive.db does not begin as an SQLite file does")
