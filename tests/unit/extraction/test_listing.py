"""Lists that leave runs out, and trees that are deeper than a program goes down by calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.extraction.listing import RunLists
from azureml_replay.model import Experiment, Job, Run, RunId
from azureml_replay.progress import SILENT


class OnlyJobs:
    """A source whose experiments list no runs, or a few: the others are found by asking for children."""

    def __init__(self, root: str, below: Mapping[str, Sequence[str]], listed: Sequence[Run] = ()) -> None:
        self.root, self.below, self.listed = root, below, listed
        self.asked, self.sought = list[str](), list[str]()

    async def experiments(self) -> AsyncIterator[Sequence[Experiment]]:
        yield [Experiment(id="1", name="e")]

    async def runs(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        assert experiment.name == "e"
        yield self.listed

    async def jobs(self) -> AsyncIterator[Sequence[Job]]:
        yield [Job(RunId(self.root), {"name": self.root})]

    async def run(self, run: RunId) -> Run | None:
        self.sought.append(run)
        parents = [above for above, below in self.below.items() if run in below]
        return None if run == "gone" else Run(id=run, parent=next(map(RunId, parents), None), experiment="e")

    async def children(self, run: RunId) -> AsyncIterator[Sequence[Run]]:
        self.asked.append(run)
        yield [Run(id=RunId(one), parent=run, experiment="e", status="Completed") for one in self.below.get(run, ())]


async def test_runs_below_a_job_are_listed_however_deep_and_in_whatever_circle(tmp_path: Path) -> None:
    """A thousand levels, each run asked for once; the last one says that the first is its child."""
    chain = {f"r{at}": [f"r{at + 1}", f"s{at}"] for at in range(1_000)} | {"r1000": ["r0"]}
    source = OnlyJobs("r0", chain)
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        await RunLists(source, archive, SILENT).all(width=1)  # type: ignore[arg-type]

        assert len(list(archive.listing())) == 2_001
        assert len(source.asked) == len(set(source.asked)) == 2_001


async def test_where_one_pipeline_s_children_were_left_out_every_run_is_asked(tmp_path: Path) -> None:
    """Their place is below it; and neither a list with some of a run's children is believed any more."""

    def listed(name: str, kind: str | None = None, parent: str | None = None) -> Run:
        return Run(id=RunId(name), parent=parent and RunId(parent), experiment="e", status="Completed", kind=kind)

    runs = [listed("p", "azureml.PipelineRun"), listed("q"), listed("q1", parent="q"), listed("alone")]
    below = {"p": ["p1", "p2"], "p1": ["p11"], "q": ["q1", "q2"], "alone": ["a1"]}
    source = OnlyJobs("p", below, runs)
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        await RunLists(source, archive, SILENT).all(width=2)  # type: ignore[arg-type]

        assert {row.id: (row.unit, row.depth) for row in archive.listing()} == {
            "p": ("p", 0),
            "p1": ("p", 1),
            "p2": ("p", 1),
            "p11": ("p", 2),
            "q": ("q", 0),
            "q1": ("q", 1),
            "q2": ("q", 1),
            "alone": ("alone", 0),
            "a1": ("alone", 1),
        }
        assert archive.size() == (3, 9)


async def test_where_none_was_left_out_only_runs_that_should_have_children_are_asked(tmp_path: Path) -> None:
    pipeline = Run(id=RunId("p"), experiment="e", status="Failed", kind="azureml.PipelineRun")
    source = OnlyJobs("p", {}, [pipeline, Run(id=RunId("alone"), experiment="e", status="Completed")])
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        await RunLists(source, archive, SILENT).all(width=2)  # type: ignore[arg-type]

    assert source.asked == ["p"]


async def test_a_parent_that_no_list_has_is_asked_for_and_then_every_run_is(tmp_path: Path) -> None:
    """One that the source has no more is sought once; its child stays a root."""
    below = {"p": ["p1", "p2"], "p1": ["p11"], "p2": ["p21"]}
    runs = [Run(id=RunId(one), parent=RunId(parent), experiment="e") for one, parent in (("p11", "p1"), ("x", "gone"))]
    source = OnlyJobs("p11", below, runs)
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        await RunLists(source, archive, SILENT).all(width=2)  # type: ignore[arg-type]

        assert {row.id: (row.unit, row.depth) for row in archive.listing()} == {
            "p": ("p", 0),
            "p1": ("p", 1),
            "p2": ("p", 1),
            "p11": ("p", 2),
            "p21": ("p", 2),
            "x": ("x", 0),
        }
    assert sorted(source.sought) == ["gone", "p", "p1"]
