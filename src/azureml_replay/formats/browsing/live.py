"""An archive that is looked at while others may write it: one connection, one thread, and what was read last."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.objects import Held
from azureml_replay.archive.timeline import Begun
from azureml_replay.formats.browsing.shown import TICKS_PER_MS, Point, ShownRun, history, shown_path, shown_run, sound
from azureml_replay.model import Artifact, Experiment, Points, Run, RunId

Found = TypeVar("Found")

SCHEME = "azureml-replay"
"""Of the URIs by which MLflow finds the stores."""
LOOK_EVERY_S = 1.0
"""Seconds between looks for what somebody else has written: where much is written, each costs up to 0.2 s."""
HISTORIES_KEPT = 8
"""A history of a million points takes 100 MB while it is looked at, page by page."""


@dataclass(frozen=True, slots=True)
class ShownExperiment:
    """An experiment as it is shown: with its own id, where the source told one."""

    id: str
    name: str
    description: str | None
    tags: Mapping[str, str]
    hidden: bool
    first_ms: int | None
    last_ms: int | None
    """When its first and its last run began; None without runs."""


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file or a folder of a run."""

    path: str
    folder: bool
    size_bytes: int | None = None


@dataclass(slots=True)
class Recent:
    """The values that were asked for last."""

    most: int
    values: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)

    def get(self, key: Hashable, make: Callable[[], Found]) -> Found:
        """The value of a key, made now where it is not here."""
        if key not in self.values:
            self.values[key] = make()
            while len(self.values) > self.most:
                self.values.popitem(last=False)
        self.values.move_to_end(key)
        found: Found = self.values[key]
        return found


def uri_of(folder: Path) -> str:
    """The URI of an archive's folder."""
    return f"{SCHEME}:{quote(folder.as_posix())}"


def folder_of(uri: str) -> Path:
    """The folder that a URI names, and behind it whatever clients append."""
    path = unquote(urlsplit(uri).path)
    return Path(path.removeprefix("/") if re.match(r"/[A-Za-z]:", path) else path)


@cache
def live_archive(folder: Path) -> LiveArchive:
    """The one look at an archive in this process. Raises UserError, IntegrityError when it is first asked."""
    return LiveArchive(folder)


