"""Recorded documents, moved into another workspace: one pure function over strings, applied to whole documents.

Recordings come from many workspaces, and the recorder masked most names (subscription `00000000-…-000000000`, group
and workspace `00000`, generated job names `000000000000000000000`, hashes of uploads `000…`, storage
`fake_account_name`). A client should see one coherent workspace instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from azureml_sandbox.fill.recorded.recordings import Answer, Recording
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.world import Document, Workspace

MASKED_NAME = "0" * 21
UNKNOWN_GUID = "00000000-0000-0000-0000-000000000000"
"""Masked in some answers; in others (snapshotId, principalId) the service's own word for "none"."""

_GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WORKSPACE_GUID = re.compile(
    rf"(?:azureml-blobstore-|locations?/[^/]+/workspaces/|workspaceId/|/mfeOperationResults/\w+:)({_GUID})"
)
_HOST = re.compile(r"https://([\w-]+)\.blob\.core\.windows\.net/(?:azureml/|azureml-blobstore-|fake-container-name)")
_MASKED = re.compile(r"(?<!0)0{21}(?!0)")
_ASSET = re.compile(rf"((?:codes|azureml_anonymous/versions)/){MASKED_NAME}")
_UPLOAD = re.compile(r"((?:LocalUpload|az-ml-artifacts)/)0{21,36}(?=/)")


@dataclass(frozen=True, slots=True)
class _Job:
    """A job of one file; a masked name may stand for several jobs, which differ by their creation."""

    name: str
    created: str | None
    position: int


class Rewriting:
    """Turns the documents of one recording into documents of `workspace`.

    `taken(name, created)` says whether another job already has this name; the job is then called `{name}-{recording}`.
    """

    def __init__(
        self, recording: Recording, workspace: Workspace, taken: Callable[[str, str | None], bool] = lambda *_: False
    ) -> None:
        self._recording, self._workspace = recording, workspace
        self._jobs = _jobs(recording.answers)
        self._names = {job: self._name(job, taken) for job in self._jobs}
        self._plain = self._own_names(str(recording.answers))
        self._rules = _rules(workspace)
        self._by_key = {"subscriptionId": workspace.subscription_id, "resourceGroup": workspace.resource_group}

    def document(self, answer: Answer, document: Any) -> Any:  # noqa: ANN401 JSON
        """The document as the loaded workspace would answer it."""
        return self._walk(document, self._renamed(answer))

    def text(self, answer: Answer, text: str) -> str:
        """A URL or a blob's name, as it is in the loaded workspace."""
        return self._string(text, self._renamed(answer))

    def _name(self, job: _Job, taken: Callable[[str, str | None], bool]) -> str:
        if job.name == MASKED_NAME:
            return f"{self._recording.name}-{job.position}"
        return f"{job.name}-{self._recording.name}" if taken(job.name, job.created) else job.name

    def _own_names(self, everything: str) -> Mapping[str, str]:
        """Names of the recorded workspace's own parts, wherever they stand."""
        accounts = set(_HOST.findall(everything))
        guids = set(_WORKSPACE_GUID.findall(everything)) - {UNKNOWN_GUID}
        return (
            dict.fromkeys(guids, self._workspace.guid)
            | dict.fromkeys(accounts | {"fake_account_name"}, self._workspace.account)
            | {"fake-container-name": f"azureml-blobstore-{self._workspace.guid}"}
        )

    def _renamed(self, answer: Answer) -> Mapping[str, str]:
        job = self._job_of(answer)
        new = {job.name: self._names[job]} if job is not None else {}
        return {MASKED_NAME: f"{self._recording.name}-{answer.position}"} | new

    def _job_of(self, answer: Answer) -> _Job | None:
        """The job that an answer is about: found by its creation, else the last one submitted before the answer."""
        created = _created(answer.body)
        exact = [job for job in self._jobs if job.created == created and created]
        earlier = [job for job in self._jobs if job.position <= answer.position]
        return next(iter(exact or earlier[-1:] or self._jobs), None)

    def _walk(self, value: Any, names: Mapping[str, str], key: str = "") -> Any:  # noqa: ANN401 JSON
        if isinstance(value, str):
            return self._by_key.get(key) or self._string(value, names)
        if isinstance(value, dict):
            return {self._string(inner, names): self._walk(item, names, inner) for inner, item in value.items()}
        if isinstance(value, list):
            return [self._walk(item, names) for item in value]
        return value

    def _string(self, text: str, names: Mapping[str, str]) -> str:
        text = _UPLOAD.sub(rf"\g<1>{UUID(stable_guid(self._recording.name)).hex}", text)
        text = _ASSET.sub(rf"\g<1>{self._recording.name}", text)
        text = _MASKED.sub(names[MASKED_NAME], text)
        for old, new in {**names, **self._plain}.items():
            text = text.replace(old, new)
        for pattern, new in self._rules:
            text = pattern.sub(new, text)
        return text


