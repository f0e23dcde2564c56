"""What planning reads of an archive (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from azureml_replay.model import Artifact, Experiment, FileTotals, Job, Listed, RunDetails, RunId, Series
from azureml_replay.workspace.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A run with all that planning needs to know of it. Archives give many at once: asked one by one they cost more."""

    unit: RunId
    details: RunDetails
    """The run with inputs and outputs, its definition and specification."""
    job: Job | None = None
    """ARM's document, for root jobs."""
    series: Sequence[tuple[Series, int]] = ()
    """What was logged, with the number of rows."""
    files: FileTotals
    """What there is to carry, in figures."""
    code: bool | str | None = None
    """Whether its code is here; a text says why it could not be had. None for a run that was submitted with none."""
    only_last: bool = False
    """Its rows are the last of each name as MLflow tells them, and not its metrics' history."""
    lender_experiment: str | None = None
    """Of the run whose points and files this one shows; None also where the archive lacks that run."""
    ids: Mapping[RunId, RunId] = field(default_factory=dict)
    """What this run and those that it names are called in the target; one that is not here keeps its id."""
    stands_alone: bool = False
    """The target has it with files and points of its own, though the source's shows those of another run."""


class Recorded(Protocol):
    """What planning reads of an archive."""

    source: Place

    def listing(self) -> Iterable[Listed]:
        """Light rows of every run."""
        ...

    def units(self) -> Iterator[RunId]:
        """Roots, newest first."""
        ...

    def experiments(self) -> Iterable[Experiment]:
        """All of them, by name."""
        ...

    def histories(self, roots: Iterable[RunId] | None = None, target: Place | None = None) -> Iterator[History]:
        """The runs of these units, or of all, newest first; of each unit parents first.

        With what the ledger of `target` says of them, where one is named.
        """
        ...

    def history(self, run: RunId, target: Place | None = None) -> History | None:
        """One of them."""
        ...

    def details(self, run: RunId) -> RunDetails | None:
        """The run with inputs and outputs, its definition and specification."""
        ...

    def job(self, run: RunId) -> Job | None:
        """ARM's document, for root jobs."""
        ...

    def lost_files(self, run: RunId) -> Iterator[Artifact]:
        """Files that the index lists and the storage does not hold."""
        ...

    def artifacts(self, run: RunId) -> Iterator[Artifact]:
        """A run's files, by path."""
        ...

    def stored_twice(self, run: RunId) -> Iterator[str]:
        """Paths for which index and storage name different places, both with bytes."""
        ...
