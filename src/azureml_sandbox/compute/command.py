"""One command as a job: its inputs are fetched, its process runs, its logs and outputs are stored."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from azureml_sandbox.assets.places import Place, Unreadable
from azureml_sandbox.compute import expressions, files, process_environment
from azureml_sandbox.compute.process import execute
from azureml_sandbox.compute.record import Record, failure
from azureml_sandbox.compute.site import Site
from azureml_sandbox.compute.values import Data, Literal, Value
from azureml_sandbox.world import RUN_ORIGIN

LOG = "user_logs/std_log.txt"
_COLLECTED = ("outputs", "logs")
"""Folders of the working directory that are artifacts of the run when it ends."""
_TAIL = 1_500  # characters of the log in an error's message, which may have 3,000


@dataclass(frozen=True, slots=True)
class Work:
    """A command to execute, with its data."""

    command: str
    code_id: str | None = None
    inputs: Mapping[str, Value] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    """Optional inputs without a value."""
    outputs: Mapping[str, Data] = field(default_factory=dict)
    search: Mapping[str, str] = field(default_factory=dict)
    """The values of `search_space.*`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None


async def perform(site: Site, record: Record, work: Work) -> str:
    """Execute a command, from Preparing to its end; returns the final status.

    When cancelled, it stores the files that are there, and raises.
    """
    executing = _Command(site, record, work)
    try:
        error = await executing.run()
    except asyncio.CancelledError:
        await executing.collect()
        raise
    if error is None:
        record.end("Completed")
        return "Completed"
    record.end("Failed", failure(error))
    return "Failed"


class _Command:
    """One command while it is executed."""

    def __init__(self, site: Site, record: Record, work: Work) -> None:
        self._site, self._record, self._work = site, record, work
        self._home = site.home(record.run_id)
        self._run = record.document
        self._container: str = self._run["dataContainerId"]
        self._tail = b""

    @property
    def _cwd(self) -> Path:
        return self._home / "wd"

    async def run(self) -> str | None:
        """Execute the command; returns why it failed, None where it did not."""
        self._record.move("Preparing")
        try:
            paths = await self._prepare()
        except Unreadable as wrong:
            return f"The job's data could not be prepared: {wrong}"
        self._record.move("Queued")
        async with self._site.nodes:
            self._record.start()
            error = await self._execute(paths)
        self._record.move("Finalizing")
        await self.collect()
        return error

    async def _prepare(self) -> dict[str, str]:
        """Fetch code and inputs, make the outputs' folders; returns the text for each name in the command."""
        for folder in _COLLECTED:
            (self._cwd / folder).mkdir(parents=True, exist_ok=True)
        if self._work.code_id is not None:
            code = self._site.place(self._code_uri(self._work.code_id))
            await files.fetch(self._site.storage, code, self._cwd, whole_folder=True)
        paths = {f"search_space.{name}": text for name, text in self._work.search.items()}
        for name, value in self._work.inputs.items():
            paths[f"inputs.{name}"] = await self._input(name, value)
        for name, data in self._work.outputs.items():
            paths[f"outputs.{name}"] = self._output(name, data)
        return paths

    def _code_uri(self, code_id: str) -> str:
        name, version = code_id.split("/")[-3::2]
        code = self._site.world.assets.get(self._site.workspace.guid, "codes", name, version)
        if code is None:
            raise Unreadable(f"code {name}:{version} was not found")
        return str(code["properties"]["codeUri"])

    async def _input(self, name: str, value: Value) -> str:
        if isinstance(value, Literal):
            return value.text
        if value.mode == "Direct":
            return value.uri
        place, folder = self._site.place(value.uri), self._home / "inputs" / name
        return str(await files.fetch(self._site.storage, place, folder, whole_folder=value.is_folder))

    def _output(self, name: str, data: Data) -> str:
        if data.mode == "Direct":
            return data.uri
        local = self._home / "outputs" / name
        (local if data.is_folder else local.parent).mkdir(parents=True, exist_ok=True)
        return str(local)

    async def _execute(self, paths: Mapping[str, str]) -> str | None:
        work, site = self._work, self._site
        quoted = {name: self._in_shell(name, text) for name, text in paths.items()}
        command = expressions.command(work.command, quoted, {f"inputs.{name}" for name in work.absent})
        experiment = site.world.experiments.get(site.workspace.guid, self._run["experimentId"])
        assert experiment is not None  # noqa: S101 - its run names it
        variables = process_environment.variables(site, self._run, experiment["name"], _ports(paths), work.variables)
        self._index(LOG)
        await self._write(b"")
        try:
            code = await execute(command, self._cwd, variables, self._write, work.timeout_s)
        except TimeoutError:
            return f"The job was ended after {work.timeout_s:g} s: its timeout."
        return None if code == 0 else self._exited(command, code)

    def _in_shell(self, name: str, text: str) -> str:
        """A path quoted as one word, since the sandbox's folder may have a blank in its name; a literal as sent."""
        return shlex.quote(text) if text.startswith(str(self._home)) and not name.startswith("search") else text

    def _exited(self, command: str, code: int) -> str:
        """The error of a failed command. Assumption: `ExecutionFailed` as users know it; none was recorded."""
        program = (command.split() or ["bash"])[0]
        said = self._tail.decode(errors="replace").strip()
        return (
            f"Execution failed. User process '{program}' exited with status code {code}. Please check log file"
            f" '{LOG}' for error details. Error: {said[-_TAIL:]}"
        )

    async def _write(self, output: bytes) -> None:
        self._tail = (self._tail + output)[-_TAIL * 4 :]
        place = self._artifact(LOG)
        await self._site.storage.put(
            place.account, place.container, place.path, output, content_type="text/plain", append=True
        )

    async def collect(self) -> None:
        """Upload what the command left: its outputs and the run's artifacts."""
        for name, data in self._work.outputs.items():
            if data.mode != "Direct" and (self._home / "outputs" / name).exists():
                await files.send(self._site.storage, self._site.place(data.uri), self._home / "outputs" / name)
        for folder in _COLLECTED:
            for relative, file in files.found(self._cwd / folder):
                path = f"{folder}/{relative}"
                await files.send(self._site.storage, self._artifact(path), file)
                self._index(path)

    def _artifact(self, path: str) -> Place:
        return self._site.artifact_place(self._container, path)

    def _index(self, path: str) -> None:
        self._site.world.artifacts.register(self._site.workspace.guid, (RUN_ORIGIN, self._container), path)


def _ports(paths: Mapping[str, str]) -> dict[str, str]:
    """The variables of ports: `AZURE_ML_OUTPUT_{name}` is recorded, `AZURE_ML_INPUT_{name}` is its counterpart."""
    kinds = {"inputs": "AZURE_ML_INPUT", "outputs": "AZURE_ML_OUTPUT"}
    split = {name: name.partition(".") for name in paths}
    return {f"{kinds[kind]}_{port}": paths[name] for name, (kind, _, port) in split.items() if kind in kinds}
