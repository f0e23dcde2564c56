"""Archive -> steps, unit by unit, parents first: what each run of a target is to be, and what it cannot be (pure).

`plan`, `replay` and `verify` all read this one description, so what verify expects is what replay sends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from azureml_replay import lineage
from azureml_replay.ids import Ids, rewritten, same
from azureml_replay.limits import DOCUMENTED, Limits
from azureml_replay.model import (
    Artifact,
    Job,
    Json,
    Listed,
    Omission,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    WorkspaceRef,
)
from azureml_replay.selection import Selection, chosen

NEVER_SENT = {"CancelUri": "points at the source"}
"""Properties that would act on the source workspace (FIDELITY, Runs)."""
SYSTEM_KEYS = ("_aml_system_", "_azureml", "azureml.", "mlflow.")
"""Tags and properties that the platform wrote: the user's own are served first where room is short."""
SHARED = "shared with another run, carried once with its owner"
OWN_FOLDER = "replay/"
JOB_FILE = OWN_FOLDER + "job.json"
OVERFLOW_FILE = OWN_FOLDER + "overflow.json"
MOVED_FOLDER = OWN_FOLDER + "source/"


class Recorded(Protocol):
    """What planning reads of an archive."""

    source: WorkspaceRef

    def listing(self) -> Iterable[Listed]:
        """Light rows of every run."""
        ...

    def units(self) -> Iterator[RunId]:
        """Roots, newest first."""
        ...

    def unit(self, root: RunId) -> Iterator[Run]:
        """Its runs, parents first."""
        ...

    def details(self, run: RunId) -> RunDetails | None:
        """The run with inputs and outputs, its definition and specification."""
        ...

    def job(self, run: RunId) -> Job | None:
        """ARM's document, for root jobs."""
        ...

    def series(self, run: RunId) -> Sequence[tuple[Series, int]]:
        """What was logged, with the number of rows."""
        ...

    def artifact_totals(self, run: RunId) -> tuple[int, int]:
        """Files and bytes that can be carried."""
        ...

    def lost_files(self, run: RunId) -> Iterator[Artifact]:
        """Files that the index lists and the storage does not hold."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """How the histories are to arrive."""

    artifacts: bool = True
    lost: frozenset[str] = frozenset()
    """Fields of Run that this target was seen to drop (probe.py): expected as omissions, not as findings."""
    limits: Limits = DOCUMENTED
    ids: Ids = same
    """What each run is to be called in the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run on its way."""

    source: RunId
    unit: RunId
    depth: int
    run: Run
    """As the target is to hold it."""
    series: tuple[tuple[Series, int], ...]
    """What its metrics will be, with the number of rows; empty where another run owns the container."""
    files: int
    bytes: int
    own_files: tuple[str, ...] = ()
    """Paths of the files that we make; `own_document` gives what is in them."""
    overflow: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """What the limits refused, by kind and name."""
    overflow_series: frozenset[SeriesKey] = frozenset()
    """Series that the target's limits refuse: their rows go into `replay/overflow.json`."""
    omissions: tuple[Omission, ...] = ()
    owner: RunId | None = None
    """The run whose points and files these are, where `reusing` gave a reused step those of their owner."""

    @property
    def contents(self) -> RunId:
        """Whose points and files the archive holds for this step."""
        return self.owner or self.source

    @property
    def points(self) -> int:
        """Rows that will be sent as metrics."""
        return sum(rows for _, rows in self.series)


@dataclass(slots=True)
class Fitting:
    """Collects, for one run, what does not fit: whole into the overflow, and said."""

    run: RunId
    overflow: dict[str, dict[str, Json]] = field(default_factory=dict)
    omissions: list[Omission] = field(default_factory=list)

    def over(self, kind: str, name: str, value: Json, reason: str) -> None:
        """`value` goes into the overflow file."""
        self.overflow.setdefault(kind, {})[name] = value
        self.omit(f"{kind} {name}", f"{reason}; kept in {OVERFLOW_FILE}")

    def omit(self, what: str, reason: str) -> None:
        """The target will not have it."""
        self.omissions.append(Omission(self.run, what, reason))


