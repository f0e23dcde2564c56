"""What `azureml-replay` without arguments says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

FIRST: Mapping[str, str] = {
    "azureml-replay doctor --source source.json --target target.json": "looks for what would stand in the way",
    "azureml-replay extract --source source.json --archive history": "reads the source; nothing is changed there",
    "azureml-replay plan history": "shows what would be written, and what cannot be",
    "azureml-replay migrate --source source.json --target target.json --archive history": (
        "writes it, reads it back, compares, and reports"
    ),
}
"""The first commands to type, in their order -> what each does."""


def start() -> Iterator[str]:
    """The lines, few enough for one look."""
    yield "Carries Azure Machine Learning job history from one workspace to another, and proves it."
    yield ""
    yield "Log in (`az login`), download the config.json of both workspaces from Azure ML Studio"
    yield "as source.json and target.json, then:"
    yield ""
    for command, what in FIRST.items():
        yield f"  {command}"
        yield f"      {what}"
    yield ""
    yield "Each may be stopped and run again: it continues. All commands: azureml-replay --help"
