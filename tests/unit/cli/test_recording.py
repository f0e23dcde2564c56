"""How a command went is kept however it ends, and never grows without bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.cli.recording import recorded
from azureml_replay.errors import Unavailable
from azureml_replay.workspace.traffic import WIDTHS_KEPT, ServiceTraffic
from looks import a_verdict
from report.archives import SOURCE, TARGET

VERDICT = a_verdict(runs=2, points=3, files=4, bytes=5, omissions=6, findings=7)


class End:
    """A workspace that was reached."""

    ref = TARGET

    def traffic(self) -> dict[str, ServiceTraffic]:
        """One service, asked twice."""
        return {"metric": ServiceTraffic(requests=2, refused=1, widths=[(0, 4), (10, 2)])}


def cut_off(archive: Archive, problem: BaseException) -> None:
    """A migrate whose last verb ended, and which then did not."""
    with recorded(archive, "migrate", source=End(), target=None) as watch:
        watch.did("verify", VERDICT)
        raise problem


@pytest.mark.parametrize(
    ("problem", "outcome"), [(KeyboardInterrupt(), "interrupted"), (Unavailable("down"), "Unavailable")]
)
def test_a_command_that_was_cut_off_leaves_what_it_did(tmp_path: Path, problem: BaseException, outcome: str) -> None:
    """The verbs that had ended, the requests of all; the problem goes on to the edge."""
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        with pytest.raises(type(problem)):
            cut_off(archive, problem)
        (kept,) = archive.sessions()

    assert (kept.command, kept.outcome) == ("migrate", outcome)
    assert [(part.verb, part.counts) for part in kept.parts] == [
        ("verify", {"runs": 2, "points": 3, "files": 4, "bytes": 5, "findings": 7, "omissions": 6})
    ]
    assert kept.traffic == {"source metric": ServiceTraffic(requests=2, refused=1, widths=[(0, 4), (10, 2)])}


def test_each_command_says_into_which_workspace_it_went(tmp_path: Path) -> None:
    """Also where it ended before any verb of it did; what only reads the source is about every target."""
    other = azure_place("sub-2", "group", "another")
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        with recorded(archive, "extract", source=End()) as watch:
            watch.did("extract", VERDICT)
        with recorded(archive, "verify", target=End()) as watch:
            watch.did("verify", VERDICT)
        with pytest.raises(Unavailable), recorded(archive, "replay", target=End()):
            raise Unavailable("down")
        kept = archive.sessions()

    assert [(one.command, one.concerns(TARGET), one.concerns(other)) for one in kept] == [
        ("extract", True, True),
        ("verify", True, False),
        ("replay", True, False),
    ]


def test_widths_keep_their_shape_in_bounds() -> None:
    """First and last change stay; a width that did not change is none."""
    told = ServiceTraffic()

    for at in range(100_000):
        told.width(at, at // 2)

    assert len(told.widths) <= WIDTHS_KEPT
    assert told.widths[0] == (0, 0)
    assert told.widths[-1] == (99_998, 49_999)
    assert told.widths == sorted(told.widths)
