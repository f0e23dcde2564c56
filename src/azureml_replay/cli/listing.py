"""`--combined` and `--differ`: every item's verdict in a file, beside the verdict on all of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from azureml_replay.disk.outputs import refuse_unwritable
from azureml_replay.errors import UserError
from azureml_replay.selection import Selection
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.workspace.place import Place


@dataclass(frozen=True, slots=True)
class ListingFiles:
    """The files that are asked for."""

    combined: Path | None = None
    differ: Path | None = None

    def write(self, folder: Path, target: Place, selection: Selection, terminal: Terminal, *, deep: bool) -> None:
        """Write them, by the evidence alone, and say where they are. Raises UserError where one cannot be written."""
        if self.combined is None and self.differ is None:
            return
        from azureml_replay.archive.archive import Archive
        from azureml_replay.formats.tables.listing import write_lines
        from azureml_replay.verification.each import each

        with Archive.open(folder, write=False) as archive:
            lines = each(archive, archive.ledger(target), selection, deep=deep)
            write_lines(lines, combined=self.combined, differ=self.differ)
        for path, what in ((self.combined, "every item with its verdict"), (self.differ, "what differs or is open")):
            if path is not None:
                terminal.say(f"{what}: {path}")


def listing_flags(
    *,
    combined: Annotated[
        Path | None,
        typer.Option(
            "--combined", metavar="FILE", help="Write every item with its verdict, files too: .csv, .json, .jsonl."
        ),
    ] = None,
    differ: Annotated[
        Path | None,
        typer.Option("--differ", metavar="FILE", help="The same, only what differs, lacks, or is not compared."),
    ] = None,
) -> ListingFiles:
    """Looked at before anything begins: a wrong name is told at once."""
    for flag, path in (("--combined", combined), ("--differ", differ)):
        if path is not None:
            from azureml_replay.formats.tables.listing import check_suffix

            check_suffix(flag, path)
            refuse_unwritable(path, flag)
    if combined is not None and differ is not None and os.path.realpath(combined) == os.path.realpath(differ):
        raise UserError(f"--combined {combined} and --differ {differ} are the same file: name two")
    return ListingFiles(combined, differ)
