"""Archive -> tables in a folder, or the jobs.json that the original tool writes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from os import PathLike
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json.write import write_jobs
from azureml_replay.formats.tables.rows import TABLES, OmissionRow, rows_of
from azureml_replay.formats.tables.writers import JsonLines, Parquet, Writer
from azureml_replay.progress import SILENT, Progress


class Format(StrEnum):
    """The form in which the tables are written."""

    PARQUET = "parquet"
    JSONL = "jsonl"
    SEED_JSON = "seed-json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What one export wrote, and where."""

    output: Path
    rows: dict[str, int]
    """Table -> rows; for `seed-json` the numbers of jobs, points and files."""
    escaped: int = 0
    """Texts of `parquet` with half of a surrogate pair, written as `\\ud800`: UTF-8 has no form for it."""


WRITERS: dict[Format, Callable[[Path], Writer]] = {Format.JSONL: JsonLines, Format.PARQUET: Parquet}


def export(
    archive: Archive, output: str | PathLike[str], form: Format | str, *, progress: Progress = SILENT
) -> Exported:
    """Write every extracted run. `output` appears whole at the end, or not at all.

    A folder with a file for each table (`jsonl`, `parquet`), or one file (`seed-json`). Raises UserError where the
    place is taken or cannot be written, IntegrityError where the archive is damaged.
    """
    output, form = Path(output), Format(form)
    if output.exists() and (form is not Format.SEED_JSON or output.is_file() or output.is_dir()):
        raise UserError(f"--output {output}: exists already: name a new place")
    if form is Format.SEED_JSON:
        written = write_jobs(archive, output)
        return Exported(output=output, rows={"jobs": written.jobs, "points": written.points, "files": written.files})
    with _appearing(output) as folder, WRITERS[form](folder) as writer:
        rows = _write(archive, writer, progress)
    return Exported(output=output, rows=rows, escaped=writer.escaped)


def _write(archive: Archive, writer: Writer, progress: Progress) -> dict[str, int]:
    counts = dict.fromkeys(TABLES, 0)
    progress.expect("runs exported", archive.totals().extracted)
    for root in archive.units():
        for run in archive.unit(root):
            for table, row in rows_of(archive, root, run):
                writer.write(table, row)
                counts[table] += 1
            progress.done("runs exported")
    for omission in archive.omissions():
        writer.write("omissions", OmissionRow(run=omission.run, what=omission.what, reason=omission.reason))
        counts["omissions"] += 1
    return counts


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, renamed to it at the end."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise UserError(f"--output {folder}: cannot be written: {error.strerror}") from error
    try:
        yield made
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
