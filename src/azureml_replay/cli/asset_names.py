"""Reads which assets were named, on the command line or in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from azureml_replay.disk.inputs import text_of
from azureml_replay.errors import UserError
from azureml_replay.terminal.terminal import terminal

if TYPE_CHECKING:
    from azureml_replay.planning.assets import AssetName

MOST_BYTES = 16_000_000
"""Of a list: names have up to 255 characters; a hundred thousand of them."""
EXPECTED = "NAME or NAME:VERSION a line, or YAML with mltables, a list of name and versions"
_YAML = frozenset({".yaml", ".yml"})


def read_name(flag: str, text: str) -> AssetName:
    """One name, with a version or without. Raises UserError for anything else."""
    from azureml_replay.planning.assets import AssetName

    name, colon, version = text.strip().partition(":")
    if not name or "@" in text or "/" in text or (colon and not version):
        raise UserError(f"{flag} {text}: expected NAME, for all versions, or NAME:VERSION")
    return AssetName(name, version or None)


def names_in(path: Path) -> list[AssetName]:
    """The names of a file; one that ends with .yaml or .yml is YAML. Raises UserError where it names none."""
    flag = f"--asset-list {path}"
    try:
        told = text_of(path, most_bytes=MOST_BYTES, what=EXPECTED, pipe=True, tell=terminal().error)
    except UserError as error:
        raise UserError(f"--asset-list {error}") from None
    except OSError as error:
        raise UserError(f"{flag}: {error.strerror}: expected a file with {EXPECTED}") from None
    texts = list(_of_yaml(flag, told)) if path.suffix.lower() in _YAML else _of_lines(told)
    if not texts:
        raise UserError(f"{flag}: names no asset: expected {EXPECTED}")
    return [read_name(f"{flag}:", text) for text in texts]


def _of_lines(told: str) -> list[str]:
    return [text for line in told.splitlines() if (text := line.split("#")[0].strip())]


def _of_yaml(flag: str, told: str) -> Iterator[str]:
    """As the selection files of the original tool's MLTable commands have them; without versions all of a name."""
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise UserError(f"{flag}: YAML is read with pyyaml: install it, or write NAME:VERSION a line") from None
    try:
        chosen = yaml.safe_load(told)
    except yaml.YAMLError as error:
        raise UserError(f"{flag} is no YAML: {error}") from None
    listed = chosen.get("mltables") if isinstance(chosen, Mapping) else None
    for one in listed if isinstance(listed, list) else ():
        name, versions = (one.get("name"), one.get("versions")) if isinstance(one, Mapping) else (one, None)
        if not isinstance(name, str) or not isinstance(versions, list | None):
            raise UserError(f"{flag}: expected name and versions, a list: {one!r}")
        yield from (f"{name}:{version}" for version in versions) if versions else (name,)
