"""Gathers what a recording says of a workspace. Pure, one recording at a time.

Later answers replace earlier ones; of a run, `rundata` and `details` add what a plain GET leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

from azureml_sandbox import instants
from azureml_sandbox.fill.recorded.content import File, Harvest
from azureml_sandbox.fill.recorded.index_entity import run_of
from azureml_sandbox.fill.recorded.recordings import Answer, NotARecording, Recording, http_date
from azureml_sandbox.fill.recorded.rewriting import UNKNOWN_GUID, Rewriting
from azureml_sandbox.world import ARTIFACT_STORE, BLOB_STORE, Document, Kind, Series

_ELSEWHERE = ("inputs", "outputs", "runDefinition", "jobSpecification")
"""Null in every plain GET (responses.md 4.1): a null here does not take away what another answer said."""


def harvest(recording: Recording, rewriting: Rewriting) -> Harvest:
    """Everything of the recording that a workspace can hold; the rest is counted under its reason.

    Raises:
        NotARecording: an answer is not as the service writes it; the message names the entry.
    """
    gathered = Harvest(recording.name)
    for answer in recording.answers:
        try:
            _Reader(gathered, rewriting, answer).read()
        except (LookupError, TypeError, ValueError, AttributeError) as wrong:
            where = f"{recording.name}, entry {answer.position} ({answer.route})"
            raise NotARecording(f"{where}: the answer is not as the service writes it: {wrong!r}") from wrong
    for (datastore, name), file in list(gathered.files.items()):
        if file.data is None:
            gathered.left_out["blobs of which no recorded answer holds the bytes"] += 1
            del gathered.files[datastore, name]
    return gathered


class _Reader:
    """Takes one answer into the harvest."""

    def __init__(self, gathered: Harvest, rewriting: Rewriting, answer: Answer) -> None:
        self._into, self._answer = gathered, answer
        self._document: Callable[[Any], Any] = lambda given: rewriting.document(answer, given)
        self._text: Callable[[str], str] = lambda given: rewriting.text(answer, given)

    def read(self) -> None:
        """Take the answer's content, or count the reason why it is left out."""
        for pattern, take in _CONTENT:
            if (found := re.fullmatch(pattern, self._answer.route, re.DOTALL)) and self._answer.status < 300:
                take(self, *found.groups())
                return
        self.leave(next(reason for pattern, reason in _NO_CONTENT if re.match(pattern, self._label())))

    def leave(self, reason: str, count: int = 1) -> None:
        """Count something that is left out, under its reason."""
        self._into.left_out[reason] += count

    def _label(self) -> str:
        return f"{self._answer.status} {self._answer.route}"

    def job(self) -> None:
        """Take one ARM job."""
        self._job(self._answer.body)

    def jobs(self) -> None:
        """Take a page of ARM jobs."""
        for document in self._answer.body["value"]:
            self._job(document)

    def _job(self, given: Document) -> None:
        if not given.get("properties"):
            self.leave("ARM answers for child runs: nothing but a name; run history has the rest")
            return
        document = self._document(given)
        name, known = document["name"], self._into.jobs.get(document["name"])
        if known is None or known["properties"]["status"] != document["properties"]["status"]:
            self._into.seen[name] = self._now(document)
        self._into.jobs[name] = document

    def _now(self, document: Document) -> int:
        """The answer's Date; the job's creation where that was not recorded."""
        date = self._answer.headers.get("date")
        return http_date(date) if date else instants.parse(document["systemData"]["createdAt"])

    def run(self) -> None:
        """Take a whole run."""
        self._run(self._document(self._answer.body))

    def children(self) -> None:
        """Take a page of whole runs."""
        for document in self._answer.body["value"]:
            self._run(self._document(document))

    def run_data(self) -> None:
        """Take a run with inputs, outputs and what it ran."""
        document = self._document(self._answer.body)
        beside = {key: document[key] for key in ("runDefinition", "jobSpecification") if document.get(key)}
        self._run(document["runMetadata"] | beside)

    def details(self, run_id: str) -> None:
        """Take a run in its other form, with its log files."""
        document = self._document(self._answer.body)
        document["createdUtc"] = document.pop("createdTimeUtc")
        document.pop("jobCost")  # four nulls in all 25 recorded ones
        for path in document.pop("logFiles"):
            self._into.logs.append((document["dataContainerId"], path))
        self._run(document, self._text(run_id))

    def _run(self, document: Document, run_id: str = "") -> None:
        run_id = run_id or document["runId"]
        known = self._into.runs.get(run_id, {})
        kept = {key: known[key] for key in _ELSEWHERE if document.get(key) is None and known.get(key) is not None}
        if document.get("experimentId") == UNKNOWN_GUID:
            kept["experimentId"] = known.get("experimentId")
        # A PATCH answers with a token; every recorded GET of a run has null here.
        self._into.runs[run_id] = known | document | kept | {"token": None, "tokenExpiryTimeUtc": None}

    def tracked(self) -> None:
        """Take a run that MLflow made."""
        made = self._document(self._answer.body)["run"]
        info, tags = made["info"], made["data"].get("tags", [])
        if self._answer.sent["experiment_id"] == "0":  # type: ignore[index]
            self._into.experiments[info["experiment_id"]] = "Default"
        start = instants.text(int(info["start_time"]) * instants.MILLISECOND)
        self._run(
            {
                "runId": info["run_id"],
                "experimentId": info["experiment_id"],
                "status": "Running",
                "createdUtc": start,
                "startTimeUtc": start,
                "displayName": info["run_name"],
                # mlflow.user comes twice, the caller's first; a run keeps the caller's (mlflow-patch-history 2).
                "tags": {tag["key"]: tag["value"] for tag in reversed(tags) if tag["key"] == "mlflow.user"},
                "properties": {"mlflow.artifactUri": info["artifact_uri"]},
                "runTypeV2": {"orchestrator": None, "traits": ["mlflow"], "attribution": None, "computeType": None},
            }
        )

    def tracked_end(self) -> None:
        """Take the end of a run that MLflow made."""
        info = self._document(self._answer.body)["run_info"]
        status = {"FINISHED": "Completed", "FAILED": "Failed", "KILLED": "Canceled"}.get(info["status"], "Running")
        ended = instants.text(int(info["end_time"]) * instants.MILLISECOND)
        known = self._into.runs.get(info["run_id"], {})
        known_id = known.get("experimentId") or info["experiment_id"]
        self._run(
            known
            | {
                "runId": info["run_id"],
                "experimentId": info["experiment_id"] if known_id == UNKNOWN_GUID else known_id,
                "status": status,
                "endTimeUtc": ended,
            }
        )

    def entities(self) -> None:
        """Take a page of the index service: run documents cut in two, with their experiment's name."""
        for entity in self._document(self._answer.body)["value"]:
            facts = entity["properties"]
            self._into.experiments[facts["experimentId"]] = facts["experimentName"]
            self._run(run_of(entity))
            self.leave(
                "metric summaries of the index: they hold neither step nor time", len(entity["annotations"]["metrics"])
            )

    def metrics(self) -> None:
        """Take the last row of every metric of a run."""
        for metric in self._document(self._answer.body)["value"]:
            series = Series(
                metric["dataContainerId"],
                metric["name"],
                metric["namespace"] or "",
                metric["columns"],
                metric["properties"],
                metric["standardSchemaId"],
            )
            self._into.series[series.container, series.namespace, series.name] = series, metric["value"]

    def registered(self) -> None:
        """Take an artifact that was registered."""
        self._into.artifacts.append(self._document(self._answer.body))

    def asset(self, kind: Kind) -> None:
        """Take one version; the service names an anonymous one itself, so the answer's id counts."""
        self._asset(kind, self._document(self._answer.body))

    def assets(self, kind: Kind) -> None:
        """Take a page of versions, or of containers; paging tokens are left out."""
        for document in self._document(self._answer.body)["value"]:
            self._asset(kind, document)

    def _asset(self, kind: Kind, document: Document) -> None:
        name, _, version = document["id"].split(f"/{kind}/")[1].partition("/versions/")
        self._into.assets[kind, name, version] = document

    def unversioned(self, kind: Kind) -> None:
        """Take a datastore or a compute, other than the two datastores that every workspace has."""
        self._unversioned(kind, self._document(self._answer.body))

    def unversioned_page(self, kind: Kind) -> None:
        """Take a page of datastores or computes."""
        for document in self._document(self._answer.body)["value"]:
            self._unversioned(kind, document)

    def _unversioned(self, kind: Kind, document: Document) -> None:
        if document["name"] in (BLOB_STORE, ARTIFACT_STORE):
            self.leave("the datastores that every workspace has: the sandbox's own stay")
        else:
            self._into.assets[kind, document["name"], ""] = document

    def blob(self, container: str, name: str) -> None:
        """Take a blob that was read."""
        file = self._file(container, name)
        if file is None:
            return
        headers = self._answer.headers
        file.append |= headers.get("x-ms-blob-type") == "AppendBlob"
        file.digested = bool(headers.get("x-ms-blob-content-md5") or headers.get("content-md5"))
        file.content_type = headers.get("content-type", file.content_type)
        file.created = http_date(headers["x-ms-creation-time"]) if "x-ms-creation-time" in headers else file.created
        data = self._answer.received()
        file.data = data if data is not None else file.data

    def blob_written(self, container: str, name: str) -> None:
        """Take a blob that was written, or its metadata."""
        file = self._file(container, name)
        if file is None:
            return
        headers, prefix = self._answer.sent_headers, "x-ms-meta-"
        file.metadata |= {
            key.removeprefix(prefix): self._text(value) for key, value in headers.items() if key.startswith(prefix)
        }
        if self._answer.query.startswith("comp="):
            return
        data = self._answer.written()
        file.data = data if data is not None else file.data

    def blobs(self, container: str) -> None:
        """Take a listing: kinds and times of blobs, not their bytes."""
        for entry in ElementTree.fromstring(self._answer.text()).iterfind("Blobs/Blob"):  # noqa: S314 the user's own file
            file = self._file(container, entry.findtext("Name") or "")
            if file is not None:
                file.append = entry.findtext("Properties/BlobType") == "AppendBlob"
                file.digested = bool(entry.findtext("Properties/Content-MD5"))
                file.created = http_date(entry.findtext("Properties/Creation-Time") or "")

    def _file(self, container: str, name: str) -> File | None:
        container = self._text(container)
        if container != "azureml" and not container.startswith("azureml-blobstore-"):
            self.leave("blobs of containers that are no datastore of the workspace")
            return None
        store = ARTIFACT_STORE if container == "azureml" else BLOB_STORE
        return self._into.files.setdefault((store, self._text(name)), File())


