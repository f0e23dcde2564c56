"""`python -m mltable_yaml_migrator.export_yaml`: writes the MLTables that a selection names into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from azureml_replay.cli import calls, main, mltables, next_step
from azureml_replay.cli.help import SETTINGS, HelpedCommand
from azureml_replay.cli.interrupts import finish
from azureml_replay.cli.legacy import tell, typed_again
from azureml_replay.cli.options import takes, terminal_flags
from azureml_replay.cli.speed import Speed
from azureml_replay.connection import Config
from azureml_replay.disk.outputs import refuse_unwritable
from azureml_replay.errors import Exit, UserError
from azureml_replay.formats.mltables.choice import TableChoice, table_choice
from azureml_replay.formats.mltables.exporting import TablesExported, export_tables
from azureml_replay.terminal import log_file
from azureml_replay.terminal.terminal import Terminal

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
FLAGS = "--subscription, --resource-group and --workspace"


@app.command(cls=HelpedCommand, context_settings={**SETTINGS, "obj": "export_yaml"})
@takes(terminal=terminal_flags)
def export_yaml(
    *,
    selection: Annotated[
        Path, typer.Option(metavar="FILE", help="Read from this YAML file which tables to export, and from where.")
    ],
    out_dir: Annotated[Path, typer.Option(metavar="DIR", help="Write NAME/VERSION/MLTable into this folder.")],
    terminal: Terminal,
    subscription: Annotated[
        str | None, typer.Option(metavar="ID", help="The source's subscription, instead of the file's.")
    ] = None,
    resource_group: Annotated[
        str | None, typer.Option(metavar="NAME", help="The source's resource group, instead of the file's.")
    ] = None,
    workspace: Annotated[
        str | None, typer.Option(metavar="NAME", help="The source's workspace, instead of the file's.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be exported, and write nothing.")] = False,
) -> Exit:
    """Write MLTable data assets of a workspace into a folder, each with a manifest. Again to refresh."""
    choice = table_choice(selection)
    source = mltables.workspace_of("source", choice.source, (subscription, resource_group, workspace), selection, FLAGS)
    if source is None:
        raise UserError(f"no source is named: give {FLAGS}, or source in {selection}")
    if not choice.tables:
        raise UserError(f"{selection}: mltables names no table: add '- name: my-table'")
    if not dry_run:
        refuse_unwritable(out_dir / "x", "--out-dir")
    log_file.LOGGER.info("exports MLTables of %s", source.ref)
    done = finish(_exported(source, choice, out_dir, write=not dry_run, terminal=terminal), None)
    terminal.result(done, mltables.exported(done, wrote=not dry_run))
    tell(terminal, [f"batch {choice.batch}"] if choice.batch else [])
    if done.failed or dry_run:
        next_step.tell(terminal, typed_again(without=() if done.failed else {"--dry-run"}))
    else:
        next_step.tell(terminal, mltables.import_line(selection, out_dir))
    return Exit.SERVICE if done.failed else Exit.USER if done.left else Exit.OK


async def _exported(
    source: Config, choice: TableChoice, folder: Path, *, write: bool, terminal: Terminal
) -> TablesExported:
    with terminal.progress() as progress:
        async with calls.connected(source, Speed(), progress, side="source") as workspace:
            return await export_tables(workspace, choice.tables, folder, write=write, progress=progress)


if __name__ == "__main__":
    main(app, "python -m mltable_yaml_migrator.export_yaml")
