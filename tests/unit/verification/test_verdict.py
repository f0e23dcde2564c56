"""What evidence says of a run, without a workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect, Looked, Topic, Way
from azureml_replay.model import RunId
from azureml_replay.planning.plan import FILES, SHOWS
from azureml_replay.verification.proof import Proof
from azureml_replay.verification.verdict import OTHER_CONTENT, items
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
