"""Command line: parse, build objects, call the library, show, end with the verdict's code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from azureml_replay.cli import process

if TYPE_CHECKING:
    import typer

__all__ = ["main", "run"]


def main(commands: typer.Typer | None = None, name: str = "azureml-replay") -> None:
    """Run one command and end the process with one of `errors.Exit`. Without `commands`, those of `azureml-replay`."""
    process.prepare()
    from azureml_replay.cli import command  # takes 0.2 s, in which a signal may come

    process.stop_cleanly()
    code = command.run(sys.argv[1:], commands, name)
    process.stop_at_once()  # all is said
    sys.exit(code)


def run(arguments: Sequence[str], commands: typer.Typer | None = None, name: str = "azureml-replay") -> int:
    """Run one command; its exit code. Raises nothing."""
    from azureml_replay.cli import command

    return command.run(arguments, commands, name)
