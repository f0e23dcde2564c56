"""Chooses the files of a run that fit into a budget: the most telling first, of these the smallest (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from azureml_replay.model import Artifact, Location

LOG_FOLDERS = ("logs/", "user_logs/", "system_logs/", "azureml-logs/")
"""Folders into which the service puts a job's logs (the original's families, and the oldest one)."""
_METRICS = ("metric", "score", "confusion", "evaluation", "report")
"""Parts of the names of files that sum up a run."""
_MODEL_ENDS = (
    *(".pkl", ".pickle", ".joblib", ".onnx", ".pt", ".pth", ".h5", ".keras", ".safetensors", ".ckpt", ".pb"),
    *(".cbm", ".pmml", ".bst", ".tflite", ".mlmodel", "/mlmodel"),
)
Key = tuple[str, Location]
"""The path and the place of a file: the index and the storage may each have one of the same path."""


class Worth(IntEnum):
    """How telling a file is; the first go first."""

    METRICS = 0
    MODEL = 1
    LOG = 2
    REST = 3


def worth_of(path: str) -> Worth:
    """What a file is, as far as its path tells."""
    folded = f"/{path.lower()}"
    folders, _, name = folded.rpartition("/")
    if folded.startswith(tuple(f"/{folder}" for folder in LOG_FOLDERS)) or name.endswith(".log"):
        return Worth.LOG
    if any(word in name for word in _METRICS) and not name.endswith(_MODEL_ENDS):
        return Worth.METRICS
    if folded.endswith(_MODEL_ENDS) or any("model" in folder for folder in folders.split("/")):
        return Worth.MODEL
    return Worth.REST


def beyond(files: Iterable[Artifact], budget: int) -> frozenset[Key]:
    """The files with bytes that a budget, in bytes, leaves no room for. One that is too large makes way for others."""
    sized = [(worth_of(one.path), one.stored.size_bytes, one.path, one.location) for one in files if one.stored]
    left: set[Key] = set()
    for _, size, path, location in sorted(sized, key=lambda one: one[:3]):
        if size <= budget:
            budget -= size
        else:
            left.add((path, location))
    return frozenset(left)
