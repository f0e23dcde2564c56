"""Opens a workspace, for reading and writing, from its name."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from os import PathLike, fspath
from typing import TYPE_CHECKING

from azureml_replay.azure.config import WorkspaceConfig, workspace_config

if TYPE_CHECKING:
    from azureml_replay.azure.examined import AzureSubject
    from azureml_replay.azure.workspace import AzureWorkspace
    from azureml_replay.sending.cap import Cap

Named = str | PathLike[str] | WorkspaceConfig
"""A workspace's name: the path of Studio's config.json, `subscription/resource-group/name`, or an ARM id."""

_LOGGER = logging.getLogger("azureml_replay")


@asynccontextmanager
async def connect(
    workspace: Named,
    *,
    width: int = 32,
    on_throttle: Callable[[str], None] = _LOGGER.warning,
    cap: Cap | None = None,
) -> AsyncIterator[AzureWorkspace]:
    """Open a workspace, after its name and the login were seen to work; closed at the end.

    `width` is the most requests in flight at one of its services; `on_throttle` gets a line when one throttles.
    `cap` limits the bytes of files, of all workspaces that are opened with it together.
    Raises UserError (no such workspace, login, role), Unavailable.
    """
    from azureml_replay.azure.workspace import connect as open_azure  # noqa: PLC0415  # 0.2 s of imports

    async with open_azure(_configured(workspace), parallel=width, on_throttle=on_throttle, cap=cap) as opened:
        yield opened


@asynccontextmanager
async def examine(
    workspace: Named, *, on_throttle: Callable[[str], None] = _LOGGER.warning
) -> AsyncIterator[AzureSubject]:
    """A workspace for `doctor`; asks nothing yet, so that each step of reaching it can be examined by itself.

    Raises UserError where the chosen login lacks what it needs.
    """
    from azureml_replay.azure.examined import examined  # noqa: PLC0415  # as above

    async with examined(_configured(workspace), on_throttle=on_throttle) as subject:
        yield subject


def _configured(workspace: Named) -> WorkspaceConfig:
    return workspace if isinstance(workspace, WorkspaceConfig) else workspace_config(fspath(workspace))
