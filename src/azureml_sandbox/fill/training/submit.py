"""Submits jobs as a user would, with azure-ai-ml, and waits until all have ended.

    python -m azureml_sandbox.fill.training.submit WORKSPACE.json

The jobs are a command, a pipeline with another one inside, a sweep, one that fails and one that is cancelled. The login
is the one that DefaultAzureCredential finds in the environment. Each job's name and status are printed in one line.
"""

# No `from __future__ import annotations`: azure-ai-ml's dsl reads them, and wants no strings.
import argparse
import csv
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

from azure.ai.ml import Input, MLClient, Output, command, dsl
from azure.ai.ml.sweep import LogUniform
from azure.identity import DefaultAzureCredential
from sklearn.datasets import load_diabetes

SCRIPTS = Path(__file__).with_name("scripts")
CLUSTER = "cpu-cluster"
ENVIRONMENT = "azureml://registries/azureml/environments/sklearn-1.5/versions/26"
EXPERIMENT = "wine-pipelines"
_PATIENCE_S = 300
_TERMINAL = {"Completed", "Failed", "Canceled"}
_FOLDER = "uri_folder"

Say = Callable[[str], None]


def submit(workspace: Path, say: Say) -> None:
    """Submit all jobs, cancel the one that waits, say how each ended."""
    names = json.loads(workspace.read_bytes())
    address = names["subscription_id"], names["resource_group"], names["workspace_name"]
    client = MLClient(DefaultAzureCredential(), *address)
    with _no_work_tree() as folder:
        waiting = _send(client, _waiting())
        sent = [_send(client, job) for job in (_regression(folder), _failing(), _pipeline(), _sweep())]
        _when(client, waiting, {"Running"})
        client.jobs.begin_cancel(waiting)
        for name in (*sent, waiting):
            say(f"{name} {_when(client, name, _TERMINAL)}")


@contextmanager
def _no_work_tree() -> Iterator[Path]:
    """A temporary working folder: from a git work tree azure-ai-ml writes remote and branch into the job."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def _send(client: MLClient, job: Any) -> str:  # noqa: ANN401 - azure-ai-ml has no common type for jobs
    return str(client.jobs.create_or_update(job, experiment_name=EXPERIMENT).name)


def _when(client: MLClient, name: str, statuses: set[str]) -> str:
    """The status of a job, once it is one of these or final. Raises TimeoutError after `_PATIENCE_S` seconds."""
    for _ in range(_PATIENCE_S * 2):
        status = client.jobs.get(name).status
        told = str(status.value if isinstance(status, Enum) else status)  # its own text is `JobStatus.RUNNING`
        if told in statuses | _TERMINAL:
            return told
        time.sleep(0.5)
    raise TimeoutError(f"{name} is {told} after {_PATIENCE_S} s")


def _script(name: str, line: str = "", **ports: Any) -> Any:  # noqa: ANN401
    outputs = {port: Output(type=_FOLDER) for port in ports.pop("outputs", ())}
    return command(
        command=f"python {name}.py {line}",
        code=SCRIPTS,
        environment=ENVIRONMENT,
        compute=CLUSTER,
        outputs=outputs,
        **ports,
    )


def _regression(folder: Path) -> Any:  # noqa: ANN401
    """A command job whose data is a local file."""
    table = folder / "diabetes.csv"
    data = load_diabetes()
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*data.feature_names, "progression"])
        writer.writerows([*row, target] for row, target in zip(data.data, data.target, strict=True))
    inputs = {"data": Input(type="uri_file", path=str(table)), "rate": 0.1}
    line = "--data ${{inputs.data}} --rate ${{inputs.rate}} --report ${{outputs.report}}"
    job = _script("regress", line, inputs=inputs, outputs=["report"], display_name="baseline")
    job.description, job.tags = "A straight line, to compare with.", {"team": "research"}
    return job


def _failing() -> Any:  # noqa: ANN401
    return _script("diverge", display_name="learning rate too high")


def _waiting() -> Any:  # noqa: ANN401
    return _script("wait", display_name="stopped by hand")


def _pipeline() -> Any:  # noqa: ANN401
    """A pipeline job: preparation, then a pipeline of its own with training and evaluation."""
    folder, number = Input(type=_FOLDER), Input(type="number")
    prepare = _script(
        "prepare",
        "--seed ${{inputs.seed}} --prepared ${{outputs.prepared}}",
        inputs={"seed": Input(type="integer")},
        outputs=["prepared"],
    )
    train = _script(
        "classify",
        "--prepared ${{inputs.prepared}} --alpha ${{inputs.alpha}} --model ${{outputs.model}}",
        inputs={"prepared": folder, "alpha": number},
        outputs=["model"],
    )
    evaluate = _script(
        "evaluate",
        "--prepared ${{inputs.prepared}} --model ${{inputs.model}} --report ${{outputs.report}}",
        inputs={"prepared": folder, "model": folder},
        outputs=["report"],
    )

    @dsl.pipeline(display_name="train and evaluate")  # type: ignore[untyped-decorator]
    def train_and_evaluate(prepared: Input(type="uri_folder"), alpha: float) -> dict[str, Any]:  # type: ignore[valid-type]
        trained = train(prepared=prepared, alpha=alpha)
        evaluated = evaluate(prepared=prepared, model=trained.outputs.model)
        return {"model": trained.outputs.model, "report": evaluated.outputs.report}

    @dsl.pipeline(  # type: ignore[untyped-decorator]
        display_name="wine from raw to report", default_compute=CLUSTER, tags={"stage": "nightly"}
    )
    def wine(seed: int, alpha: float) -> dict[str, Any]:
        prepared = prepare(seed=seed)
        nested = train_and_evaluate(prepared=prepared.outputs.prepared, alpha=alpha)
        return {"model": nested.outputs.model}

    return wine(seed=7, alpha=0.001)


def _sweep() -> Any:  # noqa: ANN401
    """A sweep over the rate of a regression."""
    job = _script("search", "--rate ${{inputs.rate}}", inputs={"rate": 0.1}, display_name="which rate")
    sweep = job(rate=LogUniform(-5, -1.5)).sweep(sampling_algorithm="random", primary_metric="loss", goal="Minimize")
    sweep.set_limits(max_total_trials=4, max_concurrent_trials=2, timeout=600)
    sweep.display_name = "which rate"
    return sweep


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m azureml_sandbox.fill.training.submit")
    parser.add_argument("workspace", type=Path)
    submit(parser.parse_args().workspace.resolve(), lambda line: print(line, flush=True))  # noqa: T201 - its output


if __name__ == "__main__":
    main()
