"""What servers answer to writes (pure)."""

from __future__ import annotations

from typing import Any

from azureml_replay.model import RunId
from azureml_replay.workspace.reader import Document, readable, unicode_text

SERVED = "mlflow-artifacts:"
"""How the address of files begins that a server serves itself."""


@readable
def created_experiment(document: Document) -> str:
    """The id of the experiment that `experiments/create` made."""
    return unicode_text(document["experiment_id"])


@readable
def created_run(document: Document) -> RunId:
    """The id of the run that `runs/create` made."""
    info: Any = document["run"]["info"]
    return RunId(unicode_text(info.get("run_id") or info["run_uuid"]))


@readable
def tells_root(document: Document) -> bool:
    """True for an answer with a run that says where its files lie."""
    return bool(document["run"]["info"].get("artifact_uri"))


@readable
def served_root(document: Document) -> str | None:
    """The folder of a run's files, of an answer with a run; None where the server does not serve them."""
    address = unicode_text(document["run"]["info"].get("artifact_uri") or "")
    if not address.startswith(SERVED):
        return None
    path = address.removeprefix(SERVED)
    return path.removeprefix("//").partition("/")[2] if path.startswith("//") else path.strip("/")


def is_closed(code: str, message: str) -> bool:
    """True for the refusal of a write to what is deleted."""
    return code == "INVALID_PARAMETER_VALUE" and "'active' state" in message
