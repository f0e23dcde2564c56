"""The commands that take data out of an archive: `map` and `export`. No network, nothing in the archive changes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import next_step
from azureml_replay.cli.options import KNOWN, ArchiveArgument, takes, terminal_flags
from azureml_replay.cli.targets import target_config
from azureml_replay.counting import counted, not_extracted, of_source
from azureml_replay.disk.outputs import refuse_unwritable
from azureml_replay.errors import Exit
from azureml_replay.terminal.terminal import Terminal

if TYPE_CHECKING:
    from azureml_replay.formats.tables.run_map import Mapped


class Form(StrEnum):
    """The values of `--format`, by the library's names."""

    PARQUET = "parquet"
    JSONL = "jsonl"
    SEED_JSON = "seed-json"


FormatOption = Annotated[
    Form,
    typer.Option("--format", help="Write a folder of tables, or the one file of the original tool (seed-json)."),
]
OutputOption = Annotated[Path, typer.Option("--output", metavar="PATH", help="Write there; nothing may be there yet.")]


@takes(terminal=terminal_flags)
def map_(
    *,
    archive: ArchiveArgument,
    terminal: Terminal,
    target: Annotated[
        str | None, typer.Option("--target", metavar="WS", help=f"List only this target of the archive. {KNOWN}")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write comma-separated values with a head line.")] = False,
) -> Exit:
    """List which run of a target stands for which run of the source, with links to both."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.formats.tables.run_map import mapped

    wanted = target_config(target, archive).ref if target is not None else None
    with Archive.open(archive, write=False) as opened:
        rows = mapped(opened, wanted)
        if terminal.json:
            terminal.result(list(rows), ())
        else:
            terminal.result(None, _csv(rows) if as_csv else _lines(rows))
    next_step.tell(terminal, next_step.DONE)
    return Exit.OK


@takes(terminal=terminal_flags)
def export(*, archive: ArchiveArgument, form: FormatOption, output: OutputOption, terminal: Terminal) -> Exit:
    """Write runs, points, parameters, tags and files as tables that other tools read."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.formats import tables as exporting

    if not output.exists():  # otherwise it is refused as one that is there
        refuse_unwritable(output, "--output", folder=form is not Form.SEED_JSON)
    with Archive.open(archive, write=False) as opened, terminal.progress() as progress:
        done = exporting.export(opened, output, exporting.Format(form.value), progress=progress)
    counts = ", ".join(_counted(table, count) for table, count in done.rows.items())
    escaped = rf"texts with half of a surrogate pair, written as \ud800 as Parquet cannot hold it: {done.escaped:,}"
    terminal.beside(output).result(
        done, [f"exported: {counts}; in {done.output}", *([escaped] if done.escaped else [])]
    )
    next_step.tell(terminal, next_step.DONE)
    return Exit.OK


def _counted(table: str, count: int) -> str:
    """A table's rows, by the name that other commands have for what it holds."""
    if table == "files":
        return of_source(count)
    if table == "omissions":
        return not_extracted(count)
    if table == "points":
        return f"{counted(count, 'value')} of points"
    return counted(count, _row_of(table), table)


def _row_of(table: str) -> str:
    """`property` for `properties`, `run` for `runs`."""
    return f"{table[:-3]}y" if table.endswith("ies") else table.removesuffix("s")


def _lines(rows: Iterable[Mapped]) -> Iterator[str]:
    for row in rows:
        place = f"{row.target_id}  {row.target_url or row.target}" if row.target_id else _absence(row)
        yield f"{row.source_id} -> {place}  [{row.experiment}, {row.status}]"


def _absence(row: Mapped) -> str:
    return f"left out ({row.left_out})" if row.left_out else f"not in {row.target}"


def _csv(rows: Iterable[Mapped]) -> Iterator[str]:
    from azureml_replay.formats.tables.run_map import Mapped

    yield _csv_line(field.name for field in fields(Mapped))
    yield from (_csv_line(astuple(row)) for row in rows)


def _csv_line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
