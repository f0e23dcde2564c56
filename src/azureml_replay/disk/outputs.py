"""The one way in which a file is written for people: whole or not at all, at the place that they named.

A symbolic link stays, and what it leads to gets the content. What is no regular file (`/dev/stdout`, a pipe, a device)
is written straight into: renaming a file over it would take it away from the system. What is new is readable by its
owner only, whatever the umask: names of runs, parameters and curves are somebody's; a file that was there keeps its
permissions.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from azureml_replay.errors import UserError

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""Flags for a file of our own: where a link stands in its place, opening it ends with ELOOP."""
_PRINTED_INTO = (1, 2)
"""Standard output and standard error."""


@contextmanager
def new_text(path: Path, *, encoding: str = "utf-8", errors: str = "strict") -> Iterator[IO[str]]:
    """A file to write text into, with line feeds for line ends, which takes the place of `path` once it is whole.

    Raises UserError where it cannot be made there.
    """
    held = _held(path)
    refuse_of_archive(path)
    straight = _straight(path, held)
    if straight is not None:
        with os.fdopen(straight, "w", encoding=encoding, errors=errors, newline="\n") as file:
            yield file
        return
    place = Path(os.path.realpath(path))
    handle, part = _beside(path, place)
    try:
        with os.fdopen(handle, "w", encoding=encoding, errors=errors, newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if held is not None:
            part.chmod(stat.S_IMODE(held.st_mode))
        _put_in_place(part, place, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def refuse_unwritable(path: Path, option: str, *, folder: bool = False) -> None:
    """Raise UserError, which names the option, where no file (or folder) can be written at `path`. Leaves nothing.

    It is asked before the work whose outcome goes there.
    """
    refuse_of_archive(path, option)
    try:
        held = path.stat() if path.exists() else None
        if held is None:
            _try_to_make(Path(os.path.realpath(path)), folder=folder)
        elif stat.S_ISDIR(held.st_mode) != folder:
            what = "no folder" if folder else "a directory: name a file in it"
            raise UserError(f"{option} {path} is {what}")
        elif folder:
            _try_to_make(path / _PROBE, folder=False)
        elif stat.S_ISFIFO(held.st_mode):  # opening it and closing it again would be its end for whoever reads it
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        elif _printed_into(held) is None:
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    except OSError as error:
        raise UserError(f"{option} {path} cannot be written: {error.strerror}") from error


_DATABASE, _OBJECTS = "archive.db", "artifacts"
_OF_ARCHIVE = (_DATABASE, f"{_DATABASE}-", "archive.lock")
"""Beginnings of the names that an archive's own files have."""
_FIRST_BYTES = b"SQLite format 3\0"


def refuse_of_archive(path: Path, option: str = "") -> None:
    """Raise UserError where a file, through whatever links, is one of an archive's own: years of work lie in it."""
    place = Path(os.path.realpath(path))
    whose = [place.parent, *(above.parent for above in place.parents if above.name == _OBJECTS)]
    own = place.name.startswith(_OF_ARCHIVE) or len(whose) > 1
    if (own and any((one / _DATABASE).exists() for one in whose)) or _is_database(place):
        raise UserError(f"{f'{option} {path}'.strip()} is a file of an archive, which nothing replaces: name another")


def _is_database(place: Path) -> bool:
    """Also under another name."""
    try:
        if not stat.S_ISREG(place.stat().st_mode):
            return False
        with place.open("rb") as file:
            return file.read(len(_FIRST_BYTES)) == _FIRST_BYTES
    except OSError:
        return False


_PROBE = ".azureml-replay-probe"


def _try_to_make(place: Path, *, folder: bool) -> None:
    """Make a file or folder, with the folders above it that are missing, and take all of it away again."""
    missing = [one for one in place.parents if not one.exists()]
    made = list[Path]()
    try:
        for one in reversed(missing):
            one.mkdir()
            made.append(one)
        if folder:
            place.mkdir()
            place.rmdir()
        else:
            handle, name = tempfile.mkstemp(prefix=f".{place.name[:_BEGINNING]}.", dir=place.parent)
            os.close(handle)
            Path(name).unlink()
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
            place.unlink()
    finally:
        for one in reversed(made):
            with suppress(OSError):
                one.rmdir()


def is_standard_output(path: Path) -> bool:
    """True where what is written there goes where this process prints its results."""
    held = path.stat() if path.exists() else None
    return held is not None and _printed_into(held) == 1


def size_of(path: Path) -> int:
    """Bytes of a file that was written; 0 for what is no regular file, and keeps nothing."""
    held = path.stat()
    return held.st_size if stat.S_ISREG(held.st_mode) else 0


def folder_of(path: Path) -> Path | None:
    """The folder in which the content of `path` will lie, made where it is missing; None for what keeps nothing."""
    held = _held(path)
    if held is not None and (_printed_into(held) is not None or not stat.S_ISREG(held.st_mode)):
        return None
    place = Path(os.path.realpath(path)).parent
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from error
    return place


def private_folder(folder: Path) -> Path:
    """The folder, made where it is not there, with all those above it that are missing, for their owner only."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    folder.mkdir(exist_ok=True)  # raises where a file stands there
    return folder


def private_opener(path: str | os.PathLike[str], flags: int) -> int:
    """Opens a file that, where it is new, is its owner's only: for `open(opener=…)`."""
    return os.open(path, flags, PRIVATE_FILE)


def open_for_lines(path: str) -> int:
    """A descriptor that lines are appended to; a pipe that nobody reads raises OSError instead of waiting for ever."""
    if sys.platform == "win32":
        return private_opener(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    handle = private_opener(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    return handle


def _held(path: Path) -> os.stat_result | None:
    """What is at the place now, links followed."""
    try:
        held = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, error) from error
    if stat.S_ISDIR(held.st_mode):
        raise UserError(f"{path} is a folder: name a file in it")
    return held


def _straight(path: Path, held: os.stat_result | None) -> int | None:
    """A descriptor for what is written into as it is: what the command prints into already, or no regular file."""
    if held is None:
        return None
    printed = _printed_into(held)
    if printed is not None:
        return os.dup(printed)
    if stat.S_ISREG(held.st_mode):
        return None
    try:
        return _pipe(path) if stat.S_ISFIFO(held.st_mode) else os.open(path, os.O_WRONLY)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise UserError(f"{path} is a pipe that nobody reads: begin to read it first") from error
        raise _refused(path, error) from error


_READER_WITHIN_S = 5.0
"""Its reader may have been started with us. Opening it in the usual way would wait for ever, without a word."""


def _pipe(path: Path) -> int:
    if sys.platform == "win32":
        return os.open(path, os.O_WRONLY)
    until = time.monotonic() + _READER_WITHIN_S
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            os.set_blocking(handle, True)
            return handle


def _printed_into(held: os.stat_result) -> int | None:
    """The number of this process's own stream that leads there."""
    for stream in _PRINTED_INTO:
        with suppress(OSError):  # closed
            if os.path.samestat(held, os.fstat(stream)):
                return stream
    return None


def _beside(path: Path, place: Path) -> tuple[int, Path]:
    """A new file in the folder of `place`: its descriptor, and where it is."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{place.name[:_BEGINNING]}.", dir=place.parent)
    except OSError as error:
        raise _refused(path, error) from error
    return handle, Path(name)


_BEGINNING = 40
"""Characters of a name in that of the file that becomes it: names have at most 255 bytes."""


def _put_in_place(part: Path, place: Path, path: Path) -> None:
    """Raises UserError where another program has the old file open, which only Windows minds."""
    try:
        part.replace(place)
    except PermissionError as error:
        raise UserError(
            f"{path} cannot be replaced ({error.strerror}): close the program that has it open, or name another file"
        ) from error


LONGEST_PATH = 259
"""Characters of a path on Windows, unless its administrator allows more."""


def refuse_long(folder: Path, below: int) -> None:
    """Raise UserError where files with paths of `below` characters in a folder would be too long for Windows."""
    if sys.platform != "win32" or _long_paths():
        return
    size = len(os.path.abspath(folder))  # noqa: PTH100 - links do not count
    if size + 1 + below > LONGEST_PATH:
        raise UserError(
            f"{folder}: its path has {size} characters, and its files would have more than the {LONGEST_PATH} that "
            f"Windows allows: name a folder with at most {LONGEST_PATH - 1 - below}, or have long paths enabled"
        )


def _long_paths() -> bool:
    """Whether this Windows allows long paths; Python itself always does."""
    if sys.platform != "win32":
        return True
    import ctypes  # noqa: PLC0415 - 10 ms

    return bool(ctypes.windll.ntdll.RtlAreLongPathsEnabled())


def _refused(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be written: {error.strerror}")
