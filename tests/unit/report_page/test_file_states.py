"""The verdict on each file of a run, by what verify said of the whole run."""

from __future__ import annotations

from dataclasses import replace

from azureml_replay.model import Artifact, Finding, Location, Omission, RunId, StoredFile
from azureml_replay.planning.fit import CREATED_AT_START, IN_ARCHIVE, IN_LINEAGE
from azureml_replay.report_page.choices import by_choice, quiet
from azureml_replay.report_page.file_states import FileStates

RUN = RunId("r")


def a_file(path: str, md5: bytes | None = bytes(16)) -> Artifact:
    """With bytes."""
    place = Location("store", path)
    return Artifact(path=path, location=place, indexed=True, stored=StoredFile(location=place, size_bytes=1, md5=md5))


def states(
    files: list[Artifact], *found: tuple[str, str], left: tuple[str, ...] = (), compared: bool = True, by_size: int = 0
) -> list[str]:
    """Of the files, for findings (what, kind) and omissions (what)."""
    findings = [Finding(RUN, what, kind, "", "") for what, kind in found]
    omissions = [Omission(RUN, what, "why") for what in left]
    judge = FileStates.of(files, findings, omissions, compared=compared, unverifiable=by_size)
    return [judge.of_file(one) for one in files]


def test_a_finding_is_about_the_file_that_it_names() -> None:
    """Also where only its bytes or its entry differ, or it had to move below `replay/`; never about a like name."""
    files = [a_file(path) for path in ("a", "x/a", "b", "c", "d", "e")]
    found = [("file a", "absent"), ("file b: bytes", "differs"), ("file c: index entry", "extra")]

    assert states(files, *found, ("file replay/source/d", "conflict")) == [
        "absent",
        "equal",
        "differs",
        "differs",
        "differs",
        "equal",
    ]
    assert set(states(files, ("run", "absent"))) == {"absent"}
    assert states([a_file("metric")], ("metric", "differs")) == ["equal"]


def test_what_was_left_out_is_not_compared() -> None:
    """One file, or all of them; a file without bytes is left out as well."""
    gone = replace(a_file("gone"), stored=None)

    assert states([a_file("a"), a_file("b"), gone], left=("file a",)) == ["left", "equal", "left"]
    assert states([a_file("a")], left=("files",)) == ["left"]
    assert states([a_file("a")], compared=False) == ["unverified"]


def test_equal_is_said_of_no_file_that_was_compared_by_size_alone() -> None:
    """Those without a checksum; all, where the target lacks others, as nobody knows which."""
    files = [a_file("a"), a_file("b", md5=None)]

    assert states(files, by_size=1) == ["equal", "size"]
    assert states(files, by_size=2) == ["size", "size"]
    assert states(files, by_size=0) == ["equal", "equal"]


def test_reasons_that_flags_made_are_choices() -> None:
    """What the service or the target forces is none."""
    asked = ("left out by --no-artifacts", "history left out by --metrics last", "cut by --depth")

    assert all(map(by_choice, (*asked, "code: left out (no --code)")))
    assert not any(map(by_choice, ("no target takes it; kept in the archive", "code could not be read: 403")))


def test_what_stands_whole_in_the_lineage_is_quiet() -> None:
    """Nearly every run was created a moment before its start; what the target has nowhere is not."""
    assert quiet(CREATED_AT_START + IN_LINEAGE)
    assert not by_choice(CREATED_AT_START + IN_LINEAGE)
    assert quiet("left out by --no-artifacts")
    assert not quiet(CREATED_AT_START + IN_ARCHIVE)
