"""Experiments: wire documents (`Experiment` of run-history.json) by id and by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import uuid4

from azureml_sandbox import instants
from azureml_sandbox.world.database import Database, Document, dumps, loads

View = Literal["ActiveOnly", "ArchivedOnly", "All"]

_ARCHIVED: dict[View, str] = {"ActiveOnly": "archived = 0", "ArchivedOnly": "archived = 1", "All": "true"}


class Experiments:
    """The experiments of every workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, workspace: str, experiment_id: str) -> Document | None:
        """The experiment of this id; None where there is none."""
        return self._database.document(
            "select document from experiment where workspace = ? and experiment_id = ?",
            workspace,
            experiment_id.lower(),
        )

    def named(self, workspace: str, name: str) -> Document | None:
        """The experiment of this name, archived or not; None where there is none."""
        return self._database.document(
            "select document from experiment where workspace = ? and name = ?", workspace, name
        )

    def create(
        self, workspace: str, name: str, *, experiment_id: str | None = None, created: int | None = None
    ) -> Document:
        """A new experiment with the service's own fields. Raises sqlite3.IntegrityError where name or id is taken."""
        document: Document = {
            "experimentId": experiment_id or str(uuid4()),
            "name": name,
            "description": None,
            "createdUtc": instants.text(created if created is not None else instants.now()),
            "tags": {},
            "archivedTime": None,
            "retainForLifetimeOfWorkspace": False,
            "artifactLocation": None,
        }
        self._database.run(
            "insert into experiment (workspace, experiment_id, name, archived, document) values (?, ?, ?, 0, ?)",
            workspace,
            document["experimentId"].lower(),
            name,
            dumps(document),
        )
        return document

    def obtain(self, workspace: str, name: str) -> Document:
        """The experiment of this name, made now if there is none."""
        return self.named(workspace, name) or self.create(workspace, name)

    def put(self, workspace: str, document: Document) -> None:
        """Insert or replace by `experimentId`; keys the service does not know are kept."""
        self._database.run(
            "insert into experiment (workspace, experiment_id, name, archived, document) values (?, ?, ?, ?, ?)"
            " on conflict (workspace, experiment_id) do update set name = excluded.name,"
            " archived = excluded.archived, document = excluded.document",
            workspace,
            document["experimentId"].lower(),
            document["name"],
            document.get("archivedTime") is not None,
            dumps(document),
        )

    def page(self, workspace: str, view: View, *, after: int = 0, limit: int = 100) -> Sequence[tuple[int, Document]]:
        """At most `limit` experiments in the order of their creation, each with the position to go on `after`."""
        rows = self._database.all(
            f"select seq, document from experiment where workspace = ? and seq > ? and {_ARCHIVED[view]}"  # noqa: S608 one of three constants
            " order by seq limit ?",
            workspace,
            after,
            limit,
        )
        return [(row["seq"], loads(row["document"])) for row in rows]

    def delete(self, workspace: str, experiment_id: str) -> None:
        """Remove an experiment, which must have no runs any more."""
        self._database.run(
            "delete from experiment where workspace = ? and experiment_id = ?", workspace, experiment_id.lower()
        )
