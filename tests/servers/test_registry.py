"""Registered models, with versions, stages, aliases and tags, on real servers: judged by MLflow's own client."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import uuid4

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.constants import ListViewType
from azure.identity import EnvironmentCredential
from mlflow import MlflowClient, artifacts

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.assets import NO_VERSION
from azureml_replay.connection import config_named, connect
from azureml_replay.direct.asset_undo import CHANGED
from azureml_replay.direct.options import AssetConflict, AssetsSent, ReplayOptions
from azureml_replay.errors import UserError
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.mlflow.wire.registry import ELSEWHERE
from azureml_replay.planning.asset_fit import ALIASES, ARCHIVED, NO_RUN, NUMBERED, RENAMED, STAGE
from azureml_replay.planning.assets import AssetChoice, AssetPlan, AssetScope
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import figures
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions, migrate
from azureml_sandbox.server.sandbox import Sandbox
from e2e.assets import SHORT
from e2e.library import DiesAt, PowerCut
from mlflow_servers import OLDER, MlflowServer, serving
from sandbox.conftest import plane
from sandbox.plane import Plane
from sandbox.test_models import of_run, put
from servers.moving import findings, named, opened, prefix_of

__all__ = ["plane"]

NAMED, EVERY = AssetChoice(), AssetChoice(scope=AssetScope.ALL)
CARRIED = ReplayOptions(assets=EVERY)


def client_of(server: MlflowServer) -> MlflowClient:
    return MlflowClient(tracking_uri=server.url, registry_uri=server.url)


def trained(client: MlflowClient, experiment: str, folder: Path) -> str:
    """A run with a model of MLflow's among its files, and something else."""
    run = client.create_run(experiment).info.run_id
    for name in ("model/MLmodel", "model/data/weights.bin", "plain/blob.bin"):
        path = folder / name.rpartition("/")[2]
        path.write_text(f"{name} of {run}")
        client.log_artifact(run, str(path), name.rpartition("/")[0])
    client.set_terminated(run)
    return str(run)


def filled(server: MlflowServer, folder: Path) -> tuple[str, str, list[str]]:
    """Versions 1, 3 and 4 of a name, of which 2 was deleted; stages, aliases, tags. Prefix, name, runs."""
    client, name = client_of(server), f"m {uuid4().hex[:6]}"
    experiment = client.create_experiment(f"{name}-e")
    runs = [trained(client, experiment, folder) for _ in range(2)]
    client.create_registered_model(name, {"team": "a"}, "what it is for")
    for number in range(4):
        run, path = runs[number % 2], "plain" if number == 3 else "model"
        root = client.get_run(run).info.artifact_uri if number else f"runs:/{run}"
        client.create_model_version(name, f"{root}/{path}", run, {"n": str(number)}, description=f"d{number}")
    client.delete_model_version(name, "2")
    client.transition_model_version_stage(name, "1", "Production")
    client.set_registered_model_alias(name, "champion", "3")
    return f"{name}-e", name, runs


def told(server: MlflowServer, name: str) -> dict[str, Any]:
    """What a client is told of a name, runs by their position in the list of those that it names."""
    client = client_of(server)
    model = client.get_registered_model(name)
    found: dict[str, Any] = {
        "model": (model.description, {key: value for key, value in model.tags.items() if "replay" not in key}),
        "aliases": dict(model.aliases),
    }
    for one in client.search_model_versions(f"name='{name}'"):
        whole = client.get_model_version(name, one.version)
        tags = {key: value for key, value in whole.tags.items() if not key.startswith("azureml_replay")}
        found[whole.version] = (whole.description, tags, whole.current_stage, list(whole.aliases), files(client, whole))
    return found


def files(client: MlflowClient, version: Any) -> dict[str, int]:
    """Below its source, which has to be in its own run."""
    root = client.get_run(version.run_id).info.artifact_uri
    path = version.source.replace(f"runs:/{version.run_id}", "").replace(root, "").strip("/")
    assert version.run_id in version.source
    ahead, found = [path], {}
    while ahead:
        query = urlencode({"run_id": version.run_id, "path": ahead.pop()})  # this client asks older servers for more
        with urlopen(f"{client.tracking_uri}/api/2.0/mlflow/artifacts/list?{query}") as answer:  # noqa: S310
            listed = json.load(answer).get("files", [])
        ahead += [one["path"] for one in listed if one["is_dir"]]
        found |= {one["path"].removeprefix(path): int(one["file_size"]) for one in listed if not one["is_dir"]}
    return found


