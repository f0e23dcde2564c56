"""What is to be written of one run, held until there is enough of it: a small run is one transaction, not nine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.model import Omission, RunDetails, RunId


@dataclass(slots=True)
class Staging:
    """Writes of one run, in their order. Whoever holds much of them says `flush`; the last one does."""

    archive: Archive
    run: RunId
    before: int
    """The generation that is in force, 0 for a run that was never brought."""
    points: int = 0
    files: int = 0
    large: bool = False
    """True once some of it was written before the rest."""
    _held: list[Callable[[], object]] = field(default_factory=list)

    @classmethod
    def of(cls, archive: Archive, details: RunDetails) -> Staging:
        """The writes of a new generation, which its document begins."""
        staging = cls(archive, details.run.id, archive.generation(details.run.id))
        staging.add(lambda: archive.begin(details.run.id))
        staging.add(lambda: archive.put_details(details))
        return staging

    def add(self, write: Callable[[], object]) -> None:
        """The next write; nothing is written yet."""
        self._held.append(write)

    def omit(self, omission: Omission) -> None:
        """Write what cannot be brought."""
        self.add(lambda: self.archive.put_omissions([omission]))

    def flush(self) -> None:
        """Write what is held, all or nothing."""
        self.large = True
        with self.archive.together():
            self.write()

    def write(self) -> None:
        """Write what is held, in the caller's transaction."""
        for write in self._held:
            write()
        self._held.clear()


RUNS_TOGETHER = 25
"""Runs that are written together: 2,000 bare ones take 0.28 s to commit by eights, 0.20 so, and 0.19 by fifties."""
_ROWS_TOGETHER = 10_000
"""Rows and files of theirs that wait at most, beyond those of one run."""


@dataclass(slots=True)
class FinishedRuns:
    """Runs of which nothing more comes. A kill loses those that wait, and the next extraction brings them again."""

    archive: Archive
    written: Callable[[Staging], None]
    """Told of each once it is in the archive."""
    most: int = 1
    """Runs that are written together: more than one only where they come without a request of their own, 1 ms each."""
    _waiting: list[Staging] = field(default_factory=list)

    def add(self, staging: Staging) -> None:
        """The last writes of a run: at once where it is large, else with those of others."""
        self._waiting.append(staging)
        rows = sum(one.points + one.files for one in self._waiting)
        if staging.large or len(self._waiting) >= self.most or rows > _ROWS_TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write all that wait, all or nothing."""
        waiting, self._waiting = self._waiting, []
        with self.archive.together():
            for staging in waiting:
                staging.write()
        for staging in waiting:
            self.written(staging)
