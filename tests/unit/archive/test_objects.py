"""Bytes of files that the archive keeps: of one state of a file, and those that the storage told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.errors import Unavailable
from azureml_replay.model import Location, StoredFile

DATA = b"weights"
MD5 = hashlib.md5(DATA, usedforsecurity=False).digest()
STORED = StoredFile(location=Location("artifacts", "w.bin"), size_bytes=len(DATA), md5=MD5, etag="first")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        yield archive


def keep(archive: Archive, stored: StoredFile, data: bytes) -> None:
    """As a download does."""
    with archive.incoming(stored) as incoming:
        incoming.add(data)
        archive.keep(incoming)


def test_bytes_are_held_of_one_state_of_a_file(archive: Archive) -> None:
    """With another ETag, of the same size, it is another file: its bytes have to be brought."""
    keep(archive, STORED, DATA)

    held = archive.held(STORED)
    assert held is not None
    assert b"".join(held.pieces(100)) == DATA
    assert archive.held(replace(STORED, etag="second")) is None
    assert archive.held(replace(STORED, location=Location("artifacts", "v.bin"))) is None
    assert archive.held(replace(STORED, location=Location("other", "w.bin"))) is None


@pytest.mark.parametrize("data", [b"weightS", b"weight", b"weights!"], ids=["other bytes", "fewer", "more"])
def test_bytes_that_the_storage_did_not_tell_of_are_not_kept(archive: Archive, data: bytes) -> None:
    """Nor what came of them: the next call begins anew."""
    with pytest.raises(Unavailable):
        keep(archive, STORED, data)

    assert archive.held(STORED) is None
    keep(archive, STORED, DATA)
    assert archive.held(STORED) is not None
