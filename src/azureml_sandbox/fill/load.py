"""`azureml-sandbox load`: writes recorded answers of the service into a workspace.

The service's limits are not checked, because recorded values break them. Loading a file again changes nothing: ids
that the recorder masked are made from the file's name and the answer's position, and existing content stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from azureml_sandbox import instants
from azureml_sandbox.assets import implicit
from azureml_sandbox.fill.recorded import completion
from azureml_sandbox.fill.recorded.completion import is_made_up
from azureml_sandbox.fill.recorded.content import RUN_FILE, File, Harvest
from azureml_sandbox.fill.recorded.harvest import harvest
from azureml_sandbox.fill.recorded.recordings import Recording, read
from azureml_sandbox.fill.recorded.rewriting import Rewriting
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.server import state
from azureml_sandbox.server.blobs import Blobs
from azureml_sandbox.server.opened import opened
from azureml_sandbox.world import ARTIFACT_STORE, BLOB_STORE, RUN_ORIGIN, Document, Workspace, World

_UNNAMED = "experiment-"
"""The beginning of the name of an experiment of which only the id was recorded."""


@dataclass(slots=True)
class Loaded:
    """The outcome of a load, each part by kind of content."""

    came: dict[str, set[str]] = field(default_factory=dict)
    """Ids that the recordings hold, whether they existed before or not."""
    new: dict[str, set[str]] = field(default_factory=dict)
    """Ids that this load wrote or changed."""
    made_up: dict[str, set[str]] = field(default_factory=dict)
    """Names of what had to be made up to complete the content."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason to the number of answers or values that were left out for it."""
    files: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """Recording to the ids that it holds, by kind."""


def load(folder: Path, workspace: str, paths: Iterable[Path]) -> Loaded:
    """Put recordings into a workspace of the sandbox that runs over `folder`.

    Raises:
        Problem: a file is no recording, no sandbox runs over the folder, or no workspace has this name; nothing is
            loaded then.
    """
    recordings, loaded = list(read(paths)), Loaded()
    state.running(folder)
    with opened(folder, workspace) as (world, target), closing(Blobs.of(folder, target)) as blobs:
        for recording in recordings:
            _Filling(world, target, loaded, recording).fill(blobs)
    return loaded