async def moved(
    source: str,
    target: Path,
    folder: Path,
    chosen: Selection,
    *,
    assets: AssetChoice = NAMED,
    cut: DiesAt | None = None,
    conflict: AssetConflict = AssetConflict.FAIL,
) -> Any:
    """One migration into a server, which is spoken to through `cut`."""
    replaying = ReplayOptions(assets=assets, on_asset_conflict=conflict)
    options = MigrateOptions(deep=True, extract=ExtractOptions(assets=assets), replay=replaying)
    async with connect(source) as reading, opened(target, cut) as writing:
        with Archive.create(folder, reading.ref) as archive:
            return await migrate(reading, writing, archive, chosen, options=options)


async def extracted(source: str, folder: Path, chosen: Selection) -> None:
    """One extraction."""
    async with connect(source) as reading:
        with Archive.create(folder, reading.ref) as archive:
            await extract(reading, archive, chosen)


async def undone(target: Path, folder: Path) -> Any:
    """One `undo`."""
    async with opened(target) as writing:
        with Archive.open(folder) as archive:
            return await undo(archive, writing)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A second server: names of models are the server's, with no prefix."""
    with serving(tmp_path_factory.mktemp("other")) as server:
        yield server


def test_from_a_server_to_a_server(mlflow_server: MlflowServer, other: MlflowServer, tmp_path: Path) -> None:
    """The same numbers, the deleted one left out; sources in the migrated runs. Again: nothing is written.

    A tag that somebody adds there is theirs: verify finds it, and undo leaves its version, with its files in the run
    that it hides; the rest is gone with undo.
    """
    prefix, name, _ = filled(mlflow_server, tmp_path)
    chosen, folder = Selection(experiments=(f"{prefix}*",)), tmp_path / "history"
    target = named(other, tmp_path)
    go = partial(moved, mlflow_server.url, target, folder, chosen)

    done, before, after = asyncio.run(go()), told(mlflow_server, name), told(other, name)
    again = asyncio.run(go())

    assert after == before
    assert set(after) == {"model", "aliases", "1", "3", "4"}
    assert (done.replayed.assets.made, done.replayed.assets.failed, done.replayed.assets.refused) == (3, (), ())
    assert (done.verdict.findings, done.verdict.assets, done.verdict.assets_equal) == (0, 3, 3)
    assert again.replayed.assets == AssetsSent()
    assert (again.verdict.findings, again.verdict.assets_equal) == (0, 3)
    changed_there(mlflow_server, other, name, go)
    client_of(other).set_model_version_tag(name, "4", "mine", "yes")
    found = asyncio.run(go())
    gone = asyncio.run(undone(target, folder))

    assert (found.verdict.findings, found.replayed.assets) == (1, AssetsSent())
    assert gone.assets == 3
    (left,) = client_of(other).search_model_versions(f"name='{name}'")
    assert left.version == "4"
    assert files(client_of(other), left) == before["4"][4]


def changed_there(source: MlflowServer, target: MlflowServer, name: str, go: Callable[[], Any]) -> None:
    """What changes at the source comes along: a new version, an alias that moves, another stage and tag."""
    client = client_of(source)
    first = client.get_model_version(name, "1")
    client.create_model_version(name, first.source, first.run_id)
    client.set_registered_model_alias(name, "champion", "5")
    client.transition_model_version_stage(name, "1", "Archived")
    client.set_model_version_tag(name, "3", "n", "other")

    done = asyncio.run(go())

    assert told(target, name) == told(source, name)
    assert (done.replayed.assets.made, done.replayed.assets.updated, done.verdict.findings) == (1, 2, 0)


