"""The workspaces that the contract is put to. A further kind is one class here and one entry in `SUBJECTS`."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable
from uuid import uuid4

import pytest

from azureml_replay.azure.config import WorkspaceConfig, workspace_config
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.mlflow.config import server_of_document
from azureml_replay.mlflow.target import MlflowTarget
from azureml_replay.mlflow.workspace import connect as connect_server
from azureml_replay.model import Experiment, Location, Points, RunId
from azureml_replay.workspace.mark import SOURCE_TAG
from azureml_replay.workspace.put_files import SecretUrl
from azureml_replay.workspace.target import Target
from azureml_sandbox.server.sandbox import Sandbox
from mlflow_servers import MlflowServer
from unit.scripted import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What a kind keeps and can, as far as nobody but the contract asks for it. The defaults: all of it.

    All else is read from `profile`. Declared as values, not as functions: a subject can say what is lost, never how a
    test compares.
    """

    lost_of_files: frozenset[str] = frozenset()
    """Fields of StoredFile that storage does not keep."""
    lists_children: bool = True
    """It lists the runs below one; else they come with their experiment."""
    knows_series: bool = True
    """Rows of a series that is not there are an error; else there are none of it."""
    limits_errors: bool = True
    """An error that is longer than the profile's limit is refused; else planning alone cuts it."""
    many_stores: bool = True
    """A place names its store; else there is one."""
    attaches: bool = True
    """An index can lead to where a file lies already; else it says that it does not."""


class Subject(Protocol):
    """A kind of workspace, served for one test."""

    @property
    def features(self) -> Features:
        """What it keeps."""
        ...

    def opened(self) -> AbstractAsyncContextManager[Target]:
        """An empty workspace; at each call another one, with storage of its own."""
        ...

    async def id_of(self, target: Target, run: RunId) -> RunId:
        """Under which id the target knows a run that `put_runs` was given."""
        ...


# What not every kind can, asked for by `needs`: the test of it is skipped where it is missing.


@runtime_checkable
class Troubled(Protocol):
    """A subject whose service can be given a bad day. Trouble ends with the test.

    Its names: `throttle`, `html502` and `reset` before a request is heard, `reset-after` and `truncate` after it.
    """

    def opened_in(self, trouble: str) -> AbstractAsyncContextManager[Target]:
        """As `opened`, while every third request fails, on a clock that waits without waiting."""
        ...

    def lose_answer_to_points(self, trouble: str) -> None:
        """To the next `append_points`."""
        ...

    def end_trouble(self) -> None:
        """Now."""
        ...


@runtime_checkable
class Lends(Protocol):
    """A target from whose storage another storage can read by itself, and one that reads so."""

    async def readable_url(self, location: Location) -> SecretUrl:
        """See Source."""
        ...


@runtime_checkable
class ShowsLastValues(Protocol):
    """A target that shows the last values of many runs at once."""

    def last_values(self, experiments: Sequence[Experiment]) -> AsyncIterator[Mapping[RunId, Sequence[Points]]]:
        """See Source."""
        ...


@runtime_checkable
class Attaches(Protocol):
    """A target whose index can lead to where a file lies already."""

    async def attach_file(self, run: RunId, path: str, place: Location) -> bool:
        """See Target."""
        ...


Ability = TypeVar("Ability")


def needs(has: object, ability: type[Ability]) -> Ability:
    """The same object, of which it is known now that it can. Skips the test where it cannot."""
    if not isinstance(has, ability):
        pytest.skip(f"{type(has).__name__} has no {ability.__name__}")
    return has


def needs_field(target: Target, field: str) -> None:
    """Skips a test that is about nothing but a field of Run that the target loses."""
    if not target.profile.keeps(field):
        pytest.skip(f"{target.profile.ref} keeps no {field}")


class AzureMlSandbox:
    """Azure ML, as the sandbox plays it: Troubled; its targets have every ability."""

    features = Features()

    def __init__(self, request: pytest.FixtureRequest) -> None:
        request.getfixturevalue("azure_env")
        self.sandbox: Sandbox = request.getfixturevalue("calm")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AzureWorkspace]:
        """A new workspace of the one sandbox that this process serves."""
        async with connect(self.config()) as target:
            yield target

    async def id_of(self, target: Target, run: RunId) -> RunId:
        """Ids are ours."""
        return run

    @asynccontextmanager
    async def opened_in(self, trouble: str) -> AsyncIterator[AzureWorkspace]:
        """In trouble from the first question on."""
        config = self.config()
        name = config.ref.name.rpartition("/")[2]
        self.sandbox.set_faults([{"match": {"workspace": name}, "every": 3, "do": trouble}])
        async with connect(config, clock=Patient()) as target:
            yield target

    def lose_answer_to_points(self, trouble: str) -> None:
        """Of the metric service."""
        self.sandbox.set_faults([{"match": {"service": "metric", "path": "/batch$"}, "do": trouble, "times": 1}])

    def end_trouble(self) -> None:
        """All faults."""
        self.sandbox.set_faults()

    def config(self) -> WorkspaceConfig:
        """Of a new workspace."""
        return workspace_config(str(self.sandbox.add_workspace().path))


class RealMlflowServer:
    """A plain MLflow server, the newest; each workspace is what bears a prefix of its own there."""

    features = Features(
        lost_of_files=frozenset({"content_type", "md5", "metadata"}),
        lists_children=False,
        knows_series=False,
        limits_errors=False,
        many_stores=False,
        attaches=False,
    )

    def __init__(self, request: pytest.FixtureRequest) -> None:
        server: MlflowServer = request.getfixturevalue("mlflow_server")
        self._addresses = itertools.cycle((server.url, server.url.replace("127.0.0.1", "localhost")))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[MlflowTarget]:
        """Experiments of nobody else; by its other name a server is another place."""
        document = {"mlflow": next(self._addresses), "experiment_prefix": f"{uuid4().hex[:8]}-"}
        async with connect_server(server_of_document(document, "the contract", {}), kind=MlflowTarget) as target:
            yield target

    async def id_of(self, target: Target, run: RunId) -> RunId:
        """By the tag that the contract gives to each run where ids are the target's."""
        names = [one.name async for page in target.experiments() for one in page]
        homes = [home for name in names if (home := await target.experiment(name)) is not None]
        (found,) = [there for home in homes for there in await target.tagged_runs(home, SOURCE_TAG, run)]
        return found


SUBJECTS: Mapping[str, Callable[[pytest.FixtureRequest], Subject]] = {
    "azureml-sandbox": AzureMlSandbox,
    "mlflow": RealMlflowServer,
}
"""By the name that stands in a test's id."""
