"""The writes of `doctor`: the throw-away run of `probe.py`, and what only a thorough examination tries on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

from azureml_replay.errors import IdsRefused, Rejected, ServiceError, UserError
from azureml_replay.files.bytes import read_piece
from azureml_replay.model import Experiment, Points, RunForm, Series, SeriesKey, StoredFile
from azureml_replay.target.diagnosis.assets import AssetExamination
from azureml_replay.target.diagnosis.limits import LimitTrial
from azureml_replay.target.diagnosis.sheet import Outcome, Seen, Sheet
from azureml_replay.target.doubtful import DOUBTFUL, NULLS
from azureml_replay.target.forms import NEUTRAL_FORMS, forms_refused
from azureml_replay.target.probe import EXPERIMENT, OPTIONAL, VITAL, Probe
from azureml_replay.target.throw_away import AGES, ROWS, TIMES, ThrowAway, throw_away_run
from azureml_replay.target.trial import better_route, experiments_held
from azureml_replay.workspace.examined import Examined
from azureml_replay.workspace.limits import ROWS_PER_REQUEST, ROWS_PER_SERIES_AND_REQUEST
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import WriteRoute
from azureml_replay.workspace.put_files import CopyFile
from azureml_replay.workspace.source import LendsFiles
from azureml_replay.workspace.target import Refused, Target

REPLAY_STOPS = "replay stops before its first write to this target"
BY_MLFLOW = "nothing: runs go by MLflow's routes; the archive and the tag original_job_id know which is which"
PLANNED_BEFORE = "nothing: older ones become planned omissions of their runs"
PLANNED = "nothing: it becomes a planned omission of every run that has one"


@dataclass(slots=True)
class WriteExamination:
    """Examines a target by writing; everything is written into the experiment `azureml-replay-probe` and hidden."""

    sheet: Sheet
    target: Examined
    source: Target | None
    planned: frozenset[str]
    origin: Place | None = None
    """The source whose replays may have written here before."""
    bound: WriteRoute | None = None
    """By which runs of the archive went into the target before: they do so again."""
    thrown: ThrowAway = field(init=False)
    probe: Probe | None = None
    managed: Mapping[RunForm, Refused] | None = None
    """Forms of runs whose status is the system's affair; None where that could not be asked."""

    def __post_init__(self) -> None:
        self.thrown = ThrowAway(self.target)
        if self.bound is WriteRoute.MLFLOW:
            self._go_by_mlflow()

    async def all(self) -> Probe | None:
        """Run every probe; what the target keeps, None where no run could be made or read back."""
        before = await experiments_held(self.target, self.origin, self.planned)
        steps: tuple[tuple[str, Callable[[], Awaitable[Seen]]], ...] = (
            ("points", self._points),
            ("batch sizes", self._batch_sizes),
            ("files", self._files),
            ("copy", self._copy),
            ("ends", self._ends),
            ("settled rows", self._settled_rows),
            ("fields", self._fields),
        )
        await self._try_forms()
        if not await self.sheet.check("client ids", self._create):
            return None
        self.sheet.note("run status", self._run_status())
        fine = {probe: await self.sheet.check(probe, ask) for probe, ask in steps}
        if self.probe is None:
            return None
        await self.sheet.check("made runs", self._made_runs)
        await self.sheet.check("write route", self._route)
        await self.sheet.check("repeated points", self._repeated_points)
        await self.sheet.check("archived experiments", self._archived_experiments)
        await self.sheet.check("limits", self._limits)
        await AssetExamination(self.sheet, self.target, self.thrown.run).all()
        written = fine["points"] and fine["files"] and fine["ends"]  # else what lacks is a role, not the target's way
        return replace(self.probe, experiments=before.own, made=before.made) if written else None

    async def _try_forms(self) -> None:
        """Find out of which runs a client may say how they ended; what else stands in the way the next rows tell."""
        with suppress(ServiceError):
            self.managed = await forms_refused(self.target)
        free = [form for form in NEUTRAL_FORMS if form not in (self.managed or {})]
        if free:
            self.thrown = ThrowAway(self.target, throw_away_run(form=free[0]))

    def _go_by_mlflow(self) -> None:
        run = throw_away_run(route=WriteRoute.MLFLOW)
        self.thrown = ThrowAway(self.target, run, WriteRoute.MLFLOW)

    def _run_status(self) -> Seen:
        if self.thrown.route is WriteRoute.MLFLOW:
            return Seen("MLflow's routes give runs a type of their own, and end them")
        if self.managed is None:
            return Seen("nobody answered", Outcome.UNKNOWN, "try again")
        if not self.managed:
            return Seen("a client may end runs of each kind")
        kinds = ", ".join(form.value for form in self.managed)
        seen = f"it is the system's affair for runs with: {kinds} ({next(iter(self.managed.values())).reason})"
        if set(NEUTRAL_FORMS) <= set(self.managed):
            return Seen(seen, Outcome.MISSING, f"{REPLAY_STOPS}; --mode synthetic submits jobs instead")
        effect = ", and --keep-run-type has no effect" if RunForm.KEPT in self.managed else ""
        return Seen(seen, Outcome.WARNING, f"nothing: runs are written with {self.thrown.run.form.value}{effect}")

    async def _create(self) -> Seen:
        try:
            await self.thrown.create()
        except IdsRefused as refused:
            if self.bound is not None:
                raise
            self._go_by_mlflow()
            try:
                await self.thrown.create()
            except Rejected as error:
                raise refused from error
            return Seen(str(refused), Outcome.WARNING, BY_MLFLOW)
        return Seen(f"throw-away run {self.thrown.run.id}")

    async def _route(self) -> Seen:
        """Where history keeps no start, whether MLflow's routes do."""
        assert self.probe is not None  # noqa: S101 - asked after `_fields`
        if self.probe.route is WriteRoute.HISTORY and self.bound is None:
            better = await better_route(None, self.target, self.probe)
            self.probe = replace(better, type_kept=self.probe.type_kept)
        if self.probe.route is WriteRoute.MLFLOW:
            return Seen("MLflow's routes, under ids of the target's own", Outcome.WARNING, BY_MLFLOW)
        return Seen("the history, under ids of ours")

    async def _points(self) -> Seen:
        await self.thrown.append()
        return Seen("rows were taken")

    async def _files(self) -> Seen:
        await self.thrown.put_file()
        return Seen("a file was taken")

    async def _batch_sizes(self) -> Seen:
        """Send as many rows as one request may have, of series that the throw-away run is not checked for."""
        names = [f"batch{at}" for at in range(ROWS_PER_REQUEST // ROWS_PER_SERIES_AND_REQUEST)]
        rows = [(step, ROWS.times[0], (0.0,)) for step in range(ROWS_PER_SERIES_AND_REQUEST)]
        batch = [Points.of(Series(key=SeriesKey(name), columns=((name, "Double"),)), rows) for name in names]
        try:
            refused = await self.target.append_points(self.thrown.run.id, batch)
        except Rejected as error:
            if error.status in (401, 403):
                raise
            return Seen(str(error.args[0]), Outcome.WARNING, "report it: runs with many points will fail")
        if refused:
            return Seen(next(iter(refused.values())).reason, Outcome.WARNING, "report it: such rows will be refused")
        return Seen(f"{ROWS_PER_REQUEST:,} rows in one request")

    async def _copy(self) -> Seen:
        if self.source is None:
            return Seen("no source given", Outcome.UNKNOWN, "give --source")
        if not isinstance(self.source, LendsFiles):
            return Seen("files go through this machine: the source lends none to other storages")
        file = await self._smallest()
        if file is None:
            return Seen("the source has no file to copy", Outcome.UNKNOWN)
        copy = CopyFile(path="outputs/copied", source=await self.source.readable_url(file.location), stored=file)
        size = f"{file.size_bytes:,} bytes"
        if await self._put(copy) is None:
            return Seen(f"{size} went from storage to storage")
        refused = await self._put(replace(copy, read=partial(read_piece, self.source, file)))
        if refused is None:
            todo = "nothing: files go through this machine; let the target's storage reach the source's to be faster"
            return Seen("the target's storage may not read the source's", Outcome.WARNING, todo)
        return Seen(f"refused: {refused.reason}", Outcome.MISSING, "a run's files would be refused so")

    async def _put(self, file: CopyFile) -> Refused | None:
        outcome = (await self.target.put_files(EXPERIMENT, self.thrown.run.id, [file])).get(file.path)
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    async def _smallest(self) -> StoredFile | None:
        async for page in cast("Examined", self.source).stored_of_all():
            if page:
                return min(page, key=lambda file: (file.size_bytes == 0, file.size_bytes))
        return None

    async def _ends(self) -> Seen:
        if await self.thrown.finish():
            todo = "nothing: replay waits for the ends that it sends"
            return Seen("the end showed some time after it was sent", Outcome.WARNING, todo)
        return Seen("the end showed at once")

    async def _settled_rows(self) -> Seen:
        if self.thrown.settles:
            return Seen("by batchsync: rows are there once it is answered")
        if await self.target.tells_when_settled(EXPERIMENT, self.thrown.run.id):
            return Seen("by wait: metricsingest/wait says when rows can be read")
        todo = "nothing: five seconds pass before rows are asked for after an interruption"
        return Seen("by reading: neither batchsync nor metricsingest/wait is spoken", Outcome.WARNING, todo)

    async def _fields(self) -> Seen:
        self.probe = probe = await self.thrown.read()
        late = any(row.probe == "ends" and row.outcome is Outcome.WARNING for row in self.sheet.rows)
        type_kept = None if self.managed is None else RunForm.KEPT not in self.managed
        self.probe = replace(probe, late=late, type_kept=type_kept)
        self.sheet.note("past times", self._past(probe))
        self.sheet.note("creation time", _creation(at_start=bool(probe.created_at_start)))
        if probe.added:
            self.sheet.note("added keys", Seen(f"not held against other runs: {', '.join(probe.added)}"))
        else:
            self.sheet.note("added keys", Seen("none"))
        self._doubtful(probe)
        lost = ", ".join(name.replace("_", " ") for name in probe.lost if name not in DOUBTFUL)
        if set(probe.lost) & set(VITAL):
            return Seen(f"does not keep: {lost}", Outcome.MISSING, REPLAY_STOPS)
        if lost:
            return Seen(f"does not keep: {lost}", Outcome.WARNING, PLANNED)
        kept = [name.replace("_", " ") for name in OPTIONAL if name not in DOUBTFUL]
        return Seen(f"keeps all of: id, status, points, files, {', '.join(kept)}")

    def _doubtful(self, probe: Probe) -> None:
        lost = [name.replace("_", " ") for name in DOUBTFUL if name != NULLS and name in probe.lost]
        self.sheet.note("datasets", _whether_kept(", ".join(lost)))
        nulls = "tags and properties whose value is null" if NULLS in probe.lost else ""
        self.sheet.note("null values", _whether_kept(nulls))

    def _past(self, probe: Probe) -> Seen:
        if set(TIMES) <= set(probe.lost):
            return Seen("no start and no end is kept, however near", Outcome.WARNING, PLANNED)
        if probe.oldest:
            back = self.thrown.how_far_back(max(probe.oldest.values()))
            return Seen(f"keeps times up to {back} back", Outcome.WARNING, PLANNED_BEFORE)
        return Seen(f"keeps times that lie back {', '.join(AGES)}")

    async def _repeated_points(self) -> Seen:
        """Send the same rows again, under the same metric ids, to the run that has ended by now."""
        run = self.thrown.run.id
        modified = await self._modified()
        try:
            await self.thrown.append()
        except UserError as error:
            return Seen(str(error), Outcome.WARNING, "points that come to a run later cannot be brought")
        await self.target.settle(EXPERIMENT, run)
        rows = await self.thrown.rows()
        changed = await self._modified() != modified
        self.sheet.note("later points", _later(changed=changed))
        twice = len(rows) == 2 * len(ROWS)
        return Seen(f"the same rows sent again are there {'twice' if twice else 'once'}; nothing relies on it")

    async def _made_runs(self) -> Seen:
        """Look for the throw-away run, which is hidden by now and no job, in the list of its experiment."""
        own = await self.target.experiment(EXPERIMENT)
        pages = [page async for page in self.target.runs(own)] if own else []
        if any(run.id == self.thrown.run.id for page in pages for run in page):
            return Seen("a run that a client makes is listed")
        todo = "nothing: verify asks each run for its children, and undo leaves experiments as they are"
        return Seen("a run that a client makes is not listed", Outcome.WARNING, todo)

    async def _modified(self) -> object:
        found = (await self.target.details([self.thrown.run.id])).get(self.thrown.run.id)
        return found and found.run.modified

    async def _archived_experiments(self) -> Seen:
        """Archive the probe's own experiment for a moment."""
        await self.target.put_experiment(Experiment(id="", name=EXPERIMENT, archived=self.thrown.run.end))
        try:
            listed = {one.name async for page in self.target.experiments() for one in page}
        finally:
            await self.target.put_experiment(Experiment(id="", name=EXPERIMENT))
        if EXPERIMENT in listed:
            return Seen("an archived experiment is listed")
        return Seen("an archived experiment is not listed", Outcome.WARNING, "nothing: verify asks for it by its name")

    async def _limits(self) -> Seen:
        lifted = await LimitTrial(self.target, self.thrown.run.form, self.thrown.route).lifted()
        assert self.probe is not None  # noqa: S101 - asked after `_fields`
        self.probe = replace(self.probe, lifted=lifted)
        if not lifted:
            return Seen("those that are documented hold")
        return Seen("takes more than documented: " + ", ".join(f"{name} {most:,}" for name, most in lifted.items()))


def _whether_kept(lost: str) -> Seen:
    return Seen(f"does not keep: {lost}", Outcome.WARNING, PLANNED) if lost else Seen("kept")


def _creation(*, at_start: bool) -> Seen:
    if at_start:
        return Seen("a run is created at the start that it is sent")
    todo = "nothing: the source's stands in the run's lineage"
    return Seen("a run is created when it is written, whatever start it is sent", Outcome.WARNING, todo)


def _later(*, changed: bool) -> Seen:
    if changed:
        return Seen("points that come after the end change lastModifiedUtc")
    todo = "points that come to a run after its end are not noticed: extract into a new archive to have them"
    return Seen("points that come after the end leave lastModifiedUtc as it was", Outcome.WARNING, todo)
