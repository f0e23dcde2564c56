"""What doctor shows of its rows: what has to be read, words that wrap, commands that stay whole."""

from __future__ import annotations

from azureml_replay.cli.doctor import _lines, _verdict
from azureml_replay.target.diagnosis.doctor import Diagnosis
from azureml_replay.target.diagnosis.sheet import Outcome, ProbeRow
from azureml_replay.terminal.layout import drawn_lines

GRANT = "az role assignment create --assignee 1234 --role Reader --scope /subscriptions/s/resourceGroups/g"
LOSS = "points that come to a run after its end are not noticed by a later extract"


def row(probe: str, outcome: Outcome, seen: str, todo: str = "", *, unreachable: bool = False) -> ProbeRow:
    return ProbeRow(side="target", probe=probe, outcome=outcome, seen=seen, todo=todo, unreachable=unreachable)


FOUND = Diagnosis(
    rows=(
        row("way", Outcome.OK, "no proxy"),
        row("login", Outcome.OK, "as somebody"),
        row("jobs", Outcome.MISSING, "refused: jobs/read", GRANT),
        row("later points", Outcome.WARNING, "they leave lastModifiedUtc as it was", LOSS),
        row("hidden runs", Outcome.UNKNOWN, "no archived jobs to look for"),
        row("metrics", Outcome.UNKNOWN, "no answer", "try later", unreachable=True),
    ),
    probe=None,
)


def test_the_first_line_counts_and_the_others_are_what_has_to_be_read() -> None:
    """Together the counts are all; what went well, and what nobody can know, comes with --verbose."""
    assert _verdict(FOUND) == "6 checks: 2 ok, 1 not ok, 1 warning, 2 can't be known: mend what is not ok"
    shown = list(drawn_lines(_lines(FOUND, all_of_them=False)))
    assert [line.split()[0] for line in shown] == ["target", "ok", "not", "az", "warning", "->", "unknown", "->", "2"]
    assert shown[-1] == "2 more of the checks: --verbose shows all"
    assert len([*drawn_lines(_lines(FOUND, all_of_them=True))]) == 1 + 6 + 3


def test_on_a_narrow_terminal_words_wrap_and_a_command_does_not() -> None:
    shown = list(drawn_lines(_lines(FOUND, all_of_them=False), width=40))
    assert f"    {GRANT}" in shown
    assert [line for line in shown if len(line) > 40] == [f"    {GRANT}"]


def test_further_lines_stand_below_the_first_one() -> None:
    """Not below the outcome, where the next check begins."""
    shown = list(drawn_lines(_lines(FOUND, all_of_them=False), width=60))
    first = next(at for at, line in enumerate(shown) if line.endswith("they leave lastModifiedUtc as it"))
    assert shown[first + 1].index("was") == shown[first].index("they")
