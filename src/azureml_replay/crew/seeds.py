"""Archives of parts: made for a worker, brought home, and those that an earlier driver left."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.lock import is_held
from azureml_replay.archive.merging.merge import merge
from azureml_replay.archive.merging.parts import Brought
from azureml_replay.counting import counted
from azureml_replay.crew.pool import Errand
from azureml_replay.disk.outputs import private_folder
from azureml_replay.errors import UserError
from azureml_replay.model import RunId
from azureml_replay.progress import Progress
from azureml_replay.workspace.place import Place

FOLDER = "archive.parts"
"""In the archive's folder, while workers are at work."""
_EMPTY, _MAKING = "empty", "making"


@dataclass(frozen=True, slots=True)
class Seeds:
    """The archives of the parts of one archive."""

    whole: Archive
    target: Place | None

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.whole.folder / FOLDER

    def folder_of(self, errand: Errand) -> Path:
        """Of one attempt at a part."""
        return self.folder / str(errand)

    def make(self, errand: Errand, runs: Sequence[RunId], containers: Sequence[str]) -> Path:
        """An archive with these runs, and what is known of them; it is there whole or not at all."""
        making, made = self.folder / _MAKING, self.folder_of(errand)
        shutil.rmtree(making, ignore_errors=True)
        private_folder(making)
        shutil.copy(self._empty(), making / "archive.db")  # with its mode: nobody else reads it
        with Archive.open(making) as part:
            part.take_part(self.whole, runs, self.target, containers)
        making.rename(made)
        return made

    def home(self, errand: Errand, runs: Sequence[RunId], what: Brought) -> None:
        """Bring home what became of these runs, and remove the part. Its worker has ended with it."""
        folder = self.folder_of(errand)
        with Archive.open(folder) as part:  # what a killed worker left in the WAL is read with it
            self.whole.take_home(part, runs, self.target, what)
        shutil.rmtree(folder)

    def drop(self, errand: Errand) -> None:
        """Remove a part of which nothing is wanted. Repeatable."""
        shutil.rmtree(self.folder_of(errand), ignore_errors=True)

    def clear(self) -> None:
        """Remove what is there for making parts. Repeatable."""
        for name in (_EMPTY, _MAKING):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _empty(self) -> Path:
        """An archive without anything, made once: its tables take 50 ms."""
        folder = self.folder / _EMPTY
        if not (folder / "archive.db").exists():
            Archive.create(folder, self.whole.source).close()
        return folder / "archive.db"


def left_by_workers(folder: Path) -> list[Path]:
    """The parts of an archive that lie beside it: of a command that was killed, or is at work."""
    parts = folder / FOLDER
    if not parts.is_dir():
        return []
    return [one for one in sorted(parts.iterdir()) if "." in one.name and (one / "archive.db").is_file()]


def bring_leftovers(archive: Archive, progress: Progress) -> int:
    """Fold in the parts of a command that was killed with its workers; their number. Repeatable.

    Raises UserError while one of these workers is still at work.
    """
    folder = archive.folder / FOLDER
    if not folder.is_dir():
        return 0
    left = left_by_workers(archive.folder)
    for one in left:
        if is_held(one):
            raise UserError(
                f"a worker of an earlier command still works on {one}: wait until it has ended, in a minute at most"
            )
    if left:
        progress.doing(f"folding in what {counted(len(left), 'worker')} left")
        merge(archive, left, progress=progress)
    shutil.rmtree(folder)
    return len(left)
