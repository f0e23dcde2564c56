"""Errors as a command reports them: one line and an exit code for whatever was raised."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import typer

from azureml_replay.disk.handles import lacks_handle, too_many_files
from azureml_replay.errors import (
    Exit,
    Forbidden,
    IntegrityError,
    ReplayError,
    ServiceError,
)
from azureml_replay.terminal import log_file
from azureml_replay.terminal.hints import hint

UsageError = typer.BadParameter.__bases__[0]
"""Click's base class of errors, which typer, with a click of its own, exports only through its child."""
AGAIN = "run the same command again to continue"
_BETTER = {
    "Input should be a valid integer, unable to parse string as an integer": "it should be a whole number",
    "Input should be greater than or equal to": "it should be at least",
    "Input should be less than or equal to": "it should be at most",
    "Input should be": "it should be",
}
"""Words of pydantic -> words for people."""
_MOST_SHOWN = 40
"""Characters of a wrong value that are repeated."""
_ENDS = ("--source", "--target")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PLACE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
}


def explain(error: BaseException, line: Sequence[str] = ()) -> tuple[str, Exit]:
    """The line to show and the exit code. An unforeseen error is a bug of ours, logged with its traceback.

    `line` is what was typed.
    """
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted", Exit.INTERRUPTED
    if lacks_handle(error):  # whatever could not be done for it
        return too_many_files(), Exit.USER
    if isinstance(error, UsageError):
        return _usage(error), Exit.USER
    if isinstance(error, ReplayError):
        return _foreseen(error, line), error.exit
    if isinstance(error, OSError) and error.errno in _FULL | _PLACE:
        return _of_the_disk(error), Exit.USER
    return _bug(error), Exit.BUG


def _usage(error: BaseException) -> str:
    """Click's own words, the option that was meant, and the command that lists the options."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "azureml-replay"
    said: str = getattr(error, "format_message", error.__str__)()
    near: Sequence[str] | None = getattr(error, "possibilities", None)
    if near:  # click lists all that resemble it, in the alphabet's order
        said = f"{getattr(error, 'message', said).removesuffix('.')}: did you mean {near[0]}?"
    said = _with_value(error, said).replace(". Did you mean", ": did you mean")
    return f"{said.removesuffix('.').replace('Value error, ', '')} (see {command} --help)"


def _with_value(error: BaseException, said: str) -> str:
    """The wrong value beside the option's name: pydantic, which typer asks, names it in its error only."""
    problems = getattr(error.__cause__, "errors", None)
    value = problems()[0].get("input") if callable(problems) else None
    if not isinstance(value, str) or repr(value) in said:
        return said
    for wire, words in _BETTER.items():
        said = said.replace(wire, words)
    return said.replace("Invalid value for", f"Invalid value {value[:_MOST_SHOWN]!r} for")


def _foreseen(error: ReplayError, line: Sequence[str]) -> str:
    if isinstance(error, ServiceError) and error.exit is Exit.SERVICE:
        return f"{error}: {AGAIN}"
    if isinstance(error, Forbidden):
        return _forbidden(error, line)
    if isinstance(error, IntegrityError):
        return f"{error}: restore a copy of the archive, or extract into a new folder"
    return str(error)


def _forbidden(error: Forbidden, line: Sequence[str]) -> str:
    """The missing role comes first. A refusal that names no right may have another cause: its own words follow."""
    remedy = error.remedy
    if remedy is None:
        return f"{error}: this login may not do that; `{doctor(line)}` names the role that it lacks"
    said = f"{remedy.said} (`{doctor(line)}` gives the command), then {AGAIN}"
    if remedy.lacking not in str(error.args[0]):
        return f"{error}: {said}"
    return f"{said}; refused: {error.method} {error.url}" if error.method else said


def doctor(line: Sequence[str]) -> str:
    """What names the role that lacks: doctor, with the workspaces of the line that was typed."""
    ends = [word for at, word in enumerate(line) if word in _ENDS or (at and line[at - 1] in _ENDS)]
    return hint("doctor", *(ends or ("--source", "source.json", "--target", "target.json")))


def _of_the_disk(error: OSError) -> str:
    """An error of the disk about one of our files; the archive explains SQLite's errors itself."""
    if error.errno in _FULL:
        return f"{error.filename or 'writing'}: the disk is full: make room, then {AGAIN}"
    return f"{error.filename or 'a file'}: {error.strerror}: name another place, or change its permissions"


def _bug(error: BaseException) -> str:
    log_file.LOGGER.error("a bug of ours", exc_info=error)
    log = log_file.file()
    where = f", with {log}" if log and log.exists() else ", with what --debug shows"
    return f"a bug of ours, please report it{where}: {type(error).__name__}: {error}"
