"""Is an archive what it was? Every row, chunk and object is held against digests that were made when it was written."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from azureml_replay.archive.canonical import DIGEST_BYTES, added, number, number_of, part_of, root_of
from azureml_replay.archive.cells import declared_tables, tables_of
from azureml_replay.archive.database import Database
from azureml_replay.archive.digests import of_bytes
from azureml_replay.archive.objects import Held, Objects
from azureml_replay.archive.roots import Roots
from azureml_replay.archive.run_digest import PARTS
from azureml_replay.archive.schema import STAGED_TABLES
from azureml_replay.archive.sums import CONTENT, NOTES, ROOT_PART, TABLES, Connection, SummedTable, line_of
from azureml_replay.errors import IntegrityError
from azureml_replay.instants import Instant
from azureml_replay.progress import SILENT, Progress
from azureml_replay.workspace.place import Place

MOST_NAMED = 1_000
"""Damages that are kept by name; all are counted."""
_PAGES_NAMED = 20


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not what was written."""

    what: str
    """`run r1`, `chunk 0 of run r1`, `receipt of run r1 in sub/group/ws`, `object 3f…`."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A digest of many rows, in 64 digits."""

    reckoned: str
    """From what lies in the archive now."""
    kept: str
    """As it was written with the last change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRoot:
    """What was sent to one target and what was found there."""

    target: Place
    root: Root


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What `check` saw."""

    content: Root
    """Of all values from the source."""
    proofs: tuple[ProofRoot, ...]
    runs: int
    points: int
    """Rows of metrics."""
    objects: int
    """Contents of files that the archive holds."""
    bytes: int
    """Of them."""
    data_read: bool
    """The bytes of objects were hashed, too; else only their size was looked at."""
    damaged: int
    """How many damages there are; `damages` names the first of them."""
    damages: tuple[Damage, ...]


def check(archive: Checking, *, read_data: bool = False, progress: Progress = SILENT) -> Checked:
    """Holds everything in an archive against its digests; `read_data` the bytes of files too. Writes nothing.

    Nothing is raised for what is damaged: all of it is found and named.
    """
    return archive.checked(read_data=read_data, progress=progress)


_MISPLACED = """
    select r.id from run r left join run p on p.id = r.parent and p.id <> r.id left join run u on u.id = r.unit
    where r.state = 'extracted' and ifnull(p.state, 'extracted') = 'extracted'
    and ifnull(u.state, 'extracted') = 'extracted' and case
      when r.depth = 0 and r.unit = r.id then r.age <> -r.born or ifnull(p.unit <> r.id, 0)
      when p.id is not null then r.unit <> p.unit or r.depth <> p.depth + 1 or r.age <> p.age
      else r.parent is null or u.id is not null
    end order by r.id
"""
"""A root has a parent only where the parents are a cycle. A parent may be gone that was listed once, not selected."""


class Checking(Database):
    """The part of an archive that looks for damage."""

    def checked(self, *, read_data: bool, progress: Progress = SILENT) -> Checked:
        """See `check`."""
        with self._snapshot():
            return Checker(self.folder, self._db, read_data=read_data, progress=progress).all()

    def check(self) -> None:
        """Reads every page, row, chunk and object. Raises IntegrityError at the first that is damaged."""
        found = self.checked(read_data=True)
        if found.damages:
            first, others = found.damages[0], found.damaged - 1
            more = f" (and {others:,} more)" if others else ""
            raise IntegrityError(f"archive {self.folder}: {first.what}: {first.why}{more}")


