"""The service's limits, which the handlers enforce; `load` and `sample` may write beyond them.

The source is learn.microsoft.com, "Service limits in Azure Machine Learning", where nothing else is said.
"""

from __future__ import annotations

import re

BODY_BYTES = 30_000_000
"""The whole body of a request to a service: what ASP.NET takes if it is told nothing else (assumption)."""

RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""run-history.json: "less than 256 characters and contain only alphanumeric characters with dashes and underscores"."""

DISPLAY_NAME = 256
DESCRIPTION = 5_000
EXPERIMENT_NAME = 256
ERROR_MESSAGE = 3_000
WARNING = 300

TAGS = PROPERTIES = 50
PARAMETERS = 200
"""MLflow in Azure Machine Learning's documentation: "parameters per run"."""
KEY = 100
EXPERIMENT_KEY = 250
VALUE = 1_000
INPUT_DATASETS = 200
OUTPUT_DATASETS = 20

METRIC_NAMES = 50
METRIC_ROWS = 1_000_000
METRIC_VALUES = 1_000_000
"""Rows of all names of a run ("Manage resource quotas"): the service's own words for rows are `MetricV2Dto.Value`."""
METRIC_ROWS_IN_REQUEST = 250
"""Rows of one name; the service's own words: `MetricV2Dto.Value/Count, Limit=250`."""
METRIC_COLUMNS = 15
METRIC_NAME = METRIC_TEXT = 255

ARTIFACT_PATH = 5_000
BLOB_NAME = 1_024
"""Azure Storage: the whole name of a blob, `ExperimentRun/dcid.{run}/` included, in `characters`."""

ARTIFACTS_IN_REQUEST = 100
"""Paths in `batch/metadata`: "Artifact batch size exceeded the limit of 100" (ultralytics/ultralytics#3223)."""

CHILDREN_IN_PAGE = 50
"""Reported (Azure/azure-sdk-for-python#32440), with a `continuationToken` and no link."""
RUNS_IN_PAGE = 100
RUNS_IN_PAGE_AT_MOST = 1_000
EXPERIMENTS_IN_PAGE = 100
METRICS_IN_PAGE = 25
ROWS_IN_PAGE = 1_000
ARTIFACTS_IN_PAGE = 500
JOBS_IN_PAGE = 100
ASSETS_IN_PAGE = 40
"""Page sizes are assumptions: only ARM's lists were recorded with more than one page (components: 40 or 50)."""
MODELS_IN_PAGE = 20
"""Recorded of their containers: model-list-paging 0."""


def characters(name: str) -> int:
    """The length of a blob's name as storage counts it, in UTF-16 units (azure-storage-cpp#291)."""
    return len(name.encode("utf-16-le", errors="replace")) // 2
