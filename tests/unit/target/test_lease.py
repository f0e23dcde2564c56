"""A lease in use: taken at the first write, kept, lost, given back; and who may not be asked whether they live."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.errors import LeaseTaken, Unavailable
from azureml_replay.instants import Instant
from azureml_replay.target import holder as holders
from azureml_replay.target import lease as leases
from azureml_replay.target.holder import alive, is_dead
from azureml_replay.target.lease import CHECKED, HELD, hold, is_held, leased
from azureml_replay.workspace.assets import AssetSource, AssetTarget
from azureml_replay.workspace.jobs import Submitter
from azureml_replay.workspace.lease import Check, LeaseHolder, LeasePace, LeaseSeen, Term, unchecked
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import TakesValuesWithRows, Target

SOURCE = Place("azureml", "key", "the source")
STRANGER = LeaseHolder("00000000-0000-4000-8000-000000000000", "bert@elsewhere", "elsewhere")
READS = {
    "profile",
    "settle",
    "without_end",
    "tagged_runs",
    "registered",
    "job",
    "blob_url",
    "staged",
    "has_datastore",
    "asset_there",
    "table_there",
    "asset_naming",
    "treat_assets_by",
}
"""What a target and a submitter have beside a source's methods that changes nothing."""


def now() -> Instant:
    return Instant.of(datetime.now(UTC))


class PowerCut(BaseException):
    """The process is gone: nothing of ours may catch it."""


