"""Opens a workspace, for reading and writing, from its name: the name tells of which kind it is."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from azureml_replay.azure import links as azure_links
from azureml_replay.azure.config import KEYS, WorkspaceConfig, config_of_document, workspace_config
from azureml_replay.disk.workspace_file import document_of, is_file_name
from azureml_replay.mlflow import links as mlflow_links
from azureml_replay.mlflow.config import (
    Login,
    ServerConfig,
    config_of_server,
    names_server,
    server_config,
    server_of_document,
)
from azureml_replay.mlflow.place import KIND as MLFLOW

if TYPE_CHECKING:
    from azureml_replay.model import RunId
    from azureml_replay.sending.cap import Cap
    from azureml_replay.workspace.asset import AssetKey
    from azureml_replay.workspace.examined import Subject
    from azureml_replay.workspace.opened import OpenedWorkspace
    from azureml_replay.workspace.place import Place

Config: TypeAlias = WorkspaceConfig | ServerConfig
"""A workspace of whatever kind and how to reach it: `ref` is the place, `origin` what named it."""
Named = str | PathLike[str] | WorkspaceConfig | ServerConfig
"""A workspace's name: the path of Studio's config.json, `subscription/resource-group/name`, an ARM id, or of an MLflow
server the address, or the path of a JSON file with the key `mlflow`."""

_LOGGER = logging.getLogger("azureml_replay")


def config_named(text: str) -> Config:
    """The workspace that a text names. Raises UserError, one line: what was expected, what to do."""
    if names_server(text):
        return server_config(text)
    if not is_file_name(text):
        return workspace_config(text)
    document = document_of(Path(text), KEYS)
    return server_of_document(document, text) if "mlflow" in document else config_of_document(document, text)


def config_of(place: Place, origin: str) -> Config:
    """A workspace that an archive names, with the default login; `origin` is what somebody typed for it."""
    return config_of_server(place) if place.kind == MLFLOW else WorkspaceConfig(place, origin=origin)


def without_secrets(config: Config) -> Config:
    """The same without a login's values: whoever opens it elsewhere finds his own there."""
    return replace(config, login=Login()) if isinstance(config, ServerConfig) else config


def page_of_run(place: Place, studio: str | None, run: RunId) -> str | None:
    """Where people look at a run of a workspace; None where that is not known. `studio` as the archive keeps it."""
    if place.kind == MLFLOW:
        return mlflow_links.run_url(place, run)
    return azure_links.run_url(studio, place, run) if studio else None


def page_of_workspace(place: Place, studio: str | None) -> str | None:
    """The same of the workspace itself."""
    if place.kind == MLFLOW:
        return mlflow_links.server_url(place)
    return azure_links.workspace_url(studio, place) if studio else None


def page_of_asset(place: Place, studio: str | None, key: AssetKey) -> str | None:
    """The same of an asset; None where no such page is known."""
    if place.kind == MLFLOW or not studio:
        return None
    return azure_links.asset_url(studio, place, key)


def name_of_pages(place: Place) -> str:
    """What people call the pages of such a workspace."""
    return "MLflow" if place.kind == MLFLOW else "Studio"


@asynccontextmanager
async def connect(
    workspace: Named,
    *,
    width: int = 32,
    on_throttle: Callable[[str], None] = _LOGGER.warning,
    cap: Cap | None = None,
) -> AsyncIterator[OpenedWorkspace]:
    """Open a workspace, after its name and the login were seen to work; closed at the end.

    `width` is the most requests in flight at one of its services; `on_throttle` gets a line when one throttles.
    `cap` limits the bytes of files, of all workspaces that are opened with it together.
    Raises UserError (no such workspace, login, role), Unavailable.
    """
    config = _configured(workspace)
    if isinstance(config, ServerConfig):
        from azureml_replay.mlflow.target import connect as open_server  # noqa: PLC0415  # 0.2 s of imports

        async with open_server(config, parallel=width, on_throttle=on_throttle, cap=cap) as server:
            yield cast("OpenedWorkspace", server)
        return
    from azureml_replay.azure.workspace import connect as open_azure  # noqa: PLC0415  # as above

    async with open_azure(config, parallel=width, on_throttle=on_throttle, cap=cap) as opened:
        yield opened


@asynccontextmanager
async def examine(workspace: Named, *, on_throttle: Callable[[str], None] = _LOGGER.warning) -> AsyncIterator[Subject]:
    """A workspace for `doctor`; asks nothing yet, so that each step of reaching it can be examined by itself.

    Raises UserError where the chosen login lacks what it needs.
    """
    config = _configured(workspace)
    if isinstance(config, ServerConfig):
        from azureml_replay.mlflow.examined import examined as examined_server  # noqa: PLC0415  # as above

        async with examined_server(config, on_throttle=on_throttle) as server:
            yield server
        return
    from azureml_replay.azure.examined import examined  # noqa: PLC0415  # as above

    async with examined(config, on_throttle=on_throttle) as subject:
        yield subject


def _configured(workspace: Named) -> Config:
    return workspace if isinstance(workspace, WorkspaceConfig | ServerConfig) else config_named(fspath(workspace))
