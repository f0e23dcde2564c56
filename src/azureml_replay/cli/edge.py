"""The command's edge: whatever was raised becomes one line and an exit code."""

from __future__ import annotations

import errno
import sqlite3

import typer

from azureml_replay import logs
from azureml_replay.errors import Exit, IntegrityError, ReplayError, ServiceError

UsageError = typer.BadParameter.__bases__[0]
"""Typer carries its own click and exports this class of it only through its child."""
AGAIN = "run the same command again to continue"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
_SQLITE_FULL, _SQLITE_CORRUPT, _SQLITE_NOTADB = 13, 11, 26


def explain(error: BaseException) -> tuple[str, Exit]:
    """What to tell, and what to end with. Anything that nobody foresaw is a bug of ours, logged with its traceback."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return f"interrupted: {AGAIN}", Exit.INTERRUPTED
    if isinstance(error, UsageError):
        return _usage(error), Exit.USER
    if isinstance(error, ReplayError):
        return _foreseen(error), error.exit
    if isinstance(error, OSError | sqlite3.Error):
        place = _of_the_disk(error)
        if place:
            return place
    return _bug(error), Exit.BUG


def _usage(error: BaseException) -> str:
    """Click's own words, and where the flags are listed."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "azureml-replay"
    said: str = getattr(error, "format_message", error.__str__)()
    return f"{said.removesuffix('.').replace('Value error, ', '')} (see {command} --help)"


def _foreseen(error: ReplayError) -> str:
    if isinstance(error, ServiceError) and error.exit is Exit.SERVICE:
        return f"{error}: {AGAIN}"
    if isinstance(error, IntegrityError):
        return f"{error}: restore a copy of the archive, or extract into a new folder"
    return str(error)


def _of_the_disk(error: OSError | sqlite3.Error) -> tuple[str, Exit] | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    where = getattr(error, "filename", None)
    if getattr(error, "errno", None) in _FULL or code == _SQLITE_FULL:
        return f"the disk is full{f' ({where})' if where else ''}: make room, then {AGAIN}", Exit.USER
    if code in (_SQLITE_CORRUPT, _SQLITE_NOTADB):
        return f"the archive is damaged ({error}): restore it from a copy, or extract into a new one", Exit.INTEGRITY
    if isinstance(error, OSError) and where is not None and error.errno in _PLACE:
        return f"{where}: {error.strerror}: name another place, or change its permissions", Exit.USER
    return None


def _bug(error: BaseException) -> str:
    logs.LOGGER.error("a bug of ours", exc_info=error)
    where = f", with {logs.file()}" if logs.file() else ""
    return f"a bug of ours, please report it{where}: {type(error).__name__}: {error}"
