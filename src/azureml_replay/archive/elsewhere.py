"""The bytes of an archive on another disk: `artifacts` is then a link that this module made; no other is followed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from azureml_replay.disk.outputs import NO_LINK, private_folder, private_opener
from azureml_replay.errors import UserError

MARK = "of-an-archive"
"""A file in the folder that the link leads to: names the archive that put it there."""
_NAMES = ("archive.db", "archive.db-wal", "archive.db-shm", "archive.lock", "artifacts/partial")


def refuse_links(folder: Path) -> None:
    """Raise UserError where one of an archive's own files is a link: whoever made it would have us write elsewhere."""
    objects = folder / "artifacts"
    if objects.is_symlink() and not (objects / MARK).is_file():
        raise UserError(
            f"{objects} is a link to {os.path.realpath(objects)}, where no --objects of this tool put it, "
            "or which is not there now: mount that disk, or put the folder itself there"
        )
    for name in _NAMES:
        if (folder / name).is_symlink():
            raise UserError(f"{folder / name} is a link: an archive follows none inside it; put the file itself there")


def put_objects(folder: Path, disk: Path) -> None:
    """Let the bytes of an archive lie in a folder of their own in `disk`. Repeatable.

    Raises UserError where they lie elsewhere already, or `disk` cannot hold them.
    """
    link, place = folder / "artifacts", _place(folder, disk)
    try:
        if link.is_symlink() or (link.exists() and any(link.iterdir())):
            if Path(os.path.realpath(link)) != place:
                where = os.path.realpath(link)
                raise UserError(f"--objects {disk}: the archive's bytes lie in {where} already: leave the option out")
            return
        private_folder(place)
        with open(place / MARK, "w", encoding="utf-8", errors="backslashreplace", opener=_opener) as mark:
            mark.write(f"{folder.resolve()}\n")
        if link.exists():
            link.rmdir()
        link.symlink_to(place, target_is_directory=True)
    except OSError as error:
        raise UserError(f"--objects {disk}: {error.strerror}: name a folder that can be written") from error


def _opener(path: str, flags: int) -> int:
    return private_opener(path, flags | NO_LINK)


def _place(folder: Path, disk: Path) -> Path:
    """One for each archive: sweeping one removes what it does not know."""
    here = folder.resolve()
    return disk.resolve() / f"{here.name}-{hashlib.blake2b(os.fsencode(here), digest_size=4).hexdigest()}"