def plan(recorded: Recorded, selection: Selection, options: PlanOptions) -> Iterator[Step]:
    """Every step, unit by unit, newest first, parents before children. Raises UserError for an unknown `--include`."""
    for root in planned_units(recorded, selection):
        yield from plan_unit(recorded, root, options)


def planned_units(recorded: Recorded, selection: Selection) -> Iterator[RunId]:
    """Roots that the selection names. What has been extracted may go: only extraction makes active jobs wait."""
    if selection.everything:
        return recorded.units()
    return iter(chosen(recorded.listing(), replace(selection, include_active=True)).units)


def plan_unit(recorded: Recorded, root: RunId, options: PlanOptions) -> Iterator[Step]:
    """The steps of one unit, parents first. Nothing is held but the ids of runs that have children."""
    depths: dict[RunId, int] = {}
    for run in recorded.unit(root):
        depth = depths[run.parent] + 1 if run.parent in depths else 0
        depths[run.id] = depth
        yield _step(recorded, run, options, root=root, depth=depth)


def reusing(recorded: Recorded, step: Step, options: PlanOptions) -> Step:
    """The step with points and files of the run that it reuses: for targets where every run has a container of its own.

    As it is, where it reuses nothing or the archive lacks the owner.
    """
    details = recorded.details(step.source)
    if details is None or details.run.own_container:
        return step
    there = recorded.details(RunId(details.run.container.removeprefix("dcid.")))
    if there is None:
        return step
    lent = _step(recorded, there.run, options, root=step.unit, depth=0)
    own = [omission for omission in step.omissions if omission.reason != SHARED]
    lost = [replace(one, run=step.source) for one in lent.omissions if one.what.startswith(("file ", "metric "))]
    return replace(
        step,
        owner=there.run.id,
        series=lent.series,
        overflow_series=lent.overflow_series,
        files=lent.files,
        bytes=lent.bytes,
        omissions=(*own, *lost),
    )


def _step(recorded: Recorded, run: Run, options: PlanOptions, *, root: RunId, depth: int) -> Step:
    details, job = recorded.details(run.id) or RunDetails(run=run), recorded.job(run.id)
    logged = list(recorded.series(run.id))
    fitting = Fitting(run.id)
    if run.parent and not depth:
        fitting.omit(f"parent {run.parent}", "the source has no such run")
    if not run.own_container:
        fitting.omit(f"container {run.container}", SHARED)
    over = _fit_series(logged, fitting, options.limits)
    _say_what_names_the_source(run.id, logged, fitting, options.ids)
    as_read = replace(details.run, parent=run.parent if depth else None, document=None)
    fitted = _fit(as_read, recorded.source, fitting, options.limits)
    files, size = _files(recorded, run.id, fitting, carried=options.artifacts)
    return Step(
        source=run.id,
        unit=root,
        depth=depth,
        run=_without_lost(rewritten(fitted, options.ids), fitting, options.lost),
        series=tuple((series, rows) for series, rows in logged if series.key not in over),
        files=files,
        bytes=size,
        own_files=tuple(_own_files(details, job, overflow=bool(over or fitting.overflow))),
        overflow=fitting.overflow,
        overflow_series=over,
        omissions=tuple(fitting.omissions),
    )


def _say_what_names_the_source(run: RunId, logged: Iterable[tuple[Series, int]], fitting: Fitting, ids: Ids) -> None:
    """Rich metrics may name their file by run id, inside their rows: those are sent as they are."""
    if ids(run) == run:
        return
    for series, _ in logged:
        if any(kind == "Artifact" for _, kind in series.columns):
            fitting.omit(f"metric {series.key.name}: its link to a file", "names the run by its id in the source")


