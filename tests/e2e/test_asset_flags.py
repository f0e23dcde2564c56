"""Which assets are chosen by name, which bytes of data and of outputs go along, and what is told of the rest."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from azure.ai.ml import Output
from azure.ai.ml.entities import Data, Model

import azureml_replay as library
from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire.places import ARTIFACT_STORE
from azureml_replay.azure.workspace import connect
from azureml_replay.direct.options import AssetsSent, Replayed, ReplayOptions
from azureml_replay.errors import UserError
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.model import Location, RunId
from azureml_replay.planning.assets import (
    FILE_TOO_LARGE,
    NO_ASSETS,
    NOT_LISTED,
    REFERENCE_ONLY,
    TOO_LARGE,
    AssetChoice,
    AssetData,
    AssetName,
    AssetScope,
    OutputBytes,
)
from azureml_replay.planning.files import OVER_BUDGET, FileChoice
from azureml_replay.planning.fit import ASSETS_FILE
from azureml_replay.planning.summary import PlanSummary
from azureml_replay.verbs import MigrateOptions, verify
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import client_of, small
from e2e.library import FastClock, configured, migrated
from e2e.test_assets import called, token
from e2e.test_named_outputs import bytes_of
from sandbox.conftest import plane
from sandbox.jobs import API, Jobs, jobs, shell
from sandbox.plane import Plane
from sandbox.test_models import flavoured

__all__ = ["jobs", "plane"]

TABLE = AssetChoice(scope=AssetScope.NAMED, names=(AssetName("table"),))
WITH_BYTES = replace(TABLE, data=AssetData.WORKSPACE)


def options(choice: AssetChoice, extracting: AssetChoice | None = None) -> MigrateOptions:
    """The same for both, unless told otherwise."""
    return MigrateOptions(
        extract=ExtractOptions(assets=extracting or choice), replay=ReplayOptions(assets=choice), deep=True
    )


def planned(folder: Path, target: WorkspaceFile, choice: AssetChoice) -> PlanSummary:
    with Archive.open(folder, write=False) as archive:
        return library.dry_run(archive, configured(target).ref, options=ReplayOptions(assets=choice))


def test_assets_are_chosen_by_name_and_data_brings_its_bytes_where_asked(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Named ones alone are made; a second call that asks for the bytes brings them; a third without leaves them.

    Verify compares them from then on. What is too large is a reference, and told by plan and verify alike.
    """
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "a.csv").write_text("1,2")
    client_of(plane.workspace).data.create_or_update(
        Data(name="table", version="1", type="uri_folder", path=str(tmp_path / "table"))
    )
    small(plane)
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    run = partial(migrated, plane.workspace, target, folder)

    bare = asyncio.run(run(options=options(TABLE)))
    unlisted = asyncio.run(run(options=options(WITH_BYTES, extracting=TABLE)))
    whole = asyncio.run(run(options=options(WITH_BYTES)))
    again = asyncio.run(run(options=options(TABLE)))

    path = plane.arm("/data/table/versions/1")["properties"]["dataUri"].partition("/paths/")[2]
    there = Plane(target, token())
    assert there.arm("/data/table/versions/1")["properties"]["dataUri"].endswith(path)
    assert there("arm", "GET", "/data/numbers/versions/1", API).status_code == 404
    assert (bare.replayed.assets.made, bare.replayed.assets.files, bare.verdict.assets_equal) == (1, 0, 1)
    assert unlisted.verdict.reasons.get(NOT_LISTED) == 1
    assert (whole.replayed.assets.made, whole.replayed.assets.files, whole.verdict.findings) == (0, 1, 0)
    assert NOT_LISTED not in whole.verdict.reasons
    assert again.replayed.assets == AssetsSent()
    assert asyncio.run(bytes_of(target, f"{path}a.csv")) == b"1,2"
    lost(there, f"{path}a.csv")
    absent = asyncio.run(called(target, folder, verify))
    assert [one.what for one in absent.first] == ["data table:1: file a.csv"]
    not_too_large(plane.workspace, sandbox.add_workspace(), folder)


def not_too_large(source: WorkspaceFile, target: WorkspaceFile, folder: Path) -> None:
    """Three bytes where two are the most."""
    few = replace(WITH_BYTES, most_bytes=2)
    before = planned(folder, target, few)
    done = asyncio.run(migrated(source, target, folder, options=options(few)))
    after = planned(folder, target, few)
    assert (done.replayed.assets.made, done.replayed.assets.files) == (1, 0)
    assert before.reasons[TOO_LARGE] == after.reasons[TOO_LARGE] == done.verdict.reasons[TOO_LARGE] == 1
    assert before.assets
    assert before.assets.files == 0


def lost(plane: Plane, path: str) -> None:
    """Somebody removes a blob of the workspace's blob store."""

    async def remove() -> None:
        async with connect(configured(plane.workspace), clock=FastClock()) as opened:
            await opened._storage.remove(Location("workspaceblobstore", path))

    asyncio.run(remove())


