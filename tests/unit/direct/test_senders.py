"""What a sender does where an item fails, an answer is lost or the process dies: by receipts, on a target of glass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import ChunkItem, FileItem, RunItem, SeriesItem
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.direct.due import Due
from azureml_replay.direct.files import FileSender
from azureml_replay.direct.intents import Intents
from azureml_replay.direct.points import Appending, PointSender, SeriesRefused
from azureml_replay.direct.runs import RunSender
from azureml_replay.errors import Rejected, Remedy, Unavailable, Uncertain
from azureml_replay.files.bytes import Supply
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    Location,
    Points,
    Row,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.planning.plan import Step, plan_unit
from azureml_replay.progress import SILENT
from azureml_replay.workers import Room
from azureml_replay.workspace.mark import SENT_TAG, SentMark
from azureml_replay.workspace.profile import AZURE_ML, TargetProfile
from azureml_replay.workspace.put_files import PutFile
from azureml_replay.workspace.target import Outcome, Refused

SOURCE, TARGET = (azure_place("sub", "group", name) for name in ("source", "target"))
RUN = RunId("run")
LOSS, OTHER = (Series(key=SeriesKey(name), columns=((name, "Double"),)) for name in ("loss", "other"))
ROWS: list[Row] = [(step, 100 + step, (0.5 + step,)) for step in range(4)]
A, B = "outputs/a.txt", "outputs/b.txt"
BUSY = Unavailable("busy", method="PUT", url="u", status=503)


GRANT = Remedy("write", "grant it")


class PowerCut(BaseException):
    """The process is gone."""


class Glass:
    """A target in memory: what was put is seen, and what becomes of the next request is scripted."""

    ref = TARGET
    profile = TargetProfile()

    def __init__(self) -> None:
        self.files: dict[str, PutFile] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.rows: dict[SeriesKey, list[Row]] = {}
        self.appends: list[list[tuple[str, int]]] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[Sequence[Points]], None] = lambda _: None
        self.refuses: Callable[[Sequence[Points]], Mapping[int, Refused]] = lambda _: {}
        self.told: list[Run] = []

    def place(self, run: RunId, path: str) -> Location:
        return Location("artifacts", f"{run}/{path}")

    async def put_files(self, _experiment: str, _run: RunId, files: Sequence[PutFile]) -> Mapping[str, Outcome]:
        outcomes = {file.path: self.outcomes.get(file.path) for file in files}
        self.files |= {file.path: file for file in files if outcomes[file.path] is None}
        self.before()
        return outcomes

    async def append_points(self, _run: RunId, batch: Sequence[Points]) -> Mapping[int, Refused]:
        refused = self.refuses(batch)
        self.appends.append([(one.series.key.name, len(one)) for one in batch])
        for at, points in enumerate(batch):
            if at not in refused:
                self.rows.setdefault(points.series.key, []).extend(points.rows())
        self.after(batch)
        return refused

    async def settle(self, _experiment: str, _run: RunId) -> None: ...

    async def points(self, _run: RunId, series: Series) -> Any:
        yield Points.of(series, self.rows.get(series.key, []))

    async def finish_runs(self, _experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        self.told += runs
        return dict.fromkeys(run.id for run in runs)


class Slow(Glass):
    """A target whose requests overtake each other."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.in_flight = self.most = 0
        self.asked_in_flight = 0

    async def append_points(self, run: RunId, batch: Sequence[Points]) -> Mapping[int, Refused]:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await self._some_time()
            try:
                return await super().append_points(run, batch)
            finally:
                await self._some_time()
        finally:
            self.in_flight -= 1

    async def _some_time(self) -> None:
        for _ in range(self.random.randrange(9)):
            await asyncio.sleep(0)

    async def settle(self, _experiment: str, _run: RunId) -> None:
        self.asked_in_flight += self.in_flight


