"""Fits lines into a terminal: tables, trees whose labels wrap with their indent, in signs that it has (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LEAST_WIDTH = 16
"""Columns of the narrowest label: a tree nested deeper than the terminal is wide goes beyond its edge."""
LEAST_LABEL = 32
"""Columns beside a deep indent, with which a sentence still reads as one."""
GAP = "  "
"""Between two columns of a table."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a tree with the lines below it."""

    label: str
    below: tuple[Branch, ...] = ()
    hanging: int = 2
    """Columns by which further lines of the label are indented, where the terminal is wide enough for it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows under one heading. The first column is of texts, the others are of numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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


def prose(lines: Iterable[str | Branch | Grid]) -> Iterator[Branch | Grid]:
    """Lines that are sentences: on a terminal they wrap between words. Of lines to be pasted none is among them."""
    return (Branch(line) if isinstance(line, str) else line for line in lines)


def signs_of(encoding: str | None) -> Signs:
    """The signs that a stream of this encoding can write; None: the text is not encoded. The rule is rich's."""
    return UNICODE if encoding is None or encoding.lower().startswith("utf") else ASCII


def tree(branch: Branch, signs: Signs = UNICODE, width: int | None = None) -> Iterator[str]:
    """The lines of a tree; with `width` (columns) its labels wrap, with further lines indented."""
    yield from _wrapped(branch.label, width, branch.hanging)
    narrower = None if width is None else width - len(signs.fork)
    for at, child in enumerate(branch.below):
        last = at == len(branch.below) - 1
        for row, line in enumerate(tree(child, signs, narrower)):
            if row == 0:
                yield (signs.last if last else signs.fork) + line
            else:
                yield (" " * len(signs.through) if last else signs.through) + line


def table(shown: Grid, width: int | None = None) -> Iterator[str]:
    """The lines of a table; one that is wider than `width` (columns) goes row by row, a line for each cell."""
    rows = (shown.head, *shown.rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is None or sum(widths) + len(GAP) * (len(widths) - 1) <= width:
        for first, *others in rows:
            cells = (cell.rjust(size) for cell, size in zip(others, widths[1:], strict=True))
            yield GAP.join([first.ljust(widths[0]), *cells])
        return
    names = max(map(len, shown.head[1:]))
    for first, *others in shown.rows:
        yield f"{shown.head[0]} {first}"
        size = max(map(len, others))
        for name, cell in zip(shown.head[1:], others, strict=True):
            yield f"{GAP}{name.ljust(names)}{GAP}{cell.rjust(size)}"


def drawn_lines(
    lines: Iterable[str | Branch | Grid], signs: Signs = UNICODE, width: int | None = None
) -> Iterator[str]:
    """Lines with trees, tables and `prose` drawn; texts stay as they are: a command that is cut cannot be pasted."""
    for line in lines:
        if isinstance(line, Branch):
            yield from tree(line, signs, width)
        elif isinstance(line, Grid):
            yield from table(line, width)
        else:
            yield line


def _wrapped(label: str, width: int | None, hanging: int) -> list[str]:
    if width is None or len(label) <= width:
        return [label]
    indent = " " * (hanging if width - hanging >= LEAST_LABEL else len(GAP))
    return textwrap.wrap(label, max(LEAST_WIDTH, width), subsequent_indent=indent, break_on_hyphens=False)
