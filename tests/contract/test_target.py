"""What every Source and Target promises, told to a workspace over the wire. The subject is a fixture."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import AsyncIterator, Sequence

import pytest

from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.storage import blocks as azure_blocks
from azureml_replay.azure.storage import files as azure_files
from azureml_replay.azure.wire.places import ARTIFACT_STORE
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.errors import NotFound, Rejected, Uncertain, UserError
from azureml_replay.instants import Instant
from azureml_replay.model import (
    ROWS_PER_CHUNK,
    AssetReference,
    Experiment,
    Location,
    Points,
    Row,
    Run,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.workspace.put_files import CopyFile, NewFile, SecretUrl
from azureml_replay.workspace.target import Refused
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from unit.scripted import Patient

EXPERIMENT = "history/α #1"
START = Instant.parse("2023-05-06T07:08:09.1234567+00:00")
END = Instant.parse("2023-05-06T08:00:00.0000001+00:00")
RUN = RunId("run-1")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar")
NAMES = [
    "outputs/a b#?%41//ü.txt",
    "user_logs/std_log.txt",
    "a..b/..c",
    "dots/a+b&c=d;e'f\"g<h>.txt",
    "emoji😀",
    "x/" + "y" * 900,
]


@pytest.fixture
async def target(workspace: WorkspaceFile, azure_env: dict[str, str]) -> AsyncIterator[AzureWorkspace]:
    """An empty workspace of the sandbox."""
    async with connect(workspace_config(str(workspace.path))) as found:
        yield found


@pytest.fixture
async def other(sandbox: Sandbox, azure_env: dict[str, str]) -> AsyncIterator[AzureWorkspace]:
    """Another one, with storage of its own."""
    async with connect(workspace_config(str(sandbox.add_workspace().path))) as found:
        yield found


async def everything(target: AzureWorkspace) -> dict[str, Run]:
    """All runs of all experiments."""
    found = {}
    async for experiments in target.experiments():
        for experiment in experiments:
            async for runs in target.runs(experiment):
                found.update({run.id: run for run in runs})
    return found


async def rows_of(target: AzureWorkspace, run: RunId, series: Series) -> list[Row]:
    """In the service's order."""
    return [row async for points in target.points(run, series) for row in points.rows()]


async def files_of(target: AzureWorkspace, run: RunId) -> dict[str, StoredFile]:
    """Blobs by their path in the run."""
    pages = [page async for page in target.stored(run)]
    return {file.path: file.stored for page in pages for file in page if file.stored}


async def content(target: AzureWorkspace, file: StoredFile) -> bytes:
    """All bytes."""
    return b"".join([piece async for piece in target.read(file.location)])


async def begin(target: AzureWorkspace, *runs: Run) -> None:
    """Runs that are there and under way."""
    await target.put_experiment(Experiment(id="", name=EXPERIMENT))
    for run in runs or (Run(id=RUN),):
        assert await target.put_runs(EXPERIMENT, [run]) == {run.id: None}


def history() -> list[Run]:
    """A parent with children of every end."""
    parent = Run(
        id=RunId("parent"),
        experiment=EXPERIMENT,
        status="Completed",
        start=START,
        end=END,
        display_name="Displayed",
        description="What it is for",
        tags={"owner": "me", "empty": None},
        properties={"azureml.DevPlatv2": "true", "azureml.enforceRerun": "True"},
        parameters={"lr": "0.1"},
        inputs={"data": AssetReference("azureml://locations/x/data/d/versions/1", "UriFolder")},
    )
    child = dataclasses.replace(parent, parent=parent.id, inputs={})
    error = {"code": "UserError", "message": "boom"}
    return [
        parent,
        dataclasses.replace(child, id=RunId("failed"), status="Failed", error=error),
        dataclasses.replace(child, id=RunId("canceled"), status="Canceled", hidden=True),
        dataclasses.replace(child, id=RunId("lost"), status="NotResponding"),
        dataclasses.replace(child, id=RunId("going"), status="Running", end=None),
    ]


