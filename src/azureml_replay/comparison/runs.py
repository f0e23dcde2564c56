"""Compares runs and experiments as they should be in a target with what is there (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from azureml_replay.comparison.shown import finding_of, shown
from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, Finding, Json, Run, RunId


def error_part(part: str) -> Callable[[Run], object]:
    """A function that gives `code` or `message` of a run's error."""
    return lambda run: run.error.get(part) if isinstance(run.error, Mapping) else None


def beside_error(run: Run) -> Mapping[str, object]:
    """The other parts of the error (`innerError`, …) and of its envelope (`time`, `componentName`, …) with a value."""
    inner = run.error if isinstance(run.error, Mapping) else {}
    origin = run.error_origin if isinstance(run.error_origin, Mapping) else {}
    said = {key: _valued(value) for key, value in inner.items() if key not in ("code", "message")}
    said |= {key: _moment(value) if key == "time" else _valued(value) for key, value in origin.items()}
    return {key: value for key, value in said.items() if value is not None}


def _valued(value: Json) -> object:
    """The value without empty parts, at any depth: services write `null`, `[]` and `{}` where nothing was said."""
    if isinstance(value, Mapping):
        return {key: told for key, item in value.items() if (told := _valued(item)) is not None} or None
    if isinstance(value, list | tuple):
        return [_valued(item) for item in value] or None
    return value


def _moment(value: Json) -> object:
    """A time as an Instant: a service may write the same one otherwise. What is no time stays as it is."""
    try:
        return Instant.parse(str(value))
    except ValueError:
        return value


class Field(NamedTuple):
    """One thing that a run carries from workspace to workspace."""

    name: str
    """The name that a finding shows; for a mapping the word for one of its entries."""
    of: Callable[[Run], object]
    """The value, or a mapping that is compared key by key."""
    by_key: bool = False
    more: bool = False
    """For a mapping: entries that only the target has are no difference, as services add some."""


LENDER = "files and metrics of"
"""The name in a finding of the run whose files and points another one shows."""
CARRIED = (
    Field("parent", lambda run: run.parent),
    Field("experiment", lambda run: run.experiment),
    Field("status", lambda run: run.status),
    Field("start", lambda run: run.start),
    Field("end", lambda run: run.end),
    Field("display name", lambda run: run.display_name),
    Field("description", lambda run: run.description),
    Field("tag", lambda run: run.tags, by_key=True),
    Field("property", lambda run: run.properties, by_key=True),
    Field("parameter", lambda run: run.parameters, by_key=True),
    Field("input", lambda run: run.inputs, by_key=True),
    Field("output", lambda run: run.outputs, by_key=True),
    Field("input datasets", lambda run: run.input_datasets or None),
    Field("output datasets", lambda run: run.output_datasets or None),
    Field("hidden", lambda run: run.hidden),
    Field(LENDER, lambda run: run.lender),
    Field("error code", error_part("code")),
    Field("error message", error_part("message")),
    Field("error", beside_error, by_key=True, more=True),
)
"""Every field of `Run` up to `error_origin`; a test holds this table against the dataclass."""


def compare_runs(
    expected: Run,
    actual: Run,
    ignored: Mapping[str, Collection[str]] = MappingProxyType({}),
    fields: Sequence[Field] = CARRIED,
) -> Iterator[Finding]:
    """The findings about a run: as it should be in the target, and as it is there.

    `ignored`: name of a field -> its keys that only `actual` may have: lineage, and what services add.
    """
    for field in fields:
        wanted, found = field.of(expected), field.of(actual)
        if field.by_key:
            there = _mapping(found)
            allowed = there.keys() if field.more else ignored.get(field.name, ())
            yield from _by_key(expected.id, field.name, _mapping(wanted), there, allowed)
        elif not _same(wanted, found):
            yield finding_of(expected.id, field.name, wanted, found)


def _by_key(
    run: RunId, what: str, expected: Mapping[str, object], actual: Mapping[str, object], ignored: Collection[str]
) -> Iterator[Finding]:
    for key, wanted in expected.items():
        if key not in actual:
            yield Finding(run, shown(f"{what} {key}"), "absent", shown(wanted, key), "")
        elif not _same(wanted, actual[key]):
            yield Finding(run, shown(f"{what} {key}"), "differs", shown(wanted, key), shown(actual[key], key))
    for key, found in actual.items():
        if key not in expected and key not in ignored:
            yield Finding(run, shown(f"{what} {key}"), "extra", "", shown(found, key))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _same(a: object, b: object) -> bool:
    """Equal as JSON: 1 is 1.0, but true is not 1."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and a == b


STATE = ": state"
"""The end of a finding's `what`, after the experiment's name."""


def compare_experiments(expected: Experiment, actual: Experiment) -> Iterator[Finding]:
    """The findings about an experiment and the target's of the same name; they belong to no run."""
    none, what = RunId(""), f"experiment {expected.name}"
    if (expected.description or None) != (actual.description or None):
        yield finding_of(none, shown(f"{what}: description"), expected.description, actual.description)
    if bool(expected.archived) != bool(actual.archived):
        yield _state(expected, actual)
    yield from _by_key(none, f"{what}: tag", expected.tags, actual.tags, ())


def compare_visibility(expected: Experiment, actual: Experiment) -> Iterator[Finding]:
    """The finding about an experiment that keeps its own values and hides runs that the source shows."""
    if actual.archived and not expected.archived:
        yield _state(expected, actual)


def _state(expected: Experiment, actual: Experiment) -> Finding:
    wanted, found = ("archived" if one.archived else "active" for one in (expected, actual))
    return Finding(RunId(""), shown(f"experiment {expected.name}") + STATE, "differs", wanted, found)