_VERSIONED = "codes|environments|components|data|models"
_CONTENT: Sequence[tuple[str, Callable[..., None]]] = [
    (r"(?:GET|PUT) arm /jobs/[^/]+", _Reader.job),
    (r"GET arm /jobs", _Reader.jobs),
    (r"GET history /runs/[^/]+", _Reader.run),
    (r"PATCH history /(?:experimentids/[^/]+/)?runs/[^/]+(?:/modify)?", _Reader.run),
    (r"GET history /runs/[^/]+/children", _Reader.children),
    (r"GET history /runs/([^/]+)/details", _Reader.details),
    (r"POST history /rundata", _Reader.run_data),
    (r"POST mlflow /api/2.0/mlflow/runs/create", _Reader.tracked),
    (r"POST mlflow /api/2.0/mlflow/runs/update", _Reader.tracked_end),
    (r"POST index /entities", _Reader.entities),
    (r"POST metric /runs/[^/]+/lastvalues", _Reader.metrics),
    (r"POST artifact /artifacts/register", _Reader.registered),
    (rf"(?:GET|PUT) arm /({_VERSIONED})/[^/]+/versions/[^/]+", _Reader.asset),
    (rf"GET arm /({_VERSIONED})(?:/[^/]+/versions)?", _Reader.assets),
    (r"(?:GET|PUT) arm /(datastores|computes)/[^/]+", _Reader.unversioned),
    (r"GET arm /(datastores|computes)", _Reader.unversioned_page),
    (r"GET blob /([^/]+)/(.+)", _Reader.blob),
    (r"PUT blob /([^/]+)/(.+)", _Reader.blob_written),
    (r"GET blob /([^/]+)", _Reader.blobs),
]
"""Pattern of a route to the method that takes its answers. Only answers below 300 are taken."""

