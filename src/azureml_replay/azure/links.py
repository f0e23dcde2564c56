"""Makes links to Studio, where people look at runs (pure)."""

from __future__ import annotations

from urllib.parse import quote

from azureml_replay.azure.place import names_of
from azureml_replay.model import RunId
from azureml_replay.workspace.place import Place


def run_url(address: str, workspace: Place, run: RunId) -> str:
    """The URL of a run's page, as the service's own job documents have it (responses.md 1.1).

    `address` is the one that the workspace's discovery names: other clouds and private links have their own.
    """
    names = [quote(name, safe="") for name in names_of(workspace)]
    wsid = "/subscriptions/{}/resourcegroups/{}/workspaces/{}".format(*names)
    return f"{address}/runs/{quote(run, safe='')}?wsid={wsid}"
