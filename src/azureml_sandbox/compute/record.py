"""The entry in run history of a run that is being computed: its status, times and error, written as they change."""

from __future__ import annotations

from typing import Any

from azureml_sandbox import instants
from azureml_sandbox.history import run_document
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.world import Document, World

UNSET = dict.fromkeys(("correlation", "environment", "location"))


class Record:
    """One run. The run is read again before each change, because clients write to it too while it runs."""

    def __init__(self, world: World, workspace: str, run_id: str) -> None:
        self._world, self._workspace = world, workspace
        self.run_id = run_id

    @property
    def document(self) -> Document:
        """The run's present document. Raises KeyError where the run was deleted."""
        found = self._world.runs.get(self._workspace, self.run_id)
        if found is None:
            raise KeyError(self.run_id)
        return found

    @property
    def ended(self) -> bool:
        """Whether it is Completed, Failed or Canceled."""
        return self.document.get("status") in run_document.TERMINAL

    def change(self, **fields: Any) -> None:  # noqa: ANN401 - a run's own fields
        """Set fields of the run; tags and properties are added to those it has."""
        run = self.document
        merged = {key: {**(run.get(key) or {}), **fields.pop(key)} for key in ("tags", "properties") if key in fields}
        self._put(run | fields | merged)

    def move(self, status: str) -> None:
        """Set another status; a run that has ended stays as it is."""
        if not self.ended:
            self._put(run_document.moved(self.document, status))

    def start(self) -> None:
        """Set the status Running and the start time."""
        self.move("Running")
        self.change(startTimeUtc=instants.text(instants.now()))

    def end(self, status: str, error: Document | None = None) -> None:
        """Set the final status and the end time; a run that has ended stays as it is.

        A run that never started gets its end as its start (assumption).
        """
        run = self.document
        if self.ended:
            return
        now = instants.text(instants.now())
        times = {"startTimeUtc": run.get("startTimeUtc") or now, "endTimeUtc": now}
        self._put(run_document.moved(run, status) | times | ({"error": error} if error is not None else {}))

    def _put(self, run: Document) -> None:
        self._world.runs.put(self._workspace, run_document.touched(run, run["createdBy"], instants.now()))


def failure(message: str, code: str = "UserError", reference: str | None = None) -> Document:
    """The `error` of a failed run; its form is recorded, its time is "not set" as in some of the recorded ones."""
    root = errors.error_root(
        {"code": code, "message": message[: limits.ERROR_MESSAGE], "referenceCode": reference, "target": ""}
    )
    return {"error": root, **UNSET, "time": instants.UNSET, "componentName": "execution-worker"}
