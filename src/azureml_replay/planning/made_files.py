"""Names the files that we make for a run, below `replay/`: its code, its definition, what did not fit (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from azureml_replay.model import Json, RunId
from azureml_replay.planning.fit import ASSETS_FILE, CODE_FILE, JOB_FILE, OVERFLOW_FILE, OWN_FOLDER, Fitting
from azureml_replay.planning.history import History, Recorded
from azureml_replay.planning.references import is_settled

NAMES_FILE = OWN_FOLDER + "names.json"
FILES_FILE = OWN_FOLDER + "files.json"
ROWS_FILE = OWN_FOLDER + "rows.json"
TABLES_FOLDER = OWN_FOLDER + "metrics/"
MADE = (JOB_FILE, OVERFLOW_FILE, CODE_FILE, ASSETS_FILE)
"""Every file that a replay may make for a run of an Azure ML workspace."""
MADE_FOR_PLAIN = (*MADE, NAMES_FILE, FILES_FILE, ROWS_FILE)
"""The same for a plain MLflow server, but for tables and texts among its metrics, which have a file each."""
NO_CODE = "code: left out (no --code)"


def own_files(history: History, fitting: Fitting, *, overflow: bool, more: Iterable[str] = ()) -> Iterator[str]:
    """The paths of the files that we make for a run, `more` among them; notes omissions of code."""
    details = history.details
    told = history.job, details.definition, details.specification, details.run.warnings, details.more or None
    if told != (None,) * 5:
        yield JOB_FILE
    if overflow:
        yield OVERFLOW_FILE
    yield from more
    if is_settled(history.references):
        yield ASSETS_FILE
    if history.code is True:
        yield CODE_FILE
    elif history.code is not None:
        fitting.omit("code snapshot", f"code could not be read: {history.code}" if history.code else NO_CODE)


def job_document(recorded: Recorded, run: RunId) -> Json:
    """The content of `replay/job.json`: ARM's document for a root job, and run history's definition of any run.

    It also has what no repeatable request can write: the run's warnings, and keys that are not known yet.
    """
    details, job = recorded.details(run), recorded.job(run)
    said = {"warnings": details.run.warnings, "more": details.more} if details else {}
    return {
        "job": job.document if job else None,
        "definition": details.definition if details else None,
        "specification": details.specification if details else None,
        **{name: value for name, value in said.items() if value},
    }
