"""Assets that `doctor` makes to see what a workspace keeps of them (pure).

Names and contents are the same in each workspace and each time, but for models, which belong to the throw-away run.
"""

from __future__ import annotations

import hashlib

from azureml_replay.azure.wire.decode_assets import STORE, asset
from azureml_replay.azure.wire.naming import Port, Scope
from azureml_replay.azure.wire.places import ARTIFACT_STORE, place_of
from azureml_replay.model import Json, RunId
from azureml_replay.workspace.asset import Asset, AssetKind
from azureml_replay.workspace.examined import TRIAL_FILE, TRIAL_FOLDER, TrialAssets
from azureml_replay.workspace.lease import OWN_EXPERIMENT
from azureml_replay.workspace.reader import Document

NAME = OWN_EXPERIMENT
TREE = f"{NAME}-tree"
OUTPUT = "probe"
_SENTENCE = "Made once to see what this workspace keeps of assets; archived, and safe to delete."


def trial_assets(run: RunId, scope: Scope, *, other: bool) -> TrialAssets:
    """One of each, as they are sent; with `other`, something else under the same names and versions."""
    number = str(int(hashlib.blake2b(run.encode(), digest_size=3).hexdigest(), 16) + 1)
    workspace = (
        f"/subscriptions/{scope.subscription}/resourceGroups/{scope.group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{scope.workspace}"
    )

    def model(kind: str, path: str) -> Document:
        where = place_of(run, "outputs/other" if other else path).path
        uri = f"azureml://datastores/{ARTIFACT_STORE}/paths/{where}"
        return {"modelType": kind, "modelUri": uri, "jobName": run}

    word = "false" if other else "true"
    leaf = {"type": "command", "command": word, "name": NAME, "version": "1"}
    leaf["environment"] = f"{workspace}/environments/{NAME}/versions/1"
    jobs: Json = {"a": {"component": f"{workspace}/components/{NAME}/versions/1", "type": "command"}}
    tree: Json = {"type": "pipeline", "jobs": jobs, "name": TREE, "version": "1"}
    uri = f"azureml://datastores/{STORE}/paths/{NAME}/{word}"
    custom = model("custom_model", TRIAL_FILE)

    def read(kind: AssetKind, said: Document, version: str = "1", name: str = NAME) -> Asset:
        told: dict[str, Json] = {"description": _SENTENCE, "isArchived": False, **said}
        return asset({"name": version, "properties": told}, kind, name, scope)

    def port(kind: AssetKind, side: str, said: Document) -> Asset:
        return read(kind, said, name=Port(run, side, OUTPUT).key(kind).name)

    return TrialAssets(
        custom=read(AssetKind.MODEL, custom, number),
        flow=read(AssetKind.MODEL, model("mlflow_model", TRIAL_FOLDER), number, f"{NAME}-flow"),
        text=read(AssetKind.MODEL, custom, f"0.0.{number}-text"),
        data=read(AssetKind.DATA, {"dataType": "uri_file", "dataUri": uri}),
        environment=read(AssetKind.ENVIRONMENT, {"image": "debian" if other else "ubuntu"}),
        component=read(AssetKind.COMPONENT, {"componentSpec": leaf}),
        tree=read(AssetKind.COMPONENT, {"componentSpec": tree}, name=TREE),
        output=port(AssetKind.DATA, "output", {"dataType": "uri_file", "dataUri": uri}),
        input=port(AssetKind.DATA, "input", {"dataType": "uri_file", "dataUri": uri}),
        output_model=port(AssetKind.MODEL, "output", custom),
        input_model=port(AssetKind.MODEL, "input", custom),
    )
