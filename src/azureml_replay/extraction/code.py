"""Code snapshots -> archive (`--code`): each once, as a zip whose bytes depend on the files alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

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

    def _lacking(self) -> Iterator[tuple[RunId, CodeReference]]:
        asked = set[str]()
        for root in self.archive.units():
            for run in self.archive.unit(root):
                reference = code_of(run, self.archive.job(run.id))
                if reference is None or reference.key in asked:
                    continue
                asked.add(reference.key)
                if not isinstance(self.archive.code(reference), Held):
                    yield run.id, reference

    async def _bring_one(self, lacking: tuple[RunId, CodeReference]) -> None:
        """Bring one snapshot; an error fails this snapshot only."""
        run, reference = lacking
        file = self.archive.code_file(reference)
        try:
            await self._write(file, reference)
        except Rejected as error:
            self.archive.lack_code(reference, noted(error, f"code of run {run}"))
        except ServiceError as error:
            why = noted(error, f"code of run {run}")
            self.failed.append((run, f"code: {why}"))
            self.remedies.append(error.remedy)
            self.progress.say(f"code of run {run} not kept: {why}")
        else:
            self.archive.keep_code(reference, file)
            self.progress.done("code snapshots kept")

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
