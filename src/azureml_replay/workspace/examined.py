"""The protocols of what `doctor` asks of a workspace, beyond `Source` and `Target`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from azureml_replay.errors import Remedy
from azureml_replay.model import AssetReference, Experiment, RunId, StoredFile
from azureml_replay.workspace.asset import Asset, AssetKey
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.source import LendsFiles
from azureml_replay.workspace.target import Target


@dataclass(frozen=True, slots=True)
class StoreSeen:
    """A datastore as ARM lists it."""

    name: str
    kind: str
    """The type of store: `AzureBlob`, `AzureDataLakeGen2`, `AzureFile`, …"""
    credential: str
    """The type of credentials: `AccountKey`, `Sas`, `None`, …"""
    holds_blobs: bool
    account: str = ""
    """The name of the storage account."""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job as ARM lists it."""

    name: RunId
    experiment: str
    archived: bool


TRIAL_FILE = "outputs/probe.txt"
"""A file of the throw-away run that a model is made of."""
TRIAL_FOLDER = "outputs/probe model/"
"""A folder of it with an MLmodel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAssets:
    """Assets to be made once, to see what a workspace keeps of them."""

    custom: Asset
    """A model that is a file of the throw-away run."""
    flow: Asset
    """One that MLflow can load, in a folder of that run."""
    text: Asset
    """A model's version that is no number."""
    data: Asset
    environment: Asset
    component: Asset
    tree: Asset
    """A pipeline component that uses the other one."""
    output: Asset
    """The data of a named output of the run."""
    input: Asset
    """Of an input."""
    output_model: Asset
    input_model: Asset


class Examined(Target, LendsFiles, Protocol):
    """A workspace that the login can reach, with the questions that only `doctor` asks."""

    def jobs_seen(self) -> AsyncIterator[Sequence[JobSeen]]:
        """The jobs that ARM lists, by pages."""
        ...

    def small_pages(self, experiment: Experiment, size: int) -> AsyncIterator[Sequence[RunId]]:
        """The ids of an experiment's runs, `size` to a page where the service heeds that."""
        ...

    async def answers_in_bulk(self, runs: Sequence[RunId]) -> bool:
        """False where the service has no `batchrundata`. Ids of no run are no error."""
        ...

    async def mlflow_metrics(self, run: RunId) -> Sequence[str]:
        """Names of the metrics that MLflow shows for a run."""
        ...

    async def tells_when_settled(self, experiment: str, run: RunId) -> bool:
        """False where the service has no `metricsingest/wait`."""
        ...

    def datastores(self) -> AsyncIterator[Sequence[StoreSeen]]:
        """All datastores, by pages."""
        ...

    async def first_blob(self, datastore: str) -> bool:
        """True where the container holds any blob. Raises Forbidden, NotFound."""
        ...

    def stored_of_all(self) -> AsyncIterator[Sequence[StoredFile]]:
        """The files of all runs in the storage, by pages."""
        ...

    def trial_assets(self, run: RunId, *, other: bool = False) -> TrialAssets:
        """What to make beside a throw-away run; `other`: something else under the same names. Asks nothing."""
        ...

    def reference(self, asset: Asset) -> AssetReference:
        """How an input or output of a run names an asset of this workspace."""
        ...

    async def mlflow_shows(self, model: AssetKey) -> bool:
        """False where MLflow's registry has no such version of a model."""
        ...

    async def takes_alias(self, model: AssetKey, alias: str) -> bool:
        """Give a version an alias by MLflow's registry, and take it away again. False where it knows no aliases."""
        ...

    async def opened_by(self, datastore: str) -> str:
        """What opens the container: `account key`, `SAS` or `this login`. Raises Forbidden where secrets are hidden."""
        ...


class Subject(Protocol):
    """A workspace of which it is not known yet whether it can be reached."""

    ref: Place

    def way(self) -> str:
        """Which proxy is between here and the service, without its login. Raises UserError where it cannot be used."""
        ...

    async def login(self) -> str:
        """Log in; the object id of the identity, empty where the token does not say. Raises UserError."""
        ...

    async def workspace(self) -> str:
        """Ask for the workspace; the resource id of its storage account. Raises Forbidden, NotFound."""
        ...

    async def enter(self) -> Target:
        """Enter the workspace; `Examined`, unless its throw-away run is of a kind of its own."""
        ...

    def command(self, remedy: Remedy, store: StoreSeen | None = None) -> str:
        """The command, to paste, that grants what a refused request lacked; `store` is the datastore that it was about.

        An id that the steps above did not find stands there in capitals.
        """
        ...

    @property
    def host(self) -> str:
        """The host of the data plane, once entered."""
        ...
