"""What becomes of every value that the service can answer, key by key: one table, for people and for the code (pure).

Keys are those of the official interface files (run-history.json, mfe 2024-04-01) and those that only recordings show.
`python -m azureml_replay.azure.wire.fidelity` writes the table as `docs/concepts/fidelity.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from azureml_replay.azure.wire.fates import Fidelity, Key
from azureml_replay.azure.wire.fidelity_assets import ASSETS, KEPT

_CREATE_RUN = (
    Key("runId", Fidelity.CARRIED, "the same; with `--ids new` or `--on-conflict rename` another, kept in the archive"),
    Key(
        "parentRunId",
        Fidelity.CARRIED,
        "the same, or the parent's new id; one that the source lacks, or gave later: omission",
    ),
    Key("experimentId", Fidelity.CARRIED, "by the experiment's name: ids differ between workspaces"),
    Key(
        "status",
        Fidelity.CARRIED,
        "by event where it is final, else by field; one that the target keeps to itself: omission",
    ),
    Key("startTimeUtc", Fidelity.CARRIED, "by Start event, to the tick"),
    Key("endTimeUtc", Fidelity.CARRIED, "by the event that ends the run, to the tick"),
    Key("displayName", Fidelity.CARRIED, "the same, unprefixed; too long: overflow"),
    Key("description", Fidelity.CARRIED, "the same; too long: overflow"),
    Key(
        "tags",
        Fidelity.CARRIED,
        "each key but our own (below), null values too (where a target takes none: omission); beyond limits: overflow",
    ),
    Key(
        "properties",
        Fidelity.CARRIED,
        "each key but `CancelUri` (acts on the source: never sent) and `mlflow.artifactUri` (below)",
    ),
    Key("parameters", Fidelity.CARRIED, "each key, any JSON; beyond limits: overflow"),
    Key("inputs", Fidelity.CARRIED, "the target's asset where it is there as it was sent, once it is; else as it is"),
    Key("outputs", Fidelity.CARRIED, "as of inputs; bytes of named outputs: see the guide of assets"),
    Key(
        "inputDatasets",
        Fidelity.CARRIED,
        "as they are: they name the source's datasets; beyond the limit: overflow; refused: omission",
    ),
    Key(
        "outputDatasets",
        Fidelity.CARRIED,
        "as they are: they name the source's datasets; beyond the limit: overflow; refused: omission",
    ),
    Key("hidden", Fidelity.CARRIED, "Studio's word is archived"),
    Key(
        "runType", Fidelity.LINEAGE, "sent (`--keep-run-type`), Studio opens pages of services that never saw this run"
    ),
    Key("runDefinition", Fidelity.FILE, "as `rundata` answers it"),
    Key("jobSpecification", Fidelity.FILE, "as `rundata` answers it"),
    Key("actionUris", Fidelity.NEVER_SENT, "it acts on the source workspace"),
    Key("services", Fidelity.NEVER_SENT, "it acts on the source workspace"),
    Key("cancelUri", Fidelity.NEVER_SENT, "it acts on the source workspace"),
    Key("completeUri", Fidelity.NEVER_SENT, "it acts on the source workspace"),
    Key("diagnosticsUri", Fidelity.NEVER_SENT, "it acts on the source workspace"),
    Key(
        "dataContainerId",
        Fidelity.CARRIED,
        "a reused step's: that of the run that ran, else omission; `dcid.{run}` is made",
    ),
    Key("options", Fidelity.SERVER, "an instruction at creation, never answered: ours asks for a container"),
    Key("runTypeV2", Fidelity.ARCHIVE, "as `runType`; `External` where the target lets a client end no others"),
    Key("isVirtual", Fidelity.ARCHIVE, "a virtual run lets a child speak for it; written, each run speaks for itself"),
    Key("activeChildRunId", Fidelity.ARCHIVE, "of a virtual run"),
    Key("name", Fidelity.ARCHIVE, "of a step its component's name, as recorded; `displayName` is what people see"),
    Key("scriptName", Fidelity.ARCHIVE, "how it was computed; nothing is computed here"),
    Key("target", Fidelity.ARCHIVE, "the compute's name in the source"),
    Key("uniqueChildRunComputeTargets", Fidelity.ARCHIVE, "computes of the source"),
    Key("compute", Fidelity.ARCHIVE, "a compute of the source"),
    Key("computeRequest", Fidelity.ARCHIVE, "what was asked of a compute of the source"),
    Key("settings", Fidelity.ARCHIVE, "for the service that computed it"),
    Key("primaryMetricName", Fidelity.ARCHIVE, "opens the page of a sweep or an AutoML job, which cannot work"),
    Key("createdFrom", Fidelity.ARCHIVE, "a notebook of the source"),
    Key("queueingInfo", Fidelity.ARCHIVE, "why it waited for a compute of the source"),
    Key("retainForLifetimeOfWorkspace", Fidelity.ARCHIVE, "how long to keep it is for the target's owner to say"),
)
_RUN_SERVER = (
    Key(
        "createdUtc",
        Fidelity.LINEAGE,
        "the target shows the start that was sent, as verify compares, or one of its own; where that differs: omission",
    ),
    Key("createdBy", Fidelity.LINEAGE, "the user's name; the ids beside it are in the archived document"),
    Key(
        "error",
        Fidelity.CARRIED,
        "by Error event, the whole envelope; verify compares each part that has a value, time by value",
    ),
    Key("token", Fidelity.REDACTED, "lets its holder write to the source for three weeks"),
    Key("warnings", Fidelity.FILE, "only an event can write them, and an event told twice would write them twice"),
    Key("rootRunId", Fidelity.SERVER, "follows from the parents"),
    Key("rootRunUuid", Fidelity.SERVER, "the target makes its own"),
    Key("runUuid", Fidelity.SERVER, "the target makes its own"),
    Key("parentRunUuid", Fidelity.SERVER, "the target makes its own"),
    Key("runNumber", Fidelity.SERVER, "counted by the target"),
    Key("revision", Fidelity.SERVER, "counts the target's writes"),
    Key("statusRevision", Fidelity.SERVER, "counts the target's changes of status"),
    Key("currentAttemptId", Fidelity.SERVER, "recorded; not in the interface file"),
    Key("scheduleId", Fidelity.SERVER, "recorded; not in the interface file"),
    Key("hasVirtualParent", Fidelity.SERVER, "follows from the parent"),
    Key("userId", Fidelity.SERVER, "who wrote the run to the target; the lineage names the creator"),
    Key("lastModifiedBy", Fidelity.SERVER, "who wrote the run to the target"),
    Key("lastModifiedUtc", Fidelity.SERVER, "when the run was written to the target"),
    Key("tokenExpiryTimeUtc", Fidelity.SERVER, "of the token"),
    Key("lastStartTimeUtc", Fidelity.SERVER, "follows from start and status"),
    Key("effectiveStartTimeUtc", Fidelity.SERVER, "follows from start and status"),
    Key("currentComputeTime", Fidelity.SERVER, "follows from start and status"),
    Key("computeDuration", Fidelity.SERVER, "follows from start and end"),
    Key("duration", Fidelity.SERVER, "follows from start and end"),
    Key("cancelationReason", Fidelity.SERVER, "no field and no event sets it"),
)
_EXPERIMENT = (
    Key("name", Fidelity.CARRIED, "the same"),
    Key("description", Fidelity.CARRIED, "the same; where the target had the experiment before: its own, omission"),
    Key(
        "tags",
        Fidelity.CARRIED,
        "the same, and `azureml_replay` (below); where the target had the experiment before: its own, omission",
    ),
    Key("archivedTime", Fidelity.CARRIED, "whether, not when: the target writes its own time"),
    Key("experimentId", Fidelity.SERVER, "the target makes its own"),
    Key("createdUtc", Fidelity.SERVER, "the target makes its own"),
    Key("artifactLocation", Fidelity.SERVER, "a place of the source"),
    Key("retainForLifetimeOfWorkspace", Fidelity.ARCHIVE, "how long to keep it is for the target's owner to say"),
)
_METRIC = (
    Key("name", Fidelity.CARRIED, "the same"),
    Key("namespace", Fidelity.CARRIED, "the same"),
    Key("columns", Fidelity.CARRIED, "names, types and their order"),
    Key("properties", Fidelity.CARRIED, "see below"),
    Key("standardSchemaId", Fidelity.CARRIED, "the same"),
    Key("value", Fidelity.CARRIED, "every row; a series that breaks a limit goes to the overflow whole"),
    Key("dataContainerId", Fidelity.SERVER, "the target's own container of the run"),
    Key("continuationToken", Fidelity.NO_VALUE, "how to ask for the next page"),
    Key("nextLink", Fidelity.NO_VALUE, "how to ask for the next page"),
)
_METRIC_ROW = (
    Key("createdUtc", Fidelity.CARRIED, "to the tick, or none"),
    Key("step", Fidelity.CARRIED, "none is not 0"),
    Key("data", Fidelity.CARRIED, "each column's cell, to the bit: NaN, infinities, -0.0"),
    Key(
        "metricId",
        Fidelity.SERVER,
        "names the row in the source's store; ours is made from the row",
    ),
)
_METRIC_DEFINITION = (
    Key("metricKey", Fidelity.CARRIED, "see below"),
    Key("columns", Fidelity.CARRIED, "names, types and their order"),
    Key("properties", Fidelity.CARRIED, "see below"),
)
_METRIC_KEY = (
    Key("name", Fidelity.CARRIED, "the same; longer than 255 characters: overflow"),
    Key("namespace", Fidelity.CARRIED, "the same"),
    Key("columnNames", Fidelity.CARRIED, "with `columns`"),
    Key("labels", Fidelity.LISTED, "no client sends them with a metric"),
)
_METRIC_PROPERTIES = (
    Key("uxMetricType", Fidelity.CARRIED, "the same"),
    Key(
        "dataLocation", Fidelity.LISTED, "recorded as null, not in the interface file; a place in the source's storage"
    ),
)
_RUNDATA = (
    Key("runMetadata", Fidelity.CARRIED, "the run, key by key as below"),
    Key("runDefinition", Fidelity.FILE, "as it is answered"),
    Key("jobSpecification", Fidelity.FILE, "as it is answered"),
    Key("systemSettings", Fidelity.FILE, "recorded as null; not in the interface file"),
)
_ARTIFACT = (
    Key(
        "path",
        Fidelity.CARRIED,
        "same; below `replay/`: to `replay/source/`; longer than a blob may be called: omission",
    ),
    Key(
        "dataPath",
        Fidelity.CARRIED,
        "where the bytes are copied from; the target's entry points at the copy, with `--attach` at a place both reach",
    ),
    Key("origin", Fidelity.SERVER, "`ExperimentRun` for runs"),
    Key("container", Fidelity.SERVER, "the target's own container of the run"),
    Key("artifactId", Fidelity.SERVER, "origin, container and path"),
    Key("etag", Fidelity.SERVER, "counts the writes of an index entry; the target's entry is another"),
    Key("createdTime", Fidelity.SERVER, "of the index entry, as no client can set it; the target makes its own"),
    Key("tags", Fidelity.LISTED, "of the index entry; recorded as empty"),
)


def _job_file(*keys: str) -> tuple[Key, ...]:
    return tuple(Key(key, Fidelity.FILE, "the document as ARM answers it") for key in keys)


_RUN_TELLS_IT = "the run tells it too, and that is carried"
_JOB_RESOURCE = (
    Key("name", Fidelity.CARRIED, "a job's name is its run's id"),
    Key("id", Fidelity.FILE, "names the source"),
    *_job_file("type", "systemData", "properties"),
)
_JOB = (
    Key("displayName", Fidelity.FILE, _RUN_TELLS_IT),
    Key("status", Fidelity.FILE, _RUN_TELLS_IT),
    Key("experimentName", Fidelity.FILE, _RUN_TELLS_IT),
    Key("isArchived", Fidelity.FILE, _RUN_TELLS_IT),
    Key("description", Fidelity.FILE, _RUN_TELLS_IT),
    Key("tags", Fidelity.FILE, _RUN_TELLS_IT),
    Key("properties", Fidelity.FILE, _RUN_TELLS_IT),
    Key("services", Fidelity.FILE, "addresses of the source workspace; in a file they act on nothing"),
    *_job_file("jobType", "computeId", "identity", "componentId", "notificationSetting"),
    Key("secretsConfiguration", Fidelity.FILE, "recorded; of preview versions of the interface"),
)
_VARIABLES = Key("environmentVariables", Fidelity.FILE, "values under secret-like names are redacted")

TABLE: Mapping[str, Sequence[Key]] = {
    "GetRunDataResult": _RUNDATA,
    "Run": (*_CREATE_RUN, *_RUN_SERVER),
    "CreateRun": _CREATE_RUN,
    "Experiment": _EXPERIMENT,
    "MetricV2": _METRIC,
    "MetricV2Value": _METRIC_ROW,
    "MetricDefinition": _METRIC_DEFINITION,
    "DerivedMetricKey": _METRIC_KEY,
    "MetricProperties": _METRIC_PROPERTIES,
    "Artifact": _ARTIFACT,
    "JobBaseResource": _JOB_RESOURCE,
    "SystemData": _job_file(
        "createdBy", "createdByType", "createdAt", "lastModifiedBy", "lastModifiedByType", "lastModifiedAt"
    ),
    "JobBase": _JOB,
    "CommandJob": (
        *_job_file("resources", "codeId", "command", "environmentId", "inputs", "outputs", "distribution", "limits"),
        *_job_file("parameters", "queueSettings"),
        Key("autologgerSettings", Fidelity.FILE, "recorded; of preview versions of the interface"),
        _VARIABLES,
    ),
    "PipelineJob": _job_file("settings", "jobs", "inputs", "outputs", "sourceJobId"),
    "SweepJob": _job_file(
        *("searchSpace", "samplingAlgorithm", "limits", "earlyTermination", "objective", "trial", "inputs", "outputs"),
        "queueSettings",
    ),
    "AutoMLJob": (*_job_file("resources", "environmentId", "taskDetails", "outputs", "queueSettings"), _VARIABLES),
    "SparkJob": (
        *_job_file("resources", "args", "codeId", "entry", "environmentId", "inputs", "outputs", "pyFiles", "jars"),
        *_job_file("files", "archives", "conf", "queueSettings"),
        _VARIABLES,
    ),
}
"""By type of the interface files; a job's type adds its rows to those of `JobBase`."""
JOB_TYPES = ("CommandJob", "PipelineJob", "SweepJob", "AutoMLJob", "SparkJob")


