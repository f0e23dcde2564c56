"""What a submission brings along: codes, environments, components and data, written as azure-ai-ml writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from azure.ai.ml import command
from azure.ai.ml.entities import Data, Environment

from azureml_sandbox.server.sandbox import Sandbox
from sandbox.jobs import API, ENVIRONMENT, Jobs, jobs, python
from sandbox.test_arm import chain

__all__ = ["jobs"]

SPEC = {"type": "command", "command": "true", "environment": ENVIRONMENT, "is_deterministic": False}


def test_the_same_code_is_uploaded_once(jobs: Jobs, calm: Sandbox, tmp_path: Path) -> None:
    """Found by the hash of its bytes, whatever its name."""
    uploaded = []
    for _ in range(2):
        calm.reset_requests()
        jobs.submit(python(tmp_path, "print(1)"))
        uploaded.append([row for row in calm.requests()["routes"] if "startPendingUpload" in row["route"]])

    assert [len(rows) for rows in uploaded] == [1, 0]


def test_conda_files_come_back_as_json(jobs: Jobs, tmp_path: Path) -> None:
    """And the next version is named by the container."""
    conda = tmp_path / "conda.yml"
    conda.write_text("name: own\ndependencies:\n- python=3.11\n")
    made = jobs.client.environments.create_or_update(
        Environment(name="own", version="4", image="x:1", conda_file=conda)
    )
    again = jobs.client.environments.create_or_update(Environment(name="own", image="x:1"))

    stored = jobs.plane.arm("/environments/own/versions/4")["properties"]
    assert json.loads(stored["condaFile"]) == {"name": "own", "dependencies": ["python=3.11"]}
    assert (made.version, again.version) == ("4", "5")


def test_data_comes_back_with_a_long_uri(jobs: Jobs) -> None:
    """A short one was sent."""
    short = "azureml://datastores/workspaceblobstore/paths/a/b.csv"

    made = jobs.client.data.create_or_update(Data(name="d", version="1", type="uri_file", path=short))

    expected = f"/workspaces/{jobs.plane.workspace.workspace_name}/datastores/workspaceblobstore/paths/a/b.csv"
    assert made.path.endswith(expected)


def test_a_component_is_kept_as_it_was_registered(jobs: Jobs) -> None:
    """azure-ai-ml reads back what it wrote; plain values are strings on the wire (recorded)."""
    given = command(name="own", version="1", command="echo ${{inputs.n}}", environment=ENVIRONMENT, inputs={"n": 3})

    made = jobs.client.components.create_or_update(given.component)
    found = jobs.client.components.get("own", version="1")

    wire = jobs.plane.arm("/components/own/versions/1")["properties"]["componentSpec"]
    assert (made.command, found.command) == ("echo ${{inputs.n}}", "echo ${{inputs.n}}")
    assert (wire["is_deterministic"], wire["inputs"]["n"]["optional"]) == ("True", "False")


def test_an_anonymous_component_is_answered_under_another_guid(jobs: Jobs) -> None:
    """In every one of 2,010 recorded exchanges; a pipeline's graph is kept, and not in that answer."""
    asked = "76220d5f-d000-82df-3112-d86773168998"
    path = f"/components/azureml_anonymous/versions/{asked}"
    spec = SPEC | {"type": "pipeline", "jobs": {"a": {}}}
    given = {"properties": {"isAnonymous": True, "componentSpec": spec}}

    made = jobs.plane("arm", "PUT", path, API, given)
    again = jobs.plane("arm", "PUT", path, API, given)

    name = made.json()["name"]
    kept = jobs.plane.arm(f"/components/azureml_anonymous/versions/{name}")["properties"]["componentSpec"]
    assert (made.status_code, again.status_code) == (201, 200)
    assert name == again.json()["name"] != asked
    assert made.json()["id"].endswith(f"/{name}")
    assert ("jobs" in made.json()["properties"]["componentSpec"], kept["jobs"]) == (False, {"a": {}})
    assert jobs.plane("arm", "GET", path, API).status_code == 404


def test_a_components_version_is_immutable(jobs: Jobs) -> None:
    """The same again is an update; another command is refused in the recorded words."""
    path = "/components/own/versions/1"

    same = [jobs.plane("arm", "PUT", path, API, {"properties": {"componentSpec": SPEC}}) for _ in range(2)]
    other = jobs.plane("arm", "PUT", path, API, {"properties": {"componentSpec": SPEC | {"command": "false"}}})

    assert [answer.status_code for answer in same] == [201, 200]
    assert (other.status_code, chain(other)[-1]) == (400, "UpdateComponentFailed")
    assert 'since field "command" is immutable' in other.json()["error"]["message"]


def test_schedules_are_not_spoken(jobs: Jobs) -> None:
    """And say so."""
    assert jobs.plane("arm", "PUT", "/schedules/nightly", API, {"properties": {}}).status_code == 501


def kept(jobs: Jobs, spec: dict[str, Any]) -> dict[str, Any]:
    """The specification as it is answered."""
    given = {"properties": {"componentSpec": spec}}
    made = jobs.plane.document("arm", "PUT", "/components/own/versions/1", API, given)["properties"]["componentSpec"]
    assert isinstance(made, dict)
    return made


def test_a_parallel_component_says_what_it_tolerates(jobs: Jobs) -> None:
    """Its defaults, but for what it says itself (live tests of azure-ai-ml; the form: pipe-parallel-file-input 4)."""
    spec = {"type": "parallel", "name": "own", "resources": {"instance_count": 2}, "retry_settings": {"timeout": 9}}

    made = kept(jobs, spec)

    assert (made["error_threshold"], made["retry_settings"]) == ("-1", {"max_retries": "3", "timeout": "9"})
    assert "resources" not in made


def test_where_a_component_runs_is_not_kept(jobs: Jobs) -> None:
    """Nor how its ports are mounted; how many nodes it needs is. A version that is not said is the URL's."""
    spec = SPEC | {
        "compute": "azureml:cpu-cluster",
        "resources": {"instance_type": "STANDARD_D2", "instance_count": 3},
        "inputs": {"Data": {"type": "uri_folder", "mode": "download"}},
        "outputs": {"Made": {"type": "uri_folder", "mode": "upload"}},
    }

    made = kept(jobs, spec)

    assert (made["resources"], made["version"], "compute" in made) == ({"instance_count": "3"}, "1", False)
    assert made["inputs"] == {"Data": {"type": "uri_folder", "optional": "False"}}
    assert made["outputs"] == {"made": {"type": "uri_folder"}}


def test_an_environment_is_the_same_in_any_case_of_its_system(jobs: Jobs) -> None:
    """`linux` is answered as `Linux`; another image is refused."""
    path, given = "/environments/e/versions/1", {"image": "x:1"}

    made = [
        jobs.plane("arm", "PUT", path, API, {"properties": given | change})
        for change in ({}, {"osType": "linux"}, {"osType": "Linux"}, {"image": "x:2"})
    ]

    assert [answer.status_code for answer in made] == [201, 201, 201, 409]
    assert [answer.json()["properties"]["osType"] for answer in made[:3]] == ["Linux"] * 3
