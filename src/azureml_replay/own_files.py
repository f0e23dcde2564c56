"""The files that we make for a run, below `replay/`: its code, how it was defined, what did not fit (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from azureml_replay.code import code_of
from azureml_replay.fitting import CODE_FILE, JOB_FILE, OVERFLOW_FILE, Fitting
from azureml_replay.model import Job, Json, Run, RunDetails, RunId
from azureml_replay.recorded import Recorded

NO_CODE = "code: left out (no --code)"


def code_file(recorded: Recorded, run: Run, job: Job | None, fitting: Fitting) -> Iterator[str]:
    """The path of the code's zip, where the archive holds it."""
    reference = code_of(run, job)
    if reference is None:
        return
    held = recorded.code(reference)
    if held is None:
        fitting.omit("code snapshot", NO_CODE)
    elif isinstance(held, str):
        fitting.omit("code snapshot", f"code could not be read: {held}")
    else:
        yield CODE_FILE


def own_files(details: RunDetails, job: Job | None, *, overflow: bool) -> Iterator[str]:
    """The paths of the others."""
    told = (details.definition, details.specification, details.run.warnings, details.more or None)
    if job is not None or any(part is not None for part in told):
        yield JOB_FILE
    if overflow:
        yield OVERFLOW_FILE


def job_document(recorded: Recorded, run: RunId) -> Json:
    """What `replay/job.json` holds: ARM's document for a root job, and run history's definition of any run.

    With what a run can be given by no repeatable request: its warnings, and what is not known yet.
    """
    details, job = recorded.details(run), recorded.job(run)
    said = {"warnings": details.run.warnings, "more": details.more} if details else {}
    return {
        "job": job.document if job else None,
        "definition": details.definition if details else None,
        "specification": details.specification if details else None,
        **{name: value for name, value in said.items() if value},
    }
