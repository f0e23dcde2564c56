"""Nothing unredacted reaches the disk, and each redaction is told. The secrets are made at run time."""

from __future__ import annotations

import secrets
import zlib
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.model import (
    Artifact,
    AssetReference,
    CodeReference,
    Experiment,
    Job,
    Location,
    Omission,
    Run,
    RunDetails,
    RunId,
    StoredFile,
)

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
        archive.put_listed([Run(id=R1, tags=tags, properties={"project": "stays"})])
        (listed,) = archive.listing()

        assert listed.tags == {"customer_name": "***", "project": "***", "other": "1"}
        assert SECRET.encode() not in on_disk(tmp_path / "a", archive)
        assert b"stays" in on_disk(tmp_path / "a", archive)
