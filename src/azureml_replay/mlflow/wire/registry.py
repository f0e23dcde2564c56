"""Registered models and their versions: wire <-> model, and bodies of requests (pure).

A server counts the versions of a name itself, and keeps their bytes nowhere: `source` says where they lie.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from azureml_replay.instants import Instant
from azureml_replay.mlflow.wire.decode import TICKS_PER_MS
from azureml_replay.mlflow.wire.encode import Body, pairs, text
from azureml_replay.model import Json, Location, RunId
from azureml_replay.workspace.asset import (
    Asset,
    AssetContainer,
    AssetKey,
    AssetKind,
    mention_in_run,
    mention_of_place,
)
from azureml_replay.workspace.mark import LINEAGE
from azureml_replay.workspace.profile import PROPERTY_BEGINS
from azureml_replay.workspace.reader import Document, Reader, beyond, readable, unicode_text, unknown, words

MODELS_STORE = "models"
"""Where the files of logged models lie (MLflow 3), as archives name it."""
TYPE_TAG, ARCHIVED_TAG = "azureml_replay.type", "azureml_replay.archived"
OWN_MODEL_TAG = "azureml_replay.made"
"""Of a registered model that replay made: `undo` removes it with the last of its versions."""
SKIPPED_TAG = "azureml_replay.skipped"
"""Of a version that stands for a number that the source left out: deleted as soon as it is made."""
MLFLOW_MODEL = "mlflow_model"
"""A folder with a file MLmodel, in the words of Azure ML."""
CUSTOM_MODEL = "custom_model"
ELSEWHERE = "its source {} is no file of a run, and no logged model: it stays where it is"
_RUN = re.compile(r"runs:/(?P<run>[^/]+)(?:/(?P<path>.*))?")
_SERVED = re.compile(r"/([0-9a-zA-Z_-]+)/artifacts(?:/(.*))?$")
_ADDRESS = re.compile(r"/(?P<run>[0-9a-f]{32})/artifacts(?:/|$)")
_LOGGED = re.compile(r"models:/(?P<model>m-[A-Za-z0-9]+)/?")
_VERSION = re.compile(r"models:/[^/@]+(?:/[^/]+|@[^/]+)/?")
NO_STAGE = ("", "None")
_KNOWN_VERSION = frozenset(
    {
        *("name", "version", "creation_timestamp", "last_updated_timestamp", "current_stage", "description", "source"),
        *("run_id", "status", "status_message", "tags", "run_link", "aliases", "user_id"),
        *("model_id", "workspace"),
    }
)
_KNOWN_MODEL = frozenset(
    {
        *("name", "creation_timestamp", "last_updated_timestamp", "description", "latest_versions", "tags", "aliases"),
        "user_id",
    }
)


@dataclass(frozen=True, slots=True)
class VersionSource:
    """Where the bytes of a version lie."""

    run: RunId | None = None
    path: str = ""
    """Among the files of the run."""
    logged: str | None = None
    """The logged model that it is."""


@dataclass(frozen=True, slots=True)
class VersionInRun:
    """A version whose files are those of a run."""

    key: AssetKey
    run: RunId
    path: str
    """Of its folder in the run."""
    tags: Mapping[str, str | None]


@readable
def registered(document: Document | None) -> tuple[Sequence[AssetContainer], Mapping[str, Sequence[tuple[str, str]]]]:
    """A page of `registered-models/search`; and of each name, aliases and the versions that they lead to."""
    models = (document or {}).get("registered_models") or ()
    return [_container(one) for one in models], {one["name"]: aliases(one) for one in models}


@readable
def one_registered(document: Document) -> tuple[AssetContainer, Sequence[tuple[str, str]]]:
    """An answer of `registered-models/get`."""
    return _container(document["registered_model"]), aliases(document["registered_model"])


def aliases(document: Document) -> Sequence[tuple[str, str]]:
    """Alias and version of each."""
    return [(unicode_text(one["alias"]), str(one["version"])) for one in document.get("aliases") or ()]


def next_page(document: Document | None) -> str | None:
    """The token of the next page."""
    return (document or {}).get("next_page_token") or None


def _container(document: Document) -> AssetContainer:
    read = Reader(document)
    tags: dict[str, str | None] = read("tags", _tags, {})
    own = {key: value for key, value in tags.items() if key != OWN_MODEL_TAG}
    return AssetContainer(
        kind=AssetKind.MODEL,
        name=unicode_text(document["name"]),
        description=read("description", words, None) or None,
        tags=own,
        document={**beyond(document, frozenset({"latest_versions"})), "tags": tags},
        unknown=unknown(document, _KNOWN_MODEL),
    )


@readable
def root_of(document: Document) -> str | None:
    """Where the files of a run lie, of an answer about it."""
    return document["run"]["info"].get("artifact_uri") or None


@readable
def versions(document: Document | None) -> Sequence[Document]:
    """A page of `model-versions/search`."""
    return list((document or {}).get("model_versions") or ())


@readable
def one_version(document: Any) -> Document:  # noqa: ANN401 as it came
    """An answer about one version."""
    found: Document = document["model_version"]
    return found


@readable
def in_its_run(document: Document, source: str | None = None) -> VersionInRun | None:
    """A version whose files are a run's, by its source or by where the server says that this leads; None for others."""
    source = str(document.get("source") or "") if source is None else source
    found = _RUN.fullmatch(source) or _SERVED.search(source)
    if found is None:
        return None
    key = AssetKey(AssetKind.MODEL, unicode_text(document["name"]), str(document["version"]))
    return VersionInRun(key, RunId(found[1]), (found[2] or "").strip("/"), _tags(document.get("tags") or ()))


