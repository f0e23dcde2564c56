"""Reads pictures that a run logged as metrics, where the archive holds their bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire.places import path_in_link
from azureml_replay.model import RunId, Value

KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
"""First bytes -> kind; names and content types are not believed. SVG is left out: it may hold scripts."""
PICTURES_SHOWN = 6
PICTURE_BYTES = 500_000
"""Bytes of the largest picture shown: larger ones stay in the archive, and the page's table names them."""


def images(archive: Archive, run: RunId, values: Iterable[Value]) -> Iterator[str]:
    """`data:` URLs of the files that the values name, at most `PICTURES_SHOWN`."""
    wanted = {path_in_link(value) for value in values if isinstance(value, str)}
    shown = 0
    for artifact in archive.artifacts(run) if wanted else ():
        if shown == PICTURES_SHOWN:
            return
        if artifact.path not in wanted or artifact.stored is None:
            continue
        held = archive.held(artifact.stored)
        if held is None or held.size_bytes > PICTURE_BYTES:
            continue
        data = b"".join(held.pieces())
        kind = next((kind for first, kind in KINDS.items() if data.startswith(first)), None)
        if kind:
            shown += 1
            yield f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
