"""Trouble in the middle of the work of a process that a test started; `paced.py` lets it happen."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.test_lease import Migration


@dataclass(frozen=True, slots=True)
class Told:
    """What is to befall one process."""

    file: Path
    """There once it did, with the number of the process."""

    @property
    def happened(self) -> bool:
        """It did."""
        return self.file.exists()

    def befallen(self, migration: Migration) -> int:
        """Waits for it; the process id."""
        while not self.happened or not (pid := self.file.read_text()):
            assert migration.process.poll() is None, f"ended before: {migration.ended()} {migration.said}"
            time.sleep(0.02)
        return int(pid)


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, **trouble: object) -> Told:
    """For processes that this one starts from now on."""
    file = folder / "befell"
    monkeypatch.setenv("TROUBLE", json.dumps({"befell": str(file), **trouble}))
    return Told(file)


def paused_at(at: int, where: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, who: str) -> Told:
    """Stopped right before a request leaves; whatever renews its term comes after that, when it goes on."""
    return told(folder, monkeypatch, who=who, signal=signal.SIGSTOP, at=at, where=where)
