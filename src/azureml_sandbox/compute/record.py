"""A run that computes, in run history: its states, times and error, written as they come."""

from __future__ import annotations

from typing import Any

from azureml_sandbox import instants
from azureml_sandbox.history import run_document
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.world import Document, World

UNSET = dict.fromkeys(("correlation", "environment", "location"))


class Record:
    """One run. Everything is read anew before it is changed: clients write to it too, while it runs."""

    def __init__(self, world: World, workspace: str, run_id: str) -> None:
        self._world, self._workspace = world, workspace
        self.run_id = run_id

    @property
    def document(self) -> Document:
        """The run as it stands. KeyError where it is gone."""
        found = self._world.runs.get(self._workspace, self.run_id)
        if found is None:
            raise KeyError(self.run_id)
        return found

    @property
    def ended(self) -> bool:
        """Whether it is Completed, Failed or Canceled."""
        return self.document.get("status") in run_document.TERMINAL

    def change(self, **fields: Any) -> None:  # noqa: ANN401 - a run's own fields
        """Lay fields over the run; tags and properties are added to those it has."""
        run = self.document
        merged = {key: {**(run.get(key) or {}), **fields.pop(key)} for key in ("tags", "properties") if key in fields}
        self._put(run | fields | merged)

    def move(self, status: str) -> None:
        """Into another state; a run that has ended stays as it is."""
        if not self.ended:
            self._put(run_document.moved(self.document, status))

    def start(self) -> None:
        """It runs from now on."""
        self.move("Running")
        self.change(startTimeUtc=instants.text(instants.now()))

    def end(self, status: str, error: Document | None = None) -> None:
        """It has ended now. A run that never started has a start too: its end (assumption)."""
        run = self.document
        if self.ended:
            return
        now = instants.text(instants.now())
        times = {"startTimeUtc": run.get("startTimeUtc") or now, "endTimeUtc": now}
        self._put(run_document.moved(run, status) | times | ({"error": error} if error is not None else {}))

    def _put(self, run: Document) -> None:
        self._world.runs.put(self._workspace, run_document.touched(run, run["createdBy"], instants.now()))


def failure(message: str, code: str = "UserError", reference: str | None = None) -> Document:
    """The `error` of a failed run; its form as recorded, its time not set as some of those."""
    root = errors.error_root(
        {"code": code, "message": message[: limits.ERROR_MESSAGE], "referenceCode": reference, "target": ""}
    )
    return {"error": root, **UNSET, "time": instants.UNSET, "componentName": "execution-worker"}
