"""Where a registered asset lies, by every form in which documents name that."""

from __future__ import annotations

import pytest

from azureml_replay.azure.wire.naming import Scope
from azureml_replay.azure.wire.places import ARTIFACT_STORE
from azureml_replay.azure.wire.registered import (
    Container,
    place_in_container,
    place_in_store,
    uris_of,
    without_patterns,
)
from azureml_replay.model import Location
from azureml_replay.workspace.asset import AssetKey, AssetKind
from azureml_replay.workspace.assets import RegisteredPlace

SCOPE = Scope(subscription="s", group="g", workspace="w", guid="guid")
OWN = "ExperimentRun/dcid.r/outputs/a"


@pytest.mark.parametrize(
    "uri",
    [
        f"azureml://datastores/workspaceartifactstore/paths/{OWN}",
        f"azureml://workspaces/GUID/datastores/workspaceartifactstore/paths/{OWN}",
        f"azureml://subscriptions/s/resourceGroups/G/workspaces/w/datastores/workspaceartifactstore/paths/{OWN}",
        f"azureml://artifacts/{OWN}",
        "azureml://jobs/r/outputs/artifacts/paths/outputs/a",
        "azureml://jobs/r/outputs/default/paths/outputs/a",
        "azureml://experiments/e/runs/r/artifacts/outputs/a",
        "runs:/r/outputs/a",
    ],
)
def test_a_place_in_a_datastore(uri: str) -> None:
    assert place_in_store(uri, SCOPE) == Location(ARTIFACT_STORE, OWN)


@pytest.mark.parametrize("uri", ["azureml://jobs/r/outputs/model/paths/a", "azureml:m:1", "https://a.blob.x/c/p"])
def test_none_in_one(uri: str) -> None:
    assert place_in_store(uri, SCOPE) is None


@pytest.mark.parametrize(
    "uri",
    [
        "https://Acc.blob.core.windows.net/cont/a%20b/c?sv=1",
        "wasbs://cont@acc.blob.core.windows.net/a b/c",
        "abfss://cont@acc.dfs.core.windows.net/a%20b/c",
        "https://acc.dfs.core.windows.net/cont/a%20b/c",
    ],
)
def test_a_place_in_a_container(uri: str) -> None:
    assert place_in_container(uri) == (Container("acc", "cont"), "a b/c")


def test_an_mltable_names_more_than_its_folder() -> None:
    said = {"dataUri": "a", "referencedUris": ["b", 1]}
    assert list(uris_of({"properties": said})) == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "held"), [("x/y", True), ("x/y/", True), ("", True), ("/x", True), ("x/y/z", True), ("x/yy", False)]
)
def test_what_lies_in_a_place(path: str, held: bool) -> None:
    """By segments; in a whole container everything does."""
    place = RegisteredPlace(place=Location("s", path), key=AssetKey(AssetKind.DATA, "d", "1"))
    assert place.holds(Location("s", "x/y/z")) == held
    assert not place.holds(Location("other", "x/y/z"))


def test_a_pattern_stands_for_its_folder() -> None:
    assert [without_patterns(one) for one in ("a/b*/c", "*", "a/b")] == ["a/", "", "a/b"]
