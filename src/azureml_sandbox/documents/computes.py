"""ARM's documents of computes: the cluster that every workspace of the sandbox has, and those that were loaded."""

from __future__ import annotations

from azureml_sandbox import instants
from azureml_sandbox.world import Document, Workspace, World

CLUSTER, SERVERLESS = "cpu-cluster", "serverless"
_MADE = instants.UNSET


def compute(world: World, workspace: Workspace, name: str) -> Document | None:
    """The document of a compute, in the recorded form; None where there is none of this name."""
    return world.assets.get(workspace.guid, "computes", name) or (_own(workspace) if name == CLUSTER else None)


def is_known(world: World, workspace: Workspace, compute_id: str | None) -> bool:
    """Whether a job may name this compute; None and `serverless` need no resource, a virtual cluster lies elsewhere."""
    if is_virtual_cluster(compute_id):
        return True
    name = (compute_id or SERVERLESS).rpartition("/")[2]
    return name == SERVERLESS or compute(world, workspace, name) is not None


def is_virtual_cluster(compute_id: str | None) -> bool:
    """Whether this is a Singularity cluster, which is no resource of a workspace."""
    return "/virtualclusters/" in (compute_id or "").lower()


def _own(workspace: Workspace) -> Document:
    return {
        "id": f"{workspace.arm_id}/computes/{CLUSTER}",
        "name": CLUSTER,
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "location": workspace.region,
        "tags": {},
        "properties": {
            "createdOn": _MADE,
            "modifiedOn": _MADE,
            "disableLocalAuth": False,
            "description": None,
            "resourceId": None,
            "computeType": "AmlCompute",
            "computeLocation": workspace.region,
            "provisioningState": "Succeeded",
            "provisioningErrors": None,
            "isAttachedCompute": False,
            "properties": {
                "vmSize": "STANDARD_DS2_V2",
                "vmPriority": "Dedicated",
                "scaleSettings": {"maxNodeCount": 2, "minNodeCount": 0, "nodeIdleTimeBeforeScaleDown": "PT2M"},
                "subnet": None,
                "currentNodeCount": 2,
                "targetNodeCount": 2,
                "allocationState": "Steady",
                "allocationStateTransitionTime": _MADE,
                "errors": None,
                "remoteLoginPortPublicAccess": "NotSpecified",
                "osType": "Linux",
                "virtualMachineImage": None,
                "isolatedNetwork": False,
                "propertyBag": {},
            },
        },
    }
