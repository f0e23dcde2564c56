"""Files of recorded traffic: `{"Entries": [{"RequestUri", "RequestMethod", …, "ResponseBody"}]}`.

The form is that of the Azure SDKs' test proxy. JSON bodies are objects, other text is a string or a list of lines,
bytes are base64; nothing in a file says which, only the recorded length and MD5 do.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from azureml_sandbox import instants
from azureml_sandbox.problem import Problem

_WORKSPACE = r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+"
_ARM = re.compile(rf"(?i)https://management\.azure\.com{_WORKSPACE}(/.*)?$")
_PLANE = re.compile(rf"(?i)https://[\w-]+\.api\.azureml(?:-test)?\.ms/([\w/.-]+?){_WORKSPACE}(/.*)?$")
_BLOB = re.compile(r"https://[\w-]+\.blob\.core\.windows\.net(/.*)$")


class NotARecording(Problem):
    """A file holds no recorded traffic; the message names it and says what was expected."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request and its answer."""

    position: int
    """Its index in the file."""
    method: str
    url: str
    status: int
    sent: object
    sent_headers: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]

    @property
    def route(self) -> str:
        """The request without host, workspace and query: `GET history /runs/r1/details`, `GET blob /azureml/x`."""
        whole = self.url.split("?", 1)[0]
        if arm := _ARM.match(whole):
            return f"{self.method} arm {arm[1] or '/'}"
        if plane := _PLANE.match(whole):
            service = plane[1].split("/")[0]
            return f"{self.method} {'arm' if service == 'mferp' else service} {plane[2] or '/'}"
        if blob := _BLOB.match(whole):
            return f"{self.method} blob {unquote(blob[1])}"
        return f"{self.method} {urlsplit(whole).netloc} {urlsplit(whole).path}"

    @property
    def query(self) -> str:
        """The URL's query as it was sent."""
        return urlsplit(self.url).query

    def text(self) -> str:
        """A body that is neither JSON nor bytes, without its byte order mark."""
        whole = "".join(self.body) if isinstance(self.body, list) else str(self.body or "")
        return whole.removeprefix("\ufeff")

    def received(self) -> bytes | None:
        """The bytes of a blob that was read; None where the recording does not hold all of it."""
        size = self.headers.get("content-range", "").rpartition("/")[2] or self.headers.get("content-length")
        digest = self.headers.get("x-ms-blob-content-md5") or self.headers.get("content-md5")
        return _bytes(self.body, size, digest)

    def written(self) -> bytes | None:
        """The bytes of a blob that was written; None where the recording does not hold them as they were."""
        digest = self.headers.get("content-md5") or self.sent_headers.get("content-md5")
        return _bytes(self.sent, self.sent_headers.get("content-length"), digest)


@dataclass(frozen=True, slots=True)
class Recording:
    """The content of one file. Its name is part of the ids that replace masked ones."""

    name: str
    answers: Sequence[Answer]


def read(paths: Iterable[Path]) -> Iterator[Recording]:
    """The recordings of these files and folders, by name within a folder.

    Raises NotARecording for a file that is none.
    """
    for path in paths:
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            raise NotARecording(f"{path}: expected files of recorded traffic, there is no *.json in this folder")
        yield from map(_recording, files)


def http_date(text: str) -> int:
    """Ticks of `Thu, 05 Jan 2023 10:40:26 GMT`."""
    return int(parsedate_to_datetime(text).timestamp()) * instants.SECOND


def _recording(file: Path) -> Recording:
    try:
        document = json.loads(file.read_bytes())
        answers = [_answer(position, entry) for position, entry in enumerate(document["Entries"])]
    except OSError as wrong:
        raise NotARecording(f"{file}: {wrong.strerror}") from wrong
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise NotARecording(f'{file}: expected recorded traffic, {{"Entries": [...]}} ({wrong!r})') from wrong
    return Recording(re.sub(r"[^A-Za-z0-9_-]", "-", file.stem), answers)


def _answer(position: int, entry: Mapping[str, Any]) -> Answer:
    return Answer(
        position,
        entry["RequestMethod"],
        entry["RequestUri"],
        entry["StatusCode"],
        entry.get("RequestBody"),
        _headers(entry.get("RequestHeaders")),
        entry.get("ResponseBody"),
        _headers(entry.get("ResponseHeaders")),
    )


def _headers(given: Mapping[str, Any] | None) -> Mapping[str, str]:
    return {name.lower(): str(value) for name, value in (given or {}).items()}


def _bytes(body: object, size: str | None, digest: str | None) -> bytes | None:
    """The reading of the body that fits its recorded length and MD5; None where none does."""
    for candidate in _candidates(body):
        if str(len(candidate)) == size and (not digest or digest == _md5(candidate)):
            return candidate
    return None


def _candidates(body: object) -> Iterator[bytes]:
    if body is None or body == "":
        yield b""
    elif isinstance(body, str):
        with contextlib.suppress(binascii.Error):  # a body that is not base64 is text
            yield base64.b64decode(body, validate=True)
        yield body.encode()
    elif isinstance(body, list) and all(isinstance(line, str) for line in body):
        yield "".join(body).encode()
    else:  # the recorder parsed a JSON file, and its blanks are lost
        for separators in ((", ", ": "), (",", ":")):
            yield from (json.dumps(body, separators=separators).encode() + end for end in (b"", b"\n", b"\r\n"))


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