class Checker(Objects, Roots):
    """One look at all of it, over the archive's own connection."""

    def __init__(self, folder: Path, db: Connection, *, read_data: bool, progress: Progress) -> None:
        """Inside a snapshot."""
        super().__init__(folder, db)
        self.read_data, self.progress = read_data, progress
        self.damages: list[Damage] = []
        self.damaged = 0
        self.totals: defaultdict[int, int] = defaultdict(int)
        self.sizes = {"runs": 0, "points": 0, "objects": 0, "bytes": 0}
        self.targets: dict[int, Place] = {}

    def all(self) -> Checked:
        """Each part for itself, so that one that cannot be read hides no other."""
        parts: tuple[Callable[[], None], ...] = (
            self._file,
            self._schema,
            self._names,
            self._runs,
            self._order,
            self._strays,
            self._kept_points,
        )
        tables = [table for table in TABLES if table.name != "run"]
        for part in (*parts, *(lambda one=one: self._table(one) for one in tables), self._objects):
            self._aside(part)
        whole = not self.damaged
        kept = self._kept_roots()
        if whole:
            self._unnamed(kept)
        roots = {
            owner: Root(reckoned=root_of(added(self.totals[owner])), kept=root_of(max(kept.get(owner, 0), 0)))
            for owner in {CONTENT, *self.targets}
        }
        return Checked(
            content=roots[CONTENT],
            proofs=tuple(ProofRoot(target=self.targets[one], root=roots[one]) for one in sorted(self.targets)),
            data_read=self.read_data,
            damaged=self.damaged,
            damages=tuple(self.damages),
            **self.sizes,
        )

    def _look(self, sql: str, cursor: sqlite3.Cursor, rows: Sequence[Any]) -> None:
        """Rows are taken as they are: each is held against its digest."""

    def _found(self, what: str, why: str) -> None:
        self.damaged += 1
        if len(self.damages) < MOST_NAMED:
            self.damages.append(Damage(what, why))

    def _aside(self, part: Callable[[], None]) -> None:
        try:
            part()
        except IntegrityError as problem:
            self._found("archive.db", str(problem))

    def _file(self) -> None:
        """Of the file, whatever they hold."""
        for (told,) in self._all(f"pragma quick_check({_PAGES_NAMED})"):
            if told != "ok":
                self._found("archive.db", f"damaged: {told}")

    def _schema(self) -> None:
        """Tables are those that the migrations make, and nothing of another program's writes or reckons in the file."""
        for kind, name in self._all("select type, name from sqlite_schema where type in ('view', 'trigger')"):
            self._found("archive.db", f"{kind} {name} was added: an archive has none")
        here, declared = tables_of(self._db), declared_tables()
        for table in sorted({*here, *declared}):
            if here.get(table) != declared.get(table):
                why = "was added" if table not in declared else "has other columns" if table in here else "was dropped"
                self._found("archive.db", f"table {table} {why}")

    def _names(self) -> None:
        for identity, *names in self._all("select id, kind, key, name from target order by id"):
            self.targets[identity] = Place(*map(str, names))

    def _runs(self) -> None:
        """What each holds, and its own row."""
        (count,) = self._one("select count(*) from run")
        self.progress.expect("runs", count)
        (run,) = (table for table in TABLES if table.name == "run")
        self._table(run, self._run_line)
        (self.sizes["points"],) = self._one(
            "select ifnull(sum(s.rows), 0) from series s join run on run.id = s.run and run.generation = s.generation"
        )

    def _run_line(self, cells: list[Any]) -> bytes:
        """With the digest of what lies here, not with the one that stands here."""
        generation, digest = self._one("select generation, content_digest from run where id = ?", (cells[0],)) or (0, 0)
        self.progress.done("runs")
        if generation == 0 and digest is None:
            return line_of("run", cells)
        self.sizes["runs"] += 1
        told: list[str] = []
        try:
            found = self._digest(cells[0], generation, told.append)
        except (IntegrityError, TypeError) as problem:
            self._found(f"run {cells[0]}", f"it cannot be read: {problem}")
            return line_of("run", cells)
        for why in told:
            self._found(f"run {cells[0]}", why)
        if not told and found != digest:
            self._found(f"run {cells[0]}", _unlike(found, digest))
        return line_of("run", [*cells[:-1], found[:ROOT_PART]])

    def _order(self) -> None:
        """The place of each run among the others, which is under no digest: it follows from parents and creation.

        Only of what an extraction has completed: a listing that was cut leaves places that the next one makes anew.
        """
        for (run,) in self._all(_MISPLACED):
            self._found(f"run {run}", "its place in its unit is not what its parents say")
        for run, created, born in self._stream("select id, created, born from run where state = 'extracted'"):
            if _ticks(created) != born:
                self._found(f"run {run}", "it was not created when its order says")

    def _strays(self) -> None:
        """Rows of no run, or of a generation that is neither in force nor on its way."""
        for table in (*STAGED_TABLES, "run_version"):
            rows = self._all(
                f"select distinct x.run, x.generation from {table} x left join run on run.id = x.run "  # noqa: S608
                "where run.id is null or x.generation not in (run.generation, run.generation + 1)"
            )
            for run, generation in rows:
                self._found(f"run {run}", f"{table} rows of generation {generation} belong to nothing: they were added")
        for run, generation in self._all(
            "select distinct o.run, o.generation from omission o left join run on run.id = o.run "
            "where iif(origin in ('extract', 'document'), run.id is null or "
            "o.generation not in (run.generation, run.generation + 1), o.generation <> 0)"
        ):
            self._found(f"run {run}", f"omissions of generation {generation} belong to nothing: they were added")

    def _kept_points(self) -> None:
        """Of targets: the digest of a row is summed, and is of its data."""
        for owner, run, count, expected, data in self._stream(
            "select target, run, number, digest, data from target_points"
        ):
            if not isinstance(data, bytes) or of_bytes(data) != expected:
                self._found(self._named(owner, "target_points", run), f"the points of number {count} are damaged")

    def _table(self, table: SummedTable, line: Callable[[list[Any]], bytes] | None = None) -> None:
        """Every row of a table: the sums by whose they are are those that were kept."""
        kept = self._stream(
            "select cast(target as integer), cast(whose as text), sum from checksum where rows_of = ? order by 1, 2",
            (table.name,),
        )
        told = line or (lambda cells: line_of(table.name, cells))
        for owner, whose, found, expected in _paired(self._sums(table, told), kept):
            if (found or 0) != (expected or 0):
                self._found(self._named(owner, table.name, whose), _why(found, expected))

    def _sums(self, table: SummedTable, line: Callable[[list[Any]], bytes]) -> Iterator[tuple[tuple[int, str], int]]:
        rows = self._stream(table.rows())
        for (owner, whose), group in groupby(rows, key=itemgetter(0, 1)):
            part = 0
            for _, _, *cells in group:
                stands, lies = number(line_of(table.name, cells)), line(cells)
                part += stands
                self.totals[owner] += number(lies)
            yield (owner, whose), part_of(part)

    def _named(self, owner: int, table: str, whose: str) -> str:
        """`job r1`, `receipt of run r1 in sub/group/ws`."""
        if owner <= CONTENT:
            return f"{table} {whose}".strip()
        where = f" in {self.targets.get(owner, f'target {owner}')}"
        return f"{table} of run {whose}{where}" if whose else f"{table}{where}"

    def _kept_roots(self) -> dict[int, int]:
        try:
            return {owner: number_of(kept) for owner, kept in self._all("select target, sum from root")}
        except IntegrityError as problem:
            self._found("archive.db", str(problem))
            return {}

    def _unnamed(self, kept: dict[int, int]) -> None:
        """All rows are as their own sums say, and the sum of all is not: rows went or came together with their sums."""
        for owner in sorted({*kept, *self.totals}):
            if added(self.totals[owner]) != kept.get(owner, 0):
                of = "the archive's notes" if owner == NOTES else self._named(owner, "root", "")
                self._found(of, "the root that is kept is not that of the rows: rows and their checksums were changed")

    def _objects(self) -> None:
        """Of each content its file: its size, and where asked for its bytes."""
        if self.read_data:
            self.progress.expect("bytes", self._one("select ifnull(sum(size_bytes), 0) from object")[0])
        for row in self._stream("select sha256, size_bytes, md5 from object order by 1"):
            self._look_at(*row)

    def _look_at(self, sha256: Any, size_bytes: int, md5: bytes) -> None:  # noqa: ANN401  # the cell of a row
        if not isinstance(sha256, bytes) or not isinstance(size_bytes, int):
            return  # named already
        held = self._object(sha256, size_bytes, md5)
        self.sizes["objects"] += 1
        if not held.file.exists():
            self._found(f"object {sha256.hex()}", f"the archive lacks {held.file}, which it once held")
        elif held.file.stat().st_size != size_bytes:
            size = held.file.stat().st_size
            self._found(f"object {sha256.hex()}", f"{held.file} has {size:,} bytes, not {size_bytes:,}")
        elif self.read_data:
            self._read(held)
        self.sizes["bytes"] += size_bytes

    def _read(self, held: Held) -> None:
        try:
            for piece in held.pieces():
                self.progress.done("bytes", len(piece))
        except IntegrityError as problem:
            self._found(f"object {held.sha256.hex()}", str(problem))


