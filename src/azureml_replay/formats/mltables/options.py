"""What an import of MLTables is told, and what became of each (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from azureml_replay.errors import UserError


class OnExists(Enum):
    """What becomes of a table whose name and version the target has for something else."""

    FAIL = "fail"
    SKIP = "skip"
    SUFFIX = "suffix"
    """It gets the version with `_1`, `_2`, … behind it."""


class OnMismatch(Enum):
    """What becomes of a place that is named with the source's workspace."""

    REWRITE = "rewrite"
    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How tables are imported."""

    on_exists: OnExists = OnExists.FAIL
    on_mismatch: OnMismatch = OnMismatch.REWRITE
    copy: bool = True
    """False: the asset is registered, and its files stay where they are."""
    overwrite: bool = False
    """Files of the target that lie in a table's folder, and are none of the table's, are removed."""
    prefix: str = ""
    """A folder of the target under which all of it goes, without slashes around it."""
    width: int = 12
    write: bool = True

    def __post_init__(self) -> None:
        """Raises UserError for a prefix that leads out of the datastore: blobs of such names no client reads."""
        if self.prefix and any(part in ("", ".", "..") for part in self.prefix.split("/")):
            raise UserError(
                f"the prefix {self.prefix!r} is no folder: give names with / between them, without . and .."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesImported:
    """What one import did, or would do."""

    made: tuple[str, ...] = ()
    """Name and version of each in the target, `table:1` or `table:1 as 1_1`."""
    there: tuple[str, ...] = ()
    """Those that the target has already, and equal."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Those that were left out as the options say, with the reason."""
    refused: tuple[tuple[str, str], ...] = ()
    """Those that cannot be brought as they are, with the reason and what to do."""
    failed: tuple[tuple[str, str], ...] = ()
    """Those for which a service failed: the same command continues."""
    notes: tuple[tuple[str, str], ...] = ()
    """What a table reads from elsewhere than its own folder, or of others in it."""
    files: int = 0
    bytes: int = 0
    """Of files that were copied now."""
    removed: int = 0
    """Files of the target that were removed."""
