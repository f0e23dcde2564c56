"""Workers, or their driver, killed anywhere; then the same command again: what one process makes, in every respect."""

from __future__ import annotations

import base64
import gzip
import json
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import sampled
from e2e.test_lease import PACED, migrating, rows_of
from e2e.test_merge import root_of
from e2e.test_workers import carried, command
from e2e.troubles import APPENDS, Trouble, told
from environment import point_at

SAMPLE = Wanted(runs=4, experiments=2, children=0, series=1, points=3, artifacts=1)
"""Four parts."""
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?")
PACKED = re.compile(r"H4sI[A-Za-z0-9+/=]+")


def shown(sandbox: Sandbox, source: WorkspaceFile, target: WorkspaceFile, folder: Path) -> Mapping[str, object]:
    """All that is to be seen of a migration afterwards, without moments and the names of the target and the archive."""

    def plain(text: str) -> str:
        for name in (target.workspace_name, target.subscription_id, str(folder)):
            text = text.replace(name, "NAME")
        return TIME.sub("TIME", text)

    def said(*words: str | Path) -> str:
        return plain(command(*words))

    sandbox.reset_requests()
    again = carried(source, target, folder)
    writes = sandbox.requests()["writes"]
    verified = said("verify", folder, "--target", target.path)
    status = json.loads(said("status", folder, "--json"))
    status["targets"][0].pop("proof_root")  # moments are in it
    status.pop("last_command")  # by whichever words it was begun
    return {
        "root": root_of(folder),
        "rows": rows_of(sandbox, target),
        "again": again,
        "writes": writes,
        "verify": verified,
        "status": status,
        "report": re.sub(r"\(.* kB\)", "", said("report", folder, "--output", folder / "report.html")),
        "page": [plain(one) for one in packed_in(folder / "report.html")],
        "left": sorted(path.name for path in folder.iterdir()),
    }


def packed_in(page: Path) -> list[str]:
    """What the page holds of runs, values and findings; by which commands it came is another matter."""
    packed = [gzip.decompress(base64.b64decode(one)) for one in PACKED.findall(page.read_text())]
    sheet = next(json.loads(one) for one in packed if b'"widths"' in one)
    for name in ("commands", "widths", "widths_of"):
        del sheet[name]
    del sheet["roots"][1]  # moments are in it
    return [json.dumps(sheet), *(one.decode(errors="replace") for one in packed if b'"widths"' not in one)]


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> WorkspaceFile:
    """Each run has points and a file."""
    return sampled(sandbox, SAMPLE)