def _ticks(created: Any) -> int | None:  # noqa: ANN401  # the cell of a row
    """As `born` has it; None for what is no moment."""
    try:
        return Instant.parse(created).ticks if created else 0
    except (ValueError, TypeError):
        return None


def _unlike(found: bytes, kept: Any) -> str:  # noqa: ANN401  # the cell of a row
    """Which parts of a run's digest differ."""
    if not isinstance(kept, bytes) or len(kept) != len(found):
        return "it has no digest"
    ends = range(0, len(found), DIGEST_BYTES)
    parts = [PARTS[at // DIGEST_BYTES] for at in ends if found[at : at + DIGEST_BYTES] != kept[at : at + DIGEST_BYTES]]
    return f"its {' and '.join(parts)} are not what was extracted"


def _why(found: int | None, expected: int | None) -> str:
    if found is None:
        return "absent: it was dropped"
    return "not as it was written" if expected else "it was added"


Key = tuple[int, str]


def _paired(
    found: Iterable[tuple[Key, int]], kept: Iterable[tuple[int, str, Any]]
) -> Iterator[tuple[int, str, int | None, int | None]]:
    """Both are in the order of their keys; None where one side lacks a key."""
    ours, theirs = iter(found), iter(kept)
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        key = one[0] if one else None
        there = (other[0], other[1]) if other else None
        if there is None or (key is not None and key < there):
            yield *key, one[1], None  # type: ignore[misc,index]
            one = next(ours, None)
        elif key is None or there < key:
            yield *there, None, number_of(other[2])  # type: ignore[index]
            other = next(theirs, None)
        else:
            yield *key, one[1], number_of(other[2])  # type: ignore[index]
            one, other = next(ours, None), next(theirs, None)
