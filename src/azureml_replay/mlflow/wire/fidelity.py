"""What becomes of every value in a plain MLflow server: one table, for people and for the tests (pure).

`python -m azureml_replay.mlflow.wire.fidelity` writes it as `docs/concepts/fidelity-mlflow.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Row(NamedTuple):
    """One value of the archive."""

    value: str
    """A field of Run or Experiment, or what else there is."""
    there: str
    why: str


RUN = (
    Row("id", "tags `original_job_id`, `azureml_replay_source`; the map is in the archive", "a server names its runs"),
    Row("parent", "tag `mlflow.parentRunId`: the id that the parent has there", "its page nests by it"),
    Row("experiment", "the experiment of that name, behind `experiment_prefix`", ""),
    Row(
        "status",
        "`FINISHED`, `FAILED`, `KILLED`, `SCHEDULED`, `RUNNING`; another word in tag `azureml_replay.status`",
        "five words",
    ),
    Row(
        "start",
        "`start_time`; the exact one in tag `azureml_replay`; none: the creation time",
        "milliseconds; 0 is none",
    ),
    Row("end", "`end_time`; the exact one in tag `azureml_replay`", "milliseconds; 0 is none"),
    Row(
        "display_name", "`run_name`; none: the id; over 250 characters: cut, whole in overflow", "a server makes one up"
    ),
    Row("description", "tag `mlflow.note.content`; over 5,000 characters: overflow", "its page shows it"),
    Row(
        "tags",
        "the same; null is empty; `mlflow.runName` and `mlflow.parentRunId` are the target's own",
        "overflow has what differs",
    ),
    Row("properties", "tags that begin with `property.`; they can be edited there", "no properties"),
    Row("parameters", "params; what is no text as JSON; over 6,000 characters: overflow", "cut silently otherwise"),
    Row("inputs", "datasets of the run, with the asset's id as their source", ""),
    Row("outputs", "tags `azureml_replay.output.NAME`", "no datasets that a run made"),
    Row("input_datasets", "of another MLflow server the same; else overflow", "another form"),
    Row("output_datasets", "overflow", "another form"),
    Row("hidden", "deleted, last", "nothing can be written to a deleted run"),
    Row(
        "lender",
        "files and points of its owner, as its own; without that run in the archive an omission",
        "no shared files",
    ),
    Row("error", "tag `azureml_replay.error`: code and message, up to 1,000 characters; all of it in overflow", ""),
    Row("error_origin", "overflow", ""),
    Row("created", "tag `azureml_replay`", "a server has none"),
    Row("creator", "`user_id`, and tag `mlflow.user` unless the source has one", ""),
    Row("kind", "tag `azureml_replay`", "no types"),
    Row("warnings", "`replay/job.json`", ""),
    Row("code", "`replay/code.zip`, with `--code`", ""),
    Row("acting", "never sent; an omission", "it acts on the source"),
)
EXPERIMENT = (
    Row(
        "name",
        "the same; over 256 characters cut, with 8 digits of its digest; tag `azureml_replay.experiment_name` has it",
        "PostgreSQL refuses longer ones",
    ),
    Row("description", "tag `mlflow.note.content`", ""),
    Row("tags", "the same", ""),
    Row(
        "archived",
        "deleted, last, and only where replay made it",
        "a server deletes all runs with it, and restores all",
    ),
)
METRIC = (
    Row("one number a row", "a metric", ""),
    Row("whole numbers", "doubles; beyond 2^53 the nearest, exact in `replay/rows.json`", ""),
    Row(
        "time",
        "milliseconds; none, or before 1970: 0",
        "exact rows in `replay/rows.json` where more than a part of a tick is lost",
    ),
    Row("no step", "step 0", "as above"),
    Row("-0.0, infinities", "0.0, ±1.7976931348623157e308", "as above"),
    Row("rows that are equal there", "one of them", "a server keeps a set"),
    Row("tables, texts, namespaces", "`replay/metrics/NAME.json`", "one number a row"),
    Row(
        "names of metrics, params, tags",
        "NFC; with other signs than `/_-.: `: `_` for each, and `_` with six digits",
        "`replay/names.json`",
    ),
)
FILE = (
    Row("path", "the same; `#`, `?`, `%41`, `//`, `..`, a file below a file: `replay/source/`", "`replay/files.json`"),
    Row("bytes", "the same, read back with `--deep`", "no checksums"),
    Row("type, metadata", "lost", "guessed from the name"),
)
MODEL = (
    Row(
        "name",
        "the same; `/`, `:`, quotes, over 256 characters: `_` and six digits; tag `azureml_replay` has it",
        "no filter, or no newer server, takes them",
    ),
    Row(
        "version",
        "the same number; one that the source left out is used up and deleted, up to 100 of a name; where a version is "
        "no number, all of its name from 1 on, in the order of their creation",
        "a server counts",
    ),
    Row("latest", "the highest number; an omission where another one was made last", "as above"),
    Row("description", "the same; over 5,000 characters: an omission", "PostgreSQL has no room for more"),
    Row("tags", "the same; null is empty; names as those of runs; values over 5,000 characters: an omission", ""),
    Row("properties", "tags that begin with `property.`; the lineage is tag `azureml_replay`", "no properties"),
    Row("stage", "`Staging`, `Production`, `Archived`; another: an omission, in the lineage", "no others are known"),
    Row("aliases", "the same; one that leads to a version of somebody's there stays with that", "one version each"),
    Row("archived", "tag `azureml_replay.archived`; an omission", "a server archives no version"),
    Row("content", "type in tag `azureml_replay.type`", "no types"),
    Row(
        "files_of",
        "`source` is `runs:/RUN/PATH`, with the run that stands for it there; it waits for that run",
        "never the source's own",
    ),
    Row(
        "owns_bytes",
        "bytes that are no files of a run come among those of the run that made it, below `replay/models/`; without "
        "one: an omission",
        "a server keeps models with runs",
    ),
    Row("run", "`run_id`: the run that stands for it there", ""),
    Row("created", "tag `azureml_replay`", "the server's own"),
    Row("creator", "tag `azureml_replay`", "as above"),
    Row("kind", "models alone; environments, components, data, code: an omission each", "a server has no others"),
)
TABLES = {"Runs": RUN, "Experiments": EXPERIMENT, "Metrics": METRIC, "Files": FILE, "Models": MODEL}

_HEAD = """# Fidelity: an MLflow server as target

What becomes of each value where the target is a plain MLflow server. What differs is an omission of its run,
counted before anything is sent; `verify` compares all of it, with the same rules for what a server keeps. *overflow*
is the run's file `replay/overflow.json`. What the server's version and database add, its throw-away run tells:
`doctor` shows it.
"""


def page() -> str:
    """The table as Markdown."""
    return "\n".join([_HEAD, *(line for title, rows in TABLES.items() for line in _section(title, rows))]).strip()


def _section(title: str, rows: tuple[Row, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| value | there | why |"
    yield "| --- | --- | --- |"
    yield from (f"| {row.value.replace('_', ' ')} | {row.there} | {row.why} |" for row in rows)
    yield ""


if __name__ == "__main__":
    print(page())  # noqa: T201 the page is its output
