"""The driver of several workers: cuts the work into parts, hands them out, grants terms, and brings results home.

It alone lists, probes, holds the target's lease, sends experiments, judges, and starts attempts.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

from azureml_replay.archive.archive import Archive
from azureml_replay.counting import counted
from azureml_replay.crew.engine import Channel, Engine, WorkerLost
from azureml_replay.crew.losses import PartLosses
from azureml_replay.crew.messages import (
    PIECE_BYTES,
    Alive,
    Answer,
    Done,
    Fetch,
    Granted,
    News,
    Order,
    Over,
    Piece,
    Put,
    Ready,
    Request,
    Result,
    Setup,
    Stop,
    ToExtract,
    ToLookAt,
    ToSend,
    Wait,
    Work,
)
from azureml_replay.crew.pool import TRIES, Pool, Portion
from azureml_replay.crew.seeds import Seeds
from azureml_replay.direct.foreseen import DueUnits
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.direct.parts import Briefing, PartSent
from azureml_replay.errors import LeaseTaken, ReplayError, ServiceError, Unavailable
from azureml_replay.extraction.extract import ExtractOptions, PartExtracted
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import RunId
from azureml_replay.planning.parts import cut
from azureml_replay.progress import Progress
from azureml_replay.target.lease import now_s
from azureml_replay.target.sublease import GIVEN_AGAIN_AFTER_S, TERM_S
from azureml_replay.verification.proof import Proof
from azureml_replay.verification.seen import SeenRuns
from azureml_replay.workers import beside, for_each
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.traffic import Load, ServiceTraffic, joined_loads, joined_traffic

Hold = Callable[[], Awaitable[float]]

logger = logging.getLogger("azureml_replay")


@dataclass(slots=True)
class _Task:
    """One verb's work."""

    work: Work
    pool: Pool
    containers: Callable[[Sequence[RunId]], Sequence[str]]
    """Under which names files of runs lie on the shelf."""
    hold: Hold
    wanted: frozenset[RunId]
    """Units that are worked on; others came along with them."""
    losses: PartLosses
    results: list[Result] = field(default_factory=list)


class Bell:
    """Tells whoever waits that something has changed."""

    def __init__(self) -> None:
        """Nothing has changed yet."""
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Something has changed."""
        self._rung.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns once something is true, which changes with a ring only."""
        while not true():
            self._rung.clear()
            await self._rung.wait()


