"""Files that tell whether a holder lives: what is left of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.target import holder as holders
from azureml_replay.target.holder import alive, alive_for, is_dead


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of the files, empty."""
    monkeypatch.setattr(holders, "temporary_folder", lambda: tmp_path)
    return tmp_path


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_who_ended_well_leaves_nothing(folder: Path) -> None:
    """A file each, while they live; a day's thousands made each call slow."""
    with alive() as holder, alive_for(holder):
        assert len(files(folder)) == 2
        assert not is_dead(holder)
    assert files(folder) == []


def test_who_failed_is_known_to_be_dead(folder: Path) -> None:
    """The lease may not have been given back: the next one need not wait for its end."""
    with pytest.raises(RuntimeError), alive() as holder:
        raise RuntimeError
    assert (len(files(folder)), is_dead(holder)) == (1, True)
