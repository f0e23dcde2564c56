"""ARM's resources: job documents as submitted, and assets (datastores, computes, data, codes …)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from azureml_sandbox.world.database import Database, Document, dumps, loads
from azureml_sandbox.world.experiments import View

_Arm = Literal["datastores", "computes", "codes", "environments", "components", "data", "models"]
_Plane = Literal["datasets", "assets", "aliases"]
"""What only the data plane knows: datasets of the old kind, what the old SDK registers models from, models' aliases."""
Kind = _Arm | _Plane

_ARCHIVED: dict[View, str] = {"ActiveOnly": "archived = 0", "ArchivedOnly": "archived = 1", "All": "true"}
_ASSET_ARCHIVED: dict[View, str] = {
    "ActiveOnly": "not coalesce(json_extract(document, '$.properties.isArchived'), 0)",
    "ArchivedOnly": "json_extract(document, '$.properties.isArchived')",
    "All": "true",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list is asked for, in which order. The defaults are those of an unfiltered list, oldest first."""

    view: View = "All"
    newest_first: bool = False
    after: int = 0
    """The position at which the page before ended; 0 on the first page."""
    limit: int = 100
    stage: str | None = None
    """Only versions of this stage; None: all."""

    @property
    def where(self) -> str:
        """The conditions; `parameters` fills them in."""
        staged = "(? is null or json_extract(document, '$.properties.stage') = ?)"
        paged = "(? = 0 or seq < ?)" if self.newest_first else "(? = 0 or seq > ?)"
        return f"{_ASSET_ARCHIVED[self.view]} and {staged} and {paged}"

    @property
    def parameters(self) -> tuple[str | int | None, ...]:
        """Those of `where` and `order`."""
        return (self.stage, self.stage, self.after, self.after, self.limit)

    @property
    def order(self) -> str:
        """The order, in which the position `seq` is that of the making."""
        return f"order by seq {'desc' if self.newest_first else 'asc'} limit ?"


@dataclass(frozen=True, slots=True)
class Job:
    """One line of ARM's job list. `document` is None for a root run that ARM never saw being submitted."""

    name: str
    created: int
    seq: int
    document: Document | None


class Jobs:
    """ARM's job resources. Every root run has one, made by `Runs.put`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, workspace: str, document: Document, created: int) -> None:
        """Insert or replace a whole ARM document (`id`, `name`, `type`, `properties`, `systemData`)."""
        self._database.run(
            "insert into job (workspace, name, archived, created, document) values (?, ?, ?, ?, ?)"
            " on conflict (workspace, name) do update set archived = excluded.archived, document = excluded.document",
            workspace,
            document["name"],
            bool((document.get("properties") or {}).get("isArchived")),
            created,
            dumps(document),
        )

    def get(self, workspace: str, name: str) -> Job | None:
        """One job; None where there is none."""
        row = self._database.one(
            "select name, created, seq, document from job where workspace = ? and name = ?", workspace, name
        )
        return Job(row["name"], row["created"], row["seq"], _maybe(row["document"])) if row is not None else None

    def page(
        self, workspace: str, view: View, *, before: tuple[int, int] | None = None, limit: int = 100
    ) -> Sequence[Job]:
        """One page of jobs, newest first; `before` is (created, seq) of the last job of the page before."""
        created, seq = before or (1 << 62, 1 << 62)
        rows = self._database.all(
            f"select name, created, seq, document from job where workspace = ? and (created, seq) < (?, ?)"  # noqa: S608 one of three constants
            f" and {_ARCHIVED[view]} order by created desc, seq desc limit ?",
            workspace,
            created,
            seq,
            limit,
        )
        return [Job(row["name"], row["created"], row["seq"], _maybe(row["document"])) for row in rows]


class Assets:
    """ARM resources other than jobs, as whole documents; version "" is the container (or an unversioned resource)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, workspace: str, kind: Kind, name: str, document: Document, version: str = "") -> None:
        """Insert or replace one resource."""
        self._database.run(
            "insert into asset (workspace, kind, name, version, document) values (?, ?, ?, ?, ?)"
            " on conflict (workspace, kind, name, version) do update set document = excluded.document",
            workspace,
            kind,
            name,
            version,
            dumps(document),
        )

    def get(self, workspace: str, kind: Kind, name: str, version: str = "") -> Document | None:
        """One resource; None where there is none."""
        return self._database.document(
            "select document from asset where workspace = ? and kind = ? and name = ? and version = ?",
            workspace,
            kind,
            name,
            version,
        )

    def page(self, workspace: str, kind: Kind, asked: Listing) -> Sequence[tuple[int, Document]]:
        """Containers (or unversioned resources) of a kind, with the position to go on after."""
        rows = self._database.all(
            "select seq, document from asset where workspace = ? and kind = ? and version = ''"  # noqa: S608 constants
            f" and {asked.where} {asked.order}",
            workspace,
            kind,
            *asked.parameters,
        )
        return [(row["seq"], loads(row["document"])) for row in rows]

    def versions(self, workspace: str, kind: Kind, name: str, asked: Listing) -> Sequence[tuple[int, Document]]:
        """Versions of one asset, with the position to go on after."""
        rows = self._database.all(
            "select seq, document from asset where workspace = ? and kind = ? and name = ? and version != ''"  # noqa: S608 constants
            f" and {asked.where} {asked.order}",
            workspace,
            kind,
            name,
            *asked.parameters,
        )
        return [(row["seq"], loads(row["document"])) for row in rows]

    def delete(self, workspace: str, kind: Kind, name: str, version: str = "") -> None:
        """Remove one resource. Repeatable."""
        self._database.run(
            "delete from asset where workspace = ? and kind = ? and name = ? and version = ?",
            workspace,
            kind,
            name,
            version,
        )

    def newest(self, workspace: str, kind: Kind, name: str) -> Document | None:
        """The version of an asset that was made last and is not archived; None where there is none."""
        found = self.versions(workspace, kind, name, Listing("ActiveOnly", newest_first=True, limit=1))
        return found[0][1] if found else None

    def codes_of_hash(self, workspace: str, digest: str) -> Sequence[tuple[int, Document]]:
        """Code versions with this SHA-256 of their bytes, whatever their name."""
        rows = self._database.all(
            "select seq, document from asset where workspace = ? and kind = 'codes'"
            " and json_extract(document, '$.properties.properties.hash_sha256') = ?",
            workspace,
            digest,
        )
        return [(row["seq"], loads(row["document"])) for row in rows]


def _maybe(text: str | None) -> Document | None:
    return loads(text) if text is not None else None