def _rules(workspace: Workspace) -> Sequence[tuple[re.Pattern[str], str]]:
    """Patterns of addresses, and their replacements. The case of `resourcegroups` stays as it was."""
    subscription, group, name = workspace.subscription_id, workspace.resource_group, workspace.name
    region, guid = workspace.region, workspace.guid
    provider = r"(?:/providers/Microsoft\.MachineLearningServices)?"
    end = r"""[^/"'?&\s,}\\]+"""
    return [
        (re.compile(rf"(?i)(azureml://locations?/){end}(/workspaces/){end}"), rf"\g<1>{region}\g<2>{guid}"),
        (re.compile(rf"(?i)(/resourcegroups/{end}{provider}/workspaces/){end}"), rf"\g<1>{name}"),
        (re.compile(rf"(?i)(subscriptions/){end}"), rf"\g<1>{subscription}"),
        (re.compile(rf"(?i)(/resourcegroups/){end}"), rf"\g<1>{group}"),
        (re.compile(rf"(?i)(\.MachineLearningServices/locations/){end}"), rf"\g<1>{region}"),
        (re.compile(r'("subscription_id\\*":\s*\\*")[^"\\]+'), rf"\g<1>{subscription}"),
        (re.compile(r'("resource_group\\*":\s*\\*")[^"\\]+'), rf"\g<1>{group}"),
        (re.compile(r'("workspace_name\\*":\s*\\*")[^"\\]+'), rf"\g<1>{name}"),
        (re.compile(r"[\w-]+\.(api|experiments)\.azureml(?:-test)?\.(ms|net)"), rf"{region}.\g<1>.azureml.\g<2>"),
    ]


def _jobs(answers: Sequence[Answer]) -> Sequence[_Job]:
    """The jobs that ARM answered with their definition, in the order of their first answer."""
    found: dict[tuple[str, str | None], _Job] = {}
    for answer in answers:
        for document in _job_documents(answer):
            job = _Job(document["name"], _created(document), answer.position)
            found.setdefault((job.name, job.created), job)
    return list(found.values())


def _job_documents(answer: Answer) -> Sequence[Document]:
    method, service, path = answer.route.split(" ", 2)
    if service != "arm" or method == "POST" or not re.fullmatch(r"/jobs(/[^/]+)?", path) or answer.status >= 400:
        return []
    documents = answer.body["value"] if path == "/jobs" else [answer.body]
    return [document for document in documents if document.get("properties")]


def _created(document: object) -> str | None:
    """The creation time of the job or run in this answer, under any of the keys that the services use."""
    if not isinstance(document, dict):
        return None
    document = document.get("runMetadata") or document
    systemic = (document.get("systemData") or {}).get("createdAt")
    found = systemic or document.get("createdUtc") or document.get("createdTimeUtc")
    return str(found) if found else None