class Bytes:
    """A source that gives every file."""

    async def readable_url(self, location: Location) -> str:
        return f"https://source/{location.path}"

    async def stored_file(self, _: Location) -> None:
        return None


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """A run with two series in one chunk, and two files."""
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        run = Run(id=RUN, experiment="e", status="Completed")
        archive.put_listed([run])
        archive.arrange()
        archive.select([RUN])
        archive.begin(RUN)
        archive.put_details(RunDetails(run=run))
        archive.put_chunk(RUN, [Points.of(LOSS, ROWS), Points.of(OTHER, ROWS)])
        archive.put_artifacts(RUN, [stored(path) for path in (A, B)])
        archive.complete(RUN)
        yield archive


def stored(path: str) -> Artifact:
    place = Location("artifacts", f"run/{path}")
    return Artifact(path=path, location=place, indexed=True, stored=StoredFile(location=place, size_bytes=3, etag="1"))


def step_of(archive: Archive) -> Step:
    (step,) = plan_unit(archive, RUN, profile=TargetProfile(ref=TARGET))
    return step


def of_files(archive: Archive, target: Glass) -> FileSender:
    return FileSender(archive, archive.ledger(TARGET), Supply(archive, Bytes()), target, SILENT)  # type: ignore[arg-type]


def of_points(archive: Archive, target: Glass, rows_of_series: int = 250) -> PointSender:
    ledger = archive.ledger(TARGET)
    appending = Appending(target, ledger, Room(4))  # type: ignore[arg-type]
    return PointSender(archive, target, SILENT, Intents(archive, ledger), appending, rows_of_series)  # type: ignore[arg-type]


def states(archive: Archive) -> dict[object, State]:
    return {item: one.state for item, one in archive.ledger(TARGET).receipts(RUN).items()}


async def test_a_file_that_a_bad_moment_kept_away_fails_its_run_and_goes_later(archive: Archive) -> None:
    """503 is no refusal: the other file has its receipt, this one only its intent, and the next call sends it."""
    target = Glass()
    target.outcomes[A] = BUSY

    with pytest.raises(Unavailable):
        await of_files(archive, target).send(step_of(archive))

    assert states(archive) == {FileItem(A): State.SENDING, FileItem(B): State.SENT}
    target.outcomes.clear()
    done = await of_files(archive, target).send(step_of(archive))
    assert (done.files, set(target.files)) == (1, {A, B})
    assert states(archive) == {FileItem(A): State.SENT, FileItem(B): State.SENT}


async def test_a_refused_file_keeps_no_other_and_is_not_sent_again(archive: Archive) -> None:
    """It has the target's words; a file that a right keeps away fails its run instead."""
    target = Glass()
    target.outcomes[A] = Refused("no such name", 400)

    await of_files(archive, target).send(step_of(archive))

    assert states(archive) == {FileItem(A): State.REFUSED, FileItem(B): State.SENT}
    (left,) = step_of(archive).omissions
    assert (left.what, left.reason) == (f"file {A}", "the target refused it: no such name")
    target.outcomes = {A: BUSY, B: BUSY}
    assert (await of_files(archive, target).send(step_of(archive))).files == 0


@pytest.mark.parametrize("refused", [Refused("not allowed", 403), Refused("not allowed", 400, GRANT)])
async def test_a_missing_right_is_no_omission(archive: Archive, refused: Refused) -> None:
    """It can be granted."""
    target = Glass()
    target.outcomes[A] = refused

    with pytest.raises(Rejected, match="not allowed"):
        await of_files(archive, target).send(step_of(archive))

    assert states(archive)[FileItem(A)] is State.SENDING


async def test_a_file_is_intended_before_it_is_put(archive: Archive) -> None:
    """After a kill between the copy and the receipt the ledger says that it may be there: undo asks about it."""
    target = Glass()

    def die() -> None:
        raise PowerCut

    target.before = die
    with pytest.raises(PowerCut):
        await of_files(archive, target).send(step_of(archive))

    assert set(target.files) == {A, B}
    assert states(archive) == {FileItem(A): State.SENDING, FileItem(B): State.SENDING}