@pytest.mark.slow
def test_what_others_made_of_our_models_stays(mlflow_server: MlflowServer, other: MlflowServer, tmp_path: Path) -> None:
    """A fresh archive sees that somebody edited a version, and leaves that; undo leaves what they wrote, or copied."""
    prefix, name, _ = filled(mlflow_server, tmp_path)
    chosen, target, client = Selection(experiments=(f"{prefix}*",)), named(other, tmp_path), client_of(other)
    first = asyncio.run(moved(mlflow_server.url, target, tmp_path / "a", chosen))
    client.create_registered_model(promoted := f"prod-{name}")
    client.copy_model_version(f"models:/{name}/3", promoted)
    client.set_registered_model_alias(name, "champion", "4")
    client.set_registered_model_alias(name, "prod", "1")
    client.set_model_version_tag(name, "1", "bob", "approved")
    client.update_model_version(name, "3", "words of others")
    client.set_registered_model_tag(name, "approved_by", "bob")
    edited = told(other, name)

    fresh = asyncio.run(moved(mlflow_server.url, target, tmp_path / "b", chosen))
    found, after = findings(tmp_path / "b", target), told(other, name)
    undone_by = [asyncio.run(undone(target, tmp_path / folder)) for folder in ("b", "a")]

    assert (first.verdict.findings, after) == (0, edited)
    assert {(one.what, one.kind) for one in found} >= {
        (f"model {name}:1: tag bob", "edited in target"),
        (f"model {name}:3: description", "edited in target"),
    }
    assert fresh.replayed.assets.updated == 0
    assert {one.version for one in client.search_model_versions(f"name='{name}'")} == {"1", "3", "4"}
    assert client.get_registered_model(name).tags["approved_by"] == "bob"
    (copy,) = client.search_model_versions(f"name='{promoted}'")
    uri = client.get_model_version_download_uri(promoted, copy.version)
    assert Path(artifacts.download_artifacts(uri, tracking_uri=other.url, dst_path=str(tmp_path))).exists()
    assert any("of the target lies there" in why for done in undone_by for _, why in done.left)


def test_a_name_that_somebody_described_outlives_its_versions(
    mlflow_server: MlflowServer, other: MlflowServer, tmp_path: Path
) -> None:
    """undo takes its versions, and says why the name stays; one that nobody touched is gone with them."""
    prefix, name, _ = filled(mlflow_server, tmp_path)
    chosen, target, client = Selection(experiments=(f"{prefix}*",)), named(other, tmp_path), client_of(other)
    asyncio.run(moved(mlflow_server.url, target, tmp_path / "a", chosen))
    client.update_registered_model(name, "reviewed, see ticket 4711")

    done = asyncio.run(undone(target, tmp_path / "a"))

    assert [why for _, why in done.left if "model" in why] == [f"model {name}: {CHANGED}"]
    assert client.get_registered_model(name).description == "reviewed, see ticket 4711"
    assert not client.search_model_versions(f"name='{name}'")


SLOWLY = [pytest.mark.slow, pytest.mark.timeout(1800)]
"""Each request to the registry cut, twice: the fifth of them alone takes 80 s."""


@pytest.mark.parametrize("every", [pytest.param(each, marks=SLOWLY) for each in (5, 1)])
def test_killed_at_any_request_nothing_is_lost_or_there_twice(
    mlflow_server: MlflowServer, other: MlflowServer, tmp_path: Path, every: int
) -> None:
    """Before and after the delivery of each (or each third) request to the registry of the target; then run again."""
    prefix, name, _ = filled(mlflow_server, tmp_path)
    chosen, died, at = Selection(experiments=(f"{prefix}*",)), True, 1
    asyncio.run(extracted(mlflow_server.url, tmp_path / "kept", chosen))
    while died:
        died = False
        for delivered in (False, True):
            folder = tmp_path / f"{at}-{delivered}"
            shutil.copytree(tmp_path / "kept", folder)
            target = named(other, folder)
            go = partial(moved, mlflow_server.url, target, folder, chosen)
            try:
                asyncio.run(go(cut=DiesAt(at, delivered=delivered, where="/(registered-models|model-versions)/")))
            except PowerCut:
                died = True
            done, again = asyncio.run(go()), asyncio.run(go())

            assert (done.verdict.findings, done.replayed.assets.failed) == (0, ()), at
            assert told(other, name) == told(mlflow_server, name), at
            assert again.replayed.assets == AssetsSent(), at
            asyncio.run(undone(target, folder))
            assert not client_of(other).search_registered_models(f"name='{name}'"), "undo takes back what replay made"
        at += every
    assert at > 12, "it would prove nothing"


