"""One history with a value in every field that a run carries, and ways to change one of them in a target."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from azure.storage.blob import BlobBlock, ContentSettings

from azureml_replay.planning.lineage import PROPERTY
from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.protocol import errors
from azureml_sandbox.server.blobs import Blobs
from azureml_sandbox.server.opened import opened
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, Document, Series, Workspace, World, scalar

HOME = "verdict"
BEGIN = instants.parse("2023-04-05T06:07:08.1234567+00:00")
FILE = "outputs/model.bin"
BYTES = b"weights \x00\x01\x02"
OTHER_BYTES = b"weights \x00\x01\x03"


@dataclass(frozen=True)
class Held:
    """What a workspace holds, to be changed behind the service's back."""

    world: World
    there: Workspace
    blobs: Blobs

    @property
    def guid(self) -> str:
        """By which the world knows the workspace."""
        return self.there.guid

    def run(self, name: str = "root") -> Document:
        """A run's stored document."""
        found = self.world.runs.get(self.guid, name)
        assert found is not None
        return found

    def home(self) -> Document:
        """The experiment's stored document."""
        found = self.world.experiments.named(self.guid, HOME)
        assert found is not None
        return found

    def rows(self, name: str = "loss") -> tuple[Series, list[Document]]:
        """A series of the root, and its rows."""
        series = self.world.metrics.get(self.guid, "dcid.root", name)
        assert series is not None
        return series, [row for _, row in self.world.metrics.rows(self.guid, series)]

    def blob(self, path: str, run: str = "root") -> Any:
        """A client of one file's blob."""
        return self.blobs._containers[ARTIFACT_STORE].get_blob_client(f"{RUN_ORIGIN}/dcid.{run}/{path}")


def fill(held: Held) -> None:
    """A root with a child; something in every field that a run carries."""
    home = experiment(HOME) | {"description": "what it is for", "tags": {"area": "vision"}}
    held.world.experiments.put(held.guid, home)
    root = finished(empty_run("root", home["experimentId"], BEGIN), "Completed", BEGIN, BEGIN + 10**9)
    root |= {
        "displayName": "the root",
        "description": "as it was",
        "tags": {"team": "blue", "null": None},
        "properties": {"Kept": "True"},
        "parameters": {"lr": "0.1"},
        "inputs": {"data": {"assetId": "azureml://data/1", "type": "UriFolder"}},
        "outputs": {"model": {"assetId": "azureml://model/1", "type": "CustomModel"}},
        "inputDatasets": [
            {
                "identifier": {"savedId": "s", "registeredId": None},
                "consumptionType": "RunInput",
                "inputDetails": {"inputName": "data", "mechanism": "Mount"},
            }
        ],
        "outputDatasets": [{"identifier": {"savedId": "o"}, "outputType": "RunOutput"}],
        "runType": "azureml.scriptrun",
        "runDefinition": {"script": "train.py"},
    }
    child = finished(empty_run("child", home["experimentId"], BEGIN + 5, root), "Failed", BEGIN + 5, BEGIN + 10**8)
    error = errors.error_root({"code": "UserError", "message": "it broke"})
    noticed = {"time": "2023-04-05T06:07:09.1234567+00:00", "componentName": "run-history"}
    for run in (root, child | {"error": {"error": error, **noticed}}):
        held.world.runs.put(held.guid, run)
    for name, at in (("loss", 0), ("accuracy", 1)):
        rows = [row(step, 1 / (step + 3 + at), name) for step in range(5)]
        held.world.metrics.append(held.guid, scalar("dcid.root", name), rows)
    held.world.metrics.append(held.guid, scalar("dcid.root", "stepless"), [row(None, 0.25, "stepless")])
    for path, run, data in ((FILE, "root", BYTES), ("outputs/empty.txt", "root", b""), ("logs/a.txt", "child", b"log")):
        held.world.artifacts.register(held.guid, (RUN_ORIGIN, f"dcid.{run}"), path)
        held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.{run}/{path}", data, append=path.startswith("logs"))


def row(step: int | None, value: Any, name: str = "loss", at: int | None = None) -> Document:
    """As the service keeps it; `at` is ticks after the begin."""
    time = instants.text(BEGIN + (at if at is not None else 1_000 * (step or 0)))
    return {"metricId": f"{name}-{step}", "createdUtc": time, "step": step, "data": {name: value}}


Change = Callable[[Held], None]


