"""Wire -> model for MLflow's routes: clients.md 4.1; `runs/search` appears in no recording (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from azureml_replay.instants import TICKS_PER_SECOND
from azureml_replay.model import Points, RunId, Series, SeriesKey
from azureml_replay.workspace.reader import Document, readable

SCALAR = "azureml.v1.scalar"
"""The type that the service gives to a metric that MLflow logged (rh-metrics-lastvalues.json)."""


@readable
def last_values(document: Document) -> tuple[Mapping[RunId, Sequence[Points]], str | None]:
    """A page of `runs/search`: run -> one row of each metric, in the service's order; and the next page's token."""
    found = document.get("runs") or ()
    return {RunId(run["info"]["run_id"]): _values(run) for run in found}, document.get("next_page_token") or None


@readable
def metric_names(document: Document) -> Sequence[str]:
    """The names of the metrics in an answer of `runs/get`."""
    return [metric["key"] for metric in (document["run"].get("data") or {}).get("metrics") or ()]


@readable
def created_run(document: Document) -> RunId:
    """The id in an answer of `runs/create`."""
    return RunId(document["run"]["info"]["run_id"])


@readable
def tagged_runs(document: Document) -> tuple[Mapping[RunId, Mapping[str, str]], str | None]:
    """A page of `runs/search`: run -> its tags; and the next page's token. Of a key that is there twice the first."""
    found = document.get("runs") or ()
    runs = {RunId(run["info"]["run_id"]): _tags(run) for run in found}
    return runs, document.get("next_page_token") or None


def _tags(run: Document) -> Mapping[str, str]:
    pairs = (run.get("data") or {}).get("tags") or ()
    return {tag["key"]: tag.get("value") or "" for tag in reversed(pairs)}


def scalar(name: str) -> Series:
    """The series of a metric as MLflow logs it."""
    return Series(key=SeriesKey(name), columns=((name, "Double"),), ux_type=SCALAR)


def _values(run: Document) -> list[Points]:
    return [_point(metric) for metric in (run.get("data") or {}).get("metrics") or ()]


def _point(metric: Document) -> Points:
    """One row. Numbers are texts on the wire: step and milliseconds always, a value where it is NaN or infinite."""
    name = metric["key"]
    series = scalar(name)
    ticks = int(metric["timestamp"]) * (TICKS_PER_SECOND // 1_000)
    return Points.of(series, [(int(metric.get("step") or 0), ticks, (float(metric["value"]),))])


@readable
def aliases(document: Document) -> Mapping[str, str]:
    """Alias -> version, out of `registered-models/get` (MLflow's protobufs; never recorded)."""
    told = (document.get("registered_model") or {}).get("aliases") or ()
    return {str(one["alias"]): str(one["version"]) for one in told}
