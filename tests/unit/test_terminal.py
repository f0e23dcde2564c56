"""What people see: nothing of the source's text can move their cursor, and a pipe gets plain lines."""

import io
import json
import os
import pty
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.drawing import BarProgress, bars
from azureml_replay.model import Instant, RunId
from azureml_replay.plan import PlanSummary
from azureml_replay.progress import Silent
from azureml_replay.terminal import (
    LINE_EVERY_S,
    Branch,
    LineProgress,
    Terminal,
    amount,
    as_json,
    duration,
    safe,
    tree,
)


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


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:
    """Counts and names are shown; with NO_COLOR no colour; markup and escapes of a message are not obeyed."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as screen, bars(screen) as live:
        progress = BarProgress(live)
        progress.expect("runs", 1_500)
        progress.done("runs", 1_200)
        progress.say("run [bold]\x1b[2Jx[/bold] failed")

    seen = "".join(drawn(master))

    assert "1,200/1,500" in seen
    assert "run [bold][2Jx[/bold] failed" in seen
    assert ("\x1b[38;5" in seen or "\x1b[32m" in seen or "\x1b[36m" in seen) is not no_color


def test_a_tree() -> None:
    branch = Branch("plan", (Branch("a", (Branch("a1"), Branch("a2"))), Branch("b", (Branch("b1"),))))

    assert list(tree(branch)) == ["plan", "├── a", "│   ├── a1", "│   └── a2", "└── b", "    └── b1"]


def test_amounts_and_durations() -> None:
    assert [amount("runs", 1_234), amount("bytes", 999), amount("bytes", 999_999), amount("bytes", 1_234_567)] == [
        "1,234",
        "999 B",
        "1.0 MB",
        "1.2 MB",
    ]
    assert [duration(26), duration(240), duration(12_600)] == ["26 s", "4 min", "3.5 h"]
