"""Names and paths as a plain MLflow server takes them; two that differ stay different (pure).

What a server takes goes as it is. Anything else gets a name of its own, with the beginning of a digest of the original:
whatever characters it loses, it meets no other name. Which one stands for which lies in files of ours beside the run.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from azureml_replay.workspace.profile import NameRule, PathRule

_DIGITS = 6
"""Of a name's digest: 24 bits, of the names of one run."""
_OTHER = re.compile(r"[^/\w.\- :]")
_OTHER_OR_COLON = re.compile(r"[^/\w.\- ]")
_FOLDERS = re.compile(r"(?:^|/)\.{0,2}(?=/|$)")
"""Segments that lead somewhere else, or nowhere: `//`, `.`, `..`, a slash at either end, and the empty name."""
_PATH_DIGITS = 8
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_ASKED_OTHERWISE = re.compile(r"\?|(?:^|/)\s|\s(?:/|$)")
"""What servers keep, and MLflow's own clients ask for by another name: 3.17 quotes no `?`, and strips spaces."""
_DRIVE = re.compile(r"^[A-Za-z]:[/\\]")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
SEGMENT_BYTES = 255
"""Of one folder's or file's name, on the disks of servers."""
PATH_BYTES = 1_200
"""A path of 1,213 characters was kept; a disk takes 4,096 bytes, the folders of the server among them."""
SOURCE_FOLDER = "replay/source/"
_LONGEST_TAIL = 80
"""Characters of a file's own name that stay readable in the one that it gets."""
_NOT_LATIN = re.compile(r"[^\x20-\x7e\xa0-\xff]")
NUL, LOST = "\u2400", "\ufffd"


def fit_name(name: str, rule: NameRule | None, *, reserved: tuple[str, ...] = ()) -> str:
    """The name under which a target has it; the same one where it takes that, and it begins like no reserved one."""
    if rule is None:
        return name
    composed = unicodedata.normalize("NFC", name)
    other = _OTHER if rule.colon else _OTHER_OR_COLON
    made = other.sub("_", composed)
    if _FOLDERS.search(made):
        made = made.replace("/", "_").strip(".")
    if made.startswith(reserved):
        made = made.replace(".", "_", 1)
    return made if made == name and name else f"{made}_{_digest(name)[:_DIGITS]}"


def fit_path(path: str, rule: PathRule | None) -> str:
    """The path under which a target has a file; the same one where it keeps that apart from all others."""
    if rule is None or _is_kept(path, rule):
        return path
    return moved(path)


def moved(path: str) -> str:
    """Where a file goes that cannot have its path."""
    tail = re.sub(r"[^A-Za-z0-9._\- ]", "_", path.rpartition("/")[2])[-_LONGEST_TAIL:]
    return f"{SOURCE_FOLDER}{_digest(path)[:_PATH_DIGITS]}-{tail}"


def fit_text(text: str) -> str:
    """A text without what no server keeps: NUL, on which PostgreSQL fails, and halves of surrogate pairs."""
    if "\0" not in text and text.isascii():
        return text
    return re.sub("[\ud800-\udfff]", LOST, text).replace("\0", NUL)


def _is_kept(path: str, rule: PathRule) -> bool:
    if "#" in path or any(refused.search(path) for refused in _REFUSED_PATHS):
        return False
    if len(path.encode()) > PATH_BYTES or any(len(part.encode()) > SEGMENT_BYTES for part in path.split("/")):
        return False
    return rule.unicode or not _NOT_LATIN.search(path)


_REFUSED_PATHS = (_UNSEEN, _ESCAPE, _DRIVE, _FOLDERS, _ASKED_OTHERWISE)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
