"""Values of the domain to rows of the archive and back. Nothing leaves here unredacted."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from azureml_replay.archive import older_records
from azureml_replay.archive.cells import shaped
from azureml_replay.archive.shapes import (
    NAMES,
    TEXTS,
    fields_of,
    is_object,
    is_stamp,
    is_text,
    list_of,
    maybe,
    object_of,
    row_of,
)
from azureml_replay.errors import IntegrityError
from azureml_replay.instants import Instant
from azureml_replay.json_text import dumps_marked, loads_marked, loads_marked_cut
from azureml_replay.model import (
    Acting,
    Artifact,
    AssetReference,
    CodeReference,
    Experiment,
    Job,
    Json,
    Location,
    Reference,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.redact import STARS, Rules

dumps, loads = dumps_marked, loads_marked
"""The writer and the reader of every document and every column that holds JSON."""


def pack(value: Json) -> tuple[bytes, int]:
    """A document, compressed, and its length before, with which the sqlite3 shell can read it: `sqlar_uncompress`.

    28 recorded run documents: 3.6 KB as text, 1.3 KB so; with the decoded fields beside them still 1.3 KB.
    """
    text = dumps(value)
    return zlib.compress(text, 6), len(text)


def unpack(record: bytes, whose: str) -> Any:  # noqa: ANN401  # typed by who asks, as sqlite3 rows are
    """The document that `pack` was given, of an older archive only as deep as is written now. Raises IntegrityError."""
    try:
        return loads_marked_cut(zlib.decompress(record))
    except (zlib.error, ValueError, TypeError, RecursionError) as problem:
        raise IntegrityError(f"the archived document of {whose} is damaged: {problem}") from problem


def _anything(_: object) -> bool:
    return True


def optional(value: Json) -> str | None:
    """The JSON text of a value; None for an empty one."""
    return dumps(value).decode() if value else None


def moment(text: str | None) -> Instant | None:
    """The moment in a column that holds `str(Instant)`, None for null."""
    return None if text is None else Instant.parse(text)


def _stamp(instant: Instant | None) -> str | None:
    return None if instant is None else str(instant)


def clean(parts: Mapping[str, Json], rules: Rules) -> tuple[dict[str, Any], list[str]]:
    """Each part redacted, and the paths. A wire document has the same paths as the fields decoded from it."""
    cleaned: dict[str, Any] = {}
    paths: dict[str, None] = {}
    for name, part in parts.items():
        cleaned[name], found = rules.document(part)
        prefix = "" if name in ("fields", "document") else f"{name}/"
        paths.update(dict.fromkeys(prefix + path for path in found))
    return cleaned, list(paths)


def details_record(details: RunDetails, rules: Rules) -> tuple[dict[str, Any], list[str]]:
    """A run as the archive holds it, and the paths of what was redacted in it."""
    run = details.run
    fields = {
        "display_name": run.display_name,
        "description": run.description,
        "tags": run.tags,
        "properties": run.properties,
        "parameters": run.parameters,
        "inputs": _references(run.inputs),
        "outputs": _references(run.outputs),
        "input_datasets": run.input_datasets,
        "output_datasets": run.output_datasets,
        "error": run.error,
        "error_origin": run.error_origin,
        "warnings": run.warnings,
    }
    parts = {
        "fields": fields,
        "document": run.document,
        "definition": details.definition,
        "specification": details.specification,
        "more": details.more,
    }
    cleaned, paths = clean(parts, rules)
    facts = {
        "parent": run.parent,
        "experiment": rules.name(run.experiment),
        "status": run.status,
        "start": _stamp(run.start),
        "end": _stamp(run.end),
        "hidden": run.hidden,
        "created": _stamp(run.created),
        "modified": _stamp(run.modified),
        "creator": run.creator,
        "kind": run.kind,
        "traits": list(run.traits),
        "lender": run.lender,
        "unknown": list(run.unknown),
        "acting": [run.acting.values, [*map(rules.name, run.acting.properties)]],
        "code": _code_record(run, cleaned["fields"]["properties"]),
        "references": [[one.kind, rules.name(one.key), rules.text(one.before)] for one in run.references],
    }
    return {**facts, **cleaned}, paths


_TEXT, _STAMP = maybe(is_text), maybe(lambda value: is_text(value) and is_stamp(value))
_ASSETS = object_of(fields_of({"asset_id": is_text, "type": _TEXT}))
_RUN_FIELDS = {
    **dict.fromkeys(("display_name", "description"), _TEXT),
    **dict.fromkeys(("tags", "properties"), TEXTS),
    **dict.fromkeys(("inputs", "outputs"), _ASSETS),
    **dict.fromkeys(("input_datasets", "output_datasets", "error"), _anything),
    "parameters": is_object,
}
_RUN_RECORD = fields_of(
    {
        **dict.fromkeys(("parent", "creator", "kind"), _TEXT),
        **dict.fromkeys(("experiment", "status"), is_text),
        **dict.fromkeys(("start", "end", "created", "modified"), _STAMP),
        **dict.fromkeys(("document", "definition", "specification"), _anything),
        "hidden": lambda value: isinstance(value, bool),
        "unknown": NAMES,
        "fields": fields_of(_RUN_FIELDS),
    },
    {
        **dict.fromkeys(("lender", "container"), _TEXT),
        "traits": NAMES,
        "more": is_object,
        "acting": row_of(NAMES, NAMES),
        "code": maybe(row_of(_TEXT, _TEXT)),
        "references": list_of(row_of(is_text, is_text, is_text)),
    },
)
"""What `details_record` writes. Looking takes 5 µs of the 13 that a run takes here."""
_EXPERIMENT_RECORD = fields_of(
    {
        "archived": _STAMP,
        "unknown": NAMES,
        "document": _anything,
        "fields": fields_of({"description": _TEXT, "tags": TEXTS}),
    }
)
"""What `experiment_record` writes."""
EDITABLE = object_of(maybe(lambda value: isinstance(value, str | bool | int)))
"""What `put_sent` writes."""


def details_of(run: str, record: Mapping[str, Any]) -> RunDetails:
    """The run of a `details_record`. Fields are written out: taking their names from data costs 10 µs a call more."""
    fields = shaped(record, _RUN_RECORD, f"run {run}")["fields"]
    acting, code, references = _ties(record)
    whole = Run(
        id=RunId(run),
        parent=record["parent"],
        experiment=record["experiment"],
        status=record["status"],
        start=moment(record["start"]),
        end=moment(record["end"]),
        display_name=fields["display_name"],
        description=fields["description"],
        tags=fields["tags"],
        properties=fields["properties"],
        parameters=fields["parameters"],
        inputs=_read_references(fields["inputs"]),
        outputs=_read_references(fields["outputs"]),
        input_datasets=fields["input_datasets"],
        output_datasets=fields["output_datasets"],
        hidden=record["hidden"],
        lender=lender_of(run, record),
        error=fields["error"],
        error_origin=fields.get("error_origin"),
        created=moment(record["created"]),
        modified=moment(record["modified"]),
        creator=record["creator"],
        kind=record["kind"],
        traits=tuple(record.get("traits", ())),
        warnings=fields.get("warnings"),
        document=record["document"],
        unknown=tuple(record["unknown"]),
        acting=acting,
        code=code,
        references=references,
    )
    definition, specification, more = record["definition"], record["specification"], record.get("more", {})
    return RunDetails(run=whole, definition=definition, specification=specification, more=more)


def _code_record(run: Run, redacted: Mapping[str, Json]) -> list[str | None] | None:
    """The code of a run; without the snapshot's id where the property that holds it was redacted."""
    if run.code is None:
        return None
    hidden = set(run.properties.values()) - set(redacted.values())
    return [run.code.asset, STARS if run.code.snapshot in hidden else run.code.snapshot]


