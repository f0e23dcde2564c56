"""Assets as a target is to tell of them: the one answer for looking, sending and comparing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import Location, RunId
from azureml_replay.planning.asset_fit import fit_asset, fit_container
from azureml_replay.target.profile import known_profile
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, with_names
from azureml_replay.workspace.asset_rule import AssetRule, asset_rule_of
from azureml_replay.workspace.assets import AssetTarget

ALIASES = "model aliases"
"""The probe of doctor that tells whether a target has them."""


def known_rule(archive: Archive, ledger: TargetLedger) -> AssetRule:
    """What the target's kind of workspace keeps of assets, and what this one was seen to."""
    base, rows = asset_rule_of(ledger.target), archive.examination(ledger.target, "target")
    told = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    seen = any(row.get("probe") == ALIASES and row.get("outcome") == "ok" for row in told)
    return replace(base, files=known_profile(ledger).files, aliases=base.aliases or seen)


@dataclass(slots=True)
class AssetsThere:
    """Of one target."""

    target: AssetTarget
    ledger: TargetLedger
    names: dict[AssetKey, AssetKey]
    """Source -> target, of those that have another name or version there."""

    def of(self, asset: Asset) -> Asset:
        """Under its key in the source: content, place and run are the target's, as far as its runs are there."""
        runs = self._runs(asset)
        fitted = replace(fit_asset(asset, self.target.asset_rule).asset, key=asset.key)
        there = self.target.asset_there(fitted, runs)
        content = with_names(there.content, self.names, runs)
        return replace(there, run=runs.get(asset.run) if asset.run else None, content=content)

    def container(self, container: AssetContainer | None, name: str) -> tuple[AssetContainer | None, tuple[str, ...]]:
        """What the versions of a name share as the target is to tell of it; and what it will not have of that."""
        return fit_container(container, name, self.target.asset_rule) if container else (None, ())

    def _runs(self, asset: Asset) -> Mapping[RunId, RunId]:
        """Of those that it is tied to, what stands for them."""
        tied = (run for run in (asset.run, asset.files_of) if run)
        return {run: there for run in tied if (there := self.ledger.stands_for(run))}


def relative(path: str, base: Location) -> str:
    """A path below an asset's place; empty for the place itself, which may be a file."""
    return path.removeprefix(base.path.rstrip("/")).lstrip("/")


def is_below(location: Location, base: Location) -> bool:
    """By segments; an asset's place may be a file."""
    folder = base.path if base.path.endswith("/") else f"{base.path}/"
    same = location.datastore == base.datastore
    return same and (location.path == base.path or location.path.startswith(folder))