def is_promoted(document: Document) -> bool:
    """True for a copy of another version, as `copy_model_version` makes them: its source is that one, by name."""
    return _VERSION.fullmatch(str(document.get("source") or "")) is not None


@readable
def download_uri(document: Any) -> str:  # noqa: ANN401 as it came
    """An answer of `model-versions/get-download-uri`; empty where the server knows no place."""
    return str(document.get("artifact_uri") or "")


def run_of(document: Document) -> RunId | None:
    """The run that a version names, or that its source does."""
    named = document.get("run_id") or None
    told = _RUN.fullmatch(document.get("source") or "")
    return RunId(named) if named else RunId(told["run"]) if told else None


def run_by_address(document: Document) -> RunId | None:
    """The run of which only the address of its files tells whether the source is among them; None for other sources.

    A version that was made without a run names it in its source alone.
    """
    source = document.get("source") or ""
    if _RUN.fullmatch(source) or _LOGGED.fullmatch(source):
        return None
    told = _ADDRESS.search(source)
    return run_of(document) or (RunId(told["run"]) if told else None)


def source_of(document: Document, root: str | None) -> VersionSource | None:
    """Where its bytes lie; `root`: the address of the files of `run_by_address`. None: elsewhere."""
    source, run = document.get("source") or "", run_by_address(document)
    if told := _RUN.fullmatch(source):
        return VersionSource(run=RunId(told["run"]), path=(told["path"] or "").strip("/"))
    if told := _LOGGED.fullmatch(source):
        return VersionSource(logged=told["model"])
    if run and root and f"{source.rstrip('/')}/".startswith(f"{root.rstrip('/')}/"):
        return VersionSource(run=RunId(run), path=source.removeprefix(root.rstrip("/")).strip("/"))
    return None


def says_type(document: Document) -> bool:
    """True for a version of ours: what it is needs no look at its files."""
    return any(one.get("key") == TYPE_TAG for one in document.get("tags") or ())


@readable
def version(document: Document, source: VersionSource | None, named: Sequence[str], kind: str) -> Asset:
    """One version; `named`: the aliases that lead to it, `kind`: its type, where no tag says another."""
    read = Reader(document)
    tags: dict[str, str | None] = read("tags", _tags, {})
    whole = {**document, "tags": dict(tags)}
    properties = {LINEAGE: tags.pop(LINEAGE)} if LINEAGE in tags else {}
    typed, archived = tags.pop(TYPE_TAG, None), tags.pop(ARCHIVED_TAG, None)
    for key in [key for key in tags if key.startswith(PROPERTY_BEGINS)] if properties else ():
        properties[key.removeprefix(PROPERTY_BEGINS)] = tags.pop(key)
    stage, made = document.get("current_stage") or "", document.get("creation_timestamp")
    return Asset(
        key=AssetKey(AssetKind.MODEL, unicode_text(document["name"]), str(document["version"])),
        content={"type": typed or kind, "lies": _lies(document, source)},
        description=read("description", words, None) or None,
        tags=tags,
        properties=properties,
        stage=None if stage in NO_STAGE else stage,
        aliases=tuple(sorted(named)),
        archived=archived is not None,
        run=run_of(document) or (source.run if source else None),
        owns_bytes=source is not None,
        files_of=source.run if source else None,
        run_path=source.path if source and source.run else None,
        place=_place(source),
        managed=None if source else ELSEWHERE.format(document.get("source")),
        created=None if made is None else Instant(int(made) * TICKS_PER_MS),
        creator=read("user_id", words, None) or None,
        document=whole,
        unknown=unknown(document, _KNOWN_VERSION),
    )


