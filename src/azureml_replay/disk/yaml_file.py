"""Reads a file of the user's in YAML: names and versions as they are spelt, so that 1.10 is no number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import yaml  # type: ignore[import-untyped]

from azureml_replay.disk.inputs import Tell, text_of
from azureml_replay.errors import UserError

Spelt: TypeAlias = str | list["Spelt"] | dict[str, "Spelt"]
"""What a file says: every value as its text; one that is not there is an empty text."""
MOST_BYTES = 1_000_000
DEEPEST = 20
"""Levels, of which a selection has four."""
MOST_VALUES = 1_000_000
"""References repeat what they name: a file of a few lines may mean more than any memory holds."""


def spelt_in(path: Path, what: str, *, most_bytes: int = MOST_BYTES, tell: Tell = lambda _: None) -> Spelt:
    """What the file says; `what` says what it should be. Raises UserError, one line: file, place, what to do.

    `tell` gets a line where a pipe keeps us waiting.
    """
    try:
        text = text_of(path, most_bytes=most_bytes, what=what, pipe=True, tell=tell)
    except IsADirectoryError:
        raise UserError(f"{path} is a directory: expected {what}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}: expected {what}") from None
    try:
        found: object = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  # it makes texts, lists and mappings only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{path}{place}: not YAML: {error.problem or error}: expected {what}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{path}: not YAML: {str(error).partition(chr(10))[0]}: expected {what}") from None
    try:
        return _plain(found, DEEPEST, iter(range(MOST_VALUES)))
    except ValueError as error:
        raise UserError(f"{path}: {error}: expected {what}") from None


def _plain(value: object, levels: int, left: Iterator[int]) -> Spelt:
    if levels == 0:
        raise ValueError("nested too deeply")
    if next(left, None) is None:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    if isinstance(value, dict):
        return {str(key): _plain(one, levels - 1, left) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, levels - 1, left) for one in value]
    return "" if value is None else str(value)
