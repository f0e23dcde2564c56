"""What a workspace holds in the old SDK's words, as JSON: numbers to the bit, files by their digest."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -I does not

from azureml.core import Experiment, Run
from azureml.core.experiment import ViewType
from login import workspace


def _exact(value: Any) -> Any:
    """JSON that compares as the values do, and tells -0.0 from 0.0, 1 from 1.0, NaN from nothing."""
    if isinstance(value, float):
        return f"float {value.hex()}"
    if isinstance(value, dict):
        return {str(key): _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    return value if isinstance(value, str | int | None) else repr(value)


def _points(run: Run, name: str) -> list[Any]:
    """Step, time and columns of each row: `get_metrics` leaves out the first two."""
    found = run._client.metrics.get_metric_dto_for_run_v2(name)
    return sorted(([row.step, str(row.created_utc), _exact(row.data)] for row in found.value), key=repr)


def _digest(run: Run, name: str) -> str:
    place = Path("downloads") / run.id / hashlib.sha256(name.encode()).hexdigest()[:16]
    run.download_file(name, str(place))
    return hashlib.sha256(place.read_bytes()).hexdigest()


def _told(run: Run) -> dict[str, Any]:
    details, metrics = run.get_details(), run.get_metrics(populate=True)
    return {
        "experiment": run.experiment.name,
        "display_name": run.display_name,
        "type": run.type,
        "description": run.description,
        "parent": run.parent.id if run.parent else None,
        "status": run.get_status(),
        "tags": run.get_tags(),
        "properties": run.get_properties(),
        "metrics": _exact(metrics),
        "points": {name: _points(run, name) for name in metrics},
        "files": {name: _digest(run, name) for name in run.get_file_names()},
        "details": _exact(details | {"logFiles": sorted(details["logFiles"])}),
    }


def main() -> None:
    """Archived experiments too; hidden runs, which the SDK does not list, where the command line names them."""
    home = workspace()
    experiments = Experiment.list(home, view_type=ViewType.All)
    runs = [run for each in experiments for run in each.get_runs(include_children=True)]
    named = [Run.get(home, each) for each in sys.argv[2:]]
    document = {
        "experiments": {each.name: each.archived_time is not None for each in experiments},
        "roots": {each.name: sorted(run.id for run in each.get_runs()) for each in experiments},
        "runs": {run.id: _told(run) for run in runs},
        "children": {run.id: sorted(each.id for each in run.get_children(recursive=True)) for run in runs},
        "named": {run.id: _told(run) for run in named},
    }
    print(json.dumps(document))  # noqa: T201


if __name__ == "__main__":
    main()
