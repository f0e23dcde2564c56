"""Fits lines into a terminal: trees whose labels wrap with their indent, in signs that its encoding has (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LEAST_WIDTH = 16
"""Columns of the narrowest label: a tree nested deeper than the terminal is wide goes beyond its edge."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a tree with the lines below it."""

    label: str
    below: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs with which guides and separators are drawn."""

    fork: str
    last: str
    through: str
    between: str


UNICODE = Signs("├── ", "└── ", "│   ", " · ")
"""The guides that `pstree` and cargo use."""
ASCII = Signs("|-- ", "`-- ", "|   ", " - ")


def signs_of(encoding: str | None) -> Signs:
    """The signs that a stream of this encoding can write; None: the text is not encoded. The rule is rich's."""
    return UNICODE if encoding is None or encoding.lower().startswith("utf") else ASCII


def tree(branch: Branch, signs: Signs = UNICODE, width: int | None = None) -> Iterator[str]:
    """The lines of a tree; with `width` (columns) its labels wrap, with further lines indented."""
    yield from _wrapped(branch.label, width)
    narrower = None if width is None else width - len(signs.fork)
    for at, child in enumerate(branch.below):
        last = at == len(branch.below) - 1
        for row, line in enumerate(tree(child, signs, narrower)):
            if row == 0:
                yield (signs.last if last else signs.fork) + line
            else:
                yield (" " * len(signs.through) if last else signs.through) + line


def drawn_lines(lines: Iterable[str | Branch], signs: Signs = UNICODE, width: int | None = None) -> Iterator[str]:
    """Lines with trees drawn; other lines stay as they are: a command or a path that is cut cannot be pasted."""
    for line in lines:
        if isinstance(line, Branch):
            yield from tree(line, signs, width)
        else:
            yield line


def _wrapped(label: str, width: int | None) -> list[str]:
    if width is None or len(label) <= width:
        return [label]
    return textwrap.wrap(label, max(LEAST_WIDTH, width), subsequent_indent="  ", break_on_hyphens=False)
