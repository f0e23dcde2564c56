"""Trouble in the middle of the work of processes that a test starts; `paced.py` lets it happen."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

APPENDS = r"/metric/v2\.0/.*/batch(sync)?$"


class Running(Protocol):
    """A process that may end before it comes to it."""

    def end_in_words(self) -> str | None:
        """How it ended, where it did."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What befalls the first process that comes to it."""

    who: str
    """`worker` or `driver`, which is also whatever works alone."""
    at: int
    """Which of its requests that `where` matches or, with `steps`, of what a driver does with parts."""
    after: bool = False
    """Once the request was delivered, or the step done."""
    where: str = ""
    steps: bool = False
    signal: int = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Told:
    """What is to befall processes."""

    files: Sequence[Path]
    """One each: there once it did, with the number of the process."""

    @property
    def happened(self) -> Sequence[bool]:
        """Of each, whether it did."""
        return [file.exists() for file in self.files]

    def befallen(self, migration: Running) -> int:
        """Waits for the first one; the process id."""
        (file, *_) = self.files
        while not file.exists() or not (pid := file.read_text()):
            assert (ended := migration.end_in_words()) is None, f"ended before: {ended}"
            time.sleep(0.02)
        return int(pid)

    def until_workers_are_gone(self) -> None:
        """They end by themselves, once their driver has."""
        for file in self.files[0].parent.glob(f"{self.files[0].name}.*"):
            until_gone(int(file.suffix[1:]))


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, *troubles: Trouble) -> Told:
    """For processes that this one starts from now on."""
    files = [folder / f"befell {number}" for number in range(len(troubles))]
    listed = [
        {"befell": str(file), **{name: getattr(one, name) for name in Trouble.__slots__}}
        for file, one in zip(files, troubles, strict=True)
    ]
    monkeypatch.setenv("TROUBLE", json.dumps(listed))
    return Told(files)


def paused_before_an_append(folder: Path, monkeypatch: pytest.MonkeyPatch, *, who: str) -> Told:
    """Its fifth. Whatever renews its term comes after that, when it goes on."""
    return told(folder, monkeypatch, Trouble(who=who, at=5, where=APPENDS, signal=signal.SIGSTOP))


def until_gone(pid: int) -> None:
    """Waits for the end of a process that is no child of this one."""
    while Path(f"/proc/{pid}/stat").exists() and ") Z" not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.05)
