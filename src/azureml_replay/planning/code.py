"""Finds the code that a run was submitted with (pure)."""

from __future__ import annotations

from azureml_replay.model import CodeReference, Job, Run


def code_of(run: Run, job: Job | None) -> CodeReference | None:
    """The asset that the job names, and the snapshot that the run names: either may lead to the code."""
    asset = job.code if job else None
    if asset is None:
        return run.code
    return CodeReference(asset=asset, snapshot=run.code.snapshot if run.code else None)
