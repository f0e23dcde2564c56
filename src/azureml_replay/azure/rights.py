"""The action that each route of the service asks for, and the built-in role that grants it (pure).

Actions and roles as Microsoft documents them (how-to-assign-roles, built-in roles; Reader grants every `*/read`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from azureml_replay.errors import Remedy

_ML = "Microsoft.MachineLearningServices/workspaces"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
_NAMED = re.compile(r"(?<!/)Microsoft\.[A-Za-z]+/[\w/]+/(?:read|write|delete|action)\b")
_ROLES = {
    f"{_BLOBS}/containers/blobs/read": "Storage Blob Data Reader",
    f"{_BLOBS}/containers/blobs/write": "Storage Blob Data Contributor",
    f"{_BLOBS}/containers/blobs/delete": "Storage Blob Data Contributor",
    f"{_BLOBS}/generateUserDelegationKey/action": "Storage Blob Delegator",
}


@dataclass(frozen=True, slots=True)
class Right:
    """The action that a role must allow for a request."""

    action: str

    @property
    def role(self) -> str:
        """The least built-in role that grants the action."""
        if self.action in _ROLES:
            return _ROLES[self.action]
        return "Reader" if self.action.endswith("/read") else "AzureML Data Scientist"

    @property
    def on_storage(self) -> bool:
        """True where the role is granted on the storage account, not on the workspace."""
        return self.action.startswith("Microsoft.Storage/")

    @property
    def remedy(self) -> Remedy:
        """What a login that lacks the action is told."""
        where = "the storage account" if self.on_storage else "the workspace"
        said = f"this login lacks {self.action}: ask for the role {self.role} on {where}, which grants it"
        return Remedy(lacking=self.action, said=said)

    def command(self, who: str, scope: str) -> str:
        """The command that grants the role, ready to paste. `who` is an object id, `scope` a resource id."""
        return f'az role assignment create --assignee {who} --role "{self.role}" --scope {scope}'


WORKSPACE = Right(f"{_ML}/read")
JOBS = Right(f"{_ML}/jobs/read")
DELETE_JOBS = Right(f"{_ML}/jobs/delete")
DATASTORES = Right(f"{_ML}/datastores/read")
SECRETS = Right(f"{_ML}/datastores/listSecrets/action")
EXPERIMENTS = Right(f"{_ML}/experiments/read")
RUNS = Right(f"{_ML}/experiments/runs/read")
PUT_EXPERIMENTS = Right(f"{_ML}/experiments/write")
PUT_RUNS = Right(f"{_ML}/experiments/runs/write")
PUT_ARTIFACTS = Right(f"{_ML}/metadata/artifacts/write")
BLOBS = Right(f"{_BLOBS}/containers/blobs/read")
PUT_BLOBS = Right(f"{_BLOBS}/containers/blobs/write")
DELETE_BLOBS = Right(f"{_BLOBS}/containers/blobs/delete")
SIGN = Right(f"{_BLOBS}/generateUserDelegationKey/action")

ASSETS = ("models", "environments", "components", "data", "codes")
_DOORS = (
    (r"arm GET .*/workspaces/[^/]+", WORKSPACE),
    (r"arm GET .*/workspaces/[^/]+/jobs\b.*", JOBS),
    (r"arm DELETE .*/workspaces/[^/]+/jobs/[^/]+", DELETE_JOBS),
    (r"arm GET .*/workspaces/[^/]+/datastores\b.*", DATASTORES),
    (r"arm POST .*/listSecrets", SECRETS),
    *((rf"arm GET .*/workspaces/[^/]+/{kind}\b.*", Right(f"{_ML}/{kind}/read")) for kind in ASSETS),
    *((rf"arm PUT .*/workspaces/[^/]+/{kind}/.*", Right(f"{_ML}/{kind}/versions/write")) for kind in ASSETS),
    (r"history GET .*/(experiments|experimentids)/[^/]+", EXPERIMENTS),
    (r"history POST .*/experiments:query", EXPERIMENTS),
    (r"history \w+ .*/(experiments|experimentids)/[^/]+", PUT_EXPERIMENTS),
    (r"history \w+ .*/batch/(runs|events)", PUT_RUNS),
    (r"history .*", RUNS),
    (r"metric POST .*/batch(sync)?", PUT_RUNS),
    (r"metric .*", RUNS),
    (r"mlflow POST .*/log-batch", PUT_RUNS),
    (r"mlflow .*", RUNS),
    (r"artifact GET .*", RUNS),
    (r"artifact POST .*", PUT_ARTIFACTS),
    (r"blob POST .*", SIGN),
    (r"blob PUT .*", PUT_BLOBS),
    (r"blob DELETE .*", DELETE_BLOBS),
    (r"blob .*", BLOBS),
)
"""Pattern of service, method and path of a request -> the right that it needs; the first that fits decides. No blob is
written by POST: the one POST that storage takes asks for a key to sign with."""


def needed(service: str, method: str, url: str) -> Right | None:
    """The right that a request needs. `service` is a name of `sender.Service`; None where the route is not known."""
    asked = f"{service.partition(' ')[0]} {method} {urlsplit(url).path}"
    return next((right for door, right in _DOORS if re.fullmatch(door, asked)), None)


def lacking(message: str, expected: Right | None) -> Right | None:
    """The right for the action that a refusal names in its own words, else the one that the request needs."""
    named = _NAMED.search(message)
    return Right(named.group()) if named else expected


def remedy_of(message: str, expected: Right | None = None) -> Remedy | None:
    """The remedy for the right of `lacking`, as the error carries it."""
    right = lacking(message, expected)
    return right.remedy if right else None
