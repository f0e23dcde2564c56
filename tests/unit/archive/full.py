"""An archive with a row in every table, written as the commands write them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState
from azureml_replay.archive.assets import AssetExtraction
from azureml_replay.archive.database import now
from azureml_replay.archive.edits import Acceptance, Edit, digest
from azureml_replay.archive.evidence import Topic, Way
from azureml_replay.archive.imports import Imported
from azureml_replay.archive.items import ChunkItem, FileItem, Payload, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.sessions import Session, SessionPart
from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    CodeReference,
    Differing,
    Experiment,
    Finding,
    Job,
    Location,
    Omission,
    Points,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.workspace.asset import (
    Asset,
    AssetContainer,
    AssetKey,
    AssetKind,
    AssetUse,
    OutsideKind,
    mention_of_place,
)
from azureml_replay.workspace.traffic import ServiceTraffic
from looks import looked_at

SOURCE, TARGET = azure_place("sub", "Group", "source"), azure_place("sub", "group", "target")
R1, R2 = RunId("r1"), RunId("r2")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), more={"labels": {"b": 1.5, "a": [1]}})
MIXED = Series(key=SeriesKey("mixed", "eval"), columns=(("a", "Double"), ("b", "String")))
ROWS = [(0, 10, (0.5, "é")), (None, 11, (float("nan"), None)), (2, 12, (2**70, "x")), (3, None, (-0.0, True))]
PARENT = Run(id=R1, experiment="e", status="Completed", tags={"b": "1", "a": None}, parameters={"lr": 0.1})
CHILD = Run(
    id=R2, parent=R1, experiment="e", status="Failed", properties={"password": "x"}, document={"object": {"float": 1}}
)
WEIGHTS = b"weights of a model"


def full(folder: Path) -> Path:
    """Two runs, of which one was replayed and verified."""
    with Archive.create(folder, SOURCE, redact=("*.private",)) as archive:
        archive.log_command(["azureml-replay", "extract"])
        listed(archive)
        extracted(archive, PARENT, losses(0, 30), losses(30, 40), files=FILES)
        extracted(archive, CHILD, Points.of(MIXED, ROWS), losses(0, 3))
        kept(archive)
        noted(archive)
        replayed(archive)
        of_assets(archive)
    return folder


def losses(start: int, stop: int) -> Points:
    """Rows of one long series."""
    return Points.of(LOSS, [(step, 100 + step, (1 / (step + 1),)) for step in range(start, stop)])


def file(path: str, size: int, *, gone: str | None = None) -> Artifact:
    """With its bytes in the storage, or gone from it."""
    place = Location("store", f"runs/r1/{path}")
    stored = StoredFile(location=place, size_bytes=size, etag="0x1", metadata={"b": "1", "a": "2"})
    return Artifact(path=path, location=place, indexed=True, stored=None if gone else stored, gone=gone)


FILES = (file("model.bin", len(WEIGHTS)), file("lost.txt", 1, gone="404 from storage at 2026-01-02T03:04:05Z"))


def listed(archive: Archive) -> None:
    """What pages of the lists bring."""
    archive.put_experiments([Experiment(id="1", name="e", description="of all")])
    archive.put_jobs([Job(R1, {"properties": {"x": 1.25}})])
    archive.put_listed([PARENT, CHILD])
    archive.arrange()
    archive.select([R1, R2])
    archive.put_omissions([Omission(RunId("cut"), "run", "cut by --depth")])


def extracted(archive: Archive, run: Run, *pieces: Points, files: tuple[Artifact, ...] = ()) -> None:
    """One run from beginning to end."""
    archive.begin(run.id)
    archive.put_details(RunDetails(run=run))
    for piece in pieces:
        archive.put_chunk(run.id, [piece])
    archive.put_series(run.id, [piece.series for piece in pieces])
    archive.put_artifacts(run.id, files)
    archive.put_omissions([Omission(run.id, "metric x", "left out")])
    archive.complete(run.id)


def kept(archive: Archive) -> None:
    """Bytes of a file, and code that could not be had."""
    (stored,) = (one.stored for one in FILES if one.stored)
    with archive.incoming(stored) as incoming:
        incoming.add(WEIGHTS)
        archive.keep(incoming)
    archive.lack_code(CodeReference(snapshot="s1"), "404")
    archive.put_stored("r1", [stored])


def of_assets(archive: Archive) -> None:
    """A model that a run made, what it names, what was not to be had, and what became of it."""
    key = AssetKey(AssetKind.MODEL, "m", "1")
    place = Location("store", "uploads/m/")
    use = AssetUse("flavors.environment", "azureml:e:1", key=AssetKey(AssetKind.ENVIRONMENT, "e", "1"))
    content = {"type": "custom_model", "lies": mention_of_place(place)}
    model = Asset(key=key, content=content, tags={"a": None}, run=R1, place=place, uses=(use,), created=Instant(7))
    archive.put_assets([replace(model, document={"properties": {"x": 1.25}}, unknown=("novelty",))])
    archive.put_asset_container(AssetContainer(kind=AssetKind.MODEL, name="m", description="d", unknown=("novelty",)))
    archive.put_asset_files(key, [StoredFile(location=place, size_bytes=3, md5=b"5", metadata={"a": "1"})])
    archive.lack_asset(AssetKey(AssetKind.ENVIRONMENT, "e", "1"), "404")
    outside = AssetUse("environmentId", "azureml:AzureML-x:1", outside=OutsideKind.CURATED)
    archive.put_uses(R1, [outside, AssetUse("outputs.m", "azureml:m:1", key=key)])
    archive.put_asset_extraction(AssetExtraction("referenced", frozenset(AssetKind)))
    receipt = AssetReceipt(
        key=key,
        state=AssetState.SENT,
        there=replace(key, version="2"),
        planned=model.identity,
        answered=model.identity,
        fields=model.fields,
        detail="d",
        looked=Instant(9),
        found=(Finding(RunId(""), "model m:1: description", "differs", "1", "2"),),
    )
    archive.ledger(TARGET).put_asset_receipt(receipt)


def noted(archive: Archive) -> None:
    """What tells of moments."""
    archive.mark_imported(Imported("jobs.json", b"digest", files=True))
    archive.put_studio(SOURCE, "https://studio")
    archive.put_asset_naming(TARGET, "azureml://locations/here/workspaces/guid/data/a/versions/1")
    archive.put_examination(SOURCE, "source", [{"probe": "roles"}])
    part = SessionPart(verb="extract", seconds=1.5, counts={"runs": 2})
    traffic = {"source runs": ServiceTraffic(3, 0, [(0, 8)])}
    archive.put_session(
        Session(command="extract", began=now(), ended=now(), outcome="done", parts=(part,), traffic=traffic)
    )


def replayed(archive: Archive) -> None:
    """A ledger with something of each kind."""
    ledger = archive.ledger(TARGET)
    ledger.put_probe({"run": "p", "lost": ["hidden"], "experiments": [], "added": []})
    ledger.carry({R1: {"files": {"artifacts": True, "globs": [], "most_bytes": None}}}, Way.RUN)
    ledger.mark(R1, {RunItem.CREATE: Payload(b"1"), ChunkItem(0): Payload(b"2", rows=30)}, State.SENDING)
    ledger.mark(R1, [RunItem.CREATE, ChunkItem(0)], State.SENT)
    ledger.mark(R1, {FileItem("model.bin"): Payload(b"3", size_bytes=18)}, State.SENT)
    ledger.bind({R1: RunId("there")})
    ledger.put_sent({R1: {"tag b": "1"}})
    ledger.put_sent_files(R1, {"model.bin": StoredFile(location=Location("", "model.bin"), size_bytes=18)})
    one, two = (digest("tag b", {"tag b": value}) for value in "12")
    edit = Edit(what="tag b", expected="1", actual="2", sent=one, wanted=one, found=two, since=Instant(1))
    ledger.put_edits(R1, [replace(edit, accepted=Acceptance("an auditor", Instant(2)))])
    looked_at(ledger, R1, [Finding(R1, "tag b", "differs", "1", "2")], {"points": 40})
    ledger.put_planned_omissions(Topic(Way.RUN, R1), [Omission(R1, "file lost.txt", "gone")])
    few = losses(0, 2)
    ledger.put_target_points(
        R1,
        [Differing(series=LOSS, rows=2, differing=1, held=few, expected=few, actual=few, absent=few, extra=few)],
    )