class _Filling:
    """Writes one recording into the world."""

    def __init__(self, world: World, workspace: Workspace, loaded: Loaded, recording: Recording) -> None:
        self._world, self._workspace, self._guid = world, workspace, workspace.guid
        self._loaded = loaded
        self._gave = loaded.files.setdefault(recording.name, {})
        self._harvest: Harvest = harvest(recording, Rewriting(recording, workspace, self._taken))
        loaded.left_out += self._harvest.left_out

    def fill(self, blobs: Blobs) -> None:
        """Write documents in one transaction, then files; loading again mends an entry that lacks its blob."""
        with self._world.transaction():
            self._runs()
            self._jobs()
            self._series()
            self._assets()
            self._outputs()
            self._artifacts()
        for (datastore, name), file in self._harvest.files.items():
            self._file(blobs, datastore, name, file)

    def _taken(self, name: str, created: str | None) -> bool:
        known = self._world.runs.get(self._guid, name)
        return known is not None and created is not None and not _same_time(known["createdUtc"], created)

    def _add(self, kind: str, name: str, *, new: bool) -> None:
        for found in (self._loaded.came, self._gave, *((self._loaded.new,) if new else ())):
            found.setdefault(kind, set()).add(name)

    def _invented(self, kind: str, name: str) -> None:
        self._loaded.made_up.setdefault(kind, set()).add(name)

    def _runs(self) -> None:
        """Write root runs that only ARM answered, recorded runs, and parents that no recording holds."""
        recorded = self._harvest.runs
        for name, job in self._harvest.jobs.items():
            if name not in recorded:
                self._put_run(completion.from_job(job, self._experiment_of_job(job), self._harvest.seen[name]))
        for run in sorted(recorded.values(), key=lambda run: run.get("parentRunId") is not None):
            self._recorded(run)

    def _recorded(self, run: Document) -> None:
        experiment = self._experiment(run.get("experimentId"), self._experiment_name(run))
        parent = run.get("parentRunId")
        if parent and self._world.runs.get(self._guid, parent) is None:
            siblings = [each for each in self._harvest.runs.values() if each.get("parentRunId") == parent]
            self._put_run(completion.parent_of(siblings, parent, experiment))
        known = self._world.runs.get(self._guid, parent) if parent else None
        self._put_run(completion.whole(run, experiment, known))

    def _put_run(self, run: Document) -> None:
        known = self._world.runs.get(self._guid, run["runId"])
        if known is not None and not _same_time(known["createdUtc"], run["createdUtc"]) and not is_made_up(known):
            self._loaded.left_out["runs whose id another run has"] += 1
            return
        worse = known is not None and is_made_up(run) and not is_made_up(known)
        new = not worse and run != known
        if new:
            self._world.runs.put(self._guid, run)
        if is_made_up(run) and not worse:
            self._invented("runs", run["runId"])
        self._add("runs", run["runId"], new=new)

    def _experiment_name(self, run: Document) -> str | None:
        root = self._harvest.jobs.get(run.get("rootRunId") or run["runId"])
        if root is not None:
            return str(root["properties"]["experimentName"])
        return self._harvest.experiments.get(run.get("experimentId") or "")

    def _experiment_of_job(self, job: Document) -> str:
        children = [run for run in self._harvest.runs.values() if run.get("parentRunId") == job["name"]]
        hint = children[0]["experimentId"] if children else completion.experiment_hint(job)
        return self._experiment(hint, job["properties"]["experimentName"])

    def _experiment(self, experiment_id: str | None, name: str | None) -> str:
        """The experiment's id in this workspace: recordings come from many, where one name has many ids."""
        experiments = self._world.experiments
        if name and (found := experiments.named(self._guid, name)):
            self._add("experiments", found["name"], new=False)
            return str(found["experimentId"])
        found = experiments.get(self._guid, experiment_id) if experiment_id else None
        if found is None:
            found = experiments.create(
                self._guid,
                name or f"{_UNNAMED}{experiment_id}",
                experiment_id=experiment_id or stable_guid(self._guid, name),
            )
            if not (name and experiment_id):
                self._invented("names or ids of experiments", found["name"])
            self._add("experiments", found["name"], new=True)
        elif name and found["name"].startswith(_UNNAMED):
            experiments.put(self._guid, found | {"name": name})
        return str(found["experimentId"])

    def _jobs(self) -> None:
        for name, job in self._harvest.jobs.items():
            known = self._world.jobs.get(self._guid, name)
            new = known is None or known.document != job
            if new:
                run = self._world.runs.get(self._guid, name)
                assert run is not None  # noqa: S101 `_runs` put one for every job
                self._world.jobs.put(self._guid, job, instants.parse(run["createdUtc"]))
            self._add("jobs", name, new=new)

    def _series(self) -> None:
        for series, rows in self._harvest.series.values():
            known = self._world.metrics.rows(self._guid, series, limit=1_000_000)
            there = {row["metricId"] for _, row in known}
            fresh = [row for row in rows if row["metricId"] not in there]
            if fresh:
                self._world.metrics.append(self._guid, series, fresh)
            self._add("metrics", f"{series.container}/{series.namespace}/{series.name}", new=bool(fresh))

    def _assets(self) -> None:
        assets = self._world.assets
        for (kind, name, version), document in self._harvest.assets.items():
            known = assets.get(self._guid, kind, name, version)
            if known is None:
                assets.put(self._guid, kind, name, document, version)
            elif known != document:
                self._loaded.left_out["assets described otherwise than by an earlier recording"] += 1
            self._add(kind, f"{name}:{version}".removesuffix(":"), new=known is None)
            if version and assets.get(self._guid, kind, name) is None:
                assets.put(self._guid, kind, name, _container(name, document))
                self._invented("containers of assets", f"{kind}/{name}")

    def _outputs(self) -> None:
        """Make the data that stands for outputs of runs, where no recording holds it."""
        for name in self._harvest.runs:
            run = self._world.runs.get(self._guid, name) or {}
            for output, told in (run.get("outputs") or {}).items():
                address = implicit.parse(self._workspace, str((told or {}).get("assetId")))
                if address is None or self._world.assets.get(self._guid, address.kind, address.name, address.version):
                    continue
                if output == "default":
                    implicit.put_default(self._world, self._workspace, run)
                elif address.kind == "data":
                    uri = f"azureml://datastores/{BLOB_STORE}/paths/azureml/{name}/{output}/"
                    implicit.put_data(self._world, self._workspace, address.name, uri, "uri_folder")

    def _artifacts(self) -> None:
        """Write registered entries, and one for each file of a run's container, as the service indexes them."""
        for entry in self._harvest.artifacts:
            self._entry(entry)
        for container, path in dict.fromkeys(self._harvest.logs):
            blob = (ARTIFACT_STORE, f"{RUN_ORIGIN}/{container}/{path}")
            if blob not in self._harvest.files:
                self._harvest.files[blob] = File(b"", append=True)
                self._invented("empty logs, listed but never read", blob[1])
        for (datastore, name), file in self._harvest.files.items():
            if datastore == ARTIFACT_STORE and (found := RUN_FILE.fullmatch(name)):
                self._entry(_index_entry(found[1], found[2], file))

    def _entry(self, entry: Document) -> None:
        place = (entry["origin"], entry["container"])
        new = self._world.artifacts.get(self._guid, place, entry["path"]) is None
        if new:
            self._world.artifacts.put(self._guid, entry)
        self._add("artifacts", entry["artifactId"], new=new)

    def _file(self, blobs: Blobs, datastore: str, name: str, file: File) -> None:
        data = file.data or b""
        new = blobs.read(datastore, name) != data
        if new:
            blobs.put(
                datastore,
                name,
                data,
                append=file.append,
                digested=file.digested,
                content_type=file.content_type,
                metadata=file.metadata,
            )
        self._add("blobs", f"{datastore}/{name}", new=new)


def _index_entry(container: str, path: str, file: File) -> Document:
    artifact_id = f"{RUN_ORIGIN}/{container}/{path}"
    return {
        "artifactId": artifact_id,
        "origin": RUN_ORIGIN,
        "container": container,
        "path": path,
        "etag": f'"{stable_guid(artifact_id)}"',
        "createdTime": instants.text(file.created) if file.created is not None else instants.UNSET,
        "dataPath": {"dataStoreName": ARTIFACT_STORE, "relativePath": artifact_id, "sqlDataPath": None},
        "tags": {},
    }


def _container(name: str, version: Document) -> Document:
    """The container of an asset's versions, which answers about versions do not show."""
    properties = version["properties"]
    kept: Mapping[str, object] = {key: properties[key] for key in ("dataType",) if key in properties}
    return {
        "id": version["id"].partition("/versions/")[0],
        "name": name,
        "type": version["type"].removesuffix("/versions"),
        "properties": {
            "description": None,
            "tags": {},
            "properties": {},
            "isArchived": False,
            "latestVersion": version["name"],
            "nextVersion": None,
            **kept,
        },
        "systemData": version.get("systemData"),
    }


def _same_time(one: str, other: str) -> bool:
    return instants.parse(one) == instants.parse(other)
