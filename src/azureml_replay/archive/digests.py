"""Digests of what is sent, by which a later call knows that it was sent (pure).

They are made of a written form, not of how Python shows a value. The form is JSON in UTF-8: keys sorted by code point,
no spaces, characters as they are and not as escapes. What JSON cannot say exactly stands in objects of one key: a
double as `{"float": "3ff8000000000000"}`, its bits from the highest, and a moment as `{"ticks": …}`. Every value has a
name, so that a field that a type gains changes no digest until it is written here. docs/concepts/archive-format.md
the forms: where one changes, every replay asks its target anew.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from azureml_replay.instants import Instant
from azureml_replay.json_text import canonical
from azureml_replay.model import AssetReference, Experiment, Json, Run, RunId, StoredFile
from azureml_replay.planning.lineage import PROPERTY


def of_bytes(data: bytes) -> bytes:
    """BLAKE2b, 16 bytes."""
    return blake2b(data, digest_size=16).digest()


def of_run(run: Run) -> bytes:
    """The digest of what `put_runs` writes, without the lineage, which names our version and never changes there."""
    return _of(
        parent=run.parent,
        experiment=run.experiment,
        display_name=run.display_name,
        description=run.description,
        properties={key: value for key, value in run.properties.items() if key != PROPERTY},
        tags=dict(run.tags),
        parameters=_exact(run.parameters),
        inputs=_assets(run.inputs),
        outputs=_assets(run.outputs),
        input_datasets=_exact(run.input_datasets),
        output_datasets=_exact(run.output_datasets),
        lender=run.lender,
    )


def of_ending(run: Run) -> bytes:
    """The digest of what `finish_runs` writes."""
    return _of(
        status=run.status,
        start=_moment(run.start),
        end=_moment(run.end),
        error=_exact(run.error),
        error_origin=_exact(run.error_origin),
        hidden=run.hidden,
    )


def of_generation(generation: int) -> bytes:
    """Stands for the content of a run as one extraction brought it."""
    return _of(generation=generation)


def of_whole(
    run: Run, *, generation: int, own_files: Sequence[str], files: int, choice: Json = None, references: Json = None
) -> bytes:
    """The digest of everything that is sent of a run; the extraction's generation stands for its points and files.

    `choice` says which of its files were to go, where not all were; `references` what became of assets that it names.
    """
    told = {"choice": choice, "references": references}
    some = {name: value for name, value in told.items() if value}
    digests: dict[str, Json] = {"run": of_run(run).hex(), "ending": of_ending(run).hex()}
    return _of(**digests, generation=generation, own_files=list(own_files), files=files, **some)


def of_kept(digest: bytes) -> bytes:
    """The digest of a run that kept a value of the target: unlike any run's own, so that later calls look again."""
    return _of(kept=digest.hex())


def of_left_below(digest: bytes, above: Sequence[int]) -> bytes:
    """The digest of a run that is left out with one above it, whose `above` is the generations of those above."""
    return _of(left=digest.hex(), above=list(above))


def of_lender(lender: RunId) -> bytes:
    """The digest of the id of a lender: the run whose files and points another one was created to show."""
    return _of(lender=lender)


def of_experiment(experiment: Experiment) -> bytes:
    """The digest of what `put_experiment` writes, without the lineage, as for `of_run`."""
    return _of(
        name=experiment.name,
        description=experiment.description,
        tags={key: value for key, value in experiment.tags.items() if key != PROPERTY},
        archived=_moment(experiment.archived),
    )


def of_value(name: str, value: Sequence[Json]) -> bytes:
    """The digest of one value that people edit, with its name; an empty list where there is none."""
    return _of(name=name, value=list(value))


def of_file(stored: StoredFile) -> bytes:
    """The digest of one state of a source's file: its ETag changes with every write."""
    return _of(etag=stored.etag, size_bytes=stored.size_bytes, md5=stored.md5.hex() if stored.md5 else None)


def of_chunk(data_digest: bytes, series: Sequence[Sequence[str | None]]) -> bytes:
    """The digest of a chunk's rows together with name, namespace and columns of each of its series."""
    return _of(data=data_digest.hex(), series=[list(row) for row in series])


def _of(**values: Json) -> bytes:
    return of_bytes(canonical(values))


def _exact(value: Json) -> Json:
    """The same value with doubles written by their bits, at any depth."""
    if isinstance(value, float):
        return {"float": struct.pack(">d", value).hex()}
    if isinstance(value, Mapping):
        return {key: _exact(one) for key, one in value.items()}
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return [_exact(one) for one in value]


def _moment(instant: Instant | None) -> Json:
    return None if instant is None else {"ticks": instant.ticks}


def _assets(assets: Mapping[str, AssetReference]) -> Json:
    return {name: {"asset_id": asset.asset_id, "type": asset.type} for name, asset in assets.items()}
