"""No secret is shown or logged, whatever says it: a result, a message, JSON, progress, an error with its traceback."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest

from azureml_replay.cli.failures import explain
from azureml_replay.errors import Rejected
from azureml_replay.terminal import log_file
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import LineProgress, Terminal, lines_for
from unit.redact.planted import MAKERS

ROWS = [(key, at) for key, makers in MAKERS.items() for at in range(len(makers))]


@dataclass(frozen=True)
class Told:
    name: str
    values: tuple[str, ...]


@pytest.mark.parametrize(("key", "at"), ROWS)
def test_nothing_that_is_written_shows_a_secret(key: str, at: int, tmp_path: Path) -> None:
    made, secret = MAKERS[key][at]()
    out, err, json_out = io.StringIO(), io.StringIO(), io.StringIO()
    speaking = Terminal(out, err)

    speaking.result({}, [f"run r1: {made}", Branch(made, (Branch(f"below {made}"),))])
    speaking.say(f"run r1 not extracted: {made}")
    LineProgress(speaking.say).say(made)
    speaking.error(explain(Rejected(f"refused: {made}", method="GET", url="https://h.example/p", status=400))[0])
    Terminal(json_out, err, json=True).result(Told(made, (f"x {made}", made)), [])
    log_file.start(tmp_path / "a.log", verbose=True, tell=speaking.say)
    try:
        log_file.LOGGER.warning("service says %s", made)
        log_file.LOGGER.debug("then %s", made)
        speaking.error(explain(ValueError(f"line 1\n{made}"))[0])
    finally:
        log_file.stop()
        logging.getLogger().setLevel(logging.WARNING)

    written = out.getvalue() + err.getvalue() + json_out.getvalue() + (tmp_path / "a.log").read_text()
    for piece in secret.split("\n"):
        assert len(piece) < 4 or piece.startswith("-----") or piece not in written
    assert json.loads(json_out.getvalue())["values"][0].startswith("x ")


def test_a_label_is_cleaned_before_it_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = MAKERS["github"][0]()
    stream = io.StringIO()
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(stream, "isatty", lambda: True)

    lines = list(lines_for(stream, [Branch("root", (Branch(f"tag owner: it was {secret} then"),))]))

    assert "***" in " ".join(lines)
    assert not any(part in line for line in lines for part in (secret[:12], secret[-12:]))


def test_json_without_secrets_stays_as_it_is() -> None:
    """Numbers beyond doubles too, and texts with any character."""
    out, told = io.StringIO(), {"a": [1, 2**70, None, True, 0.1], "b": "é\u2028\n", "c": {"d": ()}}

    Terminal(out, out, json=True).result(told, [])

    assert json.loads(out.getvalue()) == {**told, "c": {"d": []}}
