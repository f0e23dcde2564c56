"""Runs with every oddity that the service is known to answer or that its documents allow: `sample --hostile`.

Each oddity has one run, named after it: `oddity` says what is odd, `omissions` what a target with the documented
limits cannot have of the run; everything else of it can be carried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from azureml_sandbox.fill.hostile.automl import odd_automl
from azureml_sandbox.fill.hostile.files import odd_files
from azureml_sandbox.fill.hostile.kinds import odd_kinds
from azureml_sandbox.fill.hostile.make import archived_home, home, other_home
from azureml_sandbox.fill.hostile.more import more_oddities
from azureml_sandbox.fill.hostile.pipelines import odd_pipelines
from azureml_sandbox.fill.hostile.values import odd_values
from azureml_sandbox.fill.sample_runs import SampledRun
from azureml_sandbox.world import Document, Workspace

FAMILIES = ("values", "files", "more", "kinds")
"""Odd documents and metrics, odd files, more of both, and a run of every kind."""


def hostile_experiments(seed: int) -> Sequence[Document]:
    """The experiments of the hostile runs: that of most, an archived one, that of a reused step's owner."""
    return [home(seed), archived_home(seed), other_home(seed)]


def hostile_runs(seed: int, workspace: Workspace, families: Collection[str] = FAMILIES) -> Iterator[SampledRun]:
    """The hostile runs of these families, parents first."""
    if "values" in families:
        yield from odd_values(seed, workspace)
    if "files" in families:
        yield from odd_files(seed)
    if "more" in families:
        yield from more_oddities(seed, workspace)
    if "kinds" in families:
        yield from odd_kinds(seed, workspace)
        yield from odd_pipelines(seed, workspace)
        yield from odd_automl(seed, workspace)
