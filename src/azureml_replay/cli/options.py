"""Flags that several commands share, and what they become."""

from __future__ import annotations

import getpass
import inspect
import os
import platform
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, get_args

import typer

from azureml_replay.cli.asset_options import (
    AssetConflictFlag,
    AssetConflictOption,
    asset_flags,
    sent_asset_flags,
)
from azureml_replay.cli.examples import VERBOSE
from azureml_replay.cli.fitting import given_options, refuse_idle, refuse_replaced_input
from azureml_replay.cli.typed import commas, included, moment_of, size_of, values_of
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.errors import UserError
from azureml_replay.selection import Selection, known_status, known_type
from azureml_replay.terminal import log_file as logs
from azureml_replay.terminal.terminal import Terminal, terminal
from azureml_replay.workspace.profile import WriteRoute

if TYPE_CHECKING:
    from azureml_replay.direct.options import ReplayOptions
    from azureml_replay.extraction.extract import ExtractOptions
    from azureml_replay.planning.assets import AssetChoice
    from azureml_replay.planning.files import FileChoice

Item = TypeVar("Item")

WS = (
    "WS is Studio's config.json, or subscription/resource-group/name, or the workspace's resource id, or the address "
    "of an MLflow server."
)
KNOWN = f"{WS[:-1]}, or the name alone of one that this archive was replayed into."
"""For the targets of an archive."""
SourceOption: TypeAlias = Annotated[str, typer.Option("--source", metavar="WS", help=f"Read from this workspace. {WS}")]
TargetOption: TypeAlias = Annotated[
    str, typer.Option("--target", metavar="WS", help=f"Write into this workspace. {WS}")
]
ComparedOption: TypeAlias = Annotated[
    str, typer.Option("--target", metavar="WS", help=f"Compare with this workspace. {KNOWN}")
]
UndoneOption: TypeAlias = Annotated[
    str, typer.Option("--target", metavar="WS", help=f"Take back from this workspace. {KNOWN}")
]
ArchiveOption: TypeAlias = Annotated[Path, typer.Option("--archive", metavar="DIR", help="The archive's folder.")]
ArchiveArgument: TypeAlias = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive's folder.")]
OptionalSource: TypeAlias = Annotated[
    str | None,
    typer.Option("--source", metavar="WS", help="How the source is reached, if not with the default login."),
]
RedactOption: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Leave the values of keys of this name behind, too.")
]
ObjectsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--objects", metavar="DIR", help="Keep the bytes of files there, on a larger disk."),
]
NoArtifactsOption: TypeAlias = Annotated[bool, typer.Option("--no-artifacts", help="Leave all files out.")]
FilesOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--files", metavar="GLOB", help="Take only files whose path in the run matches.")
]
MaxFileSizeOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="N", help="Leave larger files behind. N is in bytes, or 500MB, 2GB.")
]
BudgetOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--artifact-budget",
        metavar="SIZE",
        help="Take so many bytes of a run's files: metrics, models, logs first.",
    ),
]
DeepOption: TypeAlias = Annotated[
    bool, typer.Option("--deep", help="Read the bytes of every file too, in the source as well where a checksum lacks.")
]
AcceptOption: TypeAlias = Annotated[
    bool,
    typer.Option("--accept", help="Keep tags, descriptions, names and hidden as somebody changed them in the target."),
]
ForgetAcceptedOption: TypeAlias = Annotated[
    bool, typer.Option("--forget-accepted", help="Take back what was accepted: such changes are findings again.")
]
WriteRouteOption: TypeAlias = Annotated[
    WriteRoute | None,
    typer.Option(
        "--write-route",
        help="Write runs into the history, or by MLflow's routes under ids of the target's own. By default as the "
        "target was seen to keep them.",
        show_default=False,
    ),
]
TakeOverOption: TypeAlias = Annotated[
    bool, typer.Option("--take-over", help="Within a minute, end another replay of the same source that is at work.")
]
Many: TypeAlias = list[str] | None
MOST = 1_000_000_000
"""Of any number of runs or levels: a larger one is a slip of the keyboard."""


class MetricsOption(StrEnum):
    """The values of `--metrics`, by the library's names."""

    FULL = "full"
    LAST = "last"
    NONE = "none"


class ArtifactsOption(StrEnum):
    """The values of `--artifacts`. With a list, replay copies the bytes server to server."""

    LIST = "list"
    DOWNLOAD = "download"
    NONE = "none"


class Conflict(StrEnum):
    """The values of `--on-conflict`, by the library's names."""

    FAIL = "fail"
    SKIP = "skip"
    RENAME = "rename"


class RunIds(StrEnum):
    """The values of `--ids`."""

    SAME = "same"
    NEW = "new"


