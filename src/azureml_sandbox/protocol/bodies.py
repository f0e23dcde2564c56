"""Bodies of requests and answers: JSON as each service writes it, refusals included; pages and their tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Literal

import orjson
from starlette.responses import Response

from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Effect, Handler, Service, Spoken
from azureml_sandbox.world import Document

SCOPES = ("", "/experiments/{experiment_name}", "/experimentids/{experiment_id}")
"""A run is addressed below the workspace, its experiment's name or its experiment's id (run-history.json)."""

DEEPEST = 200
"""Levels of lists and objects that a body may have: more could not be kept and answered here. How many the service
takes is unknown; .NET's readers stop at 64 unless they are told otherwise."""
_JSON = "application/json; charset=utf-8"


def answer(document: object, status: int = 200) -> Response:
    """Compact JSON, as the data plane writes it."""
    return Response(orjson.dumps(document), status, media_type=_JSON)


def arm_answer(document: object, status: int = 200) -> Response:
    """Indented JSON, as ARM writes it (the recorded Content-Length fits nothing else)."""
    return Response(orjson.dumps(document, option=orjson.OPT_INDENT_2), status, media_type=_JSON)


def refusing(handler: Handler, component: str) -> Handler:
    """The handler, with `Refused` turned into the data plane's error body."""

    async def answering(call: Call) -> Response:
        try:
            return await handler(call)
        except Refused as refused:
            return answer(errors.data_plane(refused, call.workspace.region, component), refused.status)

    return answering


class Table:
    """Collects one service's routes."""

    def __init__(self, service: Service, component: str) -> None:
        self._service, self._component = service, component
        self.routes: list[Spoken] = []

    def on(
        self, method: str, path: str, handler: Handler, effect: Effect = "read", scopes: Sequence[str] = ("",)
    ) -> None:
        """Add a route for `path` below each scope."""
        answering = refusing(handler, self._component)
        self.routes += [Spoken(method, self._service, scope + path, answering, effect) for scope in scopes]


async def body(call: Call) -> Document:
    """The request's JSON object; an absent body is an empty one. Raises Refused (400) for anything else."""
    given = await _json(call)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise errors.invalid("The request body must be a JSON object.")
    return given


async def body_list(call: Call) -> list[Any]:
    """The request's JSON array. Raises Refused (400) for anything else."""
    given = await _json(call)
    if not isinstance(given, list):
        raise errors.invalid("The request body must be a JSON array.")
    return given


async def _json(call: Call) -> object:
    raw = await call.request.body()
    if not raw:
        return None
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError as wrong:
        raise errors.invalid(f"The request body is not JSON: {wrong}") from wrong
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and not _is_writable(given):
        raise errors.invalid(f"The reader's MaxDepth of {DEEPEST} has been exceeded.")
    return given


def _is_writable(given: object) -> bool:
    """True where orjson, which writes 254 levels, can answer the same with levels of ours around it."""
    for _ in range(254 - DEEPEST):
        given = [given]
    try:
        orjson.dumps(given)
    except TypeError:
        return False
    return True


def part(given: Document, key: str, kind: Literal["object", "array", "string"]) -> Any:  # noqa: ANN401 JSON
    """One member of a body, None where absent or null. Raises Refused (400) where it is of another kind."""
    value = given.get(key)
    if value is not None and not isinstance(value, {"object": dict, "array": list, "string": str}[kind]):
        raise errors.invalid(f"{key} must be of type {kind}.")
    return value


def token(position: str | int) -> str:
    """An opaque continuation token."""
    return base64.urlsafe_b64encode(str(position).encode()).decode()


def position(continuation: str | None) -> str | None:
    """The position inside a token; None without a token. Raises Refused (400) for a token that is not ours."""
    if continuation is None:
        return None
    try:
        return base64.urlsafe_b64decode(continuation.encode()).decode()
    except (binascii.Error, UnicodeDecodeError) as wrong:
        raise errors.invalid("The continuation token is not valid.") from wrong


def number(continuation: str | None) -> int:
    """A position that is a number; 0 without a token. Raises Refused (400) for a token that is not ours."""
    hidden = position(continuation)
    if hidden is None:
        return 0
    if not hidden.isdecimal():
        raise errors.invalid("The continuation token is not valid.")
    return int(hidden)


def page(call: Call, items: Sequence[Document], following: str | int | None, query: str | None = None) -> Document:
    """A page; `following` is the position after it, None on the last page, which has neither token nor link.

    `query` names the query parameter that takes the token; without it the token goes into a body and there is no
    `nextLink` (absent keys: recorded for children that fit on one page).
    """
    document: Document = {"value": list(items)}
    if following is None:
        return document
    document["continuationToken"] = token(following)
    if query is not None:
        url = call.request.url.include_query_params(**{query: document["continuationToken"]})
        document["nextLink"] = f"https://{call.request.headers['host']}{url.path}?{url.query}"
    return document
