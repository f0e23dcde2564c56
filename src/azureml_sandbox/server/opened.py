"""Opens the state of a DIR beside the server that may be using it (SQLite in WAL mode allows that)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from azureml_sandbox.problem import Problem
from azureml_sandbox.world import Workspace, World


@contextmanager
def opened(folder: Path, name: str) -> Iterator[tuple[World, Workspace]]:
    """The world in a DIR and its workspace of this name. Raises Problem where one of them does not exist."""
    file = folder / "world.db"
    if not file.exists():
        raise Problem(f"{folder} holds no sandbox: start one with azureml-sandbox serve {folder} --background")
    with closing(World.open(file)) as world:
        there = {each.name: each for each in world.workspaces()}
        if name not in there:
            raise Problem(
                f"--workspace {name}: {folder} has no such workspace; it has {', '.join(sorted(there)) or 'none yet'}"
            )
        yield world, there[name]
