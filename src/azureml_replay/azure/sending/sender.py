"""The one function that sends. Width, retries, tokens and redaction are its policies; nothing else opens a socket."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, TypeAlias
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline import AsyncPipeline, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncHTTPPolicy
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from azureml_replay import json_text
from azureml_replay.azure import rights
from azureml_replay.azure.sending.cap import Cap
from azureml_replay.azure.sending.clock import WALL_CLOCK, Clock
from azureml_replay.azure.sending.gate import Gate
from azureml_replay.azure.sending.limit import Limit, stated_wait_s
from azureml_replay.azure.sending.retry import (
    AttemptOutcome,
    Tries,
    fate_of_error,
    fate_of_status,
    forbidden_host,
    system_error,
)
from azureml_replay.azure.sending.transport import CHECK, proxy_variable
from azureml_replay.azure.wire.decode import problem
from azureml_replay.disk.handles import too_many_files
from azureml_replay.errors import (
    NO_HANDLE,
    Forbidden,
    NotFound,
    Rejected,
    ServiceError,
    Unavailable,
    Uncertain,
    UserError,
)
from azureml_replay.version import __version__
from azureml_replay.workspace.lease import Check
from azureml_replay.workspace.traffic import Load, ServiceTraffic

NOT_SPOKEN = frozenset({404, 405, 501})
"""Statuses with which a service says that it does not know a route."""

BLOBS = "blob "
"""How the names of services begin that take and give the bytes of files."""
CAPPED = "capped"
"""An option of requests that carry bytes of files."""
LOGIN_HELP = "log in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
SILENT_S = 10.0
"""Seconds of one attempt without a connection after which people are told: they see nothing happen."""
USER_AGENT = f"azureml-job-replayer/{__version__}"

logger = logging.getLogger("azureml_replay.http")

Request: TypeAlias = PipelineRequest[HttpRequest]
Response: TypeAlias = PipelineResponse[HttpRequest, AsyncHttpResponse]
Policy: TypeAlias = AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]
Transport: TypeAlias = AsyncHttpTransport[HttpRequest, AsyncHttpResponse]


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is asked: a name that has a width of its own, and the scope of its tokens."""

    name: str
    """`arm`, `history`, `metric`, `artifact`, `blob {account}`."""
    scope: str | None
    """The scope of tokens; None: none is sent, because the URL is public or signed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with a status below 400."""

    method: str
    url: str
    """The URL without its query."""
    status: int
    headers: Mapping[str, str]
    """Headers, whose names are compared without case."""
    body: bytes
    repeatable: bool

    def json(self, *, long_numbers: bool = True) -> Any:  # noqa: ANN401 decode.py gives it a type
        """The body as JSON; None for an empty one. Without `long_numbers` whole numbers beyond 64 bits are not sought.

        Of what is nested too deeply `json_text.TOO_DEEP` stands there.
        A body that is no JSON (a proxy's page) raises Unavailable, or Uncertain if the request is not repeatable.
        """
        try:
            return json_text.loads_cut(self.body, long_numbers=long_numbers) if self.body.strip() else None
        except ValueError as error:
            kind = Unavailable if self.repeatable else Uncertain
            raise kind("the answer is not JSON", method=self.method, url=self.url, status=self.status) from error


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
            fate = fate_of_error(outcome) if isinstance(outcome, AzureError) else fate_of_status(_status(outcome))
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
        busy = _status(response) in (429, 503)
        request.context["stated_s"] = _stated_wait_s(response) if busy else None
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
        """The next policy's answer; the bytes of a `stream` request are put into the context."""
        response = await self.next.send(request)
        if request.context.options.get("stream"):
            request.context["body"] = b"".join([piece async for piece in self._pieces(response)])
        return response

    async def _pieces(self, response: Response) -> AsyncIterator[bytes]:
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
        logger.debug("%s %s %d", sent.method, without_query(sent.url), _status(response))
        return response