def _files(recorded: Recorded, run: RunId, fitting: Fitting, *, carried: bool) -> tuple[int, int]:
    files, size = recorded.artifact_totals(run)
    lost = list(recorded.lost_files(run))
    if not carried:
        if files or lost:
            fitting.omit(f"{files + len(lost)} files", "left out by --no-artifacts")
        return 0, 0
    for artifact in lost:
        fitting.omit(f"file {artifact.path}", "listed by the artifact index, but its bytes were not found")
    return files, size


def _own_files(details: RunDetails, job: Job | None, *, overflow: bool) -> Iterator[str]:
    if job is not None or details.definition is not None or details.specification is not None:
        yield JOB_FILE
    if overflow:
        yield OVERFLOW_FILE


def job_document(recorded: Recorded, run: RunId) -> Json:
    """What `replay/job.json` holds: ARM's document for a root job, and run history's definition of any run."""
    details, job = recorded.details(run), recorded.job(run)
    return {
        "job": job.document if job else None,
        "definition": details.definition if details else None,
        "specification": details.specification if details else None,
    }


def _fit(run: Run, source: WorkspaceRef, fitting: Fitting, limits: Limits) -> Run:
    """The run as the target can hold it, lineage included."""
    return replace(
        run,
        container="",
        display_name=_fit_text("display name", run.display_name, limits.display_name, fitting),
        description=_fit_text("description", run.description, limits.description, fitting),
        tags=_fit_tags(run, fitting, limits),
        properties=_fit_properties(run, source, fitting, limits),
        parameters=_fit_parameters(run, fitting, limits),
        input_datasets=_fit_datasets("input", run.input_datasets, limits.input_datasets, fitting),
        output_datasets=_fit_datasets("output", run.output_datasets, limits.output_datasets, fitting),
        error=_fit_error(run.error, limits.error_message, fitting),
    )


def _fit_text(kind: str, text: str | None, most: int, fitting: Fitting) -> str | None:
    if text is None or len(text) <= most:
        return text
    fitting.over("text", kind, text, f"longer than {most} characters")
    return None


def _fit_error(error: Json, most: int, fitting: Fitting) -> Json:
    """An error keeps its code; a message beyond the limit is cut, and kept whole in the overflow."""
    message = error.get("message") if isinstance(error, Mapping) else None
    if not isinstance(error, Mapping) or not isinstance(message, str) or len(message) <= most:
        return error
    fitting.over("text", "error message", message, f"longer than {most} characters")
    return {**error, "message": message[:most]}


def _fit_tags(run: Run, fitting: Fitting, limits: Limits) -> dict[str, str | None]:
    own = {key: value for key, value in run.tags.items() if key != lineage.TAG}
    kept = _fit_pairs("tag", own, limits.tags - 1, fitting, limits)
    return {lineage.TAG: run.id, **kept}


def _fit_properties(run: Run, source: WorkspaceRef, fitting: Fitting, limits: Limits) -> dict[str, str | None]:
    own = {key: value for key, value in run.properties.items() if key != lineage.PROPERTY}
    for key in NEVER_SENT.keys() & own.keys():
        del own[key]
        fitting.omit(f"property {key}", NEVER_SENT[key])
    kept = _fit_pairs("property", own, limits.properties - 1, fitting, limits)
    facts = lineage.lineage_of(run, source)
    if len(lineage.encode(facts)) > limits.value and "before" in facts:
        fitting.over("lineage", "before", facts.pop("before"), f"longer than {limits.value} characters")
    return {lineage.PROPERTY: lineage.encode(facts), **kept}


def _fit_pairs(
    kind: str, pairs: Mapping[str, str | None], most: int, fitting: Fitting, limits: Limits
) -> dict[str, str | None]:
    """The user's own first, then the platform's; within each in the source's order."""
    kept: dict[str, str | None] = {}
    for key in sorted(pairs, key=lambda name: name.startswith(SYSTEM_KEYS)):
        value = pairs[key]
        if len(key) > limits.key:
            fitting.over(kind, key, value, f"key longer than {limits.key} characters")
        elif value is not None and len(value) > limits.value:
            fitting.over(kind, key, value, f"value longer than {limits.value} characters")
        elif len(kept) >= most:
            fitting.over(kind, key, value, f"more than {most} of them")
        else:
            kept[key] = value
    return kept


