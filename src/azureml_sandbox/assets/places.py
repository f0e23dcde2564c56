"""Places of data: account, container and path behind the URIs of the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from azureml_sandbox.storage.storage import SUFFIX
from azureml_sandbox.world import Workspace, World

_DATASTORE = re.compile(
    r"azureml://(?:subscriptions/.+/)?datastores/([^/]+)/(?:paths/)?(.*)", re.IGNORECASE | re.DOTALL
)
_ASSET = re.compile(r"(?:azureml:)?/subscriptions/.+/data/([^/]+)/versions/([^/]+)", re.IGNORECASE)
_MODEL = re.compile(r"(?:azureml:)?/subscriptions/.+/models/([^/]+)/versions/([^/]+)", re.IGNORECASE)
_NAMED = re.compile(r"azureml:([^:/@]+):([^:/]+)")


class Unreadable(Exception):
    """Data that cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A blob, or all blobs below a path."""

    account: str
    container: str
    path: str

    @property
    def below(self) -> str:
        """The prefix of everything in this folder."""
        return f"{self.path.rstrip('/')}/" if self.path.strip("/") else ""


def place(world: World, workspace: Workspace, uri: str) -> Place:
    """The place of a URI: a datastore path in short or long form, the id of a data asset or model, or a blob's URL.

    Raises:
        Unreadable: the datastore or asset does not exist, or the URI has another form.
    """
    if (behind := resolved(world, workspace, uri)) != uri:
        return place(world, workspace, behind)
    if match := _DATASTORE.fullmatch(uri):
        return Place(*_datastore(world, workspace, match[1]), match[2])
    if uri.startswith("https://"):
        parts = urlsplit(uri)
        container, _, path = unquote(parts.path).lstrip("/").partition("/")
        return Place(str(parts.hostname).removesuffix(SUFFIX), container, path)
    raise Unreadable(f"{uri} is no URI that can be read here")


def resolved(world: World, workspace: Workspace, uri: str) -> str:
    """The URI behind the id of a data asset or model; any other as it is. Raises Unreadable where there is none."""
    if named := _ASSET.fullmatch(uri) or _NAMED.fullmatch(uri):
        return _asset_uri(world, workspace, named[1], named[2])
    if named := _MODEL.fullmatch(uri):
        return _model_uri(world, workspace, named[1], named[2])
    return uri


def long_uri(workspace: Workspace, uri: str) -> str:
    """A datastore path in the long form in which the service answers it, `resourcegroups` in lower case (recorded)."""
    if not uri.startswith("azureml://datastores/"):
        return uri
    group = f"subscriptions/{workspace.subscription_id}/resourcegroups/{workspace.resource_group}"
    return f"azureml://{group}/workspaces/{workspace.name}/{uri.removeprefix('azureml://')}"


def short_scope(workspace: Workspace, uri: str) -> str:
    """A long URI of this workspace as lists of data answer it; any other as it is (recorded: data-archive-restore)."""
    long = long_uri(workspace, "azureml://datastores/")
    if not uri.lower().startswith(long.lower()):
        return uri
    return f"azureml://workspaces/{workspace.guid}/datastores/{uri[len(long) :]}"


def _asset_uri(world: World, workspace: Workspace, name: str, version: str) -> str:
    asset = world.assets.get(workspace.guid, "data", name, version)
    if asset is None:
        raise Unreadable(f"Data version {name}:{version} (dataContainerName:version) not found.")
    return str(asset["properties"]["dataUri"])


def _model_uri(world: World, workspace: Workspace, name: str, version: str) -> str:
    asset = world.assets.get(workspace.guid, "models", name, version)
    if asset is None:
        raise Unreadable(f"Model version {name}:{version} not found.")
    return str(asset["properties"]["modelUri"])


def _datastore(world: World, workspace: Workspace, name: str) -> tuple[str, str]:
    own = workspace.containers
    if name in own:
        return workspace.account, own[name]
    known = world.assets.get(workspace.guid, "datastores", name)
    if known is None or known["properties"].get("datastoreType") != "AzureBlob":
        raise Unreadable(f"Could not find datastore: {name}.")
    return known["properties"]["accountName"], known["properties"]["containerName"]
