"""How the help of a command is laid out: options in groups, examples to paste, as wide as the terminal."""

# ruff: noqa: ANN401, ARG002 - contexts, formatters and parameters are click's, which typer keeps private

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from azureml_replay.cli.examples import EXAMPLES, GROUPS, ORDER, OTHER
from azureml_replay.cli.typed import refuse_address
from azureml_replay.errors import Exit
from azureml_replay.terminal.streams import columns

Row = tuple[str, str]
"""What is typed, and what it does."""

LEAST, MOST = 40, 200
"""Columns. A narrower terminal breaks lines itself; of a wider one no eye finds the next line's beginning."""
STACKED = 60
"""Columns below which a text stands under its option: beside it there would be room for two words."""
BESIDE = 30
"""Columns that the names of options take at most where texts stand beside them."""
SETTINGS: dict[Any, Any] = {"help_option_names": ["-h", "--help"]}
"""What every group of commands is made with."""
ENDINGS = {
    Exit.OK: "It is done; for verify: everything was compared and is equal, with omissions as planned.",
    Exit.BUG: "There is a bug of ours.",
    Exit.USER: "There is something you can mend: input, login, role, disk.",
    Exit.SERVICE: "A service failed, or some runs failed or are not compared: run it again.",
    Exit.INTEGRITY: "What was read is not what was written.",
    Exit.FINDINGS: "verify has findings.",
    Exit.INTERRUPTED: "It was interrupted: run it again to continue.",
}
"""What the exit codes say, in the help of all commands."""
_TYPE = re.compile(r" <(path|text|list\[Path\])>$")
"""What typer says behind the name of what is no choice."""
_RANGE = re.compile(r"(-?[\d.]+)<=x<=(-?[\d.]+)")
_HUGE = 7
"""Digits of a bound that only keeps slips of the keyboard out: nobody needs to read it."""


class HelpedCommand(TyperCommand):
    """A command whose help has its options in groups, and examples; for a path it takes no address."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As typed. Raises UserError for an address where a file or folder is wanted."""
        rest = super().parse_args(ctx, args)
        for parameter in self.get_params(ctx):
            value = ctx.params.get(parameter.name)
            option = parameter.opts[0].startswith("-")
            of_paths = getattr(getattr(parameter, "type", None), "name", "") == "path"  # older typers give texts
            for path in value if isinstance(value, list | tuple) else (value,):
                if isinstance(path, Path) or (of_paths and path is not None):
                    refuse_address(parameter.opts[0] if option else parameter.metavar or parameter.opts[0], str(path))
        return rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help in the terminal's width."""
        formatter.width = width()
        super().format_help(ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line, as they are typed: typer puts braces around an argument's name."""
        return [_argument(piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the groups of options."""
        for title, rows in _groups(self.get_params(ctx), ctx):
            _section(formatter, title, rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples; a command is not wrapped, so that it can be pasted."""
        _examples(formatter, self.name or "")


class HelpedGroup(TyperGroup):
    """All commands: most wanted first, each with its whole sentence."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in the order of a migration."""
        return in_order(super().list_commands(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help in the terminal's width."""
        formatter.width = width()
        super().format_help(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then what they end with, then the few options that stand before a command."""
        _section(formatter, "Commands", [(name, _first_sentence(self, name)) for name in self.list_commands(ctx)])
        _section(formatter, "Exit codes", [(str(int(code)), text) for code, text in ENDINGS.items()])
        for title, rows in _groups(self.get_params(ctx), ctx):
            _section(formatter, title, rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write what to type first."""
        _examples(formatter, "")


def in_order(names: Iterable[str]) -> list[str]:
    """Commands as they are listed; those that nobody gave a place come last."""
    return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def help_(
    context: typer.Context,
    command: Annotated[str | None, typer.Argument(metavar="COMMAND", help="The command; without it, all.")] = None,
) -> Exit:
    """Show the help of a command."""
    group = context.find_root()
    if command is not None:
        _, found, _ = group.command.resolve_command(group, [command])  # type: ignore[attr-defined]  # it is the group
        inner = type(context)(found, info_name=command, parent=group)
        typer.echo(inner.get_help())
    else:
        typer.echo(group.get_help())
    return Exit.OK


def width() -> int:
    """Columns of the help."""
    return max(LEAST, min(MOST, columns(sys.stdout)))


def _groups(parameters: Iterable[Any], context: Any) -> Iterator[tuple[str, list[Row]]]:
    """The arguments, then each group of options that has some."""
    found: dict[str, list[Row]] = {title: [] for title in ("Arguments", *GROUPS, OTHER)}
    for parameter in parameters:
        record = parameter.get_help_record(context)
        if record is not None:
            found[group_of(parameter)].append((_TYPE.sub("", record[0]), _tidy(record[1])))
    return ((title, rows) for title, rows in found.items() if rows)


def _argument(piece: str) -> str:
    """An argument as the usage line has it: typer puts braces around its name, and dots behind one that may repeat."""
    name = piece.removesuffix("...").strip("{}")
    return f"{name}…" if piece.endswith("}...") else name if piece.startswith("{") else piece


def group_of(parameter: Any) -> str:
    """The title under which an argument or an option stands."""
    if parameter.param_type_name == "argument":
        return "Arguments"
    return next((title for title, names in GROUPS.items() if not names.isdisjoint(parameter.opts)), OTHER)


def _tidy(text: str) -> str:
    """Bounds in words: `1<=x<=1000` is for programs."""
    return _RANGE.sub(_bounds, text).replace("  [", " [")


def _bounds(found: re.Match[str]) -> str:
    least, most = found.groups()
    if len(most) < _HUGE:
        return f"{least} to {most}"
    return "any whole number" if least.startswith("-") and len(least) > _HUGE else f"at least {least}"


def _first_sentence(group: TyperGroup, name: str) -> str:
    text = (group.commands[name].help or "").partition("\n\n")[0]
    return " ".join(text.partition(". ")[0].split()).rstrip(".") + "."


def _section(formatter: Any, title: str, rows: Sequence[Row]) -> None:
    formatter.write(f"\n{title}:\n")
    for line in table(rows, formatter.width):
        formatter.write(f"{line}\n")


def table(rows: Sequence[Row], wide: int) -> Iterator[str]:
    """Lines of two columns; on a narrow terminal of one, each text below its option."""
    if wide < STACKED:
        for name, text in rows:
            yield from _filled(name, wide, "  ")
            yield from _filled(text, wide, "      ")
        return
    left = min(BESIDE, max(len(name) for name, _ in rows))
    for name, text in rows:
        lines = list(_filled(text, wide, " " * (left + 4)))
        if len(name) > left:
            yield f"  {name}"
        else:
            yield f"  {name:{left}}  {lines[0].strip()}" if lines else f"  {name}"
            lines = lines[1:]
        yield from lines


def _filled(text: str, wide: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text, wide, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _examples(formatter: Any, command: str) -> None:
    examples = EXAMPLES.get(command, {})
    if not examples:
        return
    formatter.write("\nExamples:\n" if command else "\nBegin with:\n")
    for line, what in examples.items():
        for row in _filled(what, formatter.width, "  # "):
            formatter.write(f"{row}\n")
        formatter.write(f"  {line}\n")
