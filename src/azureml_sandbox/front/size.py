"""Refuses requests whose body is too large for a service. Storage takes any: its bodies never stand in memory here."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from azureml_sandbox.protocol import limits
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.refusals import refuse
from azureml_sandbox.protocol.traffic import Asked

_TOO_LARGE = Refused(
    413,
    f"Request body too large. The max request body size is {limits.BODY_BYTES} bytes.",
    ("UserError", "BadArgument", "RequestBodyTooLarge"),
)
"""The words are ASP.NET's; the form around them is an assumption."""


def limited(asked: Asked, answer: ASGIApp) -> ASGIApp:
    """The answer, or 413 before the body is read; where no length was said, as soon as it is too long."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        """One request; the login, which reads its body itself, knows no refusals of ours."""
        said = Headers(scope=scope).get("content-length", "0")
        if said.isdecimal() and int(said) > limits.BODY_BYTES:
            refusal = refuse(asked, _TOO_LARGE)
            refusal.headers["connection"] = "close"  # what is under way is not waited for
            await refusal(scope, receive, send)
            return
        try:
            await answer(scope, _counting(receive), send)
        except Refused as refused:
            await refuse(asked, refused)(scope, receive, send)

    return answer if asked.service == "blob" else answering


def _counting(receive: Receive) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limits.BODY_BYTES:
            raise _TOO_LARGE
        return message

    return counted
