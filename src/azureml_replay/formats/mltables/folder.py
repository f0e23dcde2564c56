"""The folder between the two MLTable commands: `NAME/VERSION/MLTable`, and `manifest.json` beside it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from azureml_replay import json_text, redact
from azureml_replay.disk.inputs import text_of
from azureml_replay.disk.outputs import new_text
from azureml_replay.errors import UserError
from azureml_replay.model import Json

TABLE, MANIFEST = "MLTable", "manifest.json"
MOST_BYTES = 10_000_000
"""Of each of the two: a table of a million characters names some ten thousand files."""
_FOLDER = re.compile(r"(?!\.{1,2}\Z)[^/\\:*?\"<>|\x00-\x1f]{1,255}")
"""A name or a version that may name a folder on any system, in its place and nowhere above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known of one version of a table, beside its MLTable."""

    name: str
    version: str
    type: str = "mltable"
    path: str = ""
    """The URI of its folder, as the source names it."""
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str | None] = field(default_factory=dict)
    created: str = ""
    """When it was made in the source; empty in folders that the original tool wrote."""
    archived: bool = False
    source: str = ""
    """The workspace, as subscription/resource-group/name."""
    sha256: str = ""
    """Of the MLTable as it was exported: another one was edited since. Empty: it never was the table's own."""

    @property
    def label(self) -> str:
        """As people name it."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFolder:
    """One version of a table as a folder holds it."""

    manifest: Manifest
    text: str

    @property
    def edited(self) -> bool:
        """True where somebody changed the MLTable since it was exported."""
        return bool(self.manifest.sha256) and digest_of_text(self.text) != self.manifest.sha256


def write_table(folder: Path, manifest: Manifest, text: str) -> Path:
    """Write one version; its folder. Nothing of it has a secret. Repeatable. Raises UserError."""
    place = folder / _safe(manifest.name) / _safe(manifest.version)
    clean = redact.text(text)
    facts: dict[str, Json] = {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
    facts["sha256"] = digest_of_text(clean)
    document, _ = redact.redact(facts)
    with new_text(place / TABLE) as file:
        file.write(clean)
    with new_text(place / MANIFEST) as file:
        file.write(json_text.dumps(document, indent=True).decode() + "\n")
    return place


def tables_in(folder: Path) -> Iterator[TableFolder]:
    """All versions that a folder holds, oldest first. Raises UserError."""
    if not folder.is_dir():
        raise UserError(f"--source-dir {folder} is no folder: name the one that export_yaml wrote")
    found = [_table_in(place) for place in sorted(folder.glob(f"*/*/{TABLE}"))]
    if not found:
        raise UserError(f"--source-dir {folder} holds no table: expected NAME/VERSION/{TABLE}, as export_yaml writes")
    yield from sorted(found, key=lambda one: (one.manifest.created, one.manifest.name, one.manifest.version))


def _table_in(place: Path) -> TableFolder:
    manifest = place.with_name(MANIFEST)
    if not manifest.is_file():
        raise UserError(f"{place.parent} has no {MANIFEST}: export it again, or remove that folder")
    try:
        said = json_text.loads(text_of(manifest, most_bytes=MOST_BYTES, what="what export_yaml wrote").encode())
        told = _manifest(said, place)
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{manifest} cannot be read ({error}): export it again") from None
    return TableFolder(manifest=told, text=text_of(place, most_bytes=MOST_BYTES, what="an MLTable"))


def _manifest(said: Mapping[str, Json], place: Path) -> Manifest:
    """What a manifest says; a name or a version that it lacks is that of its folder."""
    if not isinstance(said, Mapping):
        raise TypeError("no object")
    texts = {key: value for key, value in said.items() if isinstance(value, str)}
    pairs = {key: _pairs(said.get(key)) for key in ("tags", "properties")}
    return Manifest(
        name=texts.get("name") or place.parent.parent.name,
        version=texts.get("version") or place.parent.name,
        type=texts.get("type") or "mltable",
        path=texts.get("path", ""),
        description=texts.get("description"),
        tags=pairs["tags"],
        properties=pairs["properties"],
        created=texts.get("created", ""),
        archived=said.get("archived") is True,
        source=texts.get("source", ""),
        sha256=texts.get("sha256", ""),
    )


def _pairs(value: Json) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError("tags and properties are objects")
    return {key: one if one is None or isinstance(one, str) else str(one) for key, one in value.items()}


def _safe(part: str) -> str:
    if not _FOLDER.fullmatch(part):
        raise UserError(f"{part!r} cannot name a folder: this version is not exported")
    return part


def digest_of_text(text: str) -> str:
    """SHA-256, in 64 digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
