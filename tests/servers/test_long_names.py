"""Experiments whose names no server of every kind takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, Run, RunDetails, RunId
from azureml_replay.planning.asset_fit import fit_asset, fit_container
from azureml_replay.planning.plan import plan
from azureml_replay.selection import Selection
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind
from azureml_replay.workspace.asset_rule import MLFLOW_ASSETS
from azureml_replay.workspace.mark import SOURCE_TAG
from azureml_replay.workspace.profile import AZURE_ML, MLFLOW
from mlflow_servers import MlflowServer
from servers.moving import named, opened, prefix_of

LONG = "α" * 260
TWO = (f"{LONG}1", f"{LONG}2")


async def test_names_beyond_256_characters_are_cut_and_stay_apart(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    """PostgreSQL refuses them. Whoever wrote them finds them by their whole names, with what they hold."""
    await expect_long_names_apart(mlflow_server, tmp_path)


async def test_names_of_models_and_their_texts_are_cut(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    """As planned, and as PostgreSQL has room."""
    await expect_a_long_model(mlflow_server, tmp_path)


async def expect_a_long_model(server: MlflowServer, folder: Path) -> None:
    """A model whose name, tags and description are longer than a server has room for."""
    name, text = "ä" * 400, "x" * 6_000
    asset = Asset(
        key=AssetKey(AssetKind.MODEL, name, "3"),
        content={"type": "custom_model"},
        description=text,
        tags={"t" * 300: "ok", "long": text},
        run=RunId("r"),
        files_of=RunId("r"),
        run_path="model",
        owns_bytes=True,
    )
    container = AssetContainer(kind=AssetKind.MODEL, name=name, description=text, tags={"a/b": text, "k": "v"})
    fitted = fit_asset(asset, MLFLOW_ASSETS)
    cut = fitted.asset.key.name
    async with opened(named(server, folder)) as target:
        made = await target.make_run(f"experiment of {folder.name}", Run(id=RunId("r")))
        assert isinstance(made, str)
        there = target.asset_there(fitted.asset, {RunId("r"): RunId(made)})

        assert await target.put_container(fit_container(container, cut, MLFLOW_ASSETS)[0])
        answer = await target.put_asset(replace(there, run=RunId(made)), {asset.key: fitted.asset.key})
        found = await target.asset(answer.key)

        assert found is not None
        assert (found.key.version, len(found.key.name), found.description) == ("3", 256, None)
        assert list(found.tags.values()) == ["ok"]
        assert [one.partition(":")[0].partition(" is")[0] for one in fitted.losses] == [
            "its name",
            "description",
            f"tag {'t' * 300}",
            "tag long",
        ]
        assert await target.remove_asset(found) is None
        assert await target.asset(answer.key) is None


async def expect_long_names_apart(server_of: MlflowServer, folder: Path) -> None:
    """Two of which the first 256 characters are the same."""
    target = named(server_of, folder)
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
    client = MlflowClient(tracking_uri=server_of.url)
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
