"""Which code a run was submitted with (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_replay.model import CodeReference, Job, Json, Run

SNAPSHOT = "ContentSnapshotId"
"""The property of every run that has code (responses.md 2.2): a snapshot of the content service."""


def code_of(run: Run, job: Job | None) -> CodeReference | None:
    """What the job's document names (command, spark; a sweep's trial), and the snapshot of the run's properties."""
    asset = _asset(job.document) if job else None
    snapshot = run.properties.get(SNAPSHOT)
    return CodeReference(asset=asset, snapshot=snapshot) if asset or snapshot else None


def _asset(document: Json) -> str | None:
    properties = document.get("properties") if isinstance(document, Mapping) else None
    if not isinstance(properties, Mapping):
        return None
    trial = properties.get("trial")
    for holder in (properties, trial):
        code = holder.get("codeId") if isinstance(holder, Mapping) else None
        if isinstance(code, str) and code.startswith("/subscriptions/"):
            return code
    return None
