"""Experiments whose names no server of every kind takes."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, Run, RunDetails, RunId
from azureml_replay.planning.plan import plan
from azureml_replay.selection import Selection
from azureml_replay.workspace.mark import SOURCE_TAG
from azureml_replay.workspace.profile import AZURE_ML, MLFLOW
from mlflow_servers import MlflowServer
from servers.moving import named, opened, prefix_of

LONG = "α" * 260
TWO = (f"{LONG}1", f"{LONG}2")


async def test_names_beyond_256_characters_are_cut_and_stay_apart(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    """PostgreSQL refuses them. Whoever wrote them finds them by their whole names, with what they hold."""
    target = named(mlflow_server, tmp_path)
    async with opened(target) as server:
        for name in TWO:
            await server.put_experiment(Experiment(id="", name=name, description=name[-1], tags={"a": "b"}))
            assert isinstance(
                await server.make_run(name, Run(id=RunId("r"), display_name=name[-1], tags={SOURCE_TAG: "0"})), str
            )
        await server.put_experiment(Experiment(id="", name=TWO[0], archived=Instant(1)))

    async with opened(target) as server:
        found = {one.name: one async for page in server.experiments() for one in page}
        runs = {run.experiment: run.display_name async for page in server.runs(found[TWO[1]]) for run in page}
        assert await server.experiment(TWO[0]) == found[TWO[0]]
    assert found.keys() == set(TWO)
    assert [(one.description, dict(one.tags)) for one in found.values()] == [(name[-1], {"a": "b"}) for name in found]
    assert [found[name].archived is not None for name in TWO] == [True, False]
    assert runs == {TWO[1]: "2"}
    client = MlflowClient(tracking_uri=mlflow_server.url)
    there = client.search_experiments(filter_string=f"name LIKE '{prefix_of(target)}%'")
    assert [len(one.name) for one in there] == [256]


def test_a_plan_tells_it_beforehand(tmp_path: Path) -> None:
    """Of a target that cuts, and of no other."""
    with Archive.create(tmp_path / "history", azure_place("s", "g", "w")) as archive:
        run = Run(id=RunId("r"), experiment=LONG, status="Completed")
        archive.put_listed([run])
        archive.arrange()
        archive.select([run.id])
        archive.begin(run.id)
        archive.put_details(RunDetails(run=run))
        archive.complete(run.id)

        told = [
            {one.what for one in step.omissions}
            for kind in (MLFLOW, AZURE_ML)
            for step in plan(archive, Selection(), profile=kind)
        ]

    assert [f"name of experiment {LONG}" in some for some in told] == [True, False]
