"""Which workspace, of whatever kind (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace as the archive stores it. Equal where kind and key are; the name is for people."""

    kind: str
    """`azureml`, or whatever else can be read and written."""
    key: str
    """Canonical: equal for equal workspaces, however their names were spelt."""
    name: str = field(compare=False)
    """As somebody spelt it."""

    def __str__(self) -> str:
        return self.name

    @property
    def short(self) -> str:
        """The last part of the name, which is enough where only one target of an archive has it."""
        return self.name.rpartition("/")[2]
