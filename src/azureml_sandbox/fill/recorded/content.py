"""The content that is gathered from one recording before it is written into a workspace."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from azureml_sandbox.world import Document, Kind, Series

RUN_FILE = re.compile(r"ExperimentRun/(dcid\.[^/]+)/(.+)", re.DOTALL)


@dataclass(slots=True)
class File:
    """A blob as storage answered it, as far as it is known."""

    data: bytes | None = None
    """None until an answer holds its bytes."""
    append: bool = False
    digested: bool = True
    """Whether the service had an MD5 of it."""
    content_type: str = "application/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)
    created: int | None = None


@dataclass(slots=True)
class Harvest:
    """The content of one recording, already in the words of the loaded workspace."""

    name: str
    jobs: dict[str, Document] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    """Job to the tick when its present status was first answered: for many jobs the only hint at their end."""
    runs: dict[str, Document] = field(default_factory=dict)
    experiments: dict[str, str] = field(default_factory=dict)
    """Id to name, of those experiments of which an answer holds both."""
    series: dict[tuple[str, str, str], tuple[Series, list[Document]]] = field(default_factory=dict)
    artifacts: list[Document] = field(default_factory=list)
    logs: list[tuple[str, str]] = field(default_factory=list)
    """Container and path of what `details` lists as log files."""
    files: dict[tuple[str, str], File] = field(default_factory=dict)
    """The blobs by datastore and name."""
    assets: dict[tuple[Kind, str, str], Document] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