_NO_CONTENT: Sequence[tuple[str, str]] = [
    (r"[45]\d\d ", "errors: they tell of the service, not of a workspace"),
    (r"\d+ (?:HEAD|DELETE) ", "answers without a body to HEAD and DELETE"),
    (r"\d+ POST arm /datastores/[^/]+/listSecrets", "account keys: the sandbox has its own"),
    (r"\d+ (?:GET|PATCH|DELETE) arm /$", "workspace documents: the sandbox describes its own"),
    (r"\d+ POST arm /(?:jobs/[^/]+/cancel|computes/[^/]+/st\w+)", "orders to cancel, start or stop"),
    (r"\d+ \w+ management\.azure\.com ", "operations under way, deployments and resources beside the workspace"),
    (r"\d+ \w+ arm /schedules", "schedules: the sandbox keeps none"),
    (r"\d+ \w+ arm /batchEndpoints", "batch endpoints: the sandbox keeps none"),
    (r"\d+ \w+ \S+\.inference\.ml\.azure\.com ", "a batch endpoint's own job model"),
    (r"\d+ \w+ flow ", "promptflow's own service"),
    (r"\d+ GET \S+ /discovery", "discovery: the sandbox answers for itself"),
    (r"\d+ POST data /dataversion/batchGetResolvedUris", "resolved asset addresses: derived from runs and data assets"),
    (r"\d+ POST execution ", "the zip of a local run"),
    (r"", "answers that the loader does not know"),
]
