"""The index of a jobs.json: for each job the place of its entry, its parent and its experiment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from azureml_replay.azure.place import azure_place
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json import parents as kinship
from azureml_replay.formats.jobs_json import parse
from azureml_replay.formats.jobs_json.entry import Record
from azureml_replay.formats.jobs_json.scan import scan
from azureml_replay.formats.jobs_json.symptoms import FileLists
from azureml_replay.model import RunId
from azureml_replay.planning.budget import LOG_FOLDERS
from azureml_replay.workspace.place import Place

_WORKSPACE = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/[^/]+/workspaces/([^/]+)/jobs/[^/]+\Z", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Indexed:
    """What the index keeps of one entry."""

    place: tuple[int, int]
    experiment: str
    traces: kinship.Traces
    workspace: Place | None
    ours: bool
    listed: bool
    """True where it has a list of files."""
    files: bool
    logs: bool


class JobsIndex:
    """The place and the parent of each job in the file, found in one pass; holds no entry in memory."""

    def __init__(self, path: Path) -> None:
        """Of a job with several entries the last one counts. Raises UserError for a file that is no list of jobs."""
        self.path = path
        self.twice: dict[RunId, None] = {}
        """Jobs with more than one entry."""
        entries: dict[RunId, _Indexed] = {}
        for offset, length, record in scan(path):
            name = RunId(record["name"])
            if name in entries:
                self.twice[name] = None
            entries[name] = self._read((offset, length), record)
        self.places = {name: one.place for name, one in entries.items()}
        self.experiments = {name: one.experiment for name, one in entries.items()}
        self.workspaces = {one.workspace for one in entries.values() if one.workspace}
        self.ours = all(one.ours for one in entries.values())
        self.types: Mapping[str, str] = {name: one.traces.job_type for name, one in entries.items()}
        self.parents: Mapping[str, str] = kinship.parents(one.traces for one in entries.values())
        self.file_lists = _file_lists(list(entries.values()))
        """The figures for the messages about empty outputs and missing logs."""

    def _read(self, place: tuple[int, int], record: Record) -> _Indexed:
        found = _WORKSPACE.match(str(record.get("id") or ""))
        try:
            parse.check(record)  # before anything is written
        except parse.Unreadable as error:
            raise UserError(f"{self.path}: {error}") from None
        paths = record.get("mlflow_artifact_paths")
        return _Indexed(
            place=place,
            experiment=str(record.get("experiment_name") or ""),
            traces=kinship.traces(record),
            workspace=azure_place(*found.groups()) if found else None,
            ours=parse.is_ours(record),
            listed=paths is not None,
            files=bool(paths),
            logs=any(str(path).startswith(LOG_FOLDERS) for path in paths or ()),
        )

    def roots(self) -> Iterator[RunId]:
        """The jobs whose parent is not in the file."""
        return (name for name in self.places if self.parents.get(name) not in self.places)

    def source(self) -> Place:
        """The workspace that the jobs' ids name. Raises UserError where they name none, or several."""
        refs = list(self.workspaces)
        if not refs or any(ref != refs[0] for ref in refs):
            named = f"{len(refs)} workspaces" if refs else "no workspace"
            raise UserError(f"{self.path} names {named} in its jobs' ids: say with --source which one they come from")
        return refs[0]

    def experiment(self, name: RunId) -> str:
        """A job's experiment; its root's where azure-ai-ml gave the id instead of the name, or nothing."""
        own = self.experiments[name]
        if own and not parse.GUID.match(own):
            return own
        return self.experiments.get(self._root(name), "") or own or "Default"

    @cached_property
    def by_experiment(self) -> Mapping[str, Sequence[RunId]]:
        """Experiment -> its jobs, in the file's order."""
        found: dict[str, list[RunId]] = {}
        for name in self.places:
            found.setdefault(self.experiment(name), []).append(name)
        return found

    def _root(self, name: RunId) -> RunId:
        seen = {name}
        while (parent := RunId(self.parents.get(name, ""))) in self.places and parent not in seen:
            seen.add(parent)
            name = parent
        return name


def _file_lists(entries: Sequence[_Indexed]) -> FileLists:
    return FileLists(
        jobs=len(entries),
        left_out=sum(not one.listed for one in entries),
        without_files=sum(one.listed and not one.files for one in entries),
        without_logs=sum(one.files and not one.logs for one in entries),
    )
