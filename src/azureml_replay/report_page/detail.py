"""Reads everything that the page shows of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import ACCEPTED
from azureml_replay.connection import name_of_pages, page_of_run
from azureml_replay.model import Artifact, AssetReference, Finding, Json, Omission, Run, RunId
from azureml_replay.planning.lineage import TAG, lineage_of
from azureml_replay.report_page.assets import AssetBook
from azureml_replay.report_page.blocks import Numbers, to_json
from azureml_replay.report_page.choices import quiet
from azureml_replay.report_page.curves import MetricFindings, metrics_of
from azureml_replay.report_page.facts import Detail, File, Pair
from azureml_replay.report_page.file_states import FileStates
from azureml_replay.report_page.file_tables import FileTables
from azureml_replay.report_page.images import Pictures
from azureml_replay.verification.standing import Item
from azureml_replay.verification.wording import kind_of, sides_of, timed
from azureml_replay.workspace.place import Place

FILES_SHOWN = 1_000
"""Files shown of one run; the others are counted."""
PAGES = ("https://", "http://")
"""Servers on the reader's own machine have no certificates; anything else would be no page but a script."""


@dataclass(frozen=True, slots=True)
class Details:
    """Reads the details of runs, one run at a time."""

    archive: Archive
    ledger: TargetLedger | None
    verified: frozenset[str]
    items: Mapping[str, Item]
    """The evidence of each run."""
    pictures: Pictures
    sheets: FileTables
    studio: Mapping[Place, str | None]
    book: AssetBook

    def of(self, run_id: RunId, numbers: Numbers) -> Detail:
        """The details of a run. Raises IntegrityError where the archive is damaged."""
        run = self.archive.run(run_id)
        every = self.ledger.findings_of_run(run_id) if self.ledger else []
        findings = [one for one in every if one.kind != ACCEPTED]  # these stand on top of the page
        planned = self.ledger.planned_omissions_of(run_id) if self.ledger else self.archive.named_outputs(run_id)
        left = (*self.archive.omissions_of(run_id), *planned)
        omissions = tuple((one.what, one.reason, quiet(one.reason)) for one in left)
        told = tuple((timed(one.what), kind_of(one).value, *sides_of(one)) for one in findings)
        if run is None:
            return Detail(id=run_id, facts=(), links=(), findings=told, omissions=omissions)
        there = self._there(run_id)
        metrics = metrics_of(self.archive, run_id, self._state(run_id, findings), numbers)
        return Detail(
            id=run_id,
            facts=tuple(_facts(run, there)),
            links=tuple(self._links(run_id, there)),
            description=run.description or "",
            error=_text(run.error) if run.error else "",
            parameters=_pairs(run.parameters),
            tags=_pairs(run.tags),
            properties=_pairs(run.properties),
            assets=(*_assets("input", run.inputs), *_assets("output", run.outputs), *_datasets(run)),
            references=tuple(self.book.references(run_id)),
            lineage=self._lineage(run) if there else (),
            curves=tuple(metrics.curves),
            singles=tuple(metrics.singles),
            tables=tuple(metrics.tables),
            sheets=tuple(self.sheets.among(self.archive.artifacts(run_id))),
            files=tuple(self._shown_files(run_id, findings, left)),
            files_of=self._files(run_id),
            findings=told,
            omissions=omissions,
        )

    def _there(self, run: RunId) -> RunId | None:
        """The run of the target, where one was written or read; else None."""
        if self.ledger is None:
            return None
        written = self.ledger.target_id(run) or run
        return written if run in self.verified or self.ledger.receipts(run) else None

    def _state(self, run: RunId, findings: Iterable[Finding]) -> MetricFindings:
        if self.ledger is None or run not in self.verified:
            return MetricFindings(verified=False)
        named = tuple(one.what for one in findings if one.what == "run" or one.what.startswith("metric "))
        return MetricFindings(True, tuple(self.ledger.target_points(run)), named)

    def _links(self, run: RunId, there: RunId | None) -> Iterable[Pair]:
        target = self.ledger.target if self.ledger else None
        for side, workspace, name in (("source", self.archive.source, run), ("target", target, there)):
            page = page_of_run(workspace, self.studio.get(workspace), name) if workspace and name else None
            if workspace and page and page.startswith(PAGES):
                yield f"{side} in {name_of_pages(workspace)}", page

    def _lineage(self, run: Run) -> tuple[Pair, ...]:
        facts = lineage_of(run, self.archive.source)
        return (f"tag {TAG}", run.id), *((key, _text(value)) for key, value in facts.items())

    def _shown_files(self, run: RunId, findings: Iterable[Finding], left: Iterable[Omission]) -> Iterable[File]:
        listed = list(islice(self.archive.artifacts(run), FILES_SHOWN))
        item = self.items.get(run)
        unverifiable = item.counts.get("unverifiable", 0) if item else 0
        states = FileStates.of(listed, findings, left, compared=run in self.verified, unverifiable=unverifiable)
        self.pictures.begin_run()
        for one in listed:
            yield _file(one, states.of_file(one) if self.ledger else "", self.pictures.of(one))

    def _files(self, run: RunId) -> int:
        totals = self.archive.artifact_totals(run)
        return totals.files + totals.lost


def _facts(run: Run, there: RunId | None) -> Iterable[Pair]:
    yield from (
        (what, value)
        for what, value in (
            ("Id", run.id),
            ("Id in the target", there if there and there != run.id else ""),
            ("Experiment", run.experiment),
            ("Status", run.status + (", archived in Studio" if run.hidden else "")),
            ("Type", run.kind or ""),
            ("Parent", run.parent or ""),
            ("Created", str(run.created or "")),
            ("Started", str(run.start or "")),
            ("Ended", str(run.end or "")),
            ("Creator", run.creator or ""),
            ("Files and metrics of", run.lender or ""),
        )
        if value
    )


def _pairs(values: Mapping[str, Json] | Mapping[str, str | None]) -> tuple[Pair, ...]:
    return tuple((key, _text(values[key])) for key in sorted(values))


def _text(value: Json) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else to_json(value).decode().strip()


def _assets(side: str, assets: Mapping[str, AssetReference]) -> Iterable[Pair]:
    for name, asset in sorted(assets.items()):
        kind = f" ({asset.type})" if asset.type else ""
        yield f"{side} {name}{kind}", asset.asset_id


def _datasets(run: Run) -> Iterable[Pair]:
    for side, datasets in (("input", run.input_datasets), ("output", run.output_datasets)):
        if datasets:
            yield f"{side} datasets", _text(datasets)


def _file(artifact: Artifact, state: str, image: str) -> File:
    stored = artifact.stored
    if stored is None:
        why = artifact.gone or "listed, but no bytes were found"
        return File(path=artifact.path, bytes=None, md5="", note=why, state=state)
    note = "" if artifact.indexed else "in the storage only, the index does not list it"
    md5 = stored.md5.hex() if stored.md5 else ""
    return File(path=artifact.path, bytes=stored.size_bytes, md5=md5, note=note, state=state, image=image)
