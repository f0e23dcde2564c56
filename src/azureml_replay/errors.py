"""Every exception of ours, divided by what the caller can do, and the exit code of every outcome.

* ReplayError
  + UserError          the message is the whole story: input, login, role, disk, an archive in use   exit 2
    - StatusManaged    a target keeps the status of runs to itself                                   exit 2
  + ServiceError       the service answered, or could not be asked; carries method, url, status
    - Rejected         4xx: the same request will fail again                                         exit 3
    - Forbidden        401, 403: this login lacks a role                                             exit 2
    - NotFound         404                                                                           exit 3
    - Unavailable      429 or 5xx after the last attempt, no connection: continue later              exit 3
    - Uncertain        a write that may not be repeated was sent and its answer was lost: ask first   exit 3
  + LeaseTaken         another replay of the same source works on the target: once it has ended             exit 3
  + IntegrityError     what was read is not what was written                                         exit 4
  + Interrupted        somebody stopped the command; the message says what is safe                   exit 130
"""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

NO_HANDLE = frozenset({errno.EMFILE, errno.ENFILE})
"""Numbers of the system's error where a process, or all of them, have too many files and connections open."""


_REQUEST = re.compile(r"\b(GET|PUT|POST|PATCH|DELETE|HEAD) /|https?://|/subscriptions/|^\s*[{<]")
"""A request, an address, or a document in a service's words: nothing for people."""
_WORDS = {
    (401, 403): "this login may not do that",
    (404, 410): "it is not there",
    (405, 501): "the service does not offer that",
    (429,): "the service was asked too much",
    tuple(range(500, 600)): "the service failed",
}
"""Statuses -> what they say. 501 stands before the others of its kind."""
logger = logging.getLogger("azureml_replay")


class Exit(IntEnum):
    """The exit codes of commands; scripts rely on these numbers."""

    OK = 0
    BUG = 1
    USER = 2
    SERVICE = 3
    INTEGRITY = 4
    FINDINGS = 5
    INTERRUPTED = 130


class ReplayError(Exception):
    """The base class of everything that we raise on purpose."""

    exit = Exit.BUG


class UserError(ReplayError):
    """Raised for what the user can mend. The message names the file, key, flag or role."""

    exit = Exit.USER


class StatusManaged(UserError):
    """Raised where a target lets no client say how runs of a form ended; the message has its words."""


class IdsRefused(UserError):
    """Raised where a target has no runs under ids that a client chooses."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What lets a refused request through. Filled in `azure/`, which alone knows the service's rights."""

    lacking: str
    """The right that the login lacks, in the service's own words."""
    said: str
    """One line for people: the missing right, the role that grants it, and where."""


def remedy_lines(remedies: Iterable[Remedy | None]) -> tuple[str, ...]:
    """The remedies of many refusals as lines for people, equal ones once."""
    return tuple(sorted({remedy.said for remedy in remedies if remedy}))


class ServiceError(ReplayError):
    """Raised for an answer of a service, or for none."""

    exit = Exit.SERVICE

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        url: str = "",
        status: int = 0,
        code: str = "",
        remedy: Remedy | None = None,
        lasting: bool = False,
    ) -> None:
        """`url` without its query: signatures live there. `code` is the innermost error code of the answer.

        `remedy` is known of refusals only, and not of all of them. `lasting`: by its code the service will refuse the
        item for ever, where the status alone does not say so.
        """
        super().__init__(message)
        self.method, self.url, self.status, self.code, self.remedy = method, url, status, code, remedy
        self.lasting = lasting

    def __str__(self) -> str:
        where = f" ({self.method} {self.url}: {self.status})" if self.method else ""
        return f"{self.args[0]}{where}"

    @property
    def in_words(self) -> str:
        """What happened, without the request: the service's own words, unless these repeat it."""
        said = str(self.args[0]).strip()
        if not said or _REQUEST.search(said):
            said = next((words for statuses, words in _WORDS.items() if self.status in statuses), "the service refused")
        return f"{said} ({self.status})" if self.status else said


def noted(error: ReplayError, what: str) -> str:
    """The words of an error for people; its request, which helps those who run the service, goes into the log.

    `what` says in the log what was tried.
    """
    if not isinstance(error, ServiceError):
        return str(error)
    logger.info("%s: %s", what, error)
    return error.in_words


class Rejected(ServiceError):
    """Raised for a refusal: the same request will be refused again."""


class Forbidden(Rejected):
    """Raised where the login is known and lacks a right: `remedy` says which, where that is known."""

    exit = Exit.USER


class NotFound(Rejected):
    """Raised where the service knows no such thing."""


class Unavailable(ServiceError):
    """Raised where a service is throttling, failing or out of reach after the last attempt."""


class Uncertain(ServiceError):
    """Raised where it is unknown whether a write arrived that is not repeatable: read back, then send what lacks."""


class LeaseTaken(ReplayError):
    """Another replay of the same source writes into the target, or does so by now: this one stops writing."""

    exit = Exit.SERVICE


class IntegrityError(ReplayError):
    """Raised where what was read is not what was written."""

    exit = Exit.INTEGRITY


class Interrupted(ReplayError):
    """Raised where somebody stopped the command. The message says what is safe."""

    exit = Exit.INTERRUPTED
