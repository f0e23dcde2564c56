"""MLflow's stores over an archive, asked in this process: the server and its pages are e2e/test_browse's."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

from azureml_replay.archive.archive import Archive
from azureml_replay.formats.browsing import stores
from azureml_replay.formats.browsing.live import folder_of, live_archive, uri_of
from azureml_replay.formats.browsing.stores import READ_ONLY, ArtifactRepo, RegistryStore, TrackingStore
from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, RunId
from report.archives import BEGIN, SECOND, SOURCE, a_run, curve, migrated, put, scalar

NEWEST = ["attributes.start_time DESC"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A tree of three, twenty plain runs a second apart, a hidden one; a listed experiment, and one that is not."""
    folder = tmp_path / "his tory#1"
    plain = [
        a_run(f"plain-{at:02d}", experiment="forest", start=Instant(BEGIN + at * SECOND), parameters={"at": str(at)})
        for at in range(20)
    ]
    tree = [a_run("root"), a_run("child", "root", tags={"k": "v"}), a_run("borrower", "root", lender=RunId("child"))]
    runs = [*tree, *plain, a_run("hidden", experiment="forest", hidden=True)]
    with Archive.create(folder, SOURCE) as made:
        made.put_experiments([Experiment(id="e-1", name="trees", description="all trees", tags={"t": "1"})])
        logged = {"child": [(scalar("loss"), curve(50))]}
        put(made, runs[:2], logged, files=("outputs/a.bin", "outputs/deep/b.bin", "log.txt"))
        put(made, runs[2:], {f"plain-{at:02d}": [(scalar("acc"), [(0, BEGIN, (at / 20,))])] for at in range(20)}, ())
    return folder


@pytest.fixture
def store(archive: Path) -> TrackingStore:
    return TrackingStore(uri_of(archive))


def names(found: Any) -> list[str]:
    return [run.info.run_id for run in found]


def search(store: TrackingStore, *experiments: str, **how: Any) -> Any:
    asked = {"filter_string": "", "run_view_type": ViewType.ACTIVE_ONLY, "max_results": 100, "order_by": NEWEST}
    return store.search_runs(list(experiments or ("forest",)), **(asked | {"page_token": None} | how))


