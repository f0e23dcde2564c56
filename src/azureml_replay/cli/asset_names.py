"""Reads which assets were named, on the command line or in a file."""

from __future__ import annotations

from collections.abc import Iterator
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
        texts = list(_of_yaml(path)) if path.suffix.lower() in _YAML else _of_lines(path)
    except UserError as error:
        raise UserError(f"--asset-list {error}") from None
    except OSError as error:
        raise UserError(f"{flag}: {error.strerror}: expected a file with {EXPECTED}") from None
    if not texts:
        raise UserError(f"{flag}: names no asset: expected {EXPECTED}")
    return [read_name(f"{flag}:", text) for text in texts]


def _of_lines(path: Path) -> list[str]:
    told = text_of(path, most_bytes=MOST_BYTES, what=EXPECTED, pipe=True, tell=terminal().error)
    return [text for line in told.splitlines() if (text := line.split("#")[0].strip())]


def _of_yaml(path: Path) -> Iterator[str]:
    """As the selection files of the original tool's MLTable commands have them: by their spelling, 1.10 is no 1.1.

    Without versions all of a name.
    """
    from azureml_replay.disk.yaml_file import spelt_in

    chosen = spelt_in(path, EXPECTED, most_bytes=MOST_BYTES, tell=terminal().error)
    listed = chosen.get("mltables") if isinstance(chosen, dict) else None
    for one in listed if isinstance(listed, list) else ():
        name, versions = (one.get("name"), one.get("versions", "")) if isinstance(one, dict) else (one, "")
        if not isinstance(name, str) or not name or not (isinstance(versions, list) or versions == ""):
            raise UserError(f"{path}: expected name and versions, a list: {one!r}")
        yield from (f"{name}:{version}" for version in versions) if versions else (name,)
