"""What a server has no field for, as tags of a run that replay wrote; and such a run as it was planned (pure).

Each function here has its other half beside it: what `tags_of` writes `as_written` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from azureml_replay import json_text
from azureml_replay.model import AssetReference, Json, Run
from azureml_replay.workspace.mark import LINEAGE, SOURCE_TAG
from azureml_replay.workspace.profile import NAME_TAG, NOTE_TAG, PARENT_TAG, PROPERTY_BEGINS

HIDDEN_TAG = "azureml_replay.hidden"
"""Of a run that is deleted for itself: those of a deleted experiment all are, and which were so before is not told."""
STATUS_TAG, ERROR_TAG = "azureml_replay.status", "azureml_replay.error"
OUTPUT_BEGINS = "azureml_replay.output."
ASSET, TYPE_TAG = "azureml", "azureml.type"
"""The source's type of a dataset that stands for an input of ours, and the tag that has the asset's."""
_ENDS = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}
_BEGINS = {"NotStarted", "Queued", "Preparing", "Provisioning", "Starting", "Scheduled"}
_OWN_WORDS = {
    "FINISHED": "Completed",
    "FAILED": "Failed",
    "KILLED": "Canceled",
    "SCHEDULED": "NotStarted",
    "RUNNING": "Running",
}


def status_of(run: Run) -> str:
    """The server's word for how a run ended, or that it did not."""
    return _ENDS.get(run.status, "SCHEDULED" if run.status in _BEGINS else "RUNNING")


def status_tags(run: Run) -> Mapping[str, str]:
    """The exact word, where the server's stands for another."""
    return {} if _OWN_WORDS[status_of(run)] == run.status else {STATUS_TAG: run.status}


def error_tags(run: Run) -> Mapping[str, str]:
    """Code and message of the error."""
    return {} if run.error is None else {ERROR_TAG: json_text.compact(run.error)}


def tags_of(run: Run) -> dict[str, str]:
    """Everything of a run that is no time, status, parameter, input or row. The tag of its name changes the name."""
    tags = {key: value or "" for key, value in run.tags.items()}
    if run.display_name:
        tags[NAME_TAG] = run.display_name
    if run.parent:
        tags[PARENT_TAG] = run.parent
    if run.description is not None:
        tags[NOTE_TAG] = run.description
    for key, value in run.properties.items():
        tags[_of_property(key)] = value or ""
    for name, asset in run.outputs.items():
        tags[OUTPUT_BEGINS + name] = json_text.compact([asset.asset_id, asset.type])
    return tags


def as_written(run: Run, *, archived: bool = False) -> Run:
    """A run of a server as replay wrote it; one that somebody else wrote stays as it is.

    `archived`: its experiment is deleted, and so all its runs are, but for those that somebody restored since.
    """
    if LINEAGE not in run.tags and SOURCE_TAG not in run.tags:
        return run
    tags, properties, outputs = dict[str, str | None](), dict[str, str | None](), dict[str, AssetReference]()
    for key, value in run.tags.items():
        if key == LINEAGE or key.startswith(PROPERTY_BEGINS):
            properties[LINEAGE if key == LINEAGE else key.removeprefix(PROPERTY_BEGINS)] = value
        elif key.startswith(OUTPUT_BEGINS) and (asset := _asset(value)) is not None:
            outputs[key.removeprefix(OUTPUT_BEGINS)] = asset
        elif key not in (HIDDEN_TAG, PARENT_TAG) and not _is_told(run, key, value):
            tags[key] = value
    inputs, datasets = _inputs(run.input_datasets)
    return replace(
        run,
        status=_status(run),
        tags=tags,
        properties=properties,
        inputs=inputs,
        outputs=outputs,
        input_datasets=datasets,
        error=_json(run.tags.get(ERROR_TAG)),
        hidden=run.hidden and (not archived or HIDDEN_TAG in run.tags),
        references=tuple(one for one in run.references if (one.kind, one.key) != ("tag", PARENT_TAG)),
    )


def _is_told(run: Run, key: str, value: str | None) -> bool:
    """True for a tag that the status, or the error, is read from; one that says neither is somebody's."""
    if key == STATUS_TAG:
        return _status(run) == value
    return key == ERROR_TAG and _json(value) is not None


def _of_property(key: str) -> str:
    return key if key == LINEAGE else PROPERTY_BEGINS + key


def _status(run: Run) -> str:
    """The exact word, unless the server's says since that it is another one."""
    exact = run.tags.get(STATUS_TAG)
    if exact and _OWN_WORDS[status_of(replace(run, status=exact))] == run.status:
        return exact
    return run.status


def _asset(value: str | None) -> AssetReference | None:
    found = _json(value)
    if isinstance(found, list) and len(found) == 2 and isinstance(found[0], str):
        return AssetReference(found[0], found[1] if isinstance(found[1], str) else None)
    return None


def _inputs(datasets: Json) -> tuple[dict[str, AssetReference], Json]:
    """The inputs that stand for assets, and the other datasets."""
    inputs: dict[str, AssetReference] = {}
    others: list[Json] = []
    for one in datasets if isinstance(datasets, list) else ():
        dataset: Any = one.get("dataset") if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping) or not isinstance(dataset, Mapping) or dataset.get("source_type") != ASSET:
            others.append(one)
            continue
        listed: Any = one.get("tags") or ()
        kinds = [tag.get("value") for tag in listed if isinstance(tag, Mapping) and tag.get("key") == TYPE_TAG]
        inputs[str(dataset.get("name"))] = AssetReference(str(dataset.get("source")), kinds[0] if kinds else None)
    return inputs, others or None


def _json(value: str | None) -> Any:  # noqa: ANN401 whatever stands there
    if not value:
        return None
    try:
        return json_text.loads(value.encode())
    except ValueError:
        return None  # somebody edited it: verify says what lacks
