"""Datastores and datasets of the old kind: documents of the archive, listed, told by every verb, and never made."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from azure.ai.ml.entities import AccountKeyConfiguration, AzureBlobDatastore, Data

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire.decode_kept import DATASET_STAYS, STORE_STAYS
from azureml_replay.cli import run as run_command
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.planning.assets import AssetChoice
from azureml_replay.report_page.assets import AssetBook
from azureml_replay.report_page.facts import RunVerdict
from azureml_replay.verbs import MigrateOptions
from azureml_replay.workspace.asset import AssetKey, AssetKind
from azureml_sandbox.server.sandbox import Sandbox
from e2e.assets import client_of
from e2e.library import configured, migrated
from e2e.test_assets import EVERYTHING, token
from sandbox.conftest import plane
from sandbox.plane import Plane
from sandbox.test_catalog_datasets import register

__all__ = ["plane"]

REFERENCED = MigrateOptions(extract=ExtractOptions(assets=AssetChoice()), replay=ReplayOptions(assets=AssetChoice()))


def stored(plane: Plane, name: str, key: str) -> None:
    """A datastore of a user's in the workspace's own account, with its key."""
    own = plane.arm("/datastores/workspaceblobstore")["properties"]
    client_of(plane.workspace).datastores.create_or_update(
        AzureBlobDatastore(
            name=name,
            account_name=own["accountName"],
            container_name=own["containerName"],
            description="of the team",
            credentials=AccountKeyConfiguration(account_key=key),
        )
    )


def test_what_is_only_kept_is_listed_and_told(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that runs and assets lead to; with `all` every one, and those that every workspace has lack to nobody."""
    key, target, folder = secrets.token_urlsafe(48), sandbox.add_workspace(), tmp_path / "archive"
    stored(plane, "team", key)
    stored(plane, "unused", key)
    client_of(plane.workspace).data.create_or_update(
        Data(name="far", version="1", type="uri_file", path="azureml://datastores/team/paths/a.csv")
    )
    old = register(plane, "old-kind", description="d").json()
    register(plane, "nobody-names-it")
    saved = old["latest"]["savedDatasetId"]
    far = f"azureml://locations/westeurope/workspaces/{plane.properties['workspaceId']}/data/far/versions/1"
    named = [
        {"identifier": {"registeredId": old["datasetId"], "registeredVersion": "1"}},
        {"identifier": {"savedId": saved}},
    ]
    plane.put("trained", inputs={"d": {"assetId": far, "type": "UriFile"}}, inputDatasets=named, status="Completed")

    done = asyncio.run(migrated(plane.workspace, target, folder, options=REFERENCED))
    kept = listed(folder, capsys)
    run_command(["plan", str(folder), "--target", str(target.path), "--json"])
    planned = json.loads(capsys.readouterr().out)
    there = {one["name"] for one in Plane(target, token()).arm("/datastores")["value"]}

    assert kept == {
        ("datastore", "team", ""): (None, STORE_STAYS),
        ("dataset", old["datasetId"], "1"): ("old-kind", DATASET_STAYS),
        ("dataset", saved, ""): ("old-kind", DATASET_STAYS),
    }
    assert planned["assets"]["kinds"]["datastore"] == {"omitted": 1}
    assert (done.verdict.reasons[STORE_STAYS], done.verdict.reasons[DATASET_STAYS]) == (1, 2)
    assert (done.verdict.findings, done.replayed.assets.failed) == (0, ())
    assert not {"team", "unused"} & there
    with Archive.open(folder, write=False) as archive:
        document = archive.asset(AssetKey(AssetKind.DATASTORE, "team", "-"))
        book = AssetBook.of(archive, archive.ledger(configured(target).ref), {})
    row = next(one for one in book.shown if one.id == "datastore team")
    assert (row.verdict, row.notes, row.used_of) == (RunVerdict.OMISSIONS, (STORE_STAYS,), 0)
    assert next(one for one in book.shown if one.id == "data far:1").needs == ("datastore team",)
    assert document is not None
    assert document.document["properties"]["credentials"] == {"credentialsType": "AccountKey"}
    assert not any(key.encode() in file.read_bytes() for file in folder.rglob("*") if file.is_file())

    more = asyncio.run(migrated(plane.workspace, target, folder, options=replace(EVERYTHING, deep=False)))
    every = listed(folder, capsys)

    assert {name for kind, name, _ in every if kind == "datastore"} >= {"team", "unused", "workspaceblobstore"}
    assert {title for title, _ in every.values() if title} == {"old-kind", "nobody-names-it"}
    assert (more.verdict.reasons[STORE_STAYS], more.verdict.findings) == (2, 0)


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str, str], tuple[str | None, str]]:
    """What `assets` lists of them."""
    capsys.readouterr()
    run_command(["assets", str(folder), "--json"])
    rows = json.loads(capsys.readouterr().out)
    kinds = {AssetKind.DATASTORE.value, AssetKind.DATASET.value}
    return {
        (row["kind"], row["name"], row["version"]): (row["title"], row["detail"])
        for row in rows
        if row["kind"] in kinds
    }
