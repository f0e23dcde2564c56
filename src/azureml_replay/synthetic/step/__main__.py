"""`python -m azureml_replay.synthetic.step --root MOUNT --key NODE --out FOLDER`: replays one node of a pipeline.

What the service refuses, value by value, is told in `outputs/replay/refused.json` with its words, for whoever submitted
the job, and so is what storage did not take for it; everything else is logged. Ends with 1 where anything is missing
for another reason.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from azureml_replay.synthetic.step.files import lay
from azureml_replay.synthetic.step.points import PROGRESS, Refusal, StepPoints
from azureml_replay.synthetic.step.tracking import Tracking, TrackingRefused, TrackingUnavailable

PER_REQUEST = 100
"""Parameters, or tags, in one request: the most that MLflow takes."""
REPORTS = Path("outputs") / "replay"
PARENT_TAG = "mlflow.parentRunId"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Replay one node; the exit code."""
    given = _parse(arguments)
    folder = Path(given.root) / given.key
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    print(f"replaying {manifest['run']}: {manifest['rows']} points, {len(manifest['files'])} files", flush=True)
    refusals = list(_values(manifest, folder, environment))
    refusals += lay(manifest["files"], folder, Path.cwd())
    refusals += [Refusal(f"file {to}", why, "file", {"name": to}) for to, why in manifest["files_refused"].items()]
    _report("refused.json", [refusal.document() for refusal in refusals])
    if given.out:
        _mark(Path(given.out), manifest["run"])
    for refusal in refusals:
        print(f"{'refused' if refusal.kind else 'missing'}: {refusal.what}: {refusal.reason}", flush=True)
    return 1 if any(not refusal.kind for refusal in refusals) else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--out")
    return parser.parse_known_args(arguments)[0]  # edges come as further arguments: they only make a step wait


def _values(manifest: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> Iterator[Refusal]:
    """Log into this job's run and, for a parent's own values, into the parent's run too; what was refused."""
    run = environment.get("MLFLOW_RUN_ID") or environment.get("AZUREML_RUN_ID", "")
    try:
        tracking = Tracking(environment)
        yield from _log(tracking, run, manifest, folder)
    except (TrackingRefused, TrackingUnavailable) as problem:
        yield Refusal(f"values of run {manifest['run']}", str(problem))
    else:
        if manifest["parent"] is not None:
            _log_to_parent(tracking, run, {**manifest, "tags": manifest["parent"]}, folder)


def _log_to_parent(tracking: Tracking, run: str, manifest: Mapping[str, Any], folder: Path) -> None:
    """Log into the parent's run. Whether the service allows it is not known: the submitter reads it back."""
    try:
        parent = tracking.tags(run).get(PARENT_TAG, "")
        told = {"parent": parent, "missing": [one.document() for one in _log(tracking, parent, manifest, folder)]}
    except (TrackingRefused, TrackingUnavailable) as problem:
        told = {"parent": "", "missing": [Refusal("everything", str(problem)).document()]}
    print(f"parent {told['parent']}: {len(told['missing'])} things were not logged there", flush=True)
    _report("parent.json", told)


def _log(tracking: Tracking, run: str, manifest: Mapping[str, Any], folder: Path) -> list[Refusal]:
    """Log points, then parameters, then tags. Raises TrackingRefused, TrackingUnavailable: the run takes nothing."""
    points = StepPoints(tracking, run)
    sent = points.send([folder / name for name in manifest["points"]], manifest["points_refused"])
    refusals = points.refusals
    pairs = _pairs(tracking, run, "params", manifest["parameters"]) + _pairs(tracking, run, "tags", manifest["tags"])
    if pairs:
        points.note()
    refusals += pairs
    lacking = manifest["rows"] - sent - points.refused
    if lacking > 0:
        refusals.append(Refusal(f"{lacking} points", "not in the staged files"))
    print(f"run {run}: {sent} points, {len(refusals)} things refused ({PROGRESS})", flush=True)
    return refusals


def _pairs(tracking: Tracking, run: str, kind: str, pairs: Mapping[str, str]) -> list[Refusal]:
    items = [{"key": key, "value": value} for key, value in pairs.items()]
    batches = [items[at : at + PER_REQUEST] for at in range(0, len(items), PER_REQUEST)]
    return [refusal for batch in batches for refusal in _batch(tracking, run, kind, batch)]


def _batch(tracking: Tracking, run: str, kind: str, batch: list[dict[str, str]]) -> list[Refusal]:
    """Log a batch, pair by pair where it is refused, so that one refused pair keeps no other from arriving."""
    try:
        tracking.log(run, {kind: batch})
    except TrackingRefused as refusal:
        if not refusal.of_item:
            raise
        if len(batch) == 1:
            name = {"params": "parameter", "tags": "tag"}[kind]
            told = {"name": batch[0]["key"], "value": batch[0]["value"]}
            return [Refusal(f"{name} {batch[0]['key']}", str(refusal), name, told)]
        return [one for item in batch for one in _batch(tracking, run, kind, [item])]
    return []


def _report(name: str, told: object) -> None:
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / name).write_text(json.dumps(told, indent=1), encoding="utf-8")


def _mark(out: Path, run: str) -> None:
    """Write a file into the output that later steps wait for: an empty folder may not exist for them."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "replayed.json").write_text(json.dumps({"run": run}), encoding="utf-8")


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # no name, however it is spelt, may end a step
    sys.exit(main(sys.argv[1:], os.environ))
