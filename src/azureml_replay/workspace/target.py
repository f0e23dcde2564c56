"""A workspace that can be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from azureml_replay.errors import Rejected, Remedy, ServiceError
from azureml_replay.model import (
    Experiment,
    Location,
    Points,
    Run,
    RunId,
)
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.put_files import PutFile
from azureml_replay.workspace.source import Source


@dataclass(frozen=True, slots=True)
class Refused:
    """The service said no to one item of a request; the others went through."""

    reason: str
    status: int = 0
    remedy: Remedy | None = field(default=None, compare=False)

    @classmethod
    def of(cls, error: Rejected) -> Refused:
        """From an error that was about this item alone."""
        return cls(str(error.args[0]), error.status, error.remedy)

    def error(self, what: str = "") -> Rejected:
        """To raise, where the item was all that mattered; `what` stands before the reason."""
        return Rejected(f"{what}{self.reason}", status=self.status, remedy=self.remedy)


Outcome = Refused | ServiceError | None
"""None: it is there. Refused: never. A ServiceError: unknown or later."""


class Target(Source, Protocol):
    """A workspace that can be written. It can be read too: that is how it is verified."""

    @property
    def profile(self) -> TargetProfile:
        """How a workspace of its kind is treated before anybody has looked at this one. Asks nothing."""
        ...

    async def put_experiment(self, experiment: Experiment) -> None:
        """Name, description, tags, archived. Repeatable."""
        ...

    async def put_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Create or bring up to date, at most `RUNS_PER_REQUEST`, parents must be there. Repeatable: ids are ours.

        Writes what `Run` carries up to `output_datasets`, status as Running until `finish_runs`; nothing that
        acts on a source (FIDELITY: never sent).
        """
        ...

    async def update_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """What `put_runs` writes, but no state, of runs that are there. Repeatable. What is not named stays as it is.

        At most `RUNS_PER_REQUEST`.
        """
        ...

    async def hide_runs(self, experiment: str, runs: Sequence[RunId], *, hidden: bool) -> Mapping[RunId, Outcome]:
        """Archives runs, in Studio's word, or shows them again; at most `RUNS_PER_REQUEST`. Repeatable."""
        ...

    async def append_points(self, run: RunId, batch: Sequence[Points]) -> Mapping[int, Refused]:
        """One request: at most 1,000 rows, 250 of a series. NOT repeatable: a batch sent twice is logged twice.

        Answers which items of `batch` (by position) were refused. Raises Uncertain where the answer was lost.
        """
        ...

    async def settle(self, run: RunId) -> None:
        """Returns once what was appended to the run can be read. Repeatable."""
        ...

    async def put_files(self, experiment: str, run: RunId, files: Sequence[PutFile]) -> Mapping[str, Outcome]:
        """Index entries and bytes, at most `FILES_PER_REQUEST`. Repeatable: a path holds what was put last."""
        ...

    async def attach_file(self, run: RunId, path: str, place: Location) -> bool:
        """An index entry that leads to where a file lies already; False where the path is taken. Repeatable."""
        ...

    async def remove_files(self, run: RunId, paths: Sequence[str]) -> Mapping[str, Outcome]:
        """Index entries and bytes of the run's own, at most `FILES_PER_REQUEST`. Repeatable.

        One that is gone is gone.
        """
        ...

    async def finish_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Start, error and end by events with the run's own times, then `hidden`. Repeatable."""
        ...

    async def without_end(self, runs: Sequence[Run]) -> Sequence[RunId]:
        """Waits until the runs show the status they were given; those that still do not. Writes nothing."""
        ...
