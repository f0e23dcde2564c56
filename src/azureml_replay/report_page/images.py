"""Reads pictures among a run's metrics and files, where the archive holds their bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire.places import path_in_link
from azureml_replay.model import Artifact, RunId, Value

KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
"""First bytes -> kind; names and content types are not believed. SVG is left out: it may hold scripts."""
NAMES = (".png", ".jpg", ".jpeg", ".gif")
"""Endings of files that are looked into."""
PICTURES_SHOWN = 6
"""Of one metric, and of one run's files."""
PICTURE_BYTES = 500_000
"""Bytes of the largest picture shown: larger ones stay in the archive, and the page's table names them."""


def images(archive: Archive, run: RunId, values: Iterable[Value]) -> Iterator[str]:
    """`data:` URLs of the files that the values name, at most `PICTURES_SHOWN`."""
    wanted = {path_in_link(value) for value in values if isinstance(value, str)}
    shown = 0
    for artifact in archive.artifacts(run) if wanted else ():
        if shown == PICTURES_SHOWN:
            return
        if artifact.path in wanted and (image := _image(archive, artifact, PICTURE_BYTES)):
            shown += 1
            yield image


@dataclass(slots=True)
class Pictures:
    """Reads pictures among the files of runs, as long as there is room."""

    archive: Archive
    room: int | None
    """Characters of `data:` URLs that may still be given; None: any number."""
    left: int = PICTURES_SHOWN
    """How many more of the present run."""

    def begin_run(self) -> None:
        """Begin another run's pictures."""
        self.left = PICTURES_SHOWN

    def of(self, artifact: Artifact) -> str:
        """The `data:` URL of a file that is a picture; empty where it is none, is too large or not in the archive."""
        if not self.left or not artifact.path.lower().endswith(NAMES):
            return ""
        most = PICTURE_BYTES if self.room is None else min(PICTURE_BYTES, self.room * 3 // 4)
        image = _image(self.archive, artifact, most)
        if image:
            self.left -= 1
            self.room = None if self.room is None else self.room - len(image)
        return image


def _image(archive: Archive, artifact: Artifact, most_bytes: int) -> str:
    held = archive.held(artifact.stored) if artifact.stored else None
    if held is None or held.size_bytes > most_bytes:
        return ""
    data = b"".join(held.pieces())
    kind = next((kind for first, kind in KINDS.items() if data.startswith(first)), None)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}" if kind else ""
