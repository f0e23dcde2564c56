"""Code snapshots -> archive (`--code`): each once, as a zip whose bytes depend on the files alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from azureml_replay import redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.objects import Held
from azureml_replay.errors import Rejected, Remedy, ServiceError, noted
from azureml_replay.model import CodeReference, RunId
from azureml_replay.planning.code import code_of
from azureml_replay.progress import Progress
from azureml_replay.workers import for_each
from azureml_replay.workspace.source import Source

SNAPSHOTS_AT_ONCE = 4


@dataclass(slots=True)
class CodeBringer:
    """Brings the code that runs of the archive were submitted with."""

    source: Source
    archive: Archive
    progress: Progress
    failed: list[tuple[RunId, str]] = field(default_factory=list)
    remedies: list[Remedy | None] = field(default_factory=list)

    async def bring(self) -> None:
        """Bring the snapshots that the archive lacks, also of runs that did not change. Repeatable.

        A snapshot that cannot be had is noted with its reason, and tried again by the next call.
        """
        await for_each(self._lacking(), self._bring_one, SNAPSHOTS_AT_ONCE)

    def _lacking(self) -> list[tuple[CodeReference, list[RunId]]]:
        """Each snapshot that is not here, with all runs that were submitted with it."""
        lacking: dict[str, tuple[CodeReference, list[RunId]]] = {}
        held = set[str]()
        for root in self.archive.units():
            for run in self.archive.unit(root):
                reference = code_of(run, self.archive.job(run.id))
                if reference is None or reference.key in held:
                    continue
                if reference.key not in lacking and isinstance(self.archive.code(reference), Held):
                    held.add(reference.key)
                else:
                    lacking.setdefault(reference.key, (reference, []))[1].append(run.id)
        return list(lacking.values())

    async def _bring_one(self, lacking: tuple[CodeReference, list[RunId]]) -> None:
        """Bring one snapshot; an error fails this snapshot only."""
        reference, runs = lacking
        file, whose = self.archive.code_file(reference), f"code of run {runs[0]}"
        try:
            await self._write(file, reference)
        except Rejected as error:
            why = noted(error, whose)
            if self.archive.code(reference) != redact.text(why):
                self._unsettle(runs)
                self.archive.lack_code(reference, why)
        except ServiceError as error:
            why = noted(error, whose)
            self.failed.append((runs[0], f"code: {why}"))
            self.remedies.append(error.remedy)
            self.progress.say(f"{whose} not kept: {why}")
        else:
            self._unsettle(runs)
            self.archive.keep_code(reference, file)
            self.progress.done("code snapshots kept")

    def _unsettle(self, runs: Sequence[RunId]) -> None:
        """Targets are to hold another file of these runs from now on; before it is noted here, as a kill may follow."""
        for target in self.archive.targets():
            self.archive.ledger(target).unsettle_files(runs)

    async def _write(self, file: Path, reference: CodeReference) -> None:
        """Write the zip: files stored, as versions of zlib differ in their bytes; without times, as none are known."""
        with file.open("wb") as writing, ZipFile(writing, "w", ZIP_STORED) as zipped:
            entry, name = None, None
            try:
                async for path, data in self.source.code(reference):
                    if path != name or entry is None:
                        if entry is not None:
                            entry.close()
                        info, name = ZipInfo(path), path
                        info.create_system, info.external_attr = 3, 0o100644 << 16
                        entry = zipped.open(info, "w", force_zip64=True)
                    entry.write(data)
            finally:
                if entry is not None:
                    entry.close()
