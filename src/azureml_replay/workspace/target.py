"""The protocol of a workspace that can be written; `azure/workspace.py` implements it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeGuard

from azureml_replay.errors import Rejected, Remedy, ServiceError
from azureml_replay.model import (
    Experiment,
    Location,
    Points,
    Run,
    RunId,
)
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.put_files import PutFile
from azureml_replay.workspace.source import Source

_ABOUT_THE_ITEM = frozenset({400, 411, 413, 414, 415, 422, 431})


@dataclass(frozen=True, slots=True)
class Refused:
    """The outcome of an item that was refused; other items of its request went through."""

    reason: str
    status: int = 0
    remedy: Remedy | None = field(default=None, compare=False)
    of_status: bool = field(default=False, compare=False)
    """True where the run's status is the service's own affair: what else the run has was not judged."""
    lasting: bool = field(default=False, compare=False)
    """True where the service's code says that the item is to blame, whatever the status."""
    taken: bool = field(default=False, compare=False)
    """True of a `new` file: something lies where it was to go."""

    @classmethod
    def of(cls, error: Rejected) -> Refused:
        """The refusal in an error that was about this item alone."""
        return cls(str(error.args[0]), error.status, error.remedy, lasting=error.lasting)

    @property
    def of_item(self) -> bool:
        """True where the item itself is to blame: it will be refused again, whoever sends it and whenever.

        Rights, missing routes and places, and what is only so at the moment are told by other statuses.
        """
        about = self.lasting or self.status < 400 or self.status in _ABOUT_THE_ITEM
        return self.of_status or (self.remedy is None and about)

    def error(self, what: str = "") -> Rejected:
        """The error to raise where no other item matters; `what` stands before the reason."""
        return Rejected(f"{what}{self.reason}", status=self.status, remedy=self.remedy, lasting=self.lasting)


TagsOfRuns: TypeAlias = Mapping[RunId, Mapping[str, str]]
"""Tags to be added to each of some runs; one that is not named gets none."""
NO_TAGS: TagsOfRuns = {}
Outcome = Refused | ServiceError | None
"""What became of an item. None: it is there. Refused: it never will be. A ServiceError: unknown, or later."""


class Target(Source, Protocol):
    """A workspace that can be written. It can be read too: that is how it is verified."""

    @property
    def profile(self) -> TargetProfile:
        """How a workspace of its kind is treated before anybody has looked at this one. Asks nothing."""
        ...

    async def put_experiment(self, experiment: Experiment) -> None:
        """Write name, description, tags, archived. Repeatable."""
        ...

    async def put_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Create runs or bring them up to date; parents must be there. Repeatable: ids are ours.

        Takes at most `RUNS_PER_REQUEST`. Writes the fields of `Run` up to `output_datasets`, status as Running until
        `finish_runs`; nothing that acts on a source (FIDELITY: never sent).
        """
        ...

    async def update_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write to existing runs what `put_runs` does, but no state; unnamed values stay as they are. Repeatable.

        Takes at most `RUNS_PER_REQUEST`.
        """
        ...

    async def hide_runs(
        self, experiment: str, runs: Sequence[RunId], *, hidden: bool, tags: TagsOfRuns = NO_TAGS
    ) -> Mapping[RunId, Outcome]:
        """Archive runs, in Studio's word, or show them again; at most `RUNS_PER_REQUEST`. Repeatable.

        Each gets its `tags` beside those that it has: before it is hidden where nothing can be written to a hidden run.
        """
        ...

    async def remove_tags(self, experiment: str, run: RunId, tags: Sequence[str]) -> None:
        """Remove tags of one run. Repeatable: a tag that is gone is no error. Raises Rejected where none can be."""
        ...

    async def append_points(
        self, run: RunId, batch: Sequence[Points], *, check: Check = unchecked
    ) -> Mapping[int, Refused]:
        """Append rows by one request: at most 1,000, 250 of a series. NOT repeatable: sent twice, they are there twice.

        `check` is called as late as can be before each attempt; what it raises is raised, and the attempt was not made.
        Position in `batch` -> refusal. Raises Uncertain where the answer was lost.
        """
        ...

    async def append_settled(
        self, run: RunId, batch: Sequence[Points], *, check: Check = unchecked
    ) -> Mapping[int, Refused] | None:
        """As `append_points`, by a request that is answered once the rows can be read, so that nobody has to `settle`.

        None where the target has no such way: then nothing was sent.
        """
        ...

    async def settle(self, experiment: str, run: RunId) -> None:
        """Wait until everything that was appended to a run of the experiment can be read. Repeatable."""
        ...

    async def put_files(self, experiment: str, run: RunId, files: Sequence[PutFile]) -> Mapping[str, Outcome]:
        """Write files with index entries, at most `FILES_PER_REQUEST`. Repeatable: a path holds what was put last."""
        ...

    async def attach_file(self, run: RunId, path: str, place: Location) -> bool:
        """Make an index entry that leads to an existing blob; False where the path is taken. Repeatable."""
        ...

    async def remove_files(self, run: RunId, paths: Sequence[str]) -> Mapping[str, Outcome]:
        """Remove files of the run's own with their index entries, at most `FILES_PER_REQUEST`. Repeatable.

        A file that is gone is no error.
        """
        ...

    async def finish_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write start, error and end by events with the run's own times, then `hidden`. Repeatable."""
        ...

    async def make_run(self, experiment: str, run: Run, *, check: Check = unchecked) -> RunId | Refused:
        """Make a run with its name, start, parent and tags, under an id of the target's own. NOT repeatable.

        Only where a profile's `ids` are theirs. `check` as for `append_points`. Raises Rejected, Unavailable;
        Uncertain where the answer was lost: then it is looked for by its tags.
        """
        ...

    async def tagged_runs(self, experiment: Experiment, tag: str, value: str) -> Mapping[RunId, Mapping[str, str]]:
        """The runs of an experiment that bear a tag, hidden ones too, each with all its tags."""
        ...

    async def end_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write error, status, end and `hidden` of runs that `make_run` made. Repeatable."""
        ...

    async def without_end(self, runs: Sequence[Run]) -> Sequence[RunId]:
        """Wait until runs show the status that they were given; those that still do not. Writes nothing."""
        ...


class FindsElsewhere(Protocol):
    """A target whose experiments can get other names."""

    async def tagged_elsewhere(self, known: Collection[str], tag: str, value: str) -> Mapping[RunId, Mapping[str, str]]:
        """The runs that bear a tag, with all their tags, in experiments of this target of none of these names."""
        ...


def finds_elsewhere(target: object) -> TypeGuard[FindsElsewhere]:
    """True for a target whose experiments can get other names. Not by `isinstance`: a guarded one is seen through."""
    return hasattr(target, "tagged_elsewhere")


def prefix_of(target: object) -> str | None:
    """What a target writes before the names of experiments, an empty text too; None for one that writes nothing."""
    prefix: str | None = getattr(target, "experiment_prefix", None)
    return prefix


class TakesValuesWithRows(Protocol):
    """A target that takes the values of a run and its rows together; see `TargetProfile.values_with_rows`."""

    async def append_with_values(
        self, run: Run, batch: Sequence[Points], *, check: Check = unchecked
    ) -> Mapping[int, Refused]:
        """As `append_settled`, with the tags and parameters of the run by the same request; see `values_with_rows`.

        Raises Rejected where either was refused: whose fault it was is not told.
        """
        ...
