"""Transfer of files between storage and a job's folders."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from azureml_sandbox.assets.places import Place, Unreadable
from azureml_sandbox.storage.storage import Storage

_ODD = re.compile(r"[^\w.+=@%-]")


async def fetch(storage: Storage, place: Place, folder: Path, *, whole_folder: bool) -> Path:
    """Download a blob, or everything below a path, into the folder; returns its local path.

    Raises:
        Unreadable: there is no such blob, or a blob's name leads out of the folder.
    """
    if place.account not in storage.accounts:
        raise Unreadable(f"{place.account} is not a storage account of this sandbox")
    if not whole_folder:
        # The name becomes part of a shell command: characters that mean something to a shell are replaced.
        local = folder / _ODD.sub("_", PurePosixPath(place.path).name)
        return await _fetch_one(storage, place, place.path, local)
    names = [blob.name async for blob in storage.list(place.account, place.container, place.below)]
    if not names:
        raise Unreadable(f"nothing was found at {place.container}/{place.below}")
    for name in names:
        await _fetch_one(storage, place, name, _within(folder, name.removeprefix(place.below)))
    return folder


async def send(storage: Storage, place: Place, source: Path) -> None:
    """Upload a file to the place itself, or all files of a folder below it; existing blobs are replaced."""
    for relative, file in found(source):
        path = f"{place.below}{relative}" if relative else place.path
        await storage.put(place.account, place.container, path, await asyncio.to_thread(file.read_bytes))


def found(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder with their relative names, without links that lead out of it; a file itself has ""."""
    if folder.is_file():
        yield "", folder
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
            yield file.relative_to(folder).as_posix(), file


async def _fetch_one(storage: Storage, place: Place, name: str, local: Path) -> Path:
    if not await storage.exists(place.account, place.container, name):
        raise Unreadable(f"nothing was found at {place.container}/{name}")
    await asyncio.to_thread(_write, local, await storage.read(place.account, place.container, name))
    return local


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _within(folder: Path, name: str) -> Path:
    local = (folder / name).resolve()
    if not local.is_relative_to(folder.resolve()):
        raise Unreadable(f"{name} leads out of its folder")
    return local
