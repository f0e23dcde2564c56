"""Bodies that are larger than memory: taken piece by piece, under the same policies."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import IncompleteReadError

from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.errors import NotFound, Unavailable
from azureml_replay.sending.cap import Cap
from azureml_replay.sending.sender import Sender, Service
from unit.scripted import Patient, Said, Scripted

FILES, URL = Service("files", None), "http://host.example/file?token=x"


class Broken(Said):
    """A body that breaks off."""

    async def iter_raw(self) -> Any:
        yield b"first"
        raise IncompleteReadError("broken off")


async def taken(*script: Any, cap: Cap | None = None, clock: Patient | None = None) -> list[bytes]:
    """The pieces of one body."""
    sending = Sender(Scripted(*script), None, AZURE_WORDS, parallel=1, clock=clock or Patient(), cap=cap)
    return [piece async for piece in sending.stream(FILES, URL, headers={"Range": "bytes=1-"})]


async def test_a_body_comes_in_pieces_after_what_passes() -> None:
    """A busy service is asked again; what comes then is given on as it comes."""
    assert await taken(Said(503, b""), Said(206, b"data")) == [b"data"]


async def test_a_refusal_is_read_whole() -> None:
    """With the service's words."""
    with pytest.raises(NotFound, match="gone"):
        await taken(Said(404, b'{"error": {"code": "NotFound", "message": "gone"}}'))


async def test_a_body_that_breaks_off_is_no_end() -> None:
    """Whoever takes it has what came, and knows that it was not all."""
    sending = Sender(Scripted(Broken(200)), None, AZURE_WORDS, parallel=1, clock=Patient())
    pieces = sending.stream(FILES, URL, headers={})

    assert await anext(pieces) == b"first"
    with pytest.raises(Unavailable) as caught:
        await anext(pieces)
    assert "token" not in str(caught.value)


async def test_its_bytes_are_capped() -> None:
    """As those of any file."""
    clock = Patient()
    cap = Cap(8, clock)

    await taken(Said(200, b"x" * 1_000_000), cap=cap, clock=clock)
    assert clock.waited_s == 0
    await taken(Said(200, b"x"), cap=cap, clock=clock)
    assert clock.waited_s == pytest.approx(1.0)
