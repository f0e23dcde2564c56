"""Which workspace (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkspaceRef:
    """Which workspace: the three names that Studio's config.json holds. Compared without case, as ARM does."""

    subscription_id: str
    resource_group: str
    name: str

    @property
    def arm_id(self) -> str:
        """The resource id, without host, beginning with a slash."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )

    def same_as(self, other: WorkspaceRef) -> bool:
        """True where both name one workspace, whatever the case."""
        return self.arm_id.lower() == other.arm_id.lower()

    def __str__(self) -> str:
        return f"{self.subscription_id}/{self.resource_group}/{self.name}"
