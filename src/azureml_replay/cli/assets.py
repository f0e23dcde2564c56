"""`azureml-replay assets`: what runs refer to, as an archive holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import next_step
from azureml_replay.cli.next_step import Typed, typed
from azureml_replay.cli.options import KNOWN, ArchiveArgument, takes, terminal_flags
from azureml_replay.cli.targets import target_config
from azureml_replay.counting import counted
from azureml_replay.errors import Exit
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line, amount

if TYPE_CHECKING:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.archive.target_ledger import TargetLedger
    from azureml_replay.workspace.asset import Asset

EXTRACT = ("--source", "source.json", "--archive")
SHOWN = 200
"""Assets of a kind that people see; `--json` has all."""
SENDING = "sending"
"""The state of what may be on its way: a replay looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRow:
    """One asset of an archive."""

    kind: str
    name: str
    version: str
    """Empty for a datastore, which has none."""
    archived: bool
    run: str | None
    """The run that made it."""
    used_by: int
    """Chosen runs that name it."""
    files: int
    """Of its own: those that are files of a run count there."""
    bytes: int
    state: str | None = None
    """What became of it in the target: sent, adopted, left, refused, undone; None without one, and before."""
    there: str | None = None
    """Its version in the target, where that is another one."""
    detail: str | None = None
    """What is not whole of it there, or why it is not made."""
    title: str | None = None
    """Of a dataset of the old kind, whose name is an id: what people call it."""


@takes(terminal=terminal_flags, line=typed)
def assets(
    *,
    archive: ArchiveArgument,
    terminal: Terminal,
    line: Typed,
    target: Annotated[
        str | None, typer.Option("--target", metavar="WS", help=f"Say what became of each there. {KNOWN}")
    ] = None,
) -> Exit:
    """List the models, environments, data, components and code that an archive holds. No network."""
    from azureml_replay.archive.archive import Archive

    workspace = target_config(target, archive) if target is not None else None
    with Archive.open(archive, write=False) as opened:
        rows = list(rows_of(opened, opened.ledger(workspace.ref) if workspace else None))
        told, extracted = list(lines_of(opened, rows)), opened.asset_extraction() is not None
    terminal.result(rows, told)
    ahead = next_step.DONE if extracted else line.into("extract", *EXTRACT, archive)
    if any(row.state == SENDING for row in rows):
        ahead = line.into("replay", archive, keep=("--target",))
    next_step.tell(terminal, ahead)
    return Exit.OK


def rows_of(archive: Archive, ledger: TargetLedger | None) -> Iterator[AssetRow]:
    """Every asset, by kind, name and version."""
    from azureml_replay.verification.asset_standing import AssetsStanding
    from azureml_replay.workspace.asset import KEPT_ONLY, UNVERSIONED

    stores = ledger.stores() if ledger else {}
    left = {one.what: one.reason for one in AssetsStanding.of(archive, ledger).omissions} if ledger else {}
    listings, receipts = archive.asset_listings(), ledger.asset_receipts() if ledger else {}
    for asset in archive.assets():
        receipt, listing = receipts.get(asset.key), listings.get(asset.key)
        renamed = receipt is not None and receipt.there.version != asset.key.version
        kept = asset.key.kind in KEPT_ONLY
        yield AssetRow(
            kind=asset.key.kind.value,
            name=asset.key.name,
            version="" if kept and asset.key.version == UNVERSIONED else asset.key.version,
            archived=asset.archived,
            run=asset.run,
            used_by=len(archive.runs_that_use(asset.key)),
            files=listing.files if listing else 0,
            bytes=listing.bytes if listing else 0,
            state=receipt.state.value if receipt else None,
            there=receipt.there.version if receipt and renamed else None,
            detail=receipt.detail if receipt else _why_kept(asset, stores) if kept else left.get(str(asset.key)),
            title=asset.title,
        )


def _why_kept(asset: Asset, stores: Mapping[str, str]) -> str | None:
    there = stores.get(asset.key.name) if asset.key.kind.value == "datastore" else None
    return f"datastore {there} of the target stands for it" if there else asset.managed


def lines_of(archive: Archive, rows: list[AssetRow]) -> Iterator[Line]:
    """A tree: kinds, and the versions of each; then what is named and is elsewhere, or was not to be had."""
    if archive.asset_extraction() is None:
        yield "assets were not extracted: extract again, without --assets none"
        return
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        more = [Branch(f"and {len(of_kind) - SHOWN:,} more (--json lists all)")] if len(of_kind) > SHOWN else []
        yield Branch(f"{kind}: {counted(len(of_kind), 'version')}", (*map(_branch, of_kind[:SHOWN]), *more))
    if not rows:
        yield "no asset is named by the chosen runs"
    outside = [
        Branch(f"{text} ({where}), named {counted(count, 'time')}") for where, text, count in archive.outside_uses()
    ]
    if outside:
        yield Branch("named, and none of the source's", tuple(outside[:SHOWN]))
    lacking = archive.lacking_assets().items()
    for title, empty in (("named, and not to be had", False), ("not made", True)):
        told = [Branch(f"{key}: {reason}") for key, reason in lacking if (key.version == "") is empty]
        if told:
            yield Branch(title, tuple(told[:SHOWN]))


def _branch(row: AssetRow) -> Branch:
    told = [
        f"{row.name}:{row.version}".removesuffix(":") + (f" ({row.title})" if row.title else ""),
        *(["archived"] if row.archived else []),
        *([f"of run {row.run}"] if row.run else []),
        *([f"used by {counted(row.used_by, 'run')}"] if row.used_by else []),
        *([f"{counted(row.files, 'file')}, {amount('bytes', row.bytes)}"] if row.files else []),
        *([f"{row.state} as version {row.there}" if row.there else row.state] if row.state else []),
        *([row.detail] if row.detail else []),
    ]
    return Branch(", ".join(told))