@dataclass
class Keeping:
    """A workspace of one lease, in memory."""

    terms: dict[int, Term] = field(default_factory=dict)
    appended: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    """Raised one after the other by what claims a term."""
    silent: bool = False
    """Writes the term, and its answer is lost."""
    before_append: Callable[[], None] = unchecked
    gone: bool = False
    """Nothing reaches it any more."""
    displaced: list[LeaseHolder] = field(default_factory=list)
    """Off whom the last claim would take a storage's lock."""

    async def read_lease(self, _: str) -> LeaseSeen:
        last = sorted(self.terms, reverse=True)
        holders = tuple(dict.fromkeys(self.terms[number].holder for number in last))
        return LeaseSeen(self.last() if self.terms else None, now(), holders)

    async def claim_term(
        self, _: str, term: Term, __: int, *, instead_of: Sequence[LeaseHolder] = ()
    ) -> Instant | None:
        if self.gone:
            raise PowerCut
        self.displaced = [*instead_of]
        if self.trouble and not self.silent:
            raise self.trouble.pop(0)
        mine = self.terms.setdefault(term.number, term) == term
        if self.trouble:
            raise self.trouble.pop(0)
        return now() if mine else None

    async def give_back(self, _: str, term: Term) -> None:
        if self.gone:
            raise PowerCut
        self.terms.setdefault(term.number, term)

    async def append_points(self, what: str, *, check: Check = unchecked) -> None:
        self.before_append()
        check()
        self.appended.append(what)

    async def put_files(self, what: str) -> None:
        self.appended.append(what)

    async def settle(self, what: str, _: str) -> str:
        return what

    @property
    def submitter(self) -> Keeping:
        return self

    def last(self) -> Term:
        return self.terms[max(self.terms)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms of a second."""
    monkeypatch.setattr(leases, "PACE", LeasePace(term_s=1, renewed_after_s=0.2, margin_s=0.3))
    monkeypatch.setattr(leases, "PAUSE_S", 0.05)


def methods(protocol: type[Any]) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_every_write_waits_for_the_lease() -> None:
    """What a target has beside a source, and a submitter, is a write that is listed, or known to be none."""
    of_assets = methods(AssetTarget) - methods(AssetSource)
    with_rows = methods(TakesValuesWithRows)
    beside_source = (methods(Target) - methods(Source)) | methods(Submitter) | of_assets | with_rows

    assert beside_source == CHECKED | HELD | READS
    assert not (CHECKED | HELD) & READS


async def test_what_writes_nothing_takes_none() -> None:
    """Reading goes past it."""
    workspace = Keeping()
    async with leased(workspace, SOURCE) as target:
        assert await target.settle("r", "s") == "r"
        assert not is_held(target)

    assert workspace.terms == {}


@pytest.mark.parametrize("write", ["append_points", "put_files"])
async def test_the_first_write_takes_it_and_the_end_gives_it_back(write: str) -> None:
    """Also through the submitter, and by whoever guards it once more."""
    workspace = Keeping()
    async with leased(workspace, SOURCE) as target, leased(target, SOURCE) as again:
        assert again is target
        await getattr(target.submitter, write)("rows")
        assert (len(workspace.terms), workspace.last().over, is_held(target)) == (1, False, True)

    assert workspace.appended == ["rows"]
    assert [term.over for term in workspace.terms.values()] == [False, True]


async def test_somebody_at_work_is_told_and_nothing_written() -> None:
    """Who, since when, until when, and what to type."""
    since = Instant.parse("2026-01-01T12:00:00.5Z")
    workspace = Keeping({1: Term(number=1, holder=STRANGER, since=since, until=now().after(60))})

    with pytest.raises(LeaseTaken, match=r"bert@elsewhere since 2026-01-01 12:00:00 UTC, .* until .* --take-over"):
        async with leased(workspace, SOURCE) as target:
            await target.put_files("file")

    assert (list(workspace.terms), workspace.appended) == ([1], [])


async def test_taking_over_waits_the_term_out() -> None:
    """The next number is taken at once; nothing is written before the other's time is over."""
    until = now().after(1.2)
    workspace = Keeping({1: Term(number=1, holder=STRANGER, since=now(), until=until)})
    async with leased(workspace, SOURCE, take_over=True) as target:
        writing = asyncio.ensure_future(target.append_points("rows"))
        await asyncio.sleep(0.3)
        assert (list(workspace.terms), workspace.appended) == ([1, 2], [])
        await writing
        assert now().ticks > until.ticks


async def test_of_two_that_take_over_the_later_one_does() -> None:
    """The other gives up once its time has come: else each would follow the other, and neither write."""
    workspace = Keeping({1: Term(number=1, holder=STRANGER, since=now(), until=now().after(1))})

    async def take_over(what: str) -> None:
        async with leased(workspace, SOURCE, take_over=True) as target:
            await target.append_points(what)

    first = asyncio.ensure_future(take_over("first"))
    await asyncio.sleep(0.2)
    await take_over("second")

    with pytest.raises(LeaseTaken, match="is at work"):
        await first
    assert workspace.appended == ["second"]
    assert len(workspace.terms) <= 5, "1 was there; one each; then it is kept, and given back"


async def test_it_is_renewed_while_the_work_lasts() -> None:
    """Also after a while without an answer."""
    workspace = Keeping()
    async with leased(workspace, SOURCE) as target:
        await target.append_points("first")
        workspace.trouble = [Unavailable("busy"), Unavailable("busy")]
        await asyncio.sleep(1.5)
        await target.append_points("second")

    assert len(workspace.terms) > 3
    assert len({term.since for term in workspace.terms.values()}) == 1


async def test_a_renewal_whose_answer_was_lost_is_ones_own() -> None:
    """It goes on from there."""
    workspace = Keeping()
    async with leased(workspace, SOURCE) as target:
        await target.append_points("first")
        workspace.silent, workspace.trouble = True, [Unavailable("lost")]
        await asyncio.sleep(0.6)
        await target.append_points("second")

    assert workspace.appended == ["first", "second"]


async def test_what_waited_beyond_the_term_is_sent_in_the_next_one() -> None:
    """Its attempt did not leave; nobody else came."""
    workspace, waits = Keeping(), [1.2]
    async with leased(workspace, SOURCE) as target:
        await target.put_files("first")

        def wait_long() -> None:
            if waits:
                time.sleep(waits.pop())  # as a process that was stopped

        workspace.before_append = wait_long
        await target.append_points("rows")

    assert workspace.appended == ["first", "rows"]


async def test_who_was_stopped_and_taken_over_sends_nothing_and_ends() -> None:
    """The work that goes on meanwhile is cancelled too."""
    workspace = Keeping()

    def stopped() -> None:
        time.sleep(1.2)
        number = max(workspace.terms) + 1
        workspace.terms[number] = Term(number=number, holder=STRANGER, since=now(), until=now(), over=True)

    async def forever() -> None:
        await asyncio.sleep(60)

    async def work() -> None:
        async with leased(workspace, SOURCE) as target:
            await target.put_files("first")
            workspace.before_append = stopped
            await asyncio.gather(forever(), target.append_points("rows"))

    with pytest.raises(LeaseTaken, match="bert@elsewhere"):
        await work()

    assert workspace.appended == ["first"]
    assert workspace.last().holder == STRANGER, "what is another's is not given back"


async def test_it_is_seen_as_lost_although_nothing_is_being_sent() -> None:
    """By the renewal."""
    workspace = Keeping()

    async def work() -> None:
        async with leased(workspace, SOURCE) as target:
            await hold(target)
            workspace.terms[2] = Term(number=2, holder=STRANGER, since=now(), until=now().after(60))
            await asyncio.sleep(60)

    with pytest.raises(LeaseTaken):
        await work()


def test_nobody_is_dead_as_long_as_the_lock_is_held() -> None:
    """The operating system lets go of it with the process, however that ends; others' machines can't be asked."""
    program = (
        "import time\nfrom azureml_replay.target.holder import alive\n"
        "with alive() as holder:\n  print(holder.id, flush=True)\n  time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with alive() as mine:
        theirs = replace(mine, id=process.stdout.readline().strip())
        assert not is_dead(theirs)
        os.kill(process.pid, signal.SIGSTOP)
        assert not is_dead(theirs)
        process.kill()
        process.wait()
        process.stdout.close()

        assert is_dead(theirs)
        assert not is_dead(mine)
        assert not is_dead(replace(theirs, machine="elsewhere"))
        assert not is_dead(STRANGER)
        assert not is_dead(replace(theirs, id="../../etc/passwd"))


async def test_the_dead_on_this_machine_are_taken_over_at_once() -> None:
    """Their term runs on."""
    with suppress(RuntimeError), alive() as holder:
        raise RuntimeError
    workspace = Keeping({1: Term(number=1, holder=holder, since=now(), until=now().after(60))})

    async with leased(workspace, SOURCE) as target:
        await target.append_points("rows")

    assert workspace.appended == ["rows"]


@pytest.mark.parametrize("cut_at", ["a claim", "an append", "the return"])
async def test_a_call_that_died_within_this_process_is_dead_too(cut_at: str) -> None:
    """By whatever exception, wherever: what proves that it lived is let go of, though nothing could be given back."""
    workspace = Keeping()

    def cut() -> None:
        workspace.gone = True
        raise PowerCut

    async def work() -> None:
        async with leased(workspace, SOURCE) as target:
            await target.put_files("file")
            if cut_at == "a claim":
                workspace.trouble = [PowerCut()]  # type: ignore[list-item]
                await asyncio.sleep(60)
            workspace.before_append = cut if cut_at == "an append" else unchecked
            workspace.gone = cut_at == "the return"
            await target.append_points("rows")

    with pytest.raises(PowerCut):
        await work()
    left = workspace.last()
    workspace.gone, workspace.before_append = False, unchecked
    workspace.terms[left.number] = replace(left, over=False, until=now().after(60))
    assert is_dead(left.holder)

    async with leased(workspace, SOURCE) as target:
        await target.append_points("again")

    assert workspace.appended[-1] == "again"
    assert workspace.displaced == [left.holder]


async def test_a_storages_lock_is_taken_off_all_who_were_killed_before() -> None:
    """One after the other: it may be any one's, for whoever came last may have been killed before it was theirs."""
    dead = []
    for _ in range(2):
        with suppress(RuntimeError), alive() as holder:
            dead.append(holder)
            raise RuntimeError
    workspace = Keeping(
        {at: Term(number=at, holder=one, since=now(), until=now().after(60)) for at, one in enumerate(dead, 1)}
    )

    async with leased(workspace, SOURCE) as target:
        await hold(target)
        assert workspace.displaced == dead[::-1]


async def test_a_call_of_several_days_is_known_to_be_dead_afterwards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Others clear away what is older than a day: what proves its death is as young as its last term."""
    monkeypatch.setattr(holders, "KEPT_S", 0.5)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    workspace = Keeping()
    with suppress(RuntimeError):
        async with leased(workspace, SOURCE) as target:
            await hold(target)
            await asyncio.sleep(0.8)
            raise RuntimeError
    held = workspace.last().holder

    with alive():
        assert is_dead(held)
    await asyncio.sleep(0.6)
    with alive():
        assert not is_dead(held), "cleared away: nobody can tell"
