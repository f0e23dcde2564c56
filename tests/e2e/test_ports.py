"""What stands for inputs and outputs of runs: data and models that nobody named, made by the data plane's routes."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.services.assets import NO_ROUTE
from azureml_replay.direct.options import AssetsSent
from azureml_replay.model import RunId
from azureml_replay.planning.assets import PORT_LEFT
from azureml_replay.selection import Selection
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import SHORT
from e2e.library import DiesAt, PowerCut, configured, migrated
from e2e.test_asset_references import places, scope_of, shown
from e2e.test_assets import token, written
from sandbox.conftest import plane
from sandbox.plane import Plane
from sandbox.test_models import of_run

__all__ = ["plane"]

MAKES = "createUnregistered"
WRITES = f"({MAKES}|batch/runs)"
"""The requests that make them, and those by which runs name them."""


def filled(plane: Plane, run: str = "r1") -> dict[str, dict[str, str]]:
    """A run with one of each; models lie among its own files. The name of an input can be cut at two places."""
    of_run(plane, run)
    flow = f"azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.{run}/model"
    told = {}
    for side, port, kind in (("Input", "d_input_data_2", "data"), ("Output", "o", "data"), ("Input", "m", "models")):
        told[port] = _made(plane, run, side, port, kind, f"{SHORT}{port}" if kind == "data" else flow)
    told["n"] = _made(plane, run, "Output", "n", "models", flow)
    sides = {"inputs": ("d_input_data_2", "m"), "outputs": ("o", "n")}
    named = {side: {port: told[port] for port in ports} for side, ports in sides.items()}
    plane.put(run, **named, status="Completed")
    return named


def _made(plane: Plane, run: str, side: str, port: str, kind: str, uri: str) -> dict[str, str]:
    service, path = ("data", "/dataversion") if kind == "data" else ("modelregistry", "/models")
    wire = "UriFile" if kind == "data" else "CustomModel"
    body = {"runId": run, f"{side.lower()}Name": port, "uri" if kind == "data" else "path": uri, "type": wire}
    answer = plane.document(service, "POST", f"{path}/createUnregistered{side}", body=body)
    asset_id = answer["latestVersion"]["dataVersion"]["assetId"] if kind == "data" else answer["assetId"]
    return {"assetId": asset_id, "type": wire}


def stands_for(folder: Path, target: WorkspaceFile, run: str = "r1") -> str:
    """The run of the target."""
    with Archive.open(folder, write=False) as archive:
        found = archive.ledger(configured(target).ref).stands_for(RunId(run))
    assert found
    return found


def expected(named: dict[str, dict[str, str]], source: Plane, there: Plane, run: str) -> dict[str, Any]:
    """What the run of the target says."""
    scopes = scope_of(source), scope_of(there)

    def moved(asset_id: str) -> str:
        return asset_id.replace(*scopes).replace("_r1_", f"_{run}_")

    return {
        side: {port: one | {"assetId": moved(one["assetId"])} for port, one in ports.items()}
        for side, ports in named.items()
    }


@pytest.mark.parametrize("variants", [(), ("refuse-client-ids",), ("refuse-client-ids", "repeat-outputs")])
def test_ports_are_made_under_the_ids_of_the_target(
    plane: Plane, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, variants: tuple[str, ...]
) -> None:
    """Whichever these are: the run names them, and they lie where the source's do. Again, nothing is written.

    Answers that are lost are no loss: whoever asks again is refused, and looks.
    """
    named, target, folder = filled(plane), calm.add_workspace(), tmp_path / "archive"
    lost = {"match": {"workspace": target.workspace_name, "path": MAKES}, "do": "reset-after", "every": 2}
    calm.set_faults([] if variants else [lost], strict=[f"{one}@{target.workspace_name}" for one in variants])
    there = Plane(target, token())

    done = asyncio.run(migrated(plane.workspace, target, folder))
    before = written(calm, target)
    again = asyncio.run(migrated(plane.workspace, target, folder))

    run = stands_for(folder, target)
    after = shown(there, run)
    assert (run == "r1") is not bool(variants)
    assert (done.verdict.findings, done.verdict.assets_equal, done.replayed.assets.failed) == (0, 4, ())
    assert {side: after[side] for side in named} == expected(named, plane, there, run)
    assert places(there, after) == {
        port: (kind, place.replace("dcid.r1", f"dcid.{run}")) for port, (kind, place) in places(plane, named).items()
    }
    assert (again.verdict.findings, again.replayed.assets, written(calm, target)) == (0, AssetsSent(), before)


def test_a_target_that_makes_none_is_told_of(
    plane: Plane, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """An omission each, once; the run goes on naming the source's."""
    named, target, folder = filled(plane), calm.add_workspace(), tmp_path / "archive"
    calm.set_faults(strict=[f"no-unregistered-assets@{target.workspace_name}"])

    done = asyncio.run(migrated(plane.workspace, target, folder))
    before = written(calm, target)
    again = asyncio.run(migrated(plane.workspace, target, folder))

    after = shown(Plane(target, token()), "r1")
    assert (done.verdict.findings, done.verdict.reasons[NO_ROUTE]) == (0, 4)
    assert {side: after[side] for side in named} == named
    assert (again.verdict.reasons[NO_ROUTE], written(calm, target)) == (4, before)


