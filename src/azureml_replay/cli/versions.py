"""What a bug report has to name: this tool, its archive format, Python, the system, the libraries."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from azureml_replay.archive.schema import FORMAT_VERSION
from azureml_replay.version import __version__

DISTRIBUTION = "azureml-job-replayer"


def lines() -> Iterator[str]:
    """The versions, one a line, the tool's first."""
    yield f"azureml-replay {__version__}, archive format {FORMAT_VERSION}"
    yield f"Python {platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}"
    for name in _libraries():
        yield f"{name} {_version(name)}"


def _libraries() -> Iterator[str]:
    """The names of the product's dependencies, without extras."""
    for requirement in requires(DISTRIBUTION) or ():
        if "extra ==" not in requirement:
            yield re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is missing"
