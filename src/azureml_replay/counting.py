"""Counts in English (pure). What a count of files or of omissions is called is said here, for every command.

`docs/reference/counts.md` says what each name counts.
"""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 run`, `2,000 runs`; `many` is the plural where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def files_in_words(files: int, made: int = 0) -> str:
    """`71 files (11 of them made by replay)`: the files of runs in a target, with those that we make."""
    ours = f" ({made:,} of them made by replay)" if made else ""
    return f"{counted(files, 'file')}{ours}"


def of_source(files: int) -> str:
    """`60 files of the source`: those that its runs have, as the archive lists them."""
    return f"{counted(files, 'file')} of the source"


def omissions_in_words(count: int, target: str = "", refused: int = 0) -> str:
    """`27 omissions planned for landing, 3 items refused by the target`: what that target will not have.

    What the archive lacks is among it, and so are those that were refused.
    """
    told = f"{counted(count, 'omission')} planned" + (f" for {target}" if target else "")
    return f"{told}, {refused_in_words(refused)}" if refused else told


def refused_in_words(count: int) -> str:
    """`3 items refused by the target`: runs, values, metrics, files that it did not take, from us or from a job."""
    return f"{counted(count, 'item')} refused by the target"


def experiments_in_words(with_runs: int, empty: int) -> str:
    """`3 experiments (1 more without a chosen run)`: those of the chosen runs, and those that go along beside them."""
    more = f" ({empty:,} more without a chosen run)" if empty else ""
    return f"{counted(with_runs, 'experiment')}{more}"


def not_extracted(count: int) -> str:
    """`3 not extracted`: what the archive itself lacks of the source, whatever the target."""
    return f"{count:,} not extracted"
