"""Runs that show another run's files and points, as a reused step does those of the step that ran (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.model import RunId

FOLDER = "replay/reused/"
"""The folder among the lender's files for files that we make for runs without files of their own, by run."""


@dataclass(frozen=True, slots=True)
class Lender:
    """The run whose files and points another one shows."""

    source: RunId
    """The run's id in the source."""
    there: RunId
    """The run's id in the target."""
    experiment: str


def own_path(run: RunId, path: str) -> str:
    """The path of a file that we make for a run that shows another's files; `run` is its id in the target."""
    return f"{FOLDER}{run}/{path.removeprefix('replay/')}"
