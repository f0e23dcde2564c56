"""What is sent again, what is not, and what the caller hears."""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import aiohttp
import pytest
import yarl
from azure.core.exceptions import (
    ClientAuthenticationError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from multidict import CIMultiDict, CIMultiDictProxy

from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.errors import Forbidden, NotFound, Rejected, ServiceError, Unavailable, Uncertain, UserError
from azureml_replay.sending.retry import FAILURES, PATIENCE_S, AttemptOutcome, Tries
from azureml_replay.sending.sender import Answer, Sender, Service
from azureml_replay.terminal.text import shown
from azureml_replay.workspace.target import Refused
from unit.scripted import Patient, Said, Scripted, Tokens

ASKED = Service("history", "scope")
URL = "https://api.example/history?secret=signature"
BUSY = Said(
    429, b'{"error":{"code":"UserError","message":"Received too many requests. Retry again after 20 seconds."}}'
)
PAGE_502 = Said(502, b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")
KEY = aiohttp.client_reqrep.ConnectionKey("api.example", 443, True, True, None, None, None)


def not_connected() -> ServiceRequestError:
    cause = aiohttp.ClientConnectorError(KEY, OSError(111, "refused"))
    return ServiceRequestError(cause, error=cause)


def reset() -> ServiceRequestError:
    """As azure-core's aiohttp transport says it: a *request* error, although the request was sent."""
    cause = aiohttp.ClientOSError(104, "Connection reset by peer")
    return ServiceRequestError(cause, error=cause)


def untrusted() -> ServiceRequestError:
    cause = aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("self-signed"))
    return ServiceRequestError(cause, error=cause)


def sender(transport: Scripted, clock: Patient, tokens: Tokens | None = None, **options: Any) -> Sender:
    return Sender(transport, tokens or Tokens(), AZURE_WORDS, parallel=8, clock=clock, **options)


async def asked(*script: Any, repeatable: bool = True) -> tuple[Answer | ServiceError, Scripted, Patient]:
    """The outcome of one request against a script; there is one place at the gate, so that a lost one would hang."""
    transport, clock = Scripted(*script), Patient()
    sending = Sender(transport, Tokens(), AZURE_WORDS, parallel=1, clock=clock)
    try:
        async with asyncio.timeout(30):
            answer = await sending.send(ASKED, "POST", URL, json={}, repeatable=repeatable)
    except ServiceError as error:
        return error, transport, clock
    return answer, transport, clock


AMBIGUOUS = [
    pytest.param(lambda: PAGE_502, id="502"),
    pytest.param(lambda: Said(500), id="500"),
    pytest.param(reset, id="reset"),
    pytest.param(lambda: ServiceResponseTimeoutError("timed out"), id="timeout"),
    pytest.param(lambda: IncompleteReadError("truncated"), id="truncated"),
]
UNDONE = [pytest.param(lambda: BUSY, id="429"), pytest.param(not_connected, id="no connection")]


@pytest.mark.parametrize("trouble", [*AMBIGUOUS, *UNDONE])
async def test_what_may_be_repeated_is_sent_again(trouble: Any) -> None:
    """Every passing trouble ends in the answer."""
    outcome, transport, _ = await asked(trouble(), trouble(), Said(200, b'{"a":1}'))

    assert isinstance(outcome, Answer)
    assert outcome.json() == {"a": 1}
    assert len(transport.requests) == 3


async def test_json_says_what_it_is() -> None:
    """Servers of MLflow up to 3.1 take nothing else."""
    _, transport, _ = await asked(Said(200))

    assert [(one.headers["Content-Type"], one.content) for one in transport.requests] == [("application/json", b"{}")]


async def test_bytes_that_are_read_while_they_are_sent_begin_anew_with_each_attempt() -> None:
    """A broken connection may have taken some of them; each takes its part of the bandwidth again."""
    begun = count()

    class Counted:
        def __len__(self) -> int:
            return 3

        async def __aiter__(self) -> AsyncIterator[bytes]:
            next(begun)
            yield b"abc"

    class Reading(Scripted):
        async def send(self, request: Any, **options: Any) -> Any:
            assert b"".join([piece async for piece in request.content]) == b"abc"
            return await super().send(request, **options)

    transport = Reading(PAGE_502, Said(200))
    await sender(transport, Patient()).send(ASKED, "PUT", URL, data=Counted(), repeatable=True)

    assert (len(transport.requests), next(begun)) == (2, 2)


@pytest.mark.parametrize("trouble", UNDONE)
async def test_what_was_surely_not_done_is_sent_again_though_it_may_not_be_repeated(trouble: Any) -> None:
    """A refusal at the door is no write."""
    outcome, transport, _ = await asked(trouble(), Said(200), repeatable=False)

    assert isinstance(outcome, Answer)
    assert len(transport.requests) == 2


@pytest.mark.parametrize("trouble", AMBIGUOUS)
async def test_an_ambiguous_failure_of_what_may_not_be_repeated_ends_at_once(trouble: Any) -> None:
    """Sent once, never again: the points may have arrived."""
    outcome, transport, clock = await asked(trouble(), Said(200), repeatable=False)

    assert isinstance(outcome, Uncertain)
    assert len(transport.requests) == 1
    assert clock.waited_s == 0


async def test_an_answer_that_is_no_json_leaves_a_write_uncertain() -> None:
    """A proxy's page with status 200 proves nothing."""
    transport = Scripted(Said(200, b"<html>"), Said(200, b"<html>"))
    sending = sender(transport, Patient())

    with pytest.raises(Uncertain):
        (await sending.send(ASKED, "POST", URL, json={}, repeatable=False)).json()
    with pytest.raises(Unavailable):
        (await sending.send(ASKED, "POST", URL, json={}, repeatable=True)).json()


async def test_a_lasting_failure_is_given_up_after_some_attempts() -> None:
    """Half a minute, then the caller decides; the HTML page does no harm."""
    outcome, transport, clock = await asked(*[PAGE_502] * FAILURES)

    assert type(outcome) is Unavailable
    assert (outcome.status, outcome.args[0]) == (502, "502 Bad Gateway")
    assert len(transport.requests) == FAILURES
    assert 10 < clock.waited_s < 30


async def test_the_wait_in_the_message_is_kept_by_everybody_at_that_service() -> None:
    """No Retry-After comes with Azure ML's 429."""
    lines: list[str] = []
    transport, clock = Scripted(BUSY, Said(200), Said(200)), Patient()
    sending = sender(transport, clock, on_throttle=lines.append)
    await sending.send(ASKED, "GET", URL, repeatable=True)
    await sending.send(ASKED, "GET", URL, repeatable=True)

    assert 19.9 < clock.waited_s < 22
    assert lines == ["history is throttling: waiting 20 s as it asks"]


async def test_one_services_trouble_slows_no_other() -> None:
    """While history waits as it asked, metrics are asked as often as anybody likes."""

    class Stopped(Patient):
        """Nobody moves its hands: who waits, waits."""

        begun = asyncio.Event()

        async def sleep(self, seconds: float) -> None:
            self.waits.append(seconds)
            self.begun.set()
            await asyncio.Event().wait()

    transport, clock = Scripted(BUSY, *[Said(200)] * 20), Stopped()
    sending = sender(transport, clock)
    waiting = asyncio.create_task(sending.send(ASKED, "GET", URL, repeatable=True))
    await clock.begun.wait()

    for _ in range(20):
        await sending.send(Service("metric", "scope"), "GET", URL, repeatable=True)

    assert (len(transport.requests), waiting.done(), len(clock.waits)) == (21, False, 1)
    waiting.cancel()


async def test_endless_throttling_is_unavailable_not_a_hang() -> None:
    """A quarter of an hour of patience."""
    outcome, _, clock = await asked(*[BUSY] * 1000)

    assert isinstance(outcome, Unavailable)
    assert PATIENCE_S <= clock.waited_s < PATIENCE_S + 60


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (404, NotFound), (409, Rejected), (403, Forbidden), (501, Rejected)]
)
async def test_a_refusal_is_not_repeated(status: int, kind: type[ServiceError]) -> None:
    """The same request will fail again."""
    outcome, transport, _ = await asked(Said(status, b'{"error":{"code":"UserError","message":"no"}}'))

    assert type(outcome) is kind
    assert len(transport.requests) == 1
    assert "signature" not in str(outcome)


