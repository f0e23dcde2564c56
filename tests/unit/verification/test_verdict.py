"""What evidence says of a run, without a workspace."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from azureml_replay.archive import alike
from azureml_replay.archive.alike import Plain
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect, Looked, Topic, Way
from azureml_replay.model import Finding, Omission, Run, RunId
from azureml_replay.planning.plan import FILES, LEFT, SHOWS
from azureml_replay.verification.judging import OTHER_CONTENT, items
from azureml_replay.verification.proof import Proof
from azureml_replay.verification.verdict import verdict
from unit.archive.full import CHILD, PARENT, R1, R2, SOURCE, TARGET, extracted, listed, losses

ALL = {"artifacts": True, "most_bytes": None, "globs": []}


def reason(archive: Archive, run: RunId) -> str:
    return next(one.reason for one in items(archive.ledger(TARGET)) if one.subject == Topic(Way.RUN, run))


@pytest.mark.parametrize("shows", [True, False])
def test_a_job_that_shows_another_runs_values_is_stale_with_that_run(tmp_path: Path, shows: bool) -> None:
    """A reused step's job has its owner's files: what was compared before the owner changed is old."""
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        listed(archive)
        extracted(archive, PARENT, losses(0, 3))
        extracted(archive, CHILD)
        ledger = archive.ledger(TARGET)
        ledger.carry({R2: {FILES: ALL, **({SHOWS: R1} if shows else {})}}, Way.JOB)
        outcomes = dict.fromkeys((Aspect.FIELDS, Aspect.POINTS, Aspect.FILES), Looked())
        Proof(archive, ledger, 1).record(Topic(Way.JOB, R2), outcomes)
        before = reason(archive, R2)

        extracted(archive, PARENT, losses(0, 4))

        assert (before, reason(archive, R2)) == ("", OTHER_CONTENT if shows else "")


COUNTS = {Aspect.POINTS: {"points": 3}, Aspect.FILES: {"files": 2, "own_files": 1, "bytes": 9, "unverifiable": 1}}
WHAT = {Aspect.POINTS: "metric loss", Aspect.FILES: "file a", Aspect.BYTES: "file a: bytes"}


class Random:
    """Does to an archive and a ledger what commands do, in any order."""

    def __init__(self, archive: Archive, seed: int) -> None:
        self.archive, self.ledger, self.draw = archive, archive.ledger(TARGET), random.Random(seed)
        self.runs = [RunId(f"r{at}") for at in range(24)]
        listed = [self.run(at) for at in range(24)]
        archive.put_listed(listed)
        archive.arrange()
        archive.select(self.runs)
        for run in listed:
            if self.draw.random() < 0.85:
                extracted(archive, run, losses(0, 2))
        self.begin_look()

    def run(self, at: int) -> Run:
        """In families of four."""
        parent = RunId(f"r{at - at % 4}") if at % 4 else None
        return Run(id=RunId(f"r{at}"), parent=parent, experiment=f"e{at // 8}", status="Completed")

    def begin_look(self) -> None:
        units = self.draw.choice([None, [RunId("r0"), RunId("r4")]])
        self.look = self.ledger.begin_look(self.draw.choice([list(Aspect), [Aspect.FIELDS]]), units, units and ["e0"])

    def some(self) -> list[RunId]:
        return self.draw.sample(self.runs, self.draw.randrange(1, 20))

    def do(self) -> None:
        """One of them."""
        what = (self.carry, self.carry, self.compare, self.compare, self.compare, self.compare, self.change, self.rest)
        self.draw.choice(what)()

    def carry(self) -> None:
        told: dict[str, object] = {FILES: ALL}
        if self.draw.random() < 0.2:
            told = {LEFT: "no"}
        way = Way.JOB if self.draw.random() < 0.1 else Way.RUN
        if way is Way.JOB and self.draw.random() < 0.5:
            told[SHOWS] = self.runs[0]
        self.ledger.carry(dict.fromkeys(self.some(), told), way)  # type: ignore[arg-type]

    def compare(self) -> None:
        """As a look does, of which some find something, see a part, or end."""
        whole = self.draw.random() < 0.8
        for run in self.some():
            chosen = [Aspect.FIELDS, Aspect.POINTS, Aspect.FILES]
            chosen = chosen if whole else self.draw.sample(chosen, 2)
            if self.draw.random() < 0.3:
                chosen.append(Aspect.BYTES)
            outcomes = {aspect: self.looked(run, aspect) for aspect in chosen}
            way = Way.JOB if self.draw.random() < 0.03 else Way.RUN
            against = dict.fromkeys(outcomes, self.ledger.content_of(run))
            self.ledger.put_outcomes(Topic(way, run), self.look, against, outcomes)
        if self.draw.random() < 0.5:
            self.ledger.end_look(self.look)
        if self.draw.random() < 0.5:
            self.begin_look()

    def looked(self, run: RunId, aspect: Aspect) -> Looked:
        finding = Finding(run, WHAT.get(aspect, "status"), "differs", "1", "2")
        found = [finding] if self.draw.random() < 0.03 else []
        return Looked(found, COUNTS.get(aspect, {}), part=self.draw.random() < 0.05)

    def change(self) -> None:
        """Extracted again with something new, or about to be; or gone."""
        for run in self.some()[:3]:
            kind, at = self.draw.choice(["again", "again", "listed", "gone"]), int(run[1:])
            if kind == "again":
                extracted(self.archive, self.run(at), losses(0, self.draw.randrange(1, 6)))
            elif kind == "listed":
                self.archive.bring_again(run)
            else:
                self.archive.note_gone(self.some()[:8])

    def rest(self) -> None:
        self.ledger.put_planned_omissions(Topic(Way.RUN, self.runs[1]), [Omission(self.runs[1], "code", "left out")])
        self.ledger.put_planned_omissions(Topic(Way.JOB, self.runs[1]), [Omission(self.runs[1], "code", "left out")])
        if self.draw.random() < 0.3:
            self.ledger.drop_evidence(self.some()[:4], Way.RUN)


def test_what_is_counted_together_is_what_each_would_be_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was done before, in whatever order: the verdict is the fold over every single item."""
    seen = Counter[Plain]()
    for seed in range(12):
        with Archive.create(tmp_path / str(seed), SOURCE) as archive:
            doing = Random(archive, seed)
            for _ in range(10):
                doing.do()
                seen.update({one.plain: one.runs for one in doing.ledger.alike()})
                told = verdict(archive, doing.ledger)
                with monkeypatch.context() as patch:
                    patch.setattr(alike, "MOST_ODD", -1)
                    assert verdict(archive, doing.ledger) == told, seed
    assert seen.keys() == set(Plain)
