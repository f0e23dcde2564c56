"""An installation is told while it runs, and ends as its process ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from azureml_sandbox.storage import installing

FILLS = "import sys, time; open('a', 'wb').write(b'x' * 3_000_000); time.sleep(0.3); sys.exit({code})"


@pytest.mark.parametrize("code", [0, 3])
def test_what_lies_in_the_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    """In lines where there is no terminal."""
    monkeypatch.setattr(installing, "TELL_EVERY_S", 0)

    ended = installing.watched([sys.executable, "-c", FILLS.format(code=code)], tmp_path, os.environ, expected_mb=5)

    assert ended == code
    assert "3 of about 5 MB" in capsys.readouterr().err
