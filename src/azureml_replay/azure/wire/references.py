"""How documents name assets, places and runs: eleven forms, each by a strict grammar (pure).

`render(parse(text)) == text` for every text. Keywords are read without case and written as they were spelt, names keep
their case. A text that has none of the forms is none: nothing is guessed of it (assets.md 2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Spelling(Enum):
    """The forms, in the order in which they are tried."""

    ARM = (
        "{lead}/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/workspaces/{workspace}{below}"
    )
    REGISTRY_VERSION = "azureml://registries/{registry}/{kind}/{name}/versions/{version}"
    REGISTRY_LABEL = "azureml://registries/{registry}/{kind}/{name}/labels/{label}"
    REGISTRY = "azureml://registries/{registry}/{kind}/{name}"
    LONG = "azureml://subscriptions/{subscription}/resourceGroups/{group}/workspaces/{workspace}{stored}"
    LISTED = "azureml://workspaces/{guid}/datastores/{datastore}/paths/{path}"
    STORE = "azureml://datastores/{datastore}/paths/{path}"
    STORE_BARE = "azureml://datastores/{datastore}/{path}"
    LOCATED = "azureml://locations/{region}/workspaces/{guid}/{kind}/{name}/versions/{version}"
    JOB = "azureml://jobs/{run}/{rest}"
    EXPERIMENT = "azureml://experiments/{experiment}/runs/{run}/{rest}"
    RUNS = "runs:/{run}/{rest}"
    ARTIFACTS = "azureml://artifacts/{origin}/{container}/{path}"
    NEVER = "azureml://{rest}"
    VERSION = "azureml:{name}:{version}"
    LABEL = "azureml:{name}@{label}"
    NAME = "azureml:{name}"
    WEB = "{scheme}://{host}/{path}"


_FIELDS = {
    "lead": r"(?:azureml:)?",
    "provider": r"Microsoft\.MachineLearningServices",
    "name": r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,254}",
    "kind": r"[a-zA-Z]+",
    "version": r"[^/:@\s]+",
    "label": r"[^/:@\s]+",
    "path": r"[^\r\n]*",
    "rest": r"[^\r\n]*",
    "scheme": r"https?|wasbs?|abfss?",
}
_ANY = r"[^/\s]+"
_PARTS = re.compile(r"\{(\w+)\}")


def _pattern(form: str) -> re.Pattern[str]:
    """A group for each piece: literals have numbers, fields their names."""
    form = form.replace("{below}", "/{kind}/{name}/versions/{version}")
    pieces = _PARTS.split(form.replace("{stored}", "/datastores/{datastore}/paths/{path}"))
    told = [
        f"(?P<{piece}>{_FIELDS.get(piece, _ANY)})" if at % 2 else f"({re.escape(piece)})"
        for at, piece in enumerate(pieces)
        if piece
    ]
    return re.compile("".join(told) + r"\Z", re.IGNORECASE)


_PATTERNS = {form: _pattern(form.value) for form in Spelling}


@dataclass(frozen=True, slots=True)
class Spelt:
    """A text that has one of the forms, taken apart."""

    form: Spelling
    pieces: tuple[tuple[str, str], ...]
    """Name and text of each piece in order; literals have no name."""

    def __getitem__(self, field: str) -> str:
        """The text of a field, empty where the form has none of that name."""
        return next((text for name, text in self.pieces if name == field), "")

    def having(self, **fields: str) -> Spelt:
        """The same with other texts in some of its fields; a field that the form lacks is ignored."""
        return Spelt(self.form, tuple((name, fields.get(name, text) if name else text) for name, text in self.pieces))


def parse(text: str) -> Spelt | None:
    """The reference that a whole text is; None for a text that has none of the forms."""
    for form, pattern in _PATTERNS.items():
        if found := pattern.match(text):
            names = {number: name for name, number in pattern.groupindex.items()}
            pieces = tuple((names.get(at, ""), piece) for at, piece in enumerate(found.groups(), 1))
            return Spelt(form, pieces)
    return None


def render(reference: Spelt) -> str:
    """The text that `parse` was given."""
    return "".join(text for _, text in reference.pieces)