def test_experiments_have_their_own_ids(store: TrackingStore) -> None:
    """One that only runs name goes by its name."""
    trees, forest = store.get_experiment("e-1"), store.get_experiment_by_name("forest")

    assert (trees.name, trees.tags["t"], trees.tags["mlflow.note.content"]) == ("trees", "1", "all trees")
    assert (forest.experiment_id, forest.creation_time, forest.lifecycle_stage) == ("forest", BEGIN // 10_000, "active")
    assert {one.experiment_id for one in store.search_experiments()} == {"e-1", "forest"}
    assert [one.name for one in store.search_experiments(filter_string="name LIKE 'tr%'")] == ["trees"]
    assert store.get_experiment_by_name("none") is None
    with pytest.raises(MlflowException, match="no experiment none"):
        store.get_experiment("none")


@pytest.mark.parametrize("order", [NEWEST, ["attributes.start_time ASC"], ["metrics.acc DESC"], ["params.at ASC"], []])
@pytest.mark.parametrize("view", [ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL])
def test_pages_are_the_whole_in_the_same_order(store: TrackingStore, order: list[str], view: int) -> None:
    """Whether SQL orders them or MLflow does."""
    whole = names(search(store, order_by=order, run_view_type=view))
    paged, token = [], None
    for _ in range(20):
        page = search(store, order_by=order, run_view_type=view, max_results=7, page_token=token)
        paged += names(page)
        token = page.token
        if not token:
            break

    expected = {f"plain-{at:02d}" for at in range(20)} if view != ViewType.DELETED_ONLY else set()
    assert set(whole) == expected | ({"hidden"} if view != ViewType.ACTIVE_ONLY else set())
    assert (paged, len(whole)) == (whole, len(set(whole)))
    by_mlflow = search(store, filter_string="attributes.run_id != ''", order_by=order, run_view_type=view)
    assert names(by_mlflow) == whole


def test_filters_are_mlflows_own(store: TrackingStore) -> None:
    assert names(search(store, filter_string="metrics.acc >= 0.85 AND params.at != '18'")) == ["plain-19", "plain-17"]
    assert names(search(store, "e-1", filter_string="tags.k = 'v'")) == ["child"]
    assert names(search(store, filter_string="run_id IN ('plain-03','plain-04','child')")) == ["plain-04", "plain-03"]
    assert names(search(store, filter_string="attributes.run_id = 'plain-03' and metrics.acc > 0.9")) == []
    with pytest.raises(MlflowException):
        search(store, filter_string="nonsense")
    with pytest.raises(MlflowException, match="page token"):
        search(store, page_token="bm9uc2Vuc2U=")


def test_of_more_runs_than_are_kept_each_is_read(store: TrackingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same answer; points are read where the filter or the order asks for them."""
    asked = [
        {"filter_string": "params.at != '3'", "order_by": ["params.at DESC"]},
        {"filter_string": "metrics.acc > 0.2", "order_by": NEWEST},
        {"filter_string": "params.at != '3'", "order_by": ["metrics.acc DESC"]},
    ]
    expected = [names(search(store, **how)) for how in asked]
    monkeypatch.setattr(stores, "RUNS_KEPT", 5)

    assert [names(search(store, **how)) for how in asked] == expected
    assert search(store, **asked[0])[0].data.metrics == {"acc": 0.45}


def test_a_history_comes_in_pages(store: TrackingStore) -> None:
    first = store.get_metric_history("child", "loss", max_results=30)
    second = store.get_metric_history("child", "loss", max_results=30, page_token=first.token)

    assert [point.step for point in [*first, *second]] == list(range(50))
    assert (second.token, len(store.get_metric_history("child", "loss"))) == (None, 50)
    assert list(store.get_metric_history("child", "none")) == []
    assert store.get_run("child").data.metrics["loss"] == second[-1].value


def test_a_reused_step_shows_what_it_shows(store: TrackingStore, archive: Path) -> None:
    """The points and files of the run that lends them."""
    with Archive.open(archive, write=False) as opened:
        assert list(opened.artifacts(RunId("borrower"))) == []

    assert len(store.get_metric_history("borrower", "loss")) == 50
    assert [one.path for one in ArtifactRepo(store.get_run("borrower").info.artifact_uri).list_artifacts()] == [
        *("log.txt", "outputs")
    ]


def test_files_are_listed_from_any_root(store: TrackingStore) -> None:
    """By their paths below it; those whose bytes the archive does not keep cannot be had, and it says how."""
    root = store.get_run("child").info.artifact_uri
    listed = ArtifactRepo(root).list_artifacts("outputs")

    assert [(one.path, one.is_dir, one.file_size) for one in listed] == [
        ("outputs/a.bin", False, 1_234),
        ("outputs/deep", True, None),
    ]
    assert [one.path for one in ArtifactRepo(f"{root}/outputs").list_artifacts("deep")] == ["deep/b.bin"]
    whole = ArtifactRepo(root.removesuffix("/child"))
    assert [one.path for one in whole.list_artifacts("child/outputs/deep")] == ["child/outputs/deep/b.bin"]
    assert whole.list_artifacts() == whole.list_artifacts("nobody") == []
    assert ArtifactRepo(root).list_artifacts("outputs/a.bin") == []
    with pytest.raises(MlflowException, match=r"lists outputs/a.bin \(1,234 bytes\).*--artifacts download"):
        ArtifactRepo(root)._download_file("outputs/a.bin", "/dev/null")
    with pytest.raises(MlflowException, match=r"has no file outputs/c\.bin"):
        ArtifactRepo(root)._download_file("outputs/c.bin", "/dev/null")


def test_every_write_is_refused(store: TrackingStore, archive: Path) -> None:
    """Whatever MLflow's classes offer: what begins with a verb that changes something, and no reading."""
    repo, registry = ArtifactRepo(store.get_run("child").info.artifact_uri), RegistryStore("azureml-replay:x")
    writes = [
        *((store, name) for name in ("create_experiment", "log_batch", "set_tag", "delete_run", "update_run_info")),
        *((store, name) for name in ("log_inputs", "restore_run", "rename_experiment", "start_trace")),
        *((registry, name) for name in ("create_registered_model", "set_registered_model_alias")),
        *((repo, name) for name in ("log_artifact", "log_artifacts", "delete_artifacts")),
    ]
    for of, name in writes:
        with pytest.raises(MlflowException, match=READ_ONLY) as refused:
            getattr(of, name)("a", "b")
        assert refused.value.error_code == "PERMISSION_DENIED", name
    assert not inspect.isabstract(TrackingStore)
    assert not inspect.isabstract(RegistryStore)
    assert (list(registry.search_registered_models()), list(store.search_logged_models(["e-1"]))) == ([], [])
    assert store.search_traces(["e-1"]) == ([], None)


def test_it_can_be_browsed_while_somebody_writes(
    store: TrackingStore, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is new is there with the next look; a run that was extracted anew is another one."""
    monkeypatch.setattr("azureml_replay.formats.browsing.live.LOOK_EVERY_S", -1.0)
    assert store.get_run("plain-00").data.params == {"at": "0"}

    with Archive.open(archive) as writing:
        put(
            writing, [a_run("plain-00", experiment="forest", parameters={"at": "new"}), a_run("late", experiment="new")]
        )
        assert store.get_run("plain-00").data.params == {"at": "new"}
        assert names(search(store, "new")) == ["late"]


def test_an_archive_that_is_gone_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(MlflowException, match="is not an archive"):
        TrackingStore(f"azureml-replay:{tmp_path}/none").get_run("r")


def test_folders_can_be_walked_whatever_files_are_called(tmp_path: Path) -> None:
    """No folder lies within itself: whoever fetched all files would never end."""
    files = ("a//b.txt", "/c.txt", "d/./e.txt", "d/../f.txt", "", "mark/")
    with Archive.create(tmp_path / "history", SOURCE) as made:
        put(made, [a_run("r")], files=files)
    repo, folders, found = ArtifactRepo(f"{uri_of(tmp_path / 'history')}/r"), [""], []

    while folders:
        for one in repo.list_artifacts(folders.pop()):
            (folders if one.is_dir else found).append(one.path)
        assert len(folders) + len(found) <= len(files)

    assert sorted(found) == ["a/b.txt", "c.txt", "d/_../f.txt", "d/e.txt", "mark"]
    with pytest.raises(MlflowException, match="does not keep its bytes"):
        repo._download_file("d/_../f.txt", "/dev/null")


def test_hostile_names_are_shown(tmp_path: Path) -> None:
    """As MLflow's wire can carry them: half of a surrogate pair would end the whole page."""
    store = TrackingStore(uri_of(migrated(tmp_path / "hostile")))
    experiments = store.search_experiments()

    found = search(store, *(one.experiment_id for one in experiments))

    assert len([one.to_proto().SerializeToString() for one in (*experiments, *found)]) == len(experiments) + 50
    (halved,) = (run for run in found if "half a pair" in run.info.run_name)
    assert halved.data.params[r"\ud800 half a pair"] == r"\ud800 half a pair"


def test_uris_name_folders() -> None:
    """On Windows too, where a drive stands behind the slash."""
    assert folder_of(uri_of(Path("/a b/c#d?%20"))) == Path("/a b/c#d?%20")
    assert folder_of("azureml-replay:/a/b") == Path("/a/b")
    assert folder_of("azureml-replay:/C:/a") == Path("C:/a")
    assert live_archive(Path("/x")) is live_archive(Path("/x"))
