"""What people see: nothing of the source's text can move their cursor, and a pipe gets plain lines."""

from __future__ import annotations

import io
import json
import os
import pty
import re
from collections.abc import Iterator
from typing import TextIO

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.cli.json_schema import json_schema
from azureml_replay.cli.results import mends, planned, verified
from azureml_replay.instants import Instant
from azureml_replay.model import Finding, RunId
from azureml_replay.planning.summary import PlanSummary
from azureml_replay.progress import Silent
from azureml_replay.terminal.bars import drawn_progress
from azureml_replay.terminal.layout import ASCII, Branch, Grid, signs_of, table, tree
from azureml_replay.terminal.terminal import LINE_EVERY_S, EventLine, LineProgress, Terminal, as_json, lines_for
from azureml_replay.terminal.text import amount, duration, safe
from azureml_replay.verification.wording import MENDS, Kind, told
from azureml_replay.workspace.traffic import Load, in_words
from looks import a_verdict


def buffers(**settings: bool) -> tuple[Terminal, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Terminal(out, err, **settings), out, err


@given(st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Zs", "Lu", "Ll", "Po"])))
def test_safe_text_is_one_printable_line(text: str) -> None:
    assert safe(text).isprintable()


def test_safe_text_keeps_what_can_be_read() -> None:
    """Escape sequences lose their ESC, bidirectional overrides go, letters of any script stay."""
    assert safe("\x1b[31mred\x1b[0m") == "[31mred[0m"
    assert safe("a\u202eb\u2066c\u200bd\x9be") == "abcde"
    assert safe("one\ntwo\tthree\xa0four") == "one two three four"
    assert safe("données 学習 [bold]x[/bold] 😀") == "données 学習 [bold]x[/bold] 😀"


def test_results_and_messages_are_apart() -> None:
    speaking, out, err = buffers()

    speaking.result({"runs": 1}, iter(["1 run\x1b]0;title\x07"]))
    speaking.say("a\rb")

    assert (out.getvalue(), err.getvalue()) == ("1 run]0;title\n", "a b\n")


def test_json_is_one_line_of_values() -> None:
    speaking, out, _ = buffers(json=True)

    speaking.result(
        {"at": Instant(1), "kept": frozenset({"b", "a"}), "plan": PlanSummary(runs=2), "id": RunId("r\x1b")}, iter(())
    )

    answer = json.loads(out.getvalue())
    assert out.getvalue().count("\n") == 1
    assert (answer["at"], answer["kept"]) == ("1970-01-01T00:00:00.0000001+00:00", ["a", "b"])
    assert answer["plan"]["runs"] == 2
    assert "\x1b" not in out.getvalue()


def test_numbers_that_json_lacks_are_null() -> None:
    assert as_json({"loss": float("nan")}) == '{"loss":null}'


def test_quiet_says_nothing_but_errors_and_results() -> None:
    speaking, out, err = buffers(quiet=True)

    speaking.say("hidden")
    with speaking.progress() as progress:
        progress.done("runs")
    speaking.result({}, iter(["shown"]))
    speaking.error("an error")

    assert isinstance(progress, Silent)
    assert (out.getvalue(), err.getvalue()) == ("shown\n", "an error\n")


def test_a_reader_that_left_is_no_error() -> None:
    """`azureml-replay plan … | head -1` ends as the command would have."""
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as gone:
        Terminal(gone, io.StringIO()).result({}, (str(number) for number in range(100_000)))


def test_a_pipe_gets_a_line_now_and_then_and_a_last_one() -> None:
    lines: list[str] = []
    moments = iter([0.0, 0.0, LINE_EVERY_S / 2, LINE_EVERY_S, LINE_EVERY_S + 1, 2 * LINE_EVERY_S])
    progress = LineProgress(lines.append, clock=lambda: next(moments))

    progress.expect("runs", 100)  # 0: the tally begins
    progress.done("runs", 10)  # 0
    progress.done("runs", 10)  # 2.5: too early
    progress.done("runs", 5)  # 5: told
    progress.done("runs", 15)  # 6: too early
    progress.close()  # 10

    assert lines == ["runs 25/100 (25%), 5/s, 15 s left", "runs 40/100 (40%), 4/s, 15 s left"]


def test_a_table_that_is_too_wide_goes_row_by_row() -> None:
    """Numbers stand under each other either way."""
    shown = Grid(("target", "sent", "left"), (("one", "1,000", "0"), ("another", "5", "12")))

    assert list(table(shown, 40)) == ["target    sent  left", "one      1,000     0", "another      5    12"]
    assert list(table(shown)) == list(table(shown, 20))
    assert list(table(shown, 19)) == [
        "target one",
        "  sent  1,000",
        "  left      0",
        "target another",
        "  sent   5",
        "  left  12",
    ]


def test_with_json_every_line_for_people_is_an_object() -> None:
    """Progress with figures, at most once a second; stdout is left to the answer."""
    speaking, out, err = buffers(json=True)

    speaking.start("replay")
    with speaking.progress() as progress:
        progress.doing("connecting")
        progress.expect("points sent", 100)
        progress.done("points sent", 40)
        progress.done("points sent", 10)
        progress.say("a\x1bb")
    speaking.error("error: no")

    told = [json.loads(line) for line in err.getvalue().splitlines()]
    assert out.getvalue() == ""
    assert [(one["event"], one["text"]) for one in told] == [
        ("doing", "replay"),
        ("doing", "connecting"),
        ("message", "a\x1bb"),
        ("progress", None),
        ("error", "error: no"),
    ]
    counts = told[3]["counts"]["points sent"]
    assert (counts["done"], counts["expected"]) == (50, 100)
    assert counts["per_s"] > 0
    assert counts["left_s"] >= 0
    for one in told:
        jsonschema.validate(one, json_schema(EventLine))


@pytest.mark.parametrize(("took_s", "lines"), [(LINE_EVERY_S - 1, 0), (LINE_EVERY_S, 1)])
def test_what_is_done_at_once_is_worth_no_line(took_s: float, lines: int) -> None:
    """Of brief work."""
    told: list[str] = []
    moments = iter([0.0, 0.0, took_s, took_s + 1, took_s + 2])
    progress = LineProgress(told.append, clock=lambda: next(moments), brief=True)

    for _ in range(2):
        progress.done("runs planned", 3)
    progress.close()

    assert len(told) == lines


def test_what_was_told_to_be_complete_is_not_told_again() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append, clock=lambda: 1.0, every_s=0)

    progress.expect("runs planned", 1)
    progress.done("runs planned")
    progress.done("points sent", 5)
    progress.done("points sent", 5)
    progress.done("runs failed")

    first, second, third = (line.split(" · ") for line in lines[:3])
    assert [line[0].split()[1] for line in (first, second, third)] == ["planned", "sent", "sent"]
    assert third[-1] == "runs failed 1"


def test_something_is_seen_before_anything_is_done(screen: Screen) -> None:
    """It makes way for what is said first, and for the bars."""
    speaking = Terminal(screen.stream, screen.stream)

    speaking.start("verify")
    speaking.say("said")
    speaking.start("verify")
    with speaking.progress() as progress:
        progress.doing("connecting")
        progress.live.refresh()  # type: ignore[attr-defined]
        progress.done("runs", 1)

    seen = screen.seen()
    assert seen.startswith("verify ...\r\x1b[2Ksaid\r\nverify ...\r\x1b[2K")
    assert "connecting" in seen
    assert "connecting" not in re.split(r"[\r\n]+", seen)[-2]


def test_a_last_line_is_not_repeated() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append)

    progress.done("points", 3)
    progress.close()
    progress.close()

    assert len(lines) == 1
    assert lines[0].startswith("points 3, ")


