"""What a dry run says is left to send is what the replay then sends: after a cut, a change at the source, an undo."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.direct.options import Replayed, ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.extraction.extract import extract
from azureml_replay.planning.left import Left
from azureml_replay.selection import Selection
from azureml_replay.terminal.terminal import LineProgress
from azureml_replay.undoing import undo
from azureml_replay.verbs import dry_run
from azureml_sandbox.server.sandbox import Sandbox
from e2e.edits import added, fill, point, tagged
from e2e.library import DiesAt, PowerCut
from e2e.tampering import Change, change
from e2e.test_synthetic import opened

ALONE = Selection(include=("alone",))


class Bench:
    """Three runs in two units, an archive, a target."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder / "archive"
        self.source, self.target = sandbox.add_workspace(), sandbox.add_workspace()
        change(sandbox, self.source, fill)
        self.counts: dict[str, tuple[int, int]] = {}

    def edit(self, *changes: Change) -> None:
        """At the source, and extracted again."""
        for one in changes:
            change(self.sandbox, self.source, one)
        self.extract()

    def extract(self) -> None:
        """What is new."""

        async def go() -> None:
            async with opened(self.source) as reading:
                with Archive.create(self.folder, reading.ref) as archive:
                    await extract(reading, archive, width=4)

        asyncio.run(go())

    def left(self, selection: Selection = Selection(), **options: Prefer) -> Left:
        """As a dry run says."""

        async def go() -> Left:
            async with opened(self.target) as there:
                with Archive.open(self.folder, write=False) as archive:
                    planned = dry_run(archive, there.ref, selection, options=ReplayOptions(**options))  # type: ignore[arg-type]
                    assert planned.left is not None
                    return planned.left

        return asyncio.run(go())

    def replay(
        self, selection: Selection = Selection(), cut: DiesAt | None = None, **options: Prefer
    ) -> Replayed | None:
        """None where it was cut. `counts` then has what was told to be done, and to be expected."""
        progress = LineProgress(lambda _: None)

        async def go() -> Replayed:
            async with opened(self.source) as reading, opened(self.target, cut) as there:
                with Archive.open(self.folder) as archive:
                    given = ReplayOptions(**options)  # type: ignore[arg-type]
                    return await replay(archive, reading, there, selection, options=given, width=4, progress=progress)

        try:
            return asyncio.run(go())
        except PowerCut:
            return None
        finally:
            self.counts = {what: (one.done, one.expected) for what, one in progress.tallies.items()}

    def undo(self) -> None:
        """Everything."""

        async def go() -> None:
            async with opened(self.target) as there:
                with Archive.open(self.folder) as archive:
                    assert (await undo(archive, there, width=4)).failed == ()

        asyncio.run(go())

    def writes(self) -> Sequence[str]:
        """Routes of the target that were written to since the counts were at nought, but for the lease."""
        rows = self.sandbox.requests()["routes"]
        return [row["route"] for row in rows if row["effect"] == "write" and "lease" not in row["route"]]


@pytest.fixture
def bench(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> Bench:
    return Bench(calm, tmp_path)


def sent(done: Replayed | None) -> tuple[int, int, int]:
    """Runs, points, files."""
    assert done is not None
    assert (done.failed, done.conflicts) == ((), ())
    return done.runs, done.points, done.files


def foreseen(left: Left) -> tuple[int, int, int]:
    """The same."""
    return left.runs, left.points, left.files + left.own_files


def test_what_is_left_is_what_goes(bench: Bench) -> None:
    """New, some of it, changed, hidden, edited there: each time the replay sends what was said, and then nothing."""
    bench.extract()
    some, everything = bench.left(ALONE), bench.left()
    assert (some.new, everything.new, everything.there, everything.points) == (1, 3, 0, 6)
    assert foreseen(some) == sent(bench.replay(ALONE))

    one = (1, 1)
    assert some.own_files == 1  # of which no plan knows the length: the bar does not grow by it
    assert bench.counts.pop("bytes sent") == (some.bytes, some.bytes) != (0, 0)
    assert bench.counts == {
        "runs planned": (1, 0),
        "runs begun": one,
        "runs filled": one,
        "runs complete": one,
        "points sent": (3, 3),
        "files sent": (2, 2),
    }

    rest = bench.left()
    assert (rest.new, rest.there, rest.experiments > 0) == (2, 1, True)
    assert foreseen(rest) == sent(bench.replay())
    assert bench.left() == Left(there=3)
    bench.sandbox.reset_requests()
    assert sent(bench.replay()) == (0, 0, 0)
    assert bench.writes() == []

    bench.edit(tagged("root", noted=True), point("alone"), added("child", "outputs/new.txt"))
    changed = bench.left()
    assert (changed.changed, changed.there) == (3, 0)
    assert changed.points == 1
    assert foreseen(changed) == sent(bench.replay())

    bench.undo()
    hidden = bench.left()
    assert (hidden.hidden, hidden.points, hidden.new) == (3, 0, 0)
    assert foreseen(hidden) == sent(bench.replay())
    assert bench.left() == Left(there=3)

    change(bench.sandbox, bench.target, tagged("root"))
    bench.edit(tagged("root", noted=True))
    both = bench.left()
    assert both.changed == 1  # nobody has asked the target yet
    assert foreseen(both) == sent(bench.replay())
    assert bench.left() == Left(there=2, edited=1, unmarked=1)
    preferred = bench.left(prefer=Prefer.SOURCE)
    assert foreseen(preferred) == sent(bench.replay(prefer=Prefer.SOURCE)) == (1, 0, 0)
    assert bench.left() == Left(there=3)


def test_what_a_cut_leaves_is_foreseen(bench: Bench) -> None:
    """Wherever it was: what may have arrived is said to be so, and no more goes than was said."""
    bench.extract()
    at, exact = 20, 0
    while True:
        cut = DiesAt(at, delivered=bool(at % 2))
        bench.target = bench.sandbox.add_workspace()
        whole = bench.replay(cut=cut)
        if whole is not None:
            break
        left = bench.left()
        done = sent(bench.replay())
        assert all(now <= told for now, told in zip(done, foreseen(left), strict=True)), at
        assert left.unsettled or done == foreseen(left), at
        assert left.runs + left.there == 3, at
        assert bench.left() == Left(there=3), at
        exact += not left.unsettled
        at += 7
    assert at > 40
    assert exact
