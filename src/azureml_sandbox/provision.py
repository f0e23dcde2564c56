"""New workspaces: their containers, their entry in the world, and the file `<name>.json` that names them to clients."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

from azureml_sandbox.protocol.login import Login
from azureml_sandbox.storage.storage import Storage
from azureml_sandbox.world import Workspace, World

REGIONS = ("westeurope", "eastus2", "northeurope", "southcentralus")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,32}\Z")


class Unusable(ValueError):
    """The workspace cannot be added; the message is one line that says why."""


def check(name: str, tenant_id: str | None) -> None:
    """Raises Unusable for a name that the service refuses, or a tenant that is not a guid."""
    if not _NAME.match(name):
        raise Unusable(f"workspace name {name!r}: expected 3 to 33 letters, digits, - or _, a letter or digit first")
    if tenant_id is not None:
        try:
            uuid.UUID(tenant_id)
        except ValueError as error:
            raise Unusable(f"tenant {tenant_id!r} of workspace {name}: expected a guid") from error


async def add_workspace(
    name: str, tenant_id: str | None = None, *, folder: Path, world: World, storage: Storage, login: Login
) -> Workspace:
    """Make a workspace with its own subscription and account; regions take turns. Writes `folder/<name>.json`.

    Raises:
        Unusable: the name is taken or malformed, or no account is left.
    """
    check(name, tenant_id)
    known = world.workspaces()
    if any(each.name.lower() == name.lower() for each in known):
        raise Unusable(f"workspace {name} exists already: choose another name")
    workspace = Workspace(
        name=name,
        subscription_id=str(uuid.uuid4()),
        resource_group=f"rg-{name}",
        region=REGIONS[len(known) % len(REGIONS)],
        tenant_id=(tenant_id or login.principal.tenant_id).lower(),
        guid=str(uuid.uuid4()),
        account=_free_account(storage, {each.account for each in known}),
    )
    for container in workspace.containers.values():
        await storage.create_container(workspace.account, container)
    world.add_workspace(workspace)
    login.tenants.add(workspace.tenant_id)
    write_file(folder, workspace)
    return workspace


def write_file(folder: Path, workspace: Workspace) -> Path:
    """Write `folder/<name>.json`: the keys of Studio's config.json, and the tenant."""
    file = folder / f"{workspace.name}.json"
    file.write_text(json.dumps(document(workspace), indent=2) + "\n")
    return file


def document(workspace: Workspace) -> dict[str, Any]:
    """The content of `<name>.json`."""
    return {
        "subscription_id": workspace.subscription_id,
        "resource_group": workspace.resource_group,
        "workspace_name": workspace.name,
        "tenant_id": workspace.tenant_id,
    }


def _free_account(storage: Storage, taken: set[str]) -> str:
    for account in storage.accounts:
        if account not in taken:
            return account
    raise Unusable(f"all {len(taken)} storage accounts of this sandbox are taken: start another sandbox in another DIR")
