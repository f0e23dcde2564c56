"""Which options go together: one that would change nothing is refused, as nobody would notice that it was ignored."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Any, TypeAlias

import typer

from azureml_replay.errors import UserError

Given: TypeAlias = Mapping[str, str]
"""Options of the command line -> their values; "" for one that takes none."""

ONLY_DIRECT = frozenset({"--ids", "--on-conflict", "--prefer", "--keep-run-type", "--write-route", "--attach"}) | {
    *("--assets", "--asset-types", "--asset", "--asset-list", "--asset-data", "--max-asset-size", "--outputs"),
    "--map-datastore",
    *("--on-asset-conflict", "--workers", "--engine", "--ray-address"),
}
TRIALS = frozenset(
    {
        "--replay-automl-max-trials",
        "--replay-automl-top-metric",
        "--replay-automl-trial-sampling",
        "--seed",
    }
)
ONLY_JOBS = TRIALS | {
    *("--compute", "--environment", "--edges", "--no-wait", "--resubmit", "--expand-automl-trials"),
    *("--debug-hierarchy", "--price-per-hour"),
}
CHOICE_OF_FILES = frozenset({"--files", "--max-file-size", "--artifact-budget", "--attach"})

OF_ASSETS = frozenset(
    {"--asset-types", "--asset-data", "--max-asset-size", "--outputs", "--map-datastore", "--on-asset-conflict"}
)


def given_options(*, context: typer.Context) -> Given:
    """The options that were typed; defaults are not among them."""
    return {
        parameter.opts[-1]: _shown(value)
        for parameter, value in typed_parameters(context)
        if parameter.param_type_name == "option"
    }


def typed_parameters(context: typer.Context) -> Iterator[tuple[Any, Any]]:
    """The parameters that the command line has, which are click's, with their values; defaults are not among them."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            yield parameter, context.params.get(name)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value.value if isinstance(value, Enum) else value)


def refuse_idle(given: Given) -> None:
    """Raise UserError for an option that the others leave without effect, in whatever command."""
    refuse_without(given, {"--strict-names"}, "--include", "--include-file")
    refuse_together(given, CHOICE_OF_FILES, "--no-artifacts")
    refuse_together(given, {"--asset", "--asset-list"}, "--assets")
    refuse_without(given, {"--engine"}, "--workers")
    if given.get("--engine") != "ray":
        refuse_without({**given, "--engine": ""}, {"--ray-address"}, "--engine ray")
    if given.get("--assets") == "none":
        refuse_together(given, OF_ASSETS, "--assets")
    refuse_together(given, {"--outputs"}, "--no-artifacts")
    refuse_together(given, {"--csv"}, "--json")
    refuse_together(given, {"--max-size"}, "--shards")
    refuse_together(given, {"--verbose"}, "--quiet")


INPUTS = ("--source", "--target", "--include-file", "--asset-list", "--input", "--selection")
OUTPUTS = ("--output", "--report", "--combined", "--differ", "--log-file")


def refuse_replaced_input(given: Given) -> None:
    """Raise UserError for an output that is a file which another option reads: it would replace it."""
    for output in OUTPUTS:
        for read in INPUTS:
            if output in given and read in given and _are_one_file(given[output], given[read]):
                raise UserError(f"{output} {given[output]} is the file that {read} names: name another to write")


def _are_one_file(path: str, other: str) -> bool:
    try:
        return os.path.isfile(path) and os.path.samefile(path, other)  # noqa: PTH113, PTH121 - of any text
    except (OSError, ValueError):  # a workspace's name is no file
        return False


def refuse_other_mode(given: Given, *, synthetic: bool) -> None:
    """Raise UserError for an option of the mode that was not chosen."""
    if synthetic:
        _refuse(given, ONLY_DIRECT, "is for direct replay: leave it out, or leave out --mode synthetic")
        _refuse_idle_trials(given)
    else:
        _refuse(given, ONLY_JOBS, "is for jobs: leave it out, or add --mode synthetic")


def _refuse_idle_trials(given: Given) -> None:
    if "--expand-automl-trials" not in given:
        _refuse(given, TRIALS, "chooses among trials: leave it out, or add --expand-automl-trials")
    if given.get("--replay-automl-trial-sampling") != "random":
        _refuse(given, {"--seed"}, "seeds --replay-automl-trial-sampling random: leave it out, or add that")


def refuse_without(given: Given, options: Collection[str], *needed: str) -> None:
    """Raise UserError for the first of `options` that was given without any of the options `needed`."""
    if given.keys().isdisjoint(needed):
        _refuse(given, options, f"goes with {' or '.join(needed)}: leave it out, or add that")


def refuse_together(given: Given, options: Collection[str], other: str) -> None:
    """Raise UserError for the first of `options` that was given beside `other`, which leaves it nothing to do."""
    if other in given:
        _refuse(given, options, f"and {other} contradict each other: leave one of them out")


def _refuse(given: Given, options: Collection[str], why: str) -> None:
    for option, value in given.items():
        if option in options:
            raise UserError(f"{option}{f' {value}' if value else ''} {why}")
