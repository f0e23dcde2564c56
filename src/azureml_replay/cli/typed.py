"""Reads what was typed behind an option, and names the option in what it says of a wrong value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from azureml_replay.disk.inputs import text_of
from azureml_replay.errors import UserError
from azureml_replay.instants import Instant
from azureml_replay.selection import moment
from azureml_replay.terminal.terminal import terminal

Item = TypeVar("Item")
MOST_FILE_BYTES = 1 << 60
MOST_IDS_BYTES = 64_000_000
"""Of a list of run ids, which have 36 to 60 characters: a million of them."""
_DIGITS = 30
"""Of a size; Python refuses to read more than 4,300."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!$)")
"""`http://host` as a path has it; a drive has one letter."""
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)i?B?", re.IGNORECASE)


def refuse_address(name: str, path: str) -> None:
    """Raises UserError for a file or folder that was typed as an address.

    It is not repeated: an address may hold a password, which nobody finds any more once a path has but one slash.
    """
    if _ADDRESS.match(path):
        raise UserError(f"{name}: an address is no file or folder: name one on this machine")


def size_of(flag: str, text: str | None) -> int | None:
    """Bytes, typed as a number with KB, MB, GB or TB or with none. Raises UserError for anything else."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise UserError(f"{flag} {text}: expected bytes, or a number with KB, MB, GB or TB")
    power: int = " KMGT".index(found[2].upper() or " ")
    size = int(found[1][:_DIGITS]) << 10 * power
    if len(found[1]) > _DIGITS or size > MOST_FILE_BYTES:
        raise UserError(f"{flag} {text[:_DIGITS]}: no storage holds a file of that size")
    return size


def included(include: list[str] | None, include_file: Path | None) -> tuple[str, ...]:
    """Run ids of --include and --include-file. Raises UserError for a file that cannot be read or names none."""
    named = values_of("--include", commas(include), str)
    return named if include_file is None else (*named, *_read_ids(include_file))


def _read_ids(path: Path) -> tuple[str, ...]:
    try:
        told = text_of(path, most_bytes=MOST_IDS_BYTES, what="one run id a line", pipe=True, tell=terminal().error)
    except UserError as error:
        raise UserError(f"--include-file {error}") from None
    except OSError as error:
        raise UserError(f"--include-file {path}: {error.strerror}: expected a file with one run id a line") from None
    ids = tuple(text for line in told.splitlines() if (text := line.split("#")[0].strip()))
    if not ids:
        raise UserError(f"--include-file {path}: names no run: expected one run id a line")
    return ids


def commas(values: list[str] | None) -> list[str] | None:
    """Each value of an option that may be given several times, or once with commas."""
    return None if values is None else [part.strip() for value in values for part in value.split(",")]


def values_of(flag: str, values: Sequence[str] | None, read: Callable[[str], str]) -> tuple[str, ...]:
    """The values of a flag. Raises UserError for an empty one: an unset shell variable must not mean 'everything'."""
    if values is None:
        return ()
    full = [value for value in values if value]
    if not full:
        raise UserError(f"{flag} is empty: give a value or leave the flag out")
    return tuple(_reading(flag, full, read))


def _reading(flag: str, values: Iterable[str], read: Callable[[str], Item]) -> list[Item]:
    try:
        return [read(value) for value in values]
    except UserError as error:
        raise UserError(f"{flag}: {error}") from None


def moment_of(flag: str, text: str | None) -> Instant | None:
    """A time or a day, in UTC where it names no zone. Raises UserError for anything else."""
    return None if text is None else _reading(flag, [text], moment)[0]
