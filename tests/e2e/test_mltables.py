"""The original tool's commands for MLTables, as its users type them, judged by azure-ai-ml on both sides."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from azure.ai.ml.constants import ListViewType
from azure.ai.ml.entities import Data
from azure.storage.blob import ContainerClient

from azureml_replay.azure.workspace import connect
from azureml_replay.cli import run as run_command
from azureml_replay.formats.mltables.choice import TableChoice
from azureml_replay.formats.mltables.importing import chosen_tables, import_tables
from azureml_replay.formats.mltables.options import TableOptions, TablesImported
from azureml_replay.sending.transport import open_transport
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import client_of
from e2e.library import DiesAt, FastClock, PowerCut, configured
from e2e.test_seed_commands import run
from environment import point_at
from mltable_yaml_migrator.export_yaml import app as export_app
from mltable_yaml_migrator.import_yaml import app as import_app

LONG = "azureml://subscriptions/{s}/resourcegroups/{g}/workspaces/{w}/datastores/workspaceblobstore/paths/{path}"
TABLE = """# made by hand
type: mltable
paths:
  - file: ./rows.csv   # beside it
  - file: '{own}'
  - pattern: {outside}
  - file: https://example.org/public.csv
transformations:
  - read_delimited: {{delimiter: ','}}
"""


def blobs(workspace: WorkspaceFile) -> ContainerClient:
    """The container of workspaceblobstore, by Microsoft's own client."""
    store = client_of(workspace).datastores.get("workspaceblobstore", include_secrets=True)
    account = f"https://{store.account_name}.blob.core.windows.net"
    return ContainerClient(account, store.container_name, credential=store.credentials.sas_token)


def held(workspace: WorkspaceFile, prefix: str) -> dict[str, bytes]:
    """Path below a prefix -> bytes."""
    container = blobs(workspace)
    names = [one.name for one in container.list_blobs(name_starts_with=prefix)]
    return {name.removeprefix(prefix): container.download_blob(name).readall() for name in names}


def long(workspace: WorkspaceFile, path: str) -> str:
    names = {"s": workspace.subscription_id, "g": workspace.resource_group, "w": workspace.workspace_name}
    return LONG.format(path=path, **names)


def fill(source: WorkspaceFile, folder: Path) -> None:
    """Names: one with long paths, in versions made out of order, one of them archived; one from a folder; a file."""
    client, container = client_of(source), blobs(source)
    for version, rows in (("1.10", b"a,b\n1,2\n"), ("2", b"a,b\n3,4\n")):
        base = f"tables/numbers/{version}/"
        text = TABLE.format(own=long(source, f"{base}rows.csv"), outside=long(source, "elsewhere/*.csv"))
        container.upload_blob(f"{base}MLTable", text.encode())
        container.upload_blob(f"{base}rows.csv", rows)
    container.upload_blob("tables/numbers/1.10/deep/er.csv", b"")
    for version in ("2", "1.10"):
        path = f"azureml://datastores/workspaceblobstore/paths/tables/numbers/{version}/"
        client.data.create_or_update(
            Data(name="numbers", version=version, type="mltable", path=path, description="d", tags={"v": version})
        )
    client.data.archive("numbers", version="2")
    (folder / "local").mkdir()
    (folder / "local" / "MLTable").write_text("paths:\n  - file: ./x.csv\n")
    (folder / "local" / "x.csv").write_text("a\n1\n")
    client.data.create_or_update(Data(name="local", version="1", type="mltable", path=str(folder / "local")))
    container.upload_blob("no-table.csv", b"1")
    uri = "azureml://datastores/workspaceblobstore/paths/no-table.csv"
    client.data.create_or_update(Data(name="plain", version="1", type="uri_file", path=uri))


def selection(folder: Path, source: WorkspaceFile, target: WorkspaceFile, *tables: object) -> Path:
    """The file of the document, of two workspaces."""
    names = ("subscription_id", "resource_group", "workspace_name")
    said: dict[str, Any] = {"batch_id": 7, "mltables": list(tables)}
    for side, workspace in (("source", source), ("target", target)):
        said[side] = {key: getattr(workspace, key) for key in names}
    (folder / "mltables.yaml").write_text(yaml.safe_dump(said))
    return folder / "mltables.yaml"


