"""Makes the plain run that each oddity starts from, named after the oddity, the same for equal seeds. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished, scalar_properties
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.world import Document, Series

BEGIN = instants.parse("2022-11-30T23:59:59.9999999+00:00")

Metric = tuple[Series, Sequence[Document]]


def home(seed: int) -> Document:
    """The experiment of most hostile runs."""
    return experiment(f"hostile-{seed}")


def archived_home(seed: int) -> Document:
    """The archived experiment."""
    return experiment(f"hostile-{seed}-archived", archived="2023-01-01T00:00:00.5+00:00")


def other_home(seed: int) -> Document:
    """The experiment that holds the owner of a reused step."""
    return experiment(f"hostile-{seed}-owners")


def made(seed: int, name: str, number: int, parent: Document | None = None) -> Document:
    """A completed run of a minute, `number` minutes after the first one's."""
    return named(seed, f"hostile-{seed}-{name}", name, number, parent)


def named(seed: int, run_id: str, name: str, number: int, parent: Document | None = None) -> Document:
    """As `made`, with an id of any form."""
    created = BEGIN + number * 61 * instants.SECOND
    run = empty_run(run_id, home(seed)["experimentId"], created, parent)
    run |= {"displayName": name, "runType": "azureml.scriptrun"}
    return finished(run, "Completed", created + 1, created + 60 * instants.SECOND + 7)


def rows(run: Document, column: str, values: Sequence[tuple[int | None, int, object]]) -> list[Document]:
    """Metric rows from (step, milliseconds since the run's creation, value)."""
    start = instants.parse(run["createdUtc"]) // instants.MILLISECOND
    return [
        {
            "metricId": stable_guid(run["runId"], column, position),
            "createdUtc": instants.text((start + later) * instants.MILLISECOND),
            "step": step,
            "data": {column: value},
        }
        for position, (step, later, value) in enumerate(values)
    ]


def scalar(run: Document, name: str, values: Sequence[tuple[int | None, int, object]], namespace: str = "") -> Metric:
    """A metric with one column of doubles."""
    series = Series(run["dataContainerId"], name, namespace, {name: "Double"}, scalar_properties())
    return series, rows(run, name, values)
