"""One command from its arguments to its exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence

import typer

from azureml_replay.cli.app import app
from azureml_replay.cli.failures import explain
from azureml_replay.cli.welcome import start
from azureml_replay.errors import Exit
from azureml_replay.terminal import log_file
from azureml_replay.terminal.hints import quoted
from azureml_replay.terminal.terminal import terminal


def run(arguments: Sequence[str], given: typer.Typer | None = None, name: str = "azureml-replay") -> int:
    """Run one command; its exit code. Raises nothing: the one place that catches everything."""
    commands = given or app
    line = [*name.split(), *arguments]
    if not arguments and commands is app and not _completing(name):
        terminal().result(None, start())
        return Exit.OK
    try:
        code = commands(list(arguments) or ["--help"], prog_name=name, standalone_mode=False)
    except SystemExit as ended:  # completion for a shell ends so
        return ended.code if isinstance(ended.code, int) else Exit.OK
    except BaseException as error:  # noqa: BLE001 - the edge
        return _explained(error, line)
    if code == Exit.INTERRUPTED:  # typer swallows Ctrl-C and answers with this number
        return _explained(KeyboardInterrupt(), line)
    return int(code or Exit.OK)


def _completing(name: str) -> bool:
    """True where a shell asks for completion: by this variable, without arguments."""
    return f"_{name.replace('-', '_').upper()}_COMPLETE" in os.environ


def _explained(error: BaseException, line: Sequence[str]) -> Exit:
    text, code = explain(error, line)
    speaking = terminal(json="--json" in line)
    if "--debug" in line and code != Exit.INTERRUPTED:
        speaking.clear()
        traceback.print_exception(error)
    log_file.end(text)
    speaking.error(f"error: {text}" if code != Exit.INTERRUPTED else text)
    if code == Exit.INTERRUPTED:
        speaking.error(f"to continue: {quoted(line)}")
    return code
