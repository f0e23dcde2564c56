"""Find secrets in a text that one pattern could not find in one pass: each answers places, and is linear (pure)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TypeAlias

Place: TypeAlias = "tuple[int, int]"
"""Where a secret begins, and where it ends."""

_DOTTED = re.compile(r"[\w.-]{15,}")
_TOKEN_START = re.compile(r"(?:(?<!\w)|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))eyJ(?=[\w-]{10})")
_MOST_DOTS = 4

_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BREAK = r"(?:\s|\\{1,16}[nr])"
_LAST_LINE = r"(?:(?=[A-Za-z]{0,15}[0-9+/=])[A-Za-z0-9+/]{4,59}|[A-Za-z]{16}[A-Za-z0-9+/]{0,43})"
"""The rest of a key, and no word of a sentence."""
_LINES = re.compile(
    rf"(?:{_BREAK}{{1,8}}[A-Z][\w-]{{0,20}}: [^\r\n\\]{{0,200}}){{0,4}}"  # Proc-Type: 4,ENCRYPTED
    rf"{_BREAK}{{0,8}}[A-Za-z0-9+/]{{40,}}={{0,2}}"
    rf"(?:{_BREAK}{{1,8}}[A-Za-z0-9+/]{{60,}}={{0,2}})*(?:{_BREAK}{{1,8}}{_LAST_LINE}={{0,2}})?"
)
_BASIC = re.compile(
    r"(?i)(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-F]{2}))basic(?:\s{1,4}|%20|\+)([A-Za-z0-9+/]{8,}={0,2})"
)


def web_tokens(value: str) -> Iterator[Place]:
    """JSON Web Tokens: parts between dots, the first begins with `{"` in base64; encrypted ones have five."""
    for run in _DOTTED.finditer(value):
        ends = [at.start() for at in re.finditer(r"\.|\Z", run.group())]
        part = begin = 0
        while part + 2 < len(ends):
            found = _TOKEN_START.search(value, run.start() + begin, run.start() + ends[part])
            last = min(part + _MOST_DOTS, len(ends) - 1) if found else part
            if found:
                yield found.start(), run.start() + ends[last]
            begin, part = ends[last] + 1, last + 1


def private_keys(value: str) -> Iterator[Place]:
    """Keys in PEM, up to their end; one whose end is missing, as far as it goes."""
    at = 0
    while begin := _BEGIN.search(value, at):
        following = _BEGIN.search(value, begin.end())
        end = _END.search(value, begin.end(), following.start() if following else len(value))
        lines = None if end else _LINES.match(value, begin.end())
        at = end.end() if end else lines.end() if lines else begin.end()
        if end or lines:
            yield begin.start(), at


def ended_private_keys(value: str) -> Iterator[Place]:
    """Keys in PEM that have their end, as version 1 knew them."""
    at = 0
    while (begin := re.compile(r"-----BEGIN [A-Z ]{0,64}PRIVATE KEY-----").search(value, at)) and (
        end := re.compile(r"-----END [A-Z ]{0,64}PRIVATE KEY-----").search(value, begin.end())
    ):
        yield begin.start(), end.end()
        at = end.end()


def basic_logins(value: str) -> Iterator[Place]:
    """What follows `Basic`, where it is the base64 of `user:password`."""
    for found in _BASIC.finditer(value):
        if _is_login(found.group(1)):
            yield found.span(1)


def _is_login(encoded: str) -> bool:
    try:
        login = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return ":" in login and login.isprintable()
