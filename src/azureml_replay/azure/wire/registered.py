"""Where the bytes of a registered asset lie, whichever way its document spells it (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from azureml_replay.azure.wire.naming import Scope, place_of_uri
from azureml_replay.azure.wire.places import ARTIFACT_STORE, RUN_FILES, place_of
from azureml_replay.azure.wire.references import Spelling, Spelt, parse
from azureml_replay.model import Location, RunId
from azureml_replay.workspace.reader import Document

_OWN = {
    Spelling.JOB: ("outputs/artifacts/paths/", "outputs/default/paths/"),
    Spelling.EXPERIMENT: ("artifacts/",),
    Spelling.RUNS: ("",),
}
"""What stands before a path in the container of the run that a form names. Other outputs lie elsewhere."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a storage account: several datastores may lead into it, under any name."""

    account: str
    name: str

    def __post_init__(self) -> None:
        """Both names have no case."""
        object.__setattr__(self, "account", self.account.lower())
        object.__setattr__(self, "name", self.name.lower())


def uris_of(document: Document) -> Iterator[str]:
    """What a model or data says of where its bytes lie; of an MLTable also which files it names."""
    said = document.get("properties") or {}
    for uri in (said.get("modelUri"), said.get("dataUri"), *(said.get("referencedUris") or ())):
        if isinstance(uri, str):
            yield uri


def place_in_store(uri: str, scope: Scope) -> Location | None:
    """The place in a datastore that a URI names, be it by a run; None for any other form."""
    found = parse(uri)
    return (found and _of_run(found)) or place_of_uri(uri, scope)


def place_in_container(uri: str) -> tuple[Container, str] | None:
    """The container that the URL of a blob leads into, by any protocol of storage, and the path in it."""
    parts = urlsplit(uri)
    account = (parts.hostname or "").partition(".")[0]
    if parts.scheme in ("http", "https"):
        name, _, path = unquote(parts.path).lstrip("/").partition("/")
    elif parts.scheme in ("wasb", "wasbs", "abfs", "abfss"):
        name, path = unquote(parts.username or ""), unquote(parts.path)
    else:
        return None
    return (Container(account, name), path.lstrip("/")) if account and name else None


def without_patterns(path: str) -> str:
    """The folder in which all lies that a path with `*` names; any other path stays."""
    before, star, _ = path.partition("*")
    return before[: before.rfind("/") + 1] if star else path


def _of_run(found: Spelt) -> Location | None:
    if found.form is Spelling.ARTIFACTS and found["origin"] == RUN_FILES:
        return Location(ARTIFACT_STORE, f"{RUN_FILES}/{found['container']}/{found['path']}")
    for start in _OWN.get(found.form, ()):
        if f"{found['rest']}/".startswith(start):
            return place_of(RunId(found["run"]), found["rest"][len(start) :])
    return None
