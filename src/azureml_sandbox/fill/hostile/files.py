"""Runs whose files are odd: names, kinds of blobs, and an index that storage does not agree with. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from azureml_sandbox.fill.hostile.make import made
from azureml_sandbox.fill.sample_runs import SampledFile, SampledRun
from azureml_sandbox.world import BLOB_STORE, RUN_ORIGIN, Document

_BLOB_NAME = 1_024
_FIRST = 60


def odd_files(seed: int) -> Iterator[SampledRun]:
    """The runs whose files are odd."""
    for number, (name, make) in enumerate(_ODDITIES.items()):
        run = make(made(seed, name, _FIRST + number))
        yield replace(run, oddity=make.__doc__ or "", omissions=_OMITTED.get(name, ()))
    yield from (_prefixed(seed, name) for name in ("job-1", "job-10"))


def _odd_names(run: Document) -> SampledRun:
    """The files have legal names that a careless client mangles; `..` stands inside a name, never as a name."""
    room = _BLOB_NAME - len(f"{RUN_ORIGIN}/{run['dataContainerId']}/outputs/")
    names = [
        "a#b.txt",
        "a?b=c.txt",
        "a%41.txt",
        "aA.txt",
        "a//b.txt",
        " a  b .txt",
        "ünï/文件 🚀.txt",
        "a..b",
        "a+b&c;d.txt",
    ]
    paths = [*(f"outputs/{name}" for name in names), "outputs/" + "x" * room, "replay/job.json", "replay/source/a.txt"]
    return SampledRun(run, files=[SampledFile(path, path.encode()) for path in paths])


def _kinds_of_blobs(run: Document) -> SampledRun:
    """Empty files answer a ranged read with 416, append blobs and block lists have no MD5 (all recorded); metadata."""
    return SampledRun(
        run,
        files=[
            SampledFile("outputs/empty.bin", b""),
            SampledFile("logs/azureml/stderrlogs.txt", b"", append=True),
            SampledFile("logs/azureml/executionlogs.txt", b"[2022-12-01T00:00:00Z] line\r\n" * 40, append=True),
            SampledFile("system_logs/lifecycler/lifecycler.log", b"block list\n" * 900, digested=False),
            SampledFile("user_logs/std_log.txt", b"\xff\xfe not text \x00"),
            SampledFile("outputs/page.html", b"<p>", content_type="text/html; charset=utf-8"),
            SampledFile("outputs/described.bin", b"d", metadata={"Camel": "v", "lower": "w"}),
        ],
    )


def _elsewhere(run: Document) -> SampledRun:
    """A file lies in another datastore than the artifact store and is registered there (recorded)."""
    blob = f"promptflow/PromptFlowArtifacts/{run['runId']}/instance_results.jsonl"
    return SampledRun(
        run, files=[SampledFile("instance_results.jsonl", b'{"line": 1}\n', datastore=BLOB_STORE, blob=blob)]
    )


def _disagreeing(run: Document) -> SampledRun:
    """The index has an entry without a blob, and storage has a blob without an entry."""
    return SampledRun(
        run,
        files=[
            SampledFile("outputs/listed_but_gone.bin", None),
            SampledFile("outputs/stored_but_not_listed.bin", b"nobody registered me", indexed=False),
            SampledFile("outputs/agreed.bin", b"both"),
        ],
    )


def _prefixed(seed: int, name: str) -> SampledRun:
    """`dcid.…job-1` is a prefix of `dcid.…job-10`, and `outputs` of `outputs_old`."""
    run = made(seed, name, 44)
    files = [
        SampledFile(path, f"{name} {path}".encode())
        for path in ("outputs/a.txt", "outputs_old/a.txt", "outputs/outputs/a.txt")
    ]
    return SampledRun(
        run, files=files, oddity="Names of its container and folders begin other names, or begin with them."
    )


_ODDITIES: Mapping[str, Callable[[Document], SampledRun]] = {
    "odd-names": _odd_names,
    "kinds-of-blobs": _kinds_of_blobs,
    "elsewhere": _elsewhere,
    "disagreeing": _disagreeing,
}
_OMITTED: Mapping[str, Sequence[str]] = {
    "disagreeing": ["file outputs/listed_but_gone.bin"],
}
"""What no target can have of each run; `values._OMITTED` says in which form."""