@pytest.mark.parametrize(
    ("status", "code", "of_item"),
    [
        (400, "InvalidResourceName", True),
        (409, "BlobImmutableDueToPolicy", True),
        (409, "BlobArchived", True),
        (409, "PendingCopyOperation", False),
        (409, "LeaseAlreadyPresent", False),
        (409, "ContainerBeingDeleted", False),
        (403, "AuthorizationPermissionMismatch", False),
    ],
)
async def test_a_conflict_that_stays_is_about_the_item(status: int, code: str, *, of_item: bool) -> None:
    """By storage's code: the status is the same for one that passes."""
    outcome, _, _ = await asked(Said(status, b"", {"x-ms-error-code": code}))

    assert isinstance(outcome, Rejected)
    assert (Refused.of(outcome).of_item, Refused.of(Refused.of(outcome).error()).of_item) == (of_item, of_item)


INNER = b'{"error":{"code":"UserError","message":"m","innerError":{"code":"NotFoundError","innerError":null}}}'
ADDITIONAL = (
    b'{"error":{"code":"UserError","message":"m","details":[],"additionalInfo":['
    b'{"type":"ComponentName","info":{"value":"managementfrontend"}},{"type":"InnerError","info":{"value":'
    b'{"code":"NotFound","innerError":{"code":"JobNotFound","innerError":null}}}}]}}'
)


