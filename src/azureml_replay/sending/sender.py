"""The one function that sends. Width, retries, tokens and redaction are its policies; nothing else opens a socket."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, Protocol, TypeAlias
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline import AsyncPipeline
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from azureml_replay import json_text
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
from azureml_replay.sending.cap import Cap
from azureml_replay.sending.clock import WALL_CLOCK, Clock
from azureml_replay.sending.gate import Gate
from azureml_replay.sending.limit import Limit
from azureml_replay.sending.policies import (
    CAPPED,
    PIECES,
    Capped,
    LastCheck,
    Policy,
    RedactedLog,
    Response,
    RetryRule,
    WholeBody,
    WidthGate,
    body_of,
    status_of,
    without_query,
)
from azureml_replay.sending.retry import (
    AttemptOutcome,
    fate_of_error,
    fate_of_status,
    forbidden_host,
    system_error,
)
from azureml_replay.sending.transport import CHECK, proxy_variable
from azureml_replay.sending.words import Words
from azureml_replay.version import __version__
from azureml_replay.workspace.lease import Check
from azureml_replay.workspace.traffic import Load, ServiceTraffic

NOT_SPOKEN = frozenset({404, 405, 501})
"""Statuses with which a service says that it does not know a route."""

BLOBS = "blob "
"""How the names of services begin that take and give the bytes of files."""
USER_AGENT = f"azureml-job-replayer/{__version__}"

logger = logging.getLogger("azureml_replay.http")


class BytesToSend(Protocol):
    """Bytes that are read while they are sent; from their beginning for each attempt."""

    def __len__(self) -> int:
        """How many they are."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Piece by piece."""
        ...


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


class Sender:
    """Sends for one workspace: one credential, one gate for each service."""

    def __init__(
        self,
        transport: Transport,
        credential: AsyncTokenCredential | None,
        words: Words,
        *,
        parallel: int,
        clock: Clock = WALL_CLOCK,
        on_throttle: Callable[[str], None] = logger.warning,
        cap: Cap | None = None,
    ) -> None:
        """`credential` is None where no service has a scope. `parallel` is the ceiling of every gate.

        `on_throttle` gets one line for each cut.
        `cap` limits the bytes of files, of all senders that share it together.
        """
        self._cap = cap
        self._transport = transport
        self._credential = credential
        self._words = words
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
        data: bytes | BytesToSend | None = None,
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
        of_file = data is not None and (not isinstance(data, bytes) or service.name.startswith(BLOBS))
        if self._cap is not None and (raw or of_file):
            options[CAPPED] = True
        try:
            response = await self._pipeline(service.scope).run(request, **options, **({"stream": True} if raw else {}))
        except ClientAuthenticationError as error:
            raise UserError(f"login failed: {login_problem(error.message)}: {self._words.login_help}") from error
        except AzureError as error:
            _raise_unanswered(error, request, repeatable=repeatable)
        body = body_of(response)
        if status_of(response) >= 400:
            raise self._refusal(service, request, response, repeatable=repeatable)
        return Answer(method, without_query(url), status_of(response), response.http_response.headers, body, repeatable)

    async def stream(self, service: Service, url: str, *, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The body of a GET, piece by piece, as it is stored. Raises as `send`; Unavailable where it breaks off."""
        request = HttpRequest("GET", url, headers={"User-Agent": USER_AGENT, **headers})
        options: dict[str, Any] = {"gate": self._gate(service), "repeatable": True, "stream": True, PIECES: True}
        options |= {CAPPED: True} if self._cap is not None else {}
        try:
            response = await self._pipeline(service.scope).run(request, **options)
            if status_of(response) >= 400:
                raise self._refusal(service, request, response, repeatable=True)
            async with aclosing(response.context["taken"]) as pieces:
                async for piece in pieces:
                    yield piece
        except AzureError as error:
            _raise_unanswered(error, request, repeatable=True)

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
        assert self._credential is not None  # noqa: S101 - a service with a scope has a login
        try:
            return await self._credential.get_token(scope)
        except ClientAuthenticationError as error:
            raise UserError(f"login failed: {login_problem(error.message)}: {self._words.login_help}") from error
        except AzureError as error:
            raise Unavailable(f"the login does not answer: {first_line(str(error))}") from error

    def _refusal(self, service: Service, request: HttpRequest, response: Response, *, repeatable: bool) -> ServiceError:
        status = status_of(response)
        found = self._words.complaint(body_of(response), response.http_response.headers)
        kind: type[ServiceError] = {404: NotFound, 401: Forbidden, 403: Forbidden}.get(status, Rejected)
        if fate_of_status(status) is AttemptOutcome.THROTTLED:
            kind = Unavailable
        elif fate_of_status(status) is AttemptOutcome.UNKNOWN:
            kind = Unavailable if repeatable else Uncertain
        text, url = found.message or f"answered {status}", without_query(request.url)
        remedy = None
        if issubclass(kind, Rejected):
            remedy = self._words.remedy(service.name, request.method, url, text, forbidden=kind is Forbidden)
        return kind(
            text, method=request.method, url=url, status=status, code=found.code, remedy=remedy, lasting=found.lasting
        )

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
            login = self._credential
            token = [AsyncBearerTokenCredentialPolicy(login, scope)] if scope and login is not None else []
            policies: list[Policy] = [
                RetryRule(self.clock, self._silent),
                *([Capped(self._cap)] if self._cap else []),
                WidthGate(self._words),
                *token,
                RedactedLog(),
                WholeBody(self._cap),
                LastCheck(),
            ]
            self._pipelines[scope] = AsyncPipeline(self._transport, policies)
        return self._pipelines[scope]


def first_line(text: str) -> str:
    """The first line of an error's text: further ones are advice for developers."""
    return text.strip().partition("\n")[0]


def login_problem(text: str) -> str:
    """The first line of an error of azure-identity; for a chain the line of every credential that was tried."""
    tried = [line.strip() for line in text.splitlines() if line.startswith("\t")]
    return "; ".join(tried) or first_line(text)


def _raise_unanswered(error: AzureError, request: HttpRequest, *, repeatable: bool) -> NoReturn:
    fate, text = fate_of_error(error), _cut(first_line(str(error)), request) or type(error).__name__
    if fate is AttemptOutcome.UNTRUSTED:
        raise UserError(f"{text}: name your certificates in SSL_CERT_FILE") from error
    if fate is AttemptOutcome.NO_TLS:
        host = urlsplit(request.url).netloc
        raise UserError(f"{host} speaks no https: name it with http:// where that is meant") from error
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
    """Of words that are too long their beginning; the log has them whole. `ssl:default` stands for no TLS as well."""
    text = text.replace(" ssl:default", "")
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
