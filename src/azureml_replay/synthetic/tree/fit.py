"""Fits a plan step into what a synthetic run can hold (pure).

Values that a real job cannot take become tags; what then exceeds the limits goes into the overflow file: nothing fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from azureml_replay import json_text
from azureml_replay.model import Json, Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.fit import OUR_TAGS, OVERFLOW_FILE, SYSTEM_KEYS, Fitting
from azureml_replay.planning.plan import Step
from azureml_replay.synthetic.step.points import PROGRESS
from azureml_replay.workspace.limits import DOCUMENTED, Limits

SELF_TAG = {"replay_role": "self"}
"""A tag of the leaf that logs a parent's own values: it has the parent's `original_job_id`, and is not the parent."""
_READ_BY_US = frozenset({*SELF_TAG, PROGRESS})
"""Tags of an earlier replay that are left out, as this one's step would believe them: 1,200 points logged already."""
_PLATFORM_TAGS = 9
"""Tags left free: azureml.nodeid, azureml.pipeline, _aml_system_ComputeTargetStatus, mlflow.source.type and .name
(recorded on steps, responses.md 4.1), mlflow.note.content, two for the step's own progress and SELF_TAG, and one for
the mark of `undo`."""
_RENAMED = "original."
"""The beginning of the new name of a source's tag that would steer the new run, or that is ours."""
_PROPERTY = "original_property."


def fitted(step: Step, parent: RunId | None, roles: Mapping[str, str], limits: Limits) -> Step:
    """The step with the tags of its run.

    `parent` is the original's; `roles` are tags that come before the source's own.
    """
    overflow = {kind: dict(names) for kind, names in step.overflow.items()}
    fitting = Fitting(step.source, overflow, list(step.omissions))
    parameters = _parameters(step.run, fitting, limits)
    description = _description(step, fitting, limits)
    tags = _tags(step, _lineage(step, parent) | dict(roles), fitting, limits)
    made = {OVERFLOW_FILE} if fitting.overflow else set()
    return replace(
        step,
        run=replace(step.run, tags=tags, properties={}, parameters=parameters, description=description),
        own_files=tuple(sorted({*step.own_files, *made})),
        overflow=fitting.overflow,
        omissions=tuple(fitting.omissions),
    )


def parameter_text(value: Json) -> str:
    """A parameter as MLflow shows it: a text stays as it is, other values become JSON."""
    return value if isinstance(value, str) else json_text.dumps(value).decode()


def _parameters(run: Run, fitting: Fitting, limits: Limits) -> dict[str, Json]:
    """Those that MLflow logs: with a longer one a step fails, whenever it is tried."""
    kept: dict[str, Json] = {}
    for key, value in run.parameters.items():
        if len(key) > limits.mlflow_key:
            fitting.over("parameter", key, value, f"name longer than {limits.mlflow_key} characters")
        elif len(parameter_text(value)) > limits.mlflow_parameter:
            fitting.over("parameter", key, value, f"value longer than {limits.mlflow_parameter} characters")
        else:
            kept[key] = value
    return kept


def _description(step: Step, fitting: Fitting, limits: Limits) -> str | None:
    """A root's travels with the job, whole; others' are tags, and as long as tags."""
    text = step.run.description
    if text is None or step.source == step.unit or fits_a_tag(text, limits):
        return text
    fitting.over("text", "description", text, f"longer than {limits.value} characters as a tag")
    return None


def fits_a_tag(text: str, limits: Limits = DOCUMENTED) -> bool:
    """False for a text that is longer than a tag's value may be."""
    return len(text) <= limits.value


def _lineage(step: Step, parent: RunId | None) -> dict[str, str]:
    """The original tool's tags, values that no job can take, and, as a tag, the property that children cannot have."""
    run = step.run
    facts = {
        lineage.TAG: step.source,
        "original_parent_job_id": parent,
        "original_pipeline_depth": str(step.depth),
        "original_name": run.display_name,
        "original_status": run.status,
        "original_start_time": run.start and str(run.start),
        "original_end_time": run.end and str(run.end),
        "original_created_time": run.created and str(run.created),
        "original_creator": run.creator,
        "original_type": run.kind,
        "original_error": _error(run.error),
        lineage.PROPERTY: run.properties.get(lineage.PROPERTY),
    }
    return {key: value for key, value in facts.items() if value}


def _error(error: Json) -> str | None:
    """The error as text: `UserError: the data is empty`."""
    if not isinstance(error, Mapping):
        return None
    return ": ".join(str(error[key]) for key in ("code", "message") if error.get(key)) or "unnamed"


def _tags(step: Step, ours: Mapping[str, str], fitting: Fitting, limits: Limits) -> dict[str, str]:
    """The tags that fit: ours first, cut where they are long; then the source's own, the platform's, and properties."""
    kept = {key: _cut(key, value, fitting, limits) for key, value in ours.items()}
    for kind, key, name, value in _theirs(step.run, kept):
        reason = _refusal(name, value, len(kept), limits)
        if reason or value is None:
            fitting.over(kind, key, value, reason or "without a value")
        else:
            kept[name] = value
    return kept


def _cut(key: str, value: str, fitting: Fitting, limits: Limits) -> str:
    if len(value) > limits.value:
        fitting.over("tag", key, value, f"longer than {limits.value} characters")
    return value[: limits.value]


def _theirs(run: Run, ours: Mapping[str, str]) -> Iterator[tuple[str, str, str, str | None]]:
    """Kind and key in the source, name here, value; the first ones first where the limits leave too little room."""
    own = {key: value for key, value in run.tags.items() if key not in OUR_TAGS}
    steering = {key for key in own if key.startswith(SYSTEM_KEYS) or key in ours or key in _READ_BY_US}
    yield from (("tag", key, key, value) for key, value in own.items() if key not in steering)
    yield from (("tag", key, _RENAMED + key, value) for key, value in own.items() if key in steering)
    yield from (
        ("property", key, _PROPERTY + key, value) for key, value in run.properties.items() if key != lineage.PROPERTY
    )


def _refusal(name: str, value: str | None, kept: int, limits: Limits) -> str | None:
    room = limits.tags - _PLATFORM_TAGS
    if len(name) > limits.key:
        return f"key longer than {limits.key} characters as {name}"
    if value is not None and len(value) > limits.value:
        return f"value longer than {limits.value} characters"
    return f"more than {room} tags with the replay's own" if kept >= room else None