def drawn(master: int) -> Iterator[str]:
    try:
        while data := os.read(master, 65_536):
            yield data.decode()
    except OSError:
        return  # the other side is closed: Linux says EIO


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A terminal of 100 columns, with colours."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield Screen(stream, master)


class Screen:
    """What is written to `stream` can be read once it is closed."""

    def __init__(self, stream: TextIO, master: int) -> None:
        self.stream, self.master = stream, master

    def seen(self) -> str:
        self.stream.close()
        return "".join(drawn(self.master))


def coloured(text: str) -> bool:
    return re.search(r"\x1b\[[\d;]*[39]\d", text) is not None


BUSY = Load(in_flight=12, width=12, ceiling=32, per_s=None, wait_s=0, retries=14)
WAITING = Load(in_flight=0, width=4, ceiling=32, per_s=None, wait_s=20, retries=0)


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_gets_bars(screen: Screen, monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:
    """Counts and names are shown; with NO_COLOR no colour; markup and escapes of a message are not obeyed."""
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    with drawn_progress(screen.stream) as progress:
        progress.expect("runs", 1_500)
        progress.done("runs", 1_200)
        progress.say("run [bold]\x1b[2Jx[/bold] failed")

    seen = screen.seen()

    assert "1,200/1,500" in seen
    assert "run [bold][2Jx[/bold] failed" in seen
    assert coloured(seen) is not no_color


def test_below_the_bars_stands_what_holds_the_work_up(screen: Screen) -> None:
    """As long as it lasts: in the end only what was done is left."""
    with drawn_progress(screen.stream) as progress:
        progress.done("runs", 7)
        progress.watch("source", lambda: {"metric": BUSY, "history": WAITING})
        progress.live.refresh()

    during, _, after = screen.seen().rpartition("14 retries")

    assert "metric 12 of 32 requests at a time · history waits 20 s as it asks · " in during
    assert "runs" in after
    assert "requests at a time" not in after


def test_the_bars_of_a_verb_that_ended_leave(screen: Screen) -> None:
    with drawn_progress(screen.stream) as progress:
        progress.done("runs extracted", 7)
        progress.live.refresh()
        progress.say("extracted: 7 runs")
        progress.finished()
        progress.done("runs replayed", 2)

    before, _, after = screen.seen().rpartition("extracted: 7 runs")

    assert "runs extracted" in before
    assert "runs replayed" in after
    assert "runs extracted" not in re.split(r"[\r\n]+", after)[-2]


@pytest.mark.parametrize("width", [40, 60])
def test_bars_fit_a_narrow_terminal(screen: Screen, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Names and counts stay; no line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    with drawn_progress(screen.stream) as progress:
        progress.expect("points extracted", 100_000)
        progress.done("points extracted", 12_000)

    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", screen.seen()))

    assert any("points extracted" in line and "12,000/100,000" in line for line in lines)
    assert max(map(len, lines)) <= width


def test_what_is_said_above_the_bars_wraps_unless_it_may_be_pasted(screen: Screen) -> None:
    """At 100 columns."""
    words, command = "word " * 30, f"this login lacks it: az role assignment create --scope {'x' * 90}"
    with drawn_progress(screen.stream) as progress:
        progress.say(words.strip())
        progress.say(command)

    seen = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", screen.seen())
    assert command in seen
    assert [len(line.rstrip()) for line in re.split(r"[\r\n]+", seen) if line.startswith("word")] == [99, 49]


def test_what_is_next_wraps_above_its_commands(screen: Screen) -> None:
    """Which stay whole."""
    command = f"azureml-replay verify {'h' * 100} --accept"
    Terminal(io.StringIO(), screen.stream).say("Next: " + "words " * 20, [command])

    lines = screen.seen().splitlines()
    assert lines[-1] == f"  {command}"
    assert max(map(len, lines[:-1])) <= 100
    assert len(lines) == 3


def test_services_are_told_of_by_side_where_there_are_two() -> None:
    """Who holds the work up, and the busiest; who is idle and fine is not worth a word."""
    idle = Load(in_flight=0, width=4, ceiling=32, per_s=None, wait_s=0, retries=1)
    paced = Load(in_flight=3, width=8, ceiling=32, per_s=25.0, wait_s=0, retries=0)
    counting = Load(in_flight=3, width=0, ceiling=32, per_s=None, wait_s=0, retries=0)

    assert list(in_words({"source": lambda: {"arm": idle}})) == ["1 retry"]
    assert list(in_words({"source": lambda: {"arm": paced, "metric": counting}, "target": lambda: {"arm": BUSY}})) == [
        "source arm 25 requests a second",
        "source metric asks for patience",
        "target arm 12 of 32 requests at a time",
        "14 retries",
    ]


def test_a_pipe_is_told_what_holds_the_work_up() -> None:
    """In its lines, and at once when a service asks for patience."""
    lines: list[str] = []
    progress = LineProgress(lines.append, clock=lambda: 1.0)
    progress.watch("source", lambda: {"metric": BUSY})

    progress.slowed("metric is throttling")
    progress.done("runs", 0)
    progress.finished()
    progress.close()

    assert lines == ["metric is throttling", "runs 0 · metric 12 of 32 requests at a time · 14 retries"]


def test_a_tree() -> None:
    branch = Branch("plan", (Branch("a", (Branch("a1"), Branch("a2"))), Branch("b", (Branch("b1"),))))

    assert list(tree(branch)) == ["plan", "├── a", "│   ├── a1", "│   └── a2", "└── b", "    └── b1"]


def test_a_long_label_wraps_with_its_indent() -> None:
    """A pipe gets it whole."""
    branch = Branch("plan", (Branch("a", (Branch("12 x kept in a file because it is long"),)), Branch("b")))

    assert list(tree(branch, width=24)) == [
        "plan",
        "├── a",
        "│   └── 12 x kept in a",
        "│         file because",
        "│         it is long",
        "└── b",
    ]
    assert "│   └── 12 x kept in a file because it is long" in list(lines_for(io.StringIO(), [branch]))


def test_guides_are_signs_that_the_stream_can_write() -> None:
    """A Windows console of code page 1252, and a terminal of the C locale."""
    for encoding in ("cp1252", "ascii", "cp437"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        assert list(lines_for(stream, [Branch("a", (Branch("b"), Branch("c")))])) == ["a", "|-- b", "`-- c"]
    assert signs_of("UTF-8") is signs_of(None) is not ASCII


def test_a_frame_is_drawn_with_what_the_stream_can_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="cp1252") as stream:
        Terminal(stream, io.StringIO()).result({}, [Branch("a", (Branch("b"),))], good=True)

    assert "`-- b" in "".join(drawn(master))  # nothing was refused, and nothing escaped


@pytest.mark.parametrize(("variable", "framed"), [("xterm", True), ("dumb", False)])
def test_a_dumb_terminal_gets_plain_lines(screen: Screen, monkeypatch: pytest.MonkeyPatch, variable: str, framed: bool):
    monkeypatch.setenv("TERM", variable)
    speaking = Terminal(screen.stream, screen.stream)

    with speaking.progress() as progress:
        progress.done("runs")
    speaking.result({}, ["all equal"], good=True)

    assert ("\x1b" in screen.seen()) is framed


def test_a_plan_says_what_will_be_omitted_the_most_frequent_first() -> None:
    plan = PlanSummary(units=1, runs=2, omissions=5, overflow=1, reasons={"rare": 1, "frequent": 4})

    lines = list(lines_for(io.StringIO(), planned(plan)))

    assert lines[-3:] == [
        "└── 5 omissions planned (1 whole in replay/overflow.json of their run)",
        "    ├── 4 x frequent",
        "    └── 1 x rare",
    ]
    assert list(lines_for(io.StringIO(), planned(PlanSummary())))[-1] == "└── 0 omissions planned"


def test_a_plan_that_a_workspace_may_not_hold_is_warned_of() -> None:
    full = PlanSummary(runs=9_000_000)
    full.close()

    (said,) = [line for line in lines_for(io.StringIO(), planned(full)) if "warning" in line]

    assert "warning: 9,000,000 runs: a workspace holds 10,000,000 at most" in said


def test_a_verdict_names_what_differs_and_where_to_see_all_of_it() -> None:
    """The words alone say how it went: colour adds nothing."""
    found = Finding(RunId("a"), "tag owner", "differs", "x", "y" * 200)
    lost = Finding(RunId("b"), "run", "absent", "b", "")
    first = (told(found, "the first"), told(lost, ""))
    verdict = a_verdict(
        runs=2,
        differing=2,
        points=3,
        files=1,
        bytes=2_000,
        omissions=1,
        findings=5,
        reasons={"it acts on the source workspace (cancel and completion addresses): never sent": 1},
        kinds={"differs": 4, "absent": 1},
        groups={Kind.DIFFERS.value: 4, Kind.ABSENT.value: 1},
        faults=5,
        first=first,
    )

    assert list(lines_for(io.StringIO(), verified(verdict))) == [
        "2 runs, 3 points, 1 file: 5 transfer faults; 1 omission planned",
        "the files hold 2.0 kB",
        "4 differing",
        f'├── "the first" (a): tag owner: "x" → "{"y" * 79}…"',
        "└── and 3 more",
        "1 missing in the target",
        "└── run b: not in the target",
        "omitted as planned",
        "└── 1 x it acts on the source workspace (cancel and completion addresses): never sent",
    ]
    told_to_do = list(lines_for(io.StringIO(), mends(verdict, lambda *words: " ".join(words))))
    assert told_to_do == [MENDS[Kind.ABSENT].sentence, "  replay", MENDS[Kind.DIFFERS].sentence, "  replay"]


def test_amounts_and_durations() -> None:
    assert [amount("runs", 1_234), amount("bytes", 999), amount("bytes", 999_999), amount("bytes", 1_234_567)] == [
        "1,234",
        "999 B",
        "1.0 MB",
        "1.2 MB",
    ]
    assert [duration(26), duration(240), duration(12_600)] == ["26 s", "4 min", "3.5 h"]
