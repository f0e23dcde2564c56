"""`--combined` and `--differ`: a line for every item, by the evidence that the verdict is of."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.errors import UserError
from azureml_replay.formats.tables.listing import check_suffix, write_lines
from azureml_replay.planning.files import FileChoice
from azureml_replay.selection import Selection
from azureml_replay.verbs import MigrateOptions
from azureml_replay.verification.each import DIFFER, ItemLine, Said, each
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.world import scalar
from e2e.tampering import FILE, HOME, OTHER_BYTES, change, file_bytes, in_pairs, row
from e2e.test_accepted import Accepting, filled
from e2e.test_evidence import NO_FILES
from environment import point_at


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Accepting:
    """Migrated, and equal."""
    point_at(sandbox, monkeypatch)
    source = sandbox.add_workspace()
    change(sandbox, source, filled)
    made = Accepting(source, sandbox, tmp_path)
    made.migrate()
    return made


def lines(bench: Accepting, selection: Selection = Selection(), *, deep: bool = False) -> list[ItemLine]:
    """All of them."""
    with Archive.open(bench.folder, write=False) as archive:
        *_, newest = archive.targets()
        return list(each(archive, archive.ledger(newest), selection, deep=deep))


def of(found: list[ItemLine], level: str) -> dict[tuple[str, str], Said]:
    """Run and item -> verdict."""
    return {(one.run, one.item): one.verdict for one in found if one.level == level}


def test_every_item_has_its_verdict(bench: Accepting) -> None:
    """Equal, changed, missing, extra, accepted, omitted, open: one life of one target."""
    verdict, found = bench.status(), lines(bench)
    assert {one.verdict for one in found} == {Said.EQUAL}
    assert len(of(found, "file")) == verdict.files
    assert of(found, "metric").keys() == {("root", "loss"), ("root", "accuracy"), ("root", "stepless")}
    assert {key for key, _ in of(found, "run")} == {"root", "child", "alone"}
    assert of(found, "experiment") == dict.fromkeys([("", HOME), ("", "other"), ("", "Default")], Said.EQUAL)

    bench.change(
        in_pairs("tags", {"hand": "1"}),
        lambda held: held.world.metrics.append(held.guid, scalar("dcid.root", "loss"), [row(9, 0.5)]),
        file_bytes(OTHER_BYTES),
        lambda held: held.world.runs.delete(held.guid, "child"),
    )
    bench.look(accept=True)
    found = lines(bench)
    of_child = [one for one in found if one.run == "child"]
    assert {one.verdict for one in of_child} == {Said.MISSING}
    assert {one.level for one in of_child} >= {"run", "aspect", "file"}, "of a run that is not there nothing is equal"
    assert of(found, "run")["root", "run"] is Said.DIFFERS
    assert of(found, "run")["child", "run"] is Said.MISSING
    assert of(found, "run")["alone", "run"] is Said.EQUAL
    assert of(found, "metric") == {
        ("root", "loss"): Said.DIFFERS,
        ("root", "accuracy"): Said.EQUAL,
        ("root", "stepless"): Said.EQUAL,
    }
    assert of(found, "value")["root", "metric loss step 9"] is Said.EXTRA
    assert of(found, "value")["root", "tag hand"] is Said.ACCEPTED
    assert of(found, "file")["root", FILE] is Said.DIFFERS
    assert of(found, "aspect")["root", "fields"] is Said.ACCEPTED

    bench.edit_source(in_pairs("tags", {"other": "1"}))
    bench.verify(files=NO_FILES)
    found = lines(bench, Selection(include=("root",)))
    assert of(found, "aspect")["root", "files"] is Said.DIFFERS, "a finding stands until it is looked at again"
    assert of(found, "file")["root", "outputs/empty.txt"] is Said.NOT_COMPARED
    assert not any(one.run == "alone" for one in found)

    bench.target = bench.sandbox.add_workspace()
    verdict = bench.migrate(options=MigrateOptions(replay=ReplayOptions(files=FileChoice(most_bytes=0))))
    omitted = [one for one in lines(bench) if one.verdict is Said.OMITTED]
    assert {(one.level, one.item) for one in omitted} == {("file", FILE), ("file", "logs/a.txt")}
    assert (len(omitted), {one.why for one in omitted}) == (verdict.omissions, {*verdict.reasons})


def test_the_files_hold_what_the_lines_say(bench: Accepting, tmp_path: Path) -> None:
    """CSV, an array, an object a line; one of them only what is not as it should be."""
    bench.change(in_pairs("tags", {"hand": 'a,\n"b"'}))
    bench.look()
    found = lines(bench)
    paths = {suffix: tmp_path / f"all{suffix}" for suffix in (".csv", ".json", ".jsonl")}
    for path in paths.values():
        write_lines(iter(found), combined=path, differ=None)
    write_lines(iter(found), combined=None, differ=tmp_path / "some.json")
    write_lines(iter(()), combined=tmp_path / "none.json", differ=None)

    with paths[".csv"].open(newline="") as file:
        told: list[dict[str, Any]] = [*csv.DictReader(file)]
    array, rows = json.loads(paths[".json"].read_text()), paths[".jsonl"].read_text().splitlines()
    assert told == array == [json.loads(one) for one in rows]
    assert Counter(one["verdict"] for one in array) == Counter(one.verdict.value for one in found)
    differing = json.loads((tmp_path / "some.json").read_text())
    assert differing == [one for one in array if one["verdict"] in {said.value for said in DIFFER}]
    assert [one["item"] for one in differing] == ["run", "fields", "tag hand"]
    assert differing[-1]["actual"] == '"a,\n"b""'
    assert json.loads((tmp_path / "none.json").read_text()) == []


@pytest.mark.parametrize("name", ["-", "all", "all.txt"])
def test_a_name_says_the_form(name: str) -> None:
    """Standard output holds the verdict."""
    with pytest.raises(UserError, match="--combined"):
        check_suffix("--combined", Path(name))
