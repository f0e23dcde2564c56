"""Which workspace `--target` means: as everywhere, or the short name of one that the archive knows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from azureml_replay.connection import Config, config_named, config_of
from azureml_replay.errors import UserError
from azureml_replay.workspace.place import Place, called


def target_config(text: str, folder: Path) -> Config:
    """The workspace that a text names; a name alone is one of the archive's targets, with the default login.

    A file of that name wins, as it may say more than the name; a folder does not, as it names no workspace. Raises
    UserError where several bear the name, or none.
    """
    if "/" in text or text.lower().endswith(".json") or (os.path.lexists(text) and not Path(text).is_dir()):
        return config_named(text)
    known = targets_of(folder)
    named = [place for place in known if place.short.casefold() == text.casefold()]
    if len(named) == 1:
        return config_of(named[0], text)
    if named:
        raise UserError(f"{text}: {len(named)} targets of {folder} have that name: give {_one_of(named)}")
    if known:
        raise UserError(f"{text}: {_not_a_file(text)}, and no target of {folder}: {_meant(text, known)}")
    return config_named(text)


def _not_a_file(text: str) -> str:
    return "not a file" if os.path.lexists(text) else "no such file"


def _meant(text: str, known: Sequence[Place]) -> str:
    near = get_close_matches(text.casefold(), [place.short.casefold() for place in known], n=1)
    meant = [place for place in known if place.short.casefold() in near]
    if len(meant) == 1:
        return f"did you mean {meant[0].short} ({meant[0]})?"
    return f"it has {', '.join(spoken(known))}"


def _one_of(places: list[Place]) -> str:
    return " or ".join(map(str, places))


def spoken(places: Sequence[Place]) -> list[str]:
    """What to write behind `--target` for each; a file here that bears a target's name would be taken for it."""
    return [str(place) if os.path.lexists(name) else name for place, name in zip(places, called(places), strict=True)]


def targets_of(folder: Path) -> list[Place]:
    """The workspaces that an archive was replayed into; none where there is no archive yet."""
    if not (folder / "archive.db").exists():
        return []
    from azureml_replay.archive.archive import Archive

    with Archive.open(folder, write=False) as archive:
        return list(archive.targets())
