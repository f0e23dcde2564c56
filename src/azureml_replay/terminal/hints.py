"""Command lines for people to paste: quoted as this system's shell wants them, without secrets."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from azureml_replay import redact

EXTRACT_JOBS = ("python", "-m", "extractor.extract_jobs")
BUILD_PIPELINE = ("python", "-m", "replayer.build_pipeline")
EXPORT_YAML = ("python", "-m", "mltable_yaml_migrator.export_yaml")
IMPORT_YAML = ("python", "-m", "mltable_yaml_migrator.import_yaml")
PROGRAMS: Mapping[str, Sequence[str]] = {
    "extract_jobs": EXTRACT_JOBS,
    "build_pipeline": BUILD_PIPELINE,
    "export_yaml": EXPORT_YAML,
    "import_yaml": IMPORT_YAML,
}
"""The original tool's commands, by their files."""


def quoted(arguments: Sequence[str]) -> str:
    """The arguments as one line to paste. A secret becomes stars, and has to be given again."""
    clean = redact.arguments(arguments)
    return subprocess.list2cmdline(clean) if os.name == "nt" else shlex.join(clean)


def hint(*arguments: object) -> str:
    """A line of ours with these arguments, whole: what a message tells to type can be typed."""
    return quoted(["azureml-replay", *map(str, arguments)])


def retyped(words: Sequence[str]) -> str:
    """A command line of ours as it was typed, from the words that its process got; the first one is a path."""
    return quoted([*PROGRAMS.get(PurePath(words[0]).stem, ["azureml-replay"]), *words[1:]])
