"""Which workspace `--target` means: as everywhere, or the short name of one that the archive knows."""

from __future__ import annotations

import os
from pathlib import Path

from azureml_replay.azure.config import WorkspaceConfig, workspace_config
from azureml_replay.errors import UserError
from azureml_replay.workspace.place import Place


def target_config(text: str, folder: Path) -> WorkspaceConfig:
    """The workspace that a text names; a name alone is one of the archive's targets, with the default login.

    Raises UserError where several bear the name, or none.
    """
    if "/" in text or text.lower().endswith(".json") or os.path.lexists(text):
        return workspace_config(text)
    known = targets_of(folder)
    named = [place for place in known if place.short.casefold() == text.casefold()]
    if len(named) == 1:
        return WorkspaceConfig(named[0], origin=text)
    if named:
        raise UserError(f"{text}: {len(named)} targets of {folder} have that name: give {_one_of(named)}")
    if known:
        raise UserError(f"{text}: no such file, and no target of {folder}: it has {', '.join(map(str, known))}")
    return workspace_config(text)


def _one_of(places: list[Place]) -> str:
    return " or ".join(map(str, places))


def targets_of(folder: Path) -> list[Place]:
    """The workspaces that an archive was replayed into; none where there is no archive yet."""
    if not (folder / "archive.db").exists():
        return []
    from azureml_replay.archive.archive import Archive

    with Archive.open(folder, write=False) as archive:
        return list(archive.targets())
