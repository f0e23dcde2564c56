"""What the sender has to know of a kind of workspace: how it words refusals, and what lets a request through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from azureml_replay.errors import Remedy


class Complaint(Protocol):
    """Why a service refused, in its own words."""

    @property
    def code(self) -> str:
        """The innermost code; empty where there is none."""
        ...

    @property
    def message(self) -> str:
        """The sentence; empty where there is none."""
        ...

    @property
    def lasting(self) -> bool:
        """True for a code by which the same will be refused for good, whatever the status says."""
        ...


class Words(Protocol):
    """The words of a kind of workspace."""

    login_help: str
    """What to do where the login fails."""

    def complaint(self, body: bytes, headers: Mapping[str, str]) -> Complaint:
        """The refusal in an error's body, whatever its form."""
        ...

    def remedy(self, service: str, method: str, url: str, message: str, *, forbidden: bool) -> Remedy | None:
        """What lets a refused request through, where that is known. `forbidden`: it was a right that lacked."""
        ...
