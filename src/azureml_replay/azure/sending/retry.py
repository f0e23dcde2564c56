"""Which attempts may be made again, and when: decisions without I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import aiohttp
from azure.core.exceptions import AzureError

from azureml_replay.azure.sending.limit import backoff_s

FAILURES = 6
"""Attempts at a request that fails: a quarter of a minute in all. A longer outage is for a later run."""
PATIENCE_S = 900.0
"""How long one request puts up with being throttled."""


class AttemptOutcome(Enum):
    """What became of one attempt, cut by whether it may be made again."""

    ANSWERED = "answered"
    REFRESH = "the token was refused: nothing was done"
    THROTTLED = "refused for now: nothing was done"
    NOT_SENT = "no connection: nothing was done"
    UNTRUSTED = "the certificate is not trusted: nothing was done, and will not be"
    UNKNOWN = "failed, and may have been done"


def fate_of_status(status: int) -> AttemptOutcome:
    """501 is an answer: the route is not there. 401 may mean a token that expired on the way."""
    if status == 429:
        return AttemptOutcome.THROTTLED
    if status == 401:
        return AttemptOutcome.REFRESH
    return AttemptOutcome.UNKNOWN if status == 408 or (status >= 500 and status != 501) else AttemptOutcome.ANSWERED


def fate_of_error(error: AzureError) -> AttemptOutcome:
    """azure-core calls every aiohttp error a *request* error, resets too: only a failed connect surely did nothing."""
    cause = error.inner_exception or error.__cause__
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        return AttemptOutcome.UNTRUSTED
    never_left = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.ConnectionTimeoutError)
    return AttemptOutcome.NOT_SENT if isinstance(cause, never_left) else AttemptOutcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Tries:
    """What was tried so far with one request."""

    repeatable: bool
    """Sending it twice does no harm: then an ambiguous failure is no reason to stop."""
    failures: int = 0
    throttles: int = 0
    refreshed: bool = False

    def after(self, fate: AttemptOutcome) -> Tries:
        """One attempt more."""
        return replace(
            self,
            failures=self.failures + (fate in (AttemptOutcome.NOT_SENT, AttemptOutcome.UNKNOWN)),
            throttles=self.throttles + (fate is AttemptOutcome.THROTTLED),
            refreshed=self.refreshed or fate is AttemptOutcome.REFRESH,
        )

    def wait_s(
        self, fate: AttemptOutcome, *, elapsed_s: float, spread: float, stated_s: float | None = None
    ) -> float | None:
        """Seconds until the attempt after `fate`; None: there is none. `spread` (0 to 1) keeps clients apart.

        `stated_s` is the wait that the service asked for: what it refused waits so long, even where others go on.
        """
        match fate:
            case AttemptOutcome.THROTTLED if elapsed_s < PATIENCE_S:
                return max(stated_s or 0.0, backoff_s(self.throttles + 1, spread))
            case AttemptOutcome.REFRESH if not self.refreshed:
                return 0.0
            case AttemptOutcome.NOT_SENT | AttemptOutcome.UNKNOWN if self.failures + 1 < FAILURES:
                sure = fate is AttemptOutcome.NOT_SENT or self.repeatable
                return max(stated_s or 0.0, backoff_s(self.failures + 1, spread)) if sure else None
        return None
