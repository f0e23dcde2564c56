"""What synthetic replay needs of a workspace beside `Target`. `azure/submission.py` implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from azureml_replay.model import RunId, StoredFile
from azureml_replay.workspace.put_files import PutFile
from azureml_replay.workspace.target import Target

STAGING_STORE = "workspaceblobstore"
"""Every workspace has this datastore; jobs mount it with the workspace's own credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """A job as ARM shows it."""

    name: str
    status: str
    """Completed, Failed, Canceled, or one that may still change."""
    properties: Mapping[str, str | None] = field(default_factory=dict)
    """Written once, by whoever submitted it."""


class Submitter(Protocol):
    """Every method raises Unavailable (later) and Rejected (refused)."""

    async def registered(self, path: str) -> Mapping[str, Any] | None:
        """A resource of the workspace, `components/x/versions/1`; None where there is none."""
        ...

    async def register(self, path: str, body: Mapping[str, Any]) -> str:
        """Puts it, and answers the ARM id under which it is known from now on. Repeatable.

        Of anonymous components that is always another than the one that was asked for (2,010 recorded exchanges).
        """
        ...

    async def job(self, name: str) -> JobState | None:
        """None where the workspace has no job of that name."""
        ...

    async def put_job(self, name: str, body: Mapping[str, Any]) -> None:
        """Starts a job. NOT repeatable: on a taken name it is an update. Raises Uncertain where the answer was lost."""
        ...

    async def log(self, run: RunId, values: Mapping[str, Any]) -> None:
        """MLflow's log-batch: `metrics`, `params`, `tags`. NOT repeatable with metrics. Raises Uncertain."""
        ...

    async def blob_url(self, path: str) -> str:
        """Where a path of the staging store lies, unsigned."""
        ...

    async def stage(self, path: str, file: PutFile) -> None:
        """Puts a file at a path of the staging store, server to server where it is a copy. Repeatable."""
        ...

    def staged(self, prefix: str) -> AsyncIterator[Sequence[StoredFile]]:
        """What lies in the staging store under a prefix, by pages."""
        ...

    async def unstage(self, path: str) -> None:
        """Removes one file of the staging store. Repeatable: one that is gone is gone."""
        ...


class SyntheticTarget(Target, Protocol):
    """A workspace that jobs can be submitted to."""

    @property
    def submitter(self) -> Submitter:
        """Where jobs go."""
        ...
