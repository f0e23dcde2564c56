"""What a workspace can be asked beyond the seam, to find what stands in the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from azureml_replay.errors import Remedy
from azureml_replay.model import Experiment, RunId, StoredFile
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.target import Target


@dataclass(frozen=True, slots=True)
class StoreSeen:
    """A datastore, as ARM lists it."""

    name: str
    kind: str
    """`AzureBlob`, `AzureDataLakeGen2`, `AzureFile`, …"""
    credential: str
    """`AccountKey`, `Sas`, `None`, …"""
    holds_blobs: bool
    account: str = ""
    """The storage account's name."""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job, as ARM lists it."""

    name: RunId
    experiment: str
    archived: bool


class Examined(Target, Protocol):
    """A workspace that the login reaches, with the questions that only `doctor` asks."""

    def jobs_seen(self) -> AsyncIterator[Sequence[JobSeen]]:
        """ARM's jobs, by pages."""
        ...

    def small_pages(self, experiment: Experiment, size: int) -> AsyncIterator[Sequence[RunId]]:
        """The ids of an experiment's runs, `size` to a page where the service heeds that."""
        ...

    async def answers_in_bulk(self, runs: Sequence[RunId]) -> bool:
        """False where `batchrundata` is not spoken. Ids that nobody has are no error."""
        ...

    async def mlflow_metrics(self, run: RunId) -> Sequence[str]:
        """Names of the metrics that MLflow shows for a run."""
        ...

    async def ingested(self, run: RunId) -> bool | None:
        """What `metricsingest/wait` says; None where it is not spoken."""
        ...

    def datastores(self) -> AsyncIterator[Sequence[StoreSeen]]:
        """All, by pages."""
        ...

    async def first_blob(self, datastore: str) -> bool:
        """Whether the container holds anything. Raises Forbidden, NotFound."""
        ...

    def stored_of_all(self) -> AsyncIterator[Sequence[StoredFile]]:
        """Files of all runs, as they lie in the storage, by pages."""
        ...

    async def opened_by(self, datastore: str) -> str:
        """What opens the container: `account key`, `SAS` or `this login`. Raises Forbidden where secrets are hidden."""
        ...


class Subject(Protocol):
    """A workspace, before anybody knows whether it can be reached."""

    ref: Place

    async def login(self) -> str:
        """The object id of who is logged in, empty where the token does not say. Raises UserError."""
        ...

    async def workspace(self) -> str:
        """The resource id of its storage account. Raises Forbidden, NotFound."""
        ...

    async def enter(self) -> Examined:
        """By its discovery document."""
        ...

    def command(self, remedy: Remedy, store: StoreSeen | None = None) -> str:
        """Grants what a refused request lacked, to paste; `store` is the datastore that it was about.

        An id that the steps above did not bring to light stands there in capitals.
        """
        ...

    @property
    def host(self) -> str:
        """Of the data plane, once entered."""
        ...
