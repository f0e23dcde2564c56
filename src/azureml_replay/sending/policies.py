"""What each attempt at a request goes through: retries, the gate's width, the cap, the log, the last check."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from azureml_replay.sending.cap import Cap
from azureml_replay.sending.clock import Clock
from azureml_replay.sending.gate import Gate
from azureml_replay.sending.limit import stated_wait_s
from azureml_replay.sending.retry import AttemptOutcome, Tries, fate_of_error, fate_of_status
from azureml_replay.sending.transport import CHECK
from azureml_replay.sending.words import Words

CAPPED = "capped"
"""An option of requests that carry bytes of files."""
PIECES = "pieces"
"""An option of requests whose body is taken piece by piece by whoever asked: it may be larger than memory."""
SILENT_S = 10.0
"""Seconds of one attempt without a connection after which people are told: they see nothing happen."""

logger = logging.getLogger("azureml_replay.http")

Request: TypeAlias = PipelineRequest[HttpRequest]
Response: TypeAlias = PipelineResponse[HttpRequest, AsyncHttpResponse]
Policy: TypeAlias = AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]


class RetryRule(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Sends a request again as long as `retry.Tries` allows."""

    def __init__(self, clock: Clock, tell: Callable[[str], None]) -> None:
        """Waits are made on `clock`; `tell` gets the URL of a request that was long in reaching nobody."""
        super().__init__()
        self._clock = clock
        self._tell = tell

    async def send(self, request: Request) -> Response:
        """The last answer, whatever its status. Raises the last error."""
        tries, started = Tries(request.context.options.pop("repeatable")), self._clock.now()
        while True:
            begun = self._clock.now()
            outcome = await self._attempt(request)
            fate = fate_of_error(outcome) if isinstance(outcome, AzureError) else fate_of_status(status_of(outcome))
            elapsed_s = (self._clock.now() - started).total_seconds()
            stated_s = request.context.get("stated_s")
            wait_s = tries.wait_s(fate, elapsed_s=elapsed_s, spread=random.random(), stated_s=stated_s)  # noqa: S311 no secret
            if fate is AttemptOutcome.NOT_SENT and (self._clock.now() - begun).total_seconds() >= SILENT_S:
                self._tell(request.http_request.url)
            if wait_s is None:
                if isinstance(outcome, AzureError):
                    raise outcome
                return outcome
            tries = tries.after(fate)
            request.context["gate"].again()
            await self._clock.sleep(wait_s)

    async def _attempt(self, request: Request) -> Response | AzureError:
        try:
            return await self.next.send(request)
        except ClientAuthenticationError:
            raise  # no token: azure-identity has tried what can be tried
        except AzureError as error:
            return error


class WidthGate(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Holds a place at the service's gate for each attempt, and none while waiting for the next attempt."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self._words = words

    async def send(self, request: Request) -> Response:
        """As the next policy."""
        gate: Gate = request.context.options.pop("gate", None) or request.context["gate"]
        request.context["gate"] = gate
        sent = await gate.enter()
        try:
            response = await self.next.send(request)
        except BaseException:
            gate.give_back()
            raise
        gate.hear(response.http_response.headers.get("Date"))
        busy = status_of(response) in (429, 503)
        request.context["stated_s"] = _stated_wait_s(response, self._words) if busy else None
        gate.leave(sent, throttled=busy, wait_s=request.context["stated_s"])
        return response


class LastCheck(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Asks once more whether an attempt may leave: waiting for its place, or for a token, may have taken long.

    The option stays where it is: the transport asks again once it has the connection in hand.
    """

    async def send(self, request: Request) -> Response:
        """As the next policy; what the check raises where it may not."""
        if check := request.context.options.get(CHECK):
            check()
        return await self.next.send(request)


class Capped(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Lets the bytes of files take their turn, before an attempt holds a place at the service's gate."""

    def __init__(self, cap: Cap) -> None:
        super().__init__()
        self._cap = cap

    async def send(self, request: Request) -> Response:
        """As the next policy."""
        if request.context.options.pop(CAPPED, False):
            request.context[CAPPED] = True  # further attempts go through here, too
        if not request.context.get(CAPPED):
            return await self.next.send(request)
        async with self._cap.turns:
            await self._cap.take(len(request.http_request.content or b""))
            return await self.next.send(request)


class WholeBody(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Reads a blob's bytes as they are stored: azure-core would unpack a blob whose content encoding is gzip."""

    def __init__(self, cap: Cap | None) -> None:
        super().__init__()
        self._cap = cap

    async def send(self, request: Request) -> Response:
        """The next policy's answer; the bytes of a `stream` request are put into the context, or how to take them."""
        apart = request.context.options.pop(PIECES, False) or request.context.get(PIECES)
        request.context[PIECES] = apart  # further attempts go through here, too
        response = await self.next.send(request)
        if apart and status_of(response) < 400:
            request.context["taken"] = self._pieces(response)
        elif request.context.options.get("stream"):
            request.context["body"] = b"".join([piece async for piece in self._pieces(response)])
        return response

    async def _pieces(self, response: Response) -> AsyncGenerator[bytes, None]:
        """The body, piece by piece; a sender that has to wait for us fills the connection and waits too."""
        async for piece in response.http_response.iter_raw():
            if self._cap is not None:
                await self._cap.take(len(piece))
            yield piece


class RedactedLog(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Logs one line for each attempt, without query, headers and body, which hold signatures, tokens and data."""

    async def send(self, request: Request) -> Response:
        """As the next policy."""
        response = await self.next.send(request)
        sent = request.http_request
        logger.debug("%s %s %d", sent.method, without_query(sent.url), status_of(response))
        return response


def without_query(url: str) -> str:
    """A URL without its query, which may hold a signature."""
    return url.partition("?")[0]


def status_of(response: Response) -> int:
    """The status of an answer."""
    return response.http_response.status_code


def _stated_wait_s(response: Response, words: Words) -> float | None:
    headers = response.http_response.headers
    return stated_wait_s(headers.get("Retry-After"), words.complaint(body_of(response), headers).message)


def body_of(response: Response) -> bytes:
    """The body of an answer, wherever a policy put it."""
    if "body" in response.context:
        return bytes(response.context["body"])
    return response.http_response.content
