"""What may become of a value of the source (pure)."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Fidelity(Enum):
    """Where a value of the source ends up. The text is what it means."""

    CARRIED = "carried", "the target has it, and verify compares it"
    LINEAGE = "lineage", "the target has it in the run's property `azureml_replay`, and verify compares it there"
    FILE = "file", "the target has it in the run's file `replay/job.json`, secrets redacted; verify compares the file"
    LISTED = "listed", "kept in the archive, and listed as an omission where it has a value: no target takes it"
    ARCHIVE = "archive", "not sent, though it could be: most would be false there, or lead to pages that cannot work"
    NEVER_SENT = "never sent", "it acts on the source workspace: one omission a run names those that have a value"
    SERVER = "server-owned", "no client can write it: the target makes its own"
    REDACTED = "redacted", "taken out before anything is written, and listed as an omission"
    NO_VALUE = "no value", "of the answer, not of the run: how to ask for the next page"

    @property
    def title(self) -> str:
        """As the table shows it."""
        return self.value[0]


class Key(NamedTuple):
    """One key of a wire type."""

    key: str
    fate: Fidelity
    reason: str
