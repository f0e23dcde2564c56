"""Makes files for a replaying job from the archive: the job as submitted, the error, metrics as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from azureml_replay import json_text
from azureml_replay.archive.archive import Archive
from azureml_replay.files.made import made_files, rows_as_json
from azureml_replay.model import Omission, Points
from azureml_replay.planning.made_files import MADE
from azureml_replay.planning.plan import Step
from azureml_replay.synthetic.staging.batches import is_holdable, is_scalar
from azureml_replay.synthetic.staging.manifest import FILES_FILE
from azureml_replay.workspace.put_files import HeldFile, NewFile

METRICS_FILE = "replay/metrics.json"
ERROR_FILE = "replay/error.json"
MADE_FOR_JOBS = frozenset(f"outputs/{path}" for path in (*MADE, METRICS_FILE, ERROR_FILE)) | {FILES_FILE}
"""Every file that may be made for a job: which ones, and what their list says, depends on what an archive holds."""


def documents(archive: Archive, step: Step) -> Iterator[NewFile | HeldFile]:
    """The files below `replay/` of direct mode, the error, and what MLflow cannot hold as a metric."""
    yield from made_files(archive, step)
    if step.run.error:
        yield NewFile(path=ERROR_FILE, data=json_text.dumps(step.run.error, indent=True))
    rich = [rows_as_json(points) for points in _rich(archive, step)]
    if rich:
        yield NewFile(path=METRICS_FILE, data=json_text.dumps(rich, indent=True))


def metric_omissions(archive: Archive, step: Step, *, artifacts: bool) -> Sequence[Omission]:
    """Omissions for metrics that become a file, or are lost where files are left out."""
    reason = f"as a file: outputs/{METRICS_FILE}" if artifacts else "MLflow cannot hold it, and files are left out"
    names = dict.fromkeys(points.series.key.name for points in _rich(archive, step))
    return [Omission(step.source, f"metric {name}", reason) for name in names]


def _rich(archive: Archive, step: Step) -> Iterator[Points]:
    """Whole tables, images, texts and the like; of scalars the rows that are no number with a time."""
    for key in dict.fromkeys(series.key for series, _ in step.series):
        for points in archive.points(step.contents, key):
            if not is_scalar(points.series):
                yield points
            elif left := [row for row in points.rows() if not is_holdable(row)]:
                yield Points.of(points.series, left)
