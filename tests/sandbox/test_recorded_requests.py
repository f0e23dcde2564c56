"""Recorded requests, sent again to the sandbox, are answered as the service answered them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sandbox.plane import Plane

FOLDER = Path(
    os.environ.get("AZUREML_REPLAY_RECORDINGS", Path(__file__).parents[3] / "shared" / "service" / "recordings")
)
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no recordings in {FOLDER}: name their folder in AZUREML_REPLAY_RECORDINGS"
)
API = "api-version"
SPRING_2023 = "2023-03-28"
"""The first recorded day on which the service answered specifications as it does now."""


class Put(NamedTuple):
    """A recorded PUT of an asset, and its answer."""

    name: str
    path: str
    version: str
    sent: Any
    status: int
    answer: Any


def puts(kind: str, since: str) -> Iterator[Put]:
    """Those that the service accepted."""
    for file in sorted(FOLDER.glob("*.json")):
        for index, entry in enumerate(json.loads(file.read_text("utf-8"))["Entries"]):
            found = re.search(rf"/workspaces/[^/]+(/{kind}/[^?]+)\?api-version=([^&]+)", entry["RequestUri"])
            if entry["RequestMethod"] != "PUT" or found is None or entry["StatusCode"] >= 400:
                continue
            sent, answer = (_json(entry[key]) for key in ("RequestBody", "ResponseBody"))
            if answer["systemData"]["createdAt"] >= since:
                yield Put(f"{file.stem} {index}", found[1], found[2], sent, entry["StatusCode"], answer)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def again(plane: Plane, put: Put) -> Any:
    """The properties that the sandbox answers."""
    return plane.document("arm", "PUT", put.path, {API: put.version}, put.sent)["properties"]


def moved(plane: Plane, document: Any) -> Any:
    """A document with the scope of this workspace in the place of the masked one."""
    named = plane.workspace
    here = rf"subscriptions/{named.subscription_id}/\1/{named.resource_group}/workspaces/{named.workspace_name}"
    there = r"subscriptions/[^/]+/(resource[gG]roups)/[^/]+/workspaces/[^/\"]+"
    return json.loads(re.sub(there, here, json.dumps(document)))


def test_components_are_answered_as_recorded(plane: Plane) -> None:
    """Their whole specification.

    A curated environment is the registry's, whose name differs by the workspace; by a label it would need that
    registry. A pipeline's component made from a job (pipe-nested-component 27) has no graph of its own: not spoken.
    """
    seen = 0
    for put in puts("components", SPRING_2023):
        if any(word in str(put.sent) for word in ("@latest", "source_job_id")):
            continue
        unmasked = put._replace(path=put.path.replace("0" * 21, put.name.replace(" ", "-")))
        spec = json.dumps(put.answer["properties"]["componentSpec"])
        seen += 1
        assert again(plane, unmasked)["componentSpec"] == json.loads(
            spec.replace("registries/azureml-dev/", "registries/azureml/")
        ), put.name
    assert seen >= 15


def test_data_is_answered_as_recorded(plane: Plane) -> None:
    """A folder gains its slash, a URI its long form; anonymous data is not anonymous in the answer."""
    seen = 0
    for put in puts("data", "2022"):
        expected = moved(plane, put.answer["properties"])
        answer = again(plane, put._replace(sent=moved(plane, put.sent)))
        seen += 1
        assert {key: answer.get(key) for key in expected} == expected, put.name
    assert seen >= 6


def test_models_are_answered_as_recorded(plane: Plane) -> None:
    """A model from disk, with the scope in its own spelling."""
    for put in puts("models", "2022"):
        assert again(plane, put._replace(sent=moved(plane, put.sent))) == moved(plane, put.answer["properties"])


def test_datastores_are_answered_as_recorded(plane: Plane) -> None:
    """Made, put again, without the secret that `listSecrets` still knows."""
    for put in puts("datastores", "2022"):
        answer = plane("arm", "PUT", put.path, {API: put.version, "skipValidation": "true"}, put.sent)
        assert (answer.status_code, answer.json()["properties"]) == (put.status, put.answer["properties"]), put.name
        if sent := put.sent["properties"]["credentials"].get("secrets"):
            assert plane.document("arm", "POST", f"{put.path}/listSecrets", {API: put.version}) == sent


def test_environments_are_answered_as_recorded(plane: Plane) -> None:
    """Archived, restored, put again."""
    seen = 0
    for put in puts("environments", "2022"):
        answer, expected = again(plane, put), put.answer["properties"]
        seen += 1
        assert {key: answer.get(key) for key in expected if key != "stage"} == {
            key: value for key, value in expected.items() if key != "stage"
        }, put.name
    assert seen >= 6
