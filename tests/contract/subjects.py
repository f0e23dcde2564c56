"""The workspaces that the contract is put to. A further kind is one class here and one entry in `SUBJECTS`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, runtime_checkable

import pytest

from azureml_replay.azure.config import WorkspaceConfig, workspace_config
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, Location, Points, Row, RunId
from azureml_replay.workspace.put_files import SecretUrl
from azureml_replay.workspace.target import Target
from azureml_sandbox.server.sandbox import Sandbox
from unit.scripted import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What a kind keeps, as far as `TargetProfile` has no field for it yet. The defaults: all of it.

    Declared as values, not as functions: a subject can say what is lost, never how a test compares.
    """

    ids: Literal["ours", "theirs"] = "ours"
    """Whose runs' ids are. Theirs: `put_runs` makes a new run each time."""
    tick: int = 1
    """Of times, in 100 ns: 10_000 where they are milliseconds. What is finer is cut off."""
    stepless: bool = True
    """A point without a step stays without; else it gets step 0."""
    repeat_points: bool = True
    """Equal rows stay several; else one of them is left."""
    null_tags: bool = True
    """A tag without a value stays; else it is not there."""
    lost_statuses: frozenset[str] = frozenset()
    """That runs of other kinds end with, and runs of this one cannot."""
    lost_of_files: frozenset[str] = frozenset()
    """Fields of StoredFile that storage does not keep."""

    def time(self, time: Instant | None) -> Instant | None:
        """As it comes back."""
        return None if time is None else Instant(time.ticks // self.tick * self.tick)

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """As they come back, in no order."""
        kept = [self._row(row) for row in rows]
        return kept if self.repeat_points else list({repr(row): row for row in kept}.values())

    def _row(self, row: Row) -> Row:
        step, ticks, values = row
        stepped = 0 if step is None and not self.stepless else step
        return stepped, None if ticks is None else ticks // self.tick * self.tick, values


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


SUBJECTS: Mapping[str, Callable[[pytest.FixtureRequest], Subject]] = {"azureml-sandbox": AzureMlSandbox}
"""By the name that stands in a test's id."""
