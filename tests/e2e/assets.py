"""A workspace with assets of every kind, as azure-ai-ml makes them, and what clients tell of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from azure.ai.ml import Input, MLClient, command
from azure.ai.ml.constants import ListViewType
from azure.ai.ml.entities import BuildContext, CommandComponent, Data, Environment, Model
from azure.identity import EnvironmentCredential

from azureml_sandbox.server.sandbox import WorkspaceFile
from sandbox.jobs import API, CLUSTER, Jobs
from sandbox.plane import Plane
from sandbox.test_models import flavoured, of_run

CONDA = {"name": "own", "channels": ["conda-forge"], "dependencies": ["python=3.11", {"pip": ["numpy"]}]}
SHORT = "azureml://datastores/workspaceblobstore/paths/"


def client_of(workspace: WorkspaceFile) -> MLClient:
    """azure-ai-ml, unmodified."""
    names = workspace.subscription_id, workspace.resource_group, workspace.workspace_name
    return MLClient(EnvironmentCredential(), *names)


def filled(jobs: Jobs, folder: Path) -> dict[str, str]:
    """A job with its environment, code and data; models of a run and from disk, out of order, one archived."""
    client, plane = jobs.client, jobs.plane
    (folder / "conda.yaml").write_text(yaml.safe_dump(CONDA))
    client.environments.create_or_update(
        Environment(name="own-env", version="2", image="ubuntu", conda_file=str(folder / "conda.yaml"), tags={"a": "1"})
    )
    (folder / "code").mkdir()
    (folder / "code" / "train.py").write_text("print(1)")
    client.data.create_or_update(Data(name="numbers", version="1", type="uri_file", path=f"{SHORT}numbers.csv"))
    component = client.components.create_or_update(
        CommandComponent(
            name="train",
            version="0.0.1",
            display_name="Train",
            command="true",
            code=str(folder / "code"),
            environment="azureml:own-env:2",
        )
    )
    job = command(
        command="true",
        code=str(folder / "code"),
        environment="azureml:own-env:2",
        compute=CLUSTER,
        inputs={"d": Input(type="uri_file", path="azureml:numbers:1")},
    )
    run = str(jobs.run(job)["runId"])
    models(client, plane, "trained", folder)
    return {"run": run, "component": str(component.id)}


def models(client: MLClient, plane: Plane, run: str, folder: Path) -> None:
    """Of a run, by its files; and from disk: versions out of order, one archived."""
    uri = of_run(plane, run)
    plane.put(run, status="Completed")
    client.models.create_or_update(Model(name="flow", version="1", path=uri, type="mlflow_model", description="d"))
    source = flavoured(folder / "saved")
    for version in ("3", "1", "2"):
        client.models.create_or_update(
            Model(name="disk", version=version, path=str(source), type="custom_model", tags={"v": version})
        )
    client.models.archive("disk", version="1")


def built(client: MLClient, folder: Path) -> None:
    """An environment with a build context; a folder whose path ends with a slash, and a table whose path does not."""
    (folder / "table").mkdir()
    (folder / "table" / "MLTable").write_text("paths:\n- file: ./a.csv\n")
    (folder / "table" / "a.csv").write_text("a\n1\n")
    client.data.create_or_update(Data(name="table", version="1", type="mltable", path=str(folder / "table")))
    client.data.create_or_update(Data(name="tables", version="1", type="uri_folder", path=f"{SHORT}tables/"))
    (folder / "context").mkdir()
    (folder / "context" / "Dockerfile").write_text("FROM ubuntu\n")
    client.environments.create_or_update(
        Environment(name="built", version="1", build=BuildContext(path=str(folder / "context")))
    )


def told(client: MLClient) -> dict[str, Any]:
    """What a client answers, without what differs between any two workspaces."""
    found: dict[str, Any] = {}
    for kind in ("models", "environments", "data", "components"):
        operations = getattr(client, kind)
        for container in operations.list(list_view_type=ListViewType.ALL):
            if kind == "environments" and container.name.startswith("AzureML"):
                continue
            versions = operations.list(container.name, list_view_type=ListViewType.ALL)
            found[f"{kind} {container.name}"] = [(one.version, *facts(kind, one)) for one in versions]
            found[f"{kind} {container.name} latest"] = operations.get(container.name, label="latest").version
    return found


def facts(kind: str, one: Any) -> tuple[object, ...]:
    """Of one version."""
    own = {name: value for name, value in (one.properties or {}).items() if not name.startswith("azureml_replay")}
    shared = (one.description, one.tags, own)
    if kind == "models":
        return (*shared, one.type, one.job_name, str(one.path).partition("/datastores/")[2], one.flavors)
    if kind == "environments":
        context = one.build and str(one.build.path).split("/", 4)[-1]
        return (*shared, one.image, one.conda_file, context)
    if kind == "data":
        return (*shared, one.type, str(one.path).partition("/datastores/")[2])
    return (*shared, one.display_name, one.command)


def small(plane: Plane, run: str = "trained") -> None:
    """By plain requests: an environment, code, a component in a component, data, models of a run and of none."""
    put = partial(_put, plane)
    scope = plane.path
    put("/environments/own/versions/1", image="ubuntu", condaFile=yaml.safe_dump(CONDA))
    leaf = {"type": "command", "command": "true", "environment": f"{scope}/environments/own/versions/1"}
    put("/components/leaf/versions/1", componentSpec={"name": "leaf", "version": "1", **leaf})
    jobs = {"a": {"component": f"{scope}/components/leaf/versions/1", "type": "command"}}
    put("/components/tree/versions/1", componentSpec={"name": "tree", "version": "1", "type": "pipeline", "jobs": jobs})
    put("/data/numbers/versions/1", dataType="uri_file", dataUri=f"{SHORT}numbers.csv")
    uri = of_run(plane, run)
    plane.put(run, status="Completed")
    put("/models/own/versions/2", modelType="mlflow_model", modelUri=uri)
    put("/models/own/versions/1", modelType="mlflow_model", modelUri=uri, tags={"a": "1"}, stage="Staging")
    put("/models/own/versions/2", modelType="mlflow_model", modelUri=uri, isArchived=True)


def _put(plane: Plane, path: str, **properties: Any) -> Any:
    return plane.document("arm", "PUT", path, API, {"properties": properties})


def listed(plane: Plane) -> dict[str, Any]:
    """What a plain list of each kind tells, with its order, without what is the workspace's own."""
    found = {}
    for path in ("environments/own", "components/leaf", "components/tree", "data/numbers", "models/own"):
        versions = plane.arm(f"/{path}/versions", listViewType="All")["value"]
        found[path] = [(one["name"], _plain(one["properties"], plane)) for one in versions]
    return found


def _plain(value: Any, plane: Plane) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one, plane) for key, one in value.items() if key != "azureml_replay"}
    if isinstance(value, list):
        return [_plain(one, plane) for one in value]
    own = (plane.workspace.workspace_name, plane.workspace.resource_group, plane.workspace.subscription_id)
    for name in (*own, plane.properties["workspaceId"]):
        value = value.replace(name, "*") if isinstance(value, str) else value
    return value
