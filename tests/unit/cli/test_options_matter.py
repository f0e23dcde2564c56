"""Every option that a command offers changes what the library is asked for, or is refused: none is ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from azureml_replay.cli import calls, synthetic
from azureml_replay.cli.app import app
from azureml_replay.cli.fitting import CHOICE_OF_FILES, ONLY_DIRECT, ONLY_JOBS
from azureml_replay.errors import UserError

GROUP: Any = typer.main.get_command(app)
TOLD = {"--json", "--quiet", "--verbose", "--debug", "--log-file", "--help"}
"""What is about the terminal is held where the terminal is."""
ELSEWHERE = {("migrate", "--report"): "where the page lies is held by test_report_command"}
SAMPLES = {
    "--metrics": "last",
    "--assets": "none",
    "--asset-types": "model",
    "--on-asset-conflict": "next",
    "--asset-data": "all",
    "--outputs": "reference",
    "--artifacts": "download",
    "--ids": "new",
    "--on-conflict": "skip",
    "--prefer": "source",
    "--write-route": "mlflow",
    "--edges": "none",
    "--resubmit": "changed",
    "--replay-automl-trial-sampling": "first",
    "--status": "Failed",
    "--type": "pipeline",
    "--created-after": "2024-01-01",
    "--created-before": "2024-01-01",
    "--engine": "ray",
    "--source": "a/b/other",
    "--target": "a/b/another",
    "--mode": "synthetic",
}
"""A value for each option that takes not any text or number."""
FILES = {"--include-file", "--asset-list"}
COMPANY = {
    "--seed": ["--expand-automl-trials", "--replay-automl-trial-sampling", "random"],
    "--replay-automl-max-trials": ["--expand-automl-trials"],
    "--replay-automl-top-metric": ["--expand-automl-trials"],
    "--replay-automl-trial-sampling": ["--expand-automl-trials"],
    "--strict-names": ["--include", "a"],
    "--price-per-hour": ["--dry-run"],
    "--engine": ["--workers", "2"],
    "--ray-address": ["--workers", "2", "--engine", "ray"],
}
"""What an option goes with; without it, it is refused."""
SOURCE, TARGET = ["--source", "a/b/source"], ["--target", "a/b/target"]
LINES = {
    "extract": ["extract", "--archive", "k", *SOURCE],
    "plan": ["plan", "k"],
    "plan synthetic": ["plan", "k", "--mode", "synthetic"],
    "replay": ["replay", "k", *TARGET],
    "replay synthetic": ["replay", "k", *TARGET, "--mode", "synthetic"],
    "verify": ["verify", "k", *TARGET],
    "migrate": ["migrate", "--archive", "k", *SOURCE, *TARGET],
}


class Asked(Exception):
    """What the library was asked for."""


@pytest.fixture(autouse=True)
def asking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each call stops where the library would begin."""
    monkeypatch.chdir(tmp_path)

    def stops(name: str) -> Callable[..., Any]:
        def call(*given: object, **named: object) -> object:
            raise Asked(name, given, {key: value for key, value in named.items() if key != "terminal"})

        return call

    for name in ("extract", "plan", "replay", "submit", "verify", "migrate"):
        monkeypatch.setattr(calls, name, stops(name))
    monkeypatch.setattr(synthetic, "show", stops("show"))


def asked(line: list[str]) -> str:
    """What is asked for with a command line, or how it is refused."""
    try:
        GROUP.main(line, standalone_mode=False)
    except Asked as what:
        return repr(what)
    except UserError as error:
        return f"refused: {error}"
    raise AssertionError(f"{line} asked for nothing")


def cases() -> Iterator[object]:
    for name, line in LINES.items():
        for parameter in GROUP.commands[line[0]].params:
            option = parameter.opts[-1]
            if parameter.param_type_name == "option" and option not in TOLD and (name, option) not in ELSEWHERE:
                yield pytest.param(line, parameter, id=f"{name} {option}")


@pytest.mark.parametrize(("line", "parameter"), cases())
def test_each_option_changes_something_or_is_refused(line: list[str], parameter: Any, tmp_path: Path) -> None:
    option = parameter.opts[-1]
    (tmp_path / "ids.txt").write_text("r1\n")
    value = [] if parameter.is_flag else [SAMPLES.get(option, "ids.txt" if option in FILES else "7")]
    if option == "--mode" and "--mode" in line:
        value = ["direct"]
    synthetic_line = "synthetic" in line
    company = COMPANY.get(option, []) if option not in (ONLY_DIRECT if synthetic_line else ONLY_JOBS) else []

    assert asked([*line, *company, option, *value]) != asked([*line, *company])
    if company or option in (ONLY_DIRECT if synthetic_line else ONLY_JOBS):
        assert asked([*line, option, *value]).startswith(f"refused: {option}")


@pytest.mark.parametrize("option", sorted(CHOICE_OF_FILES))
def test_no_file_is_chosen_where_none_is_carried(option: str) -> None:
    value = [] if option == "--attach" else ["7"]
    told = asked([*LINES["replay"], "--no-artifacts", option, *value])
    assert told.startswith(f"refused: {option}")
    assert "--no-artifacts contradict each other" in told


@pytest.mark.parametrize(
    ("typed", "beside"),
    [
        (["--asset", "a"], ["--assets", "all"]),
        (["--asset-list", "ids.txt"], ["--assets", "none"]),
        (["--asset-data", "all"], ["--assets", "none"]),
        (["--max-asset-size", "7"], ["--assets", "none"]),
        (["--map-datastore", "a=b"], ["--assets", "none"]),
        (["--outputs", "reference"], ["--no-artifacts"]),
    ],
)
def test_what_chooses_assets_does_not_contradict_itself(typed: list[str], beside: list[str], tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("a\n")
    told = asked([*LINES["migrate"], *typed, *beside])
    assert told == f"refused: {' '.join(typed)} and {beside[0]} contradict each other: leave one of them out"
