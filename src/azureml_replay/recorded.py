"""What planning reads of an archive (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from azureml_replay.model import (
    Artifact,
    CodeReference,
    FileTotals,
    Job,
    Listed,
    RunDetails,
    RunId,
    Series,
    WorkspaceRef,
)


class Recorded(Protocol):
    """What planning reads of an archive."""

    source: WorkspaceRef

    def listing(self) -> Iterable[Listed]:
        """Light rows of every run."""
        ...

    def units(self) -> Iterator[RunId]:
        """Roots, newest first."""
        ...

    def unit_details(self, root: RunId) -> Iterator[RunDetails]:
        """Its runs with inputs, outputs and definitions, parents first."""
        ...

    def details(self, run: RunId) -> RunDetails | None:
        """The run with inputs and outputs, its definition and specification."""
        ...

    def job(self, run: RunId) -> Job | None:
        """ARM's document, for root jobs."""
        ...

    def series(self, run: RunId) -> Sequence[tuple[Series, int]]:
        """What was logged, with the number of rows."""
        ...

    def artifact_totals(self, run: RunId) -> FileTotals:
        """What there is to carry, in figures."""
        ...

    def lost_files(self, run: RunId) -> Iterator[Artifact]:
        """Files that the index lists and the storage does not hold."""
        ...

    def artifacts(self, run: RunId) -> Iterator[Artifact]:
        """A run's files, by path."""
        ...

    def code(self, reference: CodeReference) -> object:
        """What holds it; a text says why nothing does; None where nobody asked for it."""
        ...

    def only_last(self, run: RunId) -> bool:
        """Whether its rows are the last of each name as MLflow tells them, and not its history."""
        ...

    def stored_twice(self, run: RunId) -> Iterator[str]:
        """Paths for which index and storage name different places, both with bytes."""
        ...
