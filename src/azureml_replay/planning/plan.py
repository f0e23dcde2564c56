"""Archive -> steps, unit by unit, parents first: each run as a target should hold it, and what it cannot hold (pure).

`plan`, `replay` and `verify` all read this one description, so what verify expects is what replay sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter

from azureml_replay.model import UNREADABLE, Json, Omission, Run, RunForm, RunId, Series, SeriesKey
from azureml_replay.planning.files import (
    ALL_FILES,
    NO_FILES,
    NOT_SERVED,
    FileChoice,
    PlannedFile,
    count_files,
    planned,
    room_of,
)
from azureml_replay.planning.fit import (
    Fitting,
    fit_run,
    fit_series,
    say_what_acts,
    say_when_created,
    without_foreign_datasets,
    without_lost,
    without_nulls,
)
from azureml_replay.planning.history import History, Recorded, logged_models, named_outputs, with_owners_contents
from azureml_replay.planning.ids import rewritten
from azureml_replay.planning.made_files import FILES_FILE, MADE, MADE_FOR_PLAIN, NAMES_FILE, own_files
from azureml_replay.planning.plain import Renamed, as_plain
from azureml_replay.planning.references import Became, with_references
from azureml_replay.planning.refused import refused_by, refused_series, without_refused
from azureml_replay.planning.reuse import Lender, own_path
from azureml_replay.planning.route import as_routed
from azureml_replay.planning.rows import NO_ROWS, PlannedRows, planned_rows
from azureml_replay.selection import Choice, Selection, chosen
from azureml_replay.workspace.profile import AZURE_ML, PathRule, TargetProfile, WriteRoute

SHOWN = "files and metrics of "
"""The beginning of an omission's `what`, before the id of the run to which a reused step leaves them."""
SHARED = "shared with another run, carried once with its owner"
NOT_SHOWN = "this target shows no run's files and metrics with another run; they are carried once with their owner"
CUT_NAME = "longer than {} characters: cut there, and whole in a tag of the experiment"
FILES, LEFT = "files", "left"
"""Keys of what the ledger says of a run: the choice of its files, or why nothing of it is to be carried."""
TAKEN = "left out by --on-conflict skip: the id of a run of its job is taken in the target"
"""That reason where the user chose so; any other one is a refusal of the target."""
NAMES = "names"
"""The same: runs of other units that it was sent with under their ids in the source, which may get others."""
SHOWS = "shows"
"""The same: the run whose points and files were carried as this reused step's own."""
NO_PARENT = "the source has no such run"
CIRCLE = "the runs above it lead back to it: one of them has to be the first"
SENT_BEFORE = "it was sent before this one was extracted: where a run stands is written once"
"""Why a run has no parent in the target."""
LAST_ONLY = "only its last value is known (--metrics last): it goes with the history that --metrics full brings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The plan for one run."""

    source: RunId
    unit: RunId
    depth: int
    run: Run
    """The run as the target should hold it."""
    series: tuple[tuple[Series, int], ...]
    """The series that the target should hold, with the number of rows; empty where it shows another run's."""
    files: int
    """Number of the source's files to send; `planned_files` gives them."""
    bytes: int
    room: int
    """Characters that a file's path may have in the target."""
    choice: FileChoice = ALL_FILES
    """Which of the source's files are carried."""
    own_files: tuple[str, ...] = ()
    """Files that we make, by their names in a run that shows no other's files; `made_files` has their paths."""
    overflow: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Kind -> name -> value that the limits refused."""
    overflow_series: frozenset[SeriesKey] = frozenset()
    """Series that the target's limits refuse, or the target did: their rows go into `replay/overflow.json`."""
    refused_series: frozenset[SeriesKey] = frozenset()
    """Those among them that the target refused: rows of them may have arrived before it did."""
    refused_files: Mapping[str, str] = field(default_factory=dict)
    """Path in the target of a file that it refused -> its words."""
    rows: PlannedRows = NO_ROWS
    """How the rows of these series stand in the target, and which are kept in files of ours."""
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Kind -> name in the source -> name in the target."""
    paths: PathRule | None = None
    """Which paths of files the target takes."""
    may_make: tuple[str, ...] = MADE
    """The files that a replay may make for a run of such a target."""
    references: Sequence[Became] = ()
    """The assets that the run and its job name, with what became of each in the target."""
    waiting: frozenset[SeriesKey] = frozenset()
    """Series that are not sent before their history is in the archive."""
    omissions: tuple[Omission, ...] = ()
    owner: RunId | None = None
    """The run whose points and files this reused step gets, where every run has its own."""
    lender: Lender | None = None
    """The run whose points and files this one shows in the target: then it has none to send."""
    route: WriteRoute = WriteRoute.HISTORY
    """By which the run goes, or went."""
    waits_for: RunId | None = None
    """A run above it that is to be extracted first: until then nothing of this one is sent, as it would stand alone."""

    @property
    def contents(self) -> RunId:
        """The run under which the archive holds this step's points and files."""
        return self.owner or self.source

    def planned_files(self, recorded: Recorded) -> Iterator[PlannedFile]:
        """Every file of the source's, by path, and those that we make: replay sends and verify expects this list.

        A method, not a field: counting a plan by each run's totals takes 77 µs a run. With 20 files in each step it
        takes 210 (5,000 runs), of no use to callers who only count.
        """
        artifacts = recorded.artifacts(self.contents)
        yield from planned(artifacts, self.choice, self.room, self.refused_files, self.paths)
        yield from self.made_files()

    def made_files(self) -> Iterator[PlannedFile]:
        """The files among `planned_files` that we make; `files/made.py` gives their content."""
        for path in self.own_files:
            yield PlannedFile(self.path_of(path), made=path)

    def path_of(self, made: str) -> str:
        """The path in the target of a file that we make."""
        return own_path(self.run.id, made) if self.lender else made

    def made_by_others(self) -> frozenset[str]:
        """Paths of files that this replay does not make, and one from another archive may: with code, job, overflow."""
        others = (path for path in self.may_make if path not in self.own_files)
        return frozenset(map(self.path_of, others))

    @property
    def unsent(self) -> frozenset[SeriesKey]:
        """Series of the source whose rows are not sent: they lie in files of ours."""
        return self.overflow_series | self.rows.tables.keys() if self.rows.tables else self.overflow_series

    @property
    def points(self) -> int:
        """The number of rows that will be sent as metrics."""
        return sum(rows for _, rows in self.series)