@pytest.mark.parametrize(
    ("body", "headers", "code", "message"),
    [
        (INNER, {}, "NotFoundError", "m"),
        (ADDITIONAL, {}, "JobNotFound", "m"),
        (b'{"error":{"code":"ResourceNotFound","message":"m"}}', {}, "ResourceNotFound", "m"),
        (
            b'{"error":{"code":"UserError","message":"m","details":[{"code":"ModelNotFound"}]}}',
            {},
            "ModelNotFound",
            "m",
        ),
        (b'{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"m"}', {}, "RESOURCE_DOES_NOT_EXIST", "m"),
        (b"", {"x-ms-error-code": "BlobNotFound"}, "BlobNotFound", "answered 400"),
        (
            b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>C</Code><Message>m\nRequestId:1</Message></Error>",
            {"x-ms-error-code": "C"},
            "C",
            "m",
        ),
        (b"[1]", {}, "", "answered 400"),
    ],
)
async def test_the_innermost_code_is_found_in_every_shape(
    body: bytes, headers: dict[str, str], code: str, message: str
) -> None:
    """ARM, the data plane, the gateway, MLflow, storage."""
    outcome, _, _ = await asked(Said(400, body, headers))

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.args[0]) == (code, message)


async def test_a_token_that_expired_on_the_way_is_renewed_once() -> None:
    """Also for what may not be repeated: nothing was done."""
    transport, tokens = Scripted(Said(401), Said(200)), Tokens()
    sending = sender(transport, Patient(), tokens)
    await sending.send(ASKED, "POST", URL, json={}, repeatable=False)

    assert [request.headers["Authorization"] for request in transport.requests] == ["Bearer token-2"] * 2
    assert tokens.given == 2
    outcome, transport, _ = await asked(Said(401), Said(401))
    assert isinstance(outcome, Rejected)


async def test_a_failing_login_is_the_users_matter() -> None:
    """Not the service's; the advice for developers is left out."""
    tokens = Tokens(ClientAuthenticationError("AADSTS700016: no such application\nTo mitigate this issue, see"))
    with pytest.raises(UserError, match=r"login failed: AADSTS700016: no such application: log in with .*$"):
        await sender(Scripted(), Patient(), tokens).send(ASKED, "GET", URL, repeatable=True)


async def test_an_untrusted_certificate_is_not_tried_again() -> None:
    """It names the variable to set."""
    transport = Scripted(untrusted())
    with pytest.raises(UserError, match="SSL_CERT_FILE"):
        await sender(transport, Patient()).send(ASKED, "GET", URL, repeatable=True)


