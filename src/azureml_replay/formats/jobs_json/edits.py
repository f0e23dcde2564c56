"""Edits by hand of a jobs.json beside its archive: values come from the archive, so an edit would be ignored."""

from __future__ import annotations

import json

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json.entry import Record
from azureml_replay.formats.jobs_json.index import JobsIndex
from azureml_replay.formats.jobs_json.scan import entry_at
from azureml_replay.formats.jobs_json.source import digest_of
from azureml_replay.formats.jobs_json.write import entries_of
from azureml_replay.model import RunId

UNKNOWN = (
    "{}: an older version wrote it, so nobody can tell whether it was edited by hand: values come from the archive"
)
TAKEN = "move the file to a folder of its own to have it read as it is, or let extract_jobs write it again"


def refuse_edits(index: JobsIndex, archive: Archive) -> None:
    """Raise UserError, which names job and field, where entries say what the archive beside the file does not.

    Whole jobs may be taken out, and the file may be laid out anew. Nothing is compared where the file is as it was
    written, nor where nobody noted how that was.
    """
    view = archive.view()
    if view is None or view == digest_of(index.path):
        return
    units = {row.unit for row in archive.listing() if row.id in index.places}
    for name, text in entries_of(archive, units):
        if name not in index.places:
            raise UserError(f"{index.path} lacks job {name}, part of a job that it has: jobs come whole; {TAKEN}")
        field = _differing(entry_at(index.path, *index.places[name]), json.loads(text))
        if field is not None:
            raise UserError(
                f"{index.path}: {field} of job {name} was edited by hand, which has no effect here: {TAKEN}"
            )


def cut_out(index: JobsIndex, archive: Archive) -> list[RunId]:
    """Top-level jobs of the archive that the file does not have: taken to be unwanted, and to be told."""
    units = {row.unit for row in archive.listing() if row.id in index.places}
    return [unit for unit in archive.units() if unit not in units]


def unknown_edits(index: JobsIndex, archive: Archive) -> list[str]:
    """The line for a file of which nobody can tell."""
    return [UNKNOWN.format(index.path)] if archive.imported() is None and archive.view() is None else []


def _differing(found: Record, written: Record) -> str | None:
    """The first field that is not as it was written."""
    fields = dict.fromkeys([*written, *found])
    return next((field for field in fields if not _is_same(found, written, field)), None)


def _is_same(found: Record, written: Record, field: str) -> bool:
    """By value, or as it is shown: no NaN is equal to itself."""
    if field not in found or field not in written:
        return False
    return bool(found[field] == written[field]) or repr(found[field]) == repr(written[field])
