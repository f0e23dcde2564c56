"""Assets -> workspace, recording receipts: what runs refer to before the runs, models after their files.

A service that is sent what contradicts what it has may answer with success and keep the old: only the answer is
believed. Names go side by side, versions of a name one by one and the oldest first, since the latest is the one that
was written last. What is archived is archived once all of it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import cast

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import THERE, AssetReceipt, AssetState
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.counting import counted
from azureml_replay.direct.asset_files import NO_FILES, AssetFiles
from azureml_replay.direct.asset_looks import AssetLooked, AssetLooks, AssetStep
from azureml_replay.direct.asset_names import NameSender
from azureml_replay.direct.options import AssetConflict, AssetsSent, ReplayOptions
from azureml_replay.errors import IntegrityError, Rejected, Remedy, ServiceError, UserError, noted
from azureml_replay.files.bytes import Supply
from azureml_replay.model import Json, RunId
from azureml_replay.planning.asset_choices import CarriedAssets
from azureml_replay.planning.asset_fit import NUMBERED
from azureml_replay.planning.asset_lineage import changeable, marked_asset, signed_asset
from azureml_replay.planning.assets import (
    IN_THE_WAY,
    OWN_VALUES,
    RUN_ABSENT,
    TABLE_LEFT,
    UNLINKED,
    PlannedAsset,
    joined,
    says,
)
from azureml_replay.planning.references import AssetFate
from azureml_replay.progress import Progress
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import asset_plan
from azureml_replay.target.assets_there import AssetsThere, known_rule
from azureml_replay.target.lease import hold
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind, digest_of
from azureml_replay.workspace.assets import AssetTarget, takes_assets
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Refused, Target

NAMES_AT_ONCE = 8
AFTER_RUNS = frozenset({AssetKind.MODEL})
"""Kinds whose bytes usually are files of runs."""
CONTRADICTS = 409
"""The status with which what is there already is kept."""
LINKS = "model links"
"""The probe of doctor that tells whether a target keeps the run of a model."""
COPIED = "the target keeps a copy of its bytes at another place"
REFERS_TO_LEFT = "it refers to {}, of which the target has another one, which was left alone"
OTHERWISE = "the target answered with success, and keeps another content than it was sent"


@dataclass(slots=True)
class AssetSender:
    """Sends the assets of one plan."""

    archive: Archive
    ledger: TargetLedger
    target: AssetTarget
    files: AssetFiles
    planned: Sequence[PlannedAsset]
    choice: CarriedAssets
    """By which it is planned."""
    on_conflict: AssetConflict
    width: int
    progress: Progress
    sent: AssetsSent = field(default_factory=AssetsSent)
    remedies: list[Remedy | None] = field(default_factory=list)
    receipts: dict[AssetKey, AssetReceipt] = field(init=False)
    looks: AssetLooks = field(init=False)
    by_key: dict[AssetKey, PlannedAsset] = field(init=False)
    found: dict[AssetKey, AssetLooked] = field(default_factory=dict)
    names: NameSender = field(init=False)
    changed: set[AssetKey] = field(default_factory=set)
    """Those of which something became: what runs say of them is due, until the caller says that it went."""
    loses_links: bool = field(init=False)
    """True once the target was seen to lose the run of a model."""
    to_archive: list[tuple[AssetLooked, Asset]] = field(default_factory=list)
    """What was made, as answered, and is archived in the source."""

    def __post_init__(self) -> None:
        self.by_key = {one.key: one for one in self.planned}
        self.receipts = self.ledger.asset_receipts()
        self.loses_links = self._was_seen_to_lose_links()
        source, earlier = self.archive.source, self.ledger.earlier_assets()
        never = {one.key for one in self.planned if one.fate is AssetFate.OMITTED}
        coming = {one.key for one in self.archive.assets()} - never if self.on_conflict is AssetConflict.NEXT else ()
        on_conflict, are_others = self.on_conflict, self.files.are_others
        self.looks = AssetLooks(
            self.target, source, dict(self.receipts), on_conflict, self.there, are_others, earlier, coming
        )
        self.names = NameSender(self.archive, self.ledger, self.target, self.there)

    @property
    def there(self) -> AssetsThere:
        """Assets as the target is to tell of them."""
        return self.files.there

    async def look(self) -> None:
        """Ask for each that is due, before anything is written. Raises UserError where conflicts are to stop it."""
        await self._refuse_lacking_stores()
        self._note_left()
        due = [one for one in self.planned if one.fate in (AssetFate.CREATE, AssetFate.CONFLICT)]
        if not due:
            self._choose()
            return
        await hold(self.target)
        self.archive.put_asset_naming(self.ledger.target, self.target.asset_naming)
        self.progress.expect("assets sent", len(due))
        self.found = await self.looks.at(due, self.width)
        if self.looks.conflicts and self.on_conflict is AssetConflict.FAIL:
            names = ", ".join(sorted(map(str, self.looks.conflicts)))
            raise UserError(
                f"the target has other assets under the names of {names}: nothing was written. "
                f"--on-asset-conflict skip leaves the target's, next gives those of the source another version, "
                f"--assets none leaves all of them out"
            )
        await self.names.note_own(((one.asset, one.there) for one in self.found.values()), self.receipts)
        self._choose()
        for looked in self.found.values():  # from now on verify misses what never gets there
            if looked.step in (AssetStep.MAKE, AssetStep.UPDATE):
                self._note(looked, AssetState.SENDING, looked.found)

    async def _refuse_lacking_stores(self) -> None:
        """Raise UserError for a datastore that is to stand for another one, and that the target lacks."""
        for name, there in self.choice.assets.stores.items():
            if name != there and not await self.target.has_datastore(there):
                raise UserError(
                    f"--map-datastore {name}={there}: {self.ledger.target} has no datastore {there}: nothing was "
                    f"written. Make it there, or name another one"
                )

    def _choose(self) -> None:
        """From now on what the choice takes is expected in the target, and in the datastores that it says."""
        self.ledger.choose_assets(self.choice.to_json())
        if self.choice.assets.stores:
            self.ledger.map_stores({**self.ledger.stores(), **self.choice.assets.stores})

    def _note_left(self) -> None:
        """Note what flags leave out now of what is there. Of what they leave out whole there is nothing to note."""
        for one in self.planned:
            before = self.receipts.get(one.key)
            if before and one.fate in (AssetFate.THERE, AssetFate.ADOPT) and (before.detail or "") != one.reason:
                self._put(replace(before, detail=one.reason or None))

    async def before_runs(self) -> None:
        """Send what runs may refer to."""
        await self._send([one for one in self.planned if not _after_runs(one)])

    async def after_runs(self) -> None:
        """Send models, then archive what is archived in the source."""
        await self._send([one for one in self.planned if _after_runs(one)])
        await for_each(self.to_archive, self._archive_one, min(self.width, NAMES_AT_ONCE))
        if self.planned:
            await self._send_names()

    async def _send_names(self) -> None:
        await self.names.send((one.asset for one in self.planned), self.receipts.values())
        self.sent = replace(self.sent, names=self.names.count)
        for key, why, remedy in self.names.failed:
            self._fail(key, why, remedy)

    async def _send(self, planned: Iterable[PlannedAsset]) -> None:
        """Names side by side, but components, which refer to each other, one by one in their order."""
        names: dict[tuple[str, str], list[AssetLooked]] = {}
        for one in planned:
            if one.key in self.found:
                name = "" if one.key.kind is AssetKind.COMPONENT else one.key.name
                names.setdefault((one.key.kind.value, name), []).append(self.found[one.key])
        for kind in dict.fromkeys(kind for kind, _ in names):
            groups = [group for (of_kind, _), group in names.items() if of_kind == kind]
            await for_each(groups, self._send_name, min(self.width, NAMES_AT_ONCE))

    async def _send_name(self, versions: Sequence[AssetLooked]) -> None:
        before: AssetKey | None = None
        for one in versions:
            if before is not None and one.step is AssetStep.MAKE:
                self._fail(one.asset.key, f"{before}, which comes before it, is not there yet")
            else:
                await self._try_one(one)
                counts = self.target.asset_rule.counted
                before = one.asset.key if counts and self._failed(one.asset.key) else before
            self.progress.done("assets sent")

    async def _try_one(self, one: AssetLooked) -> None:
        try:
            if one.step is AssetStep.MAKE:
                await self.names.make(one.asset.key, one.there.name)
            await self._send_one(one)
        except (ServiceError, IntegrityError) as error:
            self._fail(one.asset.key, noted(error, str(one.asset.key)), getattr(error, "remedy", None))

    def _failed(self, key: AssetKey) -> bool:
        return any(name == str(key) for name, _ in self.sent.failed)

    async def _send_one(self, one: AssetLooked) -> None:
        """One asset; an error is about this one only."""
        key, kept = one.asset.key, one.step is AssetStep.KEEP and not (one.half_made or self._is_to_be_linked(one))
        if one.step is AssetStep.LEAVE:
            self._note(one, AssetState.LEFT, detail=IN_THE_WAY)
            self.sent = replace(self.sent, left=(*self.sent.left, str(key)))
        elif one.step is AssetStep.ADOPT or kept:
            await self._settle(one)
        elif left := self._left_alone(one.asset):
            self._refuse(one, REFERS_TO_LEFT.format(left))
        elif absent := self._absent(one.asset):
            self._fail(key, f"the {absent} that it refers to is not there yet")
        else:
            await self._make(one)

    async def _settle(self, one: AssetLooked) -> None:
        """What is there as it should be; its files may have changed, or those of data were not asked for before."""
        if one.asset.key.kind is AssetKind.DATA or one.asset.is_port or one.step is AssetStep.KEEP:
            why, files, size = await self.files.bring(one.asset)
            if why and why != NO_FILES:
                self._fail(one.asset.key, why)
                return
            self.sent = replace(self.sent, files=self.sent.files + files, bytes=self.sent.bytes + size)
        adopted = one.step is AssetStep.ADOPT
        detail = self._left_of(one) or self._own_values(one) if adopted else self._detail(one, one.found)
        self._note(one, AssetState.ADOPTED if adopted else AssetState.SENT, one.found, detail=detail)
        self.sent = replace(self.sent, adopted=self.sent.adopted + int(adopted))

    def _own_values(self, one: AssetLooked) -> str | None:
        """What an equal one of the target's has otherwise: it is told, and nobody's to change."""
        wanted, there = changeable(self.there.of(one.asset)), changeable(one.found) if one.found else {}
        other = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
        other += ["run"] if one.found and one.found.run != self._run_there(one.asset) else []
        return OWN_VALUES.format(", ".join(other)) if other else None

    def _is_to_be_linked(self, one: AssetLooked) -> bool:
        """True for a model of ours that was made before its run was there."""
        before = self.looks.receipts.get(one.asset.key)
        run = self._run_there(one.asset)
        if run is None or one.found is None or before is None:
            return False
        return one.found.run is None and says(before.detail, RUN_ABSENT.format(one.asset.run))

    def _left_alone(self, asset: Asset) -> AssetKey | None:
        """An asset that it names, of which the target keeps another one under this name: it would lead to that."""
        receipts = ((use.key, self.receipts.get(use.key)) for use in asset.uses if use.key)
        return next((key for key, one in receipts if one is not None and one.state is AssetState.LEFT), None)

    def _absent(self, asset: Asset) -> AssetKey | None:
        """An asset that it names, that is to be there by now, and is not."""
        coming = (use.key for use in asset.uses if use.key in self.by_key)
        return next((key for key in coming if not self._never_comes(key) and not self._is_there(key)), None)

    def _never_comes(self, key: AssetKey) -> bool:
        """True for what nobody is to wait for: it is left out, or was refused."""
        receipt = self.receipts.get(key)
        refused = receipt is not None and receipt.state is AssetState.REFUSED and receipt.answered is None
        return refused or self.by_key[key].fate is AssetFate.OMITTED

    def _is_there(self, key: AssetKey) -> bool:
        receipt = self.receipts.get(key)
        return receipt is not None and (receipt.state in THERE or receipt.answered is not None)

    async def _make(self, one: AssetLooked) -> None:
        """Bytes first: an asset whose bytes are not there is worse than none."""
        if one.asset.is_port and self._run_there(one.asset) is None:
            side = "output" if one.asset.input is None else "input"
            self._fail(one.asset.key, f"run {one.asset.run}, whose {side} it is, is not there yet")
            return
        why, files, size = await self.files.bring(one.asset)
        if why == NO_FILES:
            self._refuse(one, why)
            return
        if why:
            self._fail(one.asset.key, why)
            return
        self._note(one, AssetState.SENDING, one.found)
        try:
            answer = await self._put_asset(one)
        except Rejected as error:
            refused = Refused.of(error)
            if not (refused.of_item or refused.status == CONTRADICTS):
                raise
            self._refuse(one, refused.reason)
            return
        self._believe(one, answer)
        made, updated = int(one.step is AssetStep.MAKE), int(one.step is not AssetStep.MAKE)
        self.sent = replace(
            self.sent,
            made=self.sent.made + made,
            updated=self.sent.updated + updated,
            files=self.sent.files + files,
            bytes=self.sent.bytes + size,
        )

    async def _put_asset(self, one: AssetLooked) -> Asset:
        """What is there already keeps its content, which may lie elsewhere than it was sent to."""
        if one.found is not None and (one.update is not None or one.step is AssetStep.KEEP):
            edited = one.update or one.found
            return await self.target.put_asset(replace(edited, run=edited.run or self._run_there(one.asset)), {})
        signed = signed_asset(one.asset, self.archive.source)
        wanted = marked_asset(self.there.of(signed))
        wanted = replace(wanted, archived=signed.archived and not self.target.asset_rule.archives)
        if wanted.run is not None and one.there.version.isdecimal() and self.loses_links and not wanted.is_port:
            with suppress(Rejected):
                return await self.target.put_linked_model(wanted, self._names(one))
        return await self.target.put_asset(wanted, self._names(one))

    def _was_seen_to_lose_links(self) -> bool:
        """True where the target lost the run of a model: by what it answered before, or by what doctor saw."""
        if any(says(one.detail, UNLINKED.format(self._run_of(key))) for key, one in self.receipts.items()):
            return True
        rows = self.archive.examination(self.ledger.target, "target")
        told = (row for row in rows if isinstance(row, Mapping)) if isinstance(rows, list) else ()
        return any(row.get("probe") == LINKS and row.get("outcome") == "warning" for row in told)

    def _run_of(self, key: AssetKey) -> RunId | None:
        planned = self.by_key.get(key)
        return planned.asset.run if planned else None

    def _believe(self, one: AssetLooked, answer: Asset) -> None:
        """What was answered is what is there."""
        told = self.there.of(one.asset).content
        if answer.key != one.there:
            self.looks.names[one.asset.key] = answer.key
        one = replace(one, there=answer.key)
        may_differ = answer.key.kind is AssetKind.MODEL or answer.hidden
        if answer.content != told and not may_differ:
            self._refuse(one, OTHERWISE)
            return
        archives = self.target.asset_rule.archives
        waits = one.step is AssetStep.MAKE and one.asset.archived and not answer.archived and archives
        state = AssetState.SENDING if waits else AssetState.SENT
        self._note(one, state, answer, detail=self._detail(one, answer))
        if waits:
            self.to_archive.append((one, answer))

    def _detail(self, one: AssetLooked, answer: Asset | None) -> str | None:
        """What the target does not keep of it."""
        run, planned = self._run_there(one.asset), self.by_key[one.asset.key].there
        told = list(planned.losses if planned and one.step is not AssetStep.ADOPT else ())
        asked = planned.asset.key.version if planned else one.asset.key.version
        if answer is not None and self.target.asset_rule.counted and answer.key.version != asked:
            told = [loss for loss in told if loss != NUMBERED.format(asked)]
            told += [NUMBERED.format(answer.key.version)] if answer.key.version != one.asset.key.version else []
        told += [left] if (left := self._left_of(one) or self._link_lost(one, answer, run)) else []
        return joined(told)

    def _link_lost(self, one: AssetLooked, answer: Asset | None, run: RunId | None) -> str | None:
        if answer is None or one.asset.run is None:
            return answer.hidden if answer else None
        if run is None:
            return RUN_ABSENT.format(one.asset.run)
        if answer.run != run:
            self.loses_links = True
            return UNLINKED.format(one.asset.run)
        return COPIED if answer.content != self.there.of(one.asset).content else None

    def _left_of(self, one: AssetLooked) -> str | None:
        """What the plan leaves out of it."""
        planned, left = self.by_key[one.asset.key], self.files.left.get(one.asset.key)
        told = TABLE_LEFT.format(counted(left, "path")) if left else planned.reason
        return told or None if planned.fate is AssetFate.CREATE else None

    def _run_there(self, asset: Asset) -> RunId | None:
        return self.ledger.stands_for(asset.run) if asset.run else None

    def _names(self, one: AssetLooked) -> dict[AssetKey, AssetKey]:
        return {**self.looks.names, one.asset.key: one.there}

    async def _archive_one(self, waiting: tuple[AssetLooked, Asset]) -> None:
        one, made = waiting
        try:
            answer = await self.target.put_asset(replace(made, archived=True), {})
        except ServiceError as error:
            self._fail(one.asset.key, noted(error, str(one.asset.key)), error.remedy)
            return
        self._note(one, AssetState.SENT, answer, detail=self._detail(one, answer))

    def _note(
        self, one: AssetLooked, state: AssetState, answer: Asset | None = None, detail: str | None = None
    ) -> None:
        asset = self.by_key[one.asset.key].asset
        receipt = AssetReceipt(
            key=asset.key,
            state=state,
            there=one.there,
            planned=self.by_key[one.asset.key].digest,
            answered=digest_of(answer.content) if answer else None,
            fields=self._sent_fields(one, answer) if answer else {},
            detail=detail,
        )
        self._put(receipt)

    def _sent_fields(self, one: AssetLooked, answer: Asset) -> Mapping[str, Json]:
        """What is there by our doing: where somebody's edit stays, what was sent before it, so that it shows as one."""
        if one.sent is None or one.found is None:
            return answer.fields
        now, found, sent = answer.fields, one.found.fields, one.sent
        theirs = {name for name in now.keys() | sent.keys() if now.get(name) == found.get(name) != sent.get(name)}
        ours = {name: value for name, value in now.items() if name not in theirs}
        return ours | {name: sent[name] for name in theirs & sent.keys()}

    def _put(self, receipt: AssetReceipt) -> None:
        self.ledger.put_asset_receipt(receipt)
        self.receipts[receipt.key] = receipt
        self.changed.add(receipt.key)

    def _refuse(self, one: AssetLooked, words: str) -> None:
        self._note(one, AssetState.REFUSED, detail=words)
        self.sent = replace(self.sent, refused=(*self.sent.refused, (str(one.asset.key), words)))
        self.progress.say(f"{one.asset.key} is not made: {words}")

    def _fail(self, key: AssetKey, why: str, remedy: Remedy | None = None) -> None:
        self.sent = replace(self.sent, failed=(*self.sent.failed, (str(key), why)))
        self.remedies.append(remedy)
        self.progress.say(f"{key} is not there yet: {why}")


def _after_runs(one: PlannedAsset) -> bool:
    return one.key.kind in AFTER_RUNS or one.asset.is_port


def asset_sender(
    archive: Archive,
    ledger: TargetLedger,
    source: Source | None,
    target: Target,
    *,
    selection: Selection,
    options: ReplayOptions,
    width: int,
    progress: Progress,
) -> AssetSender:
    """The sender of what a replay's runs refer to. Without anything chosen, or to be made there, it does nothing."""
    choice = CarriedAssets(assets=options.assets, files=options.files)
    planned = asset_plan(archive, ledger, selection, options) if takes_assets(target) else []
    if takes_assets(target):
        target.treat_assets_by(known_rule(archive, ledger))
    into = cast("AssetTarget", target)
    there = AssetsThere(into, ledger, ledger.asset_names())
    files = AssetFiles(archive, ledger, Supply(archive, source), into, target, options.prefer, there)
    return AssetSender(archive, ledger, into, files, planned, choice, options.on_asset_conflict, width, progress)
