"""Archive -> report: one file of limited size, what differs first; or a folder that holds everything."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import IO

from azureml_replay.archive.archive import Archive
from azureml_replay.disk.outputs import folder_of, new_text, private_folder, private_opener, size_of
from azureml_replay.errors import UserError
from azureml_replay.model import RunId
from azureml_replay.progress import SILENT, Progress
from azureml_replay.report_page import html
from azureml_replay.report_page.assets import AssetBook
from azureml_replay.report_page.blocks import RUNS_PER_BLOCK, Numbers, block
from azureml_replay.report_page.detail import Details
from azureml_replay.report_page.facts import Index
from azureml_replay.report_page.file_tables import FileTables
from azureml_replay.report_page.head import Extent, head
from azureml_replay.report_page.images import Pictures
from azureml_replay.report_page.tree import Known, by_priority, index, rows
from azureml_replay.workspace.place import Place, called

MAX_BYTES = 30_000_000
"""Default size of details in a file. A browser opens 30 MB from disk as fast as 3 (174 ms to the tree); mail and
tickets take about as much."""
PICTURES_PART = 3
"""One third of a file's room is for pictures among the files of runs: they must not crowd out what was compared."""
MISSES = 3
"""Blocks without room after which no other is tried: one block of many pictures shall not end a page that has room."""
BUNDLE = Path(__file__).parent / "bundle"
BUNDLED = ("report.js", "report.css", "LICENCES")
NOT_BUILT = "the report's page is not built: run `make setup` in the clone, or install a wheel, which carries it"
COPIED_AT_ONCE = 1 << 20


class NotBuilt(UserError):
    """Raised in a clone in which the page was not built."""

    def __init__(self) -> None:
        """Has always the same message."""
        super().__init__(NOT_BUILT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What one report wrote."""

    path: Path
    """The page to open."""
    runs: int
    left_out: int
    """Runs of which only the row in the tree fitted; a larger `max_bytes` or `shards` holds them."""
    findings: int
    bytes: int
    verdict: str
    """The sentence on top of the page."""


def report(
    archive: Archive,
    output: str | PathLike[str],
    *,
    target: Place | None = None,
    shards: bool = False,
    max_bytes: int = MAX_BYTES,
    progress: Progress = SILENT,
) -> Reported:
    """Write the page of an archive for one of its targets; the only one it has, where none is named. Repeatable.

    `shards`: `output` is a folder, with `index.html` and the details of every run beside it. Otherwise a file, of which
    details of runs fill at most `max_bytes`. Reads the archive only, also while another process writes to it. Raises
    UserError (which target, no room, page not built), IntegrityError (archive damaged).
    """
    output = Path(output)
    bundle = _bundle()
    if not shards and output.is_dir():
        raise UserError(f"{output} is a folder: name a file, or give --shards for a folder")
    if shards and output.is_file():
        raise UserError(f"{output} is a file: name a folder, or leave --shards out")
    there = _target(archive, target)
    ledger = archive.ledger(there) if there else None
    known = Known.of(archive, ledger)
    ordered = rows(archive, there, known, progress)
    tree = index(ordered)
    studio = {ref: archive.studio(ref) for ref in (archive.source, there) if ref}
    room = None if shards else max_bytes // PICTURES_PART
    pictures, sheets = Pictures(archive, room), FileTables(archive, room)
    book = AssetBook.of(archive, ledger, studio)
    details = Details(archive, ledger, known.verified, known.items, pictures, sheets, studio, book)
    page = private_folder(output) / "index.html" if shards else output
    with ExitStack() as stack:
        file = stack.enter_context(new_text(page, errors="replace"))
        held = stack.enter_context(tempfile.TemporaryFile("w+", dir=folder_of(page), encoding="ascii"))
        put = _to_folder(stack.enter_context(_new_shards(output))) if shards else _to_file(held, max_bytes)
        blocks = _put_blocks(details, by_priority(ordered), tree, put, progress)
        left_out = sum(place < 0 for place in tree.place)
        extent = Extent(left_out=left_out, max_bytes=max_bytes, sharded=shards, blocks=blocks)
        top = head(archive, ledger, ordered, known, extent, book=book)
        file.write(html.opening(bundle, top))
        held.seek(0)
        while piece := held.read(COPIED_AT_ONCE):
            file.write(piece)
        file.write(html.closing(bundle, top, tree))
    size = size_of(page) + sum(one.stat().st_size for one in _shards(output) if shards)
    return Reported(
        path=page,
        runs=len(ordered),
        left_out=left_out,
        findings=known.findings,
        bytes=size,
        verdict=top.sentence,
    )


Put = Callable[[int, str], bool]
"""Writes a block; False where there is no room for it."""


def _put_blocks(details: Details, order: list[RunId], tree: Index, put: Put, progress: Progress) -> int:
    """Write blocks in the order of priority while there is room; note in the tree where each run's detail is."""
    places = {run: at for at, run in enumerate(tree.id)}
    progress.expect("runs written", len(order))
    waiting = iter(order)
    number = misses = 0
    while runs := list(islice(waiting, RUNS_PER_BLOCK)):
        numbers = Numbers()
        text = block([details.of(run, numbers) for run in runs], numbers)
        if not put(number, text):
            misses += 1
            if misses == MISSES:
                break
            continue
        for at, run in enumerate(runs):
            tree.place[places[run]] = number * 64 + at
        number += 1
        progress.done("runs written", len(runs))
    return number


def _to_file(held: IO[str], max_bytes: int) -> Put:
    def put(number: int, text: str) -> bool:
        if held.tell() + len(text) > max_bytes:
            return False
        held.write(html.data(f"block{number}", text))
        return True

    return put


@contextmanager
def _new_shards(folder: Path) -> Iterator[Path]:
    """A folder for new shards, which replace the old ones at the end. Nothing else is touched."""
    private_folder(folder)
    with tempfile.TemporaryDirectory(prefix=".shards.", dir=folder) as part:
        yield Path(part)
        shards = folder / "shards"
        private_folder(shards)
        for former in _shards(folder):
            former.unlink()
        for made in Path(part).iterdir():
            made.replace(shards / made.name)


def _to_folder(shards: Path) -> Put:
    def put(number: int, text: str) -> bool:
        with open(shards / f"c{number}.js", "w", encoding="ascii", opener=private_opener) as file:
            file.write(html.shard(number, text))
        return True

    return put


def _shards(folder: Path) -> Iterable[Path]:
    return (folder / "shards").glob("c*.js")


def _target(archive: Archive, wanted: Place | None) -> Place | None:
    known = archive.targets()
    if wanted is not None:
        found = next((ref for ref in known if ref == wanted), None)
        if found is None:
            raise UserError(f"nothing of this archive was written to {wanted}{_of(known)}")
        return found
    if len(known) > 1:
        raise UserError(f"name one with --target{_of(known)}")
    return known[0] if known else None


def _of(known: list[Place]) -> str:
    return f": its targets are {', '.join(called(known))}" if known else ": it has no target yet"


def _bundle() -> html.Bundle:
    try:
        return html.Bundle(
            *(BUNDLE.joinpath(name).read_text("utf-8") for name in ("report.js", "report.css", "LICENCES"))
        )
    except FileNotFoundError:
        raise NotBuilt from None
