"""What becomes of every value that the service can answer, key by key: one table, for people and for the code (pure).

Keys are those of the official interface files (run-history.json, mfe 2024-04-01) and those that only recordings show.
`python -m azureml_replay.azure.wire.fidelity` writes the table as `docs/concepts/fidelity.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple


class Fate(Enum):
    """Where a value of the source ends up. The text is what it means."""

    CARRIED = "carried", "the target has it, and verify compares it"
    LINEAGE = "lineage", "the target has it in the run's property `azureml_replay`, and verify compares it there"
    FILE = "file", "the target has it in the run's file `replay/job.json`, secrets redacted; verify compares the file"
    LISTED = "listed", "kept in the archive, and listed as an omission where it has a value: no target takes it"
    ARCHIVE = "archive", "not sent, though it could be: most would be false there, or lead to pages that cannot work"
    NEVER_SENT = "never sent", "it acts on the source: one omission a run names those that have a value"
    SERVER = "server-owned", "no client can write it: the target makes its own"
    REDACTED = "redacted", "taken out before anything is written, and listed as an omission"
    NO_VALUE = "no value", "of the answer, not of the run: how to ask for the next page"

    @property
    def title(self) -> str:
        """As the table shows it."""
        return self.value[0]


class Row(NamedTuple):
    """One key of a wire type."""

    key: str
    fate: Fate
    reason: str


_CREATE_RUN = (
    Row("runId", Fate.CARRIED, "the same; with `--ids new` or `--on-conflict rename` another, kept in the archive"),
    Row("parentRunId", Fate.CARRIED, "the same, or the parent's new id; a parent that the source lacks: omission"),
    Row("experimentId", Fate.CARRIED, "by the experiment's name: ids differ between workspaces"),
    Row("status", Fate.CARRIED, "by event where it is final, else by field"),
    Row("startTimeUtc", Fate.CARRIED, "by Start event, to the tick"),
    Row("endTimeUtc", Fate.CARRIED, "by the event that ends the run, to the tick"),
    Row("displayName", Fate.CARRIED, "the same, unprefixed; too long: overflow"),
    Row("description", Fate.CARRIED, "the same; too long: overflow"),
    Row("tags", Fate.CARRIED, "each key, null values too; beyond limits: overflow; `original_job_id` is added"),
    Row(
        "properties",
        Fate.CARRIED,
        "each key but `CancelUri` (acts on the source: never sent) and `mlflow.artifactUri` (below)",
    ),
    Row("parameters", Fate.CARRIED, "each key, any JSON; beyond limits: overflow"),
    Row("inputs", Fate.CARRIED, "each reference as it is: it names the source's asset"),
    Row("outputs", Fate.CARRIED, "each reference as it is: it names the source's asset"),
    Row("inputDatasets", Fate.CARRIED, "as they are: they name the source's datasets; beyond the limit: overflow"),
    Row("outputDatasets", Fate.CARRIED, "as they are: they name the source's datasets; beyond the limit: overflow"),
    Row("hidden", Fate.CARRIED, "Studio's word is archived"),
    Row("runType", Fate.LINEAGE, "sent (`--keep-run-type`), Studio opens pages of services that never saw this run"),
    Row("runDefinition", Fate.FILE, "as `rundata` answers it"),
    Row("jobSpecification", Fate.FILE, "as `rundata` answers it"),
    Row("actionUris", Fate.NEVER_SENT, "points at the source"),
    Row("services", Fate.NEVER_SENT, "points at the source"),
    Row("cancelUri", Fate.NEVER_SENT, "points at the source"),
    Row("completeUri", Fate.NEVER_SENT, "points at the source"),
    Row("diagnosticsUri", Fate.NEVER_SENT, "points at the source"),
    Row(
        "dataContainerId",
        Fate.CARRIED,
        "a reused step's: that of the run that ran, else omission; `dcid.{run}` is made",
    ),
    Row("options", Fate.SERVER, "an instruction at creation, never answered: ours asks for a container"),
    Row("runTypeV2", Fate.ARCHIVE, "as `runType`: orchestrator and traits choose Studio's pages"),
    Row("isVirtual", Fate.ARCHIVE, "a virtual run lets a child speak for it; written, each run speaks for itself"),
    Row("activeChildRunId", Fate.ARCHIVE, "of a virtual run"),
    Row("name", Fate.ARCHIVE, "of a step its component's name, as recorded; `displayName` is what people see"),
    Row("scriptName", Fate.ARCHIVE, "how it was computed; nothing is computed here"),
    Row("target", Fate.ARCHIVE, "the compute's name in the source"),
    Row("uniqueChildRunComputeTargets", Fate.ARCHIVE, "computes of the source"),
    Row("compute", Fate.ARCHIVE, "a compute of the source"),
    Row("computeRequest", Fate.ARCHIVE, "what was asked of a compute of the source"),
    Row("settings", Fate.ARCHIVE, "for the service that computed it"),
    Row("primaryMetricName", Fate.ARCHIVE, "opens the page of a sweep or an AutoML job, which cannot work"),
    Row("createdFrom", Fate.ARCHIVE, "a notebook of the source"),
    Row("queueingInfo", Fate.ARCHIVE, "why it waited for a compute of the source"),
    Row("retainForLifetimeOfWorkspace", Fate.ARCHIVE, "how long to keep it is for the target's owner to say"),
)
_RUN_SERVER = (
    Row("createdUtc", Fate.LINEAGE, "no client can set it"),
    Row("createdBy", Fate.LINEAGE, "the user's name; the ids beside it are in the archived document"),
    Row(
        "error",
        Fate.CARRIED,
        "by Error event, the whole envelope; verify compares each part that has a value, time by value",
    ),
    Row("token", Fate.REDACTED, "lets its holder write to the source for three weeks"),
    Row("warnings", Fate.FILE, "only an event can write them, and an event told twice would write them twice"),
    Row("rootRunId", Fate.SERVER, "follows from the parents"),
    Row("rootRunUuid", Fate.SERVER, "the target makes its own"),
    Row("runUuid", Fate.SERVER, "the target makes its own"),
    Row("parentRunUuid", Fate.SERVER, "the target makes its own"),
    Row("runNumber", Fate.SERVER, "counted by the target"),
    Row("revision", Fate.SERVER, "counts the target's writes"),
    Row("statusRevision", Fate.SERVER, "counts the target's changes of status"),
    Row("currentAttemptId", Fate.SERVER, "recorded; not in the interface file"),
    Row("scheduleId", Fate.SERVER, "recorded; not in the interface file"),
    Row("hasVirtualParent", Fate.SERVER, "follows from the parent"),
    Row("userId", Fate.SERVER, "who wrote the run to the target; the lineage names the creator"),
    Row("lastModifiedBy", Fate.SERVER, "who wrote the run to the target"),
    Row("lastModifiedUtc", Fate.SERVER, "when the run was written to the target"),
    Row("tokenExpiryTimeUtc", Fate.SERVER, "of the token"),
    Row("lastStartTimeUtc", Fate.SERVER, "follows from start and status"),
    Row("effectiveStartTimeUtc", Fate.SERVER, "follows from start and status"),
    Row("currentComputeTime", Fate.SERVER, "follows from start and status"),
    Row("computeDuration", Fate.SERVER, "follows from start and end"),
    Row("duration", Fate.SERVER, "follows from start and end"),
    Row("cancelationReason", Fate.SERVER, "no field and no event sets it"),
)
_EXPERIMENT = (
    Row("name", Fate.CARRIED, "the same"),
    Row("description", Fate.CARRIED, "the same; where the target had the experiment before: its own, omission"),
    Row("tags", Fate.CARRIED, "the same; where the target had the experiment before: its own, omission"),
    Row("archivedTime", Fate.CARRIED, "whether, not when: the target writes its own time"),
    Row("experimentId", Fate.SERVER, "the target makes its own"),
    Row("createdUtc", Fate.SERVER, "the target makes its own"),
    Row("artifactLocation", Fate.SERVER, "a place of the source"),
    Row("retainForLifetimeOfWorkspace", Fate.ARCHIVE, "how long to keep it is for the target's owner to say"),
)
_METRIC = (
    Row("name", Fate.CARRIED, "the same"),
    Row("namespace", Fate.CARRIED, "the same"),
    Row("columns", Fate.CARRIED, "names, types and their order"),
    Row("properties", Fate.CARRIED, "see below"),
    Row("standardSchemaId", Fate.CARRIED, "the same"),
    Row("value", Fate.CARRIED, "every row; a series that breaks a limit goes to the overflow whole"),
    Row("dataContainerId", Fate.SERVER, "the target's own container of the run"),
    Row("continuationToken", Fate.NO_VALUE, "how to ask for the next page"),
    Row("nextLink", Fate.NO_VALUE, "how to ask for the next page"),
)
_METRIC_ROW = (
    Row("createdUtc", Fate.CARRIED, "to the tick, or none"),
    Row("step", Fate.CARRIED, "none is not 0"),
    Row("data", Fate.CARRIED, "each column's cell, to the bit: NaN, infinities, -0.0"),
    Row(
        "metricId",
        Fate.SERVER,
        "names the row in the source's store; ours is made from the row",
    ),
)
_METRIC_DEFINITION = (
    Row("metricKey", Fate.CARRIED, "see below"),
    Row("columns", Fate.CARRIED, "names, types and their order"),
    Row("properties", Fate.CARRIED, "see below"),
)
_METRIC_KEY = (
    Row("name", Fate.CARRIED, "the same; longer than 255 characters: overflow"),
    Row("namespace", Fate.CARRIED, "the same"),
    Row("columnNames", Fate.CARRIED, "with `columns`"),
    Row("labels", Fate.LISTED, "no client sends them with a metric"),
)
_METRIC_PROPERTIES = (
    Row("uxMetricType", Fate.CARRIED, "the same"),
    Row("dataLocation", Fate.LISTED, "recorded as null, not in the interface file; a place in the source's storage"),
)
_RUNDATA = (
    Row("runMetadata", Fate.CARRIED, "the run, key by key as below"),
    Row("runDefinition", Fate.FILE, "as it is answered"),
    Row("jobSpecification", Fate.FILE, "as it is answered"),
    Row("systemSettings", Fate.FILE, "recorded as null; not in the interface file"),
)
_ARTIFACT = (
    Row("path", Fate.CARRIED, "same; below `replay/`: to `replay/source/`; longer than a blob may be called: omission"),
    Row(
        "dataPath",
        Fate.CARRIED,
        "where the bytes are copied from; the target's entry points at the copy, with `--attach` at a place both reach",
    ),
    Row("origin", Fate.SERVER, "`ExperimentRun` for runs"),
    Row("container", Fate.SERVER, "the target's own container of the run"),
    Row("artifactId", Fate.SERVER, "origin, container and path"),
    Row("etag", Fate.SERVER, "counts the writes of an index entry; the target's entry is another"),
    Row("createdTime", Fate.SERVER, "of the index entry, as no client can set it; the target makes its own"),
    Row("tags", Fate.LISTED, "of the index entry; recorded as empty"),
)


def _job_file(*keys: str) -> tuple[Row, ...]:
    return tuple(Row(key, Fate.FILE, "the document as ARM answers it") for key in keys)


_RUN_TELLS_IT = "the run tells it too, and that is carried"
_JOB_RESOURCE = (
    Row("name", Fate.CARRIED, "a job's name is its run's id"),
    Row("id", Fate.FILE, "names the source"),
    *_job_file("type", "systemData", "properties"),
)
_JOB = (
    Row("displayName", Fate.FILE, _RUN_TELLS_IT),
    Row("status", Fate.FILE, _RUN_TELLS_IT),
    Row("experimentName", Fate.FILE, _RUN_TELLS_IT),
    Row("isArchived", Fate.FILE, _RUN_TELLS_IT),
    Row("description", Fate.FILE, _RUN_TELLS_IT),
    Row("tags", Fate.FILE, _RUN_TELLS_IT),
    Row("properties", Fate.FILE, _RUN_TELLS_IT),
    Row("services", Fate.FILE, "points at the source; in a file it acts on nothing"),
    *_job_file("jobType", "computeId", "identity", "componentId", "notificationSetting"),
    Row("secretsConfiguration", Fate.FILE, "recorded; of preview versions of the interface"),
)
_VARIABLES = Row("environmentVariables", Fate.FILE, "values under secret-like names are redacted")

TABLE: Mapping[str, Sequence[Row]] = {
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
        Row("autologgerSettings", Fate.FILE, "recorded; of preview versions of the interface"),
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


def keys(wire_type: str, *fates: Fate) -> frozenset[str]:
    """Keys of a type of `TABLE`; with `fates`, those that end up so. Raises KeyError."""
    return frozenset(row.key for row in TABLE[wire_type] if not fates or row.fate in fates)


_HEAD = """# What becomes of every value

