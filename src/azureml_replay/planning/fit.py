"""Fits a run into a target's limits; the rest goes whole into the run's overflow file, as omissions (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from azureml_replay.model import Json, Omission, Run, RunForm, RunId, Series, SeriesKey
from azureml_replay.planning import lineage
from azureml_replay.workspace.limits import Limits
from azureml_replay.workspace.mark import OUR_MARKS, SENT_TAG, UNDO_TAG
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import CREATED, TargetProfile

ACTS_ON_SOURCE = "it acts on the source workspace (cancel and completion addresses): never sent"
"""The reason of an omission (FIDELITY, Runs)."""
PLACES = frozenset({"mlflow.artifactUri"})
"""Properties and tags that name the workspace in which MLflow looks for a run's files. The service makes its own.

Recorded: the answer to `runs/create` has it, and no client sends it; runs of jobs have none, and MLflow finds their
files all the same (mlflow-patch-history.json, and the 63 runs of jobs).
"""
OUR_TAG = "the target's own stands there: this tool tells its copies by it"
RESERVED_TAGS = frozenset({lineage.TAG, UNDO_TAG})
"""Tags of ours, for which every run keeps room: where it comes from, and that `undo` hid it."""
SYSTEM_KEYS = ("_aml_system_", "_azureml", "azureml.", "mlflow.")
"""Tags and properties that the platform wrote: the user's own come first where the limits leave too little room."""
OWN_FOLDER = "replay/"
JOB_FILE = OWN_FOLDER + "job.json"
ASSETS_FILE = OWN_FOLDER + "assets.json"
CODE_FILE = OWN_FOLDER + "code.zip"
OVERFLOW_FILE = OWN_FOLDER + "overflow.json"
MOVED_FOLDER = OWN_FOLDER + "source/"


@dataclass(slots=True)
class Fitting:
    """Collects what does not fit of one run: the values for the overflow file, and the omissions."""

    run: RunId
    overflow: dict[str, dict[str, Json]] = field(default_factory=dict)
    omissions: list[Omission] = field(default_factory=list)

    def over(self, kind: str, name: str, value: Json, reason: str) -> None:
        """Put `value` into the overflow file, and note the omission."""
        self.overflow.setdefault(kind, {})[name] = value
        self.omit(f"{kind} {name}", f"{reason}; kept in {OVERFLOW_FILE}")

    def omit(self, what: str, reason: str) -> None:
        """Note what the target will not have."""
        self.omissions.append(Omission(self.run, what, reason))


def say_what_acts(run: Run, fitting: Fitting) -> None:
    """Note one omission for everything of the run that acts on the source and has a value."""
    acting = [*run.acting.values, *(f"property {key}" for key in run.acting.properties if run.properties.get(key))]
    if acting:
        fitting.omit(", ".join(acting), ACTS_ON_SOURCE)


def fit_run(
    run: Run,
    source: Place,
    fitting: Fitting,
    limits: Limits,
    *,
    parent: RunId | None,
    form: RunForm,
    lender: RunId | None,
    times: bool = False,
) -> Run:
    """The run as the target can hold it, lineage included, without its document. `times`: the lineage has those too.

    Fields are written out: `replace` takes 4.5 µs more, of the 85 in which a run is planned.
    """
    return Run(
        id=run.id,
        parent=parent,
        experiment=run.experiment,
        status=run.status,
        start=run.start,
        end=run.end,
        display_name=_fit_text("display name", run.display_name, limits.display_name, fitting),
        description=_fit_text("description", run.description, limits.description, fitting),
        tags=_fit_tags(run, fitting, limits),
        properties=_fit_properties(run, lineage.lineage_of(run, source, times=times), fitting, limits),
        parameters=_fit_parameters(run, fitting, limits),
        inputs=run.inputs,
        outputs=run.outputs,
        input_datasets=_fit_datasets("input", run.input_datasets, limits.input_datasets, fitting),
        output_datasets=_fit_datasets("output", run.output_datasets, limits.output_datasets, fitting),
        hidden=run.hidden,
        lender=lender,
        error=_fit_error(run.error, limits.error_message, fitting),
        error_origin=run.error_origin,
        created=run.created,
        modified=run.modified,
        creator=run.creator,
        kind=run.kind,
        traits=run.traits,
        form=form,
        warnings=run.warnings,
        unknown=run.unknown,
        references=run.references,
    )