def keys(wire_type: str, *fates: Fidelity) -> frozenset[str]:
    """Keys of a type of `TABLE`; with `fates`, those that end up so. Raises KeyError."""
    return frozenset(row.key for row in TABLE[wire_type] if not fates or row.fate in fates)


_HEAD = """# What becomes of every value

<!-- Made by `python -m azureml_replay.azure.wire.fidelity > docs/concepts/fidelity.md`: change it there. -->

Every key of the official interface files has its row, and what the rows say is what the tool sends. The page tells of
direct replay, which writes runs into the target's history.

Every value that the source answers for a run ends up in one of these ways. The documents of runs, experiments and jobs
are kept whole in the archive, whatever becomes of their values in the target; only what is redacted is gone from them.
"""
_MORE = """
A reused step names the container of the step that ran, and so does its copy: the target shows the files and points of
that, carried once. What we make for it lies there too, below `replay/reused/` and its id. Where the target does not
keep a container that it is told, or the archive lacks the step that ran, the step shows none of them: an omission.

The property, or tag, `mlflow.artifactUri` says where MLflow finds a run's files. It names the workspace, and the
service makes it: the target is not sent the source's, and verify finds one that leads there.

A run's creation time in the target is the start that was sent, so far as is known: recorded of MLflow's `runs/create`,
asserted by promptflow's live test of runs that it uploads. The throw-away run tells whether the target does so,
`verify` compares it where it does, and each run whose source has another one has an omission that says where that is.
[assumptions](assumptions.md#sources) names the sources.

Where the target refuses ids of a client's choice, or keeps no start in its history, runs are made and ended by MLflow's
routes. Beside the table, each run then loses its own id, and of start and end what is finer than a millisecond; a run
without a name gets its id in the source, one without a start its creation time, and one that neither completed, failed
nor was canceled has no end; `dataContainerId` is the run's own. Each loss is an omission.

Five tags are ours, and none of them is carried along from a source that is itself a copy. A run gets
`original_job_id`, its id in the source; and `azureml_replay_undo` once `undo` hid it, which goes when a replay shows
it again. Every run keeps room for both: of 50 tags, 48 are the source's. Where there is room for one more, it gets
`azureml_replay_sent` once it is brought up to date: digests of what was sent last, by which other archives tell that
from an edit. The property of that name says that the digests of its creation no longer hold. A run whose id is the
target's own keeps room for `azureml_replay_source`, digits for the workspace that it comes from. An experiment gets
`azureml_replay`, which names the source: where its description, tags or state are written, or `undo` archived it, and
unless it has 50 tags of its own. By it any archive of that source knows that the experiment is ours. `verify` compares
the first of the five alone.

Beside this table, a run's files are carried from its storage, byte for byte, whether the index lists them or not.
What the target's limits refuse goes whole into the run's file `replay/overflow.json` and is listed as an omission.
A text that looks like a secret is redacted wherever it stands, and listed as an omission. Keys that this table does
not know are counted and named by `status`, `plan` and `verify`: those of runs, experiments and jobs are kept in their
documents, those of metrics and files in the archive beside them, and each is an omission where it has a value. Of a
metric's single rows and of the storage's listing only the names of unknown keys are kept; that too is an omission.

[What was recorded of each kind of run](kinds.md) says which of this was seen of the real service.

ARM lists root jobs only. Of a child, `replay/job.json` holds the definition and specification that run history has.
"""


