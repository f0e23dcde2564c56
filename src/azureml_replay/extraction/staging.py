"""What is to be written of one run, held until there is enough of it: a small run is one transaction, not nine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.model import Omission, RunDetails


@dataclass(slots=True)
class Staging:
    """Writes of one run, in their order. Whoever holds much of them says `flush`; the last one does."""

    archive: Archive
    _held: list[Callable[[], object]] = field(default_factory=list)

    @classmethod
    def of(cls, archive: Archive, details: RunDetails) -> Staging:
        """The writes of a new generation, which its document begins."""
        staging = cls(archive)
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
        with self.archive.together():
            for write in self._held:
                write()
        self._held.clear()