@pytest.mark.parametrize("lost", [1, 2, 4])
async def test_answers_lost_in_a_row_double_no_row(archive: Archive, lost: int) -> None:
    """Each time the target is asked what it lacks; the rows are there once."""
    target, left = Glass(), lost

    def lose(_: Sequence[Points]) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            for key in target.rows:  # of what was sent last, a part did not arrive
                target.rows[key] = target.rows[key][: lost - left]
            raise Uncertain("lost")

    target.after = lose
    await of_points(archive, target).send(step_of(archive), ask=False)

    assert {key.name: sorted(rows, key=str) for key, rows in target.rows.items()} == {"loss": ROWS, "other": ROWS}
    assert states(archive) == {ChunkItem(0): State.SENT}


async def test_a_target_that_never_answers_is_left_to_the_next_call(archive: Archive) -> None:
    """The intent stays: then the target is asked first."""
    target = Glass()

    def lose(_: Sequence[Points]) -> None:
        target.rows.clear()
        raise Uncertain("lost")

    target.after = lose
    with pytest.raises(Uncertain):
        await of_points(archive, target).send(step_of(archive), ask=False)

    assert states(archive) == {ChunkItem(0): State.SENDING}


@pytest.mark.parametrize("whole", [False, True], ids=["the item", "the request"])
async def test_a_refused_series_keeps_no_other(archive: Archive, whole: bool) -> None:
    """Refused by itself, or with the request that it was in: one by one the one to blame is found, none is doubled."""
    target = Glass()

    def refuse(batch: Sequence[Points]) -> Mapping[int, Refused]:
        bad = {at: Refused("no", 400) for at, points in enumerate(batch) if points.series.key == LOSS.key}
        if bad and whole:
            raise Rejected("no", status=400)
        return bad

    target.refuses = refuse
    with pytest.raises(SeriesRefused):
        await of_points(archive, target).send(step_of(archive), ask=False)
    await of_points(archive, target).send(step_of(archive), ask=True)

    assert target.rows == {OTHER.key: ROWS}
    assert states(archive) == {ChunkItem(0): State.SENT, SeriesItem("loss"): State.REFUSED}
    (left,) = step_of(archive).omissions
    assert left.reason == "the target refused it: no; kept in replay/overflow.json"


async def test_an_error_is_told_to_a_run_that_is_under_way_on_both_sides(archive: Archive) -> None:
    """Its status is the same before and after."""
    target, ledger = Glass(), archive.ledger(TARGET)
    step = step_of(archive)
    going = Run(id=RUN, experiment="e", status="Running", error={"code": "UserError"})
    there = Run(id=RUN, experiment="e", status="Running")
    sender = RunSender(ledger, target, Prefer.SOURCE, lambda *_: None, AZURE_ML, known={RUN: there})  # type: ignore[arg-type]

    await sender.finish([_with(step, going)])
    await RunSender(ledger, target, Prefer.SOURCE, lambda *_: None, AZURE_ML, known={RUN: going}).finish(  # type: ignore[arg-type]
        [_with(step, Run(id=RUN, experiment="e", status="Running", error={"code": "Other"}, hidden=False))]
    )

    assert [run.error for run in target.told] == [{"code": "UserError"}]


@pytest.mark.parametrize("bound", [True, False])
def test_what_stays_by_a_mark_that_names_no_run_is_not_made_sure(archive: Archive, *, bound: bool) -> None:
    """Such a mark may be copied from another run: the mark that is written next would excuse the value for good."""
    target, step = Glass(), step_of(archive)
    before = SentMark.of({"tag team": "theirs"}, Instant(9)).to_text(RUN, RUN)
    there = Run(id=RUN, tags={"team": "theirs", SENT_TAG: before if bound else before.rpartition(" ")[0]})
    sender = RunSender(
        archive.ledger(TARGET),
        target,  # type: ignore[arg-type]
        Prefer.TARGET,
        lambda *_: None,
        AZURE_ML,
        known={RUN: there},
    )

    mark = sender._mark_of(
        _with(step, Run(id=RUN, tags={"team": "mine"}, modified=Instant(5))), frozenset({"tag team"})
    )

    assert mark.bears("tag team", "theirs") == bound
    assert mark.as_of == Instant(9 if bound else 5)


def _with(step: Step, run: Run) -> Step:
    from dataclasses import replace

    return replace(step, run=run)


