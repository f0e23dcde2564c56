"""Texts for people: without control characters and secrets, amounts with their units (pure)."""

from __future__ import annotations

from dataclasses import replace

from azureml_replay import redact
from azureml_replay.instants import Instant
from azureml_replay.terminal.layout import Branch, Grid

Line = str | Branch | Grid


def safe(text: str) -> str:
    """The text as one line, without control characters, such as ESC, and marks that reorder text."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)


def shown(text: str) -> str:
    """The text as people may see it: one line, without control characters and without secrets."""
    # Lines tell what YAML holds; and a character that goes may stand within a secret.
    return redact.text(safe(redact.text(text)))


def shown_line(line: Line) -> Line:
    """As `shown`, before a label is wrapped: of a secret in two lines neither half looks like one."""
    if isinstance(line, Grid):
        return Grid(tuple(map(shown, line.head)), tuple(tuple(map(shown, row)) for row in line.rows))
    return _shown_branch(line) if isinstance(line, Branch) else shown(line)


def _shown_branch(branch: Branch) -> Branch:
    return replace(branch, label=shown(branch.label), below=tuple(map(_shown_branch, branch.below)))


def amount(what: str, count: int) -> str:
    """A number as `1,234`, or for `bytes` and `bytes sent` as `1.2 MB` (powers of ten, as Studio shows them)."""
    of_bytes = what == "bytes" or what.startswith("bytes ")
    if not of_bytes or count < 1_000:
        return f"{count:,}" + (" B" if of_bytes else "")
    size, units = count / 1_000, iter("kMGTPE")
    unit = next(units)
    while size >= 999.95:
        size, unit = size / 1_000, next(units)
    return f"{size:.1f} {unit}B"


def is_rate(what: str) -> bool:
    """False for what nobody wants to go on at the same pace, as `runs failed`."""
    return not what.endswith(" failed")


def duration(seconds: float) -> str:
    """A duration as `26 s`, `4 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def moment(instant: Instant) -> str:
    """A moment as `2026-11-30 06:12 UTC`, which is as exact as people need it."""
    return f"{str(instant)[:16].replace('T', ' ')} UTC"
