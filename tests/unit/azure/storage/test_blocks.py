"""Blocks that an interrupted call left are taken for what they are, and never for newer content."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from azureml_replay.azure.storage.blocks import BLOCK_BYTES, COPIED_BLOCK_BYTES, Blocks
from azureml_replay.errors import IntegrityError
from azureml_replay.model import Location, StoredFile
from azureml_replay.sending.sender import Answer
from azureml_replay.workspace.put_files import CopyFile, FileWritten, HeldFile, SecretUrl

AT = Location("artifacts", "there")
STORED = StoredFile(location=Location("artifacts", "big"), size_bytes=2 * COPIED_BLOCK_BYTES + 1, etag="first")


class Staging:
    """A storage that keeps the names of blocks until a list commits them."""

    def __init__(self) -> None:
        self.staged: list[str] = []
        self.committed: list[str] = []

    async def uncommitted(self, _: Location) -> bytes:
        names = "".join(f"<Block><Name>{name}</Name></Block>" for name in self.staged)
        return f"<BlockList><UncommittedBlocks>{names}</UncommittedBlocks></BlockList>".encode()

    async def ask(self, _door: object, _method: str, *, query: str = "", data: bytes = b"", **_: Any) -> Answer:
        if query == "comp=blocklist":
            self.committed = re.findall(r"<Latest>(.*?)</Latest>", data.decode())
        else:
            self.staged.append(query)
        return Answer(status=201, headers={"ETag": '"written"'}, body=b"", method="PUT", url="", repeatable=True)


async def copied(storage: Staging, stored: StoredFile) -> int:
    """A copy from storage to storage; the number of blocks that went."""
    before = len(storage.staged)
    told: list[FileWritten] = []
    file = CopyFile(path="big", source=SecretUrl("https://source/big"), stored=stored, on_written=told.append)
    await Blocks(storage).copy(None, file, AT)  # type: ignore[arg-type]
    assert told == [FileWritten("written")]
    return len(storage.staged) - before


async def test_blocks_of_the_same_content_are_not_sent_again() -> None:
    """Three of them; a second call finds what the first one left."""
    storage = Staging()
    assert await copied(storage, STORED) == 3
    storage.staged = storage.committed[:2]

    assert await copied(storage, STORED) == 1
    assert len(storage.committed) == 3


async def test_blocks_of_older_content_are_not_committed() -> None:
    """The file has the same size, and another ETag."""
    storage = Staging()
    await copied(storage, STORED)
    storage.staged = older = list(storage.committed)

    assert await copied(storage, replace(STORED, etag="second")) == 3
    assert not set(storage.committed) & set(older)


@pytest.mark.parametrize("apart", [True, False])
async def test_the_loop_s_thread_makes_no_digest_of_what_is_uploaded(
    apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor reads it, but where that asks the archive; blocks go in order, and none of a damaged file is committed."""
    data = [bytes([at]) * BLOCK_BYTES for at in range(3)]
    here, reading, digesting = threading.get_ident(), set[int](), set[int]()
    stored = StoredFile(location=AT, size_bytes=3 * BLOCK_BYTES)
    sound, md5 = True, hashlib.md5

    def pieces(_: int) -> Iterator[bytes]:
        for piece in data:
            reading.add(threading.get_ident())
            yield piece
        if not sound:
            raise IntegrityError("damaged")

    def noted(*given: Any, **more: Any) -> Any:
        digesting.add(threading.get_ident())
        return md5(*given, **more)

    monkeypatch.setattr(hashlib, "md5", noted)
    storage, file = Staging(), HeldFile(path="big", stored=stored, pieces=pieces, apart=apart)
    await Blocks(storage).upload(None, file, AT)  # type: ignore[arg-type]

    assert len(storage.committed) == len(storage.staged) == 3
    assert (here in reading) is not apart
    assert here not in digesting

    sound, storage = False, Staging()
    with pytest.raises(IntegrityError):
        await Blocks(storage).upload(None, file, AT)  # type: ignore[arg-type]
    assert storage.committed == []