async def test_too_many_open_connections_are_waited_for_and_then_the_users_matter() -> None:
    """Others end meanwhile; a limit that stays too low is named."""

    def full() -> ServiceRequestError:
        cause = aiohttp.ClientConnectorError(KEY, OSError(errno.EMFILE, "Too many open files"))
        return ServiceRequestError(cause, error=cause)

    outcome, _, _ = await asked(full(), full(), Said(200, b"{}"))
    assert isinstance(outcome, Answer)

    with pytest.raises(UserError, match="ulimit -n"):
        await asked(*(full() for _ in range(FAILURES)))


def proxy_said(status: int) -> ServiceResponseError:
    """As aiohttp and azure-core say it of a CONNECT that was refused."""
    wanted = aiohttp.RequestInfo(
        yarl.URL("https://login.example/x"), "CONNECT", CIMultiDictProxy(CIMultiDict()), yarl.URL("http://proxy")
    )
    cause = aiohttp.ClientHttpProxyError(wanted, (), status=status, message="no")
    return ServiceResponseError(cause, error=cause)


async def test_a_proxy_that_wants_a_login_is_the_users_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and without its address, which may hold a password; and nothing of the advice looks like one."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hush@proxy")

    with pytest.raises(UserError, match="HTTPS_PROXY names wants a login") as raised:
        await asked(proxy_said(407))

    assert "hush" not in str(raised.value)
    assert shown(str(raised.value)) == str(raised.value)


async def test_an_answer_that_is_no_http_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    """A connection's words may quote 8 kB of it: a line shows the beginning, the log has all."""
    cause = aiohttp.ClientError(f"Bad status line: {'x' * 8_000}")
    caplog.set_level("INFO", "azureml_replay.http")

    outcome, _, _ = await asked(*(ServiceResponseError(cause, error=cause) for _ in range(FAILURES)))

    assert isinstance(outcome, Unavailable)
    assert len(str(outcome)) < 250
    assert "Bad status line: xxx" in str(outcome)
    assert "x" * 8_000 in caplog.text


