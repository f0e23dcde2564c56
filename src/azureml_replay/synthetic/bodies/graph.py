"""Request bodies of a synthetic replay, built by hand (pure); a test checks that azure-ai-ml builds the same ones.

The job's one input `root` is the folder with everything staged; each leaf gets it by binding, and its own `key`. So a
nested graph depends on its shape alone: it is registered once, under the hash of its content (synthetic.md 0 and 3).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from azureml_replay import json_text
from azureml_replay.azure.place import resource_id
from azureml_replay.azure.wire.encode_assets import version_path
from azureml_replay.azure.wire.naming import SEGMENTS
from azureml_replay.errors import IntegrityError
from azureml_replay.model import RunId
from azureml_replay.synthetic.bodies.validation import problems_of
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.synthetic.tree.ports import KEY, OUT, ROOT, UP_PORTS, Ports
from azureml_replay.workspace.asset import AssetKey
from azureml_replay.workspace.place import Place

Body: TypeAlias = "dict[str, Any]"

MODULE = "azureml_replay.synthetic.step"
"""The module of the shipped folder that `python -m` runs."""

COMMAND = f"python -m {MODULE} --root ${{{{inputs.root}}}} --key ${{{{inputs.key}}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlace:
    """Where a tree will run, as ids of the target."""

    workspace: str
    """The workspace's ARM id, beginning with a slash."""
    compute: str
    """The name of a compute, or `serverless`."""
    datastore: str
    """The name of the default datastore."""
    code: str
    """The ARM id of the step's code."""
    environment: str
    """The environment's ARM id, or `azureml://registries/…`."""
    component: str = ""
    """The ARM id of the step component; not needed for a command job."""

    @property
    def compute_id(self) -> str:
        """The compute's ARM id, also for `serverless`, as azure-ai-ml sends it."""
        return f"{self.workspace}/computes/{self.compute}"


@dataclass(frozen=True, slots=True)
class NamedInput:
    """An input of a job that names an asset and reads nothing of it."""

    type: str
    """`uri_file`, `mltable`, `mlflow_model`, …"""
    id: str
    """The asset's ARM id."""


def asset_id(workspace: Place, key: AssetKey) -> str:
    """The ARM id of an asset of a workspace."""
    return f"{resource_id(workspace)}{version_path(key, SEGMENTS[key.kind])}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A nested pipeline, to be registered unless it is: `PUT {id}` with `body`."""

    id: str
    """The ARM id, `…/components/azureml_anonymous/versions/{guid}`: equal for equal bodies."""
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """All requests that one tree takes, in order: graphs (inner ones first, each once), then `PUT …/jobs/{name}`."""

    graphs: tuple[Graph, ...]
    body: Body


def submission(
    tree: Tree,
    place: JobPlace,
    root_uri: str,
    *,
    places: Mapping[RunId, JobPlace] = MappingProxyType({}),
    inputs: Mapping[str, NamedInput] = MappingProxyType({}),
) -> Submission:
    """The bodies of a tree whose files are staged under `root_uri`, `azureml://datastores/…/paths/…/`.

    `places`: runs whose steps run elsewhere than in `place`; `inputs`: what the job names besides, and does not read.
    Raises IntegrityError where the validator finds something: that is a bug of ours.
    """
    graphs: dict[str, Graph] = {}
    body = (
        _command_job(tree, places.get(tree.nodes[0].source, place), root_uri)
        if tree.kind == "command"
        else _pipeline_job(tree, StepPlaces(place, places), root_uri, Ports.of(tree), graphs)
    )
    body["properties"]["inputs"] |= {name: _named(one) for name, one in inputs.items()}
    whole = Submission(graphs=tuple(graphs.values()), body=body)
    problems = list(problems_of(whole.body, {graph.id: graph.body for graph in whole.graphs}))
    if problems:
        raise IntegrityError(f"job {tree.job_name} is not sent: {'; '.join(problems[:5])}")
    return whole


def step_component(name: str, version: str, place: JobPlace, digest: str) -> Body:
    """The body of `PUT {workspace}/components/{name}/versions/{version}`. `digest` is that of the step's code."""
    environment = place.environment if "://" in place.environment else f"azureml:{place.environment}"
    spec = {
        "name": name,
        "version": version,
        "display_name": "Replay step",
        "type": "command",
        "is_deterministic": False,
        "command": f"{COMMAND} --out ${{{{outputs.out}}}}",
        "code": f"azureml:{place.code}",
        "environment": environment,
        "resources": {"instance_count": 1},
        "inputs": {
            ROOT: {"type": "uri_folder", "mode": "ro_mount"},
            KEY: {"type": "string"},
            **{f"up{at}": {"type": "uri_folder", "optional": True, "mode": "direct"} for at in range(UP_PORTS)},
        },
        "outputs": {OUT: {"type": "uri_folder", "mode": "upload"}},
        "_source": "CLASS",
    }
    return {
        "properties": {
            "componentSpec": spec,
            "isAnonymous": False,
            "isArchived": False,
            "properties": {"client_component_hash": digest},
            "tags": {},
        }
    }


