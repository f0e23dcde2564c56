"""Which kinds of run were recorded, and as what: `python tests/wire/kinds.py > docs/concepts/kinds.md`."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

FOLDER = Path(
    os.environ.get("AZUREML_REPLAY_RECORDINGS", Path(__file__).parents[3] / "shared" / "service" / "recordings")
)
Document: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Document], bool]


def never(document: Document) -> bool:
    """Of what ARM, or run history, has no form."""
    return False


def job(job_type: str, more: Test = lambda properties: True) -> Test:
    """A job of that type, by its `properties`."""
    return lambda properties: properties.get("jobType") == job_type and more(properties)


def node(*types: str) -> Test:
    """A pipeline with a node of one of these types."""
    return lambda properties: any(
        isinstance(one, dict) and one.get("type") in types for one in (properties.get("jobs") or {}).values()
    )


def imports(properties: Document) -> bool:
    """A pipeline with a node that Data Factory runs."""
    nodes = (properties.get("jobs") or {}).values()
    return any(isinstance(one, dict) and str(one.get("computeId")).endswith("/DataFactory") for one in nodes)


def source(*names: str) -> Test:
    """A pipeline that was made that way."""
    return job("Pipeline", lambda properties: (properties.get("settings") or {}).get("_source") in names)


def task(name: str) -> Test:
    """An AutoML job, or a pipeline with an AutoML node, of that task."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")

    def told(properties: Document) -> bool:
        nodes = (properties.get("jobs") or {}).values()
        inside = any(isinstance(one, dict) and one.get("task") in (snake, name.lower()) for one in nodes)
        return (properties.get("taskDetails") or {}).get("taskType") == name or inside

    return told


def distributed(properties: Document) -> bool:
    """More than one process."""
    return bool(properties.get("distribution"))


def serverless(properties: Document) -> bool:
    """A tier and no compute; a local job has the tier too."""
    there = (properties.get("properties") or {}).get("_azureml.ComputeTargetType")
    tier = (properties.get("queueSettings") or {}).get("jobTier")
    return bool(tier) and there not in (None, "local") and not properties["computeId"]


def target(name: str) -> Test:
    """What computed it."""
    return lambda properties: (properties.get("properties") or {}).get("_azureml.ComputeTargetType") == name


def run_type(name: str | None) -> Test:
    """By `runType`."""
    return lambda run: run.get("runType") == name


def trait(name: str) -> Test:
    """By `runTypeV2`, which `details` has too."""
    return lambda run: name in ((run.get("runTypeV2") or {}).get("traits") or ())


def attributed(name: str) -> Test:
    """By `runTypeV2`."""
    return lambda run: (run.get("runTypeV2") or {}).get("attribution") == name


def has(key: str) -> Test:
    """A run with that property."""
    return lambda run: key in (run.get("properties") or {})


class Kind(NamedTuple):
    """One kind of run, and how to tell it in what was recorded."""

    name: str
    in_arm: Test = never
    as_run: Test = never


