"""What of the runs of one MLflow server another holds, by what both servers answer themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from benchmarks.raw_runs import API, SERIES, TOGETHER

WHAT = ("run", "start", "end", "status", "user", "parent", "tags", "params", "points", "files", "deleted")


@dataclass(frozen=True, slots=True)
class Held:
    """The runs of some experiments, by their names."""

    runs: Mapping[str, Mapping[str, Any]]
    """Name -> each of `WHAT`."""
    count: int
    """Of runs: more than names where some are there twice."""


def held(url: str, prefix: str) -> Held:
    """All runs of experiments whose names begin so, deleted ones too."""
    body = {"max_results": 1_000, "view_type": "ALL"}
    experiments = _call(url, f"{API}/experiments/search", body)["experiments"]
    ids = [one["experiment_id"] for one in experiments if one["name"].startswith(prefix)]
    found = list(_runs(url, ids))
    names = {one["info"]["run_id"]: one["info"]["run_name"] for one in found}
    points = _points(url, list(names))
    return Held({names[run]: told for run, told in (_told(url, one, names, points) for one in found)}, len(found))


def arrived(source: Held, target: Held) -> dict[str, str]:
    """Of each of `WHAT`, how many runs have it as in the source; of deleted runs, how many are there at all."""
    same: Counter[str] = Counter()
    for name, run in source.runs.items():
        there = target.runs.get(name)
        if there is None:
            continue
        same["deleted"] += run["deleted"]
        same["run"] += 1
        for what in WHAT[1:-1]:
            same[what] += _contained(run[what], there[what]) if what == "tags" else run[what] == there[what]
    deleted = sum(run["deleted"] for run in source.runs.values())
    return {what: f"{same[what]} of {deleted if what == 'deleted' else len(source.runs)}" for what in WHAT}


def _contained(tags: Mapping[str, str], there: Mapping[str, str]) -> bool:
    return tags.items() <= there.items()


def _told(
    url: str, run: Mapping[str, Any], names: Mapping[str, str], points: Mapping[str, set[Any]]
) -> tuple[str, dict[str, Any]]:
    info, data = run["info"], run["data"]
    tags = {one["key"]: one["value"] for one in data.get("tags", [])}
    parent = tags.pop("mlflow.parentRunId", None)
    listed = _call(url, f"{API}/artifacts/list?{urlencode({'run_id': info['run_id']})}").get("files", [])
    return info["run_id"], {
        "start": info.get("start_time"),
        "end": info.get("end_time"),
        "status": info["status"],
        "user": info.get("user_id"),
        "parent": names.get(parent, parent) if parent else None,
        "tags": tags,
        "params": {one["key"]: one["value"] for one in data.get("params", [])},
        "points": points[info["run_id"]],
        "files": sorted((one["path"], one.get("file_size")) for one in listed if not one["is_dir"]),
        "deleted": info["lifecycle_stage"] == "deleted",
    }


def _runs(url: str, experiments: list[str]) -> Iterator[Mapping[str, Any]]:
    token: str | None = None
    while experiments:
        body = {"experiment_ids": experiments, "run_view_type": "ALL", "max_results": 500}
        page = _call(url, f"{API}/runs/search", body | ({"page_token": token} if token else {}))
        yield from page.get("runs", [])
        if not (token := page.get("next_page_token")):
            return


def _points(url: str, runs: list[str]) -> Mapping[str, set[Any]]:
    found: dict[str, set[Any]] = {run: set() for run in runs}
    for at in range(0, len(runs), TOGETHER):
        for of in range(SERIES):
            query = [*(("run_id", run) for run in runs[at : at + TOGETHER]), ("metric_key", f"metric {of}")]
            answer = _call(url, f"ajax-api/2.0/mlflow/metrics/get-history-bulk?{urlencode(query)}")
            for row in answer.get("metrics", []):
                found[row["run_id"]].add((row["key"], row["step"], row["timestamp"], row["value"]))
    return found


def _call(url: str, path: str, body: object = None) -> Any:  # noqa: ANN401
    data = None if body is None else json.dumps(body).encode()
    asked = Request(f"{url}/{path}", data, {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(asked) as answer:  # noqa: S310
        return json.load(answer)
