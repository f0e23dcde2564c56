"""What to type next: the last line of a command, which can be pasted, or says that nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from azureml_replay.cli.examples import GROUPS
from azureml_replay.cli.fitting import typed_parameters
from azureml_replay.cli.targets import spoken, targets_of
from azureml_replay.terminal.hints import hint
from azureml_replay.terminal.layout import Branch

if TYPE_CHECKING:
    from azureml_replay.direct.options import Replayed
    from azureml_replay.extraction.extract import Extracted
    from azureml_replay.planning.left import Left
    from azureml_replay.terminal.terminal import Terminal
    from azureml_replay.terminal.text import Line
    from azureml_replay.verbs import Migrated
    from azureml_replay.verification.verdict import Verdict
    from azureml_replay.verification.wording import Mend

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
        """Lines of other commands about the same archive and target; those that go by a choice, with the same one."""

        def line(command: str, *flags: str) -> str:
            source = self.options.get("--source", ()) if command == "replay" else ()
            chosen = [word for name, typed in self.options.items() if name in SELECTION for word in typed]
            way = [*self.options.get("--target", ()), *flags, *source]
            return hint(command, archive, *way, *(chosen if command in ("replay", "verify") else ()))

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


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What is to be decided, or done elsewhere, and the command lines for it; the sentence says which."""

    sentence: str
    commands: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Each command on a line of its own, to be pasted."""
        yield self.sentence
        yield from (f"  {command}" for command in self.commands)


def tell(terminal: Terminal, step: str | NextSteps) -> None:
    """Write what comes last: not among the results, where a frame would break it, but below them."""
    if isinstance(step, NextSteps):
        terminal.say(f"Next: {step.sentence}", step.commands)
    else:
        terminal.say(f"Next: {step}")


def tell_mends(terminal: Terminal, mends: Sequence[Line], step: str | NextSteps) -> None:
    """What to do for each kind of finding, below the verdict; not where `step` says just that on the same screen."""
    told = [one.label if isinstance(one, Branch) else one for one in mends]
    if not (terminal.one_screen and isinstance(step, NextSteps) and told == list(step.lines())):
        terminal.more(mends)


def after_verdict(verdict: Verdict, line: Typed, archive: Path) -> str | NextSteps:
    """What follows a proof: what differs is mended, then what is not compared comes; of what is proven the report."""
    from azureml_replay.verification.judging import CHANGED, NEVER_SENT, NOT_EXTRACTED, UNREAD

    if not verdict.complete and not verdict.findings:
        if NOT_EXTRACTED in verdict.uncompared or CHANGED in verdict.uncompared:
            replay = line.into("replay", archive, keep=ENDS | SELECTION)
            return NextSteps("extract from the source again, then", (replay,))
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


def mend_of(verdict: Verdict, line: Typed, archive: Path) -> str | NextSteps | None:
    """What to do about the most frequent kind of finding; None where there is none, or none that has a mend."""
    from azureml_replay.verification.wording import mend_first

    mend = mend_first(verdict.groups) if line.command in VERIFYING else None
    return mending(mend, line.about(archive)) if mend is not None else None


def mending(mend: Mend, line: CommandLine) -> str | NextSteps:
    """A command that does it by itself stands alone; else its sentence says what is to be decided or done before."""
    lines = tuple(line(*command) for command in mend.commands)
    return lines[0] if mend.commands in ALONE else NextSteps(mend.sentence, lines)


def after_failure(remedies: Collection[str], line: Typed) -> str | NextSteps:
    """The same once more; where a role lacks, after the command that names it."""
    if not remedies:
        return line.again()
    both = (line.into("doctor", keep=ENDS), line.again())
    return NextSteps("the first gives the command that grants the role; then the same again", both)


def after_extract(done: Extracted, line: Typed, archive: Path) -> str | NextSteps:
    """What failed again; otherwise the plan of what was chosen."""
    return after_failure(done.remedies, line) if done.failed else line.into("plan", archive, keep=SELECTION)


def after_plan(line: Typed, archive: Path, left: Left | None = None) -> str | NextSteps:
    """The plan carried out: into the workspace that it was made for, or that the archive knows; else the proof."""
    if left is not None and not left.runs:
        return line.into("verify", archive, keep=SELECTION | {"--target"})
    keep = SELECTION | FILES | JOBS | {"--target"}
    if "--target" in line.options:
        return line.into("replay", archive, keep=keep)
    known = targets_of(archive)
    if not known:
        replay = line.into("replay", archive, *_PLACEHOLDER, keep=keep)
        return NextSteps("choose the workspace to write into, save its config.json as target.json, then", (replay,))
    lines = tuple(line.into("replay", archive, "--target", name, keep=keep) for name in spoken(known))
    return lines[0] if len(lines) == 1 else NextSteps("choose the workspace to write into", lines)


def after_dry_run(line: Typed, archive: Path, left: Left | None) -> str | NextSteps:
    """The same in earnest; where nothing is left to send, the proof."""
    if left is not None and not left.runs:
        return after_plan(line, archive, left)
    return line.again(without=ONLY_SHOWS)


def after_replay(done: Replayed, proof: Verdict, line: Typed, archive: Path) -> str | NextSteps:
    """What failed again; otherwise the proof."""
    if done.failed:
        return after_failure(done.remedies, line)
    if done.conflicts and "--on-conflict" not in line.options:
        return NextSteps("give them new ids", (line.again("--on-conflict", "rename"),))
    return after_verdict(proof, line, archive)


def after_migration(done: Migrated, line: Typed, archive: Path, page: Path | None) -> str | NextSteps:
    """What failed again; otherwise the page, or nothing."""
    if done.extracted.failed or done.replayed.failed or not done.verdict.complete:
        return after_failure((*done.extracted.remedies, *done.replayed.remedies), line)
    if done.verdict.findings:
        shown = f"open {page}" if page else line.into("report", archive, keep={"--target"})
        return mend_of(done.verdict, line, archive) or shown
    if again := under_new_ids(done.verdict, line, archive):
        return again
    return f"{DONE}; {page} is the proof to keep" if page else DONE
