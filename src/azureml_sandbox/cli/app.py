"""The commands of `azureml-sandbox`. They only assemble: parse, build, call. A Problem is one line and exit code 2."""

from __future__ import annotations

import json
import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from azureml_sandbox.cli.fill_commands import load_command, sample_command
from azureml_sandbox.cli.shell_lines import INSIDE, lead_back, lead_in
from azureml_sandbox.compute import NODES
from azureml_sandbox.problem import Problem
from azureml_sandbox.protocol.declared_faults import STRICT, Declared
from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.storage import azurite

app = typer.Typer(
    help="Local Azure Machine Learning workspaces, on which Microsoft's own clients work unmodified.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Dir = Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the sandbox's state.")]
_VARIANTS = "; ".join(f"{name} ({how})" for name, how in STRICT.items())
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command; a Problem, or a file that cannot be written, is one line on stderr and exit code 2."""
    try:
        app()
    except Problem as problem:
        typer.echo(f"azureml-sandbox: {problem}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.filename is None:
            raise
        typer.echo(f"azureml-sandbox: {error.filename}: {error.strerror}: check DIR, or name another one", err=True)
        sys.exit(2)


@app.command()
def serve(  # noqa: PLR0917 - typer names them all
    folder: Dir,
    workspace: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Add this workspace if it is missing. Repeatable.")
    ] = None,
    tenant: Annotated[
        list[str] | None, typer.Option(metavar="NAME=ID", help="Put the new workspace NAME into tenant ID. Repeatable.")
    ] = None,
    port: Annotated[int, typer.Option(help="0 is the port of the last time if it is free, else any free one.")] = 0,
    latency_ms: Annotated[float, typer.Option(help="Milliseconds to wait before every answer.")] = 0,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON file that declares faults to be made.")
    ] = None,
    strict: Annotated[
        list[str] | None,
        typer.Option(metavar="VARIANT[@NAME]", help=f"Be a stricter service: {_VARIANTS}. Repeatable."),
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, help="How many submitted commands run at a time.")] = NODES,
    background: Annotated[
        bool, typer.Option("--background", help="Return when the server is ready, and leave it running.")
    ] = False,
    leashed: Annotated[bool, typer.Option("--leashed", hidden=True)] = False,
) -> None:
    """Serve the workspaces of DIR until stopped. A new DIR gets two, source and target."""
    if background:
        _install()
        flags = [f"--port={port}", f"--latency-ms={latency_ms}", f"--nodes={nodes}"]
        flags += [*(f"--tenant={each}" for each in tenant or [])]
        flags += [f"--strict={each}" for each in strict or []] + ([f"--faults={faults}"] if faults is not None else [])
        Sandbox.start(folder, workspace or [], *flags, leashed=False)
        ready = f"Ready at 127.0.0.1:{state.running(folder).port}"
        typer.echo(f'{ready}; eval "$(azureml-sandbox env {shlex.quote(str(folder))})" points Azure clients at it')
        return
    tenants, declared = _tenants(tenant or []), _declared(faults, strict or [])
    from azureml_sandbox.server import serving  # noqa: PLC0415 - takes 0.5 s to import

    options = serving.Options(
        workspaces=tuple(workspace or ()),
        tenants=tenants,
        port=port,
        latency_ms=latency_ms,
        declared=declared,
        nodes=nodes,
        leashed=leashed,
    )
    serving.run(folder, options, typer.echo)


@app.command()
def install() -> None:
    """Install Azurite, the storage emulator. `serve` does so where it is missing."""
    _install()


@app.command()
def env(
    folder: Dir,
    unset: Annotated[
        bool, typer.Option("--unset", help="Lead this shell back: each variable gets the value it had before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the variables that point Azure clients at the sandbox. Type: eval "$(azureml-sandbox env DIR)".

    To leave it again, also after it was stopped, type: eval "$(azureml-sandbox env --unset DIR)".
    """
    if unset and as_json:
        raise Problem("--unset prints lines for a shell, which JSON cannot hold: leave --json out")
    if unset:
        lines = lead_back((*state.VARIABLES, *state.BYPASSES))
    elif as_json:
        lines = [json.dumps(state.environment(folder), indent=2)]
    else:
        lines = lead_in(str(folder.resolve()), state.environment(folder), state.BYPASSES)
    typer.echo("\n".join(lines))


@app.command()
def requests(
    folder: Dir,
    reset: Annotated[bool, typer.Option("--reset", help="Set the counts to 0 after printing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what was asked of the sandbox since the last reset."""
    sandbox = Sandbox(folder)
    counted = sandbox.requests()
    if reset:
        sandbox.reset_requests()
    typer.echo(json.dumps(counted, indent=2) if as_json else _table(counted))


@app.command()
def demo(folder: Dir = Path("sandbox")) -> None:
    """Run a whole migration between two local workspaces. The source is filled, and azureml-replay migrates it."""
    from azureml_sandbox.demo import demo as run_demo  # noqa: PLC0415 - only this command needs it

    _install()
    raise typer.Exit(run_demo(folder, typer.echo))


@app.command()
def train(folder: Dir, workspace: Annotated[str, typer.Option(metavar="W", help="The workspace to fill.")]) -> None:
    """Submit jobs as a user would, and wait until all have ended. An AutoML job is added.

    The sandbox must be running.
    """
    from azureml_sandbox.fill.train import train as run_training  # noqa: PLC0415 - imports scikit-learn

    run_training(folder, workspace, typer.echo)


app.command("load")(load_command)
app.command("sample")(sample_command)


@app.command()
def stop(folder: Dir) -> None:
    """Stop the server of DIR. Its state stays."""
    Sandbox(folder).stop()
    if os.environ.get(INSIDE) == str(folder.resolve()):
        back = f'eval "$(azureml-sandbox env --unset {shlex.quote(str(folder))})"'
        typer.echo(f"Stopped. This shell still points Azure clients at it; {back} leads back")


def _install() -> None:
    try:
        azurite.install(partial(typer.echo, err=True))
    except azurite.Unavailable as error:
        raise Problem(str(error)) from error


def _tenants(given: list[str]) -> dict[str, str]:
    tenants = {}
    for each in given:
        name, equals, tenant_id = each.partition("=")
        if not (name and equals and tenant_id):
            raise Problem(f"--tenant {each}: expected NAME=ID, a workspace's name and a tenant's guid")
        tenants[name] = tenant_id.lower()
    return tenants


def _declared(file: Path | None, strict: list[str]) -> Declared:
    try:
        document: Any = json.loads(file.read_bytes()) if file is not None else {}
        document = {"rules": document} if isinstance(document, list) else document
        return Declared.read({**document, "strict": [*document.get("strict", []), *strict]})
    except OSError as error:
        raise Problem(f"--faults {file}: {error.strerror}") from error
    except (ValueError, AttributeError) as error:
        raise Problem(f"--faults {file}: {error}" if file is not None else f"--strict: {error}") from error


def _table(counted: dict[str, Any]) -> str:
    head = "{total} requests, {writes} of them writes; {bytes} bytes; {most_in_flight} at most at one time"
    row = "{count:>8}  {effect:<5}  {status}  {workspace:<16}  {method:<6}  {route}"
    return "\n".join([head.format(**counted), *(row.format(**each) for each in counted["routes"])])