def _ties(record: Mapping[str, Any]) -> older_records.Ties:
    fields = record["fields"]
    if "references" not in record:
        return older_records.ties_of(record["document"], fields["tags"], fields["properties"])
    values, properties = record["acting"]
    code = CodeReference(*record["code"]) if record["code"] else None
    return Acting(tuple(values), tuple(properties)), code, tuple(Reference(*one) for one in record["references"])


def lender_of(run: str, record: Mapping[str, Any]) -> RunId | None:
    """The run whose files and points one shows, as its record says; None where it has its own."""
    return record["lender"] if "lender" in record else older_records.lender_in(record["container"], run)


def _references(assets: Mapping[str, AssetReference]) -> Json:
    return {name: {"asset_id": asset.asset_id, "type": asset.type} for name, asset in assets.items()}


def _read_references(assets: Mapping[str, Any]) -> dict[str, AssetReference]:
    return {name: AssetReference(asset["asset_id"], asset["type"]) for name, asset in assets.items()}


def experiment_record(experiment: Experiment, rules: Rules) -> tuple[dict[str, Any], list[str]]:
    """An experiment as the archive holds it, and the paths of what was redacted."""
    fields = {"description": experiment.description, "tags": experiment.tags}
    cleaned, paths = clean({"fields": fields, "document": experiment.document}, rules)
    return {"archived": _stamp(experiment.archived), "unknown": list(experiment.unknown), **cleaned}, paths


