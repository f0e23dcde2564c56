"""What the two MLTable commands share: the workspace that a side names, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from azureml_replay.azure.config import WorkspaceConfig, config_of_document
from azureml_replay.counting import counted
from azureml_replay.errors import UserError
from azureml_replay.formats.mltables.choice import NAMES
from azureml_replay.formats.mltables.exporting import TablesExported
from azureml_replay.formats.mltables.options import TablesImported
from azureml_replay.terminal.hints import IMPORT_YAML, quoted
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.text import Line, amount

SHOWN = 20
"""Lines shown of one list; the rest is counted, and `--json` has all."""


def workspace_of(
    side: str, said: Mapping[str, str], flags: Sequence[str | None], selection: Path | None, options: str
) -> WorkspaceConfig | None:
    """The workspace of one side: what was typed wins over the file; None where neither names one.

    `flags` are in the order of `choice.NAMES`; `options` names them for people. Raises UserError for a part of a name.
    """
    typed = {key: value for key, value in zip(NAMES, flags, strict=False) if value is not None}
    names = {**said, **typed}
    lacking = [key for key in NAMES[:3] if key not in names]
    if not any(key in names for key in NAMES[:3]):
        return None
    if lacking:
        raise UserError(f"the {side} lacks {' and '.join(lacking)}: give {options}, or {side} in --selection")
    return config_of_document(names, options if typed else f"{selection}: {side}")


def exported(done: TablesExported, *, wrote: bool) -> Iterator[Line]:
    """The lines of `export_yaml`."""
    verb = "exported" if wrote else "would be exported"
    yield Branch(f"{counted(len(done.tables), 'table')} {verb} into {done.folder}", _some(done.tables))
    yield from _reasons("not exported", done.left)
    yield from _reasons("failed", done.failed)


def imported(done: TablesImported, *, wrote: bool) -> Iterator[Line]:
    """The lines of `import_yaml`."""
    made, copied = ("made", "copied") if wrote else ("would be made", "would be copied")
    if done.made or not done.there:
        yield Branch(f"{counted(len(done.made), 'table')} {made}", _some(done.made))
    if done.there:
        yield Branch(f"{len(done.there):,} there already, and equal", _some(done.there))
    if done.files:
        yield f"{counted(done.files, 'file')} {copied}, {amount('bytes', done.bytes)}"
    if done.removed:
        removed = "removed" if wrote else "would be removed"
        yield f"{counted(done.removed, 'file')} of the target {removed} (--data-overwrite)"
    yield from _reasons("left out", done.skipped)
    yield from _reasons("not brought", done.refused)
    yield from _reasons("failed", done.failed)
    yield from _reasons("to know", done.notes)


def import_line(selection: Path, folder: Path) -> str:
    """The line of the second command."""
    return quoted([*IMPORT_YAML, "--selection", str(selection), "--source-dir", str(folder), "--dry-run"])


def _some(labels: Sequence[str]) -> tuple[Branch, ...]:
    more = [Branch(f"and {len(labels) - SHOWN:,} more (--json lists all)")] if len(labels) > SHOWN else []
    return (*map(Branch, labels[:SHOWN]), *more)


def _reasons(what: str, told: Sequence[tuple[str, str]]) -> Iterator[Branch]:
    if told:
        yield Branch(f"{what}: {len(told):,}", _some([f"{label}: {why}" for label, why in told]))
