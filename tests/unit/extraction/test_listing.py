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
    """A source whose experiments list no runs: they are found from a job, by asking for children."""

    def __init__(self, root: str, below: Mapping[str, Sequence[str]]) -> None:
        self.root, self.below, self.asked = root, below, list[str]()

    async def experiments(self) -> AsyncIterator[Sequence[Experiment]]:
        yield [Experiment(id="1", name="e")]

    async def runs(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        assert experiment.name == "e"
        yield []

    async def jobs(self) -> AsyncIterator[Sequence[Job]]:
        yield [Job(RunId(self.root), {"name": self.root})]

    async def run(self, run: RunId) -> Run | None:
        return Run(id=run, experiment="e", status="Completed")

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
