"""Azure ML workspaces as places: three names, and the resource id that is made of them (pure)."""

from __future__ import annotations

from azureml_replay.workspace.place import Place

KIND = "azureml"


def azure_place(subscription_id: str, resource_group: str, workspace: str) -> Place:
    """By the three names that Studio's config.json holds; compared without case, as the service does."""
    name = f"{subscription_id}/{resource_group}/{workspace}"
    return Place(KIND, _resource_id(name).lower(), name)


def names_of(place: Place) -> tuple[str, str, str]:
    """Subscription, resource group and workspace, as they were spelt."""
    subscription_id, resource_group, workspace = place.name.split("/")
    return subscription_id, resource_group, workspace


def resource_id(place: Place) -> str:
    """The workspace's, without host, beginning with a slash; spelt as its names were."""
    return _resource_id(place.name)


def _resource_id(name: str) -> str:
    subscription_id, resource_group, workspace = name.split("/")
    return (
        f"/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
    )
