"""Assets take few requests: counted against the fewest that can do it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import SHORT
from e2e.library import migrated
from e2e.test_asset_names import say
from e2e.test_assets import EVERYTHING, KINDS
from sandbox.conftest import plane
from sandbox.plane import Plane
from sandbox.test_models import of_run

__all__ = ["plane"]
NAMES = {"models": 3, "data": 4, "environments": 2}
VERSIONS = 4
ALLOWED = 1.1


def fill(plane: Plane) -> None:
    """Models of one run, data and environments; two names that say something, one version that is archived."""
    uri = of_run(plane, "trained")
    plane.put("trained", status="Completed")
    of_kind = {
        "models": {"modelType": "mlflow_model", "modelUri": uri},
        "data": {"dataType": "uri_file", "dataUri": f"{SHORT}numbers.csv"},
        "environments": {"image": "ubuntu"},
    }
    for kind, names in NAMES.items():
        for name in (f"{kind}/n{number}" for number in range(names)):
            for version in range(1, VERSIONS + 1):
                say(plane, f"{name}/versions/{version}", **of_kind[kind])
    say(plane, "models/n0/versions/2", **of_kind["models"], isArchived=True)
    say(plane, "models/n0", description="churn")
    say(plane, "environments/n1", tags={"team": "a"})


def counted(sandbox: Sandbox, workspace: WorkspaceFile, *, writes: bool = False) -> int:
    """Requests for assets of a workspace since the last reset; or its writes of any kind."""
    here = [one for one in sandbox.requests()["routes"] if one["workspace"] == workspace.workspace_name]
    kinds = tuple(f"/{kind}" for kind in KINDS.split("|"))
    of_assets = [one for one in here if any(f"{kind}{end}" in f"{one['route']}/" for kind in kinds for end in "/?")]
    return sum(one["count"] for one in ([one for one in here if one["effect"] == "write"] if writes else of_assets))


def test_assets_take_few_requests(plane: Plane, calm: Sandbox, tmp_path: Path) -> None:
    """Each is asked for once, made by one write, and compared by one more read; again nothing is written."""
    fill(plane)
    source, target = plane.workspace, calm.add_workspace()
    calm.reset_requests()

    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=EVERYTHING))
    read, made = counted(calm, source), counted(calm, target)
    calm.reset_requests()
    again = asyncio.run(migrated(source, target, tmp_path / "archive", options=EVERYTHING))

    names, assets = sum(NAMES.values()), sum(NAMES.values()) * VERSIONS
    assert (done.verdict.findings, done.verdict.assets_equal, again.verdict.assets_equal) == (0, assets, assets)
    lists = len(KINDS.split("|")) + names
    assert lists <= read <= lists * ALLOWED, "a list of each kind, and one of each name"
    archived, described = 1, 2
    floor = assets * 3 + archived + described * 3
    assert floor <= made <= floor * ALLOWED, "looked for, made, compared"
    assert counted(calm, target, writes=True) == 0
    assert counted(calm, target) <= (assets + described) * ALLOWED, "compared"
