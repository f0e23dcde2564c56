"""What one run holds, staged as a new generation until `complete` swaps it in: a kill in between loses nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from azureml_replay.archive import series as codec
from azureml_replay.archive.clean_points import clean_points, clean_series
from azureml_replay.archive.database import now
from azureml_replay.archive.digesting import Digesting
from azureml_replay.archive.digests import of_bytes
from azureml_replay.archive.documents import REDACTED, Documents
from azureml_replay.archive.reading import FILE_GONE, FILE_KEPT
from azureml_replay.archive.records import (
    ARTIFACT_COLUMNS,
    artifact_row,
    optional,
    series_of,
    series_row,
    stored_of,
    stored_row,
)
from azureml_replay.archive.schema import STAGED_TABLES
from azureml_replay.archive.series import longest_text
from azureml_replay.model import (
    ROWS_PER_CHUNK,
    Artifact,
    Location,
    Omission,
    Points,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.redact import has_replacement

_PUT_ARTIFACT = f"""
    insert or replace into artifact (run, generation, {ARTIFACT_COLUMNS})
    values ({", ".join("?" * (2 + len(ARTIFACT_COLUMNS.split(", "))))})
"""  # noqa: S608  # our own words
_PUT_SERIES = """
    insert into series (run, generation, number, name, namespace, columns, ux_type, schema_id, rows, longest_text)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_COUNT_SERIES = """
    update series set columns = ?, ux_type = ?, schema_id = ?, rows = rows + ?, longest_text = max(longest_text, ?)
    where run = ? and generation = ? and number = ?
"""
_LEFT_OVER = """
    select exists (select 1 from series where run = ?1 and generation = ?2)
      or exists (select 1 from chunk where run = ?1 and generation = ?2)
      or exists (select 1 from artifact where run = ?1 and generation = ?2)
      or exists (select 1 from omission where run = ?1 and generation = ?2 and origin = 'extract')
"""
_STORED = "size_bytes, md5, etag, content_type, metadata, stored_unknown, blob_type"
_KEEP_BYTES = f"""
    update artifact as b set ({_STORED}, gone) = (
      select {_STORED}, ?3 from artifact a where a.run = b.run and a.generation = ?2 - 1 and a.path = b.path
        and a.datastore = b.datastore and a.location = b.location
    ) where run = ?1 and generation = ?2 and size_bytes is null and exists (
      select 1 from artifact a join content c on c.datastore = a.datastore and c.path = a.location
        and c.etag = ifnull(a.etag, '') and c.sha256 is not null
      where a.run = b.run and a.generation = ?2 - 1 and a.path = b.path
        and a.datastore = b.datastore and a.location = b.location and a.size_bytes is not null
    )
"""  # noqa: S608  # our own words
"""Of a file that the index lists, and the storage does not hold any more."""
_KEEP_MD5 = """
    update artifact as b set md5 = (
      select md5 from artifact a where a.run = b.run and a.generation = ?2 - 1 and a.path = b.path
        and a.datastore = b.datastore and a.location = b.location and a.etag is null and a.size_bytes = b.size_bytes
    ) where run = ?1 and generation = ?2 and etag is null and md5 is null and size_bytes is not null
"""
"""Of a file that storage tells by its size alone, what reading it told (`Objects.renew`)."""
_PUT_UNLISTED = f"""
    insert into artifact (run, generation, {ARTIFACT_COLUMNS})
    select run, ?2, path, datastore, location, indexed, more, unknown,
      iif(gone is null or gone = ?4, ?3, gone), {"null, " * 6}null
    from artifact a where run = ?1 and generation = ?2 - 1 and not exists (
      select 1 from artifact b where b.run = a.run and b.generation = ?2 and b.path = a.path
    )
"""  # noqa: S608  # our own words
"""Of a path that is still listed the source says what it is, wherever its bytes are."""