Made by `python -m azureml_replay.azure.wire.fidelity > docs/concepts/fidelity.md`; tests hold it against the official
interface files, key by key, and against what the tool sends. It tells of direct replay, which writes runs into the
target's history.

Every value that the source answers for a run ends up in one of these ways. The documents of runs, experiments and jobs
are kept whole in the archive, whatever becomes of their values in the target; only what is redacted is gone from them.
"""
_MORE = """
A reused step names the container of the step that ran, and so does its copy: the target shows the files and points of
that, carried once. What we make for it lies there too, below `replay/reused/` and its id. Where the target does not
keep a container that it is told, or the archive lacks the step that ran, the step shows none of them: an omission.

The property, or tag, `mlflow.artifactUri` says where MLflow finds a run's files. It names the workspace, and the
service makes it: the target is not sent the source's, and verify finds one that leads there.

Beside this table, a run's files are carried from its storage, byte for byte, whether the index lists them or not.
What the target's limits refuse goes whole into the run's file `replay/overflow.json` and is listed as an omission.
A text that looks like a secret is redacted wherever it stands, and listed as an omission. Keys that this table does
not know are counted and named by `status`, `plan` and `verify`: those of runs, experiments and jobs are kept in their
documents, those of metrics and files in the archive beside them, and each is an omission where it has a value. Of a
metric's single rows and of the storage's listing only the names of unknown keys are kept; that too is an omission.

[What was recorded of each kind of run](kinds.md) says which of this was seen of the real service.

ARM lists root jobs only. Of a child, `replay/job.json` holds the definition and specification that run history has.
"""


def page() -> str:
    """The table as Markdown."""
    return "\n".join([_HEAD, *_fates(), _MORE, *(line for name in TABLE for line in _section(name))])


def _fates() -> Iterator[str]:
    yield from _table("fate", "meaning")
    for fate in Fate:
        yield f"| {fate.title} | {fate.value[1]} |"


def _section(name: str) -> Iterator[str]:
    yield f"## {name}\n"
    if name == "CreateRun":
        yield "What a client may write of a run. The rows are those of `Run`:\n"
        yield ", ".join(f"`{row.key}`" for row in TABLE[name]) + "\n"
        return
    yield from _table("key", "fate", "how, or why not")
    yield from (f"| `{row.key}` | {row.fate.title} | {row.reason} |" for row in TABLE[name])
    yield ""


def _table(*columns: str) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"


if __name__ == "__main__":
    print(page().strip())  # noqa: T201 the page is its output
