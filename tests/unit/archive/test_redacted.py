"""Nothing unredacted reaches the disk, and each redaction is told. The secrets are made at run time."""

from __future__ import annotations

import json
import secrets
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.checking import check
from azureml_replay.archive.evidence import Topic, Way
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.model import (
    Acting,
    Artifact,
    AssetReference,
    CodeReference,
    Differing,
    Experiment,
    Finding,
    Job,
    Json,
    Location,
    Omission,
    Points,
    Reference,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.redact import NEWEST, VERSION
from looks import looked_at
from old_archives import unpacked
from unit.redact.planted import MAKERS

SOURCE = azure_place("sub", "group", "source")
R1 = RunId("r1")
SECRET = secrets.token_hex(20)
URL = f"https://a.blob.core.windows.net/c/p?sv=1&sig={SECRET}&sp=r"


def dirty(name: str) -> Run:
    held = {"password": SECRET, "plain": "stays"}
    return Run(
        id=RunId(name),
        description=f"see {URL}",
        display_name=f"Bearer 1{SECRET}",
        status="Completed",
        tags=held,
        properties={**held, "url": URL},
        parameters={"deep": {"apiKey": SECRET}},
        inputs={"token": AssetReference(URL, "UriFile")},
        error={"message": URL},
        document={"token": SECRET, "tags": held, "logFiles": {"a": URL}},
    )


def on_disk(folder: Path, archive: Archive) -> bytes:
    """Every byte of the files, and of the compressed documents."""
    tables = ("run_version", "job", "experiment")
    records = [row[0] for table in tables for row in archive._all(f"select record from {table}")]  # noqa: S608
    return b"".join([*map(zlib.decompress, records), *(file.read_bytes() for file in folder.glob("archive.*"))])


def fill(archive: Archive) -> None:
    archive.put_experiments([Experiment(id="1", name="e", tags={"secret": SECRET}, document={"u": URL})])
    archive.put_listed([dirty("r1"), dirty("r2")])
    archive.put_jobs([Job(R1, {"properties": {"environmentVariables": {"MY_KEY": SECRET, "EPOCHS": "3"}}})])
    archive.select([R1])
    archive.begin(R1)
    archive.put_details(RunDetails(run=dirty("r1"), definition={"env": {"X_TOKEN": SECRET}}, specification=[URL]))
    stored = StoredFile(location=Location("s", "p"), size_bytes=1, metadata={"sas": SECRET, "ok": "1"})
    archive.put_stored("dcid.r1", [stored])
    files = [Artifact(path="p", location=f.location, indexed=True, stored=f) for f in archive.stored("dcid.r1")]
    archive.put_artifacts(R1, files)
    archive.put_omissions([Omission(R1, "file q", f"404 from {URL}")])
    archive.log_command(["extract", "--sas-token", SECRET])


def test_no_secret_is_on_the_disk(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        fill(archive)
        assert SECRET.encode() not in on_disk(tmp_path / "a", archive)
        archive.complete(R1)
        assert SECRET.encode() not in on_disk(tmp_path / "a", archive)
        assert b"stays" in on_disk(tmp_path / "a", archive)


def test_the_rest_comes_back_and_stars_stand_where_a_secret_was(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        fill(archive)
        archive.complete(R1)
        run = archive.run(R1)

    assert run is not None
    assert run.tags == {"password": "***", "plain": "stays"}
    assert run.properties["url"] == "https://a.blob.core.windows.net/c/p?sv=1&sig=***&sp=r"
    assert run.parameters == {"deep": {"apiKey": "***"}}
    assert run.inputs["token"].type == "UriFile"
    assert run.document["token"] == "***"  # type: ignore[index,call-overload]


def test_what_a_redacted_value_said_is_not_told_beside_it(tmp_path: Path) -> None:
    """The code that a property and a job's document name."""
    code = f"/subscriptions/s/codes/{SECRET}"
    run = Run(id=R1, status="Completed", properties={"snapshot": SECRET}, code=CodeReference(snapshot=SECRET))
    job = Job(R1, {"properties": {"codeId": code, "name": "x"}}, code=code)
    with Archive.create(tmp_path / "a", SOURCE, redact=["snapshot", "codeId"]) as archive:
        archive.put_listed([run])
        archive.put_jobs([job])
        archive.select([R1])
        archive.begin(R1)
        archive.put_details(RunDetails(run=run))
        archive.complete(R1)
        found, submitted = archive.run(R1), archive.job(R1)
        cells = archive._all("select code from job")
        assert SECRET.encode() not in on_disk(tmp_path / "a", archive)

    assert (found and found.code, submitted and submitted.code, cells) == (CodeReference(snapshot="***"), None, [("",)])


def test_each_redaction_is_an_omission(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        fill(archive)
        archive.complete(R1)
        omissions = list(archive.omissions())

    reason = "redacted: secret"
    assert {omission.reason for omission in omissions} == {reason, f"404 from {URL.replace(SECRET, '***')}"}
    assert [(o.run, o.what) for o in omissions if o.reason == reason] == [
        ("experiment e", "value at experiment e: tags/secret"),
        ("experiment e", "value at experiment e: u"),
        (R1, "value at definition/env/X_TOKEN"),
        (R1, "value at description"),
        (R1, "value at display_name"),
        (R1, "value at error/message"),
        (R1, "value at inputs/token/asset_id"),
        (R1, "value at logFiles/a"),
        (R1, "value at parameters/deep/apiKey"),
        (R1, "value at properties/password"),
        (R1, "value at properties/url"),
        (R1, "value at specification/0"),
        (R1, "value at tags/password"),
        (R1, "value at token"),
        (R1, "metadata sas of file p"),
        (R1, "value at job/properties/environmentVariables/MY_KEY"),
    ]


def test_own_globs_stay_with_the_archive(tmp_path: Path) -> None:
    """A later command without --redact must not write what the first one was told to leave out."""
    Archive.create(tmp_path / "a", SOURCE, redact=["customer*"]).close()
    with Archive.create(tmp_path / "a", SOURCE, redact=["tags/project"]) as archive:
        tags = {"customer_name": SECRET, "project": SECRET, "other": "1"}
        run = Run(id=R1, tags=tags, properties={"project": "stays"})
        archive.put_listed([run])
        (listed,) = archive.listing()
        archive.begin(R1)
        archive.put_details(RunDetails(run=run))

        assert listed.tags == {"customer_name": "***", "project": "***", "other": "1"}
        assert SECRET.encode() not in on_disk(tmp_path / "a", archive)
        assert b"stays" in on_disk(tmp_path / "a", archive)


MADE = [(key, at) for key, makers in MAKERS.items() for at in range(len(makers))]


@pytest.mark.parametrize(("key", "at"), MADE)
def test_each_shape_is_nowhere_on_the_disk(key: str, at: int, tmp_path: Path) -> None:
    """In each place that a workspace has: values, names, texts of rows, metadata, reasons."""
    made, secret = MAKERS[key][at]()
    run, folder = everywhere(made), tmp_path / "a"
    with Archive.create(folder, SOURCE) as archive:
        fill_everywhere(archive, run, made)
        begun = everything(folder, archive)
        archive.complete(R1)
        found = begun + everything(folder, archive)
        read, omissions = archive.run(R1), [omission.what for omission in archive.omissions_of(R1)]

    for piece in secret.split("\n"):
        for form in (piece, piece.replace("/", "%2F"), piece[len(piece) // 2 :]):
            assert len(piece) < 4 or piece.startswith("-----") or form.encode() not in found, form
    assert read is not None
    assert b"a plain text" in found
    assert {"value at description", "value at tags/told"} <= set(omissions)


def everywhere(made: str) -> Run:
    held = {"told": made, f"name {made}": "value", "first": f"{made} x", "last": f"x {made}"}
    return Run(
        id=R1,
        experiment=f"e {made}",
        description=f"a plain text, then {made}",
        display_name=made,
        status="Failed",
        tags=held,
        properties={**held, "json": json.dumps({"a": made}), "more": json.dumps({"b": json.dumps([made])})},
        parameters={**held, "list": [made, {made: made}]},
        error={"message": f"line 1\n{made}\nline 3", "details": [{"message": made}]},
        warnings=[{"source": "x", "message": made}],
        document={
            "logFiles": {made: made},
            "url": f"https://h.example/x?a=1&b={quote(made, safe='')}",
        },
        references=(Reference("tag", f"name {made}"),),
        acting=Acting((), (f"name {made}",)),
    )


def fill_everywhere(archive: Archive, run: Run, made: str) -> None:
    archive.put_experiments([Experiment(id="1", name=f"e {made}", tags={"x": made}, description=made)])
    archive.put_listed([run])
    archive.put_jobs([Job(R1, {"properties": {"command": f"python x.py && echo '{made}'", "tags": {made: "1"}}})])
    archive.select([R1])
    archive.begin(R1)
    archive.put_details(RunDetails(run=run, definition={"arguments": ["--x", made]}, specification=[made]))
    series = Series(key=SeriesKey(f"loss {made}"), columns=((f"c {made}", "Double"), ("text", "String")))
    link = Series(key=SeriesKey("image"), columns=(("image", "Artifact"),), more={"labels": made})
    archive.put_series(R1, [series, link])
    archive.put_chunk(R1, [Points.of(series, [(1, 2, (0.5, made))]), Points.of(link, [(1, 2, (f"images/{made}",))])])
    place = Location("store", f"ExperimentRun/dcid.r1/outputs/{made}/part-0")
    stored = StoredFile(location=place, size_bytes=1, metadata={"x": made}, content_type=made)
    archive.put_stored("dcid.r1", [stored])
    file = Artifact(
        path=f"outputs/{made}/part-0", location=place, indexed=True, stored=stored, more={"tags": {"x": made}}
    )
    archive.put_artifacts(R1, [file])
    archive.put_omissions([Omission(R1, f"file {made}", f"404: {made}")])
    archive.lack_code(CodeReference(snapshot="s"), f"refused: {made}")
    archive.log_command(["extract", "--note", f"x {made}"])
    archive.retake(archive.clean_artifact(file).location, stored)
    ledger = archive.ledger(azure_place("sub", "group", "target"))
    ledger.mark(R1, [RunItem.CREATE], State.REFUSED, detail=made)
    looked_at(ledger, R1, [Finding(R1, f"tag {made}", "differs", made, f"x {made}")])
    points = Points.of(series, [(1, 2, (0.5, made))])
    told = Differing(series=series, rows=1, differing=1, held=points, expected=points, actual=points, absent=points,
                     extra=points)  # fmt: skip
    ledger.put_target_points(R1, [told])
    ledger.put_planned_omissions(Topic(Way.RUN, R1), [Omission(R1, f"tag {made}", made)])
    archive.put_examination(SOURCE, "source", [{"what": made}])


def everything(folder: Path, archive: Archive) -> bytes:
    """As `on_disk`, with the rows of points too."""
    bodies = archive._all("select data from chunk") + archive._all("select data from target_points")
    return on_disk(folder, archive) + b"".join(_uncompressed(data) for (data,) in bodies)


def _uncompressed(data: bytes) -> bytes:
    at = data.index(b"\x78\x01")
    return zlib.decompress(data[at:])


def test_names_stay_apart_and_lead_on(tmp_path: Path) -> None:
    """Two metrics stay two; a link in a row leads to the file that was renamed; references name the tag as it is."""
    one, other = (MAKERS["github"][0]()[0] for _ in range(2))
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        given = Run(id=R1, status="Completed", tags={one: "r0"}, references=(Reference("tag", one),))
        archive.put_listed([given])
        archive.select([R1])
        archive.begin(R1)
        archive.put_details(RunDetails(run=given))
        both = [Series(key=SeriesKey(name), columns=(("v", "Double"),)) for name in (one, other)]
        image = Series(key=SeriesKey("i"), columns=(("i", "Artifact"),))
        for series in both:
            archive.put_chunk(R1, [Points.of(series, [(1, 2, (0.5,))])])
        archive.put_chunk(R1, [Points.of(image, [(1, 2, (f"images/{one}.png",))])])
        place = Location("s", f"ExperimentRun/dcid.r1/images/{one}.png")
        archive.put_artifacts(R1, [Artifact(path=f"images/{one}.png", location=place, indexed=True, stored=None)])
        archive.complete(R1)
        names = {series.key.name for series, _ in archive.series(R1)}
        (file,) = archive.artifacts(R1)
        (link,) = [points.values[0][0] for points in archive.points(R1, SeriesKey("i"))]
        run = archive.run(R1)
        whats = [omission.what for omission in archive.omissions_of(R1)]

    assert names == {archive_name(one), archive_name(other), "i"}
    assert file.path == link == f"images/{archive_name(one)}.png"
    assert file.location.path == f"ExperimentRun/dcid.r1/{file.path}"
    assert run is not None
    assert [reference.key for reference in run.references] == list(run.tags) == [archive_name(one)]
    assert f"name of file {file.path}" in whats
    assert f"names or texts of metric {archive_name(other)}" in whats


def archive_name(name: str) -> str:
    return NEWEST.name(name)


def test_an_older_archive_keeps_its_version(tmp_path: Path) -> None:
    """What it would redact otherwise now would be sent a second time, or look edited."""
    token = MAKERS["github"][0]()[0]
    folder = unpacked(15, tmp_path / "a")
    with Archive.open(folder) as archive:
        (version,) = archive._one("select redaction from archive")
        run = next(iter(archive.units()))
        archive.begin(run)
        series = Series(key=SeriesKey(token), columns=(("v", "String"),))
        archive.put_chunk(run, [Points.of(series, [(1, 2, (token,))])])
        archive.complete(run)
        names = [series.key.name for series, _ in archive.series(run)]
        name = archive.clean_name(token)

    assert (version, names, name) == (1, [token], token)
    made, _ = MAKERS["curl"][0]()
    with Archive.create(tmp_path / "b", SOURCE) as archive:
        assert archive._one("select redaction from archive") == (VERSION,)
        assert archive.clean_name(token) != token
        assert archive.clean_name(made) != made
        archive._execute("update archive set redaction = 2")
    with Archive.open(tmp_path / "b") as archive:
        assert archive.clean_name(token) == archive_name(token)
        assert archive.clean_name(made) == made


def test_a_glob_of_a_whole_path_does_not_bring_a_run_again(tmp_path: Path) -> None:
    """The tags of the listing are held against those that were extracted: both by the same path."""
    run = Run(id=R1, status="Completed", tags={"project": "p"})
    with Archive.create(tmp_path / "a", SOURCE, redact=["tags/project"]) as archive:
        archive.put_listed([run])
        archive.select([R1])
        archive.begin(R1)
        archive.put_details(RunDetails(run=run))
        archive.complete(R1)
        archive.put_listed([run])

        assert list(archive.pending_ids()) == []


def test_what_is_nested_without_end_is_an_omission_of_its_own(tmp_path: Path) -> None:
    """In each document that an archive takes: nothing of it stops the others, and it is not called a secret."""
    deep: Json = SECRET
    for level in range(2_000):
        deep = {"password": deep} if level % 2 else [deep]
    run = Run(id=R1, experiment="e", status="Completed", parameters={"lr": 1, "deep": deep}, document={"x": deep})
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive.put_experiments([Experiment(id="1", name="e", document={"x": deep})])
        archive.put_listed([run])
        archive.put_jobs([Job(R1, {"name": R1, "x": deep})])
        archive.select([R1])
        archive.begin(R1)
        archive.put_details(RunDetails(run=run, definition={"x": deep}, specification=[deep], more={"y": deep}))
        place = Location("s", "p")
        archive.put_artifacts(R1, [Artifact(path="p", location=place, indexed=True, stored=None, more={"x": deep})])
        archive.complete(R1)
        found = archive.run(R1)
        told = {(one.run, one.what) for one in archive.omissions() if "nested more than 100 levels" in one.reason}
        others = [one for one in archive.omissions() if one.reason == "redacted: secret"]
        damages = check(archive).damages
        assert SECRET.encode() not in on_disk(tmp_path / "a", archive)

    assert found is not None
    assert found.parameters["lr"] == 1
    assert (others, damages) == ([], ())
    below = "password/0/password/…"
    assert told == {
        ("experiment e", f"value at experiment e: x/{below}"),
        (R1, f"value at parameters/deep/{below.removesuffix('password/…')}…"),
        (R1, f"value at x/{below}"),
        (R1, f"value at definition/x/{below}"),
        (R1, f"value at specification/0/{below}"),
        (R1, f"value at more/y/{below}"),
        (R1, f"value at job/x/{below}"),
        (R1, f"value at file p: x/{below}"),
    }
