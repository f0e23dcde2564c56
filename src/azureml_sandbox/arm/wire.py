"""ARM's conventions: `api-version`, its error body, its pages."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import arm_answer, position, token
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Effect, Handler, Spoken
from azureml_sandbox.world import Document

_SKIP = "$skipToken"


def put_on(routes: list[Spoken], method: str, path: str, handler: Handler, effect: Effect = "read") -> None:
    """Add a route that refuses as ARM does; without `api-version` the gateway refuses, in its short form."""

    async def answering(call: Call) -> Response:
        if not call.request.query_params.get("api-version"):
            return no_version()
        try:
            return await handler(call)
        except Refused as refused:
            return arm_answer(errors.arm(refused, call.workspace.region), refused.status)

    routes.append(Spoken(method, "arm", path, answering, effect))


def version(call: Call) -> str:
    """The api-version asked for: which fields are answered depends on it."""
    return call.request.query_params["api-version"]


def skip_token(call: Call) -> str | None:
    """The position at which the page before ended; None on the first page."""
    return position(call.request.query_params.get(_SKIP))


def skipped(call: Call) -> int:
    """The position at which the page before ended, as a number; 0 on the first page.

    Raises Refused (400) for a foreign token.
    """
    left = skip_token(call) or "0"
    if not left.isdecimal():
        raise errors.invalid("The skip token is not valid.")
    return int(left)


def arm_page(call: Call, found: Sequence[tuple[int, Document]], size: int) -> Document:
    """A page of the first `size` entries found; one entry more than `size` means that another page follows."""
    shown = found[:size]
    following = str(shown[-1][0]) if len(found) > size else None
    return linked(call, [document for _, document in shown], following)


def linked(call: Call, items: Sequence[Document], following: str | None) -> Document:
    """A page; with `following` an absolute `nextLink` that repeats the query, its escapes in lower case (recorded)."""
    document: Document = {"value": list(items)}
    if following is not None:
        document["nextLink"] = _next_link(call.request, token(following))
    return document


def _next_link(request: Request, following: str) -> str:
    asked = request.url.query.replace("%20", "+")  # `$orderBy=createdtime+desc` (recorded)
    query = [part for part in asked.split("&") if part and unquote(part.partition("=")[0]) != _SKIP]
    escaped = quote(following, safe="")
    for escape in ("%2B", "%2F", "%3D"):
        escaped = escaped.replace(escape, escape.lower())
    return f"https://{request.headers['host']}{request.url.path}?{'&'.join([*query, f'{_SKIP}={escaped}'])}"


def no_version() -> Response:
    """The gateway's refusal of a request without `api-version`."""
    code, message = (
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
    )
    return JSONResponse({"error": {"code": code, "message": message}}, 400, {"x-ms-failure-cause": "gateway"})
