"""Which units are looked at as runs, and what was seen of them for the look at their experiments."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import RunId
from azureml_replay.planning.plan import planned_units
from azureml_replay.selection import Selection
from azureml_replay.verification.proof import Proof


@dataclass(frozen=True, slots=True)
class SeenRuns:
    """What was seen of a part's runs, for the look at their experiments."""

    experiments: frozenset[str]
    direct: frozenset[str]
    there: Mapping[str, bytes]
    """Experiment -> marks of the ids of our runs that it shows."""


LookAtRuns = Callable[[Proof, Sequence[RunId], RunFiles], Awaitable[Sequence[SeenRuns]]]
"""Compares the runs of units in another way than one by one in this process."""


@dataclass(frozen=True, slots=True)
class DirectUnits:
    """The units that are looked for as runs: what was replayed directly, and what was not replayed at all."""

    selection: Selection
    without: Collection[RunId] = ()
    """Roots of units that stand in the target as jobs alone."""
    jobs: Collection[RunId] = ()
    """Names of the jobs that were put: what is below them is for their own verification."""

    def roots(self, archive: Archive) -> Iterator[RunId] | None:
        """None: every unit of the archive."""
        if self.selection.everything and not self.without:
            return None
        return (root for root in planned_units(archive, self.selection) if root not in self.without)

    def any(self, archive: Archive) -> bool:
        """False where every chosen unit stands as a job alone. True where nothing is chosen at all."""
        return not self.without or next(self.roots(archive) or iter(()), None) is not None


def mark_of(run: RunId) -> int:
    """The same in every process, unlike a hash."""
    return int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest(), "big", signed=True)
