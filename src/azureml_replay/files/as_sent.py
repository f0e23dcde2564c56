"""Is a file of the target still the one that was sent? Asked before it is removed, or replaced.

Equal sizes prove nothing: where no checksums can be compared, the ETag does that the storage gave the file when it was
written, which every later write changes; and where there is none, its bytes are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azureml_replay.archive.asset_receipts import topic_of_owner
from azureml_replay.archive.evidence import Aspect, Way
from azureml_replay.archive.items import FileItem, Payload
from azureml_replay.archive.receipts import Receipt, State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import finding_names, same_by_md5
from azureml_replay.files.bytes import Supply, md5_of
from azureml_replay.files.receipts import other_content
from azureml_replay.model import Artifact, RunId, StoredFile
from azureml_replay.workspace.source import Source


@dataclass(frozen=True, slots=True)
class AsSent:
    """Asks about one file at a time, of a run or an asset. All methods only read; they raise Unavailable, Rejected."""

    ledger: TargetLedger
    target: Source

    async def is_so(self, run: RunId, path: str, there: StoredFile, sent: StoredFile) -> bool:
        """True where what is `there` at a path of a run's is what was sent, as `sent` describes that."""
        if sent.size_bytes != there.size_bytes:
            return False
        alike = same_by_md5(sent, there)
        if alike is not None:
            return alike
        written = _etag(self.ledger.receipt(run, FileItem(path)))
        if written is not None and written == there.etag:
            return True
        if sent.md5 is not None:
            return await md5_of(self.target, there.location) == sent.md5
        # Older versions kept no ETag. What was copied without a checksum has none, whatever others upload mostly has.
        return written is None and there.md5 is None and not self._differed(run, path)

    async def is_of(self, artifact: Artifact, there: StoredFile, supply: Supply) -> bool:
        """True where it is what the source has now, byte for byte: then nothing is lost by sending that."""
        mine = artifact.stored
        if mine is None or mine.size_bytes != there.size_bytes:
            return False
        alike = same_by_md5(mine, there)
        if alike is not None:
            return alike
        return supply.tells(artifact) and await supply.md5(artifact) == (
            there.md5 or await md5_of(self.target, there.location)
        )

    def written_since(self, run: RunId, wanted: Mapping[str, StoredFile], there: Mapping[str, StoredFile]) -> set[str]:
        """Paths of files at which somebody wrote as many bytes since they were sent; whether others, these tell."""
        receipts = self.ledger.receipts(run)
        found = set[str]()
        for path in wanted.keys() & there.keys():
            written, mine, theirs = _etag(receipts.get(FileItem(path))), wanted[path], there[path]
            touched = written is not None and theirs.etag not in (written, None)
            if touched and mine.size_bytes == theirs.size_bytes and same_by_md5(mine, theirs) is None:
                found.add(path)
        return found

    def sent_before(
        self,
        run: RunId,
        wanted: Mapping[str, StoredFile],
        there: Mapping[str, StoredFile],
        payloads: Mapping[str, Payload],
    ) -> set[str]:
        """Paths of files that were sent before they changed to as many bytes, where no checksum tells what is there.

        `payloads`: what the receipt of each says that was sent as it is now.
        """
        found = set[str]()
        for path in other_content(self.ledger.receipts(run), payloads) & there.keys():
            now, sent = wanted[path], self.ledger.sent_file(run, path)
            untold = now.size_bytes == there[path].size_bytes and same_by_md5(now, there[path]) is None
            if untold and sent is not None and not same_by_md5(sent, now):
                found.add(path)
        return found

    def _differed(self, run: RunId, path: str) -> bool:
        """True where bytes were found to differ that nobody has looked at since."""
        topic = topic_of_owner(run)
        findings = self.ledger.findings_of(topic, Aspect.BYTES)
        names = finding_names([path], f"{topic.name}: " if topic.way is Way.ASSET else "")
        return not names.isdisjoint(one.what for one in findings)


def _etag(receipt: Receipt | None) -> str | None:
    """That which the file had once it was sent; None where nobody kept it."""
    return receipt.detail if receipt is not None and receipt.state is State.SENT else None
