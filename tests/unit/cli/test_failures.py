"""Whatever a command raises ends as one line and a code; the log keeps the rest, without secrets."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_replay.azure.rights import BLOBS, remedy_of
from azureml_replay.cli.failures import explain
from azureml_replay.errors import (
    Exit,
    Forbidden,
    IntegrityError,
    NotFound,
    Rejected,
    ReplayError,
    ServiceError,
    Unavailable,
    UserError,
    noted,
)
from azureml_replay.terminal import log_file

ML = "Microsoft.MachineLearningServices/workspaces"
NAMED = f"no permissions for {ML}/metadata/artifacts/write actions"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("mend this"), Exit.USER, "mend this"),
        (Unavailable("throttled", method="GET", url="https://x/y", status=429), Exit.SERVICE, "run the same command"),
        (
            Forbidden(NAMED, method="POST", url="https://x/y", remedy=remedy_of(NAMED)),
            Exit.USER,
            f"this login lacks {ML}/metadata/artifacts/write: ask for the role AzureML Data Scientist on the workspace",
        ),
        (Forbidden("no", method="GET", url="https://x/y", status=403), Exit.USER, "no (GET https://x/y: 403): this"),
        (
            Forbidden("no", method="GET", url="https://x/y", status=403, remedy=BLOBS.remedy),
            Exit.USER,
            f"no (GET https://x/y: 403): this login lacks {BLOBS.action}: ask for the role Storage Blob Data Reader",
        ),
        (IntegrityError("chunk 3 is damaged"), Exit.INTEGRITY, "restore a copy"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted"),
        (OSError(errno.ENOSPC, "No space left", "/x/archive.db"), Exit.USER, "/x/archive.db: the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), Exit.USER, "/x: Permission denied"),
        (OSError(errno.EMFILE, "Too many open files"), Exit.USER, "or give a smaller --parallel"),
        (OSError(errno.ECONNRESET, "reset"), Exit.BUG, "a bug of ours"),
        (
            ZeroDivisionError("division"),
            Exit.BUG,
            "please report it, with what --debug shows: ZeroDivisionError: division",
        ),
    ],
)
def test_every_outcome_has_its_code(error: BaseException, code: Exit, said: str) -> None:
    text, ended = explain(error)

    assert ended is code
    assert said in text


@pytest.fixture
def said(tmp_path: Path) -> Iterator[list[str]]:
    """What is told while this process logs to `tmp_path`."""
    root, told = logging.getLogger(), list[str]()
    before, level = list(root.handlers), root.level
    log_file.start(tmp_path / "new" / "a.log", verbose=False, tell=told.append)
    yield told
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def test_a_bug_leaves_its_traceback_in_the_log(tmp_path: Path, said: list[str]) -> None:
    """No file before the first record; no secret in it, tracebacks included."""
    assert not (tmp_path / "new").exists()

    try:
        raise ValueError("GET https://x.blob/y?sv=1&sig=abc%3D failed\nwith Bearer " + "t" * 40)
    except ValueError as error:
        text, _ = explain(error)

    log = (tmp_path / "new" / "a.log").read_text()
    assert str(tmp_path / "new" / "a.log") in text
    assert "Traceback" in log
    assert "https://x.blob/y?***" in log
    assert "sig=" not in log
    assert "tttt" not in log
    assert said == []


def test_a_log_that_cannot_be_written_is_told_once(tmp_path: Path, said: list[str]) -> None:
    """The command goes on."""
    (tmp_path / "new").write_text("a file where the folder should be")

    log_file.LOGGER.error("one")
    log_file.LOGGER.error("two")

    assert len(said) == 1
    assert "no log file" in said[0]


def test_a_bug_names_no_log_that_could_not_be_written(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "new").write_text("a file where the folder should be")

    text, _ = explain(ZeroDivisionError("division"))

    assert "a.log" not in text
    assert "--debug" in text
    assert len(said) == 1


def test_secrets_are_cut_by_shape() -> None:
    token = ".".join(["eyJ" + "a" * 20, "b" * 20, "c" * 20])

    assert log_file.redacted(f"token {token}, AccountKey=abc; https://h/p?sig=1 left") == (
        "token ***, AccountKey=***; https://h/p?*** left"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            Rejected("metric x is refused", method="POST", url="https://h/metric", status=400),
            "metric x is refused (400)",
        ),
        (
            Rejected("POST /content/v2.0/x", method="POST", url="https://h/x", status=501),
            "the service does not offer that (501)",
        ),
        (Rejected("<html>no</html>", status=403), "this login may not do that (403)"),
        (NotFound("/subscriptions/a/b was not found", status=404), "it is not there (404)"),
        (Unavailable("no answer: Cannot connect to host h:443"), "no answer: Cannot connect to host h:443"),
        (Unavailable('{"error": {}}', status=503), "the service failed (503)"),
        (UserError("mend this"), "mend this"),
    ],
)
def test_an_error_of_one_run_is_words_and_the_log_has_its_request(
    error: ReplayError, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No address and no document among what people read of a run."""
    with caplog.at_level(logging.INFO, "azureml_replay"):
        assert noted(error, "run a") == words
    assert caplog.messages == ([f"run a: {error}"] if isinstance(error, ServiceError) else [])
