"""Model -> wire. A body that a server would read in part, and answer with 200 all the same, cannot be made here (pure).

A server stops at the first value of another type than it expects, drops the rest of the request, and answers 200. So
each value goes through one of `text`, `whole` and `number`, which raise Rejected for what no server reads; and a JSON
number is never NaN or infinite.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from azureml_replay import json_text
from azureml_replay.errors import Rejected
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.mlflow.wire.ours import ASSET, TYPE_TAG, error_tags, status_of, status_tags, tags_of
from azureml_replay.model import AssetReference, Experiment, Json, Points, Run, RunId
from azureml_replay.workspace.mark import LINEAGE
from azureml_replay.workspace.profile import NOTE_TAG

Body: TypeAlias = dict[str, Any]
Pairs: TypeAlias = "list[dict[str, str]]"

PAIRS_PER_BATCH = 100
"""Tags, and parameters, of one request."""
ITEMS_PER_BATCH = 1_000
"""Rows, tags and parameters of one request together."""
BYTES_PER_BATCH = 900_000
"""1,000,000 are documented; servers were seen to take more, and what stands before them may not."""
DIGEST = 36
"""Characters of a dataset's digest. A server has one dataset for each name and digest of an experiment: by a digest of
the asset's id no other takes its place."""
_INT64 = 2**63
_TICKS_PER_MS = TICKS_PER_SECOND // 1_000
_BROKEN = re.compile("[\0\ud800-\udfff]")


def created_experiment(name: str, experiment: Experiment | None = None) -> Body:
    """Body of `experiments/create`."""
    return {"name": text(name), "tags": pairs(experiment_tags(experiment) if experiment else {})}


def experiment_tags(experiment: Experiment) -> Mapping[str, str]:
    """The tags of an experiment, its description among them."""
    note = {} if experiment.description is None else {NOTE_TAG: experiment.description}
    return {**{key: value or "" for key, value in experiment.tags.items()}, **note}


def experiment_tag(experiment_id: str, key: str, value: str) -> Body:
    """Body of `experiments/set-experiment-tag`."""
    return {"experiment_id": text(experiment_id), "key": text(key), "value": text(value)}


def experiment(experiment_id: str) -> Body:
    """Body of `experiments/delete` and `experiments/restore`."""
    return {"experiment_id": text(experiment_id)}


def run(run_id: RunId) -> Body:
    """Body of `runs/delete` and `runs/restore`."""
    return {"run_id": text(run_id)}


def created_run(experiment_id: str, wanted: Run) -> Body:
    """Body of `runs/create`: a start can never be told later, nor a user. Without a name the server makes one up."""
    start = {} if wanted.start is None else {"start_time": milliseconds(wanted.start)}
    named = {} if not wanted.display_name else {"run_name": text(wanted.display_name)}
    user = {} if not wanted.creator else {"user_id": text(wanted.creator)}
    return {"experiment_id": text(experiment_id), **start, **named, **user, "tags": pairs(tags_of(wanted))}


def ended_run(wanted: Run) -> Body:
    """Body of `runs/update` for status and end."""
    end = {} if wanted.end is None else {"end_time": milliseconds(wanted.end)}
    return {"run_id": text(wanted.id), "status": status_of(wanted), **end}


def ending_tags(wanted: Run) -> Mapping[str, str]:
    """What no status can say: the exact word, the error, and the lineage with the exact times, where that is given."""
    anew = {LINEAGE: wanted.properties[LINEAGE] or ""} if LINEAGE in wanted.properties else {}
    return {**status_tags(wanted), **error_tags(wanted), **anew}


def run_tag(run_id: RunId, key: str) -> Body:
    """Body of `runs/delete-tag`."""
    return {"run_id": text(run_id), "key": text(key)}


def batches(run_id: RunId, tags: Mapping[str, str], parameters: Mapping[str, Json] | None = None) -> Iterator[Body]:
    """Bodies of `runs/log-batch` with tags and parameters, as many as a request takes; none for none."""
    of_tags = list(_shares(pairs(tags)))
    of_parameters = list(_shares(pairs({key: _parameter(value) for key, value in (parameters or {}).items()})))
    together = len(of_tags) == len(of_parameters) == 1 and _size(of_tags[0]) + _size(of_parameters[0]) < BYTES_PER_BATCH
    if together:
        yield {"run_id": text(run_id), "params": of_parameters[0], "tags": of_tags[0]}
        return
    yield from ({"run_id": text(run_id), "params": some} for some in of_parameters)
    yield from ({"run_id": text(run_id), "tags": some} for some in of_tags)