LONG = 60
IN_ORDER = [(step, step, (float(step),)) for step in range(LONG)]


def lengthen(archive: Archive) -> None:
    """Two long series in three chunks, the second of which begins in the first one's last."""
    archive.begin(RUN)
    archive.put_details(RunDetails(run=Run(id=RUN, experiment="e", status="Completed")))
    archive.put_chunk(RUN, [Points.of(LOSS, IN_ORDER[:40])])
    archive.put_chunk(RUN, [Points.of(LOSS, IN_ORDER[40:]), Points.of(OTHER, IN_ORDER[:5])])
    archive.put_chunk(RUN, [Points.of(OTHER, IN_ORDER[5:])])
    archive.complete(RUN)


@pytest.mark.parametrize("seed", range(8))
async def test_requests_of_a_run_overlap_and_the_last_row_of_each_series_comes_last(
    archive: Archive, seed: int
) -> None:
    lengthen(archive)
    target = Slow(seed)

    assert await of_points(archive, target, 4).send(step_of(archive), ask=False) == 2 * LONG

    assert target.most == 4
    assert {key: sorted(rows, key=str) for key, rows in target.rows.items()} == dict.fromkeys(
        (LOSS.key, OTHER.key), sorted(IN_ORDER, key=str)
    )
    assert [rows[-1] for rows in target.rows.values()] == [IN_ORDER[-1]] * 2
    assert set(states(archive).values()) == {State.SENT}


@pytest.mark.parametrize("seed", range(8))
async def test_nothing_is_asked_while_something_is_on_its_way(archive: Archive, seed: int) -> None:
    """Every third answer is lost, after the rows or before them: each row is there once."""
    lengthen(archive)
    target, answers = Slow(seed), 0

    def lose(batch: Sequence[Points]) -> None:
        nonlocal answers
        answers += 1
        if answers % 3 == 0:
            if answers % 2:
                for points in batch:
                    del target.rows[points.series.key][-len(points) :]
            raise Uncertain("lost")

    target.after = lose
    await of_points(archive, target, 4).send(step_of(archive), ask=False)

    assert target.most > 1
    assert target.asked_in_flight == 0
    assert {key: sorted(rows, key=str) for key, rows in target.rows.items()} == dict.fromkeys(
        (LOSS.key, OTHER.key), sorted(IN_ORDER, key=str)
    )
    assert set(states(archive).values()) == {State.SENT}


@pytest.mark.parametrize("seed", range(4))
async def test_a_power_cut_leaves_intents_of_all_that_was_on_its_way(archive: Archive, seed: int) -> None:
    """And the next call sends what lacks, once."""
    lengthen(archive)
    target, answers = Slow(seed), 0

    def die(_: Sequence[Points]) -> None:
        nonlocal answers
        answers += 1
        if answers == 7 + seed:
            raise PowerCut

    target.after = die
    with pytest.raises(PowerCut):
        await of_points(archive, target, 4).send(step_of(archive), ask=False)
    assert target.in_flight == 0
    begun = {item for item, state in states(archive).items() if state is State.SENDING}
    assert begun

    target.after = lambda _: None
    await of_points(archive, target, 4).send(step_of(archive), ask=True)
    assert {key: sorted(rows, key=str) for key, rows in target.rows.items()} == dict.fromkeys(
        (LOSS.key, OTHER.key), sorted(IN_ORDER, key=str)
    )


def test_whether_a_run_that_was_never_sent_is_whole_takes_one_question(archive: Archive) -> None:
    """Not its content and its parents: nothing stands there that they could be held against."""
    ledger = archive.ledger(TARGET)
    step, due, asked = step_of(archive), Due(archive, ledger), list[str]()
    ledger.mark(RUN, [RunItem.CREATE], State.SENT)
    assert not due.is_whole(step)

    archive._db.set_trace_callback(asked.append)
    assert not due.is_whole(step)
    archive._db.set_trace_callback(None)
    assert len(asked) == 1

    ledger.mark_whole({RUN: due.whole(step)})
    assert due.is_whole(step)
    ledger.mark_whole({RUN: due.left_below(step)})
    assert due.is_whole(step)