def experiment_of(name: str, identity: str, record: dict[str, Any]) -> Experiment:
    """The experiment of an `experiment_record`."""
    shaped(record, _EXPERIMENT_RECORD, f"experiment {name}")
    archived, unknown, fields = moment(record["archived"]), tuple(record["unknown"]), record["fields"]
    return Experiment(id=identity, name=name, archived=archived, unknown=unknown, document=record["document"], **fields)


def job_code_cell(job: Job, redacted: Json, paths: Sequence[str]) -> str:
    """The cell that `job_of` reads: empty where the job names no code, or where that was redacted."""
    if not job.code or (paths and job.code.encode() not in dumps(redacted)):
        return ""
    return job.code


def job_of(name: RunId, record: bytes, unknown: str | None, code: str | None) -> Job:
    """A job from its row. `code` is null in rows of format 10 and before."""
    document = unpack(record, f"job {name}")
    return Job(name, document, names_of(unknown), older_records.code_of(document) if code is None else code or None)


def series_row(series: Series) -> tuple[str, str | None, str, str | None, str | None]:
    """The cells of a series: name, namespace, columns, ux type, schema id."""
    columns = dumps(series.columns).decode()
    return series.key.name, series.key.namespace, columns, series.ux_type, series.schema_id


# Runs of one kind log the same names: a series known already takes 0.1 µs, one read anew 7.
@lru_cache(maxsize=1_000)
def series_of(*cells: Any) -> Series:  # noqa: ANN401  # the cells of a row
    """The series of a `series_row`; further cells, where given: other keys, unknown keys, longest text."""
    name, namespace, columns, ux_type, schema_id = cells[:5]
    more, unknown, longest_text = cells[5:] or (None, None, None)
    return Series(
        key=SeriesKey(name, namespace),
        columns=tuple((column, kind) for column, kind in loads(columns)),
        ux_type=ux_type,
        schema_id=schema_id,
        more=loads(more) if more else {},
        unknown=names_of(unknown),
        longest_text=longest_text,
    )


def names_of(cell: str | None) -> tuple[str, ...]:
    """The names in a column that holds a JSON list of them, or nothing."""
    return tuple(loads(cell)) if cell else ()


def stored_row(
    file: StoredFile | None,
) -> tuple[int | None, bytes | None, str | None, str | None, str | None, str | None, str | None]:
    """The cells of a file, in the order of `stored_of`; a size of None where none is stored.

    Metadata has to be redacted before.
    """
    if file is None:
        return None, None, None, None, None, None, None
    told = optional(file.metadata), optional(file.unknown), file.blob_type
    return file.size_bytes, file.md5, file.etag, file.content_type, *told


def stored_of(location: Location, *stored: Any) -> StoredFile:  # noqa: ANN401  # the cells of a row
    """The file of a `stored_row`."""
    size, md5, etag, content_type, metadata, unknown, blob_type = stored
    return StoredFile(
        location=location,
        size_bytes=size,
        md5=md5,
        etag=etag,
        content_type=content_type,
        metadata=loads(metadata) if metadata else {},
        unknown=names_of(unknown),
        blob_type=blob_type,
    )


ARTIFACT_COLUMNS = ", ".join(
    (
        "path, datastore, location, indexed, more, unknown, gone",
        "size_bytes, md5, etag, content_type, metadata, stored_unknown, blob_type",
    )
)
"""The columns that `artifact_row` gives and `artifact_of` takes, in their order."""


def artifact_row(artifact: Artifact) -> tuple[Any, ...]:
    """The cells of one file of a run."""
    place = artifact.location
    told = optional(artifact.more), optional(artifact.unknown), artifact.gone
    return (artifact.path, place.datastore, place.path, artifact.indexed, *told, *stored_row(artifact.stored))


def artifact_of(*cells: Any) -> Artifact:  # noqa: ANN401  # the cells of a row
    """The file of an `artifact_row`."""
    path, datastore, location, indexed, more, unknown, gone, *stored = cells
    place = Location(datastore, location)
    file = None if stored[0] is None else stored_of(place, *stored)
    return Artifact(
        path=path,
        location=place,
        indexed=bool(indexed),
        stored=file,
        more=loads(more) if more else {},
        unknown=names_of(unknown),
        gone=gone,
    )
