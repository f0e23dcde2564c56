"""Which requests a storage account admits: by account key, by two kinds of SAS, by token; and what each may do.

Azurite checks keys and signatures. This module checks what Azurite does not: whose token or delegation key it is, the
roles of its owner, and whether the account accepts keys at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from azureml_sandbox.protocol import roles
from azureml_sandbox.protocol.declared_faults import Declared
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.login import STORAGE, Login
from azureml_sandbox.storage.delegation import SERVICE, SERVICE_TENANT
from azureml_sandbox.storage.storage import SUFFIX
from azureml_sandbox.world import Workspace

NO_KEYS = Refused(
    403, "Key based authentication is not permitted on this storage account.", ("KeyBasedAuthenticationNotPermitted",)
)
"""Word for word from public reports of users."""
WRONG_SIGNATURE = Refused(
    403,
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly"
    " including the signature.",
    ("AuthenticationFailed",),
)


@dataclass(frozen=True, slots=True)
class Admission:
    """The checks for the accounts of all workspaces."""

    login: Login
    owner: Callable[[str], Workspace | None]
    """The workspace of an account."""
    declared: Callable[[], Declared]

    def check(self, account: str, action: str | None, query: str, authorization: str) -> None:
        """Return where this request may do what needs `action` (`roles.BLOBS`…).

        Raises:
            Refused: the request is not admitted; the words are storage's.
            TokenRefused: the token is not valid here.
        """
        workspace = self.owner(account)
        if workspace is None:
            return
        signed = {name: values[0] for name, values in parse_qs(query).items()}
        if authorization.startswith("Bearer"):
            self.login.check(authorization, workspace.tenant_id, {STORAGE, f"https://{account}{SUFFIX}"})
            self._permitted(workspace, action)
        elif "skoid" in signed:
            self._delegated(workspace, action, signed)
        elif (authorization or "sig" in signed) and self._keyless(workspace):
            raise NO_KEYS

    def _keyless(self, workspace: Workspace) -> bool:
        return "no-shared-keys" in self.declared().variants(workspace.name)

    def _delegated(self, workspace: Workspace, action: str | None, signed: Mapping[str, str]) -> None:
        """Check a SAS made with a delegation key, the service's own or one that a token of this tenant was given."""
        by = signed["skoid"], signed.get("sktid")
        if by == (SERVICE, SERVICE_TENANT):
            return
        if by != (self.login.principal.object_id, workspace.tenant_id):
            raise WRONG_SIGNATURE
        self._permitted(workspace, action)

    def _permitted(self, workspace: Workspace, action: str | None) -> None:
        if action is not None and self.declared().denies(workspace.name, action):
            raise roles.STORAGE_REFUSAL