@pytest.fixture(scope="module")
def alone(sandbox: Sandbox, source: WorkspaceFile, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, object]:
    """What one process makes."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        target, folder = sandbox.add_workspace(), tmp_path_factory.mktemp("alone") / "a"
        with migrating(source, target, folder, program=PACED) as migration:
            assert migration.ended() == 0, migration.said
        found = shown(sandbox, source, target, folder)
    assert (found["writes"], found["rows"]) == (0, rows_of(sandbox, source))
    return {**found, "figures": figures(migration.said)}


WORKER, DRIVER = 56, 66
"""Requests: of two workers each sends about 42, and one that was begun late a few less; their driver sends 63."""
STEPS, LEFTOVERS = 75, 18
"""A driver takes 72 steps with parts, and four with each of up to four that another one left."""


def command_with_workers(source: WorkspaceFile, target: WorkspaceFile, folder: Path) -> tuple[int, str]:
    """Its exit code, and what it says."""
    with migrating(source, target, folder, "--workers", "2", program=PACED) as migration:
        return migration.ended(), migration.said


def figures(said: str) -> list[str]:
    """What a command says that it brought, and sent."""
    return re.findall(r"^(?:extracted|replayed): .*$", said, re.MULTILINE)


def is_as_by_one(
    found: Mapping[str, object], alone: Mapping[str, object], *troubles: Trouble, but: frozenset[str] = frozenset()
) -> None:
    """Each by itself, since all of it is long."""
    for name in found.keys() - but:
        assert found[name] == alone[name], (name, troubles)


@dataclass(frozen=True, slots=True)
class Killing:
    """Where commands are killed."""

    sandbox: Sandbox
    source: WorkspaceFile
    alone: Mapping[str, object]
    folder: Path
    patch: pytest.MonkeyPatch

    def worker(self, *troubles: Trouble) -> Sequence[bool]:
        """One after the other while a command goes on, which ends as if nothing was; which of them came to it."""
        target, folder = self.sandbox.add_workspace(), self.folder / "a"
        killing = told(self.folder, self.patch, *troubles)
        code, said = command_with_workers(self.source, target, folder)

        assert code == 0, (troubles, said)
        assert figures(said) == self.alone["figures"], (troubles, said)
        is_as_by_one(shown(self.sandbox, self.source, target, folder), self.alone, *troubles)
        return killing.happened

    def driver(self, *troubles: Trouble, last: bool = True) -> Sequence[bool]:
        """One command after the other is killed; the last one has workers, or none, and ends."""
        target, folder = self.sandbox.add_workspace(), self.folder / "a"
        killing = told(self.folder, self.patch, *troubles)
        for number in range(len(troubles)):
            code, said = command_with_workers(self.source, target, folder)
            killing.until_workers_are_gone()
            if code == 0:
                break
            assert code == -signal.SIGKILL, (troubles[number], said)
        if last:
            code, said = command_with_workers(self.source, target, folder)
            assert code == 0, (troubles, said)
        else:
            carried(self.source, target, folder)
        is_as_by_one(shown(self.sandbox, self.source, target, folder), self.alone, *troubles)
        return killing.happened


@pytest.fixture
def place(
    calm: Sandbox,
    azure_env: dict[str, str],
    source: WorkspaceFile,
    alone: Mapping[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Killing:
    """With a folder of its own."""
    return Killing(calm, source, alone, tmp_path, monkeypatch)


BEFORE_OR_AFTER = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


def test_workers_are_killed(place: Killing) -> None:
    """While they read, as a run is made, and as points have just arrived of which no receipt tells."""
    assert place.worker(
        Trouble(who="worker", at=2, where="/metric/"),
        Trouble(who="worker", at=1, where=r"/runs$", after=True),
        Trouble(who="worker", at=1, where=APPENDS, after=True),
    ) == [True, True, True]


def test_drivers_are_killed(place: Killing) -> None:
    """As a part was brought home and still lies there, and as the next command folds in what it left."""
    assert place.driver(
        Trouble(who="driver", at=6, steps=True, where="take_home", after=True),
        Trouble(who="driver", at=1, steps=True, where="fold_ledgers"),
        last=False,
    ) == [True, True]


@pytest.mark.sweep
@BEFORE_OR_AFTER
@pytest.mark.parametrize("at", range(1, WORKER + 1))
def test_a_worker_is_killed_at_each_request(at: int, place: Killing, *, after: bool) -> None:
    (killed,) = place.worker(Trouble(who="worker", at=at, after=after))

    assert killed or at > 30


@pytest.mark.sweep
@BEFORE_OR_AFTER
@pytest.mark.parametrize("at", range(1, DRIVER + 1))
def test_the_driver_is_killed_at_each_request(at: int, place: Killing, *, after: bool) -> None:
    """Every second time one process goes on."""
    (killed,) = place.driver(Trouble(who="driver", at=at, after=after), last=at % 2 == 0)

    assert killed or at > 50
    assert not killed or at < DRIVER, "a driver sends more than are tried"


@pytest.mark.sweep
@pytest.mark.parametrize("at", range(1, STEPS + 1))
def test_the_driver_is_killed_after_each_step_with_a_part(at: int, place: Killing) -> None:
    (killed,) = place.driver(Trouble(who="driver", at=at, steps=True, after=True), last=at % 2 == 0)

    assert killed == (at <= 72), "a driver takes other steps than are tried"


@pytest.mark.sweep
@pytest.mark.parametrize("at", range(1, LEFTOVERS + 1))
def test_the_next_driver_is_killed_as_it_folds_in_what_was_left(at: int, place: Killing) -> None:
    """The first one ends as it brings home what was sent: one part at least is left, and more while others work."""
    first = Trouble(who="driver", at=6, steps=True, where="take_home")
    there = Trouble(who="driver", at=at, steps=True, where="fold|fold_(runs|ledgers|notes)", after=True)
    (killed, again) = place.driver(first, there, last=at % 2 == 0)

    assert killed
    assert again or at > 4
    assert not again or at < LEFTOVERS, "there is more to fold in than is tried"
