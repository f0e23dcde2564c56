"""What a run of a target has of its own, against what was planned of it (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from azureml_replay.comparison.runs import CARRIED, compare_runs
from azureml_replay.model import Finding, Run
from azureml_replay.planning import lineage
from azureml_replay.planning.fit import PLACES
from azureml_replay.workspace.mark import OUR_MARKS, SENT_TAG

_WRITTEN_ONCE = frozenset({"property", "parameter", "input", "output", "input datasets", "output datasets"})
_FIELDS = tuple(field for field in CARRIED if field.name in _WRITTEN_ONCE)


def value_findings(planned: Run, actual: Run, added: Collection[str]) -> Iterator[Finding]:
    """Field by field; our lineage and marks are no difference, nor is what the service adds to every run: `added`."""
    ignored = {"property": {lineage.PROPERTY, SENT_TAG, *PLACES, *added}, "tag": {*OUR_MARKS, *added}}
    yield from compare_runs(_without_lineage(planned), actual, ignored=ignored)


def strange_values(planned: Run, actual: Run, added: Collection[str]) -> list[str]:
    """Names of properties, parameters, inputs and outputs that are there and were not sent so."""
    ignored = {"property": {lineage.PROPERTY, SENT_TAG, *PLACES, *added}}
    found = compare_runs(_without_lineage(planned), actual, ignored=ignored, fields=_FIELDS)
    return [one.what for one in found if one.kind != "absent"]


def _without_lineage(run: Run) -> Run:
    return replace(run, properties={key: one for key, one in run.properties.items() if key != lineage.PROPERTY})
