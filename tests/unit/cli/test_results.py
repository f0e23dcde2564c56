"""What commands tell: a verdict says what it covers, and a failure what to do."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.rights import remedy_of
from azureml_replay.cli import results
from azureml_replay.cli.next_step import Typed, after_verdict, tell, tell_mends
from azureml_replay.cli.undo import lines
from azureml_replay.cli.welcome import start
from azureml_replay.direct.options import Replayed
from azureml_replay.errors import remedy_lines
from azureml_replay.extraction.extract import Extracted
from azureml_replay.model import RunId
from azureml_replay.planning.left import Left
from azureml_replay.planning.summary import PlanSummary
from azureml_replay.target.undone import Undone
from azureml_replay.terminal.layout import drawn_lines, prose
from azureml_replay.terminal.terminal import Terminal, lines_for
from azureml_replay.verbs import Migrated
from azureml_replay.verification.verdict import Verdict
from azureml_replay.verification.wording import Kind
from looks import a_verdict

EQUAL = a_verdict(runs=2, equal=2, points=6, files=1, bytes=9)
OPEN = replace(EQUAL, runs=5, not_compared=3, uncompared={"never sent": 3})
EXTRACTED = ("listed", "units", "runs", "points", "files", "active", "gone", "kept", "kept_bytes")
REPLAYED = Replayed(runs=0, points=0, files=0, bytes=0, conflicts=(), kept=(), failed=())


@pytest.mark.parametrize(
    ("verdict", "proves", "said"),
    [
        (EQUAL, True, "2 runs, 6 points, 1 file: all equal; 0 omissions planned"),
        (
            replace(EQUAL, files=5, own_files=4),
            True,
            "2 runs, 6 points, 5 files (4 of them made by replay): all equal; 0 omissions planned",
        ),
        (
            replace(EQUAL, findings=1, faults=1),
            False,
            "2 runs, 6 points, 1 file: 1 transfer fault; 0 omissions planned",
        ),
        (
            replace(EQUAL, accepted=2),
            True,
            "2 runs, 6 points, 1 file: equal but for 2 accepted changes; 0 omissions planned",
        ),
        (replace(EQUAL, others_not_compared=True), False, "2 of 2 runs equal, 6 points, 1 file: not proven yet"),
        (OPEN, False, "2 of 5 runs equal, 6 points, 1 file: not proven yet; 0 omissions planned"),
        (replace(EQUAL, runs=0, equal=0), False, "nothing was there to compare; 0 omissions"),
        (replace(EQUAL, equal=0, left_out=2), False, "2 runs: nothing of them was to be carried; 0 omissions"),
    ],
)
def test_a_verdict_covers_what_was_compared(verdict: Verdict, proves: bool, said: str) -> None:
    """Over nothing, or over a part, it is no success."""
    assert verdict.proves == proves
    assert next(lines_for(io.StringIO(), results.verified(verdict))).startswith(said)


def test_migrate_ends_with_what_failed_before_the_verdict() -> None:
    """One line for each verb, with the first reason."""
    extracted = Extracted(
        **dict.fromkeys(EXTRACTED, 0),
        failed=((RunId("r1"), "no such list"), (RunId("r2"), "no such list")),
    )
    reasons = {"not extracted: extract again to continue": 2}
    lacking = a_verdict(runs=2, not_compared=2, uncompared=reasons)
    done = Migrated(extracted=extracted, replayed=REPLAYED, verdict=lacking)

    assert list(lines_for(io.StringIO(), results.migrated(done, workspace_config("s/g/prod")))) == [
        "0 of 2 runs equal, 0 points, 0 files: not proven yet; 0 omissions planned for prod",
        "2 runs are not compared",
        "└── 2 x not extracted: extract again to continue",
        "2 runs could not be extracted: r1: no such list",
    ]


def test_runs_that_failed_for_a_role_name_it_once() -> None:
    """The service's words are long: who lacks what stands on a line of its own."""
    action = "Microsoft.MachineLearningServices/workspaces/metadata/artifacts/write"
    why = f"does not have permissions for {action} actions"
    remedies = remedy_lines([remedy_of(why), remedy_of(why), None])
    done = replace(REPLAYED, failed=((RunId("r1"), why), (RunId("r2"), why)), remedies=remedies)

    told = list(lines_for(io.StringIO(), results.replayed(done)))

    assert told[-1] == "2 runs failed: run the same command again to continue"
    assert [line for line in told if line.startswith(f"this login lacks {action}: ask for the role")] == [told[-2]]


