"""Short texts that stand for what the archive holds: evidence names what was compared by them."""

from __future__ import annotations

from hashlib import blake2b

from azureml_replay.archive.sums import ROOT_PART


def content_of_cells(digest: bytes | None, record: bytes | None, code: str | None) -> str:
    """Stands for all that the archive holds of a run, by cells of its rows.

    The last part of a run's digest is of moments: it says nothing of what a target should hold.
    """
    return digest_of_cells((digest or b"")[:ROOT_PART], record, code)


def content_of_both(content: str, of_owner: str | None) -> str:
    """What stands for a run together with the run whose points and files it has."""
    return digest_of_cells(content, of_owner or "")


def digest_of_cells(*cells: bytes | str | None) -> str:
    """Stands for cells of rows, in their order."""
    parts = list[bytes]()
    for cell in cells:
        data = cell.encode() if isinstance(cell, str) else cell or b""
        parts += [len(data).to_bytes(8, "little"), data]
    return blake2b(b"".join(parts), digest_size=12).hexdigest()