class Content(Documents, Digesting):
    """The part of an archive that the extraction of single runs fills."""

    @cached_property
    def _begun(self) -> dict[RunId, int]:
        """Runs that `begin` began and `complete` has not ended, with the generation that is staged.

        Nothing else changes it meanwhile; asked for each row's sake it was eight questions a run.
        """
        return {}

    def begin(self, run: RunId) -> None:
        """Start a generation, without leftovers of an interrupted one; the extracted one stays readable. Repeatable."""
        with self._transaction():
            self._begun.pop(run, None)
            staged = self._begun[run] = self._staged(run)
            if self._one(_LEFT_OVER, (run, staged))[0]:
                for table in STAGED_TABLES:
                    self._execute(f"delete from {table} where run = ? and generation = ?", (run, staged))  # noqa: S608
                self._execute(
                    "delete from omission where run = ? and origin = 'extract' and generation = ?", (run, staged)
                )
            # a run that is extracted again without having been listed again begins with the document it has
            if staged > 1:
                self._execute(
                    "insert or ignore into run_version select run, ?, unknown, record, record_bytes from run_version "
                    "where run = ? and generation = ?",
                    (staged, run, staged - 1),
                )

    def put_details(self, details: RunDetails) -> None:
        """Replace the document that the listing gave. Repeatable."""
        with self._transaction():
            self._write_version(details, self._staged(details.run.id))

    def put_series(self, run: RunId, series: Iterable[Series]) -> None:
        """Add the series that a run logged, with their other keys; `put_chunk` brings the rows. Repeatable."""
        with self._transaction():
            staged = self._staged(run)
            cleaned = [clean_series(given, self._rules) for given in series]
            numbers = self._numbers(run, staged, map(_Added, cleaned))
            for one, number in zip(cleaned, numbers, strict=True):
                if one.more or one.unknown:
                    more = self._keep(run, staged, f"metric {one.key.name}", one.more, one.unknown)
                    self._execute(
                        "update series set more = ?, unknown = ? where run = ? and generation = ? and number = ?",
                        (optional(more), optional(one.unknown), run, staged, number),
                    )

    def put_chunk(self, run: RunId, pieces: Sequence[Points]) -> None:
        """Add rows of one or more series, at most `ROWS_PER_CHUNK`. NOT repeatable: appends."""
        rows = sum(map(len, pieces))
        if rows > ROWS_PER_CHUNK:
            raise ValueError(f"a chunk of {rows} rows, at most {ROWS_PER_CHUNK}")
        with self._transaction():
            staged = self._staged(run)
            pieces = self._without_secrets(run, staged, pieces)
            numbers = self._numbers(run, staged, (_Added(one.series, len(one), longest_text(one)) for one in pieces))
            if not rows:
                return
            data = codec.encode(pieces, numbers)
            self._execute(
                """
                insert into chunk select ?1, ?2, ifnull(max(seq) + 1, 0), ?3, ?4, ?5, ?6, ?7
                from chunk where run = ?1 and generation = ?2
                """,
                (run, staged, rows, min(numbers), max(numbers), of_bytes(data), data),
            )

    def _without_secrets(self, run: RunId, staged: int, pieces: Sequence[Points]) -> list[Points]:
        """The rows as they may be written; each redaction is noted."""
        cleaned = [clean_points(piece, self._rules) for piece in pieces]
        changed = (after for before, after in zip(pieces, cleaned, strict=True) if after is not before)
        whats = (f"names or texts of metric {after.series.key.name}" for after in changed)
        self._omit("extract", staged, (Omission(run, what, REDACTED) for what in whats))
        return cleaned

    def _numbers(self, run: RunId, staged: int, added: Iterable[_Added]) -> list[int]:
        """The numbers of series in the run; their rows are counted. One read for all of them.

        A name has two numbers where its columns changed while rows were logged.
        """
        here: defaultdict[SeriesKey, list[_Here]] = defaultdict(list)
        rows = self._all(
            "select number, rows, name, namespace, columns, ux_type, schema_id from series "
            "where run = ? and generation = ? order by number",
            (run, staged),
        )
        for number, had, *cells in rows:
            here[SeriesKey(*cells[:2])].append(_Here(number, had, cells))
        numbers = list[int]()
        for one in added:
            same = here[one.series.key]
            known = next((known for known in same if known.continues_as(one.series)), None)
            if known is None:
                known = _Here(sum(map(len, here.values())), one.rows, list(series_row(one.series)))
                same.append(known)
                self._execute(_PUT_SERIES, (run, staged, known.number, *known.cells, one.rows, one.longest_text))
            elif known.take(one):
                told = (*known.cells[2:], one.rows, one.longest_text, run, staged, known.number)
                self._execute(_COUNT_SERIES, told)
            numbers.append(known.number)
        return numbers

    def put_artifacts(self, run: RunId, artifacts: Sequence[Artifact]) -> None:
        """Add files; a file of the same path and location is replaced. Repeatable."""
        with self._transaction():
            staged = self._staged(run)
            for given in artifacts:
                artifact = self.clean_artifact(given)
                stored, redacted = self._clean_file(artifact.stored)
                whats = [f"metadata {name} of file {artifact.path}" for name in redacted]
                whats += [f"name of file {artifact.path}"] if has_replacement(artifact.path) else []
                self._omit("extract", staged, (Omission(run, what, REDACTED) for what in whats))
                unread = (*artifact.unknown, *(stored.unknown if stored else ()))
                more = self._keep(run, staged, f"file {artifact.path}", artifact.more, unread)
                cells = artifact_row(replace(artifact, stored=stored, more=more))
                self._execute(_PUT_ARTIFACT, (run, staged, *cells))

    def keep_artifacts(self, run: RunId) -> None:
        """Take the files of the generation in force into the staged one, where this extraction looks for none.

        Repeatable.
        """
        with self._transaction():
            staged = self._staged(run)
            self._execute(
                f"insert or ignore into artifact (run, generation, {ARTIFACT_COLUMNS}) "  # noqa: S608  # our own words
                f"select run, ?, {ARTIFACT_COLUMNS} from artifact where run = ? and generation = ?",
                (staged, run, staged - 1),
            )
            self._keep_omissions(run, staged, "true")

    def keep_disappeared(self, run: RunId) -> None:
        """Take those files along that the source does not have any more, once all that it has were put. Repeatable.

        One whose bytes are here stays as it was; of the others it is known that there was one.
        """
        with self._transaction():
            staged = self._staged(run)
            if staged == 1:
                return
            self._execute(_PUT_UNLISTED, (run, staged, FILE_GONE, FILE_KEPT))
            self._execute(_KEEP_BYTES, (run, staged, FILE_KEPT))
            self._execute(_KEEP_MD5, (run, staged))
            self._keep_omissions(run, staged, "a.gone is not null")

    def _keep_omissions(self, run: RunId, staged: int, which: str) -> None:
        """What the generation in force lacks of files that the staged one has too."""
        self._execute(
            f"""
            insert or ignore into omission (run, origin, generation, what, reason)
            select o.run, origin, ?1, what, reason from omission o
            where o.run = ?2 and o.generation = ?1 - 1 and origin = 'extract'
              and (what glob 'file *' or what glob '* of file *' or what glob 'value at file *')
              and exists (select 1 from artifact a where a.run = ?2 and a.generation = ?1 and {which}
                          and instr(o.what, 'file ' || a.path) > 0)
            """,  # noqa: S608  # our own words
            (staged, run),
        )

    def put_stored(self, container: str, files: Sequence[StoredFile]) -> None:
        """Keep a page of the storage's listing until `clear_stored`, under the run's container. Repeatable."""
        with self._transaction():
            for file in files:
                cleaned, _ = self._clean_file(file)  # noted as an omission once it is a run's artifact
                folder, of_run, path = file.location.path.partition(f"{container}/")  # the run's own name stays
                place = folder + of_run + self._rules.path(path) if of_run else self._rules.path(folder)
                row = (container, file.location.datastore, place, *stored_row(cleaned))
                self._execute("insert or replace into stored_file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def stored(self, container: str) -> Iterator[StoredFile]:
        """The files that `put_stored` kept of a container, by datastore and path."""
        sql = """
            select datastore, path, size_bytes, md5, etag, content_type, metadata, unknown, blob_type from stored_file
            where container = ? and (datastore, path) > (?, ?) order by datastore, path limit ?
        """
        for datastore, path, *rest in self._pages(sql, (container,), ("", "")):
            yield stored_of(Location(datastore, path), *rest)

    def clear_stored(self) -> None:
        """Drop the whole listing of the storage. Repeatable."""
        with self._transaction():
            self._execute("delete from stored_file")

    def put_omissions(self, omissions: Sequence[Omission]) -> None:
        """Add what this extraction could not bring; for a run that is not selected, until it is. Repeatable."""
        with self._transaction():
            for omission in omissions:
                staged = self._begun.get(omission.run) or self._staged_of_selected(omission.run)
                self._omit("extract" if staged else "workspace", staged or 0, [omission])

    def _staged_of_selected(self, run: RunId) -> int | None:
        row = self._one("select generation + 1 from run where id = ? and selected", (run,))
        return row and int(row[0])

    def complete(self, run: RunId) -> None:
        """Mark the run as extracted: what was staged replaces what was there, in one transaction.

        Its digest is made of the rows as they lie there now, so that it is never older or newer than they are.
        """
        with self._transaction():
            staged = self._staged(run)
            if staged > 1:
                for table in (*STAGED_TABLES, "run_version"):
                    self._execute(f"delete from {table} where run = ? and generation <> ?", (run, staged))  # noqa: S608
                self._execute(
                    "delete from omission where run = ? and origin in ('extract', 'document') and generation <> ?",
                    (run, staged),
                )
            self._execute(
                "update run set generation = ?, state = 'extracted', content_digest = ?, extracted_at = ? where id = ?",
                (staged, self._digest(run, staged), now().ticks, run),
            )
        self._begun.pop(run, None)

    def _staged(self, run: RunId) -> int:
        if run in self._begun:
            return self._begun[run]
        row = self._one("select generation + 1 from run where id = ?", (run,))
        if row is None:
            raise LookupError(f"run {run} was never listed")
        return int(row[0])


@dataclass(frozen=True, slots=True)
class _Added:
    series: Series
    rows: int = 0
    longest_text: int = 0


@dataclass(slots=True)
class _Here:
    """A row of `series`."""

    number: int
    rows: int
    cells: list[Any]

    def continues_as(self, series: Series) -> bool:
        """True where rows of `series` belong here; a field that only one of the two knows does not count."""
        if not self.rows:
            return True
        known = series_of(*self.cells)
        pairs = (series.ux_type, known.ux_type), (series.schema_id, known.schema_id)
        return series.columns == known.columns and all(a is None or b is None or a == b for a, b in pairs)

    def take(self, added: _Added) -> bool:
        """Take what is added; True where the row has to be written."""
        name, namespace, columns, *told = series_row(added.series)
        known = [new if new is not None else old for new, old in zip(told, self.cells[3:], strict=True)]
        cells = [name, namespace, columns, *known]
        changed = cells != self.cells or added.rows or added.longest_text
        self.cells, self.rows = cells, self.rows + added.rows
        return bool(changed)
