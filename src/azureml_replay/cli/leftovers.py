"""What a killed command left undone, beside an archive and in it: folded in before others go by it, or told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from azureml_replay.counting import counted

if TYPE_CHECKING:
    from azureml_replay.terminal.terminal import Terminal


def bring(folders: Iterable[Path], terminal: Terminal) -> None:
    """Fold in what is left beside each. Repeatable. Raises UserError while one of these workers is still at work."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.crew.seeds import bring_leftovers, left_by_workers

    for folder in folders:
        if left_by_workers(folder):
            with Archive.open(folder) as opened, terminal.progress() as progress:
                bring_leftovers(opened, progress)


def tell(folders: Iterable[Path], terminal: Terminal) -> None:
    """Say that what is left is in no figure of a command that writes nothing."""
    from azureml_replay.archive.lock import is_held
    from azureml_replay.crew.seeds import left_by_workers

    for folder in folders:
        left = left_by_workers(folder)
        if left and not is_held(folder):  # else they are at work
            terminal.say(
                f"a command was killed: what its workers had done, {counted(len(left), 'part')}, is not counted here. "
                f"The next extract, replay, verify, migrate, undo or merge folds it into {folder}"
            )


def tell_unextracted(folder: Path, terminal: Terminal) -> None:
    """Say that chosen runs are not here yet, or not as they are by now: whatever was counted is without them."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.terminal.hints import hint

    with Archive.open(folder, write=False) as opened:
        totals = opened.totals()
    if totals.pending:
        again = hint("extract", "--source", "source.json", "--archive", folder)
        terminal.say(f"{totals.pending:,} of {totals.runs:,} runs are still to extract: `{again}` continues")
