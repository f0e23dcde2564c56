"""Where the files of a version of a registered model lie, as a server tells it."""

import pytest

from azureml_replay.mlflow.wire.registry import VersionSource, run_by_address, source_of
from azureml_replay.model import RunId

RUN, OTHER = "4a26a79dc7614fa5821f0dc7ef25821e", "0" * 32
ROOT = f"mlflow-artifacts:/1/{RUN}/artifacts"


@pytest.mark.parametrize(
    ("document", "run", "source"),
    [
        ({"source": f"{ROOT}/model", "run_id": RUN}, RUN, VersionSource(run=RunId(RUN), path="model")),
        ({"source": f"{ROOT}/model", "run_id": ""}, RUN, VersionSource(run=RunId(RUN), path="model")),
        ({"source": f"{ROOT}"}, RUN, VersionSource(run=RunId(RUN), path="")),
        ({"source": f"/elsewhere/{RUN}/artifacts/model"}, RUN, None),
        ({"source": f"mlflow-artifacts:/1/{OTHER}/artifacts/model", "run_id": RUN}, RUN, None),
        ({"source": f"runs:/{RUN}/model"}, None, VersionSource(run=RunId(RUN), path="model")),
        ({"source": "models:/m-1"}, None, VersionSource(logged="m-1")),
        ({"source": "s3://bucket/artifacts/model"}, None, None),
    ],
)
def test_a_source_among_the_files_of_a_run(document: dict[str, str], run: str | None, source: object) -> None:
    """Older servers take versions that name a run in their source alone: their files are that run's all the same."""
    assert run_by_address(document) == run
    assert source_of(document, ROOT if run else None) == source
