"""The step's own source code, as it is sent to a workspace."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files

from azureml_replay.synthetic.bodies.graph import MODULE

_FIRST = b"""import sys

if sys.argv[:1] == ["-m"]:  # this package is found: a copy.py beside it is not to be taken for Python's
    del sys.path[0]
"""
"""The module that is loaded first. `python -P` would do the same, from Python 3.11 on, and an image may have an older
one."""


def code() -> Mapping[str, bytes]:
    """Path below the code's folder -> content, in the order of paths; works from any directory and from a wheel."""
    found = {"azureml_replay/__init__.py": _FIRST, "azureml_replay/synthetic/__init__.py": b""}
    folder = files(MODULE)
    for file in folder.iterdir():
        if file.name.endswith(".py"):
            found[f"{MODULE.replace('.', '/')}/{file.name}"] = file.read_bytes()
    return dict(sorted(found.items()))


def version() -> str:
    """The version of the code: twelve digits of its digest, as a registered version is never changed."""
    digest = hashlib.sha256()
    for path, data in code().items():
        digest.update(f"{path}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:12]