def told(workspace: WorkspaceFile, name: str) -> list[tuple[Any, ...]]:
    """What azure-ai-ml says of a name's versions, newest first."""
    client = client_of(workspace)
    active = {one.version for one in client.data.list(name)}
    found = client.data.list(name, list_view_type=ListViewType.ALL)
    return [
        (one.version, one.type, one.description, one.tags, str(one.path).partition("/paths/")[2], one.version in active)
        for one in (client.data.get(name, version=listed.version) for listed in found)
    ]


@pytest.fixture(scope="module")
def filled(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceFile]:
    """A source that no test changes."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        source = sandbox.add_workspace()
        fill(source, tmp_path_factory.mktemp("tables"))
        yield source


def test_tables_arrive_with_what_lies_beside_them(
    filled: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Real processes. Names, versions, order, what is archived; long paths lead to the target; again: nothing."""
    target = calm.add_workspace()
    chosen = selection(tmp_path, filled, target, {"name": "numbers"}, {"name": "local", "versions": [1]})

    exported = run("mltable_yaml_migrator.export_yaml", "--selection", chosen, "--out-dir", "out", folder=tmp_path)
    flags = ("--selection", chosen, "--source-dir", "out")
    shown = run("mltable_yaml_migrator.import_yaml", *flags, "--dry-run", folder=tmp_path)
    untouched = list(client_of(target).data.list())
    first = run("mltable_yaml_migrator.import_yaml", *flags, folder=tmp_path)
    before = calm.requests()["writes"]
    again = run("mltable_yaml_migrator.import_yaml", *flags, folder=tmp_path)

    assert exported.returncode == 0, exported.stderr
    assert "import_yaml --selection" in exported.stderr
    out = tmp_path / "out" / "numbers" / "1.10"
    assert (out / "MLTable").read_bytes() == held(filled, "tables/numbers/1.10/")["MLTable"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["version"], manifest["tags"], manifest["description"]) == ("1.10", {"v": "1.10"}, "d")
    assert manifest["path"] == long(filled, "tables/numbers/1.10/")
    assert (shown.returncode, untouched) == (0, [])
    assert "3 tables would be made" in shown.stdout
    assert first.returncode == 0, first.stderr
    assert "not copied: azureml://" in first.stdout, "what it reads from outside its folder is told"
    assert told(target, "numbers") == told(filled, "numbers")
    assert {one[0]: one[-1] for one in told(target, "numbers")} == {"2": False, "1.10": True}
    latest = client_of(target).data.get("numbers", label="latest").version
    assert latest == client_of(filled).data.get("numbers", label="latest").version
    there, here = held(target, "tables/numbers/"), held(filled, "tables/numbers/")
    assert there.keys() - here.keys() == {"1.10/MLTable.source", "2/MLTable.source"}
    assert {path: there[path] for path in here if "MLTable" not in path} == {
        path: data for path, data in here.items() if "MLTable" not in path
    }
    assert there["2/MLTable.source"] == here["2/MLTable"]
    moved = here["2/MLTable"].decode().replace(long(filled, ""), long(target, ""))
    assert there["2/MLTable"].decode() == moved
    assert held(target, "LocalUpload/") == held(filled, "LocalUpload/"), "relative paths need no change: byte by byte"
    assert again.returncode == 0, again.stderr
    assert "3 there already, and equal" in again.stdout
    assert calm.requests()["writes"] == before


def called(app: Any, *arguments: str | Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any, str]:
    """A command in this process: exit code, its JSON, what it says."""
    code = run_command([*map(str, arguments), "--json"], app, "test")
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if shown.out else None, shown.err