def test_from_azure_ml_to_a_server_and_back(
    plane: Plane, sandbox: Sandbox, other: MlflowServer, tmp_path: Path
) -> None:
    """A stage, an archived version, a version that is no number, a model from disk: planned, named, never silent.

    Onto the server; and from there into another workspace, with names that Azure ML takes. Undo deletes all of it
    there, what is archived at the source, too.
    """
    uri = of_run(plane, "trained")
    plane.put("trained", status="Completed")
    for version, more in (("2", {}), ("1", {"stage": "Staging", "tags": {"a": "1"}}), ("4", {"isArchived": True})):
        put(plane, f"own/versions/{version}", modelType="mlflow_model", modelUri=uri, description="d", **more)
    for version in ("0.1", "0.0.1"):
        put(plane, f"texts/versions/{version}", modelType="custom_model", modelUri=uri, stage="Development")
    put(plane, "disk/versions/1", modelType="custom_model", modelUri=f"{SHORT}elsewhere")
    target, folder = named(other, tmp_path), tmp_path / "history"
    go = partial(moved, str(plane.workspace.path), target, folder, Selection(), assets=EVERY)

    done, again = asyncio.run(go()), asyncio.run(go())

    own, texts = told(other, "own"), told(other, "texts")
    assert {key for key in own if key.isdigit()} == {"1", "2", "4"}
    assert own["1"][:3] == ("d", {"a": "1"}, "Staging")
    assert own["1"][4].keys() == {"/MLmodel", "/data.bin"}
    assert {key for key in texts if key.isdigit()} == {"1", "2"}
    assert (done.replayed.assets.made, done.replayed.assets.failed) == (5, ())
    assert (done.verdict.findings, done.verdict.assets_equal, again.replayed.assets) == (0, 5, AssetsSent())
    told_of = planned(folder, target)
    assert set(told_of.lost) == {
        ("model texts:0.1", NUMBERED.format(1)),
        ("model texts:0.1", STAGE.format("Development")),
        ("model texts:0.0.1", NUMBERED.format(2)),
        ("model texts:0.0.1", STAGE.format("Development")),
        ("model own:4", ARCHIVED),
    }
    assert told_of.omitted == (("model disk:1", NO_RUN),)
    and_back(other, sandbox, prefix_of(target), tmp_path)
    gone = asyncio.run(undone(target, folder))
    assert (gone.assets, gone.assets_deleted, gone.failed) == (5, True, ())
    assert not {one.name for one in client_of(other).search_registered_models()} & {"own", "texts"}


def planned(folder: Path, target: Path) -> AssetPlan:
    """As `plan --target` says it."""
    with Archive.open(folder, write=False) as archive:
        told_of = figures(archive, archive.ledger(config_named(str(target)).ref), Selection(), CARRIED).plan
    assert told_of is not None
    return told_of


def and_back(server: MlflowServer, sandbox: Sandbox, prefix: str, folder: Path) -> None:
    """A name with a space and an alias, which Azure ML has not."""
    client, there = client_of(server), sandbox.add_workspace()
    version = client.get_model_version("own", "1")
    client.create_registered_model("my model")
    client.create_model_version("my model", version.source, version.run_id)
    client.set_registered_model_alias("my model", "champion", "1")
    client.create_registered_model("no version", {"a": "1"})

    done = asyncio.run(into_azure(server.url, there.path, folder / "back", Selection(experiments=(f"{prefix}*",))))

    models = MLClient(EnvironmentCredential(), there.subscription_id, there.resource_group, there.workspace_name).models
    listed = (models.list(one.name, list_view_type=ListViewType.ALL) for one in models.list())
    found = {(one.name, one.version): one for page in listed for one in page}
    (named_there,) = {name for name, _ in found if name.startswith("my_model_")}
    assert (done.verdict.findings, done.replayed.assets.failed, done.replayed.assets.refused) == (0, (), ())
    assert {version for name, version in found if name == "own"} == {"1", "2", "4"}
    assert found["own", "1"].stage == "Staging"
    assert found["own", "1"].job_name == version.run_id
    assert str(found[named_there, "1"].path).endswith(f"/ExperimentRun/dcid.{version.run_id}/model")
    told_of = planned(folder / "back", there.path)
    assert [why for what, why in told_of.omitted if what == "model no version"] == [NO_VERSION]
    assert {why for what, why in told_of.lost if what == "model my model:1"} == {
        RENAMED.format(named_there),
        ALIASES.format("champion"),
    }


