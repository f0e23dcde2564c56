"""Carry Azure Machine Learning job history from one workspace to another, and prove it.

The front door: what `docs/reference/library.md` promises is imported from here, and loaded when it is first used, so
that `import azureml_replay` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.archive.checking import Checked, check
    from azureml_replay.archive.merging.merge import Merged, merge
    from azureml_replay.connection import connect, examine
    from azureml_replay.direct.options import Replayed, ReplayOptions
    from azureml_replay.direct.replay import replay
    from azureml_replay.errors import IntegrityError, LeaseTaken, ReplayError, ServiceError, UserError
    from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
    from azureml_replay.formats.tables.export import export
    from azureml_replay.planning.files import FileChoice
    from azureml_replay.planning.plan import plan
    from azureml_replay.report_page.write import report
    from azureml_replay.selection import Selection
    from azureml_replay.state import status
    from azureml_replay.synthetic.options import SyntheticReplayOptions
    from azureml_replay.synthetic.replay import SyntheticReplayed, replay_synthetic
    from azureml_replay.target.diagnosis.doctor import doctor
    from azureml_replay.undoing import undo
    from azureml_replay.verbs import Migrated, MigrateOptions, migrate, verify
    from azureml_replay.verification.verdict import Verdict
    from azureml_replay.version import __version__ as __version__

__all__ = (
    "Archive",
    "Checked",
    "ExtractOptions",
    "Extracted",
    "FileChoice",
    "IntegrityError",
    "LeaseTaken",
    "Merged",
    "MigrateOptions",
    "Migrated",
    "ReplayError",
    "ReplayOptions",
    "Replayed",
    "Selection",
    "ServiceError",
    "SyntheticReplayOptions",
    "SyntheticReplayed",
    "UserError",
    "Verdict",
    "check",
    "connect",
    "doctor",
    "dry_run",
    "examine",
    "export",
    "extract",
    "merge",
    "migrate",
    "plan",
    "replay",
    "replay_synthetic",
    "report",
    "status",
    "undo",
    "verify",
)
_HOMES = {
    "archive.archive": ("Archive",),
    "archive.checking": ("Checked", "check"),
    "archive.merging.merge": ("Merged", "merge"),
    "connection": ("connect", "examine"),
    "target.diagnosis.doctor": ("doctor",),
    "direct.options": ("ReplayOptions", "Replayed"),
    "direct.replay": ("replay",),
    "errors": ("IntegrityError", "LeaseTaken", "ReplayError", "ServiceError", "UserError"),
    "extraction.extract": ("ExtractOptions", "Extracted", "extract"),
    "formats.tables.export": ("export",),
    "planning.files": ("FileChoice",),
    "planning.plan": ("plan",),
    "report_page.write": ("report",),
    "selection": ("Selection",),
    "state": ("status",),
    "synthetic.options": ("SyntheticReplayOptions",),
    "synthetic.replay": ("SyntheticReplayed", "replay_synthetic"),
    "undoing": ("undo",),
    "verbs": ("MigrateOptions", "Migrated", "dry_run", "migrate", "verify"),
    "verification.verdict": ("Verdict",),
}
"""Module -> what it gives to the front door; the imports above say the same to a type checker."""


def __getattr__(name: str) -> Any:  # noqa: ANN401  # the imports above tell a type checker
    for module, names in (*_HOMES.items(), ("version", ("__version__",))):
        if name in names:
            found = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = found  # the next use finds it without this function
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
