"""The protocol of a workspace that was opened: what the verbs use, and how busy its services are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from azureml_replay.workspace.target import Target
from azureml_replay.workspace.traffic import Load, ServiceTraffic


class OpenedWorkspace(Target, Protocol):
    """A workspace of whatever kind, reached and ready."""

    def traffic(self) -> Mapping[str, ServiceTraffic]:
        """The requests so far, by service."""
        ...

    def loads(self) -> Mapping[str, Load]:
        """The load of each service right now. May be called from any thread."""
        ...
