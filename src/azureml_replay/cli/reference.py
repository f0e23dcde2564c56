"""Makes two reference pages: every command's help, and the schemas of what `--json` answers.

`python -m azureml_replay.cli.reference commands > docs/reference/commands.md`, and `json` for the other page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from typer.testing import CliRunner

from azureml_replay import json_text
from azureml_replay.archive.checking import Checked
from azureml_replay.archive.merging.merge import Merged
from azureml_replay.cli.app import app
from azureml_replay.cli.assets import AssetRow
from azureml_replay.cli.help import in_order
from azureml_replay.cli.json_schema import json_schema
from azureml_replay.direct.options import Replayed
from azureml_replay.extraction.extract import Extracted
from azureml_replay.formats.browsing.server import Window
from azureml_replay.formats.tables import Exported
from azureml_replay.formats.tables.run_map import Mapped
from azureml_replay.planning.summary import PlanSummary
from azureml_replay.report_page import Reported
from azureml_replay.state import Failure, Status
from azureml_replay.synthetic.replay import SyntheticReplayed
from azureml_replay.synthetic.tree.summary import DryRun
from azureml_replay.target.diagnosis.doctor import Diagnosis
from azureml_replay.target.undone import Undoable, Undone
from azureml_replay.terminal.terminal import EventLine
from azureml_replay.verbs import Migrated
from azureml_replay.verification.verdict import Verdict

WIDTH = 100
"""Width of the help on the page, in columns."""

ANSWERS: Mapping[str, Any] = {
    "extract": Extracted,
    "plan": PlanSummary,
    "plan --mode synthetic": DryRun,
    "replay": Replayed,
    "replay --dry-run": PlanSummary,
    "replay --mode synthetic": SyntheticReplayed,
    "replay --mode synthetic --dry-run": DryRun,
    "verify": Verdict,
    "status": Status,
    "status --failed": tuple[Failure, ...],
    "assets": tuple[AssetRow, ...],
    "browse": Window,
    "check": Checked,
    "migrate": Migrated,
    "doctor": Diagnosis,
    "undo": Undone,
    "undo --dry-run": Undoable,
    "map": tuple[Mapped, ...],
    "export": Exported,
    "merge": Merged,
    "report": Reported,
}
"""Command line -> the type of what it answers."""


def commands() -> tuple[str, ...]:
    """Every command, in the order of the help."""
    return tuple(in_order(one.name or str(getattr(one.callback, "__name__", "")) for one in app.registered_commands))


def help_of(command: str) -> str:
    """What `azureml-replay COMMAND --help` prints on a terminal of `WIDTH` columns; of "" the help of all."""
    arguments = [*command.split(), "--help"]
    shown = CliRunner().invoke(app, arguments, prog_name="azureml-replay", terminal_width=WIDTH, env={"COLUMNS": "100"})
    return "\n".join(line.rstrip() for line in shown.stdout.splitlines()).strip()


def commands_page() -> Iterator[str]:
    """The lines of `docs/reference/commands.md`."""
    yield "# Every command\n"
    yield "<!-- Made by `python -m azureml_replay.cli.reference commands`: change the commands' own help. -->\n"
    yield "What `azureml-replay COMMAND --help` prints.\n"
    for command in ("", *commands()):
        yield f"## azureml-replay {command}\n".replace(" \n", "\n")
        yield f"```text\n{help_of(command)}\n```\n"


def json_page() -> Iterator[str]:
    """The lines of `docs/reference/json.md`."""
    yield "# What `--json` answers\n"
    yield "One line of JSON on stdout. Progress and messages go to stderr, one JSON object a line, of progress at most"
    yield "one a second; `--quiet` leaves only errors. An error answers nothing on stdout: its line is on stderr, and"
    yield "the exit code says what kind it is. The schemas are JSON Schema, draft 2020-12.\n"
    yield "<!-- Made by `python -m azureml_replay.cli.reference json`: change what the verbs return. -->\n"
    yield "## Progress and messages on stderr\n"
    yield "`doing` comes at once, and wherever nothing can be counted yet. `progress` has what is counted, such as"
    yield "`runs complete`, `points sent` and `bytes sent`, each with its rate and the seconds that are left. `message`"
    yield "and `error` are lines for people.\n"
    yield f"```json\n{json_text.dumps(json_schema(EventLine), indent=True).decode()}\n```\n"
    for command, of in ANSWERS.items():
        yield f"## azureml-replay {command}\n"
        yield f"```json\n{json_text.dumps(json_schema(of), indent=True).decode()}\n```\n"


if __name__ == "__main__":
    pages = {"commands": commands_page, "json": json_page}
    print("\n".join(pages[sys.argv[1]]()), end="")  # noqa: T201 - a page, for a file
