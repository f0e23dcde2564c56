"""Blocks that an interrupted call left are taken for what they are, and never for newer content."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from azureml_replay.azure.storage.blocks import COPIED_BLOCK_BYTES, Blocks
from azureml_replay.model import Location, StoredFile
from azureml_replay.sending.sender import Answer
from azureml_replay.workspace.put_files import CopyFile, FileWritten, SecretUrl

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
