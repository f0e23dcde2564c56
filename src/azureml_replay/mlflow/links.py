"""Makes links to the pages of an MLflow server (pure)."""

from __future__ import annotations

from urllib.parse import quote

from azureml_replay.mlflow.place import address_of, workspace_of
from azureml_replay.model import RunId
from azureml_replay.workspace.place import Place


def run_url(server: Place, run: RunId) -> str | None:
    """The URL of a run's page; None on a workspace of a server, of which no page's address is known.

    By the run alone: such a page, which 2.9 to 3.17 have, finds the run's experiment.
    """
    return None if workspace_of(server) else f"{address_of(server)}/#/runs/{quote(run, safe='')}"


def server_url(server: Place) -> str | None:
    """The URL of the first page; None as `run_url`. Older servers have no other list of experiments."""
    return None if workspace_of(server) else f"{address_of(server)}/#/"
