"""Writes SECURITY.md: what is promised, with the table of shapes as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from azureml_replay.json_text import DEEPEST
from azureml_replay.redact.command_shapes import BEHIND_OPTIONS
from azureml_replay.redact.shape import SecretShape
from azureml_replay.redact.shapes import (
    ENCODED_SINCE,
    GENERAL,
    HELD_SINCE,
    PROVIDERS,
    VERSION,
)

_HEAD = """# Security

<!-- Made by `python -m azureml_replay.redact.promise > SECURITY.md`: change it there. -->

Please report a vulnerability in private, through the repository's security advisories, not in an issue. Say which
version (`azureml-replay --version`) and how to see it; leave out your own workspace's data.

## What the tool promises, and how it is held

- **No secret of the forms below is written**: not into the archive, the target, the report, the log or the terminal.
  Each that was taken out of what a workspace holds is listed as an omission (`tests/unit/redact/`,
  `tests/unit/archive/test_redacted.py`, `tests/e2e/test_secrets.py`). `--redact GLOB` takes out more.
- **Source and target share no credential.** Signed URLs live for hours, in memory only.
- **The archive is its owner's alone**: folders 0700, files 0600, logs, reports and exported tables too, whatever the
  umask. A link in the place of one of its own files is refused, never followed.
- **What comes from a workspace is untrusted**: it is escaped in the report, stripped of control characters in the
  terminal, and never a path outside the folder it belongs to.
- **The report asks nobody**: one file, a content security policy that forbids every request.
- **Nothing that acts on the source is sent to a target**: cancel and completion addresses stay behind.
"""
_WHERE = f"""
## What is taken out

Texts are searched wherever they stand: descriptions, tags, properties, parameters, inputs and outputs, definitions,
errors and warnings, texts in metrics and tables, metadata of files, and whatever the log and the terminal say.
A secret becomes `***`; what stands around it stays. In a name (of a metric, a column, a file, a tag, a parameter, an
experiment, an asset) it becomes `redacted-` and eight hexadecimal digits of its digest, four where a person may have
chosen it: equal names stay equal, and different ones different. Such a file is found again in the source by listing its
folder.

**By name**: the value of a key such as `password`, `accountKey`, `clientSecret`, `HF_TOKEN`, `connectionString`, of
environment variables that end in `_KEY`, `_TOKEN`, `_SECRET` and the like, and what follows `--password` or
`-password` in a list of arguments; not that of `pad_token` or `max_tokens`, nor a number, a flag or a binding.

**By the name above or beside it** (since version {HELD_SINCE}): `value`, `values`, `default`, `enum` and their
like below a name that says secret, or beside it in a pair: a literal input of a job or a step, what a component's input
is by default, what a sweep chooses from. Where an input is data, its address stays. A component whose default was taken
out is listed, and not made in the target.

**Behind an option of a known command**, in a text or in a list of arguments; `-p` of other commands means other things.

**As it is written for a URL** (`password%3D…`, <https://www.rfc-editor.org/rfc/rfc3986#section-2.1>): any of these is
found there too, up to a URL in a URL in a URL (since version {ENCODED_SINCE} of the table).

**By shape**, each with the document that tells it (version {VERSION} of the table):
"""
_TAIL = f"""
## What is not

- **Bytes of files are not searched**: a log or a notebook holds what its author printed, in the source, in an archive
  with `--artifacts download` or `--code`, and in the target. Choose files with `--files`, and keep an
  archive as you would keep the workspace.
- A secret of a form that is not above, where no name says what it is: a password in a sentence, 40 hexadecimal digits.
  Both rules err on the narrow side, since a value that was taken out is lost for the target.
- What is nested more than {DEEPEST} levels deep is not looked at: it is left out, and listed as an omission.
- Ids of runs and names of jobs stay as they are: everything is found by them.
- **An archive keeps the version of the table that it began with.** One begun before version {VERSION} goes on with the
  rows of its own (version 1 had fewer, and left names as they were): a value, a metric or a file that is redacted
  otherwise would be sent a second time. Extract into a new folder to have the table above. The log and the terminal
  always go by the newest.

## The local workspace

`azureml-sandbox` runs commands that are submitted to it. It listens on loopback only, checks tokens that it signs with
a key of its folder, refuses browsers, and forwards to no other host. It is for tests and rehearsals: do not expose it.
"""


def page() -> str:
    """All of it, as Markdown."""
    tables = (line for rows in (PROVIDERS, GENERAL, BEHIND_OPTIONS) for line in ("", *_table(rows)))
    parts = (_HEAD, _WHERE, *tables, _TAIL)
    return "\n".join(part.removesuffix("\n") for part in parts)


def _table(rows: Iterable[SecretShape]) -> Iterator[str]:
    yield "| what | told by |"
    yield "| --- | --- |"
    yield from (f"| {row.what}{_since(row)} | <{row.source}> |" for row in rows)


def _since(row: SecretShape) -> str:
    """Of a row that came later: archives of before go on without it."""
    return f" (since version {row.since})" if row.since > 2 else ""


if __name__ == "__main__":
    print(page().strip())  # noqa: T201 the page is its output
