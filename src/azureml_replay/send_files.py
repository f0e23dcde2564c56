"""Files of one run on their way into a target: copied from storage to storage, with receipts."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import orjson

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.ledger import Receipt, State, file_item
from azureml_replay.errors import NotFound, Rejected, ServiceError
from azureml_replay.fitting import JOB_FILE
from azureml_replay.limits import FILES_PER_REQUEST
from azureml_replay.model import Artifact, Json, Points, SeriesKey, StoredFile
from azureml_replay.plan import Step, job_document, target_path
from azureml_replay.progress import Progress
from azureml_replay.workspace import CopyFile, NewFile, Refused, Source, Target


@dataclass(frozen=True, slots=True)
class FilesSent:
    """What one call did."""

    files: int
    bytes: int


@dataclass(slots=True)
class FileSender:
    """Brings the files of one run at a time."""

    archive: Archive
    source: Source
    target: Target
    progress: Progress

    async def send(self, step: Step, *, artifacts: bool) -> FilesSent:
        """Every file whose receipt lacks or names other content; without `artifacts` only those that we make.

        Repeatable. Raises Rejected, Unavailable.
        """
        receipts = self.archive.receipts(self.target.ref, step.source)
        files = size = 0
        left = (
            artifact
            for artifact in self.archive.artifacts(step.source)
            if artifacts and artifact.stored and not _arrived(receipts, artifact)
        )
        while batch := list(islice(left, FILES_PER_REQUEST)):
            await self._copy(step, batch)
            files += len(batch)
            size += sum(artifact.stored.size_bytes for artifact in batch if artifact.stored)
        made = [
            file
            for file in own_files(self.archive, step)
            if not _is(receipts.get(file_item(file.path)), _digest_of(file))
        ]
        if made:
            await self._put(step, {file.path: (file, _digest_of(file)) for file in made})
        return FilesSent(files + len(made), size + sum(len(file.data) for file in made))

    async def _copy(self, step: Step, batch: Sequence[Artifact]) -> None:
        """One request for write URLs, then one copy a file."""
        files: dict[str, tuple[CopyFile | NewFile, bytes]] = {}
        for artifact in batch:
            stored = artifact.stored or await self.source.stored_file(artifact.location)
            if stored is None:
                raise NotFound(f"file {artifact.path}: its bytes are gone from the source")
            url = await self.source.readable_url(artifact.location)
            file = CopyFile(path=target_path(artifact.path), source=url, stored=stored)
            files[file.path] = (file, file_digest(stored))
        await self._put(step, files)

    async def _put(self, step: Step, files: Mapping[str, tuple[CopyFile | NewFile, bytes]]) -> None:
        items = {file_item(path): digest for path, (_, digest) in files.items()}
        self.archive.mark(self.target.ref, step.source, items, State.SENDING)
        outcomes = await self.target.put_files(step.run.experiment, step.run.id, [file for file, _ in files.values()])
        arrived = {file_item(path): items[file_item(path)] for path in files if outcomes.get(path) is None}
        self.archive.mark(self.target.ref, step.source, arrived, State.SENT)
        self.progress.done("files sent", len(arrived))
        for path, outcome in outcomes.items():
            if isinstance(outcome, Refused):
                raise Rejected(f"file {path} of run {step.source}: {outcome.reason}", status=outcome.status)
            if isinstance(outcome, ServiceError):
                raise outcome


def own_files(archive: Archive, step: Step) -> Iterator[NewFile]:
    """The files that we make for a run: the job as it was submitted, and what the target's limits refused."""
    for path in step.own_files:
        document = job_document(archive, step.source) if path == JOB_FILE else _overflow(archive, step)
        yield NewFile(path=path, data=orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def _overflow(archive: Archive, step: Step) -> Json:
    return {**step.overflow, "metrics": _overflow_rows(archive, step)}


def _overflow_rows(archive: Archive, step: Step) -> list[Json]:
    return [
        rows_as_json(points) for key in _in_order(step.overflow_series) for points in archive.points(step.contents, key)
    ]


def _in_order(keys: Collection[SeriesKey]) -> list[SeriesKey]:
    return sorted(keys, key=lambda key: (key.name, key.namespace or ""))


def rows_as_json(points: Points) -> Json:
    """Floats as text, so that NaN, infinities and every bit survive JSON."""
    return {
        "name": points.series.key.name,
        "namespace": points.series.key.namespace,
        "columns": [list(column) for column in points.series.columns],
        "rows": [
            [step, ticks, [repr(value) if isinstance(value, float) else value for value in values]]
            for step, ticks, values in points.rows()
        ],
    }


def file_digest(stored: StoredFile) -> bytes:
    """Names one state of a source's file: its ETag changes with every write."""
    return hashlib.blake2b(f"{stored.etag}|{stored.size_bytes}|{stored.md5!r}".encode(), digest_size=16).digest()


def _digest_of(file: NewFile) -> bytes:
    return hashlib.blake2b(file.data, digest_size=16).digest()


def _arrived(receipts: Mapping[str, Receipt], artifact: Artifact) -> bool:
    if artifact.stored is None:
        return True
    return _is(receipts.get(file_item(target_path(artifact.path))), file_digest(artifact.stored))


def _is(receipt: Receipt | None, digest: bytes) -> bool:
    return receipt is not None and receipt.state is State.SENT and receipt.digest == digest