def _fit_text(kind: str, text: str | None, most: int, fitting: Fitting) -> str | None:
    if text is None or len(text) <= most:
        return text
    fitting.over("text", kind, text, f"longer than {most} characters")
    return None


def _fit_error(error: Json, most: int, fitting: Fitting) -> Json:
    """The error with its code; a message beyond the limit is cut here, and whole in the overflow."""
    message = error.get("message") if isinstance(error, Mapping) else None
    if not isinstance(error, Mapping) or not isinstance(message, str) or len(message) <= most:
        return error
    fitting.over("text", "error message", message, f"longer than {most} characters")
    return {**error, "message": message[:most]}


def _fit_tags(run: Run, fitting: Fitting, limits: Limits) -> dict[str, str | None]:
    own = {key: value for key, value in run.tags.items() if key not in _NOT_OWN_TAGS}
    if lineage.origin(run) is None:  # else it is a copy of ours, and its lineage tells what it was
        for key in sorted((OUR_TAGS - {lineage.TAG}) & run.tags.keys()):  # the lineage tells that one, too
            fitting.over("tag", key, run.tags[key], OUR_TAG)
    kept = _fit_pairs("tag", own, limits.tags - len(RESERVED_TAGS), fitting, limits)
    return {lineage.TAG: run.id, **kept}


def _fit_properties(run: Run, facts: dict[str, Any], fitting: Fitting, limits: Limits) -> dict[str, str | None]:
    acting = run.acting.properties
    own = {key: value for key, value in run.properties.items() if key not in _NOT_OWN and key not in acting}
    kept = _fit_pairs("property", own, limits.properties - 1, fitting, limits)
    before = run.properties.get(lineage.PROPERTY)
    if before and not lineage.decoded(before):  # else the lineage tells it
        fitting.over("property", lineage.PROPERTY, before, OUR_TAG)
    told = lineage.encode(facts)
    if len(told) > limits.value and "before" in facts:
        fitting.over("lineage", "before", facts.pop("before"), f"longer than {limits.value} characters")
        told = lineage.encode(facts)
    return {lineage.PROPERTY: told, **kept}


_NOT_OWN = frozenset({lineage.PROPERTY, SENT_TAG, *PLACES})
OUR_TAGS = RESERVED_TAGS | OUR_MARKS
"""Tags of ours that no run takes along from its source."""
_NOT_OWN_TAGS = OUR_TAGS | PLACES
PLURAL = {"tag": "tags", "property": "properties"}


def _fit_pairs(
    kind: str, pairs: Mapping[str, str | None], most: int, fitting: Fitting, limits: Limits
) -> dict[str, str | None]:
    """The pairs that fit: the user's own first, then the platform's, each in the source's order."""
    kept: dict[str, str | None] = {}
    for key in sorted(pairs, key=lambda name: name.startswith(SYSTEM_KEYS)):
        value = pairs[key]
        if len(key) > limits.key:
            fitting.over(kind, key, value, f"key longer than {limits.key} characters")
        elif value is not None and len(value) > limits.value:
            fitting.over(kind, key, value, f"value longer than {limits.value} characters")
        elif len(kept) >= most:
            fitting.over(kind, key, value, f"more than {most} {PLURAL[kind]}")
        else:
            kept[key] = value
    return kept


def _fit_parameters(run: Run, fitting: Fitting, limits: Limits) -> dict[str, Json]:
    pairs = list(run.parameters.items())
    for key, value in pairs[limits.parameters :]:
        fitting.over("parameter", key, value, f"more than {limits.parameters} parameters")
    return dict(pairs[: limits.parameters])


def _fit_datasets(kind: str, datasets: Json, most: int, fitting: Fitting) -> Json:
    """The first datasets, up to the limit: with one too many the service refuses the whole run."""
    if not isinstance(datasets, list) or len(datasets) <= most:
        return datasets
    fitting.over(kind, "datasets", datasets[most:], f"more than {most} of a run")
    return datasets[:most]


def places_in_source(run: Run, source: Place) -> Iterator[tuple[str, str]]:
    """Properties and tags of a target's run that say its files are in the source: `property mlflow.artifactUri`, value.

    Older versions of ours sent them, and properties are immutable.
    """
    for kind, pairs in (("property", run.properties), ("tag", run.tags)):
        for key in PLACES & pairs.keys():
            value = pairs[key] or ""
            if f"{source.key}/" in f"{value}/".lower():
                yield f"{kind} {key}", value


FOREIGN_DATASETS = "described as another kind of workspace does"


