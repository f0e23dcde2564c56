"""A log can be held against findings and sessions: all have one clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from azureml_replay.terminal import log_file


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock on the wall is nine hours ahead."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_are_utc_and_say_so(tmp_path: Path, far_away: None) -> None:
    told: list[str] = []
    log_file.start(tmp_path / "a.log", verbose=True, tell=told.append)
    try:
        log_file.LOGGER.debug("run r1: 3 files sent")
    finally:
        log_file.stop()
        logging.getLogger().setLevel(logging.WARNING)

    (line,) = (tmp_path / "a.log").read_text().splitlines()
    stamp, zone, *_ = line.replace(" ", "T", 1).split()
    assert told == [line]
    assert zone == "UTC"
    assert abs(datetime.fromisoformat(stamp.replace(",", ".")).replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(
        hours=1
    )
