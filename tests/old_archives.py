"""Archives as each version of the format was written: `formats/make.py` says how they were made."""

from __future__ import annotations

import tarfile
from pathlib import Path

FORMATS = sorted(Path(__file__).parent.joinpath("formats").glob("*.tar.xz"))
NUMBERS = [int(path.name[:2]) for path in FORMATS]


def unpacked(number: int, folder: Path) -> Path:
    """A copy of the archive of one format."""
    with tarfile.open(FORMATS[NUMBERS.index(number)]) as packed:
        packed.extractall(folder, filter="data")
    return folder
