"""What plans are made from comes out of an archive many runs at a time, each as if it had been asked for alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from azureml_replay.archive import histories
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.reading import HISTORY_LEFT_OUT
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    AssetReference,
    CodeReference,
    FileTotals,
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
from azureml_replay.planning.history import NAMED_OUTPUT
from azureml_replay.planning.plan import plan
from azureml_replay.selection import Selection
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import TargetProfile

SOURCE = azure_place("sub", "group", "source")
FAMILIES = 60
CHILDREN = 4
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar", longest_text=0)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """300 runs: every root is a job, one child has a file, another the last values, a third shows its container."""
    with Archive.create(tmp_path_factory.mktemp("histories") / "archive", SOURCE) as made:
        runs = [run for family in range(FAMILIES) for run in _family(family)]
        made.put_listed(runs)
        made.arrange()
        made.select([run.id for run in runs])
        made.put_jobs([Job(run.id, {"name": run.id}) for run in runs if run.parent is None])
        made.lack_code(CodeReference(snapshot="snapshot-1"), "gone")
        for run in runs:
            _extract(made, run)
        yield made


def _family(number: int) -> Iterator[Run]:
    root = RunId(f"root-{number:03}")
    experiment, code = f"e{number % 3}", CodeReference(snapshot=f"snapshot-{number}")
    yield Run(id=root, experiment=experiment, created=Instant(1_000 * number), code=code)
    for child in range(CHILDREN):
        lent = RunId(f"child-{number:03}-0") if child == 2 else None
        name, later = RunId(f"child-{number:03}-{child}"), Instant(1_000 * number + child)
        yield Run(id=name, parent=root, experiment=experiment, created=later, lender=lent)


def _extract(archive: Archive, run: Run) -> None:
    place = Location("store", f"{run.id}/a.txt")
    file = Artifact(path="a.txt", location=place, indexed=True, stored=StoredFile(location=place, size_bytes=7))
    archive.begin(run.id)
    archive.put_details(RunDetails(run=run))
    archive.put_series(run.id, [LOSS])
    archive.put_chunk(run.id, [Points.of(LOSS, [(0, 0, (1.0,))])])
    archive.put_artifacts(run.id, [file] if run.id.endswith("-0") else [])
    archive.put_omissions([Omission(run.id, "metrics", HISTORY_LEFT_OUT)] if run.id.endswith("-1") else [])
    archive.complete(run.id)


def questions(archive: Archive, selection: Selection, target: Place | None = None) -> tuple[int, int]:
    """How many a plan of everything that is selected asks, and for how many runs."""
    asked: list[str] = []
    archive._db.set_trace_callback(asked.append)
    runs = sum(1 for _ in plan(archive, selection, profile=TargetProfile(ref=target)))
    archive._db.set_trace_callback(None)
    return len(asked), runs


def test_a_plan_asks_by_pages_and_not_by_runs(archive: Archive) -> None:
    """Seven for a hundred runs (they, jobs; code, series, files, omissions, lenders, outputs); the last finds none."""
    assert questions(archive, Selection()) == (7 * 3 + 1, FAMILIES * (1 + CHILDREN))


def test_what_is_selected_is_asked_about_by_pages_too(archive: Archive) -> None:
    """And once for each unit, which gives its runs; the last one is for the listing."""
    assert questions(archive, Selection(limit=40)) == (6 * 2 + 40 + 1, 40 * (1 + CHILDREN))


def test_what_a_target_says_of_runs_comes_by_pages_too(archive: Archive) -> None:
    """Its number; new ids, if any, and which; created without a lender, or how; refusals; whether it has assets."""
    target = azure_place("sub", "group", "asked")
    archive.ledger(target).bind({RunId("root-001"): RunId("new")})

    assert questions(archive, Selection(), target) == ((7 + 8) * 3 + 1, FAMILIES * (1 + CHILDREN))


def test_what_a_target_calls_runs_comes_with_them(archive: Archive) -> None:
    """Also those that a run names; of one that shows another's files, whether the target has it without them."""
    target, other = azure_place("sub", "group", "new"), azure_place("sub", "group", "other")
    lent = [RunId(f"child-00{number}-2") for number in range(4)]
    archive.ledger(target).bind({RunId(name): RunId(f"new-{name}") for name in ("root-001", "child-001-0")})
    archive.ledger(target).mark_runs(RunItem.CREATE, dict.fromkeys([lent[1], lent[2]], b""), State.SENDING)
    archive.ledger(target).mark_runs(RunItem.CONTAINER, dict.fromkeys([lent[2], lent[3]], b""), State.SENT)

    steps = {step.source: step for step in plan(archive, Selection(), profile=TargetProfile(ref=target))}

    assert [steps[run].lender is None for run in lent] == [False, True, False, False]
    assert (steps[RunId("root-001")].run.id, steps[lent[1]].run.parent) == ("new-root-001", "new-root-001")
    one = archive.history(lent[1], target)
    assert one is not None
    assert dict(one.ids) == {"root-001": "new-root-001", "child-001-0": "new-child-001-0"}
    assert all(not one.ids and not one.stands_alone for one in archive.histories(target=other))


