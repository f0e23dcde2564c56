"""What `azureml-replay` without arguments says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.text import Line

FIRST: Mapping[str, str] = {
    "azureml-replay doctor --source source.json --target target.json": "looks for what would stand in the way",
    "azureml-replay extract --source source.json --archive history": "reads the source; nothing is changed there",
    "azureml-replay plan history": "shows what would be written, and what cannot be",
    "azureml-replay migrate --source source.json --target target.json --archive history": (
        "writes it, reads it back, compares, and reports"
    ),
}
"""The first commands to type, in their order -> what each does."""


def start() -> Iterator[Line]:
    """The lines, few enough for one look; the commands stay whole, to be pasted."""
    yield Branch("Carries Azure Machine Learning job history from one workspace to another, and proves it.", hanging=0)
    yield ""
    yield Branch(
        "Log in (`az login`), download the config.json of both workspaces from Azure ML Studio as source.json and "
        "target.json, then:",
        hanging=0,
    )
    yield ""
    for command, what in FIRST.items():
        yield f"  {command}"
        yield Branch(f"      {what}", hanging=6)
    yield ""
    yield Branch("Each may be stopped and run again: it continues. All commands: azureml-replay --help", hanging=0)
