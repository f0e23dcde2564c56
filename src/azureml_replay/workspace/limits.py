"""The service's limits, each with its source. `plan` says beforehand what will not fit."""

from __future__ import annotations

from dataclasses import dataclass

# How many items of each kind one request of ours has at most.
RUNS_PER_REQUEST = 100
"""batchrundata, batch/runs, batch/events: no limit is documented; 100 run documents are about 400 KB."""
FILES_PER_REQUEST = 50
"""artifacts/batch/metadata, as azureml-mlflow sends it (AZUREML_ARTIFACT_BATCH_SIZE, clients.md 5.1)."""
ROWS_PER_REQUEST = 1_000
"""metric/v2.0 batch, all series together: none documented; MLflow's own batch size (FIDELITY, Limits)."""
ROWS_PER_SERIES_AND_REQUEST = 250
"""Recorded error: `MetricV2Dto.Value/Count, Limit=250`."""
NONE_KNOWN = 2**31
"""No limit is known, and none is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run of a target can hold. Documented by the service (resource-limits-capacity; clients.md 4.3)."""

    metric_names: int = 50
    metric_name: int = 255
    """Characters of a metric's name: documented for columns only, and a scalar's name is one."""
    rows_per_metric: int = 1_000_000
    metric_values: int = 1_000_000
    """Rows of all metrics of a run together ("Manage resource quotas")."""
    metric_columns: int = 15
    metric_column_name: int = 255
    metric_text: int = 255
    parameters: int = 200
    tags: int = 50
    properties: int = 50
    key: int = 100
    """Characters of a tag's or property's key."""
    experiment_key: int = 250
    """Characters of the key of an experiment's tag."""
    value: int = 1_000
    """Characters of a tag's or property's value."""
    mlflow_key: int = 250
    """Characters of a parameter's name where MLflow logs it, inside of jobs. Run history has no such limit."""
    mlflow_parameter: int = 6_000
    """Characters of a parameter's value there (mlflow.utils.validation, MAX_PARAM_VAL_LENGTH)."""
    run_id: int = 255
    """"Less than 256 characters", letters, digits, `-` and `_` (swagger)."""
    display_name: int = 256
    description: int = 5_000
    error_message: int = 3_000
    input_datasets: int = 200
    output_datasets: int = 20
    artifact_path: int = 5_000
    """Characters of a file's path in its run."""
    blob_name: int = 1_024
    """UTF-16 units of a file's name in the storage, its folders included: 512 emoji are accepted, more are answered
    by 400 (azure-storage-cpp#291)."""

    parameter_key: int = NONE_KNOWN
    """Characters of a parameter's name in run history."""
    parameter: int = NONE_KNOWN
    """Characters of a parameter's value, where it is a text."""
    experiment_name: int = NONE_KNOWN
    """Characters of an experiment's name: a longer one is cut there, and kept whole in a tag."""
    run_folder: int = 20
    """Characters of the folders before a file, without the run's id."""


DOCUMENTED = Limits()
MLFLOW_SERVER = Limits(
    metric_names=NONE_KNOWN,
    metric_name=250,
    rows_per_metric=NONE_KNOWN,
    metric_values=NONE_KNOWN,
    metric_columns=NONE_KNOWN,
    metric_column_name=NONE_KNOWN,
    metric_text=NONE_KNOWN,
    parameters=NONE_KNOWN,
    tags=NONE_KNOWN,
    properties=NONE_KNOWN,
    key=250 - len("property."),  # 250 with what a property has before its name
    value=5_000,
    parameter_key=250,
    parameter=6_000,
    display_name=250,
    description=5_000,
    error_message=1_000,
    input_datasets=NONE_KNOWN,
    output_datasets=0,
    blob_name=NONE_KNOWN,
    run_folder=0,
    experiment_name=256,
)
"""What every version and database of a plain MLflow server takes: SQLite takes longer names, newer servers 8,000
characters of a tag, and both cut silently what is longer still. The throw-away run tells."""
RUNS_PER_WORKSPACE = FILES_PER_WORKSPACE = 10_000_000
"""Documented ("Manage resource quotas"); what the target holds already counts too, and what was deleted may."""
LISTED_AT_ONCE = 16
"""Experiments whose pages are read side by side: a page of 200 runs is 5 MB while it is decoded."""
