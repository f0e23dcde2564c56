"""Runs one submitted command and passes its exit code on; nothing of the command outlives the server.

    python -I -S keeper.py GRACE_S COMMAND

The server holds the other end of this program's standard input. When the input ends, by a cancel, a timeout or the
server's own death, everything that the command started gets SIGTERM, and SIGKILL after the grace period in seconds.
The program imports the standard library only: it starts in 20 ms.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

_BASH = "bash" if sys.platform == "win32" else "/bin/bash"


def keep(grace_s: float, command: str) -> int:
    """Run the command; returns its exit code, or 128 plus the number of the signal that ended it, as a shell does."""
    child = subprocess.Popen([_BASH, "-c", command], stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - what was submitted
    threading.Thread(target=_end_with_the_leash, args=(child, grace_s), daemon=True).start()
    code = child.wait()
    _end(child, at_once=True)  # processes that it left in the background
    return 128 - code if code < 0 else code


def _end_with_the_leash(child: subprocess.Popen[bytes], grace_s: float) -> None:
    while os.read(sys.stdin.fileno(), 1):  # not through sys.stdin: its lock, held at the end, would be a fatal error
        pass
    _end(child, at_once=False)
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        _end(child, at_once=True)


def _end(child: subprocess.Popen[bytes], *, at_once: bool) -> None:
    """End all that the command started: asked first, or at once. Windows knows no asking."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(child.pid)], capture_output=True, check=False)  # noqa: S603, S607
        return
    try:
        os.killpg(child.pid, signal.SIGKILL if at_once else signal.SIGTERM)
    except ProcessLookupError:
        return  # all its processes have ended


if __name__ == "__main__":
    sys.exit(keep(float(sys.argv[1]), sys.argv[2]))