TASKS = (
    *("Classification", "Regression", "Forecasting", "ImageClassification", "ImageClassificationMultilabel"),
    *("ImageObjectDetection", "ImageInstanceSegmentation", "TextClassification", "TextClassificationMultilabel"),
    "TextNER",
)
KINDS = (
    Kind("command job", job("Command"), run_type("azureml.scriptrun")),
    Kind("distributed job", job("Command", distributed)),
    Kind("local job", job("Command", target("local"))),
    Kind("serverless job", job("Command", serverless)),
    Kind("pipeline from YAML", source("YAML.JOB")),
    Kind("pipeline of the DSL", source("DSL")),
    Kind("pipeline from a component", job("Pipeline", lambda it: bool(it.get("componentId")))),
    Kind("pipeline of a batch endpoint", job("Pipeline", lambda it: not it.get("jobs") and not it.get("componentId"))),
    Kind("pipeline, as a run", as_run=trait("azureml.PipelineRun")),
    Kind("pipeline step", as_run=run_type("azureml.StepRun")),
    Kind("nested pipeline", node("pipeline")),
    Kind("control-flow node", node("if_else", "do_while", "parallel_for")),
    Kind("parallel node", node("parallel"), has("azureml.parallelrunstep")),
    Kind("spark node", node("spark")),
    Kind("sweep node", node("sweep")),
    Kind("AutoML node", node("automl")),
    Kind("import node", imports),
    Kind("data-transfer node", node("data_transfer")),
    Kind("reused step", as_run=has("azureml.reusedrunid")),
    Kind("sweep", job("Sweep")),
    Kind("sweep trial", as_run=attributed("HyperDrive")),
    *(Kind(f"AutoML, {name}", task(name)) for name in TASKS),
    Kind("AutoML child", as_run=attributed("AutoML")),
    Kind("spark job", job("Spark")),
    Kind("import job", target("adf"), lambda run: (run.get("runTypeV2") or {}).get("computeType") == "ADF"),
    Kind("prompt-flow run", as_run=run_type("azureml.promptflow.FlowRun")),
    Kind("run that MLflow made", as_run=trait("mlflow")),
    Kind("HyperDrive of the old SDK (HD_…)", as_run=lambda run: str(run.get("runId")).startswith("HD_")),
    Kind("script run of the old SDK"),
    Kind("archived run", in_arm=lambda it: it.get("isArchived") is True, as_run=lambda run: run.get("hidden") is True),
    Kind("archived experiment"),
)
"""Those that the tool promises to carry."""


def documents() -> Iterator[tuple[str, str, Document]]:
    """Recording, `arm` or `run`, and what was answered: job properties and run documents."""
    for path in sorted(FOLDER.glob("*.json")):
        for entry in json.loads(path.read_text("utf-8"))["Entries"]:
            if entry["StatusCode"] < 300 and isinstance(entry["ResponseBody"], dict):
                yield from ((path.stem, *found) for found in _told(entry["RequestUri"], entry["ResponseBody"]))


def _told(url: str, body: Document) -> Iterator[tuple[str, Document]]:
    path = url.partition("?")[0]
    many = body["value"] if isinstance(body.get("value"), list) else [body]
    if path.startswith("https://management.azure.com") and "/jobs" in path:
        yield from (("arm", one["properties"]) for one in many if one.get("properties"))
    elif "/history/v1.0" in path:
        yield from (("run", one.get("runMetadata") or one) for one in many if "runMetadata" in one or "runId" in one)
    elif path.endswith("/entities"):
        yield from (("run", one["properties"] | one["annotations"]) for one in many if "properties" in one)


HEAD = """# What was recorded of each kind of run

<!-- Made by `python tests/wire/kinds.py > docs/concepts/kinds.md` from the recordings: change it there. -->

From the recorded answers of the real service. *Job* names recordings of ARM's document, *run* those of run history's.
What has neither was never seen: its documents are built from the interface files alone, and **it is carried by its
documents**, as a kind that nobody foresaw would be: no kind is skipped, because none is looked at. Fields, metrics and
files travel the same way for all.

| kind | job | run | so |
| --- | --- | --- | --- |"""
SHOWN = 3
"""Recordings that a row names."""


def found() -> Mapping[str, tuple[list[str], list[str]]]:
    """Recordings by kind: as job, as run."""
    told: dict[str, tuple[dict[str, None], dict[str, None]]] = defaultdict(lambda: ({}, {}))
    for recording, side, document in documents():
        for kind in KINDS:
            if (kind.in_arm if side == "arm" else kind.as_run)(document):
                told[kind.name][side == "run"][recording] = None
    return {kind.name: (list(told[kind.name][0]), list(told[kind.name][1])) for kind in KINDS}


def page() -> str:
    """The table as Markdown."""
    return "\n".join([HEAD, *(_row(kind, *recordings) for kind, recordings in found().items())])


def _row(kind: str, jobs: list[str], runs: list[str]) -> str:
    if jobs and runs:
        so = "both recorded"
    elif jobs:
        so = "its run is built from the interface file"
    else:
        so = "as recorded" if runs else "nothing recorded: carried by its documents"
    return f"| {kind} | {_names(jobs)} | {_names(runs)} | {so} |"


def _names(recordings: list[str]) -> str:
    rest = len(recordings) - SHOWN
    return ", ".join(f"`{name}`" for name in recordings[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


if __name__ == "__main__":
    print(page())  # noqa: T201 the page is its output