def test_a_name_that_is_none_stops_everything(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """At the source before anything is extracted, in an archive before anything is planned or written."""
    small(plane)
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    nobody = AssetChoice(scope=AssetScope.NAMED, names=(AssetName("own", "7"),))

    with pytest.raises(UserError, match=r"--asset own:7: .* has no such asset: nothing was extracted"):
        asyncio.run(migrated(plane.workspace, target, folder, options=options(nobody)))
    with Archive.open(folder, write=False) as archive:
        assert archive.totals().runs == 0
    asyncio.run(migrated(plane.workspace, target, folder, options=options(NO_ASSETS)))
    with pytest.raises(UserError, match=r"--asset own:7: archive .* holds no such asset"):
        planned(folder, target, nobody)


def test_what_cannot_be_had_is_counted_whatever_is_chosen(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """Data that a run names and that is no more: plan, verify and replay have one omission, without assets too."""
    guid = plane.properties["workspaceId"]
    gone = f"azureml://locations/westeurope/workspaces/{guid}/data/gone/versions/1"
    plane.put("trained", inputs={"d": {"assetId": gone, "type": "UriFile"}}, status="Completed")
    target, folder = sandbox.add_workspace(), tmp_path / "archive"

    done = asyncio.run(migrated(plane.workspace, target, folder, options=options(NO_ASSETS, extracting=AssetChoice())))

    reason = "the workspace has none of that name and version"
    assert planned(folder, target, NO_ASSETS).reasons[reason] == done.verdict.reasons[reason] == 1
    with Archive.open(folder, write=False) as archive:
        assert archive.asset_uses(RunId("trained"))


def test_named_outputs_are_files_of_their_run_under_its_flags(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A reference without bytes, a size, a budget: each an omission in plan and verify; later the bytes come.

    Data or a model; what was made without them stays this archive's own, and runs say so.
    """
    line = "echo 12345 > ${{outputs.model}}/m.bin; echo 12345 > ${{outputs.own}}/m.bin"
    outputs = {"model": Output(type="uri_folder"), "own": Output(type="custom_model")}
    run = jobs.run(shell(line, outputs=outputs))["runId"]
    source, folder = jobs.plane.workspace, tmp_path / "archive"
    cases = {
        REFERENCE_ONLY: ReplayOptions(assets=AssetChoice(outputs=OutputBytes.REFERENCE)),
        FILE_TOO_LARGE: ReplayOptions(files=FileChoice(most_bytes=5)),
        OVER_BUDGET: ReplayOptions(files=FileChoice(budget=5)),
    }
    for reason, chosen in cases.items():
        target = sandbox.add_workspace()
        there = Plane(target, token())
        done = asyncio.run(migrated(source, target, folder, options=MigrateOptions(replay=chosen)))
        with Archive.open(folder, write=False) as archive:
            told = library.dry_run(archive, configured(target).ref, options=chosen)
        made = there("arm", "GET", f"/data/azureml_{run}_output_data_model/versions/1", API)
        assert (made.status_code == 200) is (reason == REFERENCE_ONLY)
        assert told.reasons[reason] == done.verdict.reasons[reason] == 2, reason
        assert (done.verdict.findings, done.replayed.assets.files) == (0, 0)
        whole = asyncio.run(migrated(source, target, folder, options=MigrateOptions(deep=True)))
        sent = whole.replayed.assets
        assert (whole.verdict.findings, sent.files, sent.adopted, reason in whole.verdict.reasons) == (0, 2, 0, False)
        for name in outputs:
            assert asyncio.run(bytes_of(target, f"azureml/{run}/{name}/m.bin")) == b"12345\n"
        became = json.loads(asyncio.run(bytes_of(target, f"ExperimentRun/dcid.{run}/{ASSETS_FILE}", ARTIFACT_STORE)))
        assert {one["became"] for one in became["references"] if "asset" in one} == {"there"}
    target = sandbox.add_workspace()
    asyncio.run(migrated(source, target, folder, options=MigrateOptions(replay=cases[REFERENCE_ONLY])))
    late = asyncio.run(migrated(source, target, tmp_path / "other"))
    assert (late.verdict.findings, late.replayed.assets.files) == (0, 2), "what another archive made without them"


def test_a_downloaded_archive_has_the_files_of_assets(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Models from disk arrive out of the archive alone, without the source; a second extraction fetches nothing."""
    client_of(plane.workspace).models.create_or_update(
        Model(name="disk", version="1", path=str(flavoured(tmp_path / "saved")), type="custom_model")
    )
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    everything = AssetChoice(scope=AssetScope.ALL)
    kept = ExtractOptions(assets=everything, download=True)

    async def brought() -> list[int]:
        counts = []
        async with connect(configured(plane.workspace), clock=FastClock()) as reading:
            for _ in range(2):
                with Archive.create(folder, reading.ref) as archive:
                    counts.append((await library.extract(reading, archive, options=kept)).kept)
        return counts

    async def sent() -> Replayed:
        async with connect(configured(target), clock=FastClock()) as writing:
            with Archive.open(folder) as archive:
                return await library.replay(archive, None, writing, options=ReplayOptions(assets=everything))

    assert asyncio.run(brought()) == [2, 0]
    with Archive.open(folder, write=False) as archive:
        assert archive.lacking_asset_files() == []
    done = asyncio.run(sent())
    assert (done.assets.made, done.assets.files, done.assets.failed) == (1, 2, ())
    client_of(target).models.download("disk", version="1", download_path=str(tmp_path / "down"))
    assert next((tmp_path / "down").rglob("data.bin")).read_bytes() == b"weights"
