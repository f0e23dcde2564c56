"""Wire -> model: with `encode`, the only place where keys of the wire are spelt (pure).

Runs, jobs and errors are known from recordings (responses.md 1, 4); experiments, artifact lists and `batchrundata`
from the swagger alone. What cannot be read raises Rejected.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from azureml_replay import json_text
from azureml_replay.azure.wire import decode_ties
from azureml_replay.azure.wire.decode_ties import job_code
from azureml_replay.azure.wire.known import (
    KNOWN_ARTIFACT,
    KNOWN_EXPERIMENT,
    KNOWN_JOB,
    KNOWN_JOB_PROPERTIES,
    KNOWN_RUN,
    KNOWN_RUNDATA,
)
from azureml_replay.azure.wire.places import ARTIFACT_STORE, lender_in
from azureml_replay.model import (
    NESTED_COMPONENTS,
    UNREADABLE,
    Artifact,
    AssetReference,
    Experiment,
    Job,
    Json,
    Location,
    Run,
    RunDetails,
    RunId,
)
from azureml_replay.workspace.examined import JobSeen
from azureml_replay.workspace.jobs import JobState
from azureml_replay.workspace.reader import (
    NOT_SET,
    Document,
    Reader,
    beyond,
    instant,
    mapping,
    pairs,
    readable,
    text_of_page,
    unicode_text,
    unknown,
    words,
)

_OF_BLOB = frozenset(
    {
        "BlobArchived",
        "BlobImmutableDueToLegalHold",
        "BlobImmutableDueToPolicy",
        "BlobOperationNotSupported",
        "BlobTierInadequateForContentLength",
        "BlobUsesCustomerSpecifiedEncryption",
        "ContentLengthLargerThanTierLimit",
        "FeatureVersionMismatch",
        "SnapshotsPresent",
    }
)
"""Codes of storage for a conflict (409) that stays; others pass, as a lease or a copy under way does, or are about the
container or the account (learn.microsoft.com/rest/api/storageservices/blob-service-error-codes)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a service refused, whatever the shape of its error."""

    code: str
    """The innermost code: `JobNotFound`, `BlobAlreadyExists`, …; empty where there is none."""
    message: str

    @property
    def passing(self) -> bool:
        """True where the same item may go through later (swagger, RootError: the codes that are nobody's fault)."""
        return self.code in ("ServiceError", "TransientError", "RequestThrottled", "AzureStorageError")

    @property
    def absent(self) -> bool:
        """True where what was asked for is not there: `NotFoundError` of run history, recorded in rh-rundata-404."""
        return "NotFound" in self.code

    @property
    def of_status(self) -> bool:
        """True where the service keeps a run's status to itself.

        Reported in 2023 (recommenders-team/recommenders#1876): "client is not permitted to update status for run.
        Status for this run is system managed". Nobody reported the code.
        """
        said = f"{self.code} {self.message}".lower()
        return "system managed" in said or "systemmanaged" in said or "not permitted to update status" in said

    @property
    def lasting(self) -> bool:
        """True where a blob, or what is there under its name, is to blame for a 409: asking again changes nothing."""
        return self.code in _OF_BLOB

    @property
    def taken(self) -> bool:
        """True where an entry of that name is there already; what the service calls it is unknown (clients.md 10)."""
        return any(word in f"{self.code} {self.message}".lower() for word in ("exist", "conflict", "duplicate"))


def problem(body: bytes, header_code: str | None = None) -> Problem:
    """The problem in any error body: ARM's, the data plane's, MLflow's, storage's XML, a proxy's HTML page, none."""
    try:
        document = json_text.loads_cut(body)
    except ValueError:
        return Problem(header_code or "", text_of_page(body))
    return problem_of(document) if isinstance(document, Mapping) else Problem(header_code or "", "")


def problem_of(document: Document) -> Problem:
    """The problem in a parsed error: `{"error": {…}}` of ARM and the data plane, or MLflow's flat one."""
    error = document.get("error")
    if not isinstance(error, Mapping):
        return Problem(str(document.get("error_code") or ""), str(document.get("message") or ""))
    return Problem(_innermost(error), str(error.get("message") or ""))


def _innermost(error: Document) -> str:
    """The innermost code: nested as `innerError`, in ARM's errors below `additionalInfo` (responses.md 1.6, 4.6)."""
    chains = [item.get("info", {}).get("value") for item in error.get("additionalInfo") or () if isinstance(item, dict)]
    inner = error.get("innerError") or next((c for c in chains if isinstance(c, dict) and "code" in c), None)
    code = str(error.get("code") or "")
    if not inner and error.get("details"):
        return str(error["details"][0].get("code") or code)
    while inner:
        code, inner = str(inner.get("code") or code), inner.get("innerError")
    return code


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list, and how to ask for more; with neither `token` nor `link` it is the last page."""

    items: Sequence[Document]
    token: str | None = None
    link: str | None = None

    @property
    def last(self) -> bool:
        """True where nothing follows."""
        return not self.token and not self.link


@readable
def page(document: Document) -> Page:
    """A page of ARM or of the data plane: `value`, `continuationToken`, `nextLink`."""
    return Page(document["value"], document.get("continuationToken"), document.get("nextLink"))


@readable
def experiment(document: Document) -> Experiment:
    """An experiment; known from the swagger alone."""
    return Experiment(
        id=document["experimentId"],
        name=unicode_text(document["name"]),
        description=document.get("description"),
        tags=document.get("tags") or {},
        archived=instant(document.get("archivedTime")),
        document=document,
        unknown=unknown(document, KNOWN_EXPERIMENT),
    )


def experiment_id(run_document: Document) -> str:
    """The id of a run's experiment, all that the run says of it (responses.md 4.1)."""
    return run_document.get("experimentId") or ""


@readable
def run(document: Document, experiment_name: str) -> Run:
    """A run; recorded in pipe-child-run-download.json and others. `inputs` and `outputs` come with `details` only."""
    read, name = Reader(document), RunId(unicode_text(document["runId"]))
    tags: Mapping[str, str | None] = read("tags", pairs, {})
    properties: Mapping[str, str | None] = read("properties", pairs, {})
    found = Run(
        id=name,
        parent=read("parentRunId", lambda value: RunId(unicode_text(value)) if value else None, None),
        experiment=experiment_name,
        status=read("status", unicode_text, ""),
        start=read("startTimeUtc", instant, None),
        end=read("endTimeUtc", instant, None),
        display_name=read("displayName", words, None),
        description=read("description", words, None),
        tags=tags,
        properties=properties,
        parameters=read("parameters", mapping, {}),
        inputs=read("inputs", _assets, {}),
        outputs=read("outputs", _assets, {}),
        input_datasets=document.get("inputDatasets") or None,
        output_datasets=document.get("outputDatasets") or None,
        hidden=bool(document.get("hidden")),
        error=read("error", _inner_error, None),
        error_origin=_error_origin(document.get("error")),
        created=read("createdUtc", instant, None),
        modified=read("lastModifiedUtc", instant, None),
        creator=read("createdBy", _user_name, None),
        kind=read("runType", unicode_text, None),
        traits=read("runTypeV2", lambda value: tuple(map(words, value.get("traits") or ())), ()),
        warnings=document.get("warnings") or None,
        lender=read("dataContainerId", lambda value: lender_in(unicode_text(value), name), None),
        document=document,
        acting=decode_ties.acting(document, properties),
        code=decode_ties.code(properties),
        references=decode_ties.references(properties, tags),
    )
    new = (*unknown(document, KNOWN_RUN), *(UNREADABLE + key for key in read.unreadable))
    return replace(found, unknown=new) if new else found


def _user_name(document: Document) -> str | None:
    return unicode_text(document["userName"]) if document.get("userName") else None


def _inner_error(document: Document) -> Json:
    return document.get("error", document) if document else None


def _error_origin(envelope: Json) -> Json:
    """The parts of an error's envelope that say when and where; a time that nobody set is left out."""
    if not isinstance(envelope, Mapping) or "error" not in envelope:
        return None
    said = beyond(envelope, frozenset({"error"}))
    if str(said.get("time", "")).startswith(NOT_SET):
        del said["time"]
    return said or None


READ_OF_RUNDATA = frozenset({"runMetadata", "runDefinition", "jobSpecification"})
READ_OF_ARTIFACT = KNOWN_ARTIFACT - {"tags"}


@readable
def rundata(document: Document, experiment_name: str) -> RunDetails:
    """A run with its definition; recorded in pipe-job-download.json."""
    return RunDetails(
        run=_with_unknown(run(document["runMetadata"], experiment_name), document),
        definition=document.get("runDefinition"),
        specification=document.get("jobSpecification"),
        more=beyond(document, READ_OF_RUNDATA),
    )


def rundata_of_details(run_document: Document, details: Document) -> Document:
    """A `rundata` made of a run, which lacks inputs and outputs, and its `details`, which lack names and tags."""
    only = {key: details[key] for key in ("inputs", "outputs", "inputDatasets", "outputDatasets") if details.get(key)}
    return {"runMetadata": {**run_document, **only}, "runDefinition": details.get("runDefinition")}


@readable
def run_of_rundata(document: Document) -> Document:
    """The run's own document in a `rundata`."""
    found: Document = document["runMetadata"]
    return found


@readable
def batch_results(document: Document) -> tuple[Mapping[str, Document], Mapping[str, Problem]]:
    """An answer of `batchrundata`: key -> what was found, key -> why not."""
    failed = document.get("failedResults") or {}
    return document.get("successfulResults") or {}, {key: problem_of(value) for key, value in failed.items()}


@readable
def batch_runs(document: Document) -> tuple[Mapping[str, Document], Mapping[str, Problem]]:
    """An answer of `batch/runs`: run id -> what was written, run id -> why not."""
    errors = document.get("errors") or {}
    return document.get("runs") or {}, {key: problem_of(value) for key, value in errors.items()}


@readable
def event_errors(document: Document | None) -> Mapping[str, Problem]:
    """An answer of `batch/events`: run id -> why it was refused; its errors are pairs of event and error."""
    pairs = (document or {}).get("errors") or ()
    return {pair["key"]["data"]["RunId"]: problem_of(pair["value"]) for pair in pairs}


@readable
def job(document: Document, graphs: Mapping[str, Document | None] | None = None) -> Job:
    """A job; recorded in job-list-get-2024-04-01.json. Its nested pipelines' components go under a key of ours."""
    nested = _all_nested(document, graphs or {})
    whole = {**document, NESTED_COMPONENTS: nested} if nested else document
    new = (
        *unknown(document, KNOWN_JOB),
        *unknown(_keyed(document.get("properties")), KNOWN_JOB_PROPERTIES, "properties "),
    )
    return Job(RunId(document["name"]), whole, new, job_code(document))


def nested_components(document: Document) -> list[str]:
    """ARM ids of the pipeline components that the nodes of a job, or of a component, stand for."""
    properties = _keyed(document.get("properties"))
    nodes = _keyed(properties.get("jobs") or _keyed(properties.get("componentSpec")).get("jobs"))
    found = [
        node.get("componentId") for node in nodes.values() if isinstance(node, dict) and node.get("type") == "pipeline"
    ]
    return [one for one in found if isinstance(one, str) and one.startswith("/subscriptions/")]


def _keyed(value: object) -> Document:
    """The value where it is an object, else an empty one: a document of an unforeseen form has no nodes."""
    return value if isinstance(value, Mapping) else {}


def _all_nested(document: Document, graphs: Mapping[str, Document | None]) -> dict[str, Json]:
    """Those of nested pipelines too, each once, however deep and in whatever circle they name each other."""
    nested: dict[str, Json] = {}
    ahead = nested_components(document)
    while ahead:
        component = ahead.pop(0)
        known = graphs.get(component)
        if known is not None and component not in nested:
            nested[component] = known
            ahead = [*nested_components(known), *ahead]
    return nested


@readable
def resource_id(document: Document) -> str:
    """The id of any resource of ARM."""
    found: str = document["id"]
    return found


@readable
def job_state(document: Document) -> JobState:
    """A job's state; recorded in job-list-get-2024-04-01.json. A job that was just put may have no status yet."""
    properties = document["properties"]
    status = properties.get("status") or "NotStarted"
    return JobState(
        name=document["name"],
        status=status,
        properties=properties.get("properties") or {},
        tags=properties.get("tags") or {},
        archived=bool(properties.get("isArchived")),
    )


@readable
def job_seen(document: Document) -> JobSeen:
    """A job as `doctor` compares it with run history."""
    properties = document.get("properties") or {}
    archived = bool(properties.get("isArchived"))
    return JobSeen(RunId(document["name"]), properties.get("experimentName") or "", archived)


@readable
def storage_account(workspace: Document) -> str:
    """The resource id of the storage account that a workspace was made with."""
    return workspace["properties"].get("storageAccount") or ""


def object_id(token: str) -> str:
    """The object id that a token is for; empty where it is no JWT or does not say."""
    try:
        claims = json_text.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (IndexError, ValueError):
        return ""
    return str(claims.get("oid") or "")


def job_experiment(found: Job) -> str | None:
    """The name of a job's experiment, which a Run does not carry; None for a step, which has no `properties`."""
    document: Any = found.document
    name = _keyed(document.get("properties")).get("experimentName")
    return name if isinstance(name, str) else None


@readable
def artifact(document: Document) -> Artifact:
    """One entry of the index. Without a `dataPath` its bytes are in the artifact store, where runs put them."""
    at, path = document.get("dataPath") or {}, unicode_text(document["path"])
    store, below = at.get("dataStoreName"), at.get("relativePath")
    if store and below is not None:
        location = Location(store, unicode_text(below))
    else:
        location = Location(ARTIFACT_STORE, unicode_text(f"{document['origin']}/{document['container']}/{path}"))
    more, new = beyond(document, READ_OF_ARTIFACT), unknown(document, KNOWN_ARTIFACT)
    return Artifact(path=path, location=location, indexed=True, stored=None, more=more, unknown=new)


@readable
def write_urls(document: Document) -> tuple[Mapping[str, str], Mapping[str, Problem]]:
    """An answer of `artifacts/batch/metadata`: path -> URL to write to, path -> why it was refused."""
    made = document.get("artifactContentInformation") or {}
    errors = document.get("errors") or {}
    return (
        {path: info["contentUri"] for path, info in made.items() if info and info.get("contentUri")},
        {path: problem_of(value) for path, value in errors.items()},
    )


@readable
def content_url(document: Document) -> str:
    """The signed URL of an ArtifactContentInformation."""
    url: str = document["contentUri"]
    return url


@readable
def discovery_url(workspace: Document) -> str:
    """A workspace's discovery URL; recorded in ws-create-update-delete.json."""
    url: str = workspace["properties"]["discoveryUrl"]
    return url


def workspace_names(workspace: Document) -> tuple[str, str]:
    """The guid and the region by which URIs name a workspace; empty where it does not say."""
    said = workspace.get("properties") or {}
    return str(said.get("workspaceId") or ""), str(workspace.get("location") or "")


@readable
def studio_url(discovery: Document) -> str | None:
    """The address of Studio (responses.md 3); None where a cloud names none."""
    url: str | None = discovery.get("studio")
    return url.rstrip("/") if url else None


@readable
def api_url(discovery: Document) -> str:
    """The host of the data plane: `api`, not `history`, which is an old one (responses.md 3)."""
    url: str = discovery["api"]
    return url.rstrip("/")


def _assets(document: Document) -> Mapping[str, AssetReference]:
    found = document.items()
    return {name: AssetReference(item.get("assetId") or "", item.get("type")) for name, item in found if item}


def _with_unknown(found: Run, document: Document) -> Run:
    """The run with the unknown keys of the answer around it added to its own."""
    new = unknown(document, KNOWN_RUNDATA, "rundata ")
    return replace(found, unknown=(*found.unknown, *new)) if new else found
