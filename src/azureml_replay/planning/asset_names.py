"""What the versions of one name share, and what a target should have of it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from azureml_replay.model import Json
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind, digest_of

NAME_HELD = "the name is not archived there, as it would hide somebody's versions"
_TAG, _PROPERTY = "tag ", "property "
_UNNAMED = frozenset({AssetKind.CODE})
"""Kinds whose names nobody gives."""


def has_name(asset: Asset) -> bool:
    """False for what was made for one job or run, or is the service's: nobody describes such a name."""
    return not (asset.anonymous or asset.is_port or asset.managed or asset.key.kind in _UNNAMED)


def names_of(assets: Iterable[Asset]) -> list[AssetKey]:
    """The names of assets, each once."""
    return sorted({AssetKey(one.key.kind, one.key.name, "") for one in assets if has_name(one)})


def digest_of_name(container: AssetContainer | None) -> str:
    """The digest of all that the versions of a name share; of one that shares nothing the same."""
    return digest_of(dict(sorted(container.fields.items())) if container else {})


def merged(
    container: AssetContainer | None, there: AssetContainer, sent: Mapping[str, Json]
) -> tuple[AssetContainer, frozenset[str]]:
    """The target's with the source's values, and the names of those that somebody gave it since, which stay.

    `sent`: its values when it was written last; where it never was, whatever it has is somebody's. Properties stay as
    they were first written.
    """
    wanted, held = container.fields if container else {}, there.fields
    names = [name for name in (*wanted, *sent) if wanted.get(name) != held.get(name)]
    edited = {name for name in names if held.get(name) != sent.get(name)}
    edited |= {name for name in names if name.startswith(_PROPERTY) and name in held}
    told = {**held, **{name: wanted.get(name) for name in names if name not in edited}}
    return _with_fields(there, told), frozenset(edited)


def _with_fields(there: AssetContainer, fields: Mapping[str, Json]) -> AssetContainer:
    said = {name: value for name, value in fields.items() if value is not None}
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    return replace(
        there,
        description=texts.get("description"),
        archived=bool(said.get("archived")),
        tags={name.removeprefix(_TAG): value for name, value in texts.items() if name.startswith(_TAG)},
        properties={name.removeprefix(_PROPERTY): value for name, value in texts.items() if name.startswith(_PROPERTY)},
    )
