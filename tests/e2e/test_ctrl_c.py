"""Ctrl-C as it is typed: a real terminal sends it, the first stops cleanly, the second ends at once."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

STUBBORN = """
import asyncio, os, sys
from azureml_replay.cli.interrupts import finish
from azureml_replay.errors import Interrupted
from azureml_replay.terminal.terminal import terminal

async def work():
    with terminal().progress() as progress:
        progress.done("runs")
        while True:
            try:
                os.write(2, b"WAITING")
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                os.write(2, b"CLOSING")
                if sys.argv[1] == "yields":
                    raise

try:
    finish(work(), None)
except Interrupted as stopped:
    sys.exit(stopped.exit)
"""
"""A command whose closing never ends, or does."""


class Typed:
    """Somebody sits before a process."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process, self.master, self.seen = process, master, b""

    def until(self, words: bytes) -> None:
        """Reads on till `words` come after what was read before."""
        while words not in self.seen:
            self.seen += os.read(self.master, 65_536)
        self.seen = self.seen.partition(words)[2]

    def rest(self) -> bytes:
        """To its end."""
        try:
            while data := os.read(self.master, 65_536):
                self.seen += data
        except OSError:  # the other side is closed: Linux says EIO
            pass
        return self.seen

    def ctrl_c(self) -> None:
        """The terminal makes a signal of it."""
        os.write(self.master, b"\x03")


@contextmanager
def typed(*arguments: str) -> Iterator[Typed]:
    master, slave = pty.openpty()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    command = [
        sys.executable,
        "-c",
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + STUBBORN,
        *arguments,
    ]
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=env,
        preexec_fn=own_terminal,  # noqa: PLW1509 - the child has no threads yet
        pass_fds=(slave,),
    )
    os.close(slave)
    try:
        yield Typed(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_the_first_ctrl_c_closes_everything() -> None:
    """The exit code says that it was interrupted; the cursor is back."""
    with typed("yields") as somebody:
        somebody.until(b"WAITING")
        somebody.ctrl_c()
        somebody.until(b"CLOSING")

        assert somebody.process.wait(60) == 130
        assert b"\x1b[?25h" in somebody.rest()


def test_the_second_ctrl_c_does_not_wait() -> None:
    """A closing that hangs is left; the cursor is back all the same."""
    with typed("hangs") as somebody:
        somebody.until(b"WAITING")
        somebody.ctrl_c()
        somebody.until(b"CLOSING")
        somebody.ctrl_c()

        assert somebody.process.wait(60) == 130
        assert b"\x1b[?25h" in somebody.rest()
