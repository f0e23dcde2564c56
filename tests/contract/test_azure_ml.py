"""What only Azure ML has: signed URLs, blocks, places in its storage, its ids, services that may not be spoken."""

from __future__ import annotations

import dataclasses
import os

import pytest

from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.place import azure_place, names_of
from azureml_replay.azure.storage import blocks as azure_blocks
from azureml_replay.azure.storage import files as azure_files
from azureml_replay.azure.wire.places import ARTIFACT_STORE
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.errors import NotFound, Rejected, UserError
from azureml_replay.model import Experiment, Location, Points, Run, RunId, StoredFile
from azureml_replay.workspace.profile import AZURE_ML
from azureml_replay.workspace.put_files import CopyFile, NewFile, SecretUrl
from azureml_replay.workspace.target import Refused
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from contract.histories import EXPERIMENT, LOSS, RUN, START, content, everything, files_of, history
from contract.subjects import Attaches, AzureMlSandbox, Features, Lends, ShowsLastValues, Troubled


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> AzureMlSandbox:
    """The one kind; `target` and `other` are workspaces of it."""
    return AzureMlSandbox(request)


async def begin(target: AzureWorkspace, *runs: Run) -> None:
    """Runs that are there and under way, under their own ids."""
    await target.put_experiment(Experiment(id="", name=EXPERIMENT))
    for run in runs or (Run(id=RUN),):
        assert await target.put_runs(EXPERIMENT, [run]) == {run.id: None}


async def test_no_test_of_the_contract_is_skipped(subject: AzureMlSandbox, target: AzureWorkspace) -> None:
    """Every ability that one of them asks for is there, and every field."""
    assert isinstance(subject, Troubled)
    for ability in (Attaches, Lends, ShowsLastValues):
        assert isinstance(target, ability)
    assert target.profile.lost == frozenset()
    assert subject.features == Features()


async def test_the_profile_is_azure_mls(target: AzureWorkspace) -> None:
    """With its own place, and datasets to be tried in its own form."""
    assert dataclasses.replace(target.profile, foreign_datasets=(None, None)) == dataclasses.replace(
        AZURE_ML, ref=target.ref
    )


async def test_an_id_with_a_space_is_refused_alone(target: AzureWorkspace) -> None:
    """A run id with a space is no run id."""
    await begin(target)
    outcomes = await target.put_runs(
        EXPERIMENT, [Run(id=RunId("good-1")), Run(id=RunId("b a d")), Run(id=RunId("good-2"))]
    )

    assert isinstance(outcomes[RunId("b a d")], Refused)
    assert (outcomes[RunId("good-1")], outcomes[RunId("good-2")]) == (None, None)


async def test_plain_reads_leave_inputs_out(target: AzureWorkspace) -> None:
    """Plain reads leave them out, as the service does."""
    (parent, *_) = history()
    await begin(target, parent)

    plain = await target.run(parent.id)
    details = await target.details([parent.id])
    assert plain is not None
    assert plain.inputs == {}
    assert details[parent.id].run.inputs == parent.inputs


