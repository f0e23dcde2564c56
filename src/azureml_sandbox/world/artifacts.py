"""The artifact index: which files are registered, and where their bytes lie. The bytes themselves lie in Azurite."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from azureml_sandbox import instants
from azureml_sandbox.world.database import Database, Document, dumps, loads

ARTIFACT_STORE = "workspaceartifactstore"
RUN_ORIGIN = "ExperimentRun"

Address = tuple[str, str]
"""Origin and container, for example ("ExperimentRun", "dcid.r1")."""


class Artifacts:
    """The artifact index of every workspace, ordered by path within origin and container."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(
        self,
        workspace: str,
        address: Address,
        path: str,
        *,
        datastore: str = ARTIFACT_STORE,
        relative_path: str | None = None,
        created: int | None = None,
    ) -> Document:
        """Insert or replace one entry; without `relative_path` its bytes lie at `{origin}/{container}/{path}`."""
        origin, container = address
        document: Document = {
            "artifactId": f"{origin}/{container}/{path}",
            "origin": origin,
            "container": container,
            "path": path,
            "etag": f'"{uuid4()}"',
            "createdTime": instants.text(created if created is not None else instants.now()),
            "dataPath": {
                "dataStoreName": datastore,
                "relativePath": relative_path if relative_path is not None else f"{origin}/{container}/{path}",
            },
            "tags": {},
        }
        self.put(workspace, document)
        return document

    def put(self, workspace: str, document: Document) -> None:
        """Insert or replace an `Artifact` document as it is."""
        self._database.run(
            "insert into artifact (workspace, origin, container, path, document) values (?, ?, ?, ?, ?)"
            " on conflict (workspace, origin, container, path) do update set document = excluded.document",
            workspace,
            document["origin"],
            document["container"],
            document["path"],
            dumps(document),
        )

    def get(self, workspace: str, address: Address, path: str) -> Document | None:
        """One entry; None where there is none."""
        return self._database.document(
            "select document from artifact where workspace = ? and origin = ? and container = ? and path = ?",
            workspace,
            *address,
            path,
        )

    def page(
        self, workspace: str, address: Address, *, prefix: str = "", after: str = "", limit: int = 500
    ) -> Sequence[Document]:
        """At most `limit` entries whose path begins with `prefix` and comes after `after`, in the order of paths."""
        rows = self._database.all(
            "select document from artifact where workspace = ? and origin = ? and container = ? and path > ?"
            " and path >= ? and path < ? order by path limit ?",
            workspace,
            *address,
            after,
            prefix,
            prefix + "\U0010ffff",
            limit,
        )
        return [loads(row["document"]) for row in rows]

    def delete(self, workspace: str, address: Address, path: str) -> bool:
        """Remove one entry, not its bytes; False where there is none."""
        return bool(
            self._database.run(
                "delete from artifact where workspace = ? and origin = ? and container = ? and path = ?",
                workspace,
                *address,
                path,
            )
        )
