"""What the originals named of environments and data, as the jobs that stand for them can name it in the target.

A job is told of an asset that this archive brought into the target, or found there equal; what a registry has is the
same everywhere. Data stays unread: a job names it, and its steps log what the originals logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import THERE
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.synthetic.bodies.graph import JobPlace, NamedInput, asset_id
from azureml_replay.synthetic.bodies.register import place_for
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.tree.ports import KEY, ROOT
from azureml_replay.workspace.asset import AssetKey, AssetKind, AssetUse, OutsideKind
from azureml_replay.workspace.jobs import Submitter
from azureml_replay.workspace.place import Place

ORIGINAL = "original"
"""The value of `--environment` that asks for all this."""
_INPUT = re.compile(r"properties\.inputs\.([^.]+)\.uri")
_NAMED = frozenset({AssetKind.ENVIRONMENT, AssetKind.DATA, AssetKind.MODEL})


@dataclass(slots=True)
class Originals:
    """Finds what jobs are to name; registers the step once for each environment."""

    archive: Archive
    ledger: TargetLedger
    submitter: Submitter
    workspace: Place
    compute: str
    there: Mapping[AssetKey, AssetKey] = field(init=False)
    """Asset of the source -> its name in the target, of those that are there."""
    known: dict[str, JobPlace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.there = assets_there(self.ledger)

    async def places(self, tree: Tree) -> Mapping[RunId, JobPlace]:
        """Run -> where its step runs, of those leaves whose environment the target has. Raises as `place_for`."""
        found: dict[RunId, JobPlace] = {}
        for leaf in tree.leaves():
            if environment := self._environment(leaf.source):
                if environment not in self.known:
                    self.known[environment] = await place_for(
                        self.submitter, self.workspace, compute=self.compute, environment=environment
                    )
                found[leaf.source] = self.known[environment]
        return found

    def inputs(self, tree: Tree) -> Mapping[str, NamedInput]:
        """Inputs of the original that name data or a model which the target has."""
        found: dict[str, NamedInput] = {}
        for use in self.archive.asset_uses(tree.root):
            named = _INPUT.fullmatch(use.where)
            there = self.there.get(use.key) if use.key else None
            asset = self.archive.asset(use.key) if use.key and there and named else None
            if named and there and asset and named[1] not in (ROOT, KEY):
                content = asset.content if isinstance(asset.content, dict) else {}
                found[named[1]] = NamedInput(str(content.get("type")), asset_id(self.workspace, there))
        return found

    def _environment(self, run: RunId) -> str | None:
        for use in self.archive.asset_uses(run):
            if use.key is not None and use.key.kind is AssetKind.ENVIRONMENT and use.key in self.there:
                return asset_id(self.workspace, self.there[use.key])
            if use.outside is OutsideKind.REGISTRY and _is_environment(use):
                return use.text
        return None


def unnamed(archive: Archive, ledger: TargetLedger | None, roots: Iterable[RunId], *, original: bool) -> dict[str, int]:
    """Kind -> how many environments, data and models the originals of these jobs name, and the jobs do not."""
    there = assets_there(ledger) if ledger is not None and original else {}
    keys = {use.key for use in _uses(archive, roots) if use.key is not None and use.key.kind in _NAMED}
    found: dict[str, int] = {}
    for key in sorted(keys - there.keys()):
        if (asset := archive.asset(key)) and asset.is_port:
            continue  # the new job's own stand for these
        found[key.kind.value] = found.get(key.kind.value, 0) + 1
    return found


def assets_there(ledger: TargetLedger) -> dict[AssetKey, AssetKey]:
    """Asset of the source -> its name in the target, of those that are there."""
    return {key: one.there for key, one in ledger.asset_receipts().items() if one.state in THERE}


def _uses(archive: Archive, roots: Iterable[RunId]) -> Iterator[AssetUse]:
    for root in roots:
        for run in archive.unit(root):
            yield from archive.asset_uses(run.id)


def _is_environment(use: AssetUse) -> bool:
    return "/environments/" in use.text and "/versions/" in use.text
