"""What an asset of a target says of itself: what it was made from and with, and that `undo` archived it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from azureml_replay.model import Json, RunId
from azureml_replay.planning.lineage import PROPERTY, decoded, encode
from azureml_replay.version import __version__
from azureml_replay.workspace.asset import ALIAS, Asset, AssetKey, digest_of
from azureml_replay.workspace.mark import UNDO_TAG, undo_mark
from azureml_replay.workspace.place import Place

_SENT, _ARCHIVED = "sent", "archived"
"""A key of an asset's lineage; a name among what may change of it."""


def signed_asset(asset: Asset, source: Place) -> Asset:
    """The asset with its lineage: a property that says what the service owns and cannot be told."""
    facts = {
        "workspace": source.key,
        "asset": str(asset.key),
        "run": asset.run,
        "created": str(asset.created) if asset.created else None,
        "creator": asset.creator,
        "aliases": list(asset.aliases) or None,
        "stage": asset.stage,
        "version": __version__,
    }
    told = encode({key: value for key, value in facts.items() if value is not None})
    return replace(asset, properties={**asset.properties, PROPERTY: told})


def is_made_from(there: Asset, key: AssetKey, source: Place) -> bool:
    """True where an asset of a target says that it was made from this one of the source, by whichever archive."""
    return comes_from(there, source) and decoded(there.properties.get(PROPERTY)).get("asset") == str(key)


def comes_from(there: Asset, source: Place) -> bool:
    """True where an asset of a target says that it was made from some asset of the source."""
    return str(decoded(there.properties.get(PROPERTY)).get("workspace", "")).lower() == source.key


def changeable(asset: Asset) -> Mapping[str, Json]:
    """Of its fields those that a target lets a client change: properties stay as they were first written."""
    return {name: value for name, value in asset.fields.items() if not name.startswith("property ")}


def marked_asset(asset: Asset) -> Asset:
    """A signed asset as it is sent, with a digest of what may change of it: by this another archive sees an edit."""
    facts = decoded(asset.properties.get(PROPERTY))
    told = encode({**facts, _SENT: _digest_of_values(asset)})
    return replace(asset, properties={**asset.properties, PROPERTY: told})


def sent_by_another(wanted: Asset, there: Asset) -> Mapping[str, Json]:
    """What another archive's replay sent of an asset, as far as the asset tells.

    Where its mark does not fit, or it has none, whatever differs from the source is somebody's; so is whether it is
    archived, which the mark says nothing of.
    """
    mark, shown = decoded(there.properties.get(PROPERTY)).get(_SENT), shown_again(there)
    values = changeable(shown if mark == _digest_of_values(shown) else wanted)
    return {**values, _ARCHIVED: wanted.archived}


def taken_back(there: Asset) -> Asset:
    """An asset of a target as `undo` archives it: with a mark, which names it, as tags are copied."""
    return replace(there, archived=True, tags={**there.tags, **undo_mark(RunId(str(there.key)))})


def is_taken_back(there: Asset) -> bool:
    """True where `undo` archived it, of whichever archive, and nobody has restored it since."""
    return there.archived and undo_mark(RunId(str(there.key))).items() <= there.tags.items()


def shown_again(there: Asset) -> Asset:
    """An asset of a target as it was before `undo` archived it; any other one as it is, without a mark that is void."""
    tags = {name: value for name, value in there.tags.items() if name != UNDO_TAG}
    return replace(there, archived=there.archived and not is_taken_back(there), tags=tags)


def as_taken_back(there: Asset) -> Mapping[str, Json]:
    """What `undo` gave an asset of a target; nothing where it did not."""
    names = [f"tag {UNDO_TAG}", *([_ARCHIVED] if is_taken_back(there) else [])]
    return {name: value for name, value in there.fields.items() if name in names}


def _digest_of_values(asset: Asset) -> str:
    return digest_of({name: value for name, value in sorted(changeable(asset).items()) if name != _ARCHIVED})


def as_edited(wanted: Asset, there: Asset, sent: Mapping[str, Json]) -> Asset:
    """The target's asset with the source's values, but where its own were edited since; its content is its own.

    `sent`: its values when it was written last.
    """
    found = changeable(there)
    edited = {name for name in found.keys() | sent.keys() if found.get(name) != sent.get(name)}
    edited = {name for name in edited if not name.startswith("property ")}
    tags = {name: value for name, value in wanted.tags.items() if f"tag {name}" not in edited}
    tags |= {name: value for name, value in there.tags.items() if f"tag {name}" in edited}
    return replace(
        there,
        tags=tags,
        description=there.description if "description" in edited else wanted.description,
        stage=there.stage if "stage" in edited else wanted.stage,
        aliases=(
            *(one for one in wanted.aliases if ALIAS + one not in edited),
            *(one for one in there.aliases if ALIAS + one in edited),
        ),
        archived=there.archived if "archived" in edited else wanted.archived,
    )