class Sender:
    """Sends for one workspace: one credential, one gate for each service."""

    def __init__(
        self,
        transport: Transport,
        credential: AsyncTokenCredential,
        *,
        parallel: int,
        clock: Clock = WALL_CLOCK,
        on_throttle: Callable[[str], None] = logger.warning,
        cap: Cap | None = None,
    ) -> None:
        """`parallel` is the ceiling of every gate; `on_throttle` gets one line for each cut.

        `cap` limits the bytes of files, of all senders that share it together.
        """
        self._cap = cap
        self._transport = transport
        self._credential = credential
        self._parallel = parallel
        self._on_throttle = on_throttle
        self.clock = clock
        self._told: set[str] = set()
        self._gates: dict[str, Gate] = {}
        self._pipelines: dict[str | None, AsyncPipeline[HttpRequest, AsyncHttpResponse]] = {}

    async def send(
        self,
        service: Service,
        method: str,
        url: str,
        *,
        repeatable: bool,
        json: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        check: Check | None = None,
    ) -> Answer:
        """Send a request, and send it again where that is safe. `raw` leaves the content encoding alone.

        `check` is called right before each attempt leaves, and keeps it from leaving where it raises.

        Raises NotFound (404), Forbidden (401, 403, with its remedy), Rejected (other 4xx, 501), Unavailable (429, 5xx
        or no connection, after the last attempt), Uncertain (not repeatable, and nobody knows whether it was done),
        UserError (no token, no trust).
        """
        always = {"User-Agent": USER_AGENT}
        if json is not None:
            always["Content-Type"], data = "application/json", json_text.dumps(json)
        request = HttpRequest(method, url, headers={**always, **(headers or {})}, content=data)
        options: dict[str, Any] = {"gate": self._gate(service), "repeatable": repeatable}
        options |= {CHECK: check} if check else {}
        if self._cap is not None and (raw or (data is not None and service.name.startswith(BLOBS))):
            options[CAPPED] = True
        try:
            response = await self._pipeline(service.scope).run(request, **options, **({"stream": True} if raw else {}))
        except ClientAuthenticationError as error:
            raise UserError(f"login failed: {login_problem(error.message)}: {LOGIN_HELP}") from error
        except AzureError as error:
            _raise_unanswered(error, request, repeatable=repeatable)
        body = _body(response)
        if _status(response) >= 400:
            raise _refusal(service, request, response, body, repeatable=repeatable)
        return Answer(method, without_query(url), _status(response), response.http_response.headers, body, repeatable)

    def traffic(self) -> dict[str, ServiceTraffic]:
        """The requests so far, by service."""
        return {name: gate.traffic for name, gate in self._gates.items()}

    def loads(self) -> dict[str, Load]:
        """The load of each service right now. May be called from any thread."""
        return {name: gate.load() for name, gate in list(self._gates.items())}

    def time_of(self, service: Service) -> datetime:
        """The latest time that a service told with an answer; this machine's where it told none."""
        return self._gate(service).told or self.clock.now()

    async def token(self, scope: str) -> AccessToken:
        """A token for requests that carry one in their body. Raises UserError where the login fails, Unavailable."""
        try:
            return await self._credential.get_token(scope)
        except ClientAuthenticationError as error:
            raise UserError(f"login failed: {login_problem(error.message)}: {LOGIN_HELP}") from error
        except AzureError as error:
            raise Unavailable(f"the login does not answer: {first_line(str(error))}") from error

    def _gate(self, service: Service) -> Gate:
        if service.name not in self._gates:
            limit = Limit(ceiling=self._parallel)
            self._gates[service.name] = Gate(service.name, limit, self.clock, self._on_throttle)
        return self._gates[service.name]

    def _silent(self, url: str) -> None:
        """Say once that a host does not answer, and which proxy may be why."""
        host = urlsplit(url).netloc
        if host not in self._told:
            self._told.add(host)
            self._on_throttle(f"{host} does not answer{_through(url)}: trying again")

    def _pipeline(self, scope: str | None) -> AsyncPipeline[HttpRequest, AsyncHttpResponse]:
        if scope not in self._pipelines:
            token = [AsyncBearerTokenCredentialPolicy(self._credential, scope)] if scope else []
            policies: list[Policy] = [
                RetryRule(self.clock, self._silent),
                *([Capped(self._cap)] if self._cap else []),
                WidthGate(),
                *token,
                RedactedLog(),
                WholeBody(self._cap),
                LastCheck(),
            ]
            self._pipelines[scope] = AsyncPipeline(self._transport, policies)
        return self._pipelines[scope]