class LiveArchive:
    """What MLflow's stores ask an archive for. Any thread may ask; SQLite's connection belongs to one."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened before something is asked: a server's process may fork until then."""
        self.folder = folder
        self._thread: ThreadPoolExecutor | None = None
        self._archive: Archive | None = None
        self._looked_s, self._changes = 0.0, -1
        self._experiments: dict[str, ShownExperiment] = {}
        self._histories = Recent(HISTORIES_KEPT)

    def experiments(self) -> list[ShownExperiment]:
        """All experiments, by name."""
        return self._ask(lambda _: list(self._experiments.values()))

    def page(
        self,
        experiments: Iterable[str],
        *,
        hidden: Sequence[bool],
        newest_first: bool,
        after: tuple[int, str] | None,
        most: int | None,
    ) -> list[Begun]:
        """Runs of some experiments, by their ids, in the order of their start. A page ends where the next begins."""
        wanted = set(experiments)

        def work(archive: Archive) -> list[Begun]:
            names = [one.name for one in self._experiments.values() if one.id in wanted]
            return archive.timeline(names, hidden=hidden, newest_first=newest_first, after=after, most=most)

        return self._ask(work)

    def run(self, run: str) -> Begun | None:
        """The place of a run; None where the archive does not have it."""
        return self._ask(lambda archive: archive.begun(RunId(run)))

    def shown(self, runs: Sequence[str], *, curves: bool = True) -> list[ShownRun]:
        """The runs, with the last points of their curves if asked for. Those that are not there are left out."""
        return self._ask(lambda archive: [one for run in runs if (one := _shown(archive, RunId(run), curves=curves))])

    def history(self, place: Begun, curve: str) -> list[Point]:
        """Every point of a curve, in MLflow's order."""

        def work(archive: Archive) -> list[Point]:
            return history(_pieces(archive, _run(archive, place.run)), curve)

        return self._ask(lambda archive: self._histories.get((place, curve), lambda: work(archive)))

    def files(self, run: str, folder: str) -> list[ShownFile]:
        """What lies right below a folder of a run, `""` for its root."""
        below = f"{folder.strip('/')}/" if folder.strip("/") else ""

        def work(archive: Archive) -> list[ShownFile]:
            found: dict[str, ShownFile] = {}
            for artifact in _artifacts(archive, RunId(run)):
                path = shown_path(artifact.path)
                if path.startswith(below) and path:
                    name, inside, _ = path[len(below) :].partition("/")
                    size = artifact.stored.size_bytes if artifact.stored else None
                    found.setdefault(name, ShownFile(below + name, bool(inside), None if inside else size))
            return list(found.values())

        return self._ask(work)

    def file(self, run: str, path: str) -> tuple[Artifact, Held | None] | None:
        """A file of a run, and its bytes where the archive keeps them; None where there is no such file."""

        def work(archive: Archive) -> tuple[Artifact, Held | None] | None:
            same = (one for one in _artifacts(archive, RunId(run)) if shown_path(one.path) == path)
            pairs = [(one, archive.held(one.stored) if one.stored else None) for one in same]
            return max(pairs, key=lambda pair: (pair[1] is not None, pair[0].stored is not None), default=None)

        return self._ask(work)

    def _ask(self, work: Callable[[Archive], Found]) -> Found:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="archive")
        return self._thread.submit(lambda: work(self._opened())).result()

    def _opened(self) -> Archive:
        """The archive, as it is now or was a second ago."""
        if self._archive is None:
            self._archive = Archive.open(self.folder, write=False)
        now = time.monotonic()
        if self._changes < 0 or now - self._looked_s > LOOK_EVERY_S:
            changes = self._archive.changes()
            if changes != self._changes:
                self._archive.renew_timeline()
                self._experiments = {one.name: one for one in _experiments(self._archive)}
            self._looked_s, self._changes = time.monotonic(), changes
        return self._archive


def _shown(archive: Archive, run: RunId, *, curves: bool) -> ShownRun | None:
    found = archive.run(run)
    return shown_run(found, _pieces(archive, found) if curves else ()) if found else None


def _run(archive: Archive, run: RunId) -> Run:
    return archive.run(run) or Run(id=run)


def _pieces(archive: Archive, run: Run) -> Iterator[Points]:
    """All rows of a run; of the run whose rows it shows, as a reused step does, where it has none itself."""
    own = False
    for _, pieces in archive.chunks(run.id):
        own = True
        yield from pieces
    if not own and run.lender:
        yield from (piece for _, pieces in archive.chunks(run.lender) for piece in pieces)


def _artifacts(archive: Archive, run: RunId) -> Iterator[Artifact]:
    """The files of a run, or of the run whose files it shows."""
    own = False
    for artifact in archive.artifacts(run):
        own = True
        yield artifact
    if not own and (lender := _run(archive, run).lender):
        yield from archive.artifacts(lender)


def _experiments(archive: Archive) -> Iterator[ShownExperiment]:
    """Those that were listed, and those that only runs name, as in a list of jobs: there the name is the id."""
    spans = {span.experiment: span for span in archive.spans()}
    listed: dict[str, Experiment] = {}
    for experiment in archive.experiments():
        listed.setdefault(experiment.name, experiment)  # where two have one name, runs are taken for the first one's
    for name in sorted(spans.keys() | listed.keys()):
        known, span = listed.get(name) or Experiment(id=name, name=name), spans.get(name)
        yield ShownExperiment(
            id=known.id,
            name=name,
            description=known.description and sound(known.description),
            tags={sound(key): sound(value or "") for key, value in known.tags.items() if key},
            hidden=known.archived is not None,
            first_ms=span.first // TICKS_PER_MS if span else None,
            last_ms=span.last // TICKS_PER_MS if span else None,
        )
