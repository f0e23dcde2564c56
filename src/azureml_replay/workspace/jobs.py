"""The protocol of what synthetic replay needs of a workspace beside `Target`; `azure/jobs.py` implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from azureml_replay.errors import UserError
from azureml_replay.model import RunId, StoredFile
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.put_files import PutFile
from azureml_replay.workspace.target import Target

STAGING_STORE = "workspaceblobstore"
"""A datastore that every workspace has; jobs mount it with the workspace's own credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """The state of a job, as ARM shows it."""

    name: str
    status: str
    """`Completed`, `Failed`, `Canceled`, or a status that may still change."""
    properties: Mapping[str, str | None] = field(default_factory=dict)
    """Properties, written once, when the job is submitted."""
    tags: Mapping[str, str | None] = field(default_factory=dict)
    archived: bool = False


class Submitter(Protocol):
    """Submits jobs. Every method raises Unavailable (try later) and Rejected (refused)."""

    async def registered(self, path: str) -> Mapping[str, Any] | None:
        """A resource of the workspace, `components/x/versions/1`; None where there is none."""
        ...

    async def register(self, path: str, body: Mapping[str, Any]) -> str:
        """Put a resource; the ARM id that it has from now on. Repeatable.

        For anonymous components that is always another id than the one asked for (2,010 recorded exchanges).
        """
        ...

    async def job(self, name: str) -> JobState | None:
        """The job of a name; None where the workspace has none."""
        ...

    async def put_job(self, name: str, body: Mapping[str, Any], *, check: Check = unchecked) -> None:
        """Start a job. NOT repeatable: on a taken name it is an update. Raises Uncertain where the answer was lost.

        `check` as for `Target.append_points`.
        """
        ...

    async def delete_job(self, name: str) -> None:
        """Remove a job, and the run that it is, for good; returns once that is over. Repeatable.

        Raises NotFound where the service has no job of the name: it may have a run of that id all the same.
        """
        ...

    async def log(self, run: RunId, values: Mapping[str, Any], *, check: Check = unchecked) -> None:
        """Log `metrics`, `params`, `tags` by MLflow's log-batch. NOT repeatable with metrics. Raises Uncertain.

        `check` as for `Target.append_points`.
        """
        ...

    async def blob_url(self, path: str) -> str:
        """The unsigned URL of a path in the staging store."""
        ...

    async def stage(self, path: str, file: PutFile) -> None:
        """Put a file at a path of the staging store, server to server where it is a copy. Repeatable."""
        ...

    def staged(self, prefix: str) -> AsyncIterator[Sequence[StoredFile]]:
        """The files in the staging store under a prefix, by pages."""
        ...

    async def unstage(self, path: str) -> None:
        """Remove a file from the staging store. Repeatable: a file that is gone is no error."""
        ...


class SyntheticTarget(Target, Protocol):
    """A workspace that jobs can be submitted to."""

    @property
    def submitter(self) -> Submitter:
        """The submitter of this workspace's jobs."""
        ...


def with_jobs(target: Target) -> SyntheticTarget:
    """The same target, of which it is known now that it runs jobs. Raises UserError where it does not."""
    if getattr(target, "submitter", None) is None:
        raise UserError(f"{target.ref} runs no jobs: leave --mode synthetic out, which replays run history as it was")
    return cast("SyntheticTarget", target)
