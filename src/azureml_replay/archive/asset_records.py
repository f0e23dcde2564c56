"""Assets to rows of the archive and back. Nothing leaves here unredacted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from azureml_replay.archive.cells import read_back
from azureml_replay.archive.records import moment
from azureml_replay.instants import Instant
from azureml_replay.model import Json, Location, RunId
from azureml_replay.redact import Rules
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind, AssetUse, OutsideKind

Cells = tuple[str | None, str | None, str | None, str | None]
"""Kind, name and version of an asset, or where a thing is that is none of the workspace's."""


def asset_record(asset: Asset, rules: Rules) -> tuple[dict[str, Any], bool]:
    """An asset as the archive holds it, and whether a secret was taken out of what makes it."""
    parts: dict[str, Json] = {
        "content": asset.content,
        "description": asset.description,
        "tags": asset.tags,
        "properties": asset.properties,
        "document": asset.document,
        "uses": [[use.where, use.text, *use_cells(use)] for use in asset.uses],
    }
    cleaned = {name: rules.document(part)[0] for name, part in parts.items()}
    place = asset.place and Location(asset.place.datastore, rules.path(asset.place.path))
    facts = {
        "stage": asset.stage,
        "archived": asset.archived,
        "anonymous": asset.anonymous,
        "run": asset.run,
        "place": [place.datastore, place.path] if place else None,
        "output": asset.output,
        **({"input": asset.input} if asset.input is not None else {}),
        **({"workspace_guid": asset.workspace_guid} if asset.workspace_guid else {}),
        "owns_bytes": asset.owns_bytes,
        "at_home": asset.at_home,
        "files_of": asset.files_of,
        "run_path": asset.run_path and rules.path(asset.run_path),
        "aliases": list(asset.aliases),
        "hidden": asset.hidden,
        "managed": asset.managed,
        "created": None if asset.created is None else str(asset.created),
        "creator": asset.creator and rules.text(asset.creator),
    }
    named = (rules.name(asset.key.name), rules.name(asset.key.version)) == (asset.key.name, asset.key.version)
    return cleaned | facts, cleaned["content"] != _plain(asset.content) or place != asset.place or not named


def asset_of(key: AssetKey, record: Mapping[str, Any], *, redacted: bool, unknown: Sequence[str]) -> Asset:
    """The asset that `asset_record` was given. Raises IntegrityError."""
    with read_back(str(key)):
        place = record["place"]
        return Asset(
            key=key,
            content=record["content"],
            description=record["description"],
            tags=dict(record["tags"]),
            properties=dict(record["properties"]),
            stage=record["stage"],
            archived=record["archived"],
            anonymous=record["anonymous"],
            run=record["run"] and RunId(record["run"]),
            place=Location(*place) if place else None,
            uses=tuple(AssetUse(where, text, *told_by(*cells)) for where, text, *cells in record["uses"]),
            output=record["output"],
            input=record.get("input"),
            workspace_guid=record.get("workspace_guid", ""),
            owns_bytes=record["owns_bytes"],
            at_home=bool(record.get("at_home")),
            files_of=record["files_of"] and RunId(record["files_of"]),
            run_path=record.get("run_path"),
            aliases=tuple(record.get("aliases") or ()),
            hidden=record["hidden"],
            managed=record["managed"],
            created=moment(record["created"]),
            creator=record["creator"],
            document=record["document"],
            unknown=tuple(unknown),
            redacted=redacted,
        )


def container_record(container: AssetContainer, rules: Rules) -> dict[str, Any]:
    """What the versions of a name share, as the archive holds it."""
    parts: dict[str, Json] = {
        "description": container.description,
        "tags": container.tags,
        "properties": container.properties,
        "document": container.document,
    }
    return {name: rules.document(part)[0] for name, part in parts.items()}


def container_of(
    kind: AssetKind, name: str, record: Mapping[str, Any], *, archived: bool, unknown: Sequence[str]
) -> AssetContainer:
    """The container that `container_record` was given. Raises IntegrityError."""
    with read_back(f"{kind.value} {name}"):
        return AssetContainer(
            kind=kind,
            name=name,
            description=record["description"],
            tags=dict(record["tags"]),
            properties=dict(record["properties"]),
            archived=archived,
            document=record["document"],
            unknown=tuple(unknown),
        )


def use_cells(use: AssetUse) -> Cells:
    """The cells that say what a reference means."""
    key = use.key
    named = (key.kind.value, key.name, key.version) if key else (None, None, None)
    return (*named, use.outside.value if use.outside else None)


def told_by(
    kind: str | None, name: str | None, version: str | None, outside: str | None
) -> tuple[AssetKey | None, OutsideKind | None]:
    """What the cells of a reference say."""
    with read_back("a reference to an asset"):
        key = AssetKey(AssetKind(kind), name or "", version or "") if kind else None
        return key, OutsideKind(outside) if outside else None


def stamp(instant: Instant | None) -> str | None:
    """The text of a moment in a column."""
    return None if instant is None else str(instant)


def _plain(value: Json) -> Json:
    """Lists for tuples, as documents are written."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
