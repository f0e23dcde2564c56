"""`--map-datastore A=B`: what lies in one datastore of the source refers to another one of the target."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml.entities import Data

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire.decode_kept import STORE_STAYS
from azureml_replay.cli import run as run_command
from azureml_replay.direct.options import AssetConflict, AssetsSent, ReplayOptions
from azureml_replay.errors import UserError
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.planning.assets import MAPPED_OUTPUT, AssetChoice, AssetData
from azureml_replay.report_page.assets import AssetBook
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions, verify
from azureml_sandbox.server.sandbox import Sandbox
from e2e.assets import client_of
from e2e.library import configured, migrated
from e2e.test_assets import called, token
from e2e.test_kept_documents import stored
from e2e.test_named_outputs import bytes_of
from sandbox.conftest import plane
from sandbox.jobs import API
from sandbox.plane import Plane

__all__ = ["plane"]

OUTPUT = "azureml_trained_output_data_o"


def with_stores(conflict: AssetConflict = AssetConflict.FAIL, **stores: str) -> MigrateOptions:
    """All bytes of data come along."""
    choice = AssetChoice(data=AssetData.ALL, stores=stores)
    return MigrateOptions(
        deep=True,
        extract=ExtractOptions(assets=choice),
        replay=ReplayOptions(assets=choice, on_asset_conflict=conflict),
    )


def filled(plane: Plane, folder: Path) -> None:
    """Data with its bytes, a component and an output of a run, all in a datastore of a user's."""
    stored(plane, "team", key_of(plane))
    (folder / "a.csv").write_text("1,2")
    client_of(plane.workspace).data.create_or_update(
        Data(name="far", version="1", type="uri_file", path=str(folder / "a.csv"), datastore="team")
    )
    put = partial(plane.document, "arm", "PUT")
    uri = "azureml://datastores/team/paths/out/"
    put(f"/data/{OUTPUT}/versions/1", API, {"properties": {"dataType": "uri_folder", "dataUri": uri}})
    names = f"azureml://locations/westeurope/workspaces/{plane.properties['workspaceId']}/data/{{}}/versions/1"
    plane.put(
        "trained",
        inputs={"d": {"assetId": names.format("far"), "type": "UriFile"}},
        outputs={"o": {"assetId": names.format(OUTPUT), "type": "UriFolder"}},
        status="Completed",
    )


def key_of(plane: Plane) -> str:
    return str(plane.document("arm", "POST", "/datastores/workspaceblobstore/listSecrets", API, {})["key"])


def uris(there: Plane) -> list[str]:
    """Where the target says that both lie."""
    found = [there.arm(f"/data/{name}/versions/1")["properties"]["dataUri"] for name in ("far", OUTPUT)]
    return [uri.partition("/datastores/")[2].partition("/")[0] for uri in found]


def test_what_lies_in_a_datastore_refers_to_another_one(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused before the first write where the target lacks it; kept for later calls; a change is told, not silent."""
    filled(plane, tmp_path)
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    there = Plane(target, token())
    run = partial(migrated, plane.workspace, target, folder)

    with pytest.raises(UserError, match=r"--map-datastore team=crew: .* has no datastore crew: nothing was written"):
        asyncio.run(run(options=with_stores(team="crew")))
    assert there("history", "GET", "/runs/trained").status_code == 404
    for name in ("crew", "other"):
        stored(there, name, key_of(there))
    done = asyncio.run(run(options=with_stores(team="crew")))
    again = asyncio.run(run(options=with_stores()))
    detail = told(folder, str(target.path), capsys)

    assert (done.replayed.assets.made, done.replayed.assets.failed, done.verdict.findings) == (2, (), 0)
    assert uris(there) == ["crew", "crew"]
    assert (done.verdict.reasons[MAPPED_OUTPUT], done.verdict.reasons.get(STORE_STAYS)) == (1, None)
    path = there.arm("/data/far/versions/1")["properties"]["dataUri"].partition("/paths/")[2]
    assert asyncio.run(bytes_of(target, path)) == b"1,2", "the datastore is the workspace's own container"
    assert (again.replayed.assets, again.verdict.findings) == (AssetsSent(), 0)
    assert detail == "datastore crew of the target stands for it"
    with Archive.open(folder, write=False) as archive:
        book = AssetBook.of(archive, archive.ledger(configured(target).ref), {})
    assert next(one.notes for one in book.shown if one.id == "datastore team") == (detail,)

    with pytest.raises(UserError, match=f"the names of data {OUTPUT}:1, data far:1: nothing was written"):
        asyncio.run(run(options=with_stores(team="other")))
    assert asyncio.run(called(target, folder, verify)).findings == 0, "what was refused is not remembered"
    left = asyncio.run(run(options=with_stores(AssetConflict.SKIP, team="other")))
    assert sorted(left.replayed.assets.left) == [f"data {OUTPUT}:1", "data far:1"]
    assert sum("left alone" in why for why in left.verdict.reasons) == 1
    refused(folder, capsys)


@pytest.mark.parametrize("conflict", [AssetConflict.SKIP, AssetConflict.NEXT])
def test_undo_knows_what_was_made_while_another_datastore_stood_for_it(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path, conflict: AssetConflict
) -> None:
    """Whatever `--map-datastore` says by then; back to the first one, what was made first is found again."""
    filled(plane, tmp_path)
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    there = Plane(target, token())
    for name in ("crew", "other"):
        stored(there, name, key_of(there))
    run = partial(migrated, plane.workspace, target, folder)

    asyncio.run(run(options=with_stores(team="crew")))
    asyncio.run(run(options=with_stores(conflict, team="other")))
    made = versions(there)
    asyncio.run(run(options=with_stores(conflict, team="crew")))
    back = versions(there)
    asyncio.run(run(options=with_stores(conflict, team="other")))
    gone = asyncio.run(called(target, folder, undo))
    again = asyncio.run(called(target, folder, undo))

    assert len(made) == len(back) == (1 if conflict is AssetConflict.SKIP else 2)
    assert not any(made.values())
    assert all(versions(there).values())
    assert (gone.assets, again.assets) == (len(made), 0)


def versions(there: Plane) -> dict[str, bool]:
    """Version of the data -> whether it is archived."""
    listed = there.arm("/data/far/versions", listViewType="All")["value"]
    return {one["name"]: one["properties"]["isArchived"] for one in listed}


def told(folder: Path, target: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """What `assets` says of the source's datastore."""
    capsys.readouterr()
    run_command(["assets", str(folder), "--target", target, "--json"])
    rows = json.loads(capsys.readouterr().out)
    return next(row["detail"] for row in rows if (row["kind"], row["name"]) == ("datastore", "team"))


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was mistyped."""
    for typed, said in (
        ("temp=crew", "nothing that archive"),
        ("team", "expected A=B"),
        ("team=crew,team=other", "team cannot be both crew and other"),
    ):
        assert run_command(["plan", str(folder), "--map-datastore", typed]) == 2
        assert said in capsys.readouterr().err
