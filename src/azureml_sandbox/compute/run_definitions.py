"""The `runDefinition` of runs: those parts of the recorded forms that follow from the submission. Pure."""

from __future__ import annotations

from azureml_sandbox.world import Document


def command(given: Document) -> Document:
    """The definition of a command's run: camel case, in the manner of the first SDK."""
    return {
        "script": None,
        "command": given["command"],
        "useAbsolutePath": False,
        "arguments": [],
        "framework": "Python",
        "communicator": "None",
        "target": str(given.get("computeId") or "serverless").rpartition("/")[2],
        "nodeCount": (given.get("resources") or {}).get("instanceCount", 1),
        "environment": {"name": None, "version": None, "assetId": given.get("environmentId")},
        "environmentVariables": given.get("environmentVariables") or {},
        "history": {"outputCollection": True, "directoriesToWatch": ["logs"], "enableMLflowTracking": True},
    }


def step(spec: Document, compute_id: str | None) -> Document:
    """The definition of a pipeline's step, by its component (pipe-child-run-download 25).

    Assumption: an environment of the workspace's own is named by its id, without the `azureml:` of the component.
    """
    named = str(spec.get("environment") or "")
    given = {
        "command": spec.get("command"),
        "computeId": compute_id,
        "resources": {"instanceCount": (spec.get("resources") or {}).get("instance_count", 1)},
        "environmentId": named.removeprefix("azureml:") if named.startswith("azureml:/subscriptions/") else named,
        "environmentVariables": spec.get("environment_variables"),
    }
    return command(given)


def pipeline(given: Document) -> Document:
    """The definition of a pipeline's run: Pascal case around the submitted graph, and a status that never changes."""
    return {
        "JobType": "Pipeline",
        "PipelineJobType": "AzureML",
        "ComputeId": given.get("computeId"),
        "Settings": given.get("settings"),
        "Jobs": given.get("jobs") or {},
        "ComponentId": given.get("componentId"),
        "DisplayName": given.get("displayName"),
        "ExperimentName": given.get("experimentName"),
        "Description": given.get("description"),
        "Tags": given.get("tags") or {},
        "Properties": given.get("properties") or {},
        "IsArchived": bool(given.get("isArchived")),
        "ProvisioningState": "Succeeded",
        "Status": "NotStarted",
    }