async def test_large_files_are_copied_in_blocks(
    target: AzureWorkspace, other: AzureWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what a whole copy takes along by itself."""
    monkeypatch.setattr(azure_files, "WHOLE_COPY_BYTES", 1024)
    monkeypatch.setattr(azure_blocks, "COPIED_BLOCK_BYTES", 1024 * 1024)
    await begin(target)
    await begin(other)
    data = os.urandom(2 * 1024 * 1024 + 7)
    await other.put_files(EXPERIMENT, RUN, [NewFile(path="a #b/c", data=data, content_type="x/y")])
    ((path, file),) = (await files_of(other, RUN)).items()
    copy = CopyFile(path=path, source=await other.readable_url(file.location), stored=file)

    assert await target.put_files(EXPERIMENT, RUN, [copy]) == {path: None}
    (there,) = (await files_of(target, RUN)).values()
    assert dataclasses.replace(there, etag=file.etag) == file
    assert await content(target, there) == data


async def test_a_refused_copy_says_with_which_status(target: AzureWorkspace, other: AzureWorkspace) -> None:
    """The status says which; the others are copied."""
    await begin(target)
    await begin(other)
    put = [NewFile(path=path, data=path.encode()) for path in ("same", "changed", "gone")]
    await other.put_files(EXPERIMENT, RUN, put)
    stored = await files_of(other, RUN)
    sources = {path: await other.readable_url(file.location) for path, file in stored.items()}
    sources["gone"] = SecretUrl(str(sources["gone"]).replace("/gone?", "/gone2?"))
    await other.put_files(EXPERIMENT, RUN, [NewFile(path="changed", data=b"anew")])
    copies = [CopyFile(path=path, source=sources[path], stored=stored[path]) for path in sources]

    outcomes = await target.put_files(EXPERIMENT, RUN, copies)
    assert outcomes["same"] is None
    assert isinstance(outcomes["changed"], Refused)
    assert outcomes["changed"].status == 412
    assert isinstance(outcomes["gone"], Refused)
    assert outcomes["gone"].status in (403, 404)  # the signature names another blob


async def test_a_container_is_not_the_one_whose_name_it_begins(target: AzureWorkspace) -> None:
    """`dcid.run-1` is not `dcid.run-10`."""
    await begin(target, Run(id=RUN), Run(id=RunId("run-10")))
    for run in (RUN, RunId("run-10")):
        await target.put_files(EXPERIMENT, run, [NewFile(path="f", data=run.encode())])

    assert set(await files_of(target, RUN)) == {"f"}
    both = [file for run in (RUN, RunId("run-10")) async for page in target.stored(run) for file in page]
    assert [file.location.path for file in both] == ["ExperimentRun/dcid.run-1/f", "ExperimentRun/dcid.run-10/f"]
    assert [file.location for file in both] == [target.place(run, "f") for run in (RUN, RunId("run-10"))]


async def test_a_file_outside_every_container_may_be_missing(target: AzureWorkspace) -> None:
    """The one is a fact about a file, the other a mistake."""
    assert await target.stored_file(Location(ARTIFACT_STORE, "no/such")) is None
    with pytest.raises(NotFound):
        await content(target, StoredFile(location=Location(ARTIFACT_STORE, "no/such"), size_bytes=0))
    with pytest.raises(Rejected):
        await target.stored_file(Location("nostore", "x"))


async def test_a_file_attached_in_another_store_is_not_written_over(target: AzureWorkspace) -> None:
    """Its entry leads to a place that may be the source's own."""
    place = Location("workspaceblobstore", "data/a #b")
    await begin(target)
    assert await target.attach_file(RUN, "outputs/a", place)
    assert not await target.attach_file(RUN, "outputs/a", place)

    (outcome,) = (await target.put_files(EXPERIMENT, RUN, [NewFile(path="outputs/a", data=b"ours")])).values()

    assert isinstance(outcome, Refused)
    assert "leads to another place" in outcome.reason
    assert await target.stored_file(place) is None


async def test_what_a_service_does_not_speak_is_asked_another_way(target: AzureWorkspace, calm: Sandbox) -> None:
    """Run by run where it knows no queries; nothing is missing."""
    runs = history()
    await begin(target, *runs)
    missing = ["experiments:query$", "runs:query$", "/batchrundata$", "/rundata$", "/metricsingest/wait$"]
    calm.set_faults([{"match": {"path": path}, "do": "status", "status": 501} for path in missing])

    assert {run.id for run in runs} == set(await everything(target))
    details = await target.details([runs[0].id, RunId("nobody")])
    assert {run: found.run.inputs for run, found in details.items()} == {runs[0].id: runs[0].inputs}


async def test_files_are_overwritten_and_removed_without_routes_of_the_interface_file_alone(
    target: AzureWorkspace, calm: Sandbox
) -> None:
    """The datastore's own credentials write; an entry that cannot be removed is told, and its bytes are gone."""
    await begin(target)
    calm.set_faults(strict=["no-write-urls", "no-entry-removal"])
    for data in (b"first", b"second"):
        assert await target.put_files(EXPERIMENT, RUN, [NewFile(path="a", data=data)]) == {"a": None}
    (there,) = (await files_of(target, RUN)).values()
    assert await content(target, there) == b"second"

    (outcome,) = (await target.remove_files(RUN, ["a"])).values()

    assert isinstance(outcome, Refused)
    assert outcome.reason == "this service removes no index entries"
    assert await files_of(target, RUN) == {}


async def test_rows_have_settled_when_the_service_says_so(target: AzureWorkspace, calm: Sandbox) -> None:
    """It is asked below the experiment, and then where its answer leads."""
    await begin(target)
    calm.set_faults(ingestion_lag_ms=300)
    assert await target.append_points(RUN, [Points.of(LOSS, [(0, START.ticks, (1.0,))])]) == {}
    calm.reset_requests()

    await target.settle(EXPERIMENT, RUN)

    assert [series.key for series in await target.series(RUN)] == [LOSS.key]
    waits = [one for one in calm.requests()["routes"] if "metricsingest" in one["route"]]
    asked = {(one["route"].rpartition("metricsingest/")[2], one["status"]): one["count"] for one in waits}
    assert (asked.pop(("wait", 202)), asked.pop(("wait/{operation}", 200))) == (1, 1)
    assert asked.keys() <= {("wait/{operation}", 202)}


async def test_rows_are_there_once_they_are_answered(target: AzureWorkspace, calm: Sandbox) -> None:
    """However late they would show otherwise; a service without that way is told by None, and took nothing."""
    await begin(target)
    calm.set_faults(ingestion_lag_ms=300)
    rows = [Points.of(LOSS, [(0, START.ticks, (1.0,))])]

    assert await target.append_settled(RUN, rows) == {}
    assert [series.key for series in await target.series(RUN)] == [LOSS.key]

    calm.set_faults(strict=["no-batchsync"])
    assert await target.append_settled(RUN, rows) is None
    assert sum([len(some) async for some in target.points(RUN, LOSS)]) == 1


async def test_storage_opens_to_a_login_that_may_not_see_its_key(
    target: AzureWorkspace, other: AzureWorkspace, calm: Sandbox
) -> None:
    """By token, and for a copy by a key that storage delegates."""
    calm.set_faults([{"match": {"path": "/listSecrets$"}, "do": "status", "status": 403}])
    await begin(target)
    await begin(other)
    for _ in range(2):
        await other.put_files(EXPERIMENT, RUN, [NewFile(path="a #b", data=b"bytes")])
    (file,) = (await files_of(other, RUN)).values()
    copy = CopyFile(path="a #b", source=await other.readable_url(file.location), stored=file)

    assert await target.put_files(EXPERIMENT, RUN, [copy]) == {"a #b": None}
    (there,) = (await files_of(target, RUN)).values()
    assert await content(target, there) == b"bytes"


async def test_a_workspace_that_is_not_there_is_the_users_matter(
    workspace: WorkspaceFile, azure_env: dict[str, str]
) -> None:
    """Named in the message."""
    config = workspace_config(str(workspace.path))
    subscription_id, resource_group, _ = names_of(config.ref)
    gone = dataclasses.replace(config, ref=azure_place(subscription_id, resource_group, "nowhere"))
    with pytest.raises(UserError, match="nowhere: there is no such workspace"):
        async with connect(gone):
            pass
