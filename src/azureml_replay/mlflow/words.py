"""MLflow's words for the sender: its errors, and how to log in."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_replay.errors import Remedy
from azureml_replay.mlflow.config import LOGIN_HELP
from azureml_replay.mlflow.wire.decode import ServerProblem, problem


class MlflowWords:
    """The words of MLflow servers."""

    login_help = LOGIN_HELP

    def complaint(self, body: bytes, headers: Mapping[str, str]) -> ServerProblem:  # noqa: ARG002 - the sender's
        """The refusal in an error's body: a server's own, or a page of what stands before it."""
        return problem(body)

    def remedy(self, service: str, method: str, url: str, message: str, *, forbidden: bool) -> Remedy | None:  # noqa: ARG002
        """Where the server lets this login in for nothing, or not for this, whoever runs it has to say so."""
        if not forbidden:
            return None
        wanted = "write" if method in ("PUT", "POST", "DELETE") and not url.endswith(("/search",)) else "read"
        return Remedy(lacking=wanted, said=f"this login may not {wanted} there: {LOGIN_HELP}, of somebody who may")


MLFLOW_WORDS = MlflowWords()
