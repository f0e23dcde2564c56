"""Inputs and outputs as run history shows them: each is a data asset of its own (form recorded)."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_sandbox.assets.places import long_uri
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Site
from azureml_sandbox.compute.values import Data, Value
from azureml_sandbox.world import Document


def input_assets(site: Site, run_id: str, inputs: Mapping[str, Value]) -> Document:
    """`{name: {assetId, type}}` of the inputs that are data."""
    data = {name: value for name, value in inputs.items() if isinstance(value, Data)}
    return {name: _asset(site, f"azureml_{run_id}_input_data_{name}", value) for name, value in data.items()}


def output_assets(site: Site, record: Record, outputs: Mapping[str, Data]) -> Document:
    """`{name: {assetId, type}}` of the outputs, and of `default`: the run's own files."""
    default = {"assetId": site.asset_id(f"azureml_{record.run_id}_output_data_default"), "type": "UriFolder"}
    named = {name: _asset(site, str(data.asset), data) for name, data in outputs.items()}
    return {"default": default} | named


def _asset(site: Site, name: str, data: Data) -> Document:
    """Register the data as an asset version without a container, so that no list shows it."""
    workspace = site.workspace
    document = {
        "id": f"{workspace.arm_id}/data/{name}/versions/1",
        "name": "1",
        "type": "Microsoft.MachineLearningServices/workspaces/data/versions",
        "properties": {
            "description": None,
            "tags": {},
            "properties": {},
            "isArchived": False,
            "isAnonymous": True,
            "dataUri": long_uri(workspace, data.uri),
            "dataType": data.kind,
        },
        "systemData": {},
    }
    site.world.assets.put(workspace.guid, "data", name, document, "1")
    return {"assetId": site.asset_id(name), "type": data.wire_type}
