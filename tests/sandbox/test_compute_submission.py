"""What a submission may say beside its graph: settings, groups of inputs, names in any case, clusters elsewhere."""

# No `from __future__ import annotations`: azure-ai-ml's dsl reads them, and wants no strings.
from typing import Any

import pytest
from azure.ai.ml import Input, Output, command, dsl
from azure.ai.ml.dsl._mldesigner import group  # the package mldesigner offers it

from sandbox.jobs import CLUSTER, ENVIRONMENT, Jobs, jobs
from sandbox.test_arm import chain

__all__ = ["jobs"]

VIRTUAL = "/subscriptions/79a1ba0c/resourceGroups/Runtime/providers/Microsoft.MachineLearningServices/virtualclusters/v"
SETTINGS = ("azureml.continue_on_step_failure", "azureml.enforceRerun", "azureml.defaultComputeName")


def component(home: Jobs, **spec: Any) -> str:
    """Registered by hand; its id."""
    given = {"type": "command", "command": "true"} | spec
    return str(home.plane.document("arm", "PUT", "/components/c/versions/1", _api(), _spec(given))["id"])


def _api() -> dict[str, str]:
    return {"api-version": "2023-04-01-preview"}


def _spec(given: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"componentSpec": given}}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, ("True", "False", None)),
        ({"_source": "DSL"}, ("True", "False", None)),
        ({"continue_on_step_failure": False, "force_rerun": True}, ("False", "True", None)),
        ({"default_compute": f"/x/computes/{CLUSTER}"}, ("True", "False", CLUSTER)),
    ],
)
def test_a_pipelines_properties_tell_its_settings(
    jobs: Jobs, settings: dict[str, Any] | None, expected: tuple[str, str, str | None]
) -> None:
    """Their defaults are those since spring 2023.

    Recorded: pipe-parallel-file-input 9, pipe-spark-nodes 10, pipe-get-child-job 2, pipe-details-completed 23.
    """
    answer = jobs.put("p", jobType="Pipeline", settings=settings, jobs={"a": {"componentId": component(jobs)}})

    told = answer.json()["properties"]["properties"]
    assert answer.status_code == 201
    assert tuple(told.get(name) for name in SETTINGS) == expected


def test_an_output_says_as_what_data_it_is_registered(jobs: Jobs) -> None:
    """Null where it is not (pipe-parallel-file-input 9, cmd-register-output 0)."""
    outputs = {"o": {"jobOutputType": "uri_folder"}}

    answer = jobs.put("j", jobType="Command", command="true", environmentId=ENVIRONMENT, outputs=outputs).json()

    assert answer["properties"]["outputs"]["o"] == {
        "description": None,
        "uri": None,
        "assetName": None,
        "assetVersion": None,
        "mode": "ReadWriteMount",
        "autoDeleteSetting": None,
        "jobOutputType": "uri_folder",
    }


def test_inputs_may_be_grouped(jobs: Jobs) -> None:
    """`${{parent.inputs.group.x}}`, as azure-ai-ml writes it."""

    @group
    class Numbers:
        low: int = 1
        high: int = 2

    say = command(command="echo ${{inputs.n}}", environment=ENVIRONMENT, inputs={"n": Input(type="integer")})

    @dsl.pipeline(default_compute=CLUSTER)
    def pipeline(numbers: Numbers) -> None:
        say(n=numbers.high).name = "said"

    name = jobs.submit(pipeline(numbers=Numbers(low=3, high=4)))
    jobs.ended(name)

    sent = jobs.plane.arm(f"/jobs/{name}")["properties"]
    assert sent["jobs"]["said"]["inputs"]["n"]["value"] == "${{parent.inputs.numbers.high}}"
    assert jobs.log(jobs.children(name)["said"]["runId"]) == "4\n"


def test_names_of_outputs_are_found_in_any_case(jobs: Jobs) -> None:
    """A component keeps them in lower case; its command, its node and what binds to it may write them otherwise."""
    line, folder = "echo 7 > ${{outputs.Made}}/n", Output(type="uri_folder")
    make = command(command=line, environment=ENVIRONMENT, outputs={"Made": folder})
    show = command(command="cat ${{inputs.d}}/n", environment=ENVIRONMENT, inputs={"d": Input(type="uri_folder")})

    @dsl.pipeline(default_compute=CLUSTER)
    def pipeline() -> dict[str, Any]:
        made = make()
        made.name = "made"
        show(d=made.outputs.Made).name = "shown"
        return {"Result": made.outputs.Made}

    run = jobs.run(pipeline())

    children = jobs.children(run["runId"])
    told = jobs.plane.post("/rundata", runId=run["runId"], selectRunMetadata=True)["runMetadata"]["outputs"]
    kept = jobs.plane.arm(f"/components/azureml_anonymous/versions/{_version(jobs, run['runId'], 'made')}")
    assert (run["status"], jobs.log(children["shown"]["runId"])) == ("Completed", "7\n")
    assert list(kept["properties"]["componentSpec"]["outputs"]) == ["made"]
    assert "Result" in told


def _version(home: Jobs, name: str, node: str) -> str:
    nodes = home.plane.arm(f"/jobs/{name}")["properties"]["jobs"]
    return str(nodes[node]["componentId"]).rpartition("/")[2]


def test_a_virtual_cluster_is_no_resource_of_the_workspace(jobs: Jobs) -> None:
    """Accepted, with what it adds (azure-sdk-for-python: test_command_job_with_singularity)."""
    given = {"jobType": "Command", "command": "true", "environmentId": ENVIRONMENT}
    resources = {
        "instanceType": "Singularity.NC6_v3",
        "properties": {"AISuperComputer": {"scalePolicy": {"autoScaleIntervalInSec": 120}}},
    }

    made = jobs.put("j", **given, computeId=VIRTUAL, resources=resources, queueSettings={"jobTier": "Premium"})
    other = jobs.put("k", **given, computeId=VIRTUAL.replace("virtualclusters", "computes"))

    properties = made.json()["properties"]
    assert (made.status_code, properties["computeId"], other.status_code) == (201, VIRTUAL, 404)
    assert (
        properties["properties"].items()
        >= {
            "_azureml.ComputeTargetType": "singularity",
            "azureml.SLATier": "Premium",
            "azureml.EnableAzmlInt": "true",
            "azureml.VC": VIRTUAL.lower(),
            "azureml.ComputeType": "Singularity",
            "azureml.AutoScale": "true",
            "azureml.InstanceType": "Singularity.NC6_v3",
            "azureml.AutoScaleIntervalInSeconds": "120",
        }.items()
    )


def test_a_sweeps_command_may_name_what_its_space_lacks(jobs: Jobs) -> None:
    """201; a command's own is refused."""
    line = "echo ${{search_space.lr}} ${{search_space.other}}"
    sweep = {
        "trial": {"command": line, "environmentId": ENVIRONMENT},
        "searchSpace": {"lr": ["choice", [[1]]]},
        "samplingAlgorithm": {"samplingAlgorithmType": "Grid"},
        "objective": {"primaryMetric": "m", "goal": "maximize"},
    }

    made = jobs.put("s", jobType="Sweep", **sweep)
    refused = jobs.put("j", jobType="Command", command=line, environmentId=ENVIRONMENT)

    assert (made.status_code, jobs.ended("s")["status"]) == (201, "Failed")
    assert (refused.status_code, chain(refused)[-1]) == (400, "InvalidExpressionInJob")
    assert "bad substitution" in jobs.log("s_0")