WRITTEN = [
    field.name
    for field in dataclasses.fields(Run)
    if field.name
    not in {"created", "modified", "creator", "kind", "lender", "document", "unknown", "error", "warnings", "inputs"}
]


class TestRuns:
    """Experiments and runs."""

    async def test_a_history_comes_back_as_it_was_written(self, target: AzureWorkspace) -> None:
        """Every field that a target can hold, for every end of a run; hidden ones are listed too."""
        runs = history()
        await begin(target, *runs)
        assert set((await target.finish_runs(EXPERIMENT, runs)).values()) == {None}

        there = await everything(target)
        assert {run.id for run in runs} <= set(there)
        for run in runs:
            for name in WRITTEN:
                assert getattr(there[run.id], name) == getattr(run, name), (run.id, name)
            assert there[run.id].unknown == ()
        assert isinstance(there["failed"].error, dict)
        assert there["failed"].error["message"] == "boom"

    async def test_writing_twice_is_writing_once(self, target: AzureWorkspace) -> None:
        """Also what has ended already: a service moves it no more, and its new tags arrive all the same."""
        runs = history()[:3]
        await begin(target, *runs)
        await target.finish_runs(EXPERIMENT, runs)
        again = [dataclasses.replace(run, tags={**run.tags, "second": "yes"}) for run in runs]

        assert set((await target.put_runs(EXPERIMENT, again)).values()) == {None}
        assert set((await target.finish_runs(EXPERIMENT, again)).values()) == {None}
        there = await everything(target)
        assert len(there) == len(runs)
        for run in again:
            for name in WRITTEN:
                assert getattr(there[run.id], name) == getattr(run, name), (run.id, name)

    async def test_a_refused_run_does_not_take_the_others_with_it(self, target: AzureWorkspace) -> None:
        """A run id with a space is no run id."""
        await begin(target)
        outcomes = await target.put_runs(
            EXPERIMENT, [Run(id=RunId("good-1")), Run(id=RunId("b a d")), Run(id=RunId("good-2"))]
        )

        assert isinstance(outcomes[RunId("b a d")], Refused)
        assert (outcomes[RunId("good-1")], outcomes[RunId("good-2")]) == (None, None)

    async def test_an_end_whose_error_was_refused_is_no_end(self, target: AzureWorkspace) -> None:
        """The run ended as it should, but its error is not there: that is said, now and when it is tried again."""
        failed = Run(id=RUN, status="Failed", start=START, end=END, error={"code": "UserError", "message": "x" * 3_001})
        await begin(target, failed)

        for _ in range(2):
            outcomes = await target.finish_runs(EXPERIMENT, [failed])
            assert isinstance(outcomes[RUN], Refused)

    async def test_children_and_single_runs_know_their_experiments_name(self, target: AzureWorkspace) -> None:
        """On the wire a run has an id only."""
        await begin(target, *history())

        children = [run async for page in target.children(RunId("parent")) for run in page]
        assert {run.id for run in children} == {"failed", "canceled", "lost", "going"}
        assert {run.experiment for run in children} == {EXPERIMENT}
        alone = await target.run(RunId("failed"))
        assert alone is not None
        assert (alone.experiment, alone.parent) == (EXPERIMENT, "parent")

    async def test_what_is_not_there_is_none_or_left_out(self, target: AzureWorkspace) -> None:
        """Absence is no error."""
        await begin(target)

        assert await target.run(RunId("nobody")) is None
        assert set(await target.details([RUN, RunId("nobody")])) == {RUN}
        assert await target.series(RUN) == []

    async def test_details_hold_inputs(self, target: AzureWorkspace) -> None:
        """Plain reads leave them out, as the service does."""
        (parent, *_) = history()
        await begin(target, parent)

        plain = await target.run(parent.id)
        details = await target.details([parent.id])
        assert plain is not None
        assert plain.inputs == {}
        assert details[parent.id].run.inputs == parent.inputs

    async def test_an_update_leaves_what_it_does_not_name(self, target: AzureWorkspace) -> None:
        """State, other tags, and a name that is not given stay."""
        await begin(target, *history())
        assert await target.finish_runs(EXPERIMENT, history()) == {run.id: None for run in history()}
        update = dataclasses.replace(history()[0], display_name=None, description="anew", tags={"more": "1"})

        for _ in range(2):
            assert await target.update_runs(EXPERIMENT, [update]) == {update.id: None}

        (there,) = [run for run in (await everything(target)).values() if run.id == update.id]
        assert (there.status, there.start, there.end) == ("Completed", START, END)
        assert (there.display_name, there.description) == ("Displayed", "anew")
        assert there.tags == {"owner": "me", "empty": None, "more": "1"}

    async def test_runs_are_hidden_and_shown_again(self, target: AzureWorkspace) -> None:
        """However often; a run that is not there bars no other."""
        await begin(target, Run(id=RUN))
        for hidden in (True, True, False):
            assert await target.hide_runs(EXPERIMENT, [RUN], hidden=hidden) == {RUN: None}
            found = await target.run(RUN)
            assert found is not None
            assert found.hidden == hidden

    async def test_an_experiment_is_brought_up_to_date(self, target: AzureWorkspace) -> None:
        """And listed, archived or not, whatever its name."""
        wanted = Experiment(id="", name=EXPERIMENT, description="why", tags={"team": "a"})
        await target.put_experiment(wanted)
        await target.put_experiment(dataclasses.replace(wanted, archived=START))

        (found,) = [e async for page in target.experiments() for e in page if e.name == EXPERIMENT]
        assert (found.description, found.tags, found.archived is not None) == ("why", {"team": "a"}, True)
        await target.put_experiment(wanted)
        (found,) = [e async for page in target.experiments() for e in page if e.name == EXPERIMENT]
        assert found.archived is None

    async def test_a_list_of_several_pages_is_read_to_its_end(self, target: AzureWorkspace) -> None:
        """The SDK's pager stops after the first."""
        await begin(target, Run(id=RUN))
        children = [Run(id=RunId(f"child-{at:04d}"), parent=RUN) for at in range(700)]
        for at in range(0, len(children), 100):
            assert set((await target.put_runs(EXPERIMENT, children[at : at + 100])).values()) == {None}

        pages = [page async for page in target.children(RUN)]
        assert {run.id for page in pages for run in page} == {run.id for run in children}
        assert set(await everything(target)) == {RUN, *(run.id for run in children)}