def _fit_parameters(run: Run, fitting: Fitting, limits: Limits) -> dict[str, Json]:
    kept = dict(list(run.parameters.items())[: limits.parameters])
    for key, value in list(run.parameters.items())[limits.parameters :]:
        fitting.over("parameter", key, value, f"more than {limits.parameters} of them")
    return kept


def _fit_datasets(kind: str, datasets: Json, most: int, fitting: Fitting) -> Json:
    """The first ones: one too many, and the service refuses the whole run."""
    if not isinstance(datasets, list) or len(datasets) <= most:
        return datasets
    fitting.over(kind, "datasets", datasets[most:], f"more than {most} of them")
    return datasets[:most]


def _fit_series(recorded: Iterable[tuple[Series, int]], fitting: Fitting, limits: Limits) -> frozenset[SeriesKey]:
    """Which series the target refuses. The first names in the source's order stay."""
    over: set[SeriesKey] = set()
    kept = 0
    for series, rows in recorded:
        reason = _refusal(series, rows, limits) or (
            f"more than {limits.metric_names} metric names" if kept >= limits.metric_names else None
        )
        if reason:
            over.add(series.key)
            fitting.omit(f"metric {series.key.name}", f"{reason}; kept in {OVERFLOW_FILE}")
        else:
            kept += 1
    return frozenset(over)


def _refusal(series: Series, rows: int, limits: Limits) -> str | None:
    if rows > limits.rows_per_metric:
        return f"more than {limits.rows_per_metric:,} rows"
    if len(series.columns) > limits.metric_columns:
        return f"more than {limits.metric_columns} columns"
    if any(len(name) > limits.metric_column_name for name, _ in series.columns):
        return f"a column name longer than {limits.metric_column_name} characters"
    return None


_EMPTY = Run(id=RunId(""))


def _without_lost(run: Run, fitting: Fitting, lost: Collection[str]) -> Run:
    """What this target drops is expected to be dropped, and said."""
    changed = {name: getattr(_EMPTY, name) for name in lost if getattr(run, name) != getattr(_EMPTY, name)}
    for name in sorted(changed):
        fitting.omit(name.replace("_", " "), "this target does not keep it, as the throw-away run showed")
    return replace(run, **changed) if changed else run


def target_path(path: str) -> str:
    """Where a source's file goes: the same path, but `replay/` is ours."""
    return MOVED_FOLDER + path.removeprefix(OWN_FOLDER) if path.startswith(OWN_FOLDER) else path


@dataclass(slots=True)
class PlanSummary:
    """A plan in figures; `add` takes its steps as they come."""

    units: int = 0
    runs: int = 0
    points: int = 0
    files: int = 0
    bytes: int = 0
    own_files: int = 0
    omissions: int = 0
    experiments: dict[str, int] = field(default_factory=dict)
    """Runs by experiment."""
    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    """Omissions by reason."""

    def add(self, step: Step) -> None:
        """One more step."""
        self.units += step.depth == 0 and step.source == step.unit
        self.runs += 1
        self.points += step.points
        self.files += step.files
        self.bytes += step.bytes
        self.own_files += len(step.own_files)
        self.experiments[step.run.experiment] = self.experiments.get(step.run.experiment, 0) + 1
        self.statuses[step.run.status] = self.statuses.get(step.run.status, 0) + 1
        self.omit(step.omissions)

    def omit(self, omissions: Iterable[Omission]) -> None:
        """What the target will not have."""
        for omission in omissions:
            self.omissions += 1
            self.reasons[omission.reason] = self.reasons.get(omission.reason, 0) + 1


def summarize(steps: Iterable[Step], extraction: Iterable[Omission] = ()) -> PlanSummary:
    """Counts a plan as it streams by, and what the extraction could not bring."""
    summary = PlanSummary()
    for step in steps:
        summary.add(step)
    summary.omit(extraction)
    return summary
