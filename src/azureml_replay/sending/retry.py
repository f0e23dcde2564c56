"""Which requests may be sent again, and when: decisions without I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import aiohttp
from azure.core.exceptions import AzureError

from azureml_replay.sending.limit import backoff_s

FAILURES = 6
"""Attempts at a failing request: a quarter of a minute in all. After a longer outage the command is run again."""
PROXY_LOGIN = 407
"""The status with which a proxy asks who one is."""
PROXY_FORBIDS = frozenset({403, 405, 451})
"""Statuses with which a proxy says that it lets nobody reach a host, or through to any. Where it cannot reach one, that
may pass: it says 502 and the like."""
UNREACHED_S = 75.0
"""Seconds after which a host that takes no request is given up: attempts end after 20 each, so within two minutes."""
_NO_TLS = "WRONG_VERSION_NUMBER"
"""OpenSSL's word for an answer that is no TLS, as a plain HTTP server gives one."""
PATIENCE_S = 900.0
"""Seconds for which one request is sent again while it is throttled."""


class AttemptOutcome(Enum):
    """What became of one attempt, divided by whether it may be made again."""

    ANSWERED = "answered"
    REFRESH = "the token was refused: nothing was done"
    THROTTLED = "refused for now: nothing was done"
    NOT_SENT = "no connection: nothing was done"
    PROXY = "the proxy wants a login: nothing was done, and will not be"
    FORBIDDEN_HOST = "the proxy forbids the host: nothing was done, and will not be"
    UNTRUSTED = "the certificate is not trusted: nothing was done, and will not be"
    NO_TLS = "the other side speaks no https: nothing was done, and will not be"
    UNKNOWN = "failed, and may have been done"


def fate_of_status(status: int) -> AttemptOutcome:
    """The outcome that a status means. 501 is an answer: there is no such route. 401 may mean an expired token."""
    if status == 429:
        return AttemptOutcome.THROTTLED
    if status == 401:
        return AttemptOutcome.REFRESH
    return AttemptOutcome.UNKNOWN if status == 408 or (status >= 500 and status != 501) else AttemptOutcome.ANSWERED


def fate_of_error(error: AzureError) -> AttemptOutcome:
    """The outcome that an error means. azure-core calls resets *request* errors too: only a failed connect is safe."""
    cause = error.inner_exception or error.__cause__
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        return AttemptOutcome.UNTRUSTED
    if isinstance(cause, aiohttp.ClientConnectorSSLError) and getattr(cause.os_error, "reason", "") == _NO_TLS:
        return AttemptOutcome.NO_TLS
    if isinstance(cause, aiohttp.ClientHttpProxyError) and cause.status == PROXY_LOGIN:
        return AttemptOutcome.PROXY
    if isinstance(cause, aiohttp.ClientHttpProxyError) and cause.status in PROXY_FORBIDS:
        return AttemptOutcome.FORBIDDEN_HOST
    never_left = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.ConnectionTimeoutError)
    return AttemptOutcome.NOT_SENT if isinstance(cause, never_left) else AttemptOutcome.UNKNOWN


def forbidden_host(error: AzureError) -> str | None:
    """The host that a proxy was asked for and forbids; None where the error does not say."""
    cause = error.inner_exception or error.__cause__
    return cause.request_info.url.host if isinstance(cause, aiohttp.ClientHttpProxyError) else None


def system_error(error: BaseException) -> OSError | None:
    """The system's own error behind an error of a connection, None where there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause
        cause = getattr(cause, "os_error", None) or getattr(cause, "inner_exception", None) or cause.__cause__
    return None


@dataclass(frozen=True, slots=True)
class Tries:
    """The attempts so far at one request."""

    repeatable: bool
    """True where sending twice does no harm: then a failure that may have done its work is tried again."""
    failures: int = 0
    throttles: int = 0
    refreshed: bool = False

    def after(self, fate: AttemptOutcome) -> Tries:
        """The attempts with one more, which ended so."""
        return replace(
            self,
            failures=self.failures + (fate in (AttemptOutcome.NOT_SENT, AttemptOutcome.UNKNOWN)),
            throttles=self.throttles + (fate is AttemptOutcome.THROTTLED),
            refreshed=self.refreshed or fate is AttemptOutcome.REFRESH,
        )

    def wait_s(
        self, fate: AttemptOutcome, *, elapsed_s: float, spread: float, stated_s: float | None = None
    ) -> float | None:
        """Seconds until the next attempt after `fate`; None: there is none. `spread` (0 to 1) keeps clients apart.

        `stated_s` is the wait that the service asked for: a refused request waits so long, even where others go on.
        """
        match fate:
            case AttemptOutcome.THROTTLED if elapsed_s < PATIENCE_S:
                return max(stated_s or 0.0, backoff_s(self.throttles + 1, spread))
            case AttemptOutcome.REFRESH if not self.refreshed:
                return 0.0
            case AttemptOutcome.NOT_SENT if elapsed_s > UNREACHED_S:
                return None
            case AttemptOutcome.NOT_SENT | AttemptOutcome.UNKNOWN if self.failures + 1 < FAILURES:
                sure = fate is AttemptOutcome.NOT_SENT or self.repeatable
                return max(stated_s or 0.0, backoff_s(self.failures + 1, spread)) if sure else None
        return None
