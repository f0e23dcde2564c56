"""A process that may open no more files says so, and not what else it could not do for that."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from azureml_replay.cli.failures import explain
from azureml_replay.disk import handles
from azureml_replay.disk.handles import lacks_handle, temporary_folder, too_many_files
from azureml_replay.errors import Exit, IntegrityError, UserError

LIMITED = """
import os, resource, sys
from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.cli.failures import explain
from azureml_replay.disk.handles import temporary_folder, handle_is_left
from pathlib import Path

resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
held = []
while handle_is_left():
    held.append(os.open(os.devnull, os.O_RDONLY))
for what in (temporary_folder, lambda: Archive.create(Path(sys.argv[1]), azure_place("s", "g", "w"))):
    try:
        what()
    except Exception as error:
        print(explain(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_what_cannot_be_opened_for_want_of_handles_says_so(tmp_path: Path) -> None:
    """Python says that no temporary folder is usable; an archive, that it cannot be made."""
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "archive")], capture_output=True, text=True, check=True
    )

    said = "too many open files (this process may have 32: `ulimit -n`): allow more (`ulimit -n 4096`)"
    assert ended.stdout.splitlines() == [str((f"{said}, or give a smaller --parallel", Exit.USER))] * 2


def test_an_error_that_comes_of_it_is_that_error() -> None:
    """Whatever it was taken for: also a damage, and also where what led to it is not to be shown."""

    def fail(kind: type[Exception]) -> None:
        try:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        except OSError:
            raise kind("something else") from None

    for kind in (UserError, IntegrityError):
        with pytest.raises(kind) as raised:
            fail(kind)
        assert lacks_handle(raised.value)
        assert explain(raised.value) == (too_many_files(), Exit.USER)
    assert not lacks_handle(UserError("something else"))


def test_no_temporary_folder_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files can be opened, that is the reason."""

    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in []")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(FileNotFoundError, match="No usable"):
        temporary_folder()


@pytest.mark.parametrize(("most", "told"), [(24, "4096"), (8_000, "16000")])
def test_more_is_more_than_there_is(monkeypatch: pytest.MonkeyPatch, most: int, told: str) -> None:
    monkeypatch.setattr(handles, "most_files", lambda: most)

    assert f"may have {most:,}: `ulimit -n`): allow more (`ulimit -n {told}`)" in too_many_files()