def _lies(document: Document, source: VersionSource | None) -> Json:
    if source is None:
        return document.get("source")
    if source.run:
        return mention_in_run(source.run, source.path)
    return mention_of_place(Location(MODELS_STORE, source.logged or ""))


def _place(source: VersionSource | None) -> Location | None:
    if source is None:
        return None
    return Location("artifacts", f"{source.run}/{source.path}") if source.run else logged_place(source.logged or "")


def logged_place(model: str, path: str = "") -> Location:
    """The place of a file of a logged model; for an empty path, of the folder of them all."""
    return Location(MODELS_STORE, f"{model}/{path}")


def _tags(listed: Any) -> dict[str, str | None]:  # noqa: ANN401 whatever stands there
    return {unicode_text(one["key"]): words(one.get("value") or "") for one in listed}


def tags_of(asset: Asset) -> dict[str, str]:
    """Everything of a version that is no description, stage, alias or place."""
    tags = {key: value or "" for key, value in asset.tags.items()}
    for key, value in asset.properties.items():
        tags[key if key == LINEAGE else PROPERTY_BEGINS + key] = value or ""
    kind = asset.content.get("type") if isinstance(asset.content, Mapping) else None
    if isinstance(kind, str):
        tags[TYPE_TAG] = kind  # told for good: `undo` may have removed the files by which it is seen
    if asset.archived:
        tags[ARCHIVED_TAG] = "yes"
    return tags


def is_ours(container: AssetContainer) -> bool:
    """True for a registered model that replay made."""
    tags = container.document.get("tags") if isinstance(container.document, Mapping) else None
    return isinstance(tags, Mapping) and OWN_MODEL_TAG in tags


def created_model(container: AssetContainer) -> Body:
    """Body of `registered-models/create`; it says that replay made it."""
    told = {"description": text(container.description)} if container.description else {}
    tags = {**{key: value or "" for key, value in container.tags.items()}, OWN_MODEL_TAG: "yes"}
    return {"name": text(container.name), "tags": pairs(tags), **told}


def created_version(name: str, asset: Asset) -> Body:
    """Body of `model-versions/create`: tags and lineage are there with it, or it is not."""
    told = {"description": text(asset.description)} if asset.description else {}
    return {**_with_source(name, asset), "tags": pairs(tags_of(asset)), **told}


def skipped_version(name: str, asset: Asset) -> Body:
    """The same for one that only takes a number."""
    return {**_with_source(name, asset), "tags": pairs({SKIPPED_TAG: "yes"})}


def is_skipped(document: Document) -> bool:
    """True for a version that only takes a number, left by somebody who was stopped."""
    return any(one.get("key") == SKIPPED_TAG for one in document.get("tags") or ())


def _with_source(name: str, asset: Asset) -> Body:
    source = f"runs:/{asset.files_of}/{asset.run_path}"
    return {"name": text(name), "source": text(source), "run_id": text(asset.files_of)}


def named_version(version: AssetKey, **more: str) -> Body:
    """Body of requests about one version."""
    told = {name: text(one) for name, one in more.items()}
    return {"name": text(version.name), "version": text(version.version), **told}


def named_model(name: str, **more: str) -> Body:
    """Body of requests about one name."""
    return {"name": text(name), **{key: text(one) for key, one in more.items()}}


def changed_tags(wanted: Asset, there: Asset) -> Iterator[tuple[str, str | None]]:
    """Tags to write, and with None those to remove."""
    mine, theirs = tags_of(wanted), tags_of(there)
    for key in sorted(mine.keys() | theirs.keys()):
        if mine.get(key) != theirs.get(key):
            yield key, mine.get(key)


def in_run(asset: Asset, run: RunId, path: str) -> Asset:
    """The asset with its bytes among the files of a run."""
    content = {**(asset.content if isinstance(asset.content, Mapping) else {}), "lies": mention_in_run(run, path)}
    return replace(asset, files_of=run, run_path=path, place=Location("artifacts", f"{run}/{path}"), content=content)