LOST = replace(OPEN, findings=4, faults=4, unverifiable=3, omissions=7)
FOUND_OUT = replace(REPLAYED, conflicts=("r1",), kept=(("r1", "tag team"),), refused=(("r1", "tag x"),))
UNDONE = Undone(runs=60, files=141, experiments=("sample-0-0", "sample-0-1"), last_copies=2, jobs=1, left=(), failed=())
SENTENCES = {
    "extract": [*results.extracted(Extracted(**dict.fromkeys(EXTRACTED, 1_234), failed=((RunId("r1"), "no list"),)))],
    "replay": [*results.replayed(FOUND_OUT)],
    "replay, first": [results.going(PlanSummary(runs=400, left=Left(runs=68, there=332, points=90_000)))],
    "replay, then": [*results.proven(OPEN)],
    "verify": [*results.verified(LOST), *results.accepted((), "somebody")],
    "undo": [*prose(lines(UNDONE))],
    "nothing": [*start()],
}


@pytest.mark.parametrize("command", SENTENCES)
@pytest.mark.parametrize("width", [40, 80])
def test_sentences_wrap_between_words(command: str, width: int) -> None:
    """A terminal cuts what is longer than it is wide in the middle of a word. Commands stay whole, to be pasted."""
    drawn = list(drawn_lines(SENTENCES[command], width=width))

    assert [line for line in drawn if len(line) > width and not line.startswith("  azureml-replay ")] == []


def test_what_mends_goes_by_the_same_choice() -> None:
    """Without it a replay makes experiments that nobody chose."""
    options = {"--target": ("--target", "t.json"), "--experiment": ("--experiment", "one")}
    about = Typed("migrate", (), options).about(Path("h"))

    assert about("replay") == "azureml-replay replay h --target t.json --experiment one"
    assert about("map") == "azureml-replay map h --target t.json"


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({}, ["Next: azureml-replay report h --target t.json"]),
        ({Kind.ABSENT: 3, Kind.EDITED: 1}, ["Next: azureml-replay replay h --target t.json --source s.json"]),
        (
            {Kind.ABSENT: 1, Kind.EDITED: 2},
            [
                "Next: edited: set it back in the target, or keep it so",
                "  azureml-replay verify h --target t.json --accept",
            ],
        ),
        (
            {Kind.CONFLICT: 1},
            [
                "Next: changed on both sides: send the source's value, or keep the target's",
                "  azureml-replay replay h --target t.json --prefer source --source s.json",
                "  azureml-replay verify h --target t.json --accept",
            ],
        ),
    ],
)
def test_what_differs_is_mended_next(groups: dict[Kind, int], told: list[str]) -> None:
    """By what is most, each command on its own line; the report stands last only where nothing differs."""
    found = {kind.value: count for kind, count in groups.items()}
    verdict = replace(EQUAL, findings=sum(groups.values()), groups=found)
    line = Typed("verify", ("h",), {"--target": ("--target", "t.json"), "--source": ("--source", "s.json")})
    messages = io.StringIO()
    tell(Terminal(io.StringIO(), messages), after_verdict(verdict, line, Path("h")))

    assert messages.getvalue().splitlines() == told


@pytest.mark.parametrize(("groups", "times"), [((Kind.EDITED,), 1), ((Kind.EDITED, Kind.EXTRA), 2)])
def test_on_one_screen_nothing_is_said_twice(groups: tuple[Kind, ...], times: int, monkeypatch) -> None:
    """`Next` is about the most frequent kind; of several each is told. What goes into a file says all by itself."""
    verdict = replace(EQUAL, findings=len(groups), groups={kind.value: 9 - at for at, kind in enumerate(groups)})
    line, said = Typed("verify", ("h",), {"--target": ("--target", "t.json")}), "keep it so"
    screen, file, messages = io.StringIO(), io.StringIO(), io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    for speaking in (Terminal(screen, screen), Terminal(file, messages)):
        step = after_verdict(verdict, line, Path("h"))
        tell_mends(speaking, list(results.mends(verdict, line.about(Path("h")))), step)
        tell(speaking, step)

    assert screen.getvalue().count(said) == times
    assert (file.getvalue().count(said), messages.getvalue().count(said)) == (1, 1)
