"""`python -m mltable_yaml_migrator.import_yaml`: brings the MLTables of a folder into another workspace."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from azureml_replay.cli import calls, main, mltables, next_step
from azureml_replay.cli.help import SETTINGS, HelpedCommand
from azureml_replay.cli.interrupts import finish
from azureml_replay.cli.legacy import typed_again
from azureml_replay.cli.options import takes, terminal_flags
from azureml_replay.cli.speed import Speed
from azureml_replay.connection import Config, config_named
from azureml_replay.errors import Exit, UserError
from azureml_replay.formats.mltables.choice import TableChoice, table_choice
from azureml_replay.formats.mltables.folder import TableFolder
from azureml_replay.formats.mltables.importing import chosen_tables, import_tables
from azureml_replay.formats.mltables.options import OnExists, OnMismatch, TableOptions, TablesImported
from azureml_replay.terminal import log_file
from azureml_replay.terminal.terminal import Terminal

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
FLAGS = "--subscription, --resource-group and --workspace"
SOURCE_FLAGS = "--source-subscription, --source-resource-group and --source-workspace"


class Exists(StrEnum):
    """The values of `--on-exists`, by the library's names."""

    FAIL = "fail"
    SKIP = "skip"
    SUFFIX = "suffix"


class Mismatch(StrEnum):
    """The values of `--on-scope-mismatch`, by the library's names."""

    REWRITE = "rewrite"
    SKIP = "skip"
    FAIL = "fail"


def name_option(what: str, metavar: str = "NAME") -> typer.models.OptionInfo:
    """A flag that names a part of a workspace's name."""
    return typer.Option(metavar=metavar, help=f"The {what}, instead of the selection's.")  # type: ignore[no-any-return]


@app.command(cls=HelpedCommand, context_settings={**SETTINGS, "obj": "import_yaml"})
@takes(terminal=terminal_flags)
def import_yaml(
    *,
    source_dir: Annotated[Path, typer.Option(metavar="DIR", help="Read this folder, which export_yaml wrote.")],
    terminal: Terminal,
    selection: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read from this YAML file which tables to bring, and to where.")
    ] = None,
    source_subscription: Annotated[str | None, name_option("source's subscription", "ID")] = None,
    source_resource_group: Annotated[str | None, name_option("source's resource group")] = None,
    source_workspace: Annotated[str | None, name_option("source's workspace")] = None,
    source_tenant: Annotated[str | None, name_option("source's tenant", "ID")] = None,
    subscription: Annotated[str | None, name_option("target's subscription", "ID")] = None,
    resource_group: Annotated[str | None, name_option("target's resource group")] = None,
    workspace: Annotated[str | None, name_option("target's workspace")] = None,
    tenant: Annotated[str | None, name_option("target's tenant", "ID")] = None,
    on_exists: Annotated[
        Exists,
        typer.Option(
            help="Where the target has something else under a name and version: write nothing, leave it, or give the "
            "source's a version with _1 behind it."
        ),
    ] = Exists.FAIL,
    on_scope_mismatch: Annotated[
        Mismatch,
        typer.Option(
            help="Where a place is named with the source's workspace: lead it to the target's, leave the table out, "
            "or write nothing."
        ),
    ] = Mismatch.REWRITE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be made, and write nothing.")] = False,
    skip_data_copy: Annotated[
        bool, typer.Option("--skip-data-copy", help="Register the tables, and leave their files where they are.")
    ] = False,
    copy_concurrency: Annotated[int, typer.Option(min=1, max=1_000, metavar="N", help="Copy so many at once.")] = 12,
    data_overwrite: Annotated[
        bool,
        typer.Option(
            "--data-overwrite", help="Remove what else lies in a table's folder of the target, and write over the rest."
        ),
    ] = False,
    target_prefix: Annotated[
        str, typer.Option(metavar="PREFIX", help="Put everything below this folder of the target's datastores.")
    ] = "",
) -> Exit:
    """Bring the MLTables of a folder into a workspace, with the files beside them. Again to continue."""
    choice = table_choice(selection) if selection is not None else TableChoice()
    tables = chosen_tables(source_dir, choice)
    named = (source_subscription, source_resource_group, source_workspace, source_tenant)
    source = mltables.workspace_of("source", choice.source, named, selection, SOURCE_FLAGS)
    into = (subscription, resource_group, workspace, tenant)
    target = mltables.workspace_of("target", choice.target, into, selection, FLAGS)
    if target is None:
        raise UserError(f"no target is named: give {FLAGS}, or --selection with target")
    options = TableOptions(
        on_exists=OnExists(on_exists.value),
        on_mismatch=OnMismatch(on_scope_mismatch.value),
        copy=not skip_data_copy,
        overwrite=data_overwrite,
        prefix=_folder(target_prefix),
        width=copy_concurrency,
        write=not dry_run,
    )
    if skip_data_copy and (options.prefix or data_overwrite):
        terminal.say("--skip-data-copy copies nothing: --target-prefix and --data-overwrite have no effect")
    log_file.LOGGER.info("imports MLTables into %s", target.ref)
    done = finish(_imported(tables, source or _origin(tables), target, options, terminal), None)
    terminal.result(done, mltables.imported(done, wrote=options.write))
    if done.failed or (dry_run and not done.refused):
        next_step.tell(terminal, typed_again(without=() if done.failed else {"--dry-run"}))
    elif not done.refused:
        next_step.tell(terminal, next_step.DONE)
    return Exit.SERVICE if done.failed else Exit.USER if done.refused else Exit.OK


def _folder(prefix: str) -> str:
    """Without slashes around it. Raises UserError for an empty one behind the flag's slashes."""
    if prefix and not prefix.strip("/"):
        raise UserError(f"--target-prefix {prefix}: names no folder: leave it out")
    return prefix.strip("/")


def _origin(tables: Sequence[TableFolder]) -> Config:
    """The workspace that the manifests name. Raises UserError where they name none, or several."""
    places = sorted({table.manifest.source for table in tables})
    if len(places) != 1 or not places[0]:
        found = f"the manifests name {' and '.join(places)}" if any(places) else "no source is named"
        raise UserError(f"{found}: give {SOURCE_FLAGS}, or --selection with source")
    return config_named(places[0])


async def _imported(
    tables: Sequence[TableFolder], source: Config, target: Config, options: TableOptions, terminal: Terminal
) -> TablesImported:
    """The source is spoken to only where files are copied."""
    speed = Speed(options.width)
    with terminal.progress() as progress:
        async with calls.connected(target, speed, progress) as writing:
            if not options.copy:
                return await import_tables(tables, None, source.ref, writing, options=options, progress=progress)
            async with calls.connected(source, speed, progress, side="source") as reading:
                return await import_tables(tables, reading, source.ref, writing, options=options, progress=progress)


if __name__ == "__main__":
    main(app, "python -m mltable_yaml_migrator.import_yaml")