async def into_azure(source: str, target: Path, folder: Path, chosen: Selection) -> Any:
    """One migration into a workspace."""
    options = MigrateOptions(deep=True, extract=ExtractOptions(assets=EVERY))
    async with connect(source) as reading, connect(str(target)) as writing:
        with Archive.create(folder, reading.ref) as archive:
            return await migrate(reading, writing, archive, chosen, options=options)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("version", OLDER)
def test_older_servers_both_ways(mlflow_server: MlflowServer, tmp_path: Path, version: str) -> None:
    """From the newest to an older one, and from that to the newest."""
    with serving(tmp_path, version) as older:
        for source, target in ((mlflow_server, older), (older, mlflow_server)):
            (folder := tmp_path / f"{target.version}").mkdir()
            prefix, name, _ = filled(source, folder)
            go = partial(moved, source.url, named(target, folder), folder / "history")
            done = asyncio.run(go(Selection(experiments=(f"{prefix}*",))))

            assert told(target, name) == told(source, name)
            assert (done.verdict.findings, done.verdict.assets_equal) == (0, 3)


def test_models_of_mlflow_3_bring_their_files(
    mlflow_server: MlflowServer, other: MlflowServer, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The files of a logged model are no run's: they come among those of its run, or into the workspace's blob store.

    They come to each version that was registered of one. A version that leads elsewhere stays; a name that the target
    has of its own stops the replay, or counts on.
    """
    client, name = client_of(mlflow_server), f"logged{uuid4().hex[:6]}"
    experiment = client.create_experiment(f"{name}-e")
    run = trained(client, experiment, tmp_path)
    model = client.create_logged_model(experiment, name="model", source_run_id=run)
    (tmp_path / "saved" / "sub").mkdir(parents=True)
    (tmp_path / "saved" / "MLmodel").write_text("flavors: {}")
    (tmp_path / "saved" / "sub" / "w.bin").write_bytes(b"weights")
    client.log_model_artifacts(model.model_id, str(tmp_path / "saved"))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model(name)
    client.create_model_version(name, f"models:/{model.model_id}", run, model_id=model.model_id)
    client.create_model_version(name, "s3://bucket/elsewhere", run)
    client.create_model_version(name, f"models:/{model.model_id}", run, model_id=model.model_id)
    chosen, target, there = Selection(experiments=(f"{name}-e",)), named(other, tmp_path), sandbox.add_workspace()
    theirs = client_of(other)
    theirs.create_registered_model(name)
    theirs.create_model_version(name, "s3://bucket/theirs")
    go = partial(moved, mlflow_server.url, target, tmp_path / "history", chosen)

    with pytest.raises(UserError, match=f"other assets under the names of model {name}:1: nothing was written"):
        asyncio.run(go())
    done, again = asyncio.run(go(conflict=AssetConflict.NEXT)), asyncio.run(go(conflict=AssetConflict.NEXT))
    azure = asyncio.run(into_azure(mlflow_server.url, there.path, tmp_path / "azure", chosen))

    made = [one for one in theirs.search_model_versions(f"name='{name}'") if one.version != "1"]
    assert sorted(one.version for one in made) == ["4", "5"]  # 2 and 3 are used up on the way to 4
    assert [files(theirs, one) for one in made] == [{"/MLmodel": 11, "/sub/w.bin": 7}] * 2
    assert (done.verdict.findings, done.verdict.assets_equal, done.replayed.assets.files) == (0, 2, 4)
    assert (again.replayed.assets, again.replayed.files, again.verdict.findings) == (AssetsSent(), 0, 0)
    stays = (f"model {name}:2", ELSEWHERE.format("s3://bucket/elsewhere"))
    assert stays in planned(tmp_path / "history", target).omitted
    assert (azure.verdict.findings, azure.replayed.assets.files) == (0, 4)
    held = MLClient(EnvironmentCredential(), there.subscription_id, there.resource_group, there.workspace_name)
    for version in ("1", "3"):
        held.models.download(name, version=version, download_path=str(tmp_path / version))
        assert next((tmp_path / version).rglob("w.bin")).read_bytes() == b"weights"
