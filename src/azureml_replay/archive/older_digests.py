"""Digests in receipts of formats up to 11, made from Python's repr of values: brought into the written form.

Digests of chunks, files and experiments can be made again from what the archive holds. Digests of runs cannot: each
was made from the run as it was planned for its target. Migration 12 empties them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from azureml_replay.archive.database import Database
from azureml_replay.archive.digests import of_bytes, of_chunk, of_experiment, of_file
from azureml_replay.archive.records import experiment_of, unpack
from azureml_replay.model import Experiment, Location, StoredFile

RENEWED_BY = 12
"""The migration after which digests are renewed."""
_HERE = "join run on run.id = x.run and run.generation = x.generation where x.run = ?"

Renewed = Iterator[tuple[bytes, bytes]]
"""Pairs: a digest as older versions made it, and as it is made now."""


class OlderDigests(Database):
    """The part of an archive that brings its receipts forward."""

    def _renew_digests(self) -> None:
        """Renew the digests, in the migration's transaction. What has changed since keeps its digest: it is sent anew.

        20,000 runs with 120,000 receipts take 0.9 s.
        """
        of_all = {**dict(self._experiment_digests()), **dict(self._code_digests())}
        sql = "select distinct target, run from receipt where (target, run) > (?, ?) order by target, run limit ?"
        for target, run in self._pages(sql, (), (0, "")):
            renewed = {**of_all, **dict(self._chunk_digests(run)), **dict(self._file_digests(run))}
            self._renew(target, run, renewed)

    def _renew(self, target: int, run: str, renewed: Mapping[bytes, bytes]) -> None:
        receipts = self._all("select item, digest from receipt where target = ? and run = ?", (target, run))
        self._executemany(
            "update receipt set digest = ? where target = ? and run = ? and item = ?",
            ((renewed[digest], target, run, item) for item, digest in receipts if digest in renewed),
        )

    def _chunk_digests(self, run: str) -> Renewed:
        names = self._all(f"select name, namespace, columns from series x {_HERE} order by number", (run,))  # noqa: S608
        rows = self._all(f"select digest, first_series, last_series from chunk x {_HERE}", (run,))  # noqa: S608
        for told, first, last in rows:
            shown, now = repr(names[first : last + 1]), of_chunk(told, names[first : last + 1])
            yield told, now  # as the first versions made it
            yield of_bytes(told + shown.encode()), now

    def _file_digests(self, run: str) -> Renewed:
        sql = f"select etag, size_bytes, md5 from artifact x {_HERE} and size_bytes is not null"  # noqa: S608
        return (_file(*row) for row in self._all(sql, (run,)))

    def _code_digests(self) -> Renewed:
        """The digests of files that are made of code."""
        rows = self._all("select size_bytes, md5 from code join object on object.sha256 = code.sha256")
        return (_file(None, *row) for row in rows)

    def _experiment_digests(self) -> Renewed:
        for name, identity, record in self._all("select name, id, record from experiment"):
            experiment = experiment_of(name, identity, unpack(record, f"experiment {name}"))
            yield of_bytes(_shown(experiment).encode()), of_experiment(experiment)


def _file(etag: str | None, size_bytes: int, md5: bytes | None) -> tuple[bytes, bytes]:
    stored = StoredFile(location=Location("", ""), size_bytes=size_bytes, md5=md5, etag=etag)
    return of_bytes(f"{etag}|{size_bytes}|{md5!r}".encode()), of_file(stored)


def _shown(experiment: Experiment) -> str:
    """The repr of an experiment's values together, as older versions made it."""
    values = (experiment.name, experiment.description, sorted(experiment.tags.items()))
    archived = f"Instant(ticks={experiment.archived.ticks})" if experiment.archived else "None"
    return f"{repr(values)[:-1]}, {archived})"
