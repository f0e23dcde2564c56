"""Large blobs, block by block: from storage to storage, or through this machine. After a kill only missing blocks go.

A block's name identifies its content, so that blocks of an interrupted upload, which storage keeps for a week, are
recognised.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeAlias

from azureml_replay.azure.storage.storage import Door, Storage
from azureml_replay.azure.wire import decode_storage, encode
from azureml_replay.errors import Rejected
from azureml_replay.model import Location, StoredFile
from azureml_replay.workers import Handful, for_each, in_a_thread
from azureml_replay.workspace.put_files import CopyFile, FileWritten, HeldFile

COPIED_BLOCK_BYTES = 100 * 1024 * 1024
"""Bytes of a block that storage copies itself: 50,000 blocks are allowed, so 4.8 TB."""
BLOCK_BYTES = 2 * 1024 * 1024
"""Bytes of a block that passes through us; more where a file would need over 50,000 blocks (from 97 GiB on)."""
MOST_BLOCKS = 50_000
BLOCKS_AT_ONCE = 4
HANDFUL_BYTES = 12 * 1024 * 1024
"""Bytes of files in memory at once, whatever the width. Measured at width 8 on a busy machine, MiB above idle and
seconds for 192 MiB through us: 8 MiB took 32 and 11.4, 12 took 45 and 9.1, 16 took 53 and 9.1; 16 with blocks of 4
took 84 (benchmarks/files.py)."""

Block: TypeAlias = tuple[str, int, int]
"""Name, first byte, byte after the last."""
Send: TypeAlias = Callable[[Block], Awaitable[None]]


class Blocks:
    """Writes blobs of many blocks. All methods are repeatable, and raise Rejected, Unavailable."""

    def __init__(self, storage: Storage) -> None:
        """Bytes go through `storage`."""
        self._storage = storage
        self.handful = Handful(HANDFUL_BYTES)

    async def copy(self, door: Door, file: CopyFile, at: Location) -> None:
        """Let the target's storage fetch every block itself, of blobs of any type; an empty one has no block."""
        blocks = list(_blocks(file.stored, COPIED_BLOCK_BYTES))

        async def send(block: Block) -> None:
            name, start, stop = block
            headers = encode.block_headers(file, start, stop)
            await self._storage.ask(door, "PUT", query=encode.block_query(name), headers=headers)

        # A single block is sent again sooner than asked for: logs are short.
        await self._send(blocks, send, await self._staged(at) if len(blocks) > 1 else ())
        file.on_written(await self._commit(door, [name for name, *_ in blocks], file))

    async def relay(self, door: Door, file: CopyFile, at: Location) -> None:
        """Read every block from the source and write it to the target, one after the other."""
        size = block_bytes(file.stored)
        blocks, read = list(_blocks(file.stored, size)), file.read
        if read is None:
            raise Rejected(f"there is no way to read {file.path}")

        async def send(block: Block) -> None:
            name, start, stop = block
            async with self.handful.of(size):
                data = await read(start, stop)
                await self._put(door, name, data, await in_a_thread(partial(_md5, data)))

        # Without an ETag, the name of a block does not say of which version of the file it is.
        await self._send(blocks, send, await self._staged(at) if file.stored.etag else ())
        file.on_written(await self._commit(door, [name for name, *_ in blocks], file))

    async def upload(self, door: Door, file: HeldFile, at: Location) -> None:
        """Write a held file, read once and in order; commit it only if its bytes were whole. Raises IntegrityError."""
        size, staged, names = block_bytes(file.stored), await self._staged(at), list[str]()
        pieces, turn = _pieces(file, size), asyncio.Lock()

        async def send_next() -> bool:
            """False where none is left. A piece takes up memory from when it is read until it is sent."""
            async with AsyncExitStack() as held:
                async with turn:
                    await held.enter_async_context(self.handful.of(size))
                    piece = await anext(pieces, None)
                    if piece is None:
                        return False
                    data, md5 = piece
                    name = _name(md5.hex(), len(names))
                    names.append(name)
                if name not in staged:
                    await self._put(door, name, data, md5)
            return True

        async def send_all(_: int) -> None:
            while await send_next():
                pass

        await for_each(range(BLOCKS_AT_ONCE), send_all, BLOCKS_AT_ONCE)
        await self._commit(door, names, file)

    async def _send(self, blocks: Sequence[Block], send: Send, staged: Collection[str]) -> None:
        await for_each((block for block in blocks if block[0] not in staged), send, BLOCKS_AT_ONCE)

    async def _put(self, door: Door, name: str, data: bytes, md5: bytes) -> None:
        headers = encode.md5_headers(md5)
        await self._storage.ask(door, "PUT", query=encode.block_query(name), headers=headers, data=data)

    async def _commit(self, door: Door, names: Sequence[str], file: CopyFile | HeldFile) -> FileWritten:
        headers, data = encode.block_list_headers(file.stored) | encode.condition(file), encode.block_list(names)
        answer = await self._storage.ask(door, "PUT", query="comp=blocklist", headers=headers, data=data)
        return FileWritten(decode_storage.etag_of(answer.headers))

    async def _staged(self, at: Location) -> Collection[str]:
        """Names of the blocks that an interrupted call left; none where the list may not be read: then all are sent."""
        try:
            return decode_storage.uncommitted(await self._storage.uncommitted(at))
        except Rejected:
            return ()


def block_bytes(stored: StoredFile) -> int:
    """Bytes of a block of a file that passes through us."""
    return max(BLOCK_BYTES, -(-stored.size_bytes // MOST_BLOCKS))


async def _pieces(file: HeldFile, size: int) -> AsyncIterator[tuple[bytes, bytes]]:
    """Each piece with its MD5. Two digests of every byte took 1.9 ms a MiB of the loop's thread, which takes 0.1 so."""
    pieces = file.pieces(size)

    def following() -> bytes:
        return next(pieces, b"")

    while data := await in_a_thread(following) if file.apart else following():
        yield data, await in_a_thread(partial(_md5, data))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _blocks(stored: StoredFile, size: int) -> Iterator[Block]:
    for at, start in enumerate(range(0, stored.size_bytes, size)):
        stop = min(start + size, stored.size_bytes)
        yield _name(f"{stored.etag}|{start}|{stop}", at), start, stop


def _name(content: str, at: int) -> str:
    """The name of a block; all names of a blob have one length, as storage demands."""
    return base64.b64encode(hashlib.blake2b(content.encode(), digest_size=18).digest() + at.to_bytes(6)).decode()
