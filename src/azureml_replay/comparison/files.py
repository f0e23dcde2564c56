"""Compares files: paths, sizes, checksums (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from azureml_replay import redact
from azureml_replay.comparison.shown import shown
from azureml_replay.model import Finding, RunId, StoredFile


def compare_files(
    run: RunId, expected: Iterable[tuple[str, StoredFile]], actual: Mapping[str, StoredFile]
) -> tuple[list[Finding], int]:
    """The findings by path, and how many files of equal size could not be compared: no MD5 on one side."""
    findings: list[Finding] = []
    unverifiable, seen = 0, set()
    for path, wanted in expected:
        seen.add(path)
        there = actual.get(path)
        if there is None:
            findings.append(Finding(run, shown(f"file {path}"), "absent", f"{wanted.size_bytes} bytes", ""))
        elif not alike(wanted, there):
            findings.append(Finding(run, shown(f"file {path}"), "differs", _file_text(wanted), _file_text(there)))
        elif wanted.md5 is None or there.md5 is None:
            unverifiable += 1
    more = sorted(actual.keys() - seen)
    findings += [Finding(run, shown(f"file {path}"), "extra", "", f"{actual[path].size_bytes} bytes") for path in more]
    return findings, unverifiable


def finding_names(paths: Iterable[str], what: str = "") -> frozenset[str]:
    """What every finding about one of these files is called, behind `what`; as an archive keeps it."""
    names = (name for path in paths for name in (shown(f"file {path}"), *_parts(path)))
    return frozenset(redact.text(what + name) for name in names)


def _parts(path: str) -> tuple[str, str]:
    return f"file {path}: bytes", f"file {path}: index entry"


def same_by_md5(one: StoredFile, other: StoredFile) -> bool | None:
    """Whether the checksums are equal; None where a side has none."""
    return None if one.md5 is None or other.md5 is None else one.md5 == other.md5


def alike(wanted: StoredFile, there: StoredFile) -> bool:
    """True where size and MD5 are equal; a file without MD5 is compared by size."""
    md5s = {wanted.md5, there.md5} - {None}
    return wanted.size_bytes == there.size_bytes and len(md5s) < 2


def as_sent(sent: StoredFile, there: StoredFile) -> bool:
    """True where what is there may be what was sent: by size and MD5.

    Equal sizes alone prove little: what was copied without an MD5 has none, what others upload mostly has.
    """
    same = same_by_md5(sent, there)
    return sent.size_bytes == there.size_bytes and (sent.md5 == there.md5 if same is None else same)


def _file_text(file: StoredFile) -> str:
    return f"{file.size_bytes} bytes, MD5 {file.md5.hex() if file.md5 else 'unknown'}"