def test_a_port_of_a_run_that_stays_behind_is_left_out(
    plane: Plane, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A run that takes in another's output, which is not chosen: an omission, until that run comes along."""
    named = filled(plane)
    plane.put("r2", inputs={"x": named["outputs"]["o"]}, status="Completed")
    target, folder = calm.add_workspace(), tmp_path / "archive"
    there = Plane(target, token())

    alone = asyncio.run(migrated(plane.workspace, target, folder, selection=Selection(include=("r2",))))
    before = shown(there, "r2")["inputs"]["x"]
    both = asyncio.run(migrated(plane.workspace, target, folder))

    moved = expected(named, plane, there, "r1")["outputs"]["o"]
    assert (alone.verdict.findings, alone.replayed.assets.failed) == (0, ())
    assert alone.verdict.reasons[PORT_LEFT.format("r1", "output")] == 1
    assert (before, shown(there, "r2")["inputs"]["x"]) == (named["outputs"]["o"], moved)
    assert (both.verdict.findings, PORT_LEFT.format("r1", "output") in both.verdict.reasons) == (0, False)


@pytest.mark.parametrize(
    ("every", "variants"),
    [
        (5, ()),
        pytest.param(1, (), marks=pytest.mark.slow),
        pytest.param(1, ("refuse-client-ids", "repeat-outputs"), marks=pytest.mark.slow),
    ],
    ids=["own ids", "own ids, each", "ids of the target, each"],
)
def test_killed_at_any_of_their_requests_nothing_is_lost_or_there_twice(
    plane: Plane, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, variants: tuple[str, ...], every: int
) -> None:
    """Before and after the delivery of each (or each fifth) request that makes one, or that lets a run name it."""
    named, died, at, ends = filled(plane), True, 2, Counter[bool]()
    while died:
        target, died = calm.add_workspace(), False
        calm.set_faults(strict=[f"{one}@{target.workspace_name}" for one in variants])
        run = partial(migrated, plane.workspace, target, tmp_path / str(at))
        for delivered in (False, True):
            cut = DiesAt(at, delivered=delivered, where=rf"{target.workspace_name}/.*{WRITES}")
            try:
                asyncio.run(run(cut=cut))
            except PowerCut:
                died = True
        done = asyncio.run(run())
        before = written(calm, target)
        again = asyncio.run(run())

        there, mine = Plane(target, token()), stands_for(tmp_path / str(at), target)
        after = shown(there, mine)
        assert (done.verdict.findings, done.verdict.assets_equal, done.replayed.assets.failed) == (0, 4, ()), at
        assert {side: after[side] for side in named} == expected(named, plane, there, mine), at
        assert (again.replayed.assets, written(calm, target)) == (AssetsSent(), before), at
        ends[died] += 1
        at += every
    assert ends[True] > (1 if every > 1 else 5), "it would prove nothing"
