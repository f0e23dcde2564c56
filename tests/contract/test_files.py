"""What every Source and Target promises of files: those that an index lists, and those that lie in a storage."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest

from azureml_replay.errors import NotFound, Rejected
from azureml_replay.model import Location, Run, RunId, StoredFile
from azureml_replay.planning.names import fit_path
from azureml_replay.workspace.put_files import CopyFile, HeldFile, NewFile
from azureml_replay.workspace.target import Refused, Target
from contract.histories import (
    EXPERIMENT,
    RUN,
    begin,
    begin_one,
    content,
    everything,
    files_of,
    kept_file,
    names,
)
from contract.subjects import Attaches, Lends, Subject, needs


async def test_files_of_every_legal_name_come_back(subject: Subject, target: Target) -> None:
    """In the index and in the storage, with size, MD5 and type, empty ones too; and twice is once."""
    id_ = await begin_one(subject, target)
    put = [NewFile(path=name, data=name.encode(), content_type="text/plain") for name in names(target)]
    put.append(NewFile(path="empty", data=b""))
    for _ in range(2):
        assert set((await target.put_files(EXPERIMENT, id_, put)).values()) == {None}

    run = await target.run(id_)
    assert run is not None
    listed = [artifact async for page in target.artifacts(run) for artifact in page]
    stored = await files_of(target, id_)
    assert {artifact.path for artifact in listed} == set(stored) == {file.path for file in put}
    assert {artifact.location for artifact in listed} == {file.location for file in stored.values()}
    for file in put:
        there = stored[file.path]
        wanted = StoredFile(
            location=there.location,
            size_bytes=len(file.data),
            content_type=file.content_type,
            md5=hashlib.md5(file.data, usedforsecurity=False).digest(),
        )
        assert kept_file(subject.features, there) == kept_file(subject.features, wanted)
        assert await content(target, there) == file.data
        assert await target.stored_file(there.location) == there


async def test_a_path_holds_what_was_put_last(subject: Subject, target: Target) -> None:
    """Put is repeatable."""
    run = await begin_one(subject, target)
    for data in (b"first", b"second"):
        assert await target.put_files(EXPERIMENT, run, [NewFile(path="replay/job.json", data=data)]) == {
            "replay/job.json": None
        }

    (file,) = (await files_of(target, run)).values()
    assert await content(target, file) == b"second"


async def test_files_are_removed_and_no_other_with_them(subject: Subject, target: Target) -> None:
    """Entry and bytes; again, and in one request with what is gone already."""
    id_ = await begin_one(subject, target)
    gone = names(target)
    put = [NewFile(path=name, data=b"x") for name in [*gone, "stays"]]
    assert set((await target.put_files(EXPERIMENT, id_, put)).values()) == {None}

    assert await target.remove_files(id_, gone[:1]) == {gone[0]: None}
    for _ in range(2):
        assert await target.remove_files(id_, gone) == dict.fromkeys(gone)

    assert set(await files_of(target, id_)) == {"stays"}
    (run,) = (await everything(target)).values()
    assert [one.path async for page in target.artifacts(run) for one in page] == ["stays"]


async def test_bytes_that_are_held_here_go_through_us(subject: Subject, target: Target) -> None:
    """With the type, MD5 and metadata that they are to have."""
    run = await begin_one(subject, target)
    data = os.urandom(100_000)
    wanted = StoredFile(
        location=Location("source", "a #b"),
        size_bytes=len(data),
        md5=hashlib.md5(data, usedforsecurity=False).digest(),
        content_type="x/y",
        metadata={"key": "value"},
    )

    path = fit_path("a #b", target.profile.paths)

    def pieces(size: int) -> Iterator[bytes]:
        yield from (data[at : at + size] for at in range(0, len(data), size))

    for _ in range(2):
        held = HeldFile(path=path, stored=wanted, pieces=pieces)
        assert await target.put_files(EXPERIMENT, run, [held]) == {path: None}
    (there,) = (await files_of(target, run)).values()
    assert kept_file(subject.features, there) == kept_file(subject.features, wanted)
    assert await content(target, there) == data


async def test_files_are_copied_between_workspaces_from_storage_to_storage(
    subject: Subject, target: Target, other: Target
) -> None:
    """With type and MD5, every legal name, and more than one range."""
    lender = needs(other, Lends)
    run, theirs = await begin_one(subject, target), await begin_one(subject, other)
    large = NewFile(path="large.bin", data=os.urandom(9 * 1024 * 1024 + 1))
    put = [NewFile(path=name, data=name.encode(), content_type="text/plain") for name in names(other)]
    await other.put_files(EXPERIMENT, theirs, [*put, large, NewFile(path="empty", data=b"")])
    stored = await files_of(other, theirs)
    assert len(stored) == len(put) + 2
    copies = [
        CopyFile(path=path, source=await lender.readable_url(file.location), stored=file)
        for path, file in stored.items()
    ]
    for _ in range(2):
        assert set((await target.put_files(EXPERIMENT, run, copies)).values()) == {None}

    there = await files_of(target, run)
    assert set(there) == set(stored)
    for path, file in stored.items():
        assert kept_file(subject.features, there[path]) == kept_file(subject.features, file)
        assert there[path].location == target.place(run, path)
        assert await content(target, there[path]) == await content(other, file)


async def test_a_source_that_changed_or_went_is_refused(subject: Subject, target: Target, other: Target) -> None:
    """The others are copied."""
    lender = needs(other, Lends)
    run, theirs = await begin_one(subject, target), await begin_one(subject, other)
    put = [NewFile(path=path, data=path.encode()) for path in ("same", "changed", "gone")]
    await other.put_files(EXPERIMENT, theirs, put)
    copies = [
        CopyFile(path=path, source=await lender.readable_url(file.location), stored=file)
        for path, file in (await files_of(other, theirs)).items()
    ]
    await other.put_files(EXPERIMENT, theirs, [NewFile(path="changed", data=b"anew")])
    await other.remove_files(theirs, ["gone"])

    outcomes = await target.put_files(EXPERIMENT, run, copies)
    assert outcomes["same"] is None
    assert isinstance(outcomes["changed"], Refused)
    assert isinstance(outcomes["gone"], Refused)


async def test_files_of_a_run_are_not_those_of_one_whose_id_it_begins(subject: Subject, target: Target) -> None:
    """`run-1` is not `run-10`."""
    runs = [run.id for run in await begin(subject, target, Run(id=RUN), Run(id=RunId(f"{RUN}0")))]
    for run in runs:
        await target.put_files(EXPERIMENT, run, [NewFile(path="f", data=run.encode())])

    for run in runs:
        (file,) = [file async for page in target.stored(run) for file in page]
        assert (file.path, file.location) == ("f", target.place(run, "f"))
        assert file.stored is not None
        assert await content(target, file.stored) == run.encode()


async def test_a_missing_file_is_none_and_a_missing_store_is_not(subject: Subject, target: Target) -> None:
    """The one is a fact about a file, the other a mistake."""
    nothing = target.place(await begin_one(subject, target), "no/such")
    assert await target.stored_file(nothing) is None
    with pytest.raises(NotFound):
        await content(target, StoredFile(location=nothing, size_bytes=0))
    if subject.features.many_stores:
        with pytest.raises(Rejected):
            await target.stored_file(Location("nostore", "x"))


async def test_a_file_that_was_attached_is_not_written_over(subject: Subject, target: Target) -> None:
    """Its entry leads to a place that may be somebody else's."""
    attaches = needs(target, Attaches)
    runs = await begin(subject, target, Run(id=RUN), Run(id=RunId("elsewhere")))
    run, place = runs[0].id, target.place(runs[1].id, "data/a #b")
    assert await attaches.attach_file(run, "outputs/a", place) is subject.features.attaches
    if not subject.features.attaches:
        return
    assert not await attaches.attach_file(run, "outputs/a", place)

    (outcome,) = (await target.put_files(EXPERIMENT, run, [NewFile(path="outputs/a", data=b"ours")])).values()

    assert isinstance(outcome, Refused)
    assert await target.stored_file(place) is None
