"""Throw-away runs: a few at different ages, one that has everything, written and read back step by step.

The evidence for times in the past covers minutes to hours (live-evidence.md), and a history lies years back: so one
run began 10 minutes ago, one 30 days ago and one 6 years ago. All three go in the same requests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from azureml_replay.comparison.rows import identity
from azureml_replay.comparison.runs import beside_error
from azureml_replay.errors import (
    Forbidden,
    IdsRefused,
    NotFound,
    Rejected,
    ServiceError,
    StatusManaged,
    Uncertain,
    UserError,
)
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.model import AssetReference, Points, Run, RunForm, RunId, Series, SeriesKey
from azureml_replay.target.doubtful import DoubtfulRun
from azureml_replay.target.probe import EXPERIMENT, OPTIONAL, Probe
from azureml_replay.target.writer import Created, RunWriter, under_its_id, writer_of
from azureml_replay.workers import together
from azureml_replay.workspace.profile import AZURE_ML, WriteRoute, by_route
from azureml_replay.workspace.put_files import NewFile
from azureml_replay.workspace.target import Outcome, Refused, Target

_DAY_S = 86_400
AGES: Mapping[str, int] = {"10 minutes": 600, "30 days": 30 * _DAY_S, "6 years": 6 * 365 * _DAY_S}
"""How long ago the throw-away runs began -> in seconds, from the newest on."""
NEWEST, *OLDER = AGES
_LASTED_S = 300
TIMES = ("start", "end")
_SERIES = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar")
_LOGGED = [Instant.parse("2020-02-29T12:34:56.1234567+00:00"), Instant.parse("2020-02-29T13:34:56.7654321+00:00")]
ROWS = Points(_SERIES, [0, 7], [moment.ticks for moment in _LOGGED], ([0.1, -0.0],))
_AT_ONCE = Points(
    Series(key=SeriesKey("settled loss"), columns=(("settled loss", "Double"),), ux_type=_SERIES.ux_type),
    ROWS.steps,
    ROWS.times,
    ROWS.values,
)
"""Rows of a name of their own: whatever becomes of them, those of the other name tell what the target keeps."""
_FILE = NewFile(path="outputs/probe.txt", data=b"azureml-replay", content_type="text/plain")


def _began(age_s: int) -> Instant:
    """So long ago, with all seven decimals."""
    now = Instant.of(datetime.now(UTC))
    return Instant((now.ticks // TICKS_PER_SECOND - age_s) * TICKS_PER_SECOND + 1_234_567)


def throw_away_run(age: str = NEWEST, form: RunForm = RunForm.NEUTRAL, route: WriteRoute = WriteRoute.HISTORY) -> Run:
    """A run of an age in `AGES`, with a value in every field that can be carried by the route."""
    tick = by_route(AZURE_ML, route).tick
    start = _cut(_began(AGES[age]), tick)
    end = _cut(start.after(_LASTED_S + 0.6419753), tick)
    return Run(
        id=RunId(f"azureml-replay-probe-{uuid4().hex[:12]}"),
        experiment=EXPERIMENT,
        status="Failed",
        start=start,
        end=end,
        display_name="throw-away run of azureml-replay",
        description="Written once to see which fields this workspace keeps; hidden, and safe to delete.",
        tags={"azureml_replay_probe": "Ünïcode", "empty": ""},
        properties={"azureml_replay_probe": "True"},
        parameters={"lr": "0.1"},
        inputs={},
        outputs=dict[str, AssetReference](),
        hidden=True,
        kind="azureml.scriptrun",
        form=form,
        error={"code": "UserError", "message": "a message"},
        error_origin={"time": str(end), "componentName": "azureml-replay", "environment": "e", "location": "l"},
    )


def _cut(moment: Instant, tick: int) -> Instant:
    return Instant(moment.ticks // tick * tick)


@dataclass(slots=True)
class ThrowAway:
    """One run in the experiment `azureml-replay-probe`, and older ones that are looked at for their times alone.

    Every step raises StatusManaged, another UserError (the target refuses what replay needs), Forbidden (a role lacks)
    or Unavailable.
    """

    target: Target
    run: Run = field(default_factory=throw_away_run)
    route: WriteRoute = WriteRoute.HISTORY
    """By which the runs are written."""
    older: dict[str, Run] = field(default_factory=dict)
    """Age -> the run that began so long ago; once they are created, those that the target took."""

    settles: bool = field(init=False, default=False)
    """True where rows were there once the request that brought them was answered."""
    more: DoubtfulRun = field(init=False)
    borrower: Run = field(init=False)
    """A second run, which shows the files of the first one as a reused step does."""
    writer: RunWriter = field(init=False)

    def __post_init__(self) -> None:
        self.writer = writer_of(self.target, self.route)
        self.more = DoubtfulRun.beside(self.target, self.run, self.writer)
        bare = replace(self.run, error=None, error_origin=None, status="Completed")
        for at, age in enumerate(OLDER, 1):
            run = throw_away_run(age, route=self.route)
            self.older[age] = replace(bare, id=RunId(f"{self.run.id}-{at}"), start=run.start, end=run.end)
        self.borrower = replace(self.run, id=RunId(f"{self.run.id}-reused"), lender=self.run.id)

    @property
    def _own_ids(self) -> bool:
        return by_route(AZURE_ML, self.route).ids == "ours"

    @property
    def ids(self) -> list[RunId]:
        """Of all of them: ours until they are created, then those that the target gave them."""
        return [run.id for run in (self.run, *self.older.values(), self.borrower, self.more.run)]

    async def create(self) -> None:
        """Create the runs, then the borrower; a target may refuse that one, and older ones. NOT repeatable.

        Raises IdsRefused where the route needs ids of ours, and the target has none of them.
        """
        created = await self.writer.create(EXPERIMENT, [self.run, *self.older.values()])
        self._expect_created(created[self.run.id])
        self._keep_older({run: _outcome(one) for run, one in created.items()}, "runs that began long ago")
        self.run = under_its_id(self.run, created)
        self.older = {age: under_its_id(run, created) for age, run in self.older.items()}
        await together(self._borrow, self.more.create)

    async def _borrow(self) -> None:
        self.borrower = replace(self.borrower, lender=self.run.id)
        self.borrower = under_its_id(self.borrower, await self.writer.create(EXPERIMENT, [self.borrower]))

    def _expect_created(self, created: Created) -> None:
        if isinstance(created, Refused) and created.of_item and not created.of_status and self._own_ids:
            raise IdsRefused(f"{self.target.ref} refuses runs with ids of the client's choice: {created.reason}")
        self._expect(_outcome(created), "runs with ids of the client's choice" if self._own_ids else "runs")

    async def append(self) -> None:
        """Append two points, and two that are to be there at once."""
        await together(self._append, self._append_settled)

    async def _append(self) -> None:
        refused = await self.target.append_points(self.run.id, [ROWS])
        self._expect(refused.get(0), "metric rows with times and steps of their own")

    async def _append_settled(self) -> None:
        """Learn whether rows are answered once they are there; not where that is refused, or they come otherwise."""
        self.settles = False
        try:
            refused = await self.target.append_settled(self.run.id, [_AT_ONCE])
        except (Rejected, Uncertain):
            return
        self.settles = refused == {} and await self._rows_of(_AT_ONCE.series) == _identities(_AT_ONCE)

    async def put_file(self) -> None:
        """Write a file of a few bytes."""
        outcome = (await self.target.put_files(EXPERIMENT, self.run.id, [_FILE])).get(_FILE.path)
        self._expect(outcome, "files of runs")

    async def finish(self) -> bool:
        """End the runs and hide them. True where the end showed only after some time."""
        runs = [self.run, self.borrower, *self.older.values(), *self.more.to_end()]
        outcomes = await self.writer.finish(EXPERIMENT, runs)
        unended = [run.id for run in runs if isinstance(outcomes.get(run.id), Refused)]
        if unended:
            await self.target.hide_runs(EXPERIMENT, unended, hidden=True)
        self._expect(outcomes.get(self.run.id), "ends of runs with times of their own")
        self._keep_older(outcomes, "ends of runs that began long ago")
        found = (await self.target.details([self.run.id])).get(self.run.id)
        if found is None or found.run.status == self.run.status:
            return False
        return self.run.id not in await self.target.without_end([self.run, *self.older.values()])

    async def read(self) -> Probe:
        """Read the run back; what is there of it."""
        await self.target.settle(EXPERIMENT, self.run.id)
        older = [run.id for run in self.older.values()]
        details = await self.target.details([self.run.id, self.borrower.id, self.more.run.id, *older])
        found, borrower, more = (details.get(run) for run in (self.run.id, self.borrower.id, self.more.run.id))
        if found is None:
            return Probe(run=self.run.id, lost=("id",), experiments=(), added=())
        of_age = {age: one.run for age, run in self.older.items() if (one := details.get(run.id))}
        told = replace(found.run, lender=borrower.run.lender if borrower else None)
        lost = [name for name in ("status", *OPTIONAL) if not _kept(name, self.borrower, told)]
        lost += self.more.lost(more.run if more else None)
        points, stored, listed = await together(
            self._points_kept, self._file_stored, partial(self._file_listed, found.run)
        )
        lost += [] if points else ["points"]
        lost += [] if stored and listed else ["files"]
        added = (found.run.tags.keys() - self.run.tags.keys()) | (
            found.run.properties.keys() - self.run.properties.keys()
        )
        return Probe(
            run=self.run.id,
            route=self.route,
            form=self.run.form,
            settles=self.settles,
            lost=tuple(lost),
            experiments=(),
            added=tuple(sorted(added)),
            created_at_start=_created_at_start(
                [(self.run, told), *((self.older[age], one) for age, one in of_age.items())]
            ),
            oldest={name: moment for name in TIMES if name not in lost and (moment := self._oldest(name, of_age))},
        )

    def how_far_back(self, oldest: Instant) -> str:
        """The age, as in `AGES`, of the run that has this time."""
        ages = [age for age, run in self.older.items() if oldest in (run.start, run.end)]
        return ages[0] if ages else NEWEST

    def _oldest(self, name: str, found: Mapping[str, Run]) -> Instant | None:
        """The oldest value of a field that was kept, None where all were."""
        kept: Instant | None = getattr(self.run, name)
        for age in OLDER:
            wrote, read = self.older.get(age), found.get(age)
            if wrote is None or read is None or getattr(read, name) != getattr(wrote, name):
                return kept
            kept = getattr(wrote, name)
        return None

    def _keep_older(self, outcomes: Mapping[RunId, Outcome], what: str) -> None:
        """Forget the older runs that were refused. Raises what is not about them."""
        for age, run in list(self.older.items()):
            outcome = outcomes.get(run.id)
            if isinstance(outcome, Refused) and outcome.of_item:
                del self.older[age]
            else:
                self._expect(outcome, what)

    async def rows(self) -> list[str]:
        """The identities of the points that are there, sorted; without those that were to be there at once."""
        return await self._rows_of(_SERIES)

    async def _rows_of(self, series: Series) -> list[str]:
        found: list[str] = []
        try:
            async for points in self.target.points(self.run.id, series):
                found += [repr(identity(row)) for row in points.rows()]
        except NotFound:
            return []
        return sorted(found)

    async def _points_kept(self) -> bool:
        return await self.rows() == _identities(ROWS)

    async def _file_listed(self, run: Run) -> bool:
        return _FILE.path in [artifact.path async for page in self.target.artifacts(run) for artifact in page]

    async def _file_stored(self) -> bool:
        md5 = hashlib.md5(_FILE.data, usedforsecurity=False).digest()
        stored = [one.stored async for page in self.target.stored(self.run.id) for one in page if one.stored]
        return any(file.md5 == md5 for file in stored)

    def _expect(self, outcome: Outcome, what: str) -> None:
        if isinstance(outcome, ServiceError):
            raise outcome
        if isinstance(outcome, Refused) and outcome.of_status:
            raise StatusManaged(outcome.reason)
        if isinstance(outcome, Refused) and outcome.status in (401, 403):
            needs = f" (needs {outcome.remedy.lacking})" if outcome.remedy else ""
            raise Forbidden(f"{outcome.reason}{needs}", status=outcome.status, remedy=outcome.remedy)
        if isinstance(outcome, Refused):
            raise UserError(f"{self.target.ref} refuses {what}: {outcome.reason}")


def _identities(points: Points) -> list[str]:
    return sorted(repr(identity(row)) for row in points.rows())


def _outcome(created: Created) -> Outcome:
    return created if isinstance(created, Refused | ServiceError) else None


def _created_at_start(runs: Sequence[tuple[Run, Run]]) -> bool:
    """True where every run whose start was kept has it as its creation time: as it was written, as it was read."""
    kept = [read for wrote, read in runs if read.start == wrote.start]
    return bool(kept) and all(read.created == read.start for read in kept)


def _kept(name: str, wrote: Run, read: Run) -> bool:
    expected, actual = getattr(wrote, name), getattr(read, name)
    if name in ("tags", "properties", "parameters"):
        return all(actual.get(key) == value for key, value in expected.items())  # the service adds its own
    if name == "error":
        return isinstance(actual, dict) and actual.get("message") == expected["message"]
    if name == "error_origin":
        return all(beside_error(read).get(key) == value for key, value in beside_error(wrote).items())
    return bool(expected == actual)
