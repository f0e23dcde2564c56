"""How versions of assets and their containers are written, whichever service is asked."""

from __future__ import annotations

from azureml_sandbox import instants
from azureml_sandbox.assets.documents import container, version_of, with_version
from azureml_sandbox.history.access import caller, strict
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.world import Document, Kind, Listing

PATHS_UPDATED = "Asset paths cannot be updated."
"""azure-ai-ml knows the refusal by these words (_artifacts/_constants.py); that it is 400 is an assumption."""


def put(call: Call, kind: Kind, name: str, version: str, properties: Document, *, listed: bool = True) -> Document:
    """Write a version, and its container where it is `listed`: what is anonymous has none (assumption).

    A version that is written again is not the latest for that: `@latest` means the one that was made last.
    """
    assets, guid = call.world.assets, call.workspace.guid
    before = assets.get(guid, kind, name, version)
    told = system_data(call, before)
    document = version_of(call.workspace, kind, name, version, properties=properties, system_data=told)
    with call.world.transaction():
        assets.put(guid, kind, name, document, version)
        around = assets.get(guid, kind, name)
        if listed and (before is None or around is None):
            typed = {"dataType": properties["dataType"]} if kind == "data" else {}
            around = around or container(call.workspace, kind, name, system_data(call, None), **typed)
            assets.put(guid, kind, name, with_version(around, version) | {"systemData": system_data(call, around)})
    return document


def system_data(call: Call, before: Document | None) -> Document:
    """Who made it and who changed it, and when; `before` is the document that is replaced."""
    user, now = caller(call), instants.text(instants.now())
    by = {"By": user["userName"], "ByType": "User" if user["upn"] else "Application"}
    created = (before or {}).get("systemData") or {f"created{key}": value for key, value in ({"At": now} | by).items()}
    return created | {f"lastModified{key}": value for key, value in ({"At": now} | by).items()}


def same_paths(call: Call, before: Document | None, given: Document, *keys: str) -> None:
    """Raises Refused (400) where a version that is there would point elsewhere, or be of another type."""
    if before is None or may_change(call):
        return
    kept = before["properties"]
    if any(str(kept.get(key)).lower() != str(given.get(key)).lower() for key in keys):
        raise Refused(400, PATHS_UPDATED, ("UserError",))


def may_change(call: Call) -> bool:
    """Whether what is there may become another thing: with the variant `overwrite-assets`."""
    return "overwrite-assets" in strict(call)


def appended(before: Document | None, given: Document) -> Document:
    """The properties of a version that is written again: keys may come, none changes or goes.

    Reported of models by their owners (Azure/azureml-assets#1174). Raises Refused (400), in words of ours.
    """
    kept: Document = (before or {}).get("properties", {}).get("properties") or {}
    changed = sorted(key for key, value in kept.items() if given.get(key, value) != value)
    if changed:
        words = f"Properties are immutable, only new ones can be added: {', '.join(changed)}."
        raise Refused(400, words, ("UserError", "BadArgument", "ArgumentInvalid"))
    return kept | given


def delete(call: Call, kind: Kind, name: str, version: str) -> bool:
    """Remove a version; False where there is none. The one made last of those left is the latest then."""
    assets, guid = call.world.assets, call.workspace.guid
    if assets.get(guid, kind, name, version) is None:
        return False
    with call.world.transaction():
        assets.delete(guid, kind, name, version)
        around, left = assets.get(guid, kind, name), assets.versions(guid, kind, name, Listing(newest_first=True))
        if around is not None:
            told = around["properties"] | {"latestVersion": left[0][1]["name"] if left else None}
            assets.put(guid, kind, name, around | {"properties": told})
    return True