@dataclass(slots=True)
class Crew:
    """Workers for the verbs of one command."""

    archive: Archive
    engine: Engine
    setup: Setup
    count: int
    progress: Progress
    target: Place | None = None
    clock: Callable[[], float] = now_s
    traffic: dict[int, Mapping[str, Mapping[str, ServiceTraffic]]] = field(default_factory=dict)
    """Worker -> side -> service -> all its requests."""
    loads: dict[int, Mapping[str, Mapping[str, Load]]] = field(default_factory=dict)
    _task: _Task | None = None
    _error: Exception | None = None
    _over: bool = False
    _in_vain: int = 0
    """Workers that were lost one after the other, and had taken nothing."""
    _seeds: Seeds = field(init=False)
    _bell: Bell = field(default_factory=Bell)

    def __post_init__(self) -> None:
        self._seeds = Seeds(self.archive, self.target)

    # Verbs

    async def bring(self, options: ExtractOptions, files: RunFiles, gone: frozenset[RunId]) -> PartExtracted:
        """Extract what is listed and chosen."""
        weights = self.archive.unit_weights(pending=True)
        work = ToExtract(options=options, without=gone, shelved=files.whole)
        found = await self._run(work, weights, self.archive.unit_links(), files=files)
        whole = PartExtracted()
        for one in cast("Sequence[PartExtracted]", found):
            whole = whole.and_of(one)
        return whole

    async def send(
        self, due: DueUnits, options: ReplayOptions, profile: TargetProfile, briefing: Briefing, hold: Hold
    ) -> PartSent:
        """Send units; `hold` keeps others from writing."""
        work = ToSend(options=options, profile=profile, briefing=briefing)
        found = cast("Sequence[PartSent]", await self._run(work, due.weights, due.links, hold=hold))
        whole = found[0]
        for one in found[1:]:
            whole = PartSent(whole.replayed.and_of(one.replayed), whole.looked | one.looked)
        return whole

    async def look(self, proof: Proof, units: Sequence[RunId], files: RunFiles) -> Sequence[SeenRuns]:
        """Compare the runs of units."""
        known = self.archive.unit_weights(pending=False)
        weights = {unit: known.get(unit, 1.0) for unit in units}
        links = [pair for pair in self.archive.unit_links() if not weights.keys().isdisjoint(pair)]
        work = ToLookAt(look=proof.look, deep=proof.deep, files=proof.files, shelved=files.whole)
        return cast("Sequence[SeenRuns]", await self._run(work, weights, links, files=files))

    async def _run(
        self,
        work: Work,
        weights: Mapping[RunId, float],
        links: Iterable[tuple[RunId, RunId]],
        *,
        files: RunFiles | None = None,
        hold: Hold | None = None,
    ) -> Sequence[Result]:
        """Returns when all is done. Raises what a worker could not go on with."""
        if not weights:
            return []
        self._task = _Task(
            work=work,
            pool=Pool.of(cut(weights, links), self.count, self.clock),
            containers=self._containers(work, files),
            hold=hold or _for_ever,
            wanted=frozenset(weights),
            losses=PartLosses(self.archive, self.target, work),
        )
        await self._bell.until(lambda: self._error is not None or self._is_done)
        task, self._task = self._task, None
        if self._error is not None:
            raise self._error
        return task.results if task is not None else []

    @property
    def _is_done(self) -> bool:
        return self._task is None or self._task.pool.is_done

    def _containers(self, work: Work, files: RunFiles | None) -> Callable[[Sequence[RunId]], Sequence[str]]:
        if files is None or isinstance(work, ToSend):
            return lambda _: ()
        if isinstance(work, ToExtract) or self.target is None:
            return files.shelved
        ledger = self.archive.ledger(self.target)
        return lambda runs: files.shelved([*runs, *ledger.target_ids(runs).values()])

    # Workers

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Crew]:
        """Workers while the block lasts. What they had begun is brought home at its end.

        They start at once, while the driver still lists or tries: at 100 ms a login takes a second.
        """
        try:
            async with beside(self._serve):
                yield self
                self._over = True
        finally:
            self._over = True
            await self.engine.close()
            self._bring_home_what_was_begun()
            self._seeds.clear()

    async def _serve(self) -> None:
        await for_each(range(self.count), self._one_place, self.count)

    async def _one_place(self, number: int) -> None:
        """A worker, and another one where it is lost."""
        while not self._over and self._error is None:
            mine: list[Portion] = []
            try:
                async with self.engine.worker(self.setup) as channel:
                    await self._talk(number, channel, mine)
                lost = WorkerLost("it was told to end", reaped=self.engine.shares_disk)
            except WorkerLost as error:
                lost = error
            except ReplayError as error:
                self._fail(error)
                return
            self._lose(lost, mine)

    async def _talk(self, number: int, channel: Channel, mine: list[Portion]) -> None:
        while True:
            request = await channel.heard(TERM_S)
            answer = await self._answer(number, request, mine)
            await channel.answer(answer)
            if isinstance(answer, Stop):
                return

    async def _answer(self, number: int, request: Request, mine: list[Portion]) -> Answer:
        if isinstance(request, Ready):
            return self._next(mine)
        if isinstance(request, Fetch):
            return self._piece(request)
        if isinstance(request, Put):
            return self._take_piece(request)
        self._hear(number, request.news)
        if isinstance(request, Alive):
            return await self._term(request)
        if isinstance(request, Done):
            return self._done(request, mine)
        if self._task is not None and (request.errand is None or request.errand in self._task.pool.given):
            self._fail(request.error)
        return Stop()

    def _next(self, mine: list[Portion]) -> Answer:
        if self._over or self._error is not None:
            return Stop()
        portion = self._task.pool.take() if self._task is not None else None
        if portion is None or self._task is None:
            return Wait()
        mine.append(portion)
        self._in_vain = 0
        task, units = self._task, portion.units
        runs = self.archive.runs_of_units(units)
        self._seeds.drop(portion.errand)
        folder = self._seeds.make(portion.errand, runs, task.containers(runs))
        logger.debug("part %s: %s", portion.errand, counted(len(runs), "run"))
        work = task.work
        if isinstance(work, ToExtract):
            work = replace(work, without=work.without.intersection(runs))
        elif isinstance(work, ToSend):
            work = replace(work, briefing=work.briefing.of(runs))
        return Order(
            errand=portion.errand,
            units=tuple(unit for unit in units if unit in task.wanted),
            work=work,
            folder=folder if self.engine.shares_disk else None,
        )

    async def _term(self, request: Alive) -> Answer:
        """For how long the worker may write; only where somebody may is the lease taken."""
        task = self._task
        if task is None or request.errand not in task.pool.given:
            return Over("it was given to another worker")
        if not request.wants:
            return Granted(0.0)
        try:
            return Granted(min(TERM_S, await task.hold()))
        except (LeaseTaken, ServiceError) as error:
            self._fail(error)
            return Over(str(error))

    def _done(self, request: Done, mine: list[Portion]) -> Answer:
        task = self._task
        portion = task.pool.given.get(request.errand) if task is not None else None
        if task is None or portion is None:
            return Over("it was given to another worker")
        result = task.losses.done(portion, request.result, partial(self._bring, task, portion))
        task.pool.done(request.errand)
        task.results.append(result)
        mine.remove(portion)
        self._bell.ring()
        return Wait()

    def _bring(self, task: _Task, portion: Portion) -> None:
        runs = self.archive.runs_of_units(portion.units)
        self._seeds.home(portion.errand, runs, task.work.brings)

    def _lose(self, lost: WorkerLost, mine: Sequence[Portion]) -> None:
        """Let its part be another one's: at once where it is dead, with what it did, else once its term is over."""
        task = self._task
        if task is None or not (left := [portion for portion in mine if portion.errand in task.pool.given]):
            self._in_vain += not mine and not self._over
            if self._in_vain >= TRIES:
                self._fail(Unavailable(f"workers end before they begin ({lost}): try without --workers"))
            return
        self.progress.say(f"a worker was lost ({lost}): another one goes on with its part")
        for portion in left:
            task.losses.note(portion)
            if lost.reaped and self.engine.shares_disk:
                task.results += task.losses.home(portion, partial(self._bring, task, portion))
            if task.pool.is_hopeless(portion):
                self._fail(
                    Unavailable(
                        f"workers were lost again and again at the same runs (of job {portion.units[0]} and others, "
                        f"the last one: {lost})"
                    )
                )
            until = None if lost.reaped else self.clock() + TERM_S + GIVEN_AGAIN_AFTER_S
            task.pool.back(portion, fenced_until=until)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._bell.ring()

    def _bring_home_what_was_begun(self) -> None:
        """Of workers of this machine: all of them have ended by now."""
        task = self._task
        for portion in [] if task is None else list(task.pool.given.values()):
            if task is not None and self.engine.shares_disk and self._seeds.folder_of(portion.errand).exists():
                self._bring(task, portion)
            self._seeds.drop(portion.errand)

    # What they tell

    def _hear(self, number: int, news: News) -> None:
        for what, count in news.expected.items():
            self.progress.expect(what, count)
        for what, count in news.done.items():
            self.progress.done(what, count)
        for line in news.said:
            self.progress.say(line)
        for line in news.slowed:
            self.progress.slowed(line)
        for name, level, line in news.logged:
            logging.getLogger(name).log(level, "%s", line)
        self.loads[number], self.traffic[number] = news.loads, news.traffic

    def loads_of(self, side: str, own: Mapping[str, Load]) -> Mapping[str, Load]:
        """The load of each service of a side, the driver's own and all workers' together."""
        return joined_loads([own, *(loads.get(side, {}) for loads in list(self.loads.values()))])

    def traffic_of(self, side: str, own: Mapping[str, ServiceTraffic]) -> Mapping[str, ServiceTraffic]:
        """The same of requests."""
        return joined_traffic([own, *(told.get(side, {}) for told in self.traffic.values())])

    # Pieces of a part's archive

    def _piece(self, request: Fetch) -> Answer:
        file = self._seeds.folder_of(request.errand) / "archive.db"
        with file.open("rb") as reading:
            reading.seek(request.number * PIECE_BYTES)
            return Piece(reading.read(PIECE_BYTES))

    def _take_piece(self, request: Put) -> Answer:
        task = self._task
        if task is None or request.errand not in task.pool.given:
            return Over("it was given to another worker")
        file = self._seeds.folder_of(request.errand) / "archive.db"
        with file.open("r+b" if request.number else "wb") as writing:
            writing.seek(request.number * PIECE_BYTES)
            writing.write(request.data)
        return Wait()


async def _for_ever() -> float:
    return math.inf
