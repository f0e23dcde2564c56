"""The values and the protocol by which planning reads an archive (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from azureml_replay.model import (
    LOGGED_MODELS,
    Artifact,
    Experiment,
    FileTotals,
    Job,
    Json,
    Listed,
    Omission,
    Points,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
)
from azureml_replay.planning.references import Became
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import WriteRoute

NAMED_OUTPUT = "the bytes of named outputs are not carried: they stay in the source's datastore"


def named_outputs(run: RunId, places: Mapping[str, str]) -> Iterator[Omission]:
    """An omission for each named output of a run: whatever the target, its bytes stay where they are."""
    return (Omission(run, f"output {name}, {place}", NAMED_OUTPUT) for name, place in places.items())


MODEL_FILES = "its files are no run's, and stay at the source; its document goes along"


def logged_models(run: RunId, more: Mapping[str, Json]) -> Iterator[Omission]:
    """An omission for each logged model of a run: MLflow 3 keeps them beside the runs that made them."""
    models = more.get(LOGGED_MODELS)
    return (
        Omission(run, f"logged model {one}", MODEL_FILES) for one in (models if isinstance(models, Mapping) else ())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """What of a run one target has refused, each with the target's words."""

    run: str | None = None
    """The run as a whole."""
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Kind and name of a value: `tag`, `owner`."""
    series: Mapping[SeriesKey, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """By path in the target, those that we make too."""


NOTHING_REFUSED = Refusals()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A run with all that planning needs to know of it. Archives give many at once, which costs less than singly."""

    unit: RunId
    details: RunDetails
    """The run with inputs and outputs, its definition and specification."""
    job: Job | None = None
    """The job as ARM lists it; None for runs that are no root jobs."""
    series: Sequence[tuple[Series, int]] = ()
    """The series that were logged, each with its number of rows."""
    files: FileTotals
    """The run's files in figures."""
    code: bool | str | None = None
    """True where its code is here, or the reason why it could not be had. None for a run submitted without code."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Named output -> the place of its bytes, for outputs whose bytes are no files of a run."""
    only_last: bool = False
    """True where its rows are the last of each metric, from MLflow, and not the metrics' history."""
    owner: RunId | None = None
    """The run whose points and files these are: in a target where every run has its own, a reused step gets them."""
    lender_experiment: str | None = None
    """Experiment of the run whose points and files this one shows; None also where the archive lacks that run."""
    ids: Mapping[RunId, RunId] = field(default_factory=dict)
    """Source id -> target id, of this run and of runs that it names; a run that is not in it keeps its id."""
    stands_alone: bool = False
    """True where the target has it with files and points of its own, though in the source it shows another run's."""
    carried: Json | None = None
    """What the target's ledger says of what was to go; None where nothing was sent as a run."""
    refused: Refusals = NOTHING_REFUSED
    """What the target has refused of what is in the archive now."""
    references: Sequence[Became] = ()
    """The assets that the run and its job name, with what became of each in the target."""
    route: WriteRoute | None = None
    """By which the run went into the target, or its family did; None where nothing of these is there."""

    @property
    def contents(self) -> RunId:
        """The run under which the archive holds these points and files."""
        return self.owner or self.details.run.id


def with_owners_contents(recorded: Recorded, history: History, target: Place | None) -> History:
    """A reused step with the points and files of the run that it shows; as it is where the archive lacks that run."""
    lender = history.details.run.lender
    owner = recorded.history(lender, target) if lender else None
    if owner is None:
        return history
    return replace(history, owner=lender, series=owner.series, files=owner.files, only_last=owner.only_last)


class Recorded(Protocol):
    """What planning reads of an archive."""

    source: Place

    def listing(self) -> Iterable[Listed]:
        """A light row for every run."""
        ...

    def left_out(self, names: Iterable[str]) -> Mapping[str, str]:
        """Names of runs that were chosen and not brought -> why."""
        ...

    def units(self) -> Iterator[RunId]:
        """The roots of all units, newest first."""
        ...

    def unit_of(self, run: RunId) -> RunId | None:
        """The root of a run's unit; None for a run that is not listed."""
        ...

    def waited_for(self, root: RunId) -> Collection[RunId]:
        """Runs of a unit that are to be extracted first, as extracted ones stand below them."""
        ...

    def experiments(self) -> Iterable[Experiment]:
        """All experiments, by name."""
        ...

    def histories(self, roots: Iterable[RunId] | None = None, target: Place | None = None) -> Iterator[History]:
        """The runs of these units, or of all, newest unit first, parents first within a unit.

        With `target`, each has what that target's ledger says of it.
        """
        ...

    def history(self, run: RunId, target: Place | None = None) -> History | None:
        """One run with everything that planning needs; None where it is not extracted."""
        ...

    def details(self, run: RunId) -> RunDetails | None:
        """The run with inputs and outputs, its definition and specification."""
        ...

    def job(self, run: RunId) -> Job | None:
        """The job as ARM lists it; None for runs that are no root jobs."""
        ...

    def lost_files(self, run: RunId) -> Iterator[Artifact]:
        """The run's files that the index lists and the storage does not hold."""
        ...

    def artifacts(self, run: RunId) -> Iterator[Artifact]:
        """A run's files, by path."""
        ...

    def chunks(self, run: RunId) -> Iterator[tuple[int, Sequence[Points]]]:
        """Number and pieces of every chunk of a run's rows."""
        ...

    def stored_twice(self, run: RunId) -> Iterator[str]:
        """The run's paths for which index and storage name different places, both with bytes."""
        ...