def rows(run_id: RunId, batch: Sequence[Points]) -> Iterator[Body]:
    """Bodies of `runs/log-batch` with rows, each once: several only where names are long. 1,000 rows at most."""
    metrics = list({_identity(one): one for points in batch for one in _metrics(points)}.values())
    size = _size(metrics)
    count = -(-size // BYTES_PER_BATCH) or 1
    share = -(-len(metrics) // count) or 1
    for at in range(0, len(metrics), share):
        yield {"run_id": text(run_id), "metrics": metrics[at : at + share]}


def rows_and_values(batch: Sequence[Points], wanted: Run) -> Iterator[Body]:
    """The same with tags and parameters, in one body where that is not too much."""
    metrics, values = list(rows(wanted.id, batch)), list(batches(wanted.id, tags_of(wanted), wanted.parameters))
    if len(metrics) == len(values) == 1:
        together = metrics[0] | values[0]
        items = [one for of in ("metrics", "params", "tags") for one in together.get(of, ())]
        if len(items) <= ITEMS_PER_BATCH and _size(items) < BYTES_PER_BATCH:
            yield together
            return
    yield from values
    yield from metrics


def inputs(run_id: RunId, wanted: Run) -> Body | None:
    """Body of `runs/log-inputs`; None for a run without any."""
    own = [_dataset(name, asset) for name, asset in wanted.inputs.items()]
    carried = (
        [_as_it_was(one) for one in wanted.input_datasets or ()] if isinstance(wanted.input_datasets, list) else []
    )
    return {"run_id": text(run_id), "datasets": [*own, *carried]} if own or carried else None


def pairs(values: Mapping[str, str | None]) -> Pairs:
    """Tags or parameters in the form of the wire; null is an empty text there."""
    return [{"key": text(key), "value": text(value or "")} for key, value in values.items()]


def milliseconds(moment: Instant) -> int:
    """A moment as servers take it."""
    return whole(moment.ticks // _TICKS_PER_MS)


def text(value: object) -> str:
    """A text that every server reads and keeps. Raises Rejected."""
    if not isinstance(value, str):
        raise Rejected(f"{type(value).__name__} where a text is needed", status=400)
    if _BROKEN.search(value):
        raise Rejected("a text with NUL or half of a surrogate pair, which servers cut or fail on", status=400)
    return value


def whole(value: object) -> int:
    """A whole number of 64 bits. Raises Rejected."""
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise Rejected("a step or a time that is no whole number of 64 bits", status=400)
    return value


def number(value: object) -> float | str:
    """A metric's value: a number of JSON, or one of the three words that servers know. Raises Rejected."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected("a metric's value that is no number", status=400)
    try:
        found = float(value)
    except OverflowError as error:
        raise Rejected("a metric's value that no double holds", status=400) from error
    if math.isfinite(found):
        return found
    return "NaN" if math.isnan(found) else "Infinity" if found > 0 else "-Infinity"


def _metrics(points: Points) -> Iterator[Body]:
    key = text(points.series.key.name)
    for step, time, cells in points.rows():
        (value,) = cells
        yield {
            "key": key,
            "value": number(value),
            "timestamp": whole((time or 0) // _TICKS_PER_MS),
            "step": whole(step or 0),
        }


def _identity(metric: Body) -> tuple[object, ...]:
    return metric["key"], metric["timestamp"], metric["step"], metric["value"]


def _parameter(value: Json) -> str:
    return value if isinstance(value, str) else json_text.compact(value)


def _shares(items: Pairs) -> Iterator[Pairs]:
    share: Pairs = []
    size = 0
    for one in items:
        more = _size([one])
        if share and (len(share) == PAIRS_PER_BATCH or size + more > BYTES_PER_BATCH):
            yield share
            share, size = [], 0
        share.append(one)
        size += more
    if share:
        yield share


def _size(items: Iterable[Any]) -> int:
    return len(json_text.dumps(list(items)))


def _dataset(name: str, asset: AssetReference) -> Body:
    told = json_text.compact([asset.asset_id, asset.type])
    digest = hashlib.sha256(told.encode()).hexdigest()[:DIGEST]
    dataset = {"name": text(name), "digest": digest, "source_type": ASSET, "source": text(asset.asset_id)}
    return {"dataset": dataset, "tags": pairs({TYPE_TAG: asset.type} if asset.type is not None else {})}


def _as_it_was(document: Any) -> Body:  # noqa: ANN401 a server's own document
    """A dataset of another server's run, by the keys that are written. Raises Rejected."""
    if not isinstance(document, Mapping) or not isinstance(document.get("dataset"), Mapping):
        raise Rejected("an input dataset that is none of MLflow's", status=400)
    known = ("name", "digest", "source_type", "source", "schema", "profile")
    dataset = {key: text(document["dataset"][key]) for key in known if document["dataset"].get(key) is not None}
    tags = {text(one["key"]): text(one.get("value") or "") for one in document.get("tags") or ()}
    return {"dataset": dataset, "tags": pairs(tags)}
