"""The state of a DIR, opened beside the server that may be using it (SQLite in WAL mode allows that)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from azureml_sandbox.problem import Problem
from azureml_sandbox.world import Workspace, World


@contextmanager
def opened(folder: Path, name: str) -> Iterator[tuple[World, Workspace]]:
    """The world and its workspace of this name; Problem where there is none."""
    file = folder / "world.db"
    if not file.exists():
        raise Problem(f"{folder} holds no sandbox: start one with azureml-sandbox serve {folder} --background")
    with closing(World.open(file)) as world:
        there = {each.name: each for each in world.workspaces()}
        if name not in there:
            raise Problem(f"--workspace {name}: {folder} has only {', '.join(sorted(there)) or 'none'}")
        yield world, there[name]