def plan(
    recorded: Recorded, selection: Selection, files: FileChoice = ALL_FILES, profile: TargetProfile = AZURE_ML
) -> Iterator[Step]:
    """Every step, unit by unit, newest first, parents before children. Raises UserError for an unknown `--include`."""
    yield from plan_units(
        recorded, None if selection.everything else planned_units(recorded, selection), files, profile
    )


def planned_units(recorded: Recorded, selection: Selection) -> Iterator[RunId]:
    """The roots that the selection chooses, active ones too: only extraction makes active jobs wait."""
    if selection.everything:
        return recorded.units()
    return iter(chosen_units(recorded, selection).units)


def chosen_units(recorded: Recorded, selection: Selection) -> Choice:
    """What a selection chooses of an archive. A run that was named when it was extracted, and waits, is no error."""
    known = recorded.left_out(selection.include) if selection.include else {}
    return chosen(recorded.listing(), replace(selection, include_active=True), known)


def some_units(recorded: Recorded, selection: Selection) -> list[RunId] | None:
    """The roots that the selection chooses; None where these are all of them, whichever way they were chosen."""
    if selection.everything:
        return None
    chosen_roots = list(planned_units(recorded, selection))
    return None if set(chosen_roots).issuperset(recorded.units()) else chosen_roots


def plan_unit(
    recorded: Recorded, root: RunId, files: FileChoice = ALL_FILES, profile: TargetProfile = AZURE_ML
) -> Iterator[Step]:
    """The steps of one unit, parents first."""
    return plan_units(recorded, [root], files, profile)


def plan_units(
    recorded: Recorded,
    roots: Iterable[RunId] | None,
    files: FileChoice | None = ALL_FILES,
    profile: TargetProfile = AZURE_ML,
) -> Iterator[Step]:
    """The steps of these units, or of all; parents first. Only the ids of one unit are in memory.

    `files` None: of each run those that were to be carried into the profile's target, all where nothing was sent.
    """
    histories = recorded.histories(roots, profile.ref)
    for unit, of_unit in groupby(histories, key=attrgetter("unit")):
        places = _Places(recorded, unit)
        for history in of_unit:
            depth, waits_for = places.of(history)
            choice = as_carried(history.carried) if files is None else files
            step = _step(recorded, history, choice, profile, root=unit, depth=depth)
            yield _waiting_for(waits_for, step) if waits_for else step


