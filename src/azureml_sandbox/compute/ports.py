"""Inputs and outputs as run history shows them: each is a data asset of its own (form recorded)."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_sandbox.assets import implicit
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Site
from azureml_sandbox.compute.values import Data, Value
from azureml_sandbox.world import Document


def input_assets(site: Site, run_id: str, inputs: Mapping[str, Value]) -> Document:
    """`{name: {assetId, type}}` of the inputs that are data."""
    data = {name: value for name, value in inputs.items() if isinstance(value, Data)}
    return {name: _asset(site, implicit.data_name(run_id, "input", name), value) for name, value in data.items()}


def output_assets(site: Site, record: Record, outputs: Mapping[str, Data]) -> Document:
    """`{name: {assetId, type}}` of the outputs, and of `default`: the run's own files."""
    asset_id = implicit.put_default(site.world, site.workspace, record.document)
    named = {name: _asset(site, str(data.asset), data) for name, data in outputs.items()}
    return {"default": {"assetId": asset_id, "type": "UriFolder"}} | named


def _asset(site: Site, name: str, data: Data) -> Document:
    implicit.put_data(site.world, site.workspace, name, data.uri, data.kind)
    return {"assetId": implicit.asset_id(site.workspace, "data", name), "type": data.wire_type}
