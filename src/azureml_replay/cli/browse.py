"""`azureml-replay browse`: an archive in MLflow's own window. Nothing in the archive changes."""

from __future__ import annotations

import signal
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import next_step
from azureml_replay.cli.options import ArchiveArgument, takes, terminal_flags
from azureml_replay.counting import counted
from azureml_replay.errors import Exit
from azureml_replay.terminal.terminal import Terminal

if TYPE_CHECKING:
    from azureml_replay.formats.browsing.server import Window

_ENDS = ("SIGTERM", "SIGHUP")
"""Signals that end it as Ctrl-C does, where the system has them: the server must not outlive its terminal."""


@takes(terminal=terminal_flags)
def browse(
    *,
    archive: ArchiveArgument,
    terminal: Terminal,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65_535, metavar="N", help="Listen there. Without it: on a free port."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser of this machine.")] = False,
) -> Exit:
    """Show an archive in MLflow's own window, read-only, until Ctrl-C.

    MLflow's server listens on this machine alone. The archive may be written meanwhile. It needs the extra `mlflow`.
    """
    from azureml_replay.formats.browsing.server import opened

    with _ended_by_signals(), ExitStack() as serving:
        with terminal.progress(brief=True) as progress:
            found = serving.enter_context(opened(archive, port, progress))
        terminal.result(found.window, lines_of(found.window))
        next_step.tell(terminal, f"open {found.window.url} in a browser; Ctrl-C ends it")
        try:
            if open_:
                webbrowser.open(found.window.url)
            found.wait()
        except KeyboardInterrupt:
            return Exit.OK
    return Exit.OK


def lines_of(window: Window) -> Iterator[str]:
    """Where the page is, and what it shows."""
    yield window.url
    held = f"{counted(window.runs, 'run')} of {counted(window.experiments, 'experiment')}"
    yield f"{held}, read-only, in MLflow {window.mlflow}; for its clients: {window.tracking_uri}"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Inside, other signals interrupt as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    those = [getattr(signal, name) for name in _ENDS if hasattr(signal, name)]
    before = {one: signal.signal(one, _interrupt) for one in those}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
