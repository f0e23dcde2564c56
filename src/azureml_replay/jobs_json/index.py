"""The index of a jobs.json: for each job the place of its entry, its parent and its experiment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from azureml_replay.azure.place import azure_place
from azureml_replay.errors import UserError
from azureml_replay.jobs_json import parents as kinship
from azureml_replay.jobs_json import parse
from azureml_replay.jobs_json.entry import Record
from azureml_replay.jobs_json.scan import scan
from azureml_replay.jobs_json.symptoms import FileLists
from azureml_replay.jobs_json.write import LOG_FOLDERS
from azureml_replay.model import RunId
from azureml_replay.workspace.place import Place

_WORKSPACE = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/[^/]+/workspaces/([^/]+)/jobs/[^/]+\Z", re.IGNORECASE
)


class JobsIndex:
    """The place and the parent of each job in the file, found in one pass; holds no entry in memory."""

    def __init__(self, path: Path) -> None:
        """Raises UserError for a file that is no list of jobs, each named once."""
        self.path = path
        self.places: dict[RunId, tuple[int, int]] = {}
        self.experiments: dict[RunId, str] = {}
        self.workspaces: set[Place] = set()
        self.ours = True
        self._lists = [0, 0, 0]
        traces = [self._take(*entry) for entry in scan(path)]
        self.types = {entry.name: entry.job_type for entry in traces}
        self.parents: Mapping[str, str] = kinship.parents(traces)

    def _take(self, offset: int, length: int, record: Record) -> kinship.Traces:
        name = RunId(record["name"])
        if name in self.places:
            raise UserError(f"{self.path}: job {name} is there twice: remove one of its entries")
        self.places[name] = offset, length
        self.experiments[name] = str(record.get("experiment_name") or "")
        found = _WORKSPACE.match(str(record.get("id") or ""))
        if found:
            self.workspaces.add(azure_place(*found.groups()))
        self.ours = self.ours and parse.is_ours(record)
        for _ in parse.artifacts_of(record):
            pass  # raises for an entry that cannot be read, before anything is written
        self._count_files(record)
        return kinship.traces(record)

    def _count_files(self, record: Record) -> None:
        paths = record.get("mlflow_artifact_paths")
        self._lists[0] += paths is None
        self._lists[1] += paths == []
        self._lists[2] += bool(paths) and not any(str(path).startswith(LOG_FOLDERS) for path in paths or ())

    @property
    def file_lists(self) -> FileLists:
        """The figures for the messages about empty outputs and missing logs."""
        return FileLists(len(self.places), *self._lists)

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
