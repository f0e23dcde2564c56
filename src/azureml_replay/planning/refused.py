"""Takes out of a plan what its target has refused already: each becomes an omission with the target's words (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from azureml_replay.model import Experiment, Json, Omission, Run, RunForm, RunId, Series, SeriesKey
from azureml_replay.planning.fit import IN_LINEAGE, OVERFLOW_FILE, Fitting
from azureml_replay.planning.lineage import EXPERIMENT_TAG, PROPERTY, TAG
from azureml_replay.workspace.limits import Limits

TEXTS = {"display name": "display_name", "description": "description"}
MAPS = {"tag": "tags", "property": "properties", "parameter": "parameters", "input": "inputs", "output": "outputs"}
LISTS = {"input datasets": "input_datasets", "output datasets": "output_datasets"}
DESCRIPTION = ("text", "description")
STATE = ("text", "archived")
"""Kind and name of an experiment's state."""
ERROR = ("text", "error")
"""Kind and name of how a run failed."""

STATUS, TYPE = ("text", "status"), ("text", "run type")
"""Kind and name of what a target keeps to itself: the status of a run, and the type for which it does."""
RUNNING = "Running"
"""The status of a run whose end the target does not take from us."""

ValueName = tuple[str, str]
"""Kind and name of one value of a run."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A run taken apart: what has to be, and the values that can be left out one by one."""

    bare: Run
    values: Sequence[ValueName]

    @classmethod
    def of(cls, run: Run) -> Parts:
        """Our own tag and property stay: by them a run is known as ours."""
        names = [("text", name) for name, key in TEXTS.items() if getattr(run, key) is not None]
        names += [
            (kind, name) for kind, key in MAPS.items() for name in getattr(run, key) if name not in (TAG, PROPERTY)
        ]
        names += [("list", name) for name, key in LISTS.items() if getattr(run, key)]
        return cls(without(run, names), names)


def without(run: Run, names: Sequence[ValueName]) -> Run:
    """The run without these values."""
    gone = set(names)
    changed: dict[str, Any] = {key: None for name, key in TEXTS.items() if ("text", name) in gone}
    changed |= {key: None for name, key in LISTS.items() if ("list", name) in gone}
    for kind, key in MAPS.items():
        pairs = getattr(run, key)
        if any((kind, name) in gone for name in pairs):
            changed[key] = {name: value for name, value in pairs.items() if (kind, name) not in gone}
    if STATUS in gone:
        changed["status"] = RUNNING
    if ERROR in gone:
        changed |= {"error": None, "error_origin": None}
    return replace(run, **changed) if changed else run


HIDES = "archiving it would hide "
"""The beginning of the reason why an experiment stays active in a target: nobody refused it, replay left it so."""
REFUSED = "the target refused it: "
"""The beginning of the reason of each omission that is a refusal."""
NEW_IDS = "replay --ids new"
"""In the reason of a run that is left out, where another id may be all that it needs."""


def refused_by(words: str) -> str:
    """The reason of an omission."""
    return words if words.startswith(HIDES) else f"{REFUSED}{words}"


def refused_with(parent: RunId) -> str:
    """The reason of a run that is left out as the one above it is; tried again once that one is."""
    return f"its parent {parent} was refused"


def refused_among(reasons: Mapping[str, int]) -> int:
    """How many of these omissions, reason -> number, are refusals of the target."""
    return sum(count for reason, count in reasons.items() if reason.startswith(REFUSED))


def without_refused(run: Run, fitting: Fitting, refused: Mapping[ValueName, str], form: RunForm) -> Run:
    """The run without the values that were refused, which go into the overflow file; a type stands in the lineage.

    `form` is what the target gets of runs that do not keep their type.
    """
    gone = []
    for (kind, name), words in refused.items():
        if (kind, name) == TYPE:
            fitting.omit(f"run type {run.kind}", refused_by(words) + IN_LINEAGE)
            run = replace(run, form=form)
        elif (kind, name) in (ERROR, STATUS) or (kind, name) in Parts.of(run).values:
            fitting.over(kind, name, _value(run, kind, name), refused_by(words))
            gone.append((kind, name))
    return without(run, gone) if gone else run


def _value(run: Run, kind: str, name: str) -> Json:
    if (kind, name) == ERROR:
        return {"error": run.error, "origin": run.error_origin}
    if kind in MAPS:
        found = getattr(run, MAPS[kind]).get(name)
        return {"asset_id": found.asset_id, "type": found.type} if kind in ("input", "output") and found else found
    key = {**TEXTS, **LISTS, "status": "status"}.get(name)
    value: Json = getattr(run, key) if key else None
    return value


def refused_series(
    logged: Sequence[tuple[Series, int]], fitting: Fitting, refused: Mapping[SeriesKey, str]
) -> frozenset[SeriesKey]:
    """The series that were refused; all their rows go into the overflow file, also those that arrived before."""
    gone = [series.key for series, _ in logged if series.key in refused]
    for key in gone:
        fitting.omit(f"metric {key.name}", f"{refused_by(refused[key])}; kept in {OVERFLOW_FILE}")
    return frozenset(gone)


def fitted_experiment(
    experiment: Experiment, limits: Limits, refused: Mapping[ValueName, str]
) -> tuple[Experiment, list[Omission]]:
    """The experiment as a target can hold it; what it cannot stays in the archive, as omissions."""
    reasons = dict(_beyond(experiment, limits)) | {name: refused_by(words) for name, words in refused.items()}
    gone = [name for name in _values_of(experiment) if name in reasons]
    omissions = [
        Omission(
            RunId(""),
            f"experiment {experiment.name}: {'tag ' if kind == 'tag' else ''}{name}",
            f"{reasons[kind, name]}; kept in the archive",
        )
        for kind, name in gone
    ]
    return without_values(experiment, gone), omissions


def without_values(experiment: Experiment, names: Collection[ValueName]) -> Experiment:
    """The experiment without these values."""
    if not names:
        return experiment
    tags = {key: value for key, value in experiment.tags.items() if ("tag", key) not in names}
    return replace(
        experiment,
        tags=tags,
        description=None if DESCRIPTION in names else experiment.description,
        archived=None if STATE in names else experiment.archived,
    )


def parts_of_experiment(experiment: Experiment) -> tuple[Experiment, list[ValueName]]:
    """The experiment bare, and the values that can be left out one by one; our own tag is none of them."""
    names = list(_values_of(experiment))
    return without_values(experiment, names), names


def _values_of(experiment: Experiment) -> Iterator[ValueName]:
    yield from (("tag", key) for key in experiment.tags if key != EXPERIMENT_TAG)
    if experiment.description is not None:
        yield DESCRIPTION
    if experiment.archived is not None:
        yield STATE


def _beyond(experiment: Experiment, limits: Limits) -> Iterator[tuple[ValueName, str]]:
    """Limits of experiments are not documented; their tags are written as those of runs."""
    if len(experiment.description or "") > limits.description:
        yield DESCRIPTION, f"longer than {limits.description} characters"
    for at, (key, value) in enumerate(experiment.tags.items()):
        if len(key) > limits.experiment_key:
            yield ("tag", key), f"key longer than {limits.experiment_key} characters"
        elif len(value or "") > limits.value:
            yield ("tag", key), f"value longer than {limits.value} characters"
        elif at >= limits.tags:
            yield ("tag", key), f"more than {limits.tags} tags"
