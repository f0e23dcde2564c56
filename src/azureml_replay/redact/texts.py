"""A text without its secrets: by stars, or, where the text is a name, by a replacement that stays the same (pure)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from azureml_replay.redact import older
from azureml_replay.redact.command_shapes import BEHIND_OPTIONS
from azureml_replay.redact.encoded import layers
from azureml_replay.redact.named import has_names
from azureml_replay.redact.names import names_secret
from azureml_replay.redact.shape import SecretShape
from azureml_replay.redact.shapes import (
    ENCODED_SINCE,
    GENERAL,
    IN_PATHS,
    PROVIDERS,
    VERSION,
)

STARS = "***"
"""The text that replaces a secret in a value."""
_REPLACED = re.compile(r"redacted-[0-9a-f]{4}(?:[0-9a-f]{4})?")
_DIGITS, _DIGITS_OF_CHOSEN = 8, 4
"""Hexadecimal digits of a secret's digest in a name. Two names of a run must not become one; and of a password that a
person may have thought of, 16 bits are too few to tell it from the 150 of ten million that share them."""
_TOKENS = re.compile("|".join(sorted({re.escape(needle) for row in PROVIDERS for needle in row.needles})))
_SHORTEST_TOKEN = 20


class _Table(NamedTuple):
    """The rows of one version, as they are looked through."""

    tokens: tuple[SecretShape, ...]
    """Those that find nothing where nothing has the beginning of a token."""
    options: tuple[SecretShape, ...]
    """Those that find nothing where nothing has an option."""
    others: tuple[SecretShape, ...]
    encoded: bool
    """Whether a text is searched once more as what it says where it is written for a URL."""


@cache
def _table(version: int, *, in_path: bool) -> _Table:
    """`in_path`: secrets may hold a slash of a path; behind `token=` a name ends there."""
    tokens, options, others = (
        tuple(row for row in rows if row.since <= version) for rows in (PROVIDERS, BEHIND_OPTIONS, GENERAL)
    )
    if in_path:  # where short ones are looked for too
        tokens, others = (), (*tokens, *(row for row in others if row.key != "named"), IN_PATHS)
    return _Table(tokens, options, others, version >= ENCODED_SINCE)


_SHORT = 200
"""Characters: ids of a workspace's resources and URLs of its own have 130 to 180, and stand in every job."""


def text(value: str, version: int = VERSION) -> str:
    """A text without what looks like a secret; the rest of it stays. The same object where all of it does."""
    if len(value) > _SHORT:
        return _clean(value, version)
    cleaned = _short(value, version)
    return value if cleaned == value else cleaned


# Half of a document's texts are those of the run before: one known already takes 0.1 µs.
@lru_cache(maxsize=10_000)
def _short(value: str, version: int) -> str:
    return _clean(value, version)


def _clean(value: str, version: int) -> str:
    if version == 1:
        return older.text(value, STARS)
    return _replaced(value, version, name=False) if _suspicious(value) else value


# Documents have the same keys again and again: one known already takes 0.1 µs.
@lru_cache(maxsize=10_000)
def hidden(value: str, version: int = VERSION) -> str:
    """A name without what looks like a secret: equal names stay equal, and others different.

    Version 1 left names as they were.
    """
    return _replaced(value, version, name=True) if version > 1 and _suspicious(value) else value


def hidden_path(path: str, version: int = VERSION) -> str:
    """The path of a file, each of its names as `hidden`: what lies in one folder stays in one."""
    if version == 1 or not _suspicious(path):
        return path
    if "://" in path:
        return hidden(path, version)
    whole = _replaced(path, version, name=True, in_path=True)
    return "/".join(hidden(name, version) for name in whole.split("/"))


def has_replacement(name: str) -> bool:
    """True for a name that `hidden` may have made."""
    return "redacted-" in name and _REPLACED.search(name) is not None


def arguments(argv: Iterable[str]) -> list[str]:
    """A command line without secrets: neither in a text, nor as `--some-token VALUE` or `--some-token=VALUE`."""
    clean, named = [], False
    for argument in argv:
        flag, equals, value = argument.partition("=")
        is_flag = argument.startswith("--")
        if is_flag and equals and value and names_secret(flag):
            clean.append(f"{flag}={STARS}")
        else:
            clean.append(STARS if named and not is_flag else text(argument))
        named = is_flag and not equals and names_secret(flag)
    return clean


def _suspicious(value: str) -> bool:
    """False for nearly every text, at once: it has nothing of what some secret has."""
    return _has_form(value) or _has_options(value) or has_names(value) or _has_token(value)


def _has_form(value: str) -> bool:
    """False where no row of `GENERAL` can find anything, names aside: 0.2 µs, a pattern of the same takes 0.9."""
    return (
        ("@" in value or "?" in value or "&" in value or ";" in value or "%" in value or "ig=" in value)
        or ("eyJ" in value or "-----" in value or "earer" in value or "EARER" in value)
        or ("asic" in value or "ASIC" in value or "uthor" in value or "UTHOR" in value)
        or ("IG=" in value or "Ig=" in value or "/t/" in value)
    )


def _has_token(value: str) -> bool:
    return len(value) >= _SHORTEST_TOKEN and _TOKENS.search(value) is not None


def _has_options(value: str) -> bool:
    """False where no command with an option can be, nor one of those that take a password as a word."""
    return (
        (" -" in value or value[:1] == "-" or '"-' in value or "'-" in value)
        or ("(-" in value or "\n-" in value or ">-" in value or "`-" in value)
        or ("login" in value or "sqlplus" in value or "configure" in value)
    )


def _replaced(value: str, version: int, *, name: bool, in_path: bool = False) -> str:
    parts, at = [], 0
    for start, end, chosen in _places(value, _table(version, in_path=in_path)):
        secret = value[start:end]
        kept = secret == STARS or _REPLACED.match(secret) is not None
        parts += [value[at:start], secret if kept else _replacement(secret, chosen=chosen) if name else STARS]
        at = end
    return "".join((*parts, value[at:])) if parts else value


def _places(value: str, table: _Table) -> list[tuple[int, int, bool]]:
    """Start and end of each secret, and whether a person may have chosen it; what overlaps is one."""
    found = [*_found(value, table)]
    for layer in layers(value) if table.encoded else ():
        inside = _found(layer.said, table)
        found += [(*layer.place((start, end)), chosen) for start, end, chosen in inside]
    merged: list[tuple[int, int, bool]] = []
    for start, end, chosen in sorted(found):
        if merged and start < merged[-1][1]:
            before = merged.pop()
            merged.append((before[0], max(before[1], end), before[2] or chosen))
        else:
            merged.append((start, end, chosen))
    return merged


def _found(value: str, table: _Table) -> Iterator[tuple[int, int, bool]]:
    tokens = table.tokens if _has_token(value) else ()
    options = table.options if table.options and _has_options(value) else ()
    return (
        (start, end, row.chosen)
        for row in (*table.others, *tokens, *options)
        if any(map(value.__contains__, row.needles))
        for start, end in row.find(value)
        if start < end
    )


def _replacement(secret: str, *, chosen: bool) -> str:
    digest = hashlib.blake2b(secret.encode(errors="surrogatepass"), digest_size=8, person=b"azureml_replay").hexdigest()
    return f"redacted-{digest[: _DIGITS_OF_CHOSEN if chosen else _DIGITS]}"
