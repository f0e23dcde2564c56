"""Which role lets a refused request through."""

from __future__ import annotations

import pytest

from azureml_replay.workspace import rights
from azureml_replay.workspace.rights import Right, lacking

ML = "Microsoft.MachineLearningServices/workspaces"


@pytest.mark.parametrize(
    ("message", "action"),
    [
        (
            f"The client 'x' does not have authorization to perform action '{ML}/jobs/read' over scope '/s'",
            f"{ML}/jobs/read",
        ),
        (f"does not have permissions for {ML}/experiments/runs/write actions.", f"{ML}/experiments/runs/write"),
        (f"no access to /subscriptions/s/resourceGroups/g/providers/{ML}/w/read", rights.RUNS.action),
        ("This request is not authorized", rights.RUNS.action),
    ],
)
def test_the_services_own_word_goes_before_ours(message: str, action: str) -> None:
    """A resource id in the message is no action."""
    assert lacking(message, rights.RUNS) == Right(action)


@pytest.mark.parametrize(
    ("right", "role", "storage"),
    [
        (rights.RUNS, "Reader", False),
        (rights.SECRETS, "AzureML Data Scientist", False),
        (rights.PUT_RUNS, "AzureML Data Scientist", False),
        (rights.BLOBS, "Storage Blob Data Reader", True),
        (rights.PUT_BLOBS, "Storage Blob Data Contributor", True),
        (rights.SIGN, "Storage Blob Delegator", True),
    ],
)
def test_the_least_role_is_named(right: Right, role: str, storage: bool) -> None:
    assert (right.role, right.on_storage) == (role, storage)
    assert right.command("me", "/there") == f'az role assignment create --assignee me --role "{role}" --scope /there'
