"""What `--redact` takes out is to be out of everything that is sent, also where it was told after a run had come."""

from __future__ import annotations

from azureml_replay.archive.archive import Archive
from azureml_replay.counting import counted
from azureml_replay.errors import UserError
from azureml_replay.planning.plan import some_units
from azureml_replay.selection import Selection
from azureml_replay.terminal.hints import hint


def refuse_uncleaned(archive: Archive, selection: Selection) -> None:
    """Raise UserError where chosen runs are to be extracted again for it; those that disappeared cannot be."""
    if runs := archive.uncleaned(some_units(archive, selection)):
        again = hint("extract", "--source", archive.source, "--archive", archive.folder)
        raise UserError(
            f"{counted(runs, 'run')} of {archive.folder} may still hold what --redact takes out from now on: nothing "
            f"was sent. `{again}` brings them again"
        )
