"""What the encoder makes, a real server stores whole: nothing is read in part and answered with 200."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient

from azureml_replay.instants import Instant
from azureml_replay.model import Points, Row, Run, RunId, Series, SeriesKey
from azureml_replay.planning.normalise import RowsThere
from azureml_replay.workspace.profile import MLFLOW
from mlflow_servers import MlflowServer
from servers.moving import named, opened

TIME = Instant.parse("2023-11-14T22:13:20.123+00:00").ticks
ODD: list[Row] = [
    (0, TIME, (0.30000000000000004,)),
    (-5, TIME, (5e-324,)),
    (2**63 - 1, TIME, (-1.7976931348623157e308,)),
    (None, TIME, (-0.0,)),
    (2, TIME, (math.nan,)),
    (2, TIME + 1, (math.nan,)),
    (3, TIME, (math.inf,)),
    (4, TIME, (-math.inf,)),
    (5, None, (7,)),
    (2**63, TIME, (1.0,)),
    (6, TIME, (None,)),
    (7, TIME, (2**60 + 1,)),
    (8, Instant.parse("9999-12-31T23:59:59.999+00:00").ticks, (1.0,)),
]
"""A step beyond 64 bits, or a cell without a number, in the wrong place would drop all that comes after it."""
TAGS = {"Ünï 漢 /.-_": "a" * 5_000, "empty": "", "😀 in a value": "😀\n\t\x01", "azureml.nodeid": "tag"}
PARAMETERS = {"p" * 250: "x" * 6_000, "n": "NaN", "json": '{"a": [1, null]}'}


async def test_everything_in_a_request_is_stored(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    """Rows, then a tag and a parameter behind them."""
    series = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
    tags = {key.replace("😀", "x"): value for key, value in TAGS.items()}
    run = Run(
        id=RunId("odd"),
        experiment="odd",
        status="NotResponding",
        start=Instant(-10_000_000),
        end=Instant(TIME),
        display_name="𝔫ame",
        description="",
        creator="Ada",
        tags=tags,
        properties={"azureml_replay": "{}", "nodeid": "property"},
        parameters=PARAMETERS,
    )
    there = RowsThere(MLFLOW.rows, {series.key: series}).of(Points.of(series, ODD))

    async with opened(named(mlflow_server, tmp_path)) as server:
        made = await server.make_run("odd", run)
        assert isinstance(made, str)
        run_there = RunId(made)
        written = replace(run, id=run_there)
        assert await server.update_runs("odd", [written]) == {run_there: None}
        for _ in range(2):
            assert await server.append_points(run_there, [there]) == {}
        assert await server.end_runs("odd", [written]) == {run_there: None}

    found = MlflowClient(tracking_uri=mlflow_server.url).get_run(made)
    told = MlflowClient(tracking_uri=mlflow_server.url).get_metric_history(made, "loss")
    rows = sorted((one.step, one.timestamp, float(one.value).hex()) for one in told)
    assert rows == sorted((row[0], row[1] // 10_000, float(row[2][0]).hex()) for row in there.rows())  # type: ignore[operator, arg-type]
    assert len(rows) == len(ODD) - 3
    assert tags.items() <= found.data.tags.items()
    assert found.data.tags["property.nodeid"] == "property"
    assert found.data.params == PARAMETERS
    assert (found.info.run_name, found.info.user_id, found.info.status) == ("𝔫ame", "Ada", "RUNNING")
    assert (found.info.start_time, found.info.end_time) == (-1_000, TIME // 10_000)
    assert found.data.tags["azureml_replay.status"] == "NotResponding"
