"""What to type next: the last line of a command, which can be pasted, or says that nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from azureml_replay.cli.examples import GROUPS
from azureml_replay.cli.fitting import typed_parameters
from azureml_replay.cli.targets import targets_of
from azureml_replay.terminal.hints import hint

if TYPE_CHECKING:
    from azureml_replay.direct.options import Replayed
    from azureml_replay.extraction.extract import Extracted
    from azureml_replay.planning.left import Left
    from azureml_replay.terminal.terminal import Terminal
    from azureml_replay.verbs import Migrated
    from azureml_replay.verification.verdict import Verdict

CommandLine = Callable[..., str]
"""A command and its flags -> the line to paste, about one archive and one target."""
DONE = "nothing is left to do"
SELECTION, FILES, JOBS = GROUPS["Selection"], GROUPS["Files"], GROUPS["Jobs"]
ENDS = frozenset({"--source", "--target"})
VERIFYING = frozenset({"verify", "migrate"})
"""Commands that say above what to do about each kind of finding."""
ALONE = ((("replay",),), (("replay", "--mode", "synthetic"),))
"""Commands of mends that need no word beside them."""
_PLACEHOLDER = ("--target", "target.json")
ONLY_SHOWS = frozenset({"--dry-run", "--debug-hierarchy", "--price-per-hour"})
"""Options with which `replay` sends nothing."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line as it was typed, to go on from it with the same choice."""

    command: str
    arguments: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]
    """Option -> its words, as they would be typed again."""

    def again(self, *more: str, without: Collection[str] = ()) -> str:
        """The same line, with more at its end and some options left out."""
        kept = [word for name, words in self.options.items() if name not in without for word in words]
        return hint(self.command, *self.arguments, *kept, *more)

    def into(self, command: str, *words: object, keep: Collection[str] = ()) -> str:
        """The line of another command, with those of the typed options that are to be kept."""
        kept = [word for name, typed in self.options.items() if name in keep for word in typed]
        return hint(command, *words, *kept)

    def about(self, archive: Path) -> CommandLine:
        """Lines of other commands about the same archive and target."""

        def line(command: str, *flags: str) -> str:
            return hint(command, archive, *self.options.get("--target", ()), *flags)

        return line


def typed(*, context: typer.Context) -> Typed:
    """The command line of this call."""
    arguments: list[str] = []
    options: dict[str, tuple[str, ...]] = {}
    for parameter, value in typed_parameters(context):
        values = _words(value)
        if parameter.param_type_name == "argument":
            arguments += values
        else:
            options[parameter.opts[-1]] = _as_option(parameter.opts[-1], values, flag=_is_flag(parameter))
    return Typed(context.info_name or "", tuple(arguments), options)


def _is_flag(parameter: Any) -> bool:  # noqa: ANN401 - click's, which typer keeps private
    return bool(getattr(parameter, "is_flag", False))


def _words(value: object) -> list[str]:
    if isinstance(value, list | tuple):
        return [word for one in value for word in _words(one)]
    return [str(value.value if isinstance(value, Enum) else value)]


def _as_option(name: str, values: Sequence[str], *, flag: bool) -> tuple[str, ...]:
    if flag:
        return (name,)
    return tuple(word for value in values for word in (name, value))


def tell(terminal: Terminal, text: str) -> None:
    """Write the last line: not among the results, where a frame would break it, but below them."""
    terminal.say(f"Next: {text}")


def after_verdict(verdict: Verdict, line: Typed, archive: Path) -> str:
    """What follows a proof: what differs is mended, then what is not compared comes; of what is proven the report."""
    from azureml_replay.verification.judging import CHANGED, NEVER_SENT, NOT_EXTRACTED, UNREAD

    if not verdict.complete and not verdict.findings:
        if NOT_EXTRACTED in verdict.uncompared or CHANGED in verdict.uncompared:
            return f"extract from the source again, then {line.into('replay', archive, keep=ENDS | SELECTION)}"
        if UNREAD in verdict.uncompared and len(verdict.uncompared) == 1:
            return line.into("verify", archive, "--deep", keep=ENDS | SELECTION)
        to_send = NEVER_SENT in verdict.uncompared
        return line.into("replay" if to_send else "verify", archive, keep=ENDS | SELECTION)
    return (
        mend_of(verdict, line, archive)
        or under_new_ids(verdict, line, archive)
        or line.into("report", archive, keep={"--target"})
    )


