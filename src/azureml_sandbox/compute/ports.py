"""Inputs and outputs as run history shows them: each is a data or model asset of its own (form recorded)."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_sandbox.assets import implicit
from azureml_sandbox.assets.model_uris import long_model_uri
from azureml_sandbox.assets.places import Unreadable, resolved
from azureml_sandbox.compute.record import Record
from azureml_sandbox.compute.site import Site
from azureml_sandbox.compute.values import MODELS, Data, Value
from azureml_sandbox.world import Document


def input_assets(site: Site, run_id: str, inputs: Mapping[str, Value]) -> Document:
    """`{name: {assetId, type}}` of the inputs that are data."""
    data = {name: value for name, value in inputs.items() if isinstance(value, Data)}
    return {name: _asset(site, run_id, _named(run_id, name, value), value) for name, value in data.items()}


def output_assets(site: Site, record: Record, outputs: Mapping[str, Data]) -> Document:
    """`{name: {assetId, type}}` of the outputs, and of `default`: the run's own files."""
    asset_id = implicit.put_default(site.world, site.workspace, record.document)
    named = {name: _asset(site, record.run_id, str(data.asset), data) for name, data in outputs.items()}
    return {"default": {"assetId": asset_id, "type": "UriFolder"}} | named


def _named(run_id: str, name: str, value: Data) -> str:
    named = implicit.model_name if value.kind in MODELS else implicit.data_name
    return named(run_id, "input", name)


def _asset(site: Site, run_id: str, name: str, data: Data) -> Document:
    world, workspace = site.world, site.workspace
    place = _place(site, data.uri)
    if data.kind in MODELS:
        uri = long_model_uri(workspace, place)
        told: Document = {"modelType": data.kind, "modelUri": uri, "flavors": {}, "jobName": run_id}
        implicit.put_model(world, workspace, name, told, {})
        return {"assetId": implicit.asset_id(workspace, "models", name), "type": data.wire_type}
    implicit.put_data(world, workspace, name, place, data.kind)
    return {"assetId": implicit.asset_id(workspace, "data", name), "type": data.wire_type}


def _place(site: Site, uri: str) -> str:
    """Where an input lies that is named as an asset: what stands for it leads there, as any data does."""
    try:
        return resolved(site.world, site.workspace, uri)
    except Unreadable:
        return uri
