"""Runs that show another run's files and points, as a reused step shows those of the step that ran (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.model import RunId

FOLDER = "replay/reused/"
"""Among the lender's files: those that we make for a run that has none of its own, by run."""


@dataclass(frozen=True, slots=True)
class Lender:
    """The run whose files and points another one shows."""

    source: RunId
    """Its id in the source."""
    there: RunId
    """Its id in the target."""
    experiment: str


def own_path(run: RunId, path: str) -> str:
    """Where a file that we make goes for a run, by its id in the target, that shows another's files."""
    return f"{FOLDER}{run}/{path.removeprefix('replay/')}"