class TestMetrics:
    """Series and rows."""

    async def test_every_bit_of_a_row_comes_back(self, target: AzureWorkspace) -> None:
        """NaN, infinities, -0.0, no step, repeated steps and rows, ticks."""
        await begin(target)
        values = [math.nan, math.inf, -math.inf, -0.0, 0.0, 1e300, 5e-324, 0.1]
        rows: list[Row] = [(at, START.ticks + at, (value,)) for at, value in enumerate(values)]
        rows += [(None, START.ticks, (1.0,)), (-5, START.ticks, (2.0,)), rows[-1], rows[-1]]
        assert await target.append_points(RUN, [Points.of(LOSS, rows)]) == {}
        await target.settle(RUN)

        (listed,) = await target.series(RUN)
        back = await rows_of(target, RUN, listed)
        assert sorted(map(repr, back)) == sorted(map(repr, rows))

    async def test_columns_keep_their_types_and_their_order(self, target: AzureWorkspace) -> None:
        """As the service lists them."""
        await begin(target)
        columns = (("z", "Double"), ("a", "String"), ("m", "Int"), ("b", "Bool"))
        table = Series(key=SeriesKey("table", "space"), columns=columns, ux_type="azureml.v1.table")
        row: Row = (3, START.ticks, (1.0, "NaN", 2**53 + 1, True))
        assert await target.append_points(RUN, [Points.of(table, [row])]) == {}
        await target.settle(RUN)

        (listed,) = await target.series(RUN)
        assert (listed.key, listed.ux_type) == (table.key, table.ux_type)
        (points,) = [points async for points in target.points(RUN, listed)]
        assert points.series.columns == columns
        assert list(points.rows()) == [row]

    async def test_last_values_come_for_a_whole_experiment(self, target: AzureWorkspace) -> None:
        """One row of each name, NaN and a negative step too; a run without metrics has none; archived runs as well."""
        begun, bare = Run(id=RUN, experiment=EXPERIMENT), Run(id=RunId("bare"), hidden=True)
        await begin(target, begun, bare)
        acc = dataclasses.replace(LOSS, key=SeriesKey("acc"), columns=(("acc", "Double"),))
        late = START.ticks + 10_000_000
        rows = [(-2, START.ticks, (0.5,)), (1, late, (math.nan,))]
        await target.append_points(RUN, [Points.of(LOSS, rows), Points.of(acc, [(3, START.ticks, (-0.0,))])])
        await target.settle(RUN)
        await target.finish_runs(EXPERIMENT, [dataclasses.replace(bare, status="Completed", start=START, end=END)])

        homes = [one async for page in target.experiments() for one in page if one.name == EXPERIMENT]
        found = {run: some async for page in target.last_values(homes) for run, some in page.items()}

        told = {points.series.key.name: next(points.rows()) for points in found[RUN]}
        assert found["bare"] == []
        assert told["loss"][:2] == (1, late // 10_000 * 10_000)
        assert math.isnan(told["loss"][2][0])  # type: ignore[arg-type]
        assert repr(told["acc"]) == f"(3, {START.ticks // 10_000 * 10_000}, (-0.0,))"

    async def test_long_series_come_in_chunks(self, target: AzureWorkspace) -> None:
        """However the service pages them."""
        await begin(target)
        count = ROWS_PER_CHUNK + 250
        for start in range(0, count, 250):
            rows: Sequence[Row] = [(step, START.ticks + step, (float(step),)) for step in range(start, start + 250)]
            assert await target.append_points(RUN, [Points.of(LOSS, rows)]) == {}
        await target.settle(RUN)

        chunks = [points async for points in target.points(RUN, LOSS)]
        assert [len(points) for points in chunks] == [ROWS_PER_CHUNK, 250]
        assert [step for points in chunks for step in points.steps] == list(range(count))

    async def test_a_refused_series_is_named_and_the_others_are_logged(self, target: AzureWorkspace) -> None:
        """A row wider than the service allows."""
        await begin(target)
        wide = Series(key=SeriesKey("wide"), columns=tuple((f"c{at}", "Double") for at in range(16)))
        good = Points.of(LOSS, [(0, START.ticks, (1.0,))])
        refused = await target.append_points(RUN, [good, Points.of(wide, [(0, START.ticks, (0.0,) * 16)])])
        await target.settle(RUN)

        assert set(refused) == {1}
        assert [series.key.name for series in await target.series(RUN)] == ["loss"]

    async def test_an_unknown_series_is_not_found(self, target: AzureWorkspace) -> None:
        """It is not an empty one."""
        await begin(target)
        with pytest.raises(NotFound):
            await rows_of(target, RUN, LOSS)

    @pytest.mark.parametrize(("trouble", "there"), [("reset-after", 1), ("truncate", 1), ("html502", 0), ("reset", 0)])
    async def test_points_whose_answer_was_lost_are_not_sent_again(
        self, target: AzureWorkspace, calm: Sandbox, trouble: str, there: int
    ) -> None:
        """They are there once or not at all, and the caller is told that nobody knows."""
        await begin(target)
        calm.set_faults([{"match": {"service": "metric", "path": "/batch$"}, "do": trouble, "times": 1}])
        with pytest.raises(Uncertain):
            await target.append_points(RUN, [Points.of(LOSS, [(0, START.ticks, (1.0,))])])
        calm.set_faults()
        await target.settle(RUN)

        listed = await target.series(RUN)
        assert len(listed) == there
        assert [len(await rows_of(target, RUN, series)) for series in listed] == [1] * there


class TestFiles:
    """The index and the storage."""

    async def test_files_of_every_legal_name_come_back(self, target: AzureWorkspace) -> None:
        """In the index and in the storage, with size, MD5 and type, empty ones too; and twice is once."""
        await begin(target)
        put = [NewFile(path=name, data=name.encode(), content_type="text/plain") for name in NAMES]
        put.append(NewFile(path="empty", data=b""))
        for _ in range(2):
            assert set((await target.put_files(EXPERIMENT, RUN, put)).values()) == {None}

        run = await target.run(RUN)
        assert run is not None
        listed = [artifact async for page in target.artifacts(run) for artifact in page]
        stored = await files_of(target, RUN)
        assert {artifact.path for artifact in listed} == set(stored) == {file.path for file in put}
        assert {artifact.location for artifact in listed} == {file.location for file in stored.values()}
        for file in put:
            there = stored[file.path]
            assert (there.size_bytes, there.content_type) == (len(file.data), file.content_type)
            assert await content(target, there) == file.data
            assert await target.stored_file(there.location) == there

    async def test_a_path_holds_what_was_put_last(self, target: AzureWorkspace) -> None:
        """Put is repeatable."""
        await begin(target)
        for data in (b"first", b"second"):
            assert await target.put_files(EXPERIMENT, RUN, [NewFile(path="replay/job.json", data=data)]) == {
                "replay/job.json": None
            }

        (file,) = (await files_of(target, RUN)).values()
        assert await content(target, file) == b"second"

    async def test_files_are_removed_and_no_other_with_them(self, target: AzureWorkspace) -> None:
        """Entry and bytes; again, and in one request with what is gone already."""
        await begin(target, Run(id=RUN))
        put = [NewFile(path=name, data=b"x") for name in [*NAMES, "stays"]]
        await target.put_files(EXPERIMENT, RUN, put)

        assert await target.remove_files(RUN, NAMES[:1]) == {NAMES[0]: None}
        for _ in range(2):
            assert await target.remove_files(RUN, NAMES) == dict.fromkeys(NAMES)

        assert set(await files_of(target, RUN)) == {"stays"}
        (run,) = (await everything(target)).values()
        assert [one.path async for page in target.artifacts(run) for one in page] == ["stays"]

    async def test_files_are_copied_between_workspaces_from_storage_to_storage(
        self, target: AzureWorkspace, other: AzureWorkspace
    ) -> None:
        """With type and MD5, every legal name, and more than one range."""
        await begin(target)
        await begin(other)
        large = NewFile(path="large.bin", data=os.urandom(9 * 1024 * 1024 + 1))
        put = [NewFile(path=name, data=name.encode(), content_type="text/plain") for name in NAMES]
        await other.put_files(EXPERIMENT, RUN, [*put, large, NewFile(path="empty", data=b"")])
        stored = await files_of(other, RUN)
        copies = [
            CopyFile(path=path, source=await other.readable_url(file.location), stored=file)
            for path, file in stored.items()
        ]
        for _ in range(2):
            assert set((await target.put_files(EXPERIMENT, RUN, copies)).values()) == {None}

        there = await files_of(target, RUN)
        assert set(there) == set(stored)
        for path, file in stored.items():
            assert dataclasses.replace(there[path], etag=file.etag) == file
            assert await content(target, there[path]) == await content(other, file)

    async def test_large_files_are_copied_in_blocks(
        self, target: AzureWorkspace, other: AzureWorkspace, monkeypatch: pytest.MonkeyPatch
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

    async def test_a_source_that_changed_or_went_is_refused(
        self, target: AzureWorkspace, other: AzureWorkspace
    ) -> None:
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

    async def test_a_container_is_not_the_one_whose_name_it_begins(self, target: AzureWorkspace) -> None:
        """`dcid.run-1` is not `dcid.run-10`."""
        await begin(target, Run(id=RUN), Run(id=RunId("run-10")))
        for run in (RUN, RunId("run-10")):
            await target.put_files(EXPERIMENT, run, [NewFile(path="f", data=run.encode())])

        assert set(await files_of(target, RUN)) == {"f"}
        both = [file for run in (RUN, RunId("run-10")) async for page in target.stored(run) for file in page]
        assert [file.location.path for file in both] == ["ExperimentRun/dcid.run-1/f", "ExperimentRun/dcid.run-10/f"]
        assert [file.location for file in both] == [target.place(run, "f") for run in (RUN, RunId("run-10"))]

    async def test_a_missing_file_is_none_and_a_missing_store_is_not(self, target: AzureWorkspace) -> None:
        """The one is a fact about a file, the other a mistake."""
        assert await target.stored_file(Location(ARTIFACT_STORE, "no/such")) is None
        with pytest.raises(NotFound):
            await content(target, StoredFile(location=Location(ARTIFACT_STORE, "no/such"), size_bytes=0))
        with pytest.raises(Rejected):
            await target.stored_file(Location("nostore", "x"))

    async def test_a_file_that_was_attached_is_not_written_over(self, target: AzureWorkspace) -> None:
        """Its entry leads to a place that may be the source's own."""
        place = Location("workspaceblobstore", "data/a #b")
        await begin(target)
        assert await target.attach_file(RUN, "outputs/a", place)
        assert not await target.attach_file(RUN, "outputs/a", place)

        (outcome,) = (await target.put_files(EXPERIMENT, RUN, [NewFile(path="outputs/a", data=b"ours")])).values()

        assert isinstance(outcome, Refused)
        assert "leads to another place" in outcome.reason
        assert await target.stored_file(place) is None


class TestTrouble:
    """A service on a bad day."""

    @pytest.mark.parametrize("trouble", ["throttle", "html502", "reset", "reset-after", "truncate"])
    async def test_passing_trouble_costs_time_and_nothing_else(
        self, workspace: WorkspaceFile, azure_env: dict[str, str], calm: Sandbox, trouble: str
    ) -> None:
        """Every third request fails; the history is there all the same, on a clock that waits without waiting."""
        calm.set_faults([{"match": {"workspace": workspace.workspace_name}, "every": 3, "do": trouble}])
        async with connect(workspace_config(str(workspace.path)), clock=Patient()) as target:
            await begin(target, *history())
            put = [NewFile(path=name, data=name.encode()) for name in NAMES]
            assert set((await target.put_files(EXPERIMENT, RunId("parent"), put)).values()) == {None}

            assert len(await everything(target)) == len(history())
            assert set(await files_of(target, RunId("parent"))) == set(NAMES)

    async def test_what_a_service_does_not_speak_is_asked_another_way(
        self, target: AzureWorkspace, calm: Sandbox
    ) -> None:
        """Run by run where it knows no queries; nothing is missing."""
        runs = history()
        await begin(target, *runs)
        missing = ["experiments:query$", "runs:query$", "/batchrundata$", "/rundata$", "/metricsingest/wait$"]
        calm.set_faults([{"match": {"path": path}, "do": "status", "status": 501} for path in missing])

        assert {run.id for run in runs} == set(await everything(target))
        details = await target.details([runs[0].id, RunId("nobody")])
        assert {run: found.run.inputs for run, found in details.items()} == {runs[0].id: runs[0].inputs}

    async def test_storage_opens_to_a_login_that_may_not_see_its_key(
        self, target: AzureWorkspace, other: AzureWorkspace, calm: Sandbox
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
        self, workspace: WorkspaceFile, azure_env: dict[str, str]
    ) -> None:
        """Named in the message."""
        config = workspace_config(str(workspace.path))
        gone = dataclasses.replace(config, ref=dataclasses.replace(config.ref, name="nowhere"))
        with pytest.raises(UserError, match="nowhere: there is no such workspace"):
            async with connect(gone):
                pass
