"""Copies original files to `./outputs`, which the platform uploads, and compares each with the original."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from azureml_replay.synthetic.step.points import Refusal

PIECE_BYTES = 4 * 1024 * 1024


def lay(entries: Iterable[Mapping[str, Any]], staged: Path, work: Path) -> Iterator[Refusal]:
    """Copy every file to its place below `work`; yields the files that could not be copied as they were."""
    for entry in entries:
        place = _place(work, entry["to"])
        if place is None:
            yield Refusal(f"file {entry['to']}", "its name leads out of the outputs folder")
            continue
        try:
            size, md5 = _copy(staged / entry["from"], place)
        except OSError as error:
            yield Refusal(f"file {entry['to']}", f"{type(error).__name__}: {error.strerror}")
            continue
        problem = _difference(entry, size, md5)
        if problem:
            place.unlink()
            yield Refusal(f"file {entry['to']}", problem)


def _place(work: Path, path: str) -> Path | None:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] != "outputs" or ".." in parts:
        return None
    return work.joinpath(*parts)


def _copy(source: Path, place: Path) -> tuple[int, str]:
    place.parent.mkdir(parents=True, exist_ok=True)
    size, digest = 0, hashlib.md5()  # noqa: S324 - a checksum; `usedforsecurity` came with 3.9
    with source.open("rb") as reading, place.open("wb") as writing:
        for piece in iter(lambda: reading.read(PIECE_BYTES), b""):
            writing.write(piece)
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _difference(entry: Mapping[str, Any], size: int, md5: str) -> str:
    if size != entry["size"]:
        return f"{size} bytes arrived, the original has {entry['size']}"
    if entry.get("md5") and md5 != entry["md5"]:
        return f"MD5 {md5} arrived, the original has {entry['md5']}"
    return ""
