"""Steps that are not computed again where nothing changed: they show the run that computed the same.

Recorded in the same pipeline (pipe-reuse 6) and in a later one (pipe-get-child-job 8, pipe-child-run-download 20). What
counts as the same is an assumption: the component, the values of all inputs, the variables, where outputs go. A
component that is not deterministic is always computed, and with `force_rerun` every one (documented).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from azureml_sandbox.compute.command import Work, perform
from azureml_sandbox.compute.graph import Node
from azureml_sandbox.compute.ports import output_assets
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Site
from azureml_sandbox.compute.values import Data, Literal, Value
from azureml_sandbox.documents import job_runs
from azureml_sandbox.world import Document


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a pipeline, which may take an earlier one's result."""

    work: Work
    digest: str | None
    """What it is computed from; None where it is to be computed in any case."""
    earlier: asyncio.Task[str] | None
    """The same step, where it runs in the same pipeline."""

    async def run(self, site: Site, record: Record) -> tuple[str, dict[str, Data]]:
        """Compute it or show the run that did; returns the final status and where the outputs lie."""
        if self.earlier is not None:
            await asyncio.wait([self.earlier])
        original = _original(site, self.digest)
        if original is not None:
            return "Completed", _shown(site, record, original, self.work.outputs)
        status = await perform(site, record, self.work)
        if status == "Completed" and self.digest is not None:
            site.world.repeatable.put(site.workspace.guid, self.digest, record.run_id)
        return status, dict(self.work.outputs)


def digest(node: Node, run_id: str, work: Work) -> str | None:
    """What tells this step apart; None where its component is not deterministic."""
    if node.spec.get("is_deterministic") != "True":
        return None
    told = {
        "component": node.component["id"],
        "inputs": {name: _told(value) for name, value in work.inputs.items()},
        "outputs": {name: [data.uri.replace(run_id, ""), data.kind] for name, data in work.outputs.items()},
        "variables": dict(work.variables),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _told(value: Value) -> list[str]:
    return [value.text] if isinstance(value, Literal) else [value.uri, value.kind, value.mode]


def _original(site: Site, wanted: str | None) -> Document | None:
    """The run that completed this step; None where none did."""
    run_id = site.world.repeatable.get(site.workspace.guid, wanted) if wanted is not None else None
    return site.world.runs.get(site.workspace.guid, run_id) if run_id is not None else None


def _shown(site: Site, record: Record, original: Document, outputs: Mapping[str, Data]) -> dict[str, Data]:
    """Show the original's files and outputs as this run's, and end it as it starts."""
    theirs = {name: _of(original["runId"], record.run_id, data) for name, data in outputs.items()}
    record.change(**job_runs.reused(original), outputs=output_assets(site, record, theirs))
    record.end("Completed")
    return theirs


def _of(original: str, run_id: str, data: Data) -> Data:
    asset = data.asset.replace(run_id, original) if data.asset is not None else None
    return replace(data, uri=data.uri.replace(run_id, original), asset=asset)