def takes(**makers: Callable[..., Any]) -> Callable[[Callable[..., Item]], Callable[..., Item]]:
    """Replace a command's parameter by the flags of the function that makes it, e.g. `selection=selection_flags`.

    Four commands share thirteen flags without listing them four times; a flag of two groups is one flag. The terminal
    is made first: it shows that the command is at work, and what makes the others takes long to load.
    """
    first = {name: maker for name, maker in makers.items() if maker is terminal_flags}
    in_turn = {**first, **makers}

    def decorate(command: Callable[..., Item]) -> Callable[..., Item]:
        flags = {name: _evaluated(_parameters(maker), maker) for name, maker in makers.items()}
        for group in flags.values():
            _say_what_verbose_shows(group, command.__name__)

        def run(**given: Any) -> Item:  # noqa: ANN401 - typer gives what the signature below says
            made = {name: maker(**{flag: given[flag] for flag in flags[name]}) for name, maker in in_turn.items()}
            return command(**{name: given[name] for name in own}, **made)

        named = {name: parameter for name, parameter in _parameters(command).items() if name not in makers}
        own = _evaluated(named, command)
        every = own | {name: parameter for group in flags.values() for name, parameter in group.items()}
        run.__signature__ = inspect.Signature(list(every.values()))  # type: ignore[attr-defined]  # what inspect.signature reads first
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _say_what_verbose_shows(flags: dict[str, inspect.Parameter], command: str) -> None:
    if "verbose" in flags and command in VERBOSE:
        kind, option = get_args(flags["verbose"].annotation)
        option = copy(option)
        option.help = VERBOSE[command]
        flags["verbose"] = flags["verbose"].replace(annotation=Annotated[kind, option])


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function, as keyword-only ones, so that required and optional ones mix."""
    parameters = inspect.signature(function).parameters
    return {name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, parameter in parameters.items()}


def _evaluated(
    parameters: Mapping[str, inspect.Parameter], function: Callable[..., Any]
) -> dict[str, inspect.Parameter]:
    """Parameters with evaluated annotations, as typer needs. Objects' types stay texts: importing them takes 200 ms."""
    types = {name: parameter.annotation for name, parameter in parameters.items()}
    known = {name: eval(text, function.__globals__) for name, text in types.items() if isinstance(text, str)}  # noqa: S307 our own source
    return {name: parameter.replace(annotation=known.get(name, types[name])) for name, parameter in parameters.items()}


def terminal_flags(
    *,
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Write the result as one line of JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress and no messages, only errors.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Tell what is done of each run, in the log file too.")
    ] = False,
    log_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Log to this file. Without it: logs/COMMAND_TIME.log, begun when there is something to log.",
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Tell each request too, and show the traceback of an error.")
    ] = False,
) -> Terminal:
    """The command's terminal; begins logging. The context's `obj` is the command's name in the log file's name."""
    given = given_options(context=context)
    refuse_idle(given)
    refuse_replaced_input(given)
    speaking = terminal(json=json, quiet=quiet, verbose=verbose)
    default = Path("logs") / f"{context.obj or context.info_name}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"
    asked = log_file is not None
    logs.start(
        log_file or default,
        verbose=verbose,
        debug=debug,
        tell=speaking.say,
        asked=asked,
        warn=speaking.error if asked else None,
    )
    speaking.start(context.info_name or "")
    return speaking


@takes(assets=asset_flags)
def extract_flags(
    *,
    assets: AssetChoice,
    metrics: Annotated[
        MetricsOption, typer.Option(help="Bring every point, the last of each name, or none.")
    ] = MetricsOption.FULL,
    artifacts: Annotated[
        ArtifactsOption, typer.Option(help="Bring the list of files, their bytes too, or nothing.")
    ] = ArtifactsOption.LIST,
    no_artifacts: NoArtifactsOption = False,
    check_all: Annotated[
        bool,
        typer.Option(
            "--check-all",
            help="Read every run of the source again, changed or not; with --artifacts download the bytes of an MLflow "
            "server's files too.",
        ),
    ] = False,
    code: Annotated[bool, typer.Option("--code", help="Bring the code that jobs were submitted with, too.")] = False,
) -> ExtractOptions:
    """The options of `extract`: what to bring beside the runs."""
    from azureml_replay.extraction.extract import ExtractOptions
    from azureml_replay.extraction.metrics import Metrics

    if no_artifacts and artifacts is ArtifactsOption.DOWNLOAD:
        raise UserError("--artifacts download and --no-artifacts contradict each other: leave one of them out")
    return ExtractOptions(
        metrics=Metrics(metrics.value),
        artifacts=artifacts is not ArtifactsOption.NONE and not no_artifacts,
        download=artifacts is ArtifactsOption.DOWNLOAD,
        check_all=check_all,
        code=code,
        assets=assets,
    )


def file_flags(
    *,
    files: FilesOption = None,
    max_file_size: MaxFileSizeOption = None,
    artifact_budget: BudgetOption = None,
    no_artifacts: NoArtifactsOption = False,
) -> FileChoice:
    """The choice of files that are carried; the others are omissions."""
    from azureml_replay.planning.files import FileChoice

    globs = values_of("--files", files, str)
    return FileChoice(
        artifacts=not no_artifacts,
        most_bytes=size_of("--max-file-size", max_file_size),
        globs=globs,
        budget=size_of("--artifact-budget", artifact_budget),
    )


