"""Makes links to Studio, where people look at runs (pure)."""

from __future__ import annotations

from urllib.parse import quote

from azureml_replay.azure.place import names_of
from azureml_replay.model import RunId
from azureml_replay.workspace.asset import AssetKey, AssetKind
from azureml_replay.workspace.place import Place


def run_url(address: str, workspace: Place, run: RunId) -> str:
    """The URL of a run's page, as the service's own job documents have it (responses.md 1.1).

    `address` is the one that the workspace's discovery names: other clouds and private links have their own.
    """
    return f"{address}/runs/{quote(run, safe='')}?wsid={_wsid(workspace)}"


def workspace_url(address: str, workspace: Place) -> str:
    """The URL of the workspace's own page; `address` as above."""
    return f"{address}/?wsid={_wsid(workspace)}"


def asset_url(address: str, workspace: Place, key: AssetKey) -> str | None:
    """The URL of an asset's page, as public programs print it; None for kinds of which none was seen."""
    page = _PAGES.get(key.kind)
    if page is None:
        return None
    path = page.format(name=quote(key.name, safe=""), version=quote(key.version, safe=""))
    return f"{address}/{path}?wsid={_wsid(workspace)}"


_PAGES = {
    AssetKind.DATA: "data/{name}/{version}/details",
    AssetKind.ENVIRONMENT: "environments/{name}/version/{version}",
    AssetKind.MODEL: "model/{name}:{version}/details",
}


def _wsid(workspace: Place) -> str:
    names = [quote(name, safe="") for name in names_of(workspace)]
    return "/subscriptions/{}/resourcegroups/{}/workspaces/{}".format(*names)