def overwrite(blob: Any, data: bytes) -> None:
    """Other bytes under the same name; its type stays, and that it has no MD5."""
    before = blob.get_blob_properties()
    if before.blob_type == "BlockBlob" and before.content_settings.content_md5 is None:
        blob.stage_block("MDE=", data)
        blob.commit_block_list([BlobBlock("MDE=")])
    else:
        blob.upload_blob(data, overwrite=True, blob_type=before.blob_type)


def log_bytes(data: bytes) -> Change:
    """Those of the child's log."""
    return lambda held: overwrite(held.blob("logs/a.txt", "child"), data)


def change(sandbox: Sandbox, workspace: WorkspaceFile, how: Change) -> None:
    """Behind the service's back."""
    with (
        opened(sandbox.folder, workspace.workspace_name) as (world, there),
        closing(Blobs.of(sandbox.folder, there)) as blobs,
    ):
        how(Held(world, there, blobs))


def in_run(change: Callable[[Document], Document], run: str = "root") -> Change:
    """The run's document, changed."""
    return lambda held: held.world.runs.put(held.guid, held.run(run) | change(held.run(run)))


def in_error(change: Callable[[Document], Document]) -> Change:
    """What the child's error says, and when and where."""
    return in_run(lambda run: {"error": run["error"] | change(run["error"])}, "child")


def in_pairs(key: str, added: Document, dropped: str = "") -> Change:
    """Tags, properties or parameters of the root."""
    return in_run(lambda run: {key: {name: v for name, v in run[key].items() if name != dropped} | added})


def in_rows(change: Callable[[list[Document]], list[Document]], name: str = "loss") -> Change:
    """All rows of the root's series, changed; the others written again as they are."""

    def changed(held: Held) -> None:
        kept = [held.rows(other) for other in {"loss", "accuracy", "stepless"} - {name}]
        series, rows = held.rows(name)
        held.world.metrics.delete(held.guid, series.container)
        for one, its in [*kept, (series, change(rows))]:
            if its:
                held.world.metrics.append(held.guid, one, its)

    return changed


def in_row(**change: Any) -> Change:
    """The loss at step 3."""
    return in_rows(lambda rows: [one | change if one["step"] == 3 else one for one in rows])


def in_series(**change: Any) -> Change:
    """How the series is described, its rows as they are."""

    def changed(held: Held) -> None:
        kept = [held.rows(other) for other in ("accuracy", "stepless")]
        series, rows = held.rows()
        held.world.metrics.delete(held.guid, series.container)
        for one, its in [*kept, (replace(series, **change), rows)]:
            held.world.metrics.append(held.guid, one, its)

    return changed


def in_home(**change: Any) -> Change:
    """The experiment's document."""
    return in_experiment(HOME, **change)


def in_experiment(name: str, /, **change: Any) -> Change:
    """The document of one of another name."""

    def write(held: Held) -> None:
        found = held.world.experiments.named(held.guid, name)
        assert found is not None
        held.world.experiments.put(held.guid, found | change)

    return write


def file_bytes(data: bytes, *, told: bytes | None = None) -> Change:
    """Other bytes; with `told`, under the MD5 that storage told before."""

    def changed(held: Held) -> None:
        blob = held.blob(FILE)
        before = blob.get_blob_properties().content_settings.content_md5
        blob.upload_blob(data, overwrite=True)
        if told is not None:
            blob.set_http_headers(ContentSettings(content_md5=before))

    return changed


def index_of(held: Held, path: str, **change: Any) -> None:
    """An entry of the root's index, written or changed."""
    held.world.artifacts.register(held.guid, (RUN_ORIGIN, "dcid.root"), path, **change)


def extra_run(held: Held) -> None:
    """Below the root, and of nobody's planning."""
    below("root", "stranger")(held)


def removed(run: str) -> Change:
    """As the studio deletes a job: it is gone, and its id is taken for good."""

    def go(held: Held) -> None:
        held.world.deletions.add(held.guid, run, 0, [run])
        held.world.deletions.settle(0)

    return go


def below(parent: str, name: str) -> Change:
    """A run of that name, below another one."""

    def add(held: Held) -> None:
        run = empty_run(name, held.home()["experimentId"], BEGIN, held.run(parent))
        held.world.runs.put(held.guid, finished(run, "Completed", BEGIN, BEGIN + 1))

    return add


def move_run(held: Held) -> None:
    """The child, into the experiment that every workspace has."""
    other = held.world.experiments.obtain(held.guid, "Default")
    held.world.runs.put(held.guid, held.run("child") | {"experimentId": other["experimentId"]})


def lineage_told(run: Document) -> Document:
    """The creation a year later."""
    properties = run["properties"]
    return {"properties": properties | {PROPERTY: properties[PROPERTY].replace('"created":"2023', '"created":"2024')}}