def accepting(*, accept: bool, forget: bool) -> str | None:
    """Who accepts changes, as the archive remembers it; None where nobody does. Raises UserError for both flags."""
    if accept and forget:
        raise UserError("--accept and --forget-accepted contradict each other: leave one of them out")
    return f"{_user()} on {platform.node() or 'an unnamed machine'}" if accept else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may run as a number that nobody named
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"


@takes(assets=sent_asset_flags)
def replay_flags(
    *,
    assets: AssetChoice,
    ids: Annotated[RunIds, typer.Option(help="Let runs keep their ids, or give all of them new ones.")] = RunIds.SAME,
    on_conflict: Annotated[
        Conflict,
        typer.Option(
            help="What becomes of a job whose id others took: it is left alone with exit 2 or 0, or gets new ids."
        ),
    ] = Conflict.FAIL,
    files: FilesOption = None,
    max_file_size: MaxFileSizeOption = None,
    artifact_budget: BudgetOption = None,
    no_artifacts: NoArtifactsOption = False,
    prefer: Annotated[
        Prefer,
        typer.Option(
            help="Where both workspaces changed a value since it was sent: target lets the target's stay, "
            "source sends the source's over it."
        ),
    ] = Prefer.TARGET,
    attach: Annotated[
        bool,
        typer.Option("--attach", help="Register files of datastores that the target has too: no copy."),
    ] = False,
    keep_run_type: Annotated[
        bool,
        typer.Option(
            "--keep-run-type", help="Give new runs their original type, for which Studio may open pages that fail."
        ),
    ] = False,
    write_route: WriteRouteOption = None,
    on_asset_conflict: AssetConflictFlag = AssetConflictOption.FAIL,
) -> ReplayOptions:
    """The options of `replay`: how runs are to arrive."""
    from azureml_replay.direct.options import AssetConflict, OnConflict, ReplayOptions

    return ReplayOptions(
        files=file_flags(
            files=files, max_file_size=max_file_size, artifact_budget=artifact_budget, no_artifacts=no_artifacts
        ),
        keep_run_type=keep_run_type,
        new_ids=ids is RunIds.NEW,
        on_conflict=OnConflict(on_conflict.value),
        prefer=prefer,
        write_route=write_route,
        attach=attach,
        assets=assets,
        on_asset_conflict=AssetConflict(on_asset_conflict.value),
    )


def selection_flags(
    *,
    include: Annotated[
        Many, typer.Option(metavar="A,B", help="Choose root runs by id; each comes with all runs below it.")
    ] = None,
    include_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Choose the root runs of a file, one id a line.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST, metavar="N", help="Choose at most N root runs, the newest first.")
    ] = None,
    experiment: Annotated[Many, typer.Option(metavar="GLOB", help="Choose by the name of the experiment.")] = None,
    status: Annotated[
        Many, typer.Option(metavar="S", help="Choose by status: Completed, Failed, Canceled, ...")
    ] = None,
    type_: Annotated[
        Many,
        typer.Option(
            "--type", metavar="T", help="Choose by type: command, pipeline, step, sweep, automl, mlflow, or a runType."
        ),
    ] = None,
    tag: Annotated[
        Many, typer.Option(metavar="K[=V]", help="Choose by a tag, with any value or with this one.")
    ] = None,
    created_after: Annotated[
        str | None, typer.Option(metavar="ISO", help="Choose what was created at that moment (UTC) or later.")
    ] = None,
    created_before: Annotated[
        str | None, typer.Option(metavar="ISO", help="Choose what was created before that moment (UTC).")
    ] = None,
    user: Annotated[Many, typer.Option(metavar="U", help="Choose by who made it, as a glob.")] = None,
    depth: Annotated[
        int | None,
        typer.Option(min=0, max=MOST, metavar="N", help="Leave runs behind that lie below N levels of children."),
    ] = None,
    include_active: Annotated[
        bool, typer.Option("--include-active", help="Choose what is still running, too.")
    ] = False,
    strict_names: Annotated[
        bool,
        typer.Option(
            "--strict-names",
            help="Stop before anything is done where --include names no run; otherwise the others are taken.",
        ),
    ] = False,
) -> Selection:
    """Filters of different kinds are and-ed, values of one kind or-ed; a match takes the whole family of runs."""
    selection = Selection(
        include=included(include, include_file),
        limit=limit,
        experiments=values_of("--experiment", experiment, str),
        statuses=values_of("--status", commas(status), known_status),
        types=values_of("--type", commas(type_), known_type),
        tags=values_of("--tag", tag, str),
        created_after=moment_of("--created-after", created_after),
        created_before=moment_of("--created-before", created_before),
        users=values_of("--user", user, str),
        depth=depth,
        include_active=include_active,
        strict_names=strict_names,
    )
    after, before = selection.created_after, selection.created_before
    if after and before and before <= after:
        given = f"--created-before {created_before} is not later than --created-after {created_after}"
        raise UserError(f"{given}: nothing can lie between")
    return selection
