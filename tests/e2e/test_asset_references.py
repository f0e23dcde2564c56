"""What runs say of assets in the target: inputs and outputs, and what became of each reference."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

from azure.ai.ml import Input, Output
from azure.ai.ml.entities import Data, Model

from azureml_replay.azure.workspace import connect
from azureml_replay.direct.options import AssetsSent
from azureml_replay.model import Location
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import client_of
from e2e.library import FastClock, configured, migrated
from e2e.test_assets import token
from sandbox.conftest import plane
from sandbox.jobs import Jobs, jobs, shell
from sandbox.plane import Plane
from sandbox.test_models import flavoured

__all__ = ["jobs", "plane"]


def shown(plane: Plane, run: str) -> Any:
    return plane.post("/rundata", runId=run, selectRunMetadata=True)["runMetadata"]


async def document(workspace: WorkspaceFile, run: str) -> Any:
    """What a file of ours says of a run's references."""
    async with connect(configured(workspace), clock=FastClock()) as opened:
        place = Location("workspaceartifactstore", f"ExperimentRun/dcid.{run}/replay/assets.json")
        return json.loads(b"".join([piece async for piece in opened.read(place)]))


def places(plane: Plane, run: Any) -> dict[str, Any]:
    """Type and place of what stands for each input and output, but for the run's own files: as clients ask for them."""
    named = {**run["inputs"], **run["outputs"]}
    values = {"values": [one["assetId"] for name, one in named.items() if name != "default"]}
    found = {
        **plane.document("data", "POST", "/dataversion/batchGetResolvedUris", body=values)["values"],
        **plane.document("modelregistry", "POST", "/models/batchGetResolvedUris", body=values)["values"],
    }
    told = {one["assetId"]: name for name, one in named.items()}
    return {told[key]: (one["type"], _below(one.get("uri") or one["path"])) for key, one in found.items()}


def _below(uri: str) -> str:
    return uri.partition("/datastores/")[2] or uri


def scope_of(plane: Plane) -> str:
    """How runs of a workspace begin the names of assets."""
    return f"azureml://locations/{plane.arm('')['location']}/workspaces/{plane.properties['workspaceId']}"


def test_inputs_and_outputs_name_the_assets_of_the_target(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Microsoft's client finds the bytes of an output by them; a file says of each reference what became of it.

    Where the data is made by a later call, what the run says of it changes then; a further call writes nothing.
    """
    there = jobs.plane
    (tmp_path / "numbers.csv").write_text("1,2")
    numbers = Data(name="numbers", version="1", type="uri_file", path=str(tmp_path / "numbers.csv"))
    jobs.client.data.create_or_update(numbers)
    jobs.client.models.create_or_update(Model(name="disk", version="1", path=str(flavoured(tmp_path / "saved"))))
    line = "echo 12345 > ${{outputs.model}}/m.bin; echo 6 > ${{outputs.net}}/n.bin"
    wanted = {
        "d": Input(type="uri_file", path="azureml:numbers:1"),
        "web": Input(type="uri_file", path="https://example.org/a/b.csv", mode="direct"),
        "m": Input(type="custom_model", path="azureml:disk:1"),
    }
    made = {"model": Output(type="uri_folder"), "net": Output(type="custom_model")}
    ended = jobs.run(shell(line, outputs=made, inputs=wanted))
    run = ended["runId"]
    assert ended["status"] == "Completed"
    named = f"{scope_of(there)}/data/numbers/versions/1"
    there.put("direct", inputs={"d": {"assetId": named, "type": "UriFile"}}, status="Completed")
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    go = partial(migrated, there.workspace, target, folder)
    refused = {"workspace": target.workspace_name, "method": "PUT", "path": "/data/"}

    sandbox.set_faults([{"match": refused, "do": "status", "status": 403}])
    failed = asyncio.run(go())
    before = shown(Plane(target, token()), "direct")
    sandbox.set_faults()
    done, again = asyncio.run(go()), asyncio.run(go())

    scope, source_scope = (scope_of(side) for side in (Plane(target, token()), there))
    after, source = shown(Plane(target, token()), run), shown(there, run)
    direct = shown(Plane(target, token()), "direct")["inputs"]["d"]["assetId"]
    assert [str(one).partition(":")[0] for one, _ in failed.replayed.assets.failed] == ["data numbers"]
    assert before["inputs"]["d"]["assetId"] == named, "the source's, while the target has none"
    assert (done.verdict.findings, done.replayed.assets.failed, again.replayed.assets) == (0, (), AssetsSent())
    assert again.replayed.runs == again.replayed.files == again.verdict.findings == 0
    for side in ("inputs", "outputs"):
        for name, one in source[side].items():
            moved = one["assetId"].replace(source_scope, scope) if name != "default" else one["assetId"]
            assert after[side][name] == one | {"assetId": moved}, name
    assert {**source["inputs"], **source["outputs"]}.keys() == {"d", "web", "m", "default", "model", "net"}
    assert places(there, source) == places(Plane(target, token()), after)
    told = {one["where"]: one for one in asyncio.run(document(target, run))["references"]}
    assert direct == f"{scope}/data/numbers/versions/1"
    assert asyncio.run(document(target, "direct"))["references"][0]["target"] == direct
    assert told["outputs.model.uri"]["became"] == "there"
    assert {one["became"] for one in told.values()} == {"there", "stays"}
    client_of(target).jobs.download(run, download_path=str(tmp_path / "down"), output_name="model")
    assert next((tmp_path / "down").rglob("m.bin")).read_bytes() == b"12345\n"