def under_new_ids(verdict: Verdict, line: Typed, archive: Path) -> str:
    """The replay that may bring what the target refused for its ids, where it took nothing else; otherwise nothing."""
    if not verdict.wants_new_ids:
        return ""
    return line.into("replay", archive, "--ids", "new", keep=ENDS | SELECTION)


def mend_of(verdict: Verdict, line: Typed, archive: Path) -> str:
    """What to do about the most frequent kind of finding; nothing where there is none, or none that has a mend.

    A command that does it by itself stands alone; else its sentence says what is to be decided or done before.
    """
    from azureml_replay.verification.wording import MENDS, Kind

    found = sorted((Kind(value) for value in verdict.groups), key=lambda kind: -verdict.groups[kind.value])
    kind = next((kind for kind in found if kind in MENDS), None)
    if kind is None or line.command not in VERIFYING:
        return ""
    mend = MENDS[kind]
    lines = [line.about(archive)(*command) for command in mend.commands]
    return lines[0] if mend.commands in ALONE else f"{mend.sentence}: {' or '.join(lines)}"


def after_failure(remedies: Collection[str], line: Typed) -> str:
    """The same once more; where a role lacks, after the command that names it."""
    if not remedies:
        return line.again()
    return f"{line.into('doctor', keep=ENDS)} gives the command that grants the role; then {line.again()}"


def after_extract(done: Extracted, line: Typed, archive: Path) -> str:
    """What failed again; otherwise the plan of what was chosen."""
    return after_failure(done.remedies, line) if done.failed else line.into("plan", archive, keep=SELECTION)


def after_plan(line: Typed, archive: Path, left: Left | None = None) -> str:
    """The plan carried out: into the workspace that it was made for, or that the archive knows; else the proof."""
    if left is not None and not left.runs:
        return line.into("verify", archive, keep=SELECTION | {"--target"})
    keep = SELECTION | FILES | JOBS | {"--target"}
    if "--target" in line.options:
        return line.into("replay", archive, keep=keep)
    known = targets_of(archive)
    if len(known) == 1:
        return line.into("replay", archive, "--target", known[0], keep=keep)
    which = " or ".join(map(str, known)) or "its config.json as target.json"
    replay = line.into("replay", archive, *_PLACEHOLDER, keep=keep)
    return f"choose the workspace to write into ({which}), then {replay}"


def after_dry_run(line: Typed, archive: Path, left: Left | None) -> str:
    """The same in earnest; where nothing is left to send, the proof."""
    if left is not None and not left.runs:
        return after_plan(line, archive, left)
    return line.again(without=ONLY_SHOWS)


def after_replay(done: Replayed, proof: Verdict, line: Typed, archive: Path) -> str:
    """What failed again; otherwise the proof."""
    if done.failed:
        return after_failure(done.remedies, line)
    if done.conflicts and "--on-conflict" not in line.options:
        return f"give them new ids: {line.again('--on-conflict', 'rename')}"
    return after_verdict(proof, line, archive)


def after_migration(done: Migrated, line: Typed, archive: Path, page: Path | None) -> str:
    """What failed again; otherwise the page, or nothing."""
    if done.extracted.failed or done.replayed.failed or not done.verdict.complete:
        return after_failure((*done.extracted.remedies, *done.replayed.remedies), line)
    if done.verdict.findings:
        shown = f"open {page}" if page else line.into("report", archive, keep={"--target"})
        return mend_of(done.verdict, line, archive) or shown
    if again := under_new_ids(done.verdict, line, archive):
        return again
    return f"{DONE}; {page} is the proof to keep" if page else DONE
