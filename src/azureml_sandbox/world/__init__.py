"""The state of a sandbox: workspaces, and for each its experiments, runs, metrics, artifacts, jobs and assets.

The state is one SQLite file (WAL mode) and survives a restart; only this package speaks SQL. Everything but the
workspaces themselves is addressed by the workspace's `guid`. The service's limits are checked by the handlers, not
here: loaded recordings break them, as the service's own values do.

    world = World.open(folder / "world.db")
    world.add_workspace(Workspace("ws", subscription, "group", "eastus", tenant, guid, "account"))
    with world.transaction():                          # all or nothing; never await inside
        experiment = world.experiments.obtain(guid, "train")
        world.runs.put(guid, {"runId": "r1", "experimentId": experiment["experimentId"], "createdUtc": ..., ...})
        world.metrics.append(guid, scalar("dcid.r1", "loss"), rows)
        world.artifacts.register(guid, ("ExperimentRun", "dcid.r1"), "outputs/model.pkl")
        world.jobs.put(guid, arm_document, created_ticks)
        world.assets.put(guid, "environments", "sklearn", document, version="1")
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path

from azureml_sandbox.world.artifacts import ARTIFACT_STORE, RUN_ORIGIN, Artifacts
from azureml_sandbox.world.database import Database, Document
from azureml_sandbox.world.deletions import Deletions, Stage
from azureml_sandbox.world.experiments import Experiments, View
from azureml_sandbox.world.late_changes import LateChanges
from azureml_sandbox.world.metrics import SCALAR, Metrics, Series, scalar
from azureml_sandbox.world.repeatable import RepeatableSteps
from azureml_sandbox.world.resources import Assets, Job, Jobs, Kind, Listing
from azureml_sandbox.world.runs import Column, Comparison, Condition, Either, Every, Operator, RunQuery, Runs

__all__ = [
    "ARTIFACT_STORE",
    "BLOB_STORE",
    "RUN_ORIGIN",
    "SCALAR",
    "Column",
    "Comparison",
    "Condition",
    "Document",
    "Either",
    "Every",
    "Job",
    "Kind",
    "Listing",
    "Operator",
    "RunQuery",
    "Series",
    "Stage",
    "View",
    "Workspace",
    "World",
    "scalar",
]

BLOB_STORE = "workspaceblobstore"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One Azure ML workspace and its storage account."""

    name: str
    subscription_id: str
    resource_group: str
    region: str
    tenant_id: str
    guid: str
    """`workspaceId` on the wire; asset ids and the blob store's container carry it."""
    account: str

    @property
    def arm_id(self) -> str:
        """`/subscriptions/…/workspaces/{name}`, in the case it was made with."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )

    @property
    def api(self) -> str:
        """Base URL of the data plane in the workspace's region."""
        return f"https://{self.region}.api.azureml.ms"

    @property
    def containers(self) -> dict[str, str]:
        """Blob container behind each of the two datastores that every workspace has."""
        return {BLOB_STORE: f"azureml-blobstore-{self.guid}", ARTIFACT_STORE: "azureml"}


class World:
    """The state of one sandbox."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.experiments = Experiments(database)
        self.runs = Runs(database)
        self.late_changes = LateChanges(database, self.runs)
        self.deletions = Deletions(database, self.runs)
        self.metrics = Metrics(database)
        self.artifacts = Artifacts(database)
        self.jobs = Jobs(database)
        self.assets = Assets(database)
        self.repeatable = RepeatableSteps(database)

    @classmethod
    def open(cls, path: Path) -> World:
        """The world in this file, made now if there is none."""
        return cls(Database(path))

    def close(self) -> None:
        """Close the file."""
        self._database.sql.close()

    def transaction(self) -> AbstractContextManager[None]:
        """A transaction, all or nothing; an inner one joins the outer one.

        Never await inside: all requests share the connection.
        """
        return self._database.transaction()

    def add_workspace(self, workspace: Workspace) -> None:
        """Add a workspace with its experiment `Default`. Raises sqlite3.IntegrityError where name or guid is taken."""
        with self.transaction():
            self._database.run(
                "insert into workspace (guid, address, name, subscription_id, resource_group, region, tenant_id,"
                " account) values (?, ?, ?, ?, ?, ?, ?, ?)",
                workspace.guid,
                _address(workspace.subscription_id, workspace.resource_group, workspace.name),
                workspace.name,
                workspace.subscription_id,
                workspace.resource_group,
                workspace.region,
                workspace.tenant_id,
                workspace.account,
            )
            self.experiments.create(workspace.guid, "Default")

    def workspaces(self) -> Sequence[Workspace]:
        """All workspaces, in the order of their addresses."""
        return [_workspace(row) for row in self._database.all("select * from workspace order by address")]

    def workspace(self, subscription: str, group: str, name: str) -> Workspace | None:
        """The workspace of this address, whatever its case; None where there is none."""
        row = self._database.one("select * from workspace where address = ?", _address(subscription, group, name))
        return _workspace(row) if row is not None else None


def _workspace(row: sqlite3.Row) -> Workspace:
    return Workspace(**{field.name: row[field.name] for field in fields(Workspace)})


def _address(subscription: str, group: str, name: str) -> str:
    return f"{subscription}/{group}/{name}".lower()