@pytest.mark.parametrize("status", [403, 405, 451])
async def test_a_host_that_a_proxy_forbids_is_the_users_matter(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """At once: it will be forbidden again. Said are the variable and the host, be it of the login, and no password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:word@proxy")

    with pytest.raises(UserError, match=r"HTTPS_PROXY names forbids login\.example: .*NO_PROXY") as raised:
        await asked(proxy_said(status))

    assert "word" not in str(raised.value)


async def test_a_host_that_a_proxy_does_not_reach_is_asked_for_again() -> None:
    """It may come back; one that stays away is out of reach as any host is."""
    outcome, _, _ = await asked(proxy_said(504), proxy_said(502), Said(200, b"{}"))

    assert isinstance(outcome, Answer)
    outcome, _, _ = await asked(*(proxy_said(502) for _ in range(FAILURES)))
    assert isinstance(outcome, Unavailable)


async def test_a_proxy_that_never_answers_is_told_and_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt ends after 20 s: said after the first, given up within two minutes."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    clock, told = Patient(), list[tuple[str, float]]()
    began = clock.now()

    def passed_s() -> float:
        return (clock.now() - began).total_seconds()

    def silence(_: Any) -> Said:
        clock.time += timedelta(seconds=20)
        cause = aiohttp.ConnectionTimeoutError("Connection timeout to host")
        raise ServiceRequestTimeoutError(cause, error=cause)

    sending = sender(Scripted(*[silence] * FAILURES), clock, on_throttle=lambda text: told.append((text, passed_s())))
    with pytest.raises(Unavailable, match="no answer through the proxy that HTTPS_PROXY names"):
        await sending.send(ASKED, "GET", URL, repeatable=True)

    assert told == [("api.example does not answer through the proxy that HTTPS_PROXY names: trying again", 20.0)]
    assert passed_s() < 120


async def test_no_token_goes_to_a_signed_url() -> None:
    """The signature is the permission."""
    transport, tokens = Scripted(Said(200)), Tokens()
    await sender(transport, Patient(), tokens).send(Service("blob a", None), "GET", URL, repeatable=True)

    assert "Authorization" not in transport.requests[0].headers
    assert tokens.given == 0


async def test_the_log_holds_neither_query_nor_token_nor_body(caplog: pytest.LogCaptureFixture) -> None:
    """Signatures travel in queries."""
    caplog.set_level(logging.DEBUG, "azureml_replay.http")
    ours = logging.getLogger("azureml_replay.http")
    ours.addHandler(caplog.handler)  # whatever an earlier test did to the loggers above
    await asked(Said(200, b'{"key":"value-in-body"}'))
    ours.removeHandler(caplog.handler)

    assert "https://api.example/history 200" in caplog.text
    for secret in ("signature", "token-1", "value-in-body"):
        assert secret not in caplog.text


async def test_any_text_of_an_archive_can_be_sent() -> None:
    """Half of a surrogate pair goes as its escape: what to make of it is for the service to say."""
    transport = Scripted(Said(200, b"{}"))

    await sender(transport, Patient()).send(ASKED, "POST", URL, json={"tag": "\ud800"}, repeatable=True)

    assert transport.requests[0].content == b'{"tag": "\\ud800"}'


class Gone(Exception):
    """Nothing may leave any more."""


async def test_what_may_not_leave_is_asked_after_the_wait_for_a_place() -> None:
    """The place at the gate is free again afterwards."""
    transport, clock, waiting = Scripted(Said(200), Said(200)), Patient(), asyncio.Event()
    sending = Sender(transport, Tokens(), AZURE_WORDS, parallel=1, clock=clock)
    gate, may = sending._gate(ASKED), [True]
    place = await gate.enter()

    def check() -> None:
        if not may[0]:
            raise Gone

    async def append() -> None:
        waiting.set()
        await sending.send(ASKED, "POST", URL, json={}, repeatable=False, check=check)

    going = asyncio.ensure_future(append())
    await waiting.wait()
    may[0] = False
    gate.leave(place, throttled=False)
    with pytest.raises(Gone):
        await going
    assert transport.requests == []
    await sending.send(ASKED, "POST", URL, json={}, repeatable=False)
    assert len(transport.requests) == 1


async def test_what_may_not_leave_is_asked_before_every_attempt() -> None:
    """The first one is throttled, and the lease is gone when its wait is over."""
    transport, asked_before = Scripted(BUSY, Said(200)), []

    def check() -> None:
        asked_before.append(len(transport.requests))
        if transport.requests:
            raise Gone

    with pytest.raises(Gone):
        await sender(transport, Patient()).send(ASKED, "POST", URL, json={}, repeatable=False, check=check)

    assert (asked_before, len(transport.requests)) == ([0, 1], 1)


async def test_the_time_of_a_service_is_the_latest_that_it_told() -> None:
    """Also with an error; an answer without one, or with one that is older, changes nothing.

    What serves an MLflow server adds one of its own to the server's: the first of the two counts.
    """
    dates = [
        None,
        "Thu, 01 Jan 2026 12:00:07 GMT, Thu, 01 Jan 2026 12:00:09 GMT",
        "Thu, 01 Jan 2026 12:00:05 GMT",
        "yesterday",
        None,
    ]
    script = [Said(200 if date is None else 404, given={"Date": date} if date else {}) for date in dates]
    clock = Patient()
    sending = sender(Scripted(*script), clock)
    told = []
    for _ in dates:
        with suppress(NotFound):
            await sending.send(ASKED, "GET", URL, repeatable=True)
        told.append(sending.time_of(ASKED))

    assert told == [clock.now(), *[datetime(2026, 1, 1, 12, 0, 7, tzinfo=UTC)] * 4]


@pytest.mark.parametrize("fate", [AttemptOutcome.THROTTLED, AttemptOutcome.NOT_SENT, AttemptOutcome.UNKNOWN])
def test_a_refused_request_waits_as_long_as_it_was_told(fate: AttemptOutcome) -> None:
    """Also where only some are refused, so that the others go on: the limit knows of no wait then."""
    tries = Tries(repeatable=True)

    assert tries.wait_s(fate, elapsed_s=1.0, spread=0.0, stated_s=20.0) == 20.0
    assert 0 < (tries.wait_s(fate, elapsed_s=1.0, spread=0.5) or 0) < 20.0