@pytest.mark.parametrize("together", [(1, 10**6), (3, 10**6), (100, 1)])
def test_together_as_alone(archive: Archive, monkeypatch: pytest.MonkeyPatch, together: tuple[int, int]) -> None:
    """Wherever a page ends, by number or by bytes: the same runs in the same order, and of each the same."""
    whole = list(archive.histories())
    monkeypatch.setattr(histories, "RUNS_TOGETHER", together[0])
    monkeypatch.setattr(histories, "BYTES_TOGETHER", together[1])

    assert list(archive.histories()) == whole
    assert list(archive.histories(archive.units())) == whole
    assert [archive.history(one.details.run.id) for one in whole] == whole


def test_of_each_run_what_is_its_own(archive: Archive) -> None:
    """Of the second family, whose code could not be had, and of the third."""
    by_run = {one.details.run.id: one for one in archive.histories()}
    root, filed, last, lent = (by_run[RunId(name)] for name in _names(1))

    assert [one.unit for one in (root, filed, last, lent)] == ["root-001"] * 4
    assert (root.job, filed.job) == (Job(root.unit, {"name": "root-001"}), None)
    assert (root.code, by_run[RunId("root-002")].code, filed.code) == ("gone", False, None)
    assert (filed.files, root.files) == (FileTotals(files=1, bytes=7, longest=5), FileTotals())
    assert (last.only_last, root.only_last, last.series) == (True, False, [(LOSS, 1)])
    assert (lent.lender_experiment, last.lender_experiment) == ("e1", None)
    assert archive.history(RunId("nobody")) is None


def _names(family: int) -> Sequence[str]:
    return (f"root-{family:03}", *(f"child-{family:03}-{child}" for child in range(3)))


def test_named_outputs_are_planned_as_omissions_and_counted(tmp_path: Path) -> None:
    """From the documents that the archive holds: one of an older version knows them too."""
    asset = AssetReference(
        "azureml://locations/x/workspaces/y/data/azureml_a_output_data_model/versions/1", "UriFolder"
    )
    runs = [
        Run(id=RunId("a"), experiment="e", status="Completed", outputs={"model": asset}),
        Run(id=RunId("b"), experiment="e", status="Completed"),
    ]
    job = Job(RunId("b"), {"name": "b", "properties": {"jobType": "Command", "outputs": {"data": {"uri": None}}}})
    with Archive.create(tmp_path / "archive", SOURCE) as made:
        made.put_listed(runs)
        made.arrange()
        made.select([run.id for run in runs])
        made.put_jobs([job])
        for run in runs:
            made.begin(run.id)
            made.put_details(RunDetails(run=run))
            made.complete(run.id)

        told = {one for step in plan(made, Selection()) for one in step.omissions}

        assert told == {
            Omission(RunId("a"), "output model, workspaceblobstore: azureml/a/model/", NAMED_OUTPUT),
            Omission(RunId("b"), "output data, workspaceblobstore: azureml/b/data/", NAMED_OUTPUT),
        }
        assert set(made.named_outputs()) == told
        assert {one.run for one in made.named_outputs(RunId("a"))} == {"a"}
