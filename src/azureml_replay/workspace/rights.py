"""Which action each door of the service asks for, and the built-in role that grants it (pure).

Actions and roles as Microsoft documents them (how-to-assign-roles, built-in roles; Reader grants every `*/read`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ML = "Microsoft.MachineLearningServices/workspaces"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
_NAMED = re.compile(r"(?<!/)Microsoft\.[A-Za-z]+/[\w/]+/(?:read|write|delete|action)\b")
_ROLES = {
    f"{_BLOBS}/containers/blobs/read": "Storage Blob Data Reader",
    f"{_BLOBS}/containers/blobs/write": "Storage Blob Data Contributor",
    f"{_BLOBS}/generateUserDelegationKey/action": "Storage Blob Delegator",
}


@dataclass(frozen=True, slots=True)
class Right:
    """What a request is allowed by."""

    action: str

    @property
    def role(self) -> str:
        """The least built-in role with it."""
        if self.action in _ROLES:
            return _ROLES[self.action]
        return "Reader" if self.action.endswith("/read") else "AzureML Data Scientist"

    @property
    def on_storage(self) -> bool:
        """Granted on the storage account, not on the workspace."""
        return self.action.startswith("Microsoft.Storage/")

    @property
    def wanting(self) -> str:
        """What to tell whoever lacks it."""
        where = "the storage account" if self.on_storage else "the workspace"
        return (
            f"this login lacks {self.action}: ask for the role {self.role} on {where}, which grants it "
            "(`azureml-replay doctor` gives the command)"
        )

    def command(self, who: str, scope: str) -> str:
        """Ready to paste. `who` is an object id, `scope` a resource id."""
        return f'az role assignment create --assignee {who} --role "{self.role}" --scope {scope}'


WORKSPACE = Right(f"{_ML}/read")
JOBS = Right(f"{_ML}/jobs/read")
DATASTORES = Right(f"{_ML}/datastores/read")
SECRETS = Right(f"{_ML}/datastores/listSecrets/action")
EXPERIMENTS = Right(f"{_ML}/experiments/read")
RUNS = Right(f"{_ML}/experiments/runs/read")
PUT_EXPERIMENTS = Right(f"{_ML}/experiments/write")
PUT_RUNS = Right(f"{_ML}/experiments/runs/write")
PUT_ARTIFACTS = Right(f"{_ML}/metadata/artifacts/write")
BLOBS = Right(f"{_BLOBS}/containers/blobs/read")
PUT_BLOBS = Right(f"{_BLOBS}/containers/blobs/write")
SIGN = Right(f"{_BLOBS}/generateUserDelegationKey/action")


def lacking(message: str, expected: Right | None) -> Right | None:
    """The action that a refusal names in its own words, else the one that the request is known to need."""
    named = _NAMED.search(message)
    return Right(named.group()) if named else expected
