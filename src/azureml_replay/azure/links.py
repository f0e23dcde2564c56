"""Links to Studio, where people look at runs (pure)."""

from __future__ import annotations

from urllib.parse import quote

from azureml_replay.azure.place import names_of
from azureml_replay.model import RunId
from azureml_replay.workspace.place import Place


def run_url(address: str, workspace: Place, run: RunId) -> str:
    """A run's page, spelt as the service's own job documents spell it (responses.md 1.1).

    `address` is what the workspace's discovery names, so that other clouds and private front doors lead home.
    """
    names = [quote(name, safe="") for name in names_of(workspace)]
    wsid = "/subscriptions/{}/resourcegroups/{}/workspaces/{}".format(*names)
    return f"{address}/runs/{quote(run, safe='')}?wsid={wsid}"
