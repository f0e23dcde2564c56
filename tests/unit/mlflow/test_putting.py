"""Files on their way to a server: what stops one is told by whose fault it is, and what went is told by its MD5."""

from __future__ import annotations

import hashlib
from typing import Any

from azureml_replay.errors import Rejected, Unavailable
from azureml_replay.mlflow.putting import Putting
from azureml_replay.model import Location, RunId, StoredFile
from azureml_replay.workspace.put_files import CopyFile, FileWritten
from azureml_replay.workspace.target import Refused

RUN = RunId("a")
STORED = StoredFile(location=Location("artifacts", "log"), size_bytes=3, etag="first")


class Wire:
    """Takes what it is sent, as often as a sender tries; to it a source that breaks off is a broken connection."""

    def __init__(self) -> None:
        self.tries = 0

    async def put_file(self, _: str, content: Any) -> None:
        for self.tries in range(1, 4):
            try:
                assert b"".join([piece async for piece in content]) == b"log"
            except Rejected:
                continue
            return
        raise Unavailable("no answer: Failed to send bytes")


async def put(read: Any) -> tuple[Refused | Exception | None, list[FileWritten]]:
    """One log without a checksum."""
    told: list[FileWritten] = []
    putting = Putting(Wire())  # type: ignore[arg-type]
    putting.note(RUN, "root")
    file = CopyFile(path="log", source=None, stored=STORED, read=read, on_written=told.append)
    return (await putting.put(RUN, [file]))["log"], told


async def test_a_file_that_changed_at_the_source_is_no_fault_of_the_servers() -> None:
    """It is refused with the source's own words and status: by these it is begun anew."""

    async def changed(_: int, __: int) -> bytes:
        raise Rejected("the condition is not met", status=412)

    refused, told = await put(changed)

    assert isinstance(refused, Refused)
    assert (refused.status, told) == (412, [])


async def test_what_went_is_told_by_its_md5() -> None:
    """A server lists no checksum, nor has the source one."""

    async def read(_: int, __: int) -> bytes:
        return b"log"

    assert await put(read) == (None, [FileWritten(md5=hashlib.md5(b"log", usedforsecurity=False).digest())])