def _waiting_for(above: RunId, step: Step) -> Step:
    """The step as one that will have its parent once it is sent."""
    return replace(step, waits_for=above, omissions=tuple(one for one in step.omissions if one.reason != SENT_BEFORE))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the runs of one unit stand, as they come: parents first."""

    recorded: Recorded
    root: RunId
    depths: dict[RunId, int] = field(default_factory=dict)
    waiting: dict[RunId, RunId] = field(default_factory=dict)
    """Run -> the one above it that is to be extracted first."""

    def of(self, history: History) -> tuple[int, RunId | None]:
        """How many runs of the plan stand above this one, and for which other one it waits."""
        run = history.details.run
        depth = self.depths[run.parent] + 1 if run.parent in self.depths else 0
        self.depths[run.id] = depth
        above = self.waiting.get(run.parent) if run.parent else None
        if run.parent and not depth and run.id != self.root and run.parent in self.recorded.waited_for(self.root):
            above = run.parent
        if above and (history.carried is None or is_left(history.carried)):
            self.waiting[run.id] = above
        return depth, self.waiting.get(run.id)


def shows(step: Step) -> dict[str, Json]:
    """What the ledger is to keep of a step that gets the points and files of another run."""
    return {SHOWS: step.owner} if step.owner else {}


def as_carried(carried: Json | None) -> FileChoice:
    """The files that were to be carried, by what the ledger says of a run; all where nothing was sent."""
    return FileChoice.from_json(carried[FILES]) if isinstance(carried, Mapping) and FILES in carried else ALL_FILES


def is_left(carried: Json | None) -> bool:
    """True where nothing of a run is to be carried, by what the ledger says of it."""
    return isinstance(carried, Mapping) and LEFT in carried


def planned_anew(recorded: Recorded, step: Step, files: FileChoice, profile: TargetProfile) -> Step:
    """The step planned again, by what the ledger says now: runs may have got new ids since."""
    history = recorded.history(step.source, profile.ref)
    if history is None:
        return step
    again = _step(recorded, history, files, profile, root=step.unit, depth=step.depth)
    return replace(again, waits_for=step.waits_for)


def plan_run(recorded: Recorded, run: RunId, profile: TargetProfile, *, root: RunId, depth: int) -> Step | None:
    """The step of one run, with the files that were to be carried of it; None where the archive has no such run."""
    history = recorded.history(run, profile.ref)
    return _step(recorded, history, as_carried(history.carried), profile, root=root, depth=depth) if history else None


def without_lender(step: Step) -> Step:
    """The step for a target that lacks its lender for good: files and points become an omission."""
    if step.lender is None:
        return step
    left = Omission(step.source, SHOWN + step.lender.source, SHARED)
    return replace(step, run=replace(step.run, lender=None), lender=None, omissions=(left, *step.omissions))


def _step(
    recorded: Recorded, history: History, choice: FileChoice, profile: TargetProfile, *, root: RunId, depth: int
) -> Step:
    profile = profile.by(history.route)
    history = with_owners_contents(recorded, history, profile.ref) if profile.own_contents else history
    run, ids = with_references(history.details.run, history.references), history.ids
    fitting = Fitting(run.id)
    waiting = _waiting(history, fitting, profile)
    logged = _without(waiting, history.series)
    lender = _lender(history, profile)
    _say_of_first(recorded, run, root, fitting, profile, is_first=not depth)
    _say_what_stays(history, fitting, profile, lender=lender)
    over = fit_series(logged, fitting, profile.limits)
    over |= refused_series(_without(over, logged), fitting, history.refused.series)
    own_id = ids.get(run.id, run.id)
    _say_what_names_the_source(logged if profile.ids == "theirs" or own_id != run.id else (), fitting)
    renamed = Renamed()
    rows = planned_rows(recorded, history.contents, _without(over, logged), fitting, profile=profile, renamed=renamed)
    plain = as_plain(without_foreign_datasets(run, recorded.source, fitting, profile), fitting, profile, renamed)
    fitted = _fitted(plain, recorded, history, fitting, profile, lender=lender, parent=run.parent if depth else None)
    room = room_of(own_id, profile.limits)
    choice = choice if profile.files else NO_FILES
    carried = count_files(recorded, history, fitting, choice, room, rule=profile.paths)
    more = [*rows.files, *([NAMES_FILE] if renamed.document() else []), *([FILES_FILE] if carried.moved else [])]
    made = list(own_files(history, fitting, overflow=bool(over or fitting.overflow), more=more))
    sent = without_lost(as_routed(rewritten(fitted, ids), fitting, profile), fitting, profile)
    say_when_created(sent, fitting, profile)
    there = {path: own_path(own_id, path) if lender else path for path in made}
    return Step(
        source=run.id,
        unit=root,
        depth=depth,
        run=sent,
        series=rows.series,
        files=carried.files,
        bytes=carried.bytes,
        choice=choice,
        room=room,
        own_files=tuple(one for one in made if _may_go(one, there[one], history, fitting, takes_files=profile.files)),
        overflow=fitting.overflow,
        overflow_series=over,
        refused_series=frozenset(history.refused.series),
        refused_files=history.refused.files,
        rows=rows,
        renamed=renamed.names,
        paths=profile.paths,
        may_make=MADE_FOR_PLAIN if profile.plain else MADE,
        references=history.references,
        waiting=waiting,
        omissions=tuple(fitting.omissions),
        owner=history.owner,
        lender=lender,
        route=profile.route,
    )


def _fitted(
    plain: Run,
    recorded: Recorded,
    history: History,
    fitting: Fitting,
    profile: TargetProfile,
    *,
    lender: Lender | None,
    parent: RunId | None,
) -> Run:
    """The run within the target's limits, without what it refused before."""
    fitted = fit_run(
        plain,
        recorded.source,
        fitting,
        profile.room,
        parent=parent,
        form=RunForm.KEPT if profile.keep_run_type else profile.form,
        lender=lender.there if lender else None,
        times=profile.plain,
    )
    said = fitted if profile.nulls else without_nulls(fitted, fitting)
    return without_refused(said, fitting, history.refused.values, profile.form)