def _command_job(tree: Tree, place: JobPlace, root_uri: str) -> Body:
    (node,) = tree.nodes
    return {
        "properties": {
            **_job(tree, "Command"),
            "command": COMMAND,
            "codeId": place.code,
            "environmentId": place.environment,
            "environmentVariables": {},
            "inputs": {ROOT: _root(root_uri), KEY: {"jobInputType": "literal", "value": node.folder}},
            "outputs": {},
            "resources": {"instanceCount": 1, "properties": {}},
            **({} if place.compute == "serverless" else {"computeId": place.compute_id}),
        }
    }


@dataclass(frozen=True, slots=True)
class StepPlaces:
    """Where the steps of a tree run."""

    usual: JobPlace
    others: Mapping[RunId, JobPlace]

    def of(self, node: Node) -> JobPlace:
        """Of one leaf."""
        return self.others.get(node.source, self.usual)


def _pipeline_job(tree: Tree, places: StepPlaces, root_uri: str, ports: Ports, graphs: dict[str, Graph]) -> Body:
    place = places.usual
    return {
        "properties": {
            **_job(tree, "Pipeline"),
            "inputs": {ROOT: _root(root_uri)},
            "outputs": {},
            "settings": {
                "default_compute": place.compute_id,
                "default_datastore": f"{place.workspace}/datastores/{place.datastore}",
                "force_rerun": True,
                "continue_on_step_failure": True,
                "_source": "CLASS",
            },
            "jobs": {node.name: _node(node, places, ports, graphs) for node in tree.nodes},
        }
    }


def _job(tree: Tree, kind: str) -> Body:
    described = {} if tree.description is None else {"description": tree.description}
    return {
        "jobType": kind,
        "displayName": tree.display_name,
        **described,
        "experimentName": tree.experiment,
        "isArchived": False,
        "tags": dict(tree.tags),
        "properties": dict(tree.properties),
    }


def _root(uri: str) -> Body:
    return {"jobInputType": "uri_folder", "uri": uri, "mode": "ReadOnlyMount"}


def _named(one: NamedInput) -> Body:
    return {"jobInputType": one.type, "uri": one.id, "mode": "Direct"}


def _node(node: Node, places: StepPlaces, ports: Ports, graphs: dict[str, Graph]) -> Body:
    """The body of a node without tags, which would be part of a nested graph's shape, and which the step sets."""
    grouped = node.kind == "group"
    inputs = {ROOT: "${{parent.inputs.root}}", **({} if grouped else {KEY: node.folder}), **ports.inputs(node)}
    outputs = ports.outputs(node)
    return {
        "name": node.name,
        "type": "pipeline" if grouped else "command",
        "display_name": node.display_name,
        "componentId": _registered(node, places, ports, graphs) if grouped else places.of(node).component,
        "inputs": {name: {"job_input_type": "literal", "value": value} for name, value in inputs.items()},
        **({"outputs": {name: _literal(value) for name, value in outputs.items()}} if outputs else {}),
        "_source": "CLASS" if grouped else "REMOTE.WORKSPACE.COMPONENT",  # how the classes say where it comes from
    }


def _literal(value: str) -> Body:
    return {"type": "literal", "value": value}


def _registered(group: Node, places: StepPlaces, ports: Ports, graphs: dict[str, Graph]) -> str:
    """The ARM id of the group's graph, which is added to `graphs`."""
    folder = {"type": "uri_folder"}
    spec = {
        "type": "pipeline",
        "name": "azureml_anonymous",
        "display_name": group.display_name,
        "inputs": dict.fromkeys((ROOT, *ports.inputs(group)), folder),
        "outputs": dict.fromkeys(ports.given(group), folder),
        "jobs": {child.name: _node(child, places, ports, graphs) for child in group.children},
        "_source": "CLASS",
        "sourceJobId": None,
    }
    version = uuid.uuid5(uuid.NAMESPACE_OID, json_text.dumps(spec, in_order=True).decode())
    body = {"properties": {"componentSpec": spec, "isAnonymous": True, "properties": {}, "tags": {}}}
    found = Graph(id=f"{places.usual.workspace}/components/azureml_anonymous/versions/{version}", body=body)
    graphs.setdefault(found.id, found)
    return found.id