def without_foreign_datasets(run: Run, source: Place, fitting: Fitting, profile: TargetProfile) -> Run:
    """The run without documents of datasets in a form that the target does not know; they lie in the overflow file."""
    if source.kind in profile.datasets_of or not (run.input_datasets or run.output_datasets):
        return run
    for kind, datasets in (("input", run.input_datasets), ("output", run.output_datasets)):
        if datasets:
            fitting.over(kind, "datasets", datasets, FOREIGN_DATASETS)
    return replace(run, input_datasets=None, output_datasets=None)


def fit_series(recorded: Iterable[tuple[Series, int]], fitting: Fitting, limits: Limits) -> frozenset[SeriesKey]:
    """The series that the target refuses. The first names in the source's order stay."""
    over: set[SeriesKey] = set()
    names, values = 0, 0
    for series, rows in recorded:
        reason = _refusal(series, rows, limits)
        if reason is None and names >= limits.metric_names:
            reason = f"more than {limits.metric_names} metric names"
        if reason is None and values + rows > limits.metric_values:
            reason = f"more than {limits.metric_values:,} values of a run"
        if reason:
            over.add(series.key)
            fitting.omit(f"metric {series.key.name}", f"{reason}; kept in {OVERFLOW_FILE}")
        else:
            names, values = names + 1, values + rows
    return frozenset(over)


def _refusal(series: Series, rows: int, limits: Limits) -> str | None:
    if not 0 < len(series.key.name) <= limits.metric_name:
        return f"a name longer than {limits.metric_name} characters" if series.key.name else "it has no name"
    if (series.longest_text or 0) > limits.metric_text:
        return f"a text longer than {limits.metric_text} characters"
    if rows > limits.rows_per_metric:
        return f"more than {limits.rows_per_metric:,} rows"
    if len(series.columns) > limits.metric_columns:
        return f"more than {limits.metric_columns} columns"
    if any(len(name) > limits.metric_column_name for name, _ in series.columns):
        return f"a column name longer than {limits.metric_column_name} characters"
    return None


CREATED_AT_START = "the target takes the start that it is sent"
CREATED_WITHOUT_START = "the target makes its own where it is sent no start"
CREATED_NOW = "this target makes its own, as the throw-away run showed"
IN_LINEAGE = f"; the source's stands in the property {lineage.PROPERTY}"
IN_LINEAGE_THERE = f"; the source's stands in the tag {lineage.PROPERTY}"
IN_ARCHIVE = "; the source's is in the archive"


def say_when_created(run: Run, fitting: Fitting, profile: TargetProfile) -> None:
    """Note the source's creation time where the target will show another one; `run` is as it is sent."""
    if run.created is None or (run.created == run.start and profile.created_at_start is not False):
        return
    reason = CREATED_AT_START if run.start else CREATED_WITHOUT_START
    if profile.created_at_start is False:
        reason = CREATED_NOW
    stands = IN_LINEAGE_THERE if profile.plain else IN_LINEAGE
    fitting.omit(CREATED, reason + (stands if profile.keeps("properties") else IN_ARCHIVE))


NOT_KEPT = "this target does not keep it, as the throw-away run showed"
_EMPTY = Run(id=RunId(""))

NULL = "its value is null, which this target does not keep, as the throw-away run showed"


def without_nulls(run: Run, fitting: Fitting) -> Run:
    """The run without tags and properties whose value is null, which become omissions."""
    kept = {}
    for kind, name in PLURAL.items():
        pairs: Mapping[str, str | None] = getattr(run, name)
        kept[name] = {key: value for key, value in pairs.items() if value is not None}
        for key in pairs.keys() - kept[name].keys():
            fitting.omit(f"{kind} {key}", NULL)
    return replace(run, tags=kept["tags"], properties=kept["properties"])


def without_lost(run: Run, fitting: Fitting, profile: TargetProfile) -> Run:
    """The run without fields that this target drops, and without times too far back for it; they become omissions."""
    reasons = dict.fromkeys(profile.lost, NOT_KEPT) | {
        name: f"this target keeps none before {oldest}, as the throw-away runs showed"
        for name, oldest in profile.oldest.items()
        if (moment := getattr(run, name)) is not None and moment < oldest
    }
    changed = {name: getattr(_EMPTY, name) for name in reasons if getattr(run, name) != getattr(_EMPTY, name)}
    for name in sorted(changed):
        fitting.omit(name.replace("_", " "), reasons[name])
    return replace(run, **changed) if changed else run
