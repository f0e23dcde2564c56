"""The files that we make of a run, with their bytes: how it was defined, what did not fit, its code."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

from azureml_replay import json_text
from azureml_replay.archive.archive import Archive
from azureml_replay.files.rows import rows_file
from azureml_replay.model import (
    Json,
    Location,
    Points,
    SeriesKey,
    StoredFile,
)
from azureml_replay.planning.code import code_of
from azureml_replay.planning.files import PlannedFile
from azureml_replay.planning.fit import ASSETS_FILE, CODE_FILE, JOB_FILE
from azureml_replay.planning.made_files import FILES_FILE, NAMES_FILE, ROWS_FILE, job_document
from azureml_replay.planning.plan import Step
from azureml_replay.planning.references import references_document
from azureml_replay.workspace.put_files import HeldFile, NewFile, PutFile


def as_stored(file: PutFile) -> StoredFile:
    """The file as a storage should describe it."""
    if isinstance(file, NewFile):
        md5 = hashlib.md5(file.data, usedforsecurity=False).digest()
        return StoredFile(location=Location("", file.path), size_bytes=len(file.data), md5=md5)
    return file.stored


def made_files(archive: Archive, step: Step) -> Iterator[NewFile | HeldFile]:
    """The files that we make for a run: the job as submitted, its code, and what the target's limits refused."""
    for planned in step.made_files():
        if planned.made == CODE_FILE:
            yield _code_file(archive, step, planned.path)
            continue
        if planned.made == ROWS_FILE or planned.made in step.rows.tables.values():
            yield rows_file(archive, step, planned)
            continue
        yield NewFile(
            path=planned.path, data=json_text.dumps(_document(archive, step, planned), indent=True, in_order=True)
        )


def _document(archive: Archive, step: Step, planned: PlannedFile) -> Json:
    if planned.made == JOB_FILE:
        return job_document(archive, step.source)
    if planned.made == ASSETS_FILE:
        return references_document(step.references)
    if planned.made == NAMES_FILE:
        return {kind: dict(names) for kind, names in step.renamed.items()}
    if planned.made == FILES_FILE:
        moved = (one for one in step.planned_files(archive) if one.moved and one.artifact and not one.omission)
        return {one.path: one.artifact.path for one in moved if one.artifact}
    return _overflow(archive, step)


def _code_file(archive: Archive, step: Step, path: str) -> HeldFile:
    """The zip of a run's code. Raises LookupError where the plan was made from another archive."""
    run = archive.run(step.source)
    reference = code_of(run, archive.job(step.source)) if run else None
    held = archive.code(reference) if reference else None
    if held is None or isinstance(held, str):
        raise LookupError(f"the archive holds no code of run {step.source}")
    stored = StoredFile(
        location=Location("", CODE_FILE), size_bytes=held.size_bytes, md5=held.md5, content_type="application/zip"
    )
    return HeldFile(path=path, stored=stored, pieces=held.pieces, apart=True)


def _overflow(archive: Archive, step: Step) -> Json:
    return {**step.overflow, "metrics": _overflow_rows(archive, step)}


def _overflow_rows(archive: Archive, step: Step) -> list[Json]:
    return [
        rows_as_json(points) for key in _in_order(step.overflow_series) for points in archive.points(step.contents, key)
    ]


def _in_order(keys: Collection[SeriesKey]) -> list[SeriesKey]:
    return sorted(keys, key=lambda key: (key.name, key.namespace or ""))


def rows_as_json(points: Points) -> Json:
    """Rows as JSON, floats as text, so that NaN, infinities and every bit survive."""
    return {
        "name": points.series.key.name,
        "namespace": points.series.key.namespace,
        "columns": [list(column) for column in points.series.columns],
        "rows": [
            [step, ticks, [repr(value) if isinstance(value, float) else value for value in values]]
            for step, ticks, values in points.rows()
        ],
    }