def _say_what_stays(history: History, fitting: Fitting, profile: TargetProfile, *, lender: Lender | None) -> None:
    """Note what no plan carries, whatever else is planned."""
    run = history.details.run
    if history.refused.run is not None:
        fitting.omit("run", history.refused.run)
    if run.lender and lender is None and history.owner is None:
        fitting.omit(SHOWN + run.lender, SHARED if profile.reuse else NOT_SHOWN)
    for key in run.unknown:
        if key.startswith(UNREADABLE):
            fitting.omit(key.removeprefix(UNREADABLE), "its form is unknown; kept in the archive")
    say_what_acts(run, fitting)
    fitting.omissions += named_outputs(run.id, history.outputs)
    fitting.omissions += logged_models(run.id, history.details.more)


def _say_of_first(
    recorded: Recorded, run: Run, root: RunId, fitting: Fitting, profile: TargetProfile, *, is_first: bool
) -> None:
    """Note what is told once for all runs below: why it stands alone, and the name of the experiment."""
    if not is_first:
        return
    if run.parent:
        fitting.omit(f"parent {run.parent}", _why_alone(recorded, run, root))
    if len(run.experiment) > profile.limits.experiment_name:
        fitting.omit(f"name of experiment {run.experiment}", CUT_NAME.format(profile.limits.experiment_name))


def _why_alone(recorded: Recorded, run: Run, root: RunId) -> str:
    """Why a run is planned without its parent."""
    if run.id != root:
        return SENT_BEFORE if run.parent in recorded.waited_for(root) else NO_PARENT
    return CIRCLE if run.parent and recorded.unit_of(run.parent) else NO_PARENT


def _may_go(path: str, there: str, history: History, fitting: Fitting, *, takes_files: bool) -> bool:
    """False for a file that we make, `there` its path in the target, that it does not take; notes the omission."""
    why = None if takes_files else NOT_SERVED
    if there in history.refused.files:
        why = refused_by(history.refused.files[there])
    if why is not None:
        fitting.omit(f"file {path}", why)
    return why is None


def _waiting(history: History, fitting: Fitting, profile: TargetProfile) -> frozenset[SeriesKey]:
    """The series of which only MLflow's last value is known; they are sent with their history only.

    That value's time is cut to milliseconds, and its step is 0 where there is none: sent before the history, its row
    would be in the target twice.
    """
    if profile.written_once or not history.only_last:
        return frozenset()
    keys = dict.fromkeys(series.key for series, _ in history.series)
    for key in keys:
        fitting.omit(f"metric {key.name}", LAST_ONLY)
    return frozenset(keys)


def _without(keys: frozenset[SeriesKey], logged: Sequence[tuple[Series, int]]) -> tuple[tuple[Series, int], ...]:
    return tuple((series, rows) for series, rows in logged if series.key not in keys) if keys else tuple(logged)


def _lender(history: History, profile: TargetProfile) -> Lender | None:
    lender, experiment = history.details.run.lender, history.lender_experiment
    if lender is None or experiment is None or history.stands_alone or not profile.reuse:
        return None
    return Lender(lender, history.ids.get(lender, lender), experiment)


def _say_what_names_the_source(logged: Iterable[tuple[Series, int]], fitting: Fitting) -> None:
    """Note metrics whose rows name a file by the run's source id: rows are sent as they are."""
    for series, _ in logged:
        if any(kind == "Artifact" for _, kind in series.columns):
            fitting.omit(f"metric {series.key.name}: its link to a file", "names the run by its id in the source")
