"""Which of a run's files go, and why the others stay behind (pure)."""

from __future__ import annotations

from azureml_replay.model import RunId
from azureml_replay.planning.files import LONGEST_MOVE, TWICE, UNINDEXED_FOLDER, FileChoice, planned
from azureml_replay.planning.fit import Fitting
from azureml_replay.planning.history import History, Recorded

LOST = "listed by the artifact index, but its bytes were not found"


def planned_files(
    recorded: Recorded, history: History, fitting: Fitting, choice: FileChoice, room: int
) -> tuple[int, int]:
    """How many there are to send, and their bytes. `room`: the characters that a path may have."""
    run, totals = history.details.run.id, history.files
    if not choice.artifacts:
        if totals.files or totals.lost:
            fitting.omit(f"{totals.files + totals.lost} files", "left out by --no-artifacts")
        return 0, 0
    for artifact in recorded.lost_files(run) if totals.lost else ():
        fitting.omit(f"file {artifact.path}", artifact.gone or LOST)
    for path in recorded.stored_twice(run) if totals.twice else ():
        fitting.omit(f"path of a second file {path}", f"{TWICE}; it lies below {UNINDEXED_FOLDER}")
    if choice.narrowed or totals.longest + LONGEST_MOVE > room:
        return _chosen(recorded, run, fitting, choice, room)
    return totals.files, totals.bytes


def _chosen(recorded: Recorded, run: RunId, fitting: Fitting, choice: FileChoice, room: int) -> tuple[int, int]:
    """Each file is looked at: only where a choice was made, or a name may be too long."""
    files = size = 0
    for _, artifact, reason in planned(recorded.artifacts(run), choice, room):
        if reason:
            fitting.omit(f"file {artifact.path}", reason)
        elif artifact.stored is not None:
            files, size = files + 1, size + artifact.stored.size_bytes
    return files, size