def test_what_is_in_the_way_is_never_overwritten_unasked(
    filled: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another asset stops all, is left, or the source's gets a suffix; another file is told; asked for, it goes."""
    target = calm.add_workspace()
    chosen = selection(tmp_path, filled, target, {"name": "numbers", "versions": ["1.10"]}, "local")
    client, container = client_of(target), blobs(target)
    path = "azureml://datastores/workspaceblobstore/paths/theirs/"
    container.upload_blob("theirs/MLTable", b"paths:\n  - file: ./y.csv\n")
    client.data.create_or_update(Data(name="numbers", version="1.10", type="mltable", path=path))
    assert called(export_app, "--selection", chosen, "--out-dir", tmp_path / "out", capsys=capsys)[0] == 0
    flags = ("--selection", chosen, "--source-dir", tmp_path / "out")

    stopped = called(import_app, *flags, capsys=capsys)
    names = [one.name for one in client.data.list()]
    skipped = called(import_app, *flags, "--on-exists", "skip", capsys=capsys)
    container.upload_blob("tables/numbers/1.10/rows.csv", b"theirs")
    container.upload_blob("tables/numbers/1.10/stale.csv", b"old")
    refused = called(import_app, *flags, "--on-exists", "suffix", capsys=capsys)
    kept = held(target, "tables/numbers/1.10/")
    replaced = called(import_app, *flags, "--on-exists", "suffix", "--data-overwrite", capsys=capsys)
    again = called(import_app, *flags, "--on-exists", "suffix", capsys=capsys)

    assert (stopped[0], names) == (2, ["numbers"])
    assert "other data assets under the names of numbers:1.10: nothing was written" in stopped[2]
    assert (skipped[0], skipped[1]["made"], [one[0] for one in skipped[1]["skipped"]]) == (
        0,
        ["local:1"],
        ["numbers:1.10"],
    )
    assert refused[0] == 2
    assert "tables/numbers/1.10/rows.csv of the target: --data-overwrite replaces it" in refused[1]["refused"][0][1]
    assert kept == {"rows.csv": b"theirs", "stale.csv": b"old"}
    assert (replaced[0], replaced[1]["made"], replaced[1]["removed"]) == (0, ["numbers:1.10 as 1.10_1"], 2)
    assert held(target, "tables/numbers/1.10/").keys() == {"MLTable", "MLTable.source", "deep/er.csv", "rows.csv"}
    assert (again[0], again[1]["made"], len(again[1]["there"]), again[1]["files"]) == (0, [], 2, 0)
    assert {one[0] for one in told(target, "numbers")} == {"1.10", "1.10_1"}


def test_what_others_have_in_a_tables_folder_is_told_where_the_table_reads_it(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a pattern, a folder, or another version's; what no path takes in is nobody's business."""
    source, target = calm.add_workspace(), calm.add_workspace()
    for name, path in (("wild", "pattern: ./*.csv"), ("whole", "folder: ./"), ("one", "file: ./r.csv")):
        blobs(source).upload_blob(f"{name}/MLTable", f"paths:\n  - {path}\n".encode())
        blobs(source).upload_blob(f"{name}/r.csv", b"a\n1\n")
        place = f"azureml://datastores/workspaceblobstore/paths/{name}/"
        client_of(source).data.create_or_update(Data(name=name, version="1", type="mltable", path=place))
        for theirs in ("theirs.csv", "deep/theirs.csv"):
            blobs(target).upload_blob(f"{name}/{theirs}", b"a\n666\n")
    chosen = selection(tmp_path, source, target, *({"name": name} for name in ("wild", "whole", "one")))
    assert called(export_app, "--selection", chosen, "--out-dir", tmp_path / "out", capsys=capsys)[0] == 0
    flags = ("--selection", chosen, "--source-dir", tmp_path / "out")

    for more in (("--dry-run",), (), ()):
        done = called(import_app, *flags, *more, capsys=capsys)
        assert done[0] == 0
        told = {label: note.partition(": ")[2].partition(": --data")[0] for label, note in done[1]["notes"]}
        assert told == {"wild:1": "wild/theirs.csv", "whole:1": "whole/deep/theirs.csv, and 1 more"}
    cleared = called(import_app, *flags, "--data-overwrite", capsys=capsys)
    assert (cleared[0], cleared[1]["notes"], cleared[1]["removed"]) == (0, [], 6)


def test_the_other_flags_do_what_the_document_says(
    filled: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prefix leads own paths there too; without a copy the asset alone is made; foreign scopes stop, or leave out.

    Workspaces come from flags as well, and a manifest names its source; an edited MLTable is the one that arrives.
    """
    target, bare = calm.add_workspace(), calm.add_workspace()
    chosen = selection(tmp_path, filled, target, {"name": "numbers", "versions": ["1.10"]})
    assert called(export_app, "--selection", chosen, "--out-dir", tmp_path / "out", capsys=capsys)[0] == 0
    flags = ("--selection", chosen, "--source-dir", tmp_path / "out")
    into = ("--subscription", bare.subscription_id, "--resource-group", bare.resource_group)
    into = (*into, "--workspace", bare.workspace_name)

    failed = called(import_app, *flags, "--on-scope-mismatch", "fail", capsys=capsys)
    left = called(import_app, *flags, "--on-scope-mismatch", "skip", capsys=capsys)
    nothing = held(target, "")
    prefixed = called(import_app, *flags, "--target-prefix", "/moved/7/", "--copy-concurrency", "2", capsys=capsys)
    registered = called(import_app, "--source-dir", tmp_path / "out", *into, "--skip-data-copy", capsys=capsys)
    edited = tmp_path / "out" / "numbers" / "1.10" / "MLTable"
    edited.write_text(edited.read_text() + "# mine\n")
    changed = called(import_app, "--source-dir", tmp_path / "out", *into, capsys=capsys)
    for prefix in ("../zz", "a/../b", "a//b", "/", "a/."):
        refused = called(import_app, *flags, "--target-prefix", prefix, capsys=capsys)
        assert (refused[0], "no folder" in refused[2]) == (2, True)
    assert held(target, "..") == {}

    assert (failed[0], left[0], len(left[1]["skipped"]), nothing) == (2, 0, 1, {})
    assert "--on-scope-mismatch rewrite leads them to the target's" in failed[2]
    assert (prefixed[0], prefixed[1]["made"]) == (0, ["numbers:1.10"])
    moved = held(target, "moved/7/tables/numbers/1.10/")["MLTable"].decode()
    assert long(target, "moved/7/tables/numbers/1.10/rows.csv") in moved
    assert long(target, "elsewhere/*.csv") in moved
    assert client_of(target).data.get("numbers", "1.10").path == long(target, "moved/7/tables/numbers/1.10/")
    assert (registered[0], registered[1]["made"], registered[1]["files"]) == (0, ["numbers:1.10"], 0)
    assert client_of(bare).data.get("numbers", "1.10").path == long(bare, "tables/numbers/1.10/")
    assert (changed[0], len(changed[1]["there"])) == (0, 1)
    assert held(bare, "tables/numbers/1.10/")["MLTable"].endswith(b"# mine\n")


async def imported(source: WorkspaceFile, target: WorkspaceFile, folder: Path, cut: DiesAt) -> TablesImported:
    """One import by the library, both workspaces spoken to through `cut`."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(open_transport()) for _ in range(2)]
        ends = [
            await stack.enter_async_context(
                connect(configured(one), transport=cut.over(wire), parallel=8, clock=FastClock())  # type: ignore[arg-type]
            )
            for one, wire in zip((source, target), wires, strict=True)
        ]
        tables = chosen_tables(folder, TableChoice())
        return await import_tables(tables, ends[0], configured(source).ref, ends[1], options=TableOptions())


@pytest.mark.parametrize("every", [pytest.param(each, marks=pytest.mark.slow) for each in (6, 1)])
def test_killed_at_any_write_nothing_is_lost(
    filled: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    every: int,
) -> None:
    """Before and after each (or each sixth) request to the target's data and storage; then run again, to the end."""
    out, died, at = tmp_path / "out", True, 1
    chosen = selection(tmp_path, filled, filled, "numbers")
    assert called(export_app, "--selection", chosen, "--out-dir", out, capsys=capsys)[0] == 0
    wanted, files = told(filled, "numbers"), held(filled, "tables/").keys()
    while died:
        target, died = calm.add_workspace(), False
        for delivered in (False, True):
            cut = DiesAt(at, delivered=delivered, where=rf"{target.workspace_name}/data/|blob\.core.*/tables/")
            try:
                asyncio.run(imported(filled, target, out, cut))
            except PowerCut:
                died = True
        done = asyncio.run(imported(filled, target, out, DiesAt(0, delivered=False)))
        again = asyncio.run(imported(filled, target, out, DiesAt(0, delivered=False)))

        assert (done.failed, done.refused, len(again.there), again.files) == ((), (), 2, 0), at
        assert told(target, "numbers") == wanted, at
        assert files <= held(target, "tables/").keys(), at
        at += every
    assert at > 12, "it would prove nothing"


def test_a_service_that_refuses_is_told_of(
    filled: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A version that is refused keeps later ones of its name waiting: the latest stays the latest.

    A datastore that the target lacks is named.
    """
    target = calm.add_workspace()
    chosen = selection(tmp_path, filled, target, "numbers")
    out = tmp_path / "out"
    assert called(export_app, "--selection", chosen, "--out-dir", out, capsys=capsys)[0] == 0
    flags = ("--selection", chosen, "--source-dir", out)

    calm.set_faults([{"match": {"method": "PUT", "path": "/data/numbers/versions/2"}, "do": "status", "status": 403}])
    first = called(import_app, *flags, capsys=capsys)
    calm.set_faults()
    second = called(import_app, *flags, capsys=capsys)
    for manifest in out.glob("*/*/manifest.json"):
        manifest.write_text(manifest.read_text().replace("workspaceblobstore", "gone"))
    lost = called(import_app, *flags, capsys=capsys)

    assert (first[0], [one[0] for one in first[1]["refused"]], first[1]["made"]) == (
        2,
        ["numbers:2", "numbers:1.10"],
        [],
    )
    assert "version 2 comes first" in first[1]["refused"][1][1]
    assert (second[0], second[1]["made"]) == (0, ["numbers:2", "numbers:1.10"])
    assert told(target, "numbers") == told(filled, "numbers")
    assert lost[0] == 2
    assert all("gone" in why for _, why in lost[1]["refused"]), lost[1]


def test_what_cannot_be_exported_is_named(
    filled: WorkspaceFile, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names and versions that are not there, data of another type; the rest is exported. A dry run writes nothing."""
    tables = ({"name": "numbers", "versions": [1, "2"]}, "nobody", "plain")
    chosen = selection(tmp_path, filled, filled, *tables)

    dry = called(export_app, "--selection", chosen, "--out-dir", tmp_path / "out", "--dry-run", capsys=capsys)
    unwritten = (tmp_path / "out").exists()
    done = called(export_app, "--selection", chosen, "--out-dir", tmp_path / "out", capsys=capsys)
    same = called(import_app, "--selection", chosen, "--source-dir", tmp_path / "out", capsys=capsys)
    shutil.rmtree(tmp_path / "out" / "numbers" / "2")
    empty = called(import_app, "--selection", chosen, "--source-dir", tmp_path / "out", capsys=capsys)

    assert (dry[0], dry[1]["tables"], unwritten) == (2, ["numbers:2"], False)
    assert dict(done[1]["left"]) == {
        "numbers:1": "the workspace has none of that name and version",
        "nobody": "the workspace has no data asset of that name",
        "plain:1": "it is a uri_file, no MLTable",
    }
    assert done[0] == 2
    assert same[0] == 2
    assert "lacks numbers:1, which the selection names" in same[2]
    assert "holds no table" in empty[2]


def test_a_table_is_read_by_its_digest(tmp_path: Path) -> None:
    """An MLTable that the original tool made up has no digest in its manifest: it is not the table's own."""
    from azureml_replay.formats.mltables.folder import tables_in

    place = tmp_path / "t" / "1"
    place.mkdir(parents=True)
    (place / "MLTable").write_text("paths:\n  - file: x\n")
    (place / "manifest.json").write_text(json.dumps({"path": "azureml://x", "tags": None}))
    digest = hashlib.sha256(b"paths:\n  - file: x\n").hexdigest()

    (stub,) = tables_in(tmp_path)
    (place / "manifest.json").write_text(json.dumps({"path": "azureml://x", "sha256": digest}))
    (own,) = tables_in(tmp_path)
    (place / "MLTable").write_text("paths: []\n")
    (edited,) = tables_in(tmp_path)

    assert (stub.edited, own.edited, edited.edited) == (False, False, True)
    assert (stub.manifest.name, stub.manifest.version) == ("t", "1")
