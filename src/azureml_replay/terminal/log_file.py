"""The log file, without secrets; made with its first line, so that a command that refuses its input leaves none."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path

from azureml_replay import redact
from azureml_replay.disk.outputs import open_for_lines, private_folder, refuse_unwritable
from azureml_replay.errors import UserError
from azureml_replay.terminal.text import shown

LOGGER = logging.getLogger("azureml_replay")
NOTICES = logging.getLogger("azureml_replay.archive")
"""Lines that people are to see, of what is done to their archive."""
REQUESTS = logging.getLogger("azureml_replay.http")
"""A line for each attempt of each request: thousands for a workspace of any size."""
_SIGNED = re.compile(r"(https?://[^\s?'\"]{1,2000})\?[^\s'\"]+")
_BEARER = re.compile(r"(?i)bearer [\w.~+/=-]{20,}")
_KEY = re.compile(r"(?i)\b(AccountKey|client_secret|password|sig|secret)(['\"]?\s*[=:]\s*['\"]?)[^\s'\"&;,]+")


def redacted(text: str) -> str:
    """The text without secrets; as nothing is lost by it here, without what may be one too.

    That is the query of a URL, a word after `Bearer`, and one that a name as `secret` stands before.
    """
    return _KEY.sub(r"\1\2***", _BEARER.sub("***", redact.text(_SIGNED.sub(r"\1?***", text))))


class Redacted(logging.Formatter):
    """Formats records without secrets, tracebacks included: an exception's text may quote a URL. Times are UTC."""

    converter = staticmethod(time.gmtime)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The message as one line, whatever the source's text contains."""
        return shown(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """The whole record without secrets."""
        return redacted(super().format(record))


class LogFile(logging.FileHandler):
    """A log file opened by its first record. Where it cannot be written, `tell` gets one line, and work goes on."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)
        self.path, self.tell, self.broken = path, tell, False

    def _open(self) -> TextIOWrapper:
        """For its owner alone where it is new: it names runs and addresses."""
        handle = open_for_lines(self.baseFilename)
        return TextIOWrapper(BufferedWriter(FileIO(handle, self.mode)), self.encoding, self.errors, line_buffering=True)

    def begin(self) -> None:
        """Open it before there is anything to write. Raises UserError."""
        try:
            self.stream = self._open()
        except OSError as error:
            raise UserError(f"--log-file {self.path} cannot be written: {error.strerror}") from error

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after making the folder."""
        if self.broken:
            return
        try:
            private_folder(self.path.parent)
            super().emit(record)
        except OSError as error:
            self._give_up(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own name
        """Handle an error of writing: the disk may be full."""
        self._give_up("writing failed")

    def close(self) -> None:
        """Close it; what cannot be written even then was told."""
        with suppress(OSError):
            super().close()

    def _give_up(self, why: object) -> None:
        self.broken = True
        self.tell(f"no log file: {self.path}: {why}")


def start(
    path: Path,
    *,
    verbose: bool,
    tell: Callable[[str], None],
    debug: bool = False,
    asked: bool = False,
    warn: Callable[[str], None] | None = None,
) -> None:
    """Log to `path` from now on: our warnings; with `verbose` our steps and others' warnings, shown as they happen.

    `debug`: each request too. A log begun before ends. `asked`: somebody named the file; raises UserError where it
    cannot be written. Without, whatever a command is run in, it goes on without a log, and says so: to `warn` where
    one is given, so that a named log is missed by those too who want no messages.
    """
    if asked:
        refuse_unwritable(path, "--log-file")
    stop()
    log = LogFile(path, warn or tell)
    if asked and path.is_fifo():
        log.begin()
    handlers: list[logging.Handler] = [log]
    if verbose or debug:
        handlers.append(MessageHandler(tell))
    else:
        NOTICES.addHandler(MessageHandler(tell))
        NOTICES.propagate = False  # it begins no log file
    for handler in handlers:
        handler.setFormatter(Redacted("%(asctime)s UTC %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)
    # azure-identity warns of every login that fails: our one line says the same, and makes no log file.
    logging.getLogger().setLevel(logging.WARNING if verbose or debug else logging.ERROR)
    LOGGER.setLevel(logging.DEBUG if verbose or debug else logging.INFO)
    REQUESTS.setLevel(logging.DEBUG if debug else logging.INFO)


def end(text: str) -> None:
    """Write the error with which the command ends into its log, where it has begun one."""
    logs = (handler for handler in logging.getLogger().handlers if isinstance(handler, LogFile))
    if any(log.stream is not None for log in logs):
        LOGGER.error(text)


def stop() -> None:
    """End logging."""
    NOTICES.propagate = True
    for notice in [one for one in NOTICES.handlers if isinstance(one, MessageHandler)]:
        NOTICES.removeHandler(notice)
    for former in [one for one in logging.getLogger().handlers if isinstance(one, LogFile | MessageHandler)]:
        logging.getLogger().removeHandler(former)
        former.close()


class MessageHandler(logging.Handler):
    """Shows log records as messages on the terminal."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record as it is in the file."""
        self.tell(self.format(record))


def file() -> Path | None:
    """The file to which this process logs, None before `start`."""
    handlers = (handler for handler in logging.getLogger().handlers if isinstance(handler, LogFile))
    return next((handler.path for handler in handlers), None)