def without_query(url: str) -> str:
    """A URL without its query, which may hold a signature."""
    return url.partition("?")[0]


def first_line(text: str) -> str:
    """The first line of an error's text: further ones are advice for developers."""
    return text.strip().partition("\n")[0]


def login_problem(text: str) -> str:
    """The first line of an error of azure-identity; for a chain the line of every credential that was tried."""
    tried = [line.strip() for line in text.splitlines() if line.startswith("\t")]
    return "; ".join(tried) or first_line(text)


def _status(response: Response) -> int:
    return response.http_response.status_code


def _stated_wait_s(response: Response) -> float | None:
    return stated_wait_s(response.http_response.headers.get("Retry-After"), problem(_body(response)).message)


def _body(response: Response) -> bytes:
    if "body" in response.context:
        return bytes(response.context["body"])
    return response.http_response.content


def _raise_unanswered(error: AzureError, request: HttpRequest, *, repeatable: bool) -> NoReturn:
    fate, text = fate_of_error(error), _cut(first_line(str(error)), request) or type(error).__name__
    if fate is AttemptOutcome.UNTRUSTED:
        raise UserError(f"{text}: name your certificates in SSL_CERT_FILE") from error
    if fate is AttemptOutcome.PROXY:
        raise UserError(_login_of_proxy(request.url)) from error
    if fate is AttemptOutcome.FORBIDDEN_HOST:
        raise UserError(_forbidden_by_proxy(forbidden_host(error) or urlsplit(request.url).netloc)) from error
    if (system_error(error) or OSError()).errno in NO_HANDLE:
        raise UserError(too_many_files()) from error
    kind = Uncertain if fate is AttemptOutcome.UNKNOWN and not repeatable else Unavailable
    raise kind(
        f"no answer{_through(request.url)}: {text}", method=request.method, url=without_query(request.url)
    ) from error


MOST_WORDS = 120
"""Characters of a broken connection's words that are shown: what answers no HTTP may be quoted in them, 8 kB of it."""


def _cut(text: str, request: HttpRequest) -> str:
    """Of words that are too long their beginning; the log has them whole."""
    if len(text) <= MOST_WORDS:
        return text
    logger.info("%s %s: %s", request.method, without_query(request.url), text)
    return f"{text[:MOST_WORDS]}… (whole in the log)"


def _through(url: str) -> str:
    variable = proxy_variable(url)
    return f" through the proxy that {variable} names" if variable else ""


def _login_of_proxy(url: str) -> str:
    """What a proxy's 407 means. Its address is not shown: it may hold a password."""
    variable = proxy_variable(url) or "HTTPS_PROXY"
    return (
        f"the proxy that {variable} names wants a login (407): write it there before the host, user and password with "
        "a colon between them and an @ behind"
    )


def _forbidden_by_proxy(host: str) -> str:
    """What a proxy's 403 means. The host may be that of the login."""
    variable = proxy_variable(f"https://{host}") or "HTTPS_PROXY"
    return (
        f"the proxy that {variable} names forbids {host}: have it allowed there, or name it in NO_PROXY where it can be"
        " reached without"
    )


def _refusal(
    service: Service, request: HttpRequest, response: Response, body: bytes, *, repeatable: bool
) -> ServiceError:
    status = _status(response)
    found = problem(body, response.http_response.headers.get("x-ms-error-code"))
    kind: type[ServiceError] = {404: NotFound, 401: Forbidden, 403: Forbidden}.get(status, Rejected)
    if fate_of_status(status) is AttemptOutcome.THROTTLED:
        kind = Unavailable
    elif fate_of_status(status) is AttemptOutcome.UNKNOWN:
        kind = Unavailable if repeatable else Uncertain
    text, url = found.message or f"answered {status}", without_query(request.url)
    expected = rights.needed(service.name, request.method, url) if kind is Forbidden else None
    remedy = rights.remedy_of(text, expected) if issubclass(kind, Rejected) else None
    return kind(
        text, method=request.method, url=url, status=status, code=found.code, remedy=remedy, lasting=found.lasting
    )