_OF_ASSETS = """
What runs refer to has rows of its own: the keys below `properties` of a version of an asset, and of what its versions
share. Names and versions are the same, but for those of anonymous components and code, which are the service's. When
and by whom an asset was made stands in its property `azureml_replay`; a secret in its document is taken out, and an
asset that cannot be made without it is an omission.
"""
_OF_KEPT = """Datastores and datasets of the old kind (v1) are documents of the archive, and never made.
"""


def page() -> str:
    """The table as Markdown."""
    runs = (line for name in TABLE for line in _section(name))
    assets = (line for name in ASSETS for line in _rows(name, ASSETS[name]))
    kept = (line for name in KEPT for line in _rows(name, KEPT[name]))
    return "\n".join([_HEAD, *_fates(), _MORE, *runs, _OF_ASSETS, *assets, _OF_KEPT, *kept])


def _fates() -> Iterator[str]:
    yield from _table("fate", "meaning")
    for fate in Fidelity:
        yield f"| {fate.title} | {fate.value[1]} |"


def _section(name: str) -> Iterator[str]:
    yield f"## {name}\n"
    if name == "CreateRun":
        yield "What a client may write of a run. The rows are those of `Run`:\n"
        yield ", ".join(f"`{row.key}`" for row in TABLE[name]) + "\n"
        return
    yield from list(_rows(name, TABLE[name]))[1:]


def _rows(name: str, rows: Sequence[Key]) -> Iterator[str]:
    yield f"## {name}\n"
    yield from _table("key", "fate", "how, or why not")
    yield from (f"| `{row.key}` | {row.fate.title} | {row.reason} |" for row in rows)
    yield ""


def _table(*columns: str) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"


if __name__ == "__main__":
    print(page().strip())  # noqa: T201 the page is its output
